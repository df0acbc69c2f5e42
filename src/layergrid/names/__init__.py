"""Parameter names to addresses: which stack, layer, component and expert a tensor belongs to.

The reading is a table of naming conventions (`rules`), not a list of model families. A name is cut into
words; the list that holds blocks (``layers.3``, ``h.3``, ``blk.3``) gives the layer; the words after it say
the place inside the block (attention, MLP, state space ...) and then the part of that place. Siblings and
shapes settle what one name leaves open. What no row knows stays under its own name.
"""

from layergrid.names.address import CORE, Address
from layergrid.names.config import head_counts
from layergrid.names.fused import Piece, split_fused
from layergrid.names.model import parse_name, parse_names

__all__ = ["CORE", "Address", "Piece", "head_counts", "parse_name", "parse_names", "split_fused"]

"""See one number per (layer, component) of a neural network, as an interactive grid in Jupyter.

The public names below are loaded when first used, so that importing layergrid costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layergrid.data import as_dataarray as as_dataarray
    from layergrid.names import Address as Address
    from layergrid.names import parse_name as parse_name
    from layergrid.names import parse_names as parse_names
    from layergrid.widget import Cell as Cell
    from layergrid.widget import LayerGrid as LayerGrid

__version__ = "0.1.0"

# Public name -> the module that defines it.
_HOME = {
    "Address": "layergrid.names",
    "Cell": "layergrid.widget",
    "LayerGrid": "layergrid.widget",
    "as_dataarray": "layergrid.data",
    "parse_name": "layergrid.names",
    "parse_names": "layergrid.names",
}

__all__ = ["Address", "Cell", "LayerGrid", "as_dataarray", "parse_name", "parse_names"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'layergrid' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

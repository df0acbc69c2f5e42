"""See one number per (layer, component) of a neural network, as an interactive grid in Jupyter.

The public names below are loaded when first used, so that importing layergrid costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layergrid.data.cell import Cell as Cell
    from layergrid.data.convert import as_dataarray as as_dataarray
    from layergrid.findings import Claim as Claim
    from layergrid.findings import Finding as Finding
    from layergrid.findings import Insights as Insights
    from layergrid.findings import Verdict as Verdict
    from layergrid.findings import check as check
    from layergrid.findings import check_text as check_text
    from layergrid.findings import insights as insights
    from layergrid.names import Address as Address
    from layergrid.names import parse_name as parse_name
    from layergrid.names import parse_names as parse_names
    from layergrid.opened import tensor_grid as tensor_grid
    from layergrid.reading import read as read
    from layergrid.recipes import recipe as recipe
    from layergrid.scans.comparing import compare as compare
    from layergrid.scans.scanning import scan as scan
    from layergrid.widget import LayerGrid as LayerGrid

__version__ = "0.1.0"

# Public name -> the module that defines it. No module bears a public function's name: importing it would put the
# module in the function's place.
_HOME = {
    "Address": "layergrid.names",
    "Cell": "layergrid.data.cell",
    "Claim": "layergrid.findings",
    "Finding": "layergrid.findings",
    "Insights": "layergrid.findings",
    "LayerGrid": "layergrid.widget",
    "Verdict": "layergrid.findings",
    "as_dataarray": "layergrid.data.convert",
    "check": "layergrid.findings",
    "check_text": "layergrid.findings",
    "compare": "layergrid.scans.comparing",
    "insights": "layergrid.findings",
    "parse_name": "layergrid.names",
    "parse_names": "layergrid.names",
    "read": "layergrid.reading",
    "recipe": "layergrid.recipes",
    "scan": "layergrid.scans.scanning",
    "tensor_grid": "layergrid.opened",
}

__all__ = [
    "Address",
    "Cell",
    "Claim",
    "Finding",
    "Insights",
    "LayerGrid",
    "Verdict",
    "as_dataarray",
    "check",
    "check_text",
    "compare",
    "insights",
    "parse_name",
    "parse_names",
    "read",
    "recipe",
    "scan",
    "tensor_grid",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'layergrid' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

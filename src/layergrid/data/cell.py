"""One cell of a grid, as callbacks and `LayerGrid.cell` give it."""

from __future__ import annotations

from dataclasses import dataclass

from layergrid.data.choices import unknown
from layergrid.data.matrix import Label, Matrix


@dataclass(frozen=True)
class Cell:
    """One cell: what `LayerGrid.on_click` passes on."""

    layer: Label
    """The layer's label."""

    component: str
    """The component's label."""

    value: float
    """The metric's value; NaN where absent."""

    parameter: str
    """Full name of the tensor; "" where unknown or absent."""


def cell_at(matrix: Matrix, row: int, column: int) -> Cell:
    """The cell at a position of a matrix."""
    name = "" if matrix.parameters is None else str(matrix.parameters[row, column])
    return Cell(matrix.layers[row], matrix.components[column], float(matrix.values[row, column]), name)


def place_of(matrix: Matrix, layer: Label, component: str) -> tuple[int, int]:
    """Row and column at two labels of a matrix.

    Raises
    ------
    KeyError
        If the matrix has no such layer or component.
    """
    if layer not in matrix.layers:
        raise KeyError(unknown("layer", layer, matrix.layers))
    if component not in matrix.components:
        raise KeyError(unknown("component", component, matrix.components))
    return matrix.layers.index(layer), matrix.components.index(component)

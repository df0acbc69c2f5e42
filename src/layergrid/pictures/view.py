"""What is shown of a matrix, and how: the public traits of a grid as one value, for pictures and files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from layergrid.data.cube import Coordinate
from layergrid.data.matrix import Label, Matrix


@dataclass(frozen=True)
class View:
    """The state of a grid's page that a picture of it needs."""

    low: float
    high: float
    center: float
    scale: str
    cmap: str
    reverse: bool
    levels: int
    components: tuple[str, ...]
    layers: tuple[Label, ...]
    origin: str
    title: str
    units: str
    selection: tuple[tuple[Label, str], ...] = ()
    row_name: str = "layer"
    """What a row is."""
    position: tuple[tuple[str, Coordinate], ...] = ()
    """Dim and label of each selector."""


def shown(matrix: Matrix, view: View) -> Matrix:
    """The part of a matrix that a view shows, components in the view's order; the matrix itself where that is all."""
    if view.layers == matrix.layers and view.components == matrix.components:
        return matrix
    row = {label: at for at, label in enumerate(matrix.layers)}
    column = {label: at for at, label in enumerate(matrix.components)}
    cells = np.ix_([row[label] for label in view.layers], [column[label] for label in view.components])
    return replace(
        matrix,
        values=matrix.values[cells],
        layers=view.layers,
        components=view.components,
        absent=None if matrix.absent is None else matrix.absent[cells],
        parameters=None if matrix.parameters is None else matrix.parameters[cells],
    )

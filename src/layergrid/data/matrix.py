"""The plain form of a grid: values with labels, as everything behind the public door uses it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Label = int | str
"""A layer's label: its index, or a name such as ``"encoder.3"``."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """One number per (layer, component), with the labels and names that go with it.

    xarray is the public form; importing it costs more than four first paints, so the inside uses this.
    All arrays are of shape (layers, components), owned by the matrix and read-only.
    """

    values: np.ndarray
    """float32 where that holds every value exactly, else float64; C order; NaN where absent."""

    layers: tuple[Label, ...]
    """One label per row, without duplicates; row 0 is the first layer."""

    components: tuple[str, ...]
    """One label per column, without duplicates."""

    absent: np.ndarray | None = None
    """True where the layer has no such component; None where every cell is there."""

    parameters: np.ndarray | None = None
    """Full tensor name of each cell as str, "" where unknown or absent; None where no name is known."""

    pieces: np.ndarray | None = None
    """Which rows or columns of its tensor a cell stands for, as ``"0:768"``, "" for all; None where every cell has a
    tensor of its own."""

    name: str = ""
    """What the number is, for the title: ``"Effective rank ratio"``; "" where unknown."""

    units: str = ""
    """Unit of the values; "" for none."""

    source: str = ""
    """Where the values come from, in a few words; "" where unknown."""

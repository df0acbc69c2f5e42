"""Values of any number of dims, with labels, read one part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layergrid.data.labels import check_distinct, listing
from layergrid.data.matrix import Label
from layergrid.data.values import real_array

Coordinate = int | float | str
"""A label along any dim: a step, a learning rate, a metric's name."""


@dataclass(frozen=True, eq=False)
class Part:
    """A cube at one position of some of its dims, whole along the others; arrays in the order of dims asked for."""

    values: np.ndarray
    """Real numbers of any dtype; may be a masked array, whose masked cells are absent."""

    absent: np.ndarray | None = None
    parameters: np.ndarray | None = None
    """Names of tensors as objects, "" where there is none; None where no name is known."""

    pieces: np.ndarray | None = None
    """Which rows of its tensor a cell stands for, see `Matrix`."""

    source: str = ""


@dataclass(frozen=True, eq=False)
class Cube:
    """What a grid of several pages is made of. Nothing is read before it is asked for."""

    dims: Mapping[str, tuple[Coordinate, ...]]
    """Name -> labels, in the order of the axes."""

    read: Callable[[Mapping[str, int], Sequence[str], bool], Part]
    """The part at a place of some dims, and whole along the others, which are named in the order wanted; with names of
    tensors and what they tell of absent cells, or with values alone."""

    text: Callable[[Mapping[str, int]], tuple[str, str]]
    """Title and units at a place of some dims; reads no value."""

    exists: Callable[[Sequence[str]], np.ndarray] | None = None
    """Whether there is any cell at each place of some dims, for what the names alone can tell; None where they
    cannot."""

    titled_by: str | None = None
    """The dim along which title and units differ; None where they do not."""

    lazy: bool = False
    """Whether reading costs more than copying: then nothing is read that is not shown soon."""

    @property
    def sizes(self) -> dict[str, int]:
        """Name -> length, in the order of the axes."""
        return {dim: len(labels) for dim, labels in self.dims.items()}


def cube_of_array(x: Any, dims: Sequence[str] | Mapping[str, Iterable[Any] | None]) -> Cube:
    """The cube of an array without labels, or of anything with ``shape`` that can be indexed like one.

    Parameters
    ----------
    dims : a name for each axis; as a mapping, also their labels (None for 0, 1, ...)

    Raises
    ------
    ValueError
        If there are more or fewer names than axes, or one stands twice, or the labels are not as many as the axis
        is long.
    """
    shape = tuple(x.shape)
    given = dims if isinstance(dims, Mapping) else dict.fromkeys(_names(dims, shape))
    if len(given) != len(shape):
        raise ValueError(f"dims must name each of the {len(shape)} axes of shape {shape}, got {listing(list(given))}")
    named = {
        dim: tuple(range(size)) if labels is None else coordinates(dim, list(labels), size)
        for (dim, labels), size in zip(given.items(), shape, strict=True)
    }

    def read(at: Mapping[str, int], order: Sequence[str], _named: bool) -> Part:
        rest = [dim for dim in named if dim not in at]
        values = real_array(x[tuple(at.get(dim, slice(None)) for dim in named)])
        return Part(np.transpose(values, [rest.index(dim) for dim in order]))

    return Cube(named, read, lambda _at: ("", ""), lazy=not isinstance(x, np.ndarray))


def coordinates(dim: str, labels: Sequence[Any], size: int) -> tuple[Coordinate, ...]:
    """The labels of a dim as plain ints, floats and strings, checked; all as strings where one is neither.

    Raises
    ------
    ValueError
        If there are more or fewer than `size`, or one stands twice.
    """
    if len(labels) != size:
        raise ValueError(f"dim {dim!r} has {size} places, but {len(labels)} labels: {listing(labels)}")
    plain = [
        label.item() if isinstance(label, np.generic) and label.dtype.kind in "iufU" else label for label in labels
    ]
    if not all(type(label) in (int, float, str) and label == label for label in plain):
        plain = [str(label) for label in labels]  # dates, booleans, NaN
    check_distinct(plain, f"labels of dim {dim!r}")
    return tuple(plain)


def _names(dims: Sequence[str], shape: tuple[int, ...]) -> list[str]:
    names = list(dims)
    if isinstance(dims, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"dims must be a name for each axis of shape {shape}, as ('step', 'layer', ...), got {dims!r}")
    check_distinct(names, "dims")
    return names


def known_dims(asked: str | Sequence[str], cube: Cube, what: str) -> tuple[str, ...]:
    """The dims asked for, one or several.

    Raises
    ------
    ValueError
        If the cube has no such dim, or one stands twice, or there is none.
    """
    names = (asked,) if isinstance(asked, str) else tuple(asked)
    unknown = [name for name in names if name not in cube.dims]
    if unknown or not names:
        raise ValueError(f"{what} must be one or several of the dims {listing(list(cube.dims))}, got {asked!r}")
    check_distinct(names, what)
    return names


def axis_labels(labels: Sequence[Coordinate]) -> tuple[Label, ...]:
    """Coordinates as labels of a grid's axis: ints and strings; whole floats become ints, others text."""
    return tuple(
        int(label)
        if isinstance(label, float) and label.is_integer()
        else label
        if not isinstance(label, float)
        else str(label)
        for label in labels
    )

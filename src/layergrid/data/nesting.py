"""One axis of a grid made of several dims, one inside the other: component > expert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layergrid.data.cube import Cube, axis_labels
from layergrid.data.labels import check_distinct
from layergrid.data.matrix import Label
from layergrid.scans.placement import EXPERT_NONE


@dataclass(frozen=True, eq=False)
class Axis:
    """The rows or the columns of a grid."""

    dims: tuple[str, ...]
    """From the outermost to the innermost."""

    labels: tuple[Label, ...]
    """One for each place that is there: ``"mlp.up[3]"`` for expert 3 of mlp.up."""

    places: np.ndarray | None
    """Which of the places of all dims, row-major, the labels stand for; None for all."""


def axis(cube: Cube, dims: Sequence[str], kept: np.ndarray | None) -> Axis:
    """The axis that some dims of a cube make.

    Parameters
    ----------
    kept : False at the places that no page and no line across has a cell at, of the shape of the dims; they are
        left out, so that a component without experts takes one column and not one for each expert. None keeps all
    """
    names = tuple(dims)
    if len(names) == 1:
        return Axis(names, axis_labels(cube.dims[names[0]]), None)
    shape = tuple(len(cube.dims[dim]) for dim in names)
    places = np.arange(int(np.prod(shape))) if kept is None else np.flatnonzero(kept)
    outer, *inner = (axis_labels(cube.dims[dim]) for dim in names)
    labelled = []
    for place, at in zip(places.tolist(), zip(*np.unravel_index(places, shape), strict=True), strict=True):
        steps = [(dim, labels[i]) for dim, labels, i in zip(names[1:], inner, at[1:], strict=True)]
        labelled.append((_nested(outer[at[0]], steps), place))
    # What is not nested stands first, so that no group is cut in two by it.
    labelled.sort(key=lambda one: isinstance(one[0], str) and one[0].endswith("]"))
    labels = tuple(label for label, _ in labelled)
    check_distinct(labels, " > ".join(names))
    order = np.array([place for _, place in labelled])
    return Axis(names, labels, None if np.array_equal(order, np.arange(int(np.prod(shape)))) else order)


def _nested(outer: Label, inner: Sequence[tuple[str, Label]]) -> Label:
    """``mlp.up[3]``; what belongs to no expert is called as it would be without a dim of experts."""
    steps = [f"[{label}]" for dim, label in inner if not (dim == "expert" and label == EXPERT_NONE)]
    return f"{outer}{''.join(steps)}" if steps else outer

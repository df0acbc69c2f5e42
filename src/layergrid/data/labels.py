"""Labels of layers and components: what is accepted as one, and how given ones replace those that came."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from layergrid.data.matrix import Label, Matrix


def layer_labels(given: Iterable[Any] | None, count: int, *, what: str = "layers") -> tuple[Label, ...]:
    """One label for each of `count` layers, int or string, without duplicates; 0, 1, ... for None.

    NumPy integers and whole floats (which pandas makes of integers beside a gap) become int.

    Raises
    ------
    TypeError
        If the labels are one string, or one of them is neither an int nor a string.
    ValueError
        If there are more or fewer than `count`, or one stands twice.
    """
    if given is None:
        return tuple(range(count))
    labels = tuple(_layer_label(label, what) for label in _listed(given, what))
    _check(labels, count, what)
    return labels


def component_labels(given: Iterable[Any] | None, count: int, *, what: str = "components") -> tuple[str, ...]:
    """One string for each of `count` components, without duplicates; "0", "1", ... where None is given.

    Integers become strings. Raises as `layer_labels` does.
    """
    if given is None:
        return tuple(map(str, range(count)))
    labels = tuple(_component_label(label, what) for label in _listed(given, what))
    _check(labels, count, what)
    return labels


def relabelled(matrix: Matrix, layers: Iterable[Any] | None, components: Iterable[Any] | None) -> Matrix:
    """The matrix under other labels, or with some of its own chosen and put in the order given.

    For input that came with labels. As in ``pandas.DataFrame(frame, columns=...)``, labels the input knows
    choose from it. Labels that are all new rename it, and must then be as many as there are. A mixture is
    refused, as it would put a number under a name that belongs to another, unless the input's own are but
    0, 1, ... in order.
    """
    if layers is not None:
        labels = tuple(_layer_label(label, "layers") for label in _listed(layers, "layers"))
        rows = _chosen(matrix.layers, labels, "layers")
        matrix = replace(_taken(matrix, rows, 0), layers=labels)
    if components is not None:
        names = tuple(_component_label(label, "components") for label in _listed(components, "components"))
        columns = _chosen(matrix.components, names, "components")
        matrix = replace(_taken(matrix, columns, 1), components=names)
    return matrix


def like(old: Matrix, new: Matrix) -> Matrix:
    """New values under the old labels; by position where they have none of their own, else by label.

    Raises
    ------
    ValueError
        If the shape or the labels are others.
    """
    if new.values.shape != old.values.shape:
        raise ValueError(
            f"update keeps the grid's shape (layers, components) = {old.values.shape}, got {new.values.shape}; "
            "make a new LayerGrid for another shape"
        )
    if new.layers == old.layers and new.components == old.components:
        return new
    rows, columns = new.values.shape
    for axis, known, given, unnamed in (
        ("layers", old.layers, new.layers, tuple(range(rows))),
        ("components", old.components, new.components, tuple(map(str, range(columns)))),
    ):
        if given != unnamed and set(given) != set(known):
            strange = reprlib.repr([label for label in given if label not in known])
            raise ValueError(f"update keeps the grid's {axis}, got others: {strange}")
    return relabelled(new, old.layers, old.components)


def _listed(given: Iterable[Any], what: str) -> list[Any]:
    if isinstance(given, str | bytes):
        raise TypeError(f"{what} must be a sequence of labels, got the single string {given!r}; write [{given!r}]")
    try:
        return list(given)
    except TypeError:
        raise TypeError(f"{what} must be a sequence of labels, got {given!r}") from None


def _layer_label(label: Any, what: str) -> Label:
    if isinstance(label, str):
        return str(label)
    if isinstance(label, int | np.integer) and not isinstance(label, bool):
        return int(label)
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return int(label)
    raise TypeError(f"each of the {what} must be an int or a string, got {_shown(label)}")


def _component_label(label: Any, what: str) -> str:
    if isinstance(label, str):
        return str(label)
    if isinstance(label, int | np.integer) and not isinstance(label, bool):
        return str(int(label))
    raise TypeError(f"each of the {what} must be a string, got {_shown(label)}")


def _shown(label: Any) -> str:
    return f"{label!r} of type {type(label).__name__}"


def _check(labels: Sequence[Label], count: int, what: str) -> None:
    if len(labels) != count:
        raise ValueError(f"{what} must be {count} labels, one for each, got {len(labels)}: {listing(labels)}")
    check_distinct(labels, what)


def check_distinct(labels: Sequence[Label], what: str) -> None:
    """Raise ValueError, naming them, if labels stand twice."""
    if len(set(labels)) < len(labels):
        twice = [label for label, times in Counter(labels).items() if times > 1]
        raise ValueError(f"{what} must differ from one another, but these stand twice or more: {listing(twice)}")


def listing(labels: Sequence[Any], most: int = 5) -> str:
    """The first few labels for a message: ``0, 1, 'encoder.3' and 9 more``."""
    first = ", ".join(repr(label) for label in labels[:most])
    return f"{first} and {len(labels) - most} more" if len(labels) > most else first


def _chosen(own: Sequence[Label], given: Sequence[Label], what: str) -> list[int] | None:
    """Where the given labels stand among the input's own; None where all are new and simply rename."""
    place = {label: index for index, label in enumerate(own)}
    new = [label for label in given if label not in place]
    if len(new) == len(given):
        _check(given, len(own), what)
        return None
    if new and len(given) == len(own) and list(map(str, own)) == list(map(str, range(len(own)))):
        return None  # 0, 1, ... are what input without labels gets
    if new:
        raise ValueError(
            f"the input has {what} of its own ({listing(own)}), not among them: {listing(new)}; "
            f"give some of its own to choose and order them, or {len(own)} new ones to rename them"
        )
    check_distinct(given, what)
    return [place[label] for label in given]


def _taken(matrix: Matrix, indices: list[int] | None, axis: int) -> Matrix:
    if indices is None or indices == list(range(matrix.values.shape[axis])):
        return matrix

    def take(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        taken = np.take(array, indices, axis=axis)
        taken.flags.writeable = False
        return taken

    values = take(matrix.values)
    assert values is not None
    parameters, pieces = take(matrix.parameters), take(matrix.pieces)
    return replace(matrix, values=values, absent=take(matrix.absent), parameters=parameters, pieces=pieces)

"""Labels chosen among those of a matrix: what is shown, and what is selected."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets as t

from layergrid.data.matrix import Label, Matrix

MOST_SELECTED = 100_000
"""A selection travels as labels; more cells than this are a case for ``grid.data``."""


def shown_components(matrix: Matrix, wanted: Sequence[Any]) -> list[str]:
    """The wanted components, in the wanted order.

    Raises
    ------
    traitlets.TraitError
        If the matrix has no such component, or one stands twice.
    """
    return _known_labels("component", wanted, matrix.components)


def shown_layers(matrix: Matrix, wanted: Sequence[Any]) -> list[Label]:
    """The wanted layers, in order of depth; raises as `shown_components` does."""
    shown = _known_labels("layer", wanted, matrix.layers)
    if shown == list(matrix.layers):
        return shown
    depth = {layer: at for at, layer in enumerate(matrix.layers)}
    return sorted(shown, key=depth.__getitem__)


def selected_cells(matrix: Matrix, wanted: Sequence[tuple[Any, str]]) -> list[tuple[Label, str]]:
    """The wanted cells as (layer, component), each once, in the order of the first time each is named.

    Raises
    ------
    traitlets.TraitError
        If they are too many, or the matrix has no such cell.
    """
    if len(wanted) > MOST_SELECTED:
        raise t.TraitError(f"a selection holds at most {MOST_SELECTED} cells, got {len(wanted)}")
    if not wanted:
        return []
    layers, components = set(matrix.layers), set(matrix.components)
    chosen: dict[tuple[Label, str], None] = {}
    for layer, component in wanted:
        layer = layer.item() if isinstance(layer, np.generic) else layer
        if type(layer) not in (int, str) or layer not in layers:
            raise t.TraitError(unknown("layer", layer, matrix.layers))
        if component not in components:
            raise t.TraitError(unknown("component", component, matrix.components))
        chosen[layer, component] = None
    return list(chosen)


def unknown(what: str, label: Any, known: Sequence[Any]) -> str:
    """The message for a label that a grid does not have: the nearest one, and the first of those there are."""
    close = difflib.get_close_matches(str(label), [str(name) for name in known], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return f"unknown {what} {reprlib.repr(label)}{hint} This grid has {reprlib.repr(list(known))}"


def _known_labels(what: str, wanted: Sequence[Any], known: tuple[Any, ...]) -> list[Any]:
    """The wanted labels, checked to be among the known ones and to stand there once."""
    if tuple(wanted) == known:
        return list(known)
    plain = [label.item() if isinstance(label, np.generic) else label for label in wanted]
    names = set(known)
    for label in plain:
        if type(label) not in (int, str) or label not in names:
            raise t.TraitError(unknown(what, label, known))
    if len(set(plain)) < len(plain):
        raise t.TraitError(f"{what}s must be shown once each, got {reprlib.repr(plain)}")
    return plain

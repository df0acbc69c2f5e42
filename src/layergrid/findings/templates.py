"""The forms a component is compared with: steps, boxes and bumps over the layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, eq=False)
class Templates:
    """Candidate forms over layers, each with the layers it marks.

    A box is 1 in its window; a bump is a raised cosine that is above one half in its window and reaches
    as far again
    on either side: real curves are mostly smooth, and a box fitted to a smooth curve explains little of it.
    """

    columns: np.ndarray
    """Shape (layers, templates)."""

    first: np.ndarray
    """First marked layer of each template, shape (templates,)."""

    last: np.ndarray
    """Last marked layer, inclusive."""

    tried: int
    """How many windows were asked, those between thinned ones too, which would answer nearly alike.

    A box and a bump of the same window are nearly one question, and counted once.
    """


def windows(layers: int, narrowest: int, widest: int, margin: int) -> list[tuple[int, int]]:
    """(first, last) of windows of all widths and places; thinned where neighbours would hardly differ.

    Every window up to 40 layers; beyond, widths grow by a quarter and places move by a quarter of the width.
    """
    out = []
    width = narrowest
    while width <= widest:
        stride = 1 if layers <= 40 else max(1, width // 4)
        out += [(start, start + width - 1) for start in range(margin, layers - margin - width + 1, stride)]
        width = width + 1 if layers <= 40 else max(width + 1, round(width * 1.25))
    return out


def box(layers: int, first: int, last: int) -> np.ndarray:
    """1 from `first` to `last` inclusive, else 0; shape (layers,)."""
    at = np.arange(layers)
    return ((at >= first) & (at <= last)).astype(float)


def bump(layers: int, first: int, last: int) -> np.ndarray:
    """Raised cosine, above one half from `first` to `last`; shape (layers,)."""
    away = np.abs(np.arange(layers) - (first + last) / 2) / (last - first + 1)
    return np.where(away < 1, 0.5 + 0.5 * np.cos(np.pi * away), 0.0)


@lru_cache(maxsize=64)
def peaks(layers: int) -> Templates:
    """Boxes and bumps of 3 layers to half of all, two layers or more from either end, where they would be steps."""
    return _both_forms(layers, 3, layers // 2, 2)


@lru_cache(maxsize=64)
def valleys(layers: int) -> Templates:
    """Boxes and bumps over more than half of the layers, with two layers or more on either side.

    A U with a flat bottom.
    """
    return _both_forms(layers, layers // 2 + 1, layers - 4, 2)


@lru_cache(maxsize=64)
def bands(layers: int) -> Templates:
    """Boxes and bumps of 2 layers to a third of all, anywhere."""
    return _both_forms(layers, 2, max(2, layers // 3), 0)


@lru_cache(maxsize=64)
def steps(layers: int) -> Templates:
    """0 before a layer, 1 from it on, with three layers or more on either side.

    Marks the layers beside the jump.
    """
    at = np.arange(3, layers - 2)
    columns = (np.arange(layers)[:, None] >= at).astype(float)
    return Templates(columns, at - 1, at, len(at))


def _both_forms(layers: int, narrowest: int, widest: int, margin: int) -> Templates:
    spans = windows(layers, narrowest, widest, margin)
    if not spans:
        return Templates(np.empty((layers, 0)), np.empty(0, int), np.empty(0, int), 0)
    forms = [form(layers, first, last) for form in (box, bump) for first, last in spans]
    first, last = np.array(spans + spans).T
    tried = sum(layers - 2 * margin - width + 1 for width in range(narrowest, widest + 1))
    return Templates(np.column_stack(forms), first, last, tried)

"""The forms a component is compared with: steps, boxes and bumps over the layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

# Numbers of the forms that are held at once: all of 61 layers, a part of those of 1,000, which would fill 130 MB.
_MOST_NUMBERS = 2**17


@dataclass(frozen=True, eq=False)
class Templates:
    """Windows of layers, each with the layers it marks; their forms are made a part at a time.

    A box is 1 in its window; a bump is a raised cosine that is above one half in its window and reaches as far again
    on either side: real curves are mostly smooth, and a box fitted to a smooth curve explains little of it.
    """

    layers: int

    start: np.ndarray
    """First layer of each window, shape (windows,)."""

    stop: np.ndarray
    """Last layer, inclusive."""

    first: np.ndarray
    """First marked layer of each window."""

    last: np.ndarray

    forms: tuple[str, ...]
    """``box``, ``bump``: the forms that are tried in each window."""

    tried: int
    """How many windows were asked, those between thinned ones too, which would answer nearly alike.

    A box and a bump of the same window are nearly one question, and counted once.
    """

    def parts(self) -> Iterator[slice]:
        """Windows in parts whose forms fit in a few megabytes, however many layers there are."""
        each = max(1, _MOST_NUMBERS // (self.layers * len(self.forms)))
        for begin in range(0, len(self.start), each):
            yield slice(begin, min(begin + each, len(self.start)))

    def columns(self, part: slice) -> np.ndarray:
        """All windows of a part in the first form, then in the next; shape (layers, forms x windows)."""
        make = {"box": box, "bump": bump}
        start, stop = self.start[part], self.stop[part]
        return np.concatenate([make[form](self.layers, start, stop) for form in self.forms], axis=1)

    def near(self, first: int, last: int, within: int) -> Templates:
        """Those windows whose edges lie within so many layers of these."""
        kept = (abs(self.start - first) <= within) & (abs(self.stop - last) <= within)
        start, stop, marked = self.start[kept], self.stop[kept], (self.first[kept], self.last[kept])
        return Templates(self.layers, start, stop, *marked, self.forms, len(start))


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


def box(layers: int, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """1 from `first` to `last` inclusive, else 0; shape (layers, windows)."""
    at = np.arange(layers)[:, None]
    return ((at >= first) & (at <= last)).astype(float)


def bump(layers: int, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Raised cosine, above one half from `first` to `last`; shape (layers, windows)."""
    away = np.abs(np.arange(layers)[:, None] - (first + last) / 2) / (last - first + 1)
    return cast(np.ndarray, 0.5 + 0.5 * np.cos(np.pi * np.minimum(away, 1.0)))


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
    return Templates(layers, at, np.full(len(at), layers - 1), at - 1, at, ("box",), len(at))


def _both_forms(layers: int, narrowest: int, widest: int, margin: int) -> Templates:
    first, last = np.array(windows(layers, narrowest, widest, margin), int).reshape(-1, 2).T
    tried = sum(layers - 2 * margin - width + 1 for width in range(narrowest, widest + 1))
    return Templates(layers, first, last, first, last, ("box", "bump"), tried)

"""Matrices of the same rows and columns, one for each position of the remaining dims: the pages of a grid."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from layergrid.data.choices import unknown
from layergrid.data.cube import Coordinate
from layergrid.data.labels import like, listing
from layergrid.data.matrix import Matrix
from layergrid.scale import fitted_domain

MOST_TRAVELLING_BYTES = 8_000_000
"""All pages travel to the browser at once where their values take no more."""

MOST_KEPT_BYTES = 64_000_000
"""Of pages that must be read, the last ones are kept up to this size."""


@dataclass(frozen=True)
class Selector:
    """A dim of which one place is shown at a time."""

    dim: str
    labels: tuple[Coordinate, ...]
    texts: tuple[tuple[str, str], ...] = ()
    """Title and units at each label, where they differ along this dim; else empty."""


class Pages:
    """Pages by their index: positions in row-major order, the last selector changing first.

    Safe from any thread.

    Parameters
    ----------
    selectors : none for a grid of one page
    read : the page at an index; called again when it is no longer kept
    lazy : whether reading a page costs more than copying it
    axes : what a row and a column are
    """

    def __init__(
        self,
        selectors: Sequence[Selector],
        read: Callable[[int], Matrix],
        *,
        lazy: bool = False,
        axes: tuple[str, str] = ("layer", "component"),
    ) -> None:
        self.selectors = tuple(selectors)
        self.axes = axes
        self.lazy = lazy
        self._read = read
        self._domains: dict[tuple[object, ...], tuple[float, float, float]] = {}
        self._kept: OrderedDict[int, Matrix] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return math.prod(len(selector.labels) for selector in self.selectors)

    def matrix(self, index: int) -> Matrix:
        """The page at an index, read where it is not kept."""
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        page = self._read(index)
        with self._lock:
            self._kept[index] = page
            self._kept.move_to_end(index)
            while len(self._kept) > 1 and sum(kept.values.nbytes for kept in self._kept.values()) > MOST_KEPT_BYTES:
                self._kept.popitem(last=False)
        return page

    def updated(self, index: int, new: Pages) -> Pages:
        """New pages under the labels of these; a single one takes the place of that at an index.

        Raises
        ------
        ValueError
            If their shape, dims or labels are others.
        """
        labels = self.matrix(index)
        if not new.selectors:
            page = like(labels, new.matrix(0))
            return Pages(self.selectors, lambda at: page if at == index else self.matrix(at), lazy=self.lazy)
        for old, given in zip_longest(self.selectors, new.selectors):
            if old is None or given is None or (old.dim, old.labels) != (given.dim, given.labels):
                raise ValueError(
                    f"update keeps the grid's dims {_described(self.selectors)}, got {_described(new.selectors)}; "
                    "make a new LayerGrid for others"
                )
        like(labels, new.matrix(index))
        return Pages(self.selectors, lambda at: like(labels, new.matrix(at)), lazy=new.lazy)

    def caption(self, title: str, index: int) -> str:
        """A title with the position of a page, for pictures without selectors: "rms, step 400"."""
        said = [
            f"{selector.dim} {selector.labels[at]}"
            for selector, at in zip(self.selectors, self.places(index), strict=True)
            if len(selector.labels) > 1 and not selector.texts
        ]
        return ", ".join(([title] if title else []) + said)

    def position(self, index: int) -> dict[str, Coordinate]:
        """The labels at an index, by dim."""
        return {
            selector.dim: selector.labels[at] for selector, at in zip(self.selectors, self.places(index), strict=True)
        }

    def places(self, index: int) -> tuple[int, ...]:
        """The places along the selectors at an index."""
        places = []
        for selector in reversed(self.selectors):
            index, at = divmod(index, len(selector.labels))
            places.append(at)
        return tuple(reversed(places))

    def index(self, position: Mapping[str, Coordinate]) -> int:
        """The index of a whole position, as `checked_position` gives it."""
        index = 0
        for selector in self.selectors:
            index = index * len(selector.labels) + selector.labels.index(position[selector.dim])
        return index

    def alike(self, index: int) -> list[int]:
        """The pages whose numbers may share a scale with one: all, or where metrics differ, those of its metric."""
        titled = [at for at, selector in enumerate(self.selectors) if selector.texts]
        if not titled:
            return list(range(len(self)))
        place = self.places(index)[titled[0]]
        return [other for other in range(len(self)) if self.places(other)[titled[0]] == place]

    def domain(
        self, index: int, over: str, vmin: float | None = None, vmax: float | None = None
    ) -> tuple[float, float, float]:
        """Low, high and center that fit a page, or all of its metric where `over` is "all"; limits given stay."""
        if over != "all" or len(self) == 1:
            return fitted_domain([self.matrix(index).values], 1, vmin, vmax)
        alike = self.alike(index)
        key = (alike[0], vmin, vmax)
        if key not in self._domains:
            values = (self.matrix(page).values for page in alike)
            self._domains[key] = fitted_domain(values, len(alike), vmin, vmax)
        return self._domains[key]

    def metrics_at(self, index: int, row: int, column: int) -> list[tuple[str, float]]:
        """Titles and values of a cell: of a page, and of those of other metrics where these need not be read."""
        titled = [at for at, selector in enumerate(self.selectors) if selector.texts]
        if not titled or self.lazy:
            return [(self.texts(index)[0], float(self.matrix(index).values[row, column]))]
        here = self.places(index)
        alike = [
            other
            for other in range(len(self))
            if all(a == b for at, (a, b) in enumerate(zip(self.places(other), here, strict=True)) if at != titled[0])
        ]
        return [(self.texts(other)[0], float(self.matrix(other).values[row, column])) for other in alike]

    def texts(self, index: int) -> tuple[str, str]:
        """Title and units of a page."""
        for selector, at in zip(self.selectors, self.places(index), strict=True):
            if selector.texts:
                return selector.texts[at]
        page = self.matrix(index)
        return page.name, page.units


def _described(selectors: Sequence[Selector]) -> str:
    return "(" + ", ".join(f"{one.dim}: {listing(one.labels, 3)}" for one in selectors) + ")"


def one_page(matrix: Matrix) -> Pages:
    """The pages of a grid without selectors."""
    return Pages((), lambda _index: matrix)


def checked_position(
    selectors: Sequence[Selector], wanted: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """A whole position: what is wanted, and for dims it does not name, what is now.

    Raises
    ------
    ValueError
        If there is no such dim, or no such label along it.
    """
    known = {selector.dim: selector.labels for selector in selectors}
    strange = [dim for dim in wanted if dim not in known]
    if strange:
        there = (
            f"this grid has {listing(list(known))}" if known else "this grid has one page and no dim to choose along"
        )
        raise ValueError(f"unknown dim {strange[0]!r} of a position; {there}")
    position = {}
    for dim, labels in known.items():
        label = wanted.get(dim, now.get(dim, labels[0]))
        label = label.item() if hasattr(label, "item") else label
        if type(label) not in (int, float, str) or label not in labels:
            raise ValueError(unknown(dim, label, labels))
        position[dim] = labels[labels.index(label)]  # 400 for 400.0
    return position

"""The tensors behind the cells of a grid: found by what a cell is called, opened when first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from layergrid.data.cell import Cell
from layergrid.data.cube import Coordinate
from layergrid.large.kept_levels import KeptLevels, kept_levels
from layergrid.scans.comparing import Matched, is_adapter, matched
from layergrid.scans.placement import Cell as Place
from layergrid.scans.placement import place, split
from layergrid.sources import Source, SourceError, open_source
from layergrid.sources.source import printable
from layergrid.tensors.opening import OpenTensor, open_cell, open_difference, open_tensor

SIDES = ("base", "other", "difference")
"""What a cell of a comparison opens; the last by default."""


class Behind(Protocol):
    """Opens the tensors of cells."""

    def open(self, cell: Cell, position: Mapping[str, Coordinate], side: str | None) -> OpenTensor:
        """Open the tensor of a cell.

        Parameters
        ----------
        position : label along each dim that is neither rows nor columns
        side : of a comparison, one of `SIDES`; None for the usual one

        Raises
        ------
        SourceError, TypeError
            If no source is known, if it cannot be opened now, or if its tensor cannot be read.
        KeyError
            If the source has no tensor for this cell.
        ValueError
            If there is no such side, or the two have no difference.
        """


def behind(source: Any, cache: bool | str | os.PathLike[str] | None = None) -> Behind:
    """The tensors of a model, or of two that are compared.

    Parameters
    ----------
    source : whatever `layergrid.sources.open_source` takes; a text that a scan left of it; None where nothing is
        known; a tuple or list of two, base and other
    cache : a folder where levels of what lies in files are kept; None for nowhere
    """
    if isinstance(source, tuple | list):
        if len(source) != 2:
            raise ValueError(f"source is one model, or two that are compared, got {len(source)}")
        return BehindTwo(source[0], source[1], kept_levels(cache))
    return BehindOne(source, kept_levels(cache))


class BehindOne:
    """A model, and which of its tensors, or which part of one, each cell stands for."""

    def __init__(self, source: Any, cache: KeptLevels | None) -> None:
        self._source = source
        self._cache = cache
        self._opened: tuple[Source, tuple[Place, ...]] | None = None

    def open(self, cell: Cell, position: Mapping[str, Coordinate], side: str | None) -> OpenTensor:
        """See `Behind`."""
        if side is not None:
            raise ValueError(f"this grid is of one model and has no side {side!r}")
        source, places = self._places()
        if cell.parameter in source.tensors and all(one.parameter != cell.parameter for one in places):
            return open_tensor(source, cell.parameter, cache=self._cache)  # it belongs to no block
        return open_cell(source, _found(places, cell, position, source.label), cache=self._cache)

    def _places(self) -> tuple[Source, tuple[Place, ...]]:
        if self._opened is None:
            source = _open_source(self._source)
            placement = place(source.tensors, source.missing, "all", source.config)
            parts = split(placement.cells, placement.pieces)
            # A fused tensor is here whole and in parts: a scan may show either.
            self._opened = source, tuple(dict.fromkeys((*parts, *placement.cells)))
        return self._opened


class BehindTwo:
    """Two models, and the pair of tensors that each cell stands for."""

    def __init__(self, base: Any, other: Any, cache: KeptLevels | None) -> None:
        self._sources = base, other
        self._cache = cache
        self._opened: tuple[tuple[Source, Source], Matched] | None = None

    def open(self, cell: Cell, position: Mapping[str, Coordinate], side: str | None) -> OpenTensor:
        """See `Behind`."""
        side = side or SIDES[-1]
        if side not in SIDES:
            raise ValueError(f"side must be one of {', '.join(SIDES)}, got {side!r}")
        (base, other), found = self._matched()
        others = {id(first): second for first, second in found.pairs}
        first = _found([first for first, _ in found.pairs], cell, position, f"{base.label} with {other.label}")
        second = others[id(first)]
        # Of an adapter, the second cell is the base's tensor with the product added.
        second_source = base if is_adapter(other) else other
        names = (base.label, other.label)
        return open_difference(base, first, second_source, second, names, SIDES.index(side), cache=self._cache)

    def _matched(self) -> tuple[tuple[Source, Source], Matched]:
        if self._opened is None:
            base, other = (_open_source(source) for source in self._sources)
            self._opened = (base, other), matched(base, other, "all")
        return self._opened


def _found(places: Sequence[Place], cell: Cell, position: Mapping[str, Coordinate], label: str) -> Place:
    """The one place in a model that a cell names."""
    named = [one for one in places if one.parameter == cell.parameter] if cell.parameter else list(places)
    found = named
    if len(named) > 1 or not cell.parameter:
        found = [one for one in named if _is_at(one, cell, position)]
    if len(found) == 1:
        return found[0]
    what = f" {printable(cell.parameter)}" if cell.parameter else ""
    many = f", but {len(named)} of that name" if len(named) > 1 and cell.parameter else ""
    raise KeyError(
        f"{label} has no one tensor{what} for layer {cell.layer!r}, component {cell.component!r}{many}; "
        "layergrid.tensor_grid(source, name) opens a tensor by its full name"
    )


def _open_source(given: Any) -> Source:
    if given is None or given == "":
        raise SourceError("this grid does not know its tensors; LayerGrid(data, source=model or path) names them")
    try:
        return open_source(given)
    except (OSError, ValueError) as error:
        if not isinstance(given, str | os.PathLike):
            raise
        raise SourceError(
            f"the tensors of this grid are those of {str(given)!r}, which cannot be opened: {error}; "
            "LayerGrid(data, source=model or path) names others"
        ) from error


def _is_at(place: Place, cell: Cell, position: Mapping[str, Coordinate]) -> bool:
    """Whether a place in the model is the one that the labels of a cell name."""
    layer = str(cell.layer)
    layers = [str(place.layer), f"{place.stack}.{place.layer}", f"{place.stack}[{place.layer}]"]
    within = f"{place.component}[{place.expert}]"
    plain = place.expert < 0 or position.get("expert") == place.expert
    return (
        layer in layers
        and position.get("stack", place.stack) == place.stack
        and (cell.component == within or (plain and cell.component == place.component))
    )

"""The tensors behind the cells of a grid: found by what a cell is called, opened when first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from layergrid.cell import Cell
from layergrid.cube import Coordinate
from layergrid.opening import OpenTensor, open_cell, open_tensor
from layergrid.placement import Cell as Place
from layergrid.placement import place, split
from layergrid.sources import Source, SourceError, open_source
from layergrid.sources.source import printable


class Behind:
    """A model, and which of its tensors, or which part of one, each cell stands for.

    Parameters
    ----------
    source : whatever `layergrid.sources.open_source` takes; a text that a scan left of it; None where nothing is known
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._opened: tuple[Source, tuple[Place, ...]] | None = None

    def open(self, cell: Cell, position: Mapping[str, Coordinate]) -> OpenTensor:
        """Open the tensor of a cell.

        Parameters
        ----------
        position : label along each dim that is neither rows nor columns

        Raises
        ------
        SourceError, TypeError
            If no source is known, if it cannot be opened now, or if its tensor cannot be read.
        KeyError
            If the source has no tensor for this cell.
        """
        source, places = self._places()
        named = [one for one in places if one.parameter == cell.parameter] if cell.parameter else list(places)
        if not named and cell.parameter in source.tensors:
            return open_tensor(source, cell.parameter)  # it belongs to no block
        found = named
        if len(named) > 1 or not cell.parameter:
            found = [one for one in named if _is_at(one, cell, position)]
        if len(found) != 1:
            what = f" {printable(cell.parameter)}" if cell.parameter else ""
            many = f", but {len(named)} of that name" if len(named) > 1 and cell.parameter else ""
            raise KeyError(
                f"{source.label} has no one tensor{what} for layer {cell.layer!r}, component {cell.component!r}{many}; "
                "layergrid.tensor_grid(source, name) opens a tensor by its full name"
            )
        return open_cell(source, found[0])

    def _places(self) -> tuple[Source, tuple[Place, ...]]:
        if self._opened is None:
            source = self._open_source()
            placement = place(source.tensors, source.missing, "all", source.config)
            parts = split(placement.cells, placement.pieces)
            # A fused tensor is here whole and in parts: a scan may show either.
            self._opened = source, tuple(dict.fromkeys((*parts, *placement.cells)))
        return self._opened

    def _open_source(self) -> Source:
        if self._source is None or self._source == "":
            raise SourceError("this grid does not know its tensors; LayerGrid(data, source=model or path) names them")
        try:
            return open_source(self._source)
        except (OSError, ValueError) as error:
            if not isinstance(self._source, str | os.PathLike):
                raise
            raise SourceError(
                f"the tensors of this grid are those of {str(self._source)!r}, which cannot be opened: {error}; "
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

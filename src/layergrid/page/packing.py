"""Pages as they travel to the browser: the private traits of a grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.data.cube import Coordinate
from layergrid.data.matrix import Matrix
from layergrid.data.pages import MOST_TRAVELLING_BYTES, Pages, Selector
from layergrid.data.parameters import pack_parameters
from layergrid.page.messages import finite_or_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layergrid.page.far import Overview
    from layergrid.tensors.opening import OpenTensor

MOST_INLINE_BYTES = 1 << 22
"""Of the values of a single page that travel with the state, in one message."""

MOST_HELD_CELLS = 1 << 24
"""The page of the browser holds all cells of a matrix of no more than these, unless the user says otherwise."""

ALL_PAGES = -1
"""Value of `_held` where the bytes are those of all pages, one after another."""


def packed_pages(pages: Pages, shown: int = 0) -> tuple[Pages, dict[str, Any]]:
    """The private traits that carry the pages: all of them where they are few enough, else the shown one.

    Returns
    -------
    The pages, those that travel on top of the very bytes that do, so that the kernel holds their values once; and
    the traits by name, see `layergrid.LayerGrid`.
    """
    matrix = pages.matrix(shown)
    if len(pages) > 1:
        cells = matrix.values.size * len(pages)
        if not pages.lazy and cells * matrix.values.itemsize <= MOST_TRAVELLING_BYTES:
            every = [pages.matrix(index) for index in range(len(pages))]
            dtype = np.result_type(*{page.values.dtype for page in every})
            if cells * dtype.itemsize <= MOST_TRAVELLING_BYTES:
                return _together(pages.selectors, every, dtype)
        return pages, packed_page(pages, shown)
    page, raw = _with_bytes(matrix)
    return Pages(pages.selectors, lambda _index: page), _packed(page, raw)


def packed_page(pages: Pages, index: int) -> dict[str, Any]:
    """The private traits that carry one page of several."""
    matrix = pages.matrix(index)
    return _packed(matrix, matrix.values.tobytes()) | {"_held": index}


def packed_far(matrix: Matrix, overview: Overview, version: int, whole: bool) -> dict[str, Any]:
    """The private traits that carry a large matrix: its overview, and what the page must know to ask for cells.

    Parameters
    ----------
    matrix : its labels and shape; the values stay
    version : of the values: answers to questions about older ones are of no use
    whole : whether the page shall ask for all cells, and then keep them
    """
    window = overview.cells.window
    far = {
        "rowFactor": window.row_factor,
        "columnFactor": window.column_factor,
        "version": version,
        "whole": matrix.values.dtype.str[1:] if whole else "",
    }
    return _packed(matrix, b"") | {"_dtype": "f4", "_far": far} | overview.traits()


def packed_selectors(selectors: tuple[Selector, ...]) -> list[dict[str, Any]]:
    """The selectors as they travel: dim, labels (a count n for 0 to n - 1), and texts where they differ."""
    return [
        {"dim": one.dim, "labels": _counted(one.labels), "texts": [list(text) for text in one.texts]}
        for one in selectors
    ]


def packed_tensor(opened: OpenTensor, of_cell: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """What the page is told of a tensor before any of it is read.

    Parameters
    ----------
    of_cell : names and values of the metrics of the cell that it was opened from
    """
    return {
        "dtype": opened.dtype,
        "divisions": [
            {"axis": one.axis, "starts": list(one.starts), "labels": list(one.labels)} for one in opened.divisions
        ],
        "cell": [[name, finite_or_text(value)] for name, value in of_cell],
        "models": [] if opened.compared is None else list(opened.compared.models),
        "side": 0 if opened.compared is None else opened.compared.side,
    }


def _together(
    selectors: tuple[Selector, ...], every: list[Matrix], dtype: np.dtype[Any]
) -> tuple[Pages, dict[str, Any]]:
    raw = np.stack([page.values.astype(dtype, copy=False) for page in every]).tobytes()
    shape = every[0].values.shape
    values = np.frombuffer(raw, dtype).reshape(len(every), *shape)
    kept = [replace(page, values=values[index]) for index, page in enumerate(every)]
    traits = _packed(kept[0], raw)
    absent = [np.zeros(shape, bool) if page.absent is None else page.absent for page in every]
    if any(not np.array_equal(mask, absent[0]) for mask in absent):
        traits["_absent"] = b"".join(_bits(mask) for mask in absent)
    names = [_names_key(page) for page in every]
    if len(set(names)) > 1:
        places = {key: place for place, key in enumerate(dict.fromkeys(names))}
        unlike = [pack_parameters(every[names.index(key)]) for key in places]
        traits["_parameters"] = {"pages": unlike, "of": [places[key] for key in names]}
    return Pages(selectors, kept.__getitem__), traits | {"_held": ALL_PAGES}


def _names_key(page: Matrix) -> tuple[bytes, ...] | None:
    """Equal for pages with the very same names: their strings are shared, so that comparing references will do."""
    if page.parameters is None:
        return None
    return tuple(b"" if part is None else part.tobytes() for part in (page.parameters, page.pieces, page.absent))


def _with_bytes(matrix: Matrix) -> tuple[Matrix, bytes]:
    """The matrix on top of the very bytes that travel, so that the kernel holds the values once."""
    raw = matrix.values.tobytes()
    return replace(matrix, values=np.frombuffer(raw, matrix.values.dtype).reshape(matrix.values.shape)), raw


def _packed(matrix: Matrix, values: bytes) -> dict[str, Any]:
    rows, columns = matrix.values.shape
    return {
        "_values": values,
        "_dtype": matrix.values.dtype.str[1:],
        "_shape": (rows, columns),
        "_absent": b"" if matrix.absent is None else _bits(matrix.absent),
        "_layers": _counted(matrix.layers),
        "_components": columns if matrix.components == tuple(map(str, range(columns))) else list(matrix.components),
        "_parameters": pack_parameters(matrix),
        "_far": {},
    }


def _bits(mask: np.ndarray) -> bytes:
    """One bit a cell, least significant first, to whole bytes."""
    return np.packbits(mask, bitorder="little").tobytes()


def _counted(labels: tuple[Coordinate, ...]) -> int | list[Coordinate]:
    return len(labels) if labels == tuple(range(len(labels))) else list(labels)

"""Matrices of which any part can be read, whatever they are kept in."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from layergrid.tensor import STORAGE, Room, Tensor, as_tensor

PIECE = 1 << 19
"""Cells read at a time where more are needed: a megabyte to four. More at once go through slower caches."""

# Bytes that are read in the time that a further call takes: rows are read whole where less lies between the parts.
_GAP_BYTES = 1 << 15


class Stopped(RuntimeError):
    """What was asked for is no longer wanted, so there is no answer."""


@runtime_checkable
class Readable(Protocol):
    """A matrix of which parts are read as stored; from several threads at once."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns as stored."""

    @property
    def dtype(self) -> str:
        """One of `layergrid.tensor.STORAGE`."""

    @property
    def transposed(self) -> bool:
        """Whether the matrix meant is the transposed one: rows that lie in one piece are read faster."""

    @property
    def identity(self) -> str:
        """A text that changes when what is stored does; "" where nothing of the kind is known."""

    @property
    def chunk_rows(self) -> int:
        """As many rows are read from the store whenever one is: 1, or those of a compressed chunk."""

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """A part, in the storage form of `dtype`; slices with a start and a stop within the shape."""


def readable(source: Any, *, identity: str = "", transposed: bool = False) -> Readable:
    """A matrix of what can be read in parts.

    A `Readable` itself, an array, a `Tensor`, or what gives an array for ``source[rows, columns]``: memory-mapped
    files, Zarr, dask.

    Parameters
    ----------
    identity : of the file behind a tensor, as its `Source` knows it
    transposed : show a tensor as its transpose, as where it is stored (in, out)

    Raises
    ------
    ValueError
        If it does not have two axes, or no entries; a tensor of one axis is a single row, one of more axes has
        the rows of its first.
    TypeError
        If its elements are no real numbers.
    """
    if isinstance(source, Readable):
        return source
    if isinstance(source, Tensor):
        if not source.size:
            raise ValueError(f"{source.name!r} of shape {source.shape} has no entries to show")
        return StoredRows(source, identity, transposed)
    shape = getattr(source, "shape", None)
    if not isinstance(shape, tuple) or not hasattr(source, "__getitem__"):
        raise TypeError(f"a {type(source).__name__} cannot be read in parts; give an array or a tensor of a checkpoint")
    if len(shape) != 2:
        raise ValueError(f"a matrix has two axes, got shape {shape}; choose a slice, such as x[0]")
    if 0 in shape:
        raise ValueError(f"a matrix of shape {shape} has no entries to show")
    if isinstance(source, np.ndarray):
        by_columns = abs(source.strides[0]) < abs(source.strides[1])
        return ArrayPart(source.T if by_columns else source, by_columns)
    return ArrayPart(source, False)


class ArrayPart:
    """Anything that gives an array for ``array[rows, columns]``."""

    def __init__(self, array: Any, transposed: bool) -> None:
        self._array = array
        self.shape: tuple[int, int] = (int(array.shape[0]), int(array.shape[1]))
        self.transposed = transposed
        self.dtype = as_tensor(np.empty((0, 0), array.dtype), "matrix").dtype
        self.identity = _file_identity(array) if isinstance(array, np.memmap) else ""
        self.chunk_rows = _chunk_rows(array)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """See `Readable`."""
        part = np.asarray(self._array[rows, columns])
        native = part.astype(part.dtype.newbyteorder("="), copy=False)
        return native.view(STORAGE[self.dtype])


def _chunk_rows(array: Any) -> int:
    """The rows of a chunk: Zarr tells one number an axis, dask one for each chunk."""
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return 1
    return max(chunks[0]) if isinstance(chunks[0], tuple) else int(chunks[0])


def _file_identity(array: np.memmap[Any, Any]) -> str:
    if array.filename is None:
        return ""
    status = os.stat(array.filename)
    place = (array.__array_interface__["data"][0] - _file_start(array), array.shape, array.strides, str(array.dtype))
    return f"{os.path.realpath(array.filename)}:{status.st_size}:{status.st_mtime_ns}:{place}"


def _file_start(array: np.memmap[Any, Any]) -> int:
    """The address of the first byte that the array's map holds."""
    whole = array
    while isinstance(whole.base, np.ndarray):
        whole = whole.base  # type: ignore[assignment]
    return int(whole.__array_interface__["data"][0]) - array.offset


@dataclass(frozen=True, eq=False)
class StoredRows:
    """A tensor as a matrix of its first axis by all others; one of a single axis as one row."""

    tensor: Tensor
    identity: str = ""
    transposed: bool = False
    chunk_rows: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """See `Readable`."""
        axes = self.tensor.shape
        rows = axes[0] if len(axes) > 1 else 1
        return rows, self.tensor.size // rows if rows else 0

    @property
    def dtype(self) -> str:
        """See `Readable`."""
        return self.tensor.dtype

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """See `Readable`."""
        width = self.shape[1]
        wanted = columns.stop - columns.start
        if wanted == width:
            return self.tensor.read(rows.start * width, rows.stop * width).reshape(-1, width)
        storage = STORAGE[self.dtype]
        part = np.empty((rows.stop - rows.start, wanted), storage)
        if (width - wanted) * storage.itemsize > _GAP_BYTES:
            for row in range(rows.start, rows.stop):
                begin = row * width
                part[row - rows.start] = self.tensor.read(begin + columns.start, begin + columns.stop)
            return part
        step = max(1, PIECE // width)
        room = _room()
        for top in range(rows.start, rows.stop, step):
            bottom = min(top + step, rows.stop)
            whole = room.read(self.tensor, top * width, bottom * width).reshape(-1, width)
            part[top - rows.start : bottom - rows.start] = whole[:, columns]
        return part


_rooms = threading.local()


def _room() -> Room:
    """This thread's memory for rows that are read whole, of which a part is kept."""
    if not hasattr(_rooms, "room"):
        _rooms.room = Room()
    room: Room = _rooms.room
    return room


def parts(
    rows: slice, columns: slice, row_multiple: int = 1, column_multiple: int = 1, chunk_rows: int = 1
) -> Iterator[tuple[slice, slice]]:
    """Cut a part of a matrix into smaller ones of about `PIECE` cells, each but the last ones a multiple long.

    Whole rows, which are read in one piece, unless the fewest possible are many cells; at least about as many as a
    chunk of the store has, which would be read again otherwise.
    """
    width = max(1, columns.stop - columns.start)
    if width * row_multiple > 16 * PIECE:
        width = max(1, PIECE // (row_multiple * column_multiple)) * column_multiple
    height = max(1, PIECE // (width * row_multiple), -(-chunk_rows // row_multiple)) * row_multiple
    for top in range(rows.start, rows.stop, height):
        for left in range(columns.start, columns.stop, width):
            yield slice(top, min(top + height, rows.stop)), slice(left, min(left + width, columns.stop))

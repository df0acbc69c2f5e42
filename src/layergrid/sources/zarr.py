"""Zarr groups: arrays in compressed chunks, in a folder, a store or behind a URL."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from layergrid.sources.ranges import patiently
from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import STORAGE, Tensor, as_tensor

MAX_CHUNK_BYTES = 2 << 30
"""Of one chunk, which can only be unpacked whole."""

# Rows of chunks are kept unpacked up to this size; of larger ones, the rows asked for are unpacked each time.
_KEPT_BYTES = 1 << 30

_MARKS = ("zarr.json", ".zgroup", ".zarray")


def is_zarr_folder(names: list[str]) -> bool:
    """Whether a folder with these files is the root of a Zarr hierarchy."""
    return any(mark in names for mark in _MARKS)


def is_zarr_group(value: Any) -> bool:
    """Whether this is a group of the zarr package."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(value, zarr.Group)


def is_zarr_array(value: Any) -> bool:
    """Whether this is an array of the zarr package."""
    zarr = sys.modules.get("zarr")
    return zarr is not None and isinstance(value, zarr.Array)


def open_zarr(location: str, label: str) -> Source:
    """The arrays of the group at a path or URL.

    Raises
    ------
    ImportError
        If the zarr package is not installed.
    SourceError
        If there is no group, its metadata is damaged, or an array cannot be read; see `zarr_source`.
    """
    if "://" not in location:
        _check_files(location)
    try:
        import zarr
    except ImportError as error:
        raise ImportError(f"{label} is a Zarr group; to read it: pip install 'layergrid[zarr]'") from error
    return zarr_source(_read(lambda: zarr.open_group(location, mode="r"), label), label)


def zarr_source(group: Any, label: str = "") -> Source:
    """The arrays of a group and its subgroups, by their path: ``layers/0/attn/q``.

    Raises
    ------
    SourceError
        If there is no array, or one is of texts, objects or complex numbers, or has chunks of more than
        `MAX_CHUNK_BYTES`.
    """
    label = label or str(group.store_path)
    members = _read(lambda: list(group.members(max_depth=None)), label)
    tensors = {path: zarr_tensor(path, array, label) for path, array in members if is_zarr_array(array)}
    if not tensors:
        raise SourceError(
            f"{label} holds no array; where no folder can be listed, as over http, consolidate its metadata"
        )
    return Source(label, "Zarr", tensors, dict(group.attrs))


def zarr_tensor(name: str, array: Any, label: str = "") -> Tensor:
    """An array as a `Tensor` that unpacks one row of chunks at a time."""
    label = label or str(array.store_path)
    chunk_bytes = math.prod(array.shards or array.chunks) * array.dtype.itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        raise SourceError(
            f"{label}: array {printable(name)} has chunks of {chunk_bytes} bytes, at most {MAX_CHUNK_BYTES} can be "
            "unpacked; save it in smaller ones"
        )
    try:
        dtype = as_tensor(np.empty(0, array.dtype), name).dtype
    except TypeError as error:
        raise SourceError(f"{label}: {error}") from error
    return Tensor(name, tuple(array.shape), dtype, ZarrElements(array, label, dtype))


class ZarrElements:
    """The elements of a Zarr array, as `Tensor.read` gives them; the last row of chunks is kept."""

    # Made anew in a copy that another process unpickles.
    _kept: tuple[int, np.ndarray] | None
    _lock: threading.Lock

    def __init__(self, array: Any, label: str, dtype: str) -> None:
        self._array, self._label, self._dtype = array, label, dtype
        self.__setstate__({})

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat."""
        if start == stop:
            return np.empty(0, STORAGE[self._dtype])
        if not self._array.shape:
            return self._unpacked(...)
        width = math.prod(self._array.shape[1:])
        first, last = start // width, -(-stop // width)
        step = self._array.chunks[0]
        if step * width * self._array.dtype.itemsize > _KEPT_BYTES:
            return self._unpacked(slice(first, last))[start - first * width : stop - first * width]
        values = np.empty(stop - start, STORAGE[self._dtype])
        for number in range(first // step, -(-last // step)):
            begin = number * step * width
            rows = self._row_of_chunks(number)
            piece = slice(max(start, begin), min(stop, begin + rows.size))
            values[piece.start - start : piece.stop - start] = rows[piece.start - begin : piece.stop - begin]
        return values

    def _row_of_chunks(self, number: int) -> np.ndarray:
        with self._lock:
            if self._kept is None or self._kept[0] != number:
                step = self._array.chunks[0]
                self._kept = number, self._unpacked(slice(number * step, (number + 1) * step))
            return self._kept[1]

    def _unpacked(self, rows: Any) -> np.ndarray:
        name = f"{self._label}: array {printable(self._array.path)}"
        array = np.asarray(_read(lambda: self._array[rows], name))
        tensor = as_tensor(array)
        return tensor.read(0, tensor.size)

    def __getstate__(self) -> dict[str, Any]:
        return {"_array": self._array, "_label": self._label, "_dtype": self._dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._kept = None
        self._lock = threading.Lock()


def _check_files(folder: str) -> None:
    """Refuse a folder with a FIFO or device, which zarr would wait for, or a link to a folder, perhaps around."""
    for path, folders, files in os.walk(folder):
        for name in folders:
            if os.path.islink(os.path.join(path, name)):
                raise SourceError(f"{os.path.join(path, name)} links to a folder; put the folder itself in the group")
        for name in files:
            if not os.path.isfile(os.path.join(path, name)):
                raise SourceError(f"{os.path.join(path, name)} is no regular file; a Zarr group holds only such")


def _read(call: Callable[[], Any], what: str) -> Any:
    """What zarr gives; `SourceError` for whatever it or a codec raises."""
    if "://" in what:
        return patiently(call, what)
    try:
        return call()
    except ImportError:
        raise
    except Exception as error:  # zarr, its stores and its codecs have errors of many kinds
        reason = str(error) or type(error).__name__
        raise SourceError(f"{what} cannot be read ({reason}); is it complete?") from error

"""Byte ranges of regular files, opened without ever blocking and read without ever mapping.

Mapping gains little: to touch a page for the first time takes as long as to copy it into memory that is used again
(`benchmarks/metrics.md`). And touching a mapped page of a file that has shrunk meanwhile kills the process.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from layergrid.sources.source import SourceError
from layergrid.tensor import STORAGE, Room

# Windows knows neither of the last two, and Unix not the first.
_OPEN_FLAGS = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_BINARY", "O_NONBLOCK", "O_CLOEXEC"))

_LITTLE_ENDIAN = {name: storage.newbyteorder("<") for name, storage in STORAGE.items()}


class ByteFile(Protocol):
    """A file of known size of which ranges can be read, from several threads at once."""

    @property
    def label(self) -> str:
        """Path or URL, for messages."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    @property
    def identity(self) -> str:
        """A text that changes when the file does; "" where nothing of the kind is known."""

    def read_into(self, offset: int, target: np.ndarray, extent: tuple[int, int] | None = None) -> None:
        """Fill a flat uint8 array with the bytes from `offset` on, or raise `SourceError`.

        Parameters
        ----------
        extent : first byte and end of what will be read on, as of a tensor. A file far away asks for more of
            it than is needed yet; with an empty `target` it only does that.
        """


def read_bytes(file: ByteFile, offset: int, length: int) -> bytes:
    """A range of a file; `SourceError` where the file ends before it."""
    if offset + length > file.size:
        raise SourceError(
            f"{file.label} ends at byte {file.size}, but bytes {offset} to {offset + length} are needed; "
            "is the download complete?"
        )
    target = np.empty(length, np.uint8)
    file.read_into(offset, target)
    return target.tobytes()


class LocalFile:
    """A regular file on this machine.

    Can be pickled: the copy opens the same path again, and refuses it if the file has changed.

    Raises
    ------
    SourceError
        If the path is missing, no regular file (a FIFO or device is never opened), a loop of links, or
        not readable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.abspath(path))
        status = self._status()
        self.size = status.st_size
        self._mtime_ns = status.st_mtime_ns
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def identity(self) -> str:
        """Real path, size and time of the last change."""
        return f"{os.path.realpath(self.path)}:{self.size}:{self._mtime_ns}"

    def read_into(self, offset: int, target: np.ndarray, extent: tuple[int, int] | None = None) -> None:
        """Fill a flat uint8 array with the bytes from `offset` on; the system itself reads ahead."""
        if not target.size:
            return
        descriptor = self._open()
        wanted = memoryview(target.data)
        done = 0
        while done < len(wanted):
            count = self._read_at(descriptor, wanted[done:], offset + done)
            if count == 0:
                raise SourceError(
                    f"{self.path} ended at byte {offset + done} while being read, it had {self.size}; "
                    "wait until it is complete, then read it again"
                )
            done += count
        self._check_unchanged(os.fstat(descriptor))

    def _read_at(self, descriptor: int, target: memoryview, offset: int) -> int:
        """Read at most as many bytes as `target` has; how many there were."""
        if hasattr(os, "preadv"):
            return os.preadv(descriptor, [target], offset)
        with self._lock:  # Windows has only one position per open file
            os.lseek(descriptor, offset, os.SEEK_SET)
            piece = os.read(descriptor, len(target))
        target[: len(piece)] = piece
        return len(piece)

    def _open(self) -> int:
        if self._descriptor is not None:
            return self._descriptor
        with self._lock:
            if self._descriptor is None:
                self._status()
                try:
                    # Not blocking, in case the path has become a FIFO since it was looked at.
                    descriptor = os.open(self.path, _OPEN_FLAGS)
                except OSError as error:
                    raise _unreadable(self.path, error) from error
                weakref.finalize(self, os.close, descriptor)
                self._check_unchanged(os.fstat(descriptor))
                self._descriptor = descriptor
            return self._descriptor

    def _status(self) -> os.stat_result:
        try:
            status = os.stat(self.path)
        except (OSError, ValueError) as error:
            raise _unreadable(self.path, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{self.path} is {_kind(status.st_mode)}, not a file; give a regular file")
        return status

    def _check_unchanged(self, status: os.stat_result) -> None:
        if (status.st_size, status.st_mtime_ns) != (self.size, self._mtime_ns):
            raise SourceError(
                f"{self.path} changed while being read (had {self.size} bytes, now {status.st_size}); "
                "read it again once it is complete"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "size": self.size, "_mtime_ns": self._mtime_ns}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _descriptor=None, _lock=threading.Lock())


@dataclass(frozen=True, eq=False)
class StoredElements:
    """The elements of one tensor in a file, as `Tensor.read` gives them."""

    file: ByteFile
    offset: int
    """Of the first element, in bytes from the start of the file."""
    dtype: str
    """One of `layergrid.tensor.STORAGE`; stored little-endian."""
    size: int
    """Number of elements."""

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat, in storage form and native byte order."""
        return self.into(start, stop, Room())

    def into(self, start: int, stop: int, room: Room) -> np.ndarray:
        """The same, in memory that is used again."""
        storage = STORAGE[self.dtype]
        begin = self.offset + start * storage.itemsize
        size_bytes = (stop - start) * storage.itemsize
        raw = room.take(size_bytes, begin)
        extent = (self.offset, self.offset + self.size * storage.itemsize)
        self.file.read_into(begin, raw, extent)
        if self.dtype == "BOOL":
            flags: np.ndarray = raw != 0  # a stored byte other than 0 and 1 would be no valid numpy bool
            return flags
        elements: np.ndarray = raw.view(_LITTLE_ENDIAN[self.dtype]).astype(storage, copy=False)
        return elements


def _unreadable(path: Path, error: Exception) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{path} does not exist; check the path")
    if isinstance(error, PermissionError):
        return SourceError(f"{path} may not be read by this user; check its permissions")
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return SourceError(f"{path} is a loop of symbolic links; point the link at the file itself")
    return SourceError(f"{path} cannot be opened: {error}")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")

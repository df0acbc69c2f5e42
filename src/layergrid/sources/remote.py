"""Files and folders behind a URL, through fsspec."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from layergrid.sources import ranges as limits
from layergrid.sources.ranges import Ranges, Refused, patiently
from layergrid.sources.source import SourceError

# Looked for one by one where a server lists no folder.
_KNOWN_NAMES = (
    *("config.json", "model.safetensors.index.json", "model.safetensors"),
    *("adapter_config.json", "adapter_model.safetensors", "zarr.json", ".zgroup"),
)


def is_url(source: Any) -> bool:
    """Whether this is a text with a protocol that fsspec may know: ``https://``, ``s3://``, ``hf://`` ..."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.:-]*://", source) is not None


def url_label(url: str) -> str:
    """The URL without what may be secret: user, password and query."""
    return re.sub(r"//[^/@]*@", "//", _plain(url))


def open_remote(url: str) -> RemoteFile | RemoteFolder:
    """The file or folder behind a URL.

    A URL of no known file suffix is a folder where the server says so, and over http(s), which knows no
    folders, always. Credentials and options are those of fsspec's own configuration.

    Raises
    ------
    ImportError
        If fsspec, or the package that it needs for this protocol, is not installed.
    SourceError
        If the protocol is unknown, or the file cannot be reached.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ImportError(f"{url_label(url)} needs fsspec: pip install 'layergrid[remote]'") from error
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ValueError as error:
        raise SourceError(f"{url_label(url)} cannot be opened: {error}") from error
    ranges = Ranges(filesystem)
    if re.search(r"\.(safetensors|gguf|npz|json|bin|pth?|ckpt|pkl|pickle)$", _plain(path), re.IGNORECASE):
        return RemoteFile(ranges, path, url_label(url))
    if ranges.is_http or ranges.info(path, url_label(url)).get("type") == "directory":
        return RemoteFolder(ranges, path, url_label(url))
    return RemoteFile(ranges, path, url_label(url))


class RemoteFolder:
    """A folder behind a URL."""

    def __init__(self, ranges: Ranges, path: str, label: str) -> None:
        self._ranges, self._path, self.label = ranges, path, label.rstrip("/")
        self._names: list[str] | None = None

    @property
    def location(self) -> str:
        """The URL, with its query."""
        location: str = self._ranges.filesystem.unstrip_protocol(self._path)
        return location

    def names(self) -> list[str]:
        """Names of the files and folders in it, sorted; the usual ones that exist, where none are listed."""
        if self._names is None:
            self._names = sorted(self._listed() or self._found())
        return self._names

    def file(self) -> RemoteFile:
        """What the address names, taken for a file: over http, nothing tells the two apart."""
        return RemoteFile(self._ranges, self._path, self.label)

    def open(self, name: str) -> RemoteFile:
        """The file of that name."""
        return RemoteFile(self._ranges, self._join(name), f"{self.label}/{name}")

    def _listed(self) -> list[str]:
        filesystem = self._ranges.filesystem
        try:
            paths = patiently(lambda: filesystem.ls(self._path, detail=False), self.label)
        except Refused:
            if self._ranges.is_http:  # most servers list nothing, and need not
                return []
            raise
        names = [_plain(path).rstrip("/").rpartition("/")[2] for path in paths]
        return [unquote(name) for name in names] if self._ranges.is_http else names

    def _found(self) -> list[str]:
        def exists(name: str) -> bool:
            try:
                self._ranges.info(self._join(name), self.label)
            except Refused:
                return False
            return True

        return [name for name in _KNOWN_NAMES if self._ranges.is_http and exists(name)]

    def _join(self, name: str) -> str:
        if not self._ranges.is_http:
            return f"{self._path.rstrip('/')}/{name}"
        plain = _plain(self._path)
        return f"{plain.rstrip('/')}/{quote(name)}{self._path[len(plain) :]}"


class RemoteFile:
    """A file behind a URL.

    Can be pickled: the copy fetches by itself.

    Raises
    ------
    SourceError
        If there is no such file, its size is unknown, or the server sends whole files only.
    """

    def __init__(self, ranges: Ranges, path: str, label: str) -> None:
        self._ranges, self._path, self.label = ranges, path, label
        info = ranges.info(path, label)
        if info.get("type") == "directory":
            raise SourceError(f"{label} is a folder, not a file; give a file in it or the whole folder")
        if info.get("size") is None:
            raise SourceError(f"{label}: the server does not tell the file's size; download it first")
        self.size = int(info["size"])
        self.identity = _identity(label, info)
        ranges.check_ranges(path, self.size, label)

    def folder(self) -> RemoteFolder:
        """The folder that the file is in."""
        plain = _plain(self._path)
        query = self._path[len(plain) :]
        return RemoteFolder(self._ranges, plain.rpartition("/")[0] + query, self.label.rpartition("/")[0])

    def read_into(self, offset: int, target: np.ndarray, extent: tuple[int, int] | None = None) -> None:
        """Fill a flat uint8 array with the bytes from `offset` on.

        Parameters
        ----------
        extent : first byte and end of what will be read on; within it more is asked for than is needed yet
        """
        if extent is None:
            if target.size:
                target[:] = np.frombuffer(self._fetch(offset, offset + target.size), np.uint8)
            return
        begin, end = extent
        number = (offset - begin) // limits.PIECE_BYTES
        self._ask(extent, number)
        done = 0
        while done < target.size:
            start = begin + number * limits.PIECE_BYTES
            piece = self._ranges.piece(self._path, self.label, start, min(start + limits.PIECE_BYTES, end), wanted=True)
            self._ask(extent, number + 1)
            assert piece is not None  # room is always made for what is wanted
            skipped = offset + done - start
            part = np.frombuffer(piece.result(), np.uint8)[skipped : skipped + target.size - done]
            target[done : done + part.size] = part
            done += part.size
            number += 1

    def _ask(self, extent: tuple[int, int], number: int) -> None:
        """Have the next pieces fetched, as far as there is room for them."""
        begin, end = extent
        for start in range(begin + number * limits.PIECE_BYTES, end, limits.PIECE_BYTES)[: limits.IN_FLIGHT]:
            stop = min(start + limits.PIECE_BYTES, end)
            if self._ranges.piece(self._path, self.label, start, stop, wanted=False) is None:
                return

    def _fetch(self, begin: int, end: int) -> bytes:
        return self._ranges.fetch(self._path, self.label, begin, end)


def _identity(label: str, info: dict[str, Any]) -> str:
    """What changes when the file does; "" where the server says nothing of the kind."""
    other = {"name", "url", "size", "type", "mimetype", "partial"}
    facts = sorted((key, str(value)) for key, value in info.items() if key not in other)
    return f"{label}:{info['size']}:{facts}" if facts else ""


def _plain(path: str) -> str:
    """Without query and fragment."""
    return re.split(r"[?#]", path, maxsplit=1)[0]

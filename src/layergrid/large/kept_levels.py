"""Levels of matrices kept on disk, so that a file that was looked at once is there at once."""

from __future__ import annotations

import hashlib
import mmap
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import layergrid
from layergrid.kept import default_folder

DEFAULT_LIMIT_BYTES = 4 << 30
_SUFFIX = ".levels"


class KeptLevels:
    """Levels by key, one file each, the least recently used ones removed where they grow too many.

    Several processes may use a folder at once. What another version of layergrid wrote is not used.

    Parameters
    ----------
    folder : in its subfolder "levels" lie the files; created where missing
    limit_bytes : of all files together; levels that are larger alone are not kept
    """

    def __init__(self, folder: str | os.PathLike[str], limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.folder = Path(folder) / "levels"
        self.limit_bytes = limit_bytes
        self.folder.mkdir(parents=True, exist_ok=True)

    def find(self, key: str, size_bytes: int) -> mmap.mmap | None:
        """The levels kept under a key, mapped read-only; None where there are none of that size."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != size_bytes:
                    return None
                os.utime(path)
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            return None

    def keep(self, key: str, levels: Any) -> None:
        """Write levels, given as a buffer of bytes; what was kept longest ago makes room."""
        size_bytes = len(levels)
        if size_bytes > self.limit_bytes:
            return
        self._make_room(size_bytes)
        # Under another name until it is whole, so that no reader ever sees a part of it.
        descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(levels)
            os.replace(name, self._path(key))
        except BaseException:
            os.unlink(name)
            raise

    def clear(self) -> None:
        """Remove everything that is kept. Levels in use stay readable until they are closed."""
        for _, _, path in self._files():
            path.unlink(missing_ok=True)

    @property
    def size_bytes(self) -> int:
        """Of all that is kept."""
        return sum(size for _, size, _ in self._files())

    def _make_room(self, size_bytes: int) -> None:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total + size_bytes <= self.limit_bytes:
                break
            total -= size
            path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, int, Path]]:
        """Time of last use, size and path of each file."""
        found = []
        for entry in os.scandir(self.folder):
            if entry.name.endswith(_SUFFIX):
                with suppress(FileNotFoundError):  # another process has just removed it
                    status = entry.stat()
                    found.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
        return found

    def _path(self, key: str) -> Path:
        text = f"{layergrid.__version__} {sys.byteorder}\n{key}"
        return self.folder / (hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() + _SUFFIX)


def kept_levels(cache: bool | str | os.PathLike[str] | None) -> KeptLevels | None:
    """Those of a folder; of the user's own cache folder for True, none for False and None."""
    if not cache:
        return None
    return KeptLevels(default_folder() if cache is True else cache)

"""Results kept on disk, so that an unchanged checkpoint is measured once and an interrupted scan resumes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

import layergrid

# What is measured is written at the latest after so many seconds: the most that an interruption can lose.
_COMMIT_S = 2.0


class KeptResults:
    """Numbers by (file identity, tensor, metric), in one SQLite file; a context manager.

    Two processes may use it at once. Results of another version of layergrid are not used.

    Parameters
    ----------
    folder : where the file lies; created where missing

    Where they can no longer be written, as on a full disk, a warning says so and the scan goes on.

    Raises
    ------
    ValueError
        If the folder cannot be made or the file there is no such database.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder) / "results.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error.strerror) from error
        try:
            self._database = sqlite3.connect(self.path, timeout=30)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS results (identity BLOB, tensor BLOB, metric TEXT, value TEXT, "
                "PRIMARY KEY (identity, tensor, metric)) WITHOUT ROWID"
            )
        except sqlite3.OperationalError as error:
            raise _unwritable(folder, error) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        self._writable = True
        self._committed = time.monotonic()

    def find(self, identity: str, tensors: Sequence[str], metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of one file's tensors of which every metric is kept, with their numbers by metric."""
        query = "SELECT tensor, metric, value FROM results WHERE identity = ?"
        try:
            rows = self._database.execute(query, (_key(identity),)).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        kept: dict[bytes, dict[str, Any]] = {}
        wanted = set(metrics)
        for tensor, metric, value in rows:
            if metric in wanted:
                kept.setdefault(tensor, {})[metric] = _number(value)
        return {name: kept[_bytes(name)] for name in tensors if len(kept.get(_bytes(name), ())) == len(wanted)}

    def add(self, identity: str, tensor: str, numbers: Mapping[str, Any]) -> None:
        """Keep the numbers of one tensor."""
        if not self._writable:
            return
        key = _key(identity)
        rows = [
            (key, _bytes(tensor), metric, json.dumps(np.asarray(value).tolist())) for metric, value in numbers.items()
        ]
        with self._writing():
            self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)
            if time.monotonic() - self._committed > _COMMIT_S:
                self._database.commit()
                self._committed = time.monotonic()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Tell of a failure to write and try no more: what was measured counts more than that it is kept."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            self._writable = False
            warnings.warn(
                f"results are no longer kept in {self.path} ({error}); the scan goes on without", stacklevel=4
            )

    def _damaged(self, error: Exception) -> ValueError:
        return ValueError(f"{self.path} holds no kept results ({error}); delete it")

    def __enter__(self) -> KeptResults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also after an error: every number in it is of a whole tensor.
        if self._writable:
            with self._writing():
                self._database.commit()
        self._database.close()


def default_folder() -> Path:
    """Where this system keeps what programs can make again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "layergrid"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "layergrid"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "layergrid"


def _unwritable(folder: str | os.PathLike[str], reason: object) -> ValueError:
    return ValueError(f"no results can be kept in {os.fspath(folder)} ({reason}); name a folder that can be written")


def _key(identity: str) -> bytes:
    return hashlib.sha256(_bytes(f"{layergrid.__version__}\n{identity}")).digest()


def _bytes(text: str) -> bytes:
    """UTF-8, lone surrogates included, which a file's names may hold and SQLite's texts may not."""
    return text.encode(errors="surrogatepass")


def _number(text: str) -> Any:
    value = json.loads(text)
    return np.asarray(value, np.float64) if isinstance(value, list) else value

"""Results kept on disk, so that an unchanged checkpoint is measured once and an interrupted scan resumes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
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

    Raises
    ------
    ValueError
        If the file there is no such database.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder) / "results.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(self.path, timeout=30)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS results (identity BLOB, tensor BLOB, metric TEXT, value TEXT, "
                "PRIMARY KEY (identity, tensor, metric)) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} holds no kept results ({error}); delete it") from error
        self._committed = time.monotonic()

    def find(self, identity: str, tensors: Sequence[str], metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of one file's tensors of which every metric is kept, with their numbers by metric."""
        rows = self._database.execute("SELECT tensor, metric, value FROM results WHERE identity = ?", (_key(identity),))
        kept: dict[bytes, dict[str, Any]] = {}
        wanted = set(metrics)
        for tensor, metric, value in rows:
            if metric in wanted:
                kept.setdefault(tensor, {})[metric] = _number(value)
        return {name: kept[_bytes(name)] for name in tensors if len(kept.get(_bytes(name), ())) == len(wanted)}

    def add(self, identity: str, tensor: str, numbers: Mapping[str, Any]) -> None:
        """Keep the numbers of one tensor."""
        key = _key(identity)
        rows = [
            (key, _bytes(tensor), metric, json.dumps(np.asarray(value).tolist())) for metric, value in numbers.items()
        ]
        self._database.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)
        if time.monotonic() - self._committed > _COMMIT_S:
            self._database.commit()
            self._committed = time.monotonic()

    def __enter__(self) -> KeptResults:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also after an error: every number in it is of a whole tensor.
        self._database.commit()
        self._database.close()


def default_folder() -> Path:
    """Where this system keeps what programs can make again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "layergrid"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "layergrid"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "layergrid"


def _key(identity: str) -> bytes:
    return hashlib.sha256(_bytes(f"{layergrid.__version__}\n{identity}")).digest()


def _bytes(text: str) -> bytes:
    """UTF-8, lone surrogates included, which a file's names may hold and SQLite's texts may not."""
    return text.encode(errors="surrogatepass")


def _number(text: str) -> Any:
    value = json.loads(text)
    return np.asarray(value, np.float64) if isinstance(value, list) else value

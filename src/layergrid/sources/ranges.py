"""Byte ranges of files far away: only what is needed, several in flight, retried, kept for a while."""

from __future__ import annotations

import re
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from layergrid.sources.source import SourceError

PIECE_BYTES = 4 << 20
"""Fetched by one request at most: takes far longer than the request's own delay, and is retried cheaply."""

IN_FLIGHT = 8
"""Requests at a time, and how many pieces of a tensor are asked for before they are needed."""

KEPT_BYTES = 128 << 20
"""Of pieces that wait to be read, or may be read again by a metric that takes a second pass."""

ATTEMPTS = 5
FIRST_PAUSE_S = 0.25  # doubled after each attempt: 4 s in all
TIMEOUT_S = 60.0  # of one request

# Of the filesystems that are not asynchronous, those whose ranges may be read from several threads at once.
_PARALLEL = {"file", "local", "memory", "hf"}

_Result = TypeVar("_Result")


class Refused(SourceError):
    """What the other side has refused or does not have: asking again would change nothing."""


@dataclass(eq=False)
class _Piece:
    future: Future[bytes]
    used: bool = False


class Ranges:
    """Byte ranges of the files of one filesystem, the latest kept for a while; used from several threads."""

    # Made anew in a copy that another process unpickles.
    _pieces: OrderedDict[tuple[str, int, int], _Piece]
    _kept_bytes: int
    _lock: threading.Lock
    _threads: ThreadPoolExecutor | None

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem
        protocol = filesystem.protocol
        protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self.is_http = bool(protocols & {"http", "https"})
        self._limits: dict[str, Any] = {"timeout": TIMEOUT_S} if filesystem.async_impl else {}
        self._workers = IN_FLIGHT if filesystem.async_impl or protocols & _PARALLEL else 1
        self._checked = not self.is_http
        self.__setstate__({})

    def info(self, path: str, label: str) -> dict[str, Any]:
        """What is known of a file without reading it; `Refused` where there is none."""
        found: dict[str, Any] = patiently(lambda: self.filesystem.info(path, **self._limits), label)
        return found

    def fetch(self, path: str, label: str, begin: int, end: int) -> bytes:
        """Bytes begin..end of a file, now, as one request."""

        def cat() -> bytes:
            content: bytes = self.filesystem.cat_file(path, start=begin, end=end, **self._limits)
            if len(content) != end - begin:
                raise OSError(f"the server sent {len(content)} bytes instead of {end - begin}")
            return content

        return patiently(cat, f"bytes {begin} to {end} of {label}")

    def piece(self, path: str, label: str, begin: int, end: int, *, wanted: bool) -> Future[bytes] | None:
        """The same in the background, once however often it is asked for.

        Parameters
        ----------
        wanted : it is read now, so that room is made for it; else None where pieces not yet read fill it
        """
        key = (path, begin, end)
        with self._lock:
            piece = self._pieces.get(key)
            if piece is None:
                if not self._make_room(end - begin, wanted):
                    return None
                piece = self._pieces[key] = _Piece(self._pool().submit(self.fetch, path, label, begin, end))
                self._kept_bytes += end - begin
            if wanted:
                piece.used = True
                self._pieces.move_to_end(key)
            return piece.future

    def check_ranges(self, path: str, size: int, label: str) -> None:
        """Refuse a server that answers a range with the whole file, before it has sent one."""
        if self._checked or size < 2:
            return

        def last_byte() -> None:
            with self.filesystem.open(path, "rb", size=size, cache_type="none") as file:
                file.seek(size - 1)
                file.read(1)

        try:
            patiently(last_byte, label)
        except Refused as error:
            if isinstance(error.__cause__, ValueError):
                raise Refused(f"{label}: the server sends whole files only, no ranges; download it first") from error
            raise
        self._checked = True

    def _make_room(self, size_bytes: int, wanted: bool) -> bool:
        for key in [key for key, piece in self._pieces.items() if piece.used or wanted]:
            if self._kept_bytes + size_bytes <= KEPT_BYTES:
                break
            del self._pieces[key]
            self._kept_bytes -= key[2] - key[1]
        return wanted or self._kept_bytes + size_bytes <= KEPT_BYTES

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._workers, "layergrid-fetch")
            weakref.finalize(self, self._threads.shutdown, wait=False, cancel_futures=True)
        return self._threads

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _UNSHARED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._pieces = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        self._threads = None


_UNSHARED = {"_pieces", "_kept_bytes", "_lock", "_threads"}


def patiently(call: Callable[[], _Result], what: str) -> _Result:
    """What a request gives, tried again where another try may help.

    Raises
    ------
    Refused
        If another try would not help.
    SourceError
        If it has failed `ATTEMPTS` times.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return call()
        except Exception as error:  # every filesystem has kinds of its own
            problem = _final_problem(error)
            if problem is not None:
                raise Refused(f"{what} {problem}") from error
            if attempt == ATTEMPTS:
                raise SourceError(
                    f"{what} could not be had in {ATTEMPTS} attempts ({_reason(error)}); "
                    "check the connection, then run it again"
                ) from error
        time.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _final_problem(error: Exception) -> str | None:
    """What is wrong, with its remedy, where no other attempt would help; None where one may."""
    status = _status(error)
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        # fsspec's http says so of every failure.
        status = _status(error.__cause__)
        if status is None:
            return None
    if status in (404, 410) or (status is None and isinstance(error, FileNotFoundError)):
        return "does not exist; check the address"
    if status in (401, 403) or isinstance(error, PermissionError):
        return "may not be read; check the credentials"
    if status is not None and 400 <= status < 500 and status not in (408, 425, 429):
        return f"is refused by the server ({_reason(error)}); check the address"
    if isinstance(error, ValueError | TypeError | NotImplementedError | ImportError):
        return f"cannot be read ({_reason(error)})"
    return None


def _status(error: BaseException | None) -> int | None:
    """The HTTP status in an error of aiohttp, requests or httpx."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _reason(error: Exception) -> str:
    """The error in short, without the URL, which may hold a signature."""
    cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
    status = _status(cause)
    if status is not None:
        return f"HTTP status {status}"
    text = re.sub(r"\w+://\S+", "...", str(cause))
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__

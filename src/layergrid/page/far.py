"""A matrix too large to travel whole: its overview goes with the state, its cells when the page asks for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from layergrid.large.pyramid import Cells, Pyramid
from layergrid.large.windows import Window
from layergrid.page.messages import WindowRequest, error_reply, window_reply
from layergrid.page.replies import Reply, Send, answer

FIRST_LOOK_S = 0.5
"""How long a new grid waits for its overview; a slow source is shown as far as it has been read."""

_REPORT_S = 0.25


@dataclass(frozen=True)
class Overview:
    """The whole matrix in blocks, as far as it has been read."""

    cells: Cells
    complete: bool

    def traits(self) -> dict[str, Any]:
        """As `_values` and `_absent` carry it: means as float32; what has not been read is absent."""
        values, absent = self.cells.values, self.cells.absent
        if not self.complete:
            unread = np.isnan(values) if absent is None else np.isnan(values) | absent
            absent = unread
        return {
            "_values": np.ascontiguousarray(values, np.dtype("<f4")).tobytes(),
            "_absent": b"" if absent is None else np.packbits(absent, bitorder="little").tobytes(),
        }


class Far:
    """The cells of one grid, beside the kernel: the overview, and windows by request.

    Parameters
    ----------
    source : as for `layergrid.large.pyramid.Pyramid`
    absent : bool array of its shape, or None
    version : of the values; requests for others are refused
    changed : called with the version and the traits of the overview while it is being read, on other threads
    options : as for `Pyramid`
    """

    def __init__(
        self,
        source: Any,
        absent: np.ndarray | None,
        version: int,
        changed: Callable[[int, dict[str, Any]], None],
        **options: Any,
    ) -> None:
        self.version = version
        self.pyramid = Pyramid(source, absent=absent, **options)
        self._changed = changed
        self._seen = threading.Event()  # the overview is complete
        self._looked_whole = False
        self._shown = threading.Event()  # the first look is there: what follows is reported
        self._reported = 0.0
        self._stops: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self.pyramid.start(self._progress)
        if self.pyramid.ready:  # its levels were kept, so nothing is read
            self._seen.set()

    def first_look(self) -> Overview:
        """The overview, waited for if it takes no longer than a moment."""
        self._seen.wait(FIRST_LOOK_S)
        self._looked_whole = self._seen.is_set()
        return Overview(self.pyramid.overview(), self._looked_whole)

    def follow(self) -> None:
        """Report what is read from now on, and what was since the first look, which whoever listens has taken in."""
        self._shown.set()
        if self._seen.is_set() and not self._looked_whole:
            self._changed(self.version, Overview(self.pyramid.overview(), True).traits())

    def _progress(self, read: int, rows: int) -> None:
        if read >= rows:
            self._seen.set()
        elif not self._shown.is_set() or time.monotonic() - self._reported < _REPORT_S:
            return
        if self._shown.is_set():
            self._reported = time.monotonic()
            self._changed(self.version, Overview(self.pyramid.overview(), read >= rows).traits())

    def take(self, request: WindowRequest, run: Callable[[Callable[[], None]], None], send: Send) -> None:
        """Answer a request for a window, once.

        Parameters
        ----------
        run : does the work, on another thread
        send : sends the reply: values, and absent cells as bits (none: empty)
        """
        if request.version != self.version:
            send(error_reply(request.id, "the grid has other values now"), [])
            return
        with self._lock:
            stop = self._stops.setdefault(request.id, threading.Event())
        run(partial(answer, request.id, partial(self._reply, request, stop), send))

    def cancel(self, number: int) -> None:
        """Give up the window of a request, if it has not been answered."""
        with self._lock:
            stop = self._stops.get(number)
        if stop is not None:
            stop.set()

    def _reply(self, request: WindowRequest, stop: threading.Event) -> Reply:
        try:
            cells = self.pyramid.window(request.window, request.aggregate, request.center, stop=stop)
        finally:
            with self._lock:
                self._stops.pop(request.id, None)
        dtype = "f8" if cells.values.dtype == np.float64 else "f4"
        absent = b"" if cells.absent is None else np.packbits(cells.absent, bitorder="little").tobytes()
        values = np.ascontiguousarray(cells.values, np.dtype(f"<{dtype}")).tobytes()
        return window_reply(request, dtype), [values, absent]

    def value(self, row: int, column: int) -> float:
        """The value of one cell."""
        return float(self.pyramid.window(Window(row, row + 1, column, column + 1)).values[0, 0])

    def close(self) -> None:
        """Give everything back."""
        self.pyramid.close()

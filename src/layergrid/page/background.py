"""Work that the page waits for and the user must not: done one piece after another on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Background:
    """A thread that starts with the first piece of work, and ends when this is closed or no longer held."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def run(self, work: Callable[[], None]) -> None:
        """Do a piece of work after those that wait; it must handle its own errors."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="layergrid")
            self._executor.submit(work)

    def close(self) -> None:
        """Let go of what has not begun. More work may be given later, on another thread."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

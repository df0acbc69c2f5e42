"""Functions of the user that a grid calls."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any


class Callbacks:
    """Functions to be called in the order they were added, and what the last call of each raised.

    Changed and walked from any thread: the functions are replaced, never edited.
    """

    def __init__(self) -> None:
        self._functions: tuple[Callable[[Any], object], ...] = ()
        self.failures: list[str] = []

    def change(self, fn: Callable[[Any], object], remove: bool) -> None:
        """Add a function at the end, or remove it; one that is there already moves to the end."""
        if not callable(fn):
            raise TypeError(f"a callback must be callable, got {type(fn).__name__}")
        kept = tuple(known for known in self._functions if known != fn)
        self._functions = kept if remove else (*kept, fn)

    def call(self, argument: Any) -> None:
        """Call all; what one raises is kept in words in `failures`, and the others are still called."""
        self.failures = []
        for fn in self._functions:
            try:
                fn(argument)
            except Exception:
                name = getattr(fn, "__name__", "a callback")
                self.failures.append(f"An exception in {name}:\n{traceback.format_exc(limit=-3)}")

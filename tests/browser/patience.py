"""Waiting for what is to come, however busy the machine: never for a time, and never reading just once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# A condition that comes true is met at once; only one that never does takes so long, on a machine however busy.
WAIT_MS = 60_000


def eventually(check: Callable[[], T]) -> T:
    """What a check gives once it raises no `AssertionError`; for good, the last error is raised.

    It is made again after each answer of the page, which is as often as the page can give one.
    """
    last = time.monotonic() + WAIT_MS / 1000
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > last:
                raise

"""Work shared between the calling thread and others, for as long as it lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def side_by_side(work: Callable[[Item], None], items: Iterable[Item], threads: int = 2) -> None:
    """Do a piece of work for every item, on this thread and, from the second item on, on others.

    Returns when all is done. After an error no further item is begun, and the first error is raised.
    """
    waiting = list(items)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def drain() -> None:
        while True:
            with lock:
                if errors or not waiting:
                    return
                item = waiting.pop()
            try:
                work(item)
            except BaseException as error:  # raised below, on the calling thread
                with lock:
                    errors.append(error)

    helpers = [threading.Thread(target=drain, daemon=True) for _ in range(min(threads, len(waiting)) - 1)]
    for helper in helpers:
        helper.start()
    drain()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]

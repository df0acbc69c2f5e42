"""Messages of the page, checked, and replies to its questions: each question gets exactly one, be it that it failed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from layergrid.page.messages import Request, error_reply, read_request, request_id

Reply = tuple[dict[str, Any], list[bytes]]
Send = Callable[[dict[str, Any], list[bytes]], object]

_log = logging.getLogger(__name__)


def asked(content: Any, shape: tuple[int, int], pages: int, send: Send) -> Request | None:
    """What a message says; None where it makes no sense, which is logged, and said to a page that waits for it.

    Parameters
    ----------
    content : whatever the page sent
    shape, pages : rows and columns of the grid, and how many pages it has
    """
    try:
        return read_request(content, shape, pages)
    except ValueError as error:
        _log.warning("a message from the page was refused: %s", error)
        waiting = request_id(content)
        if waiting is not None:
            send(error_reply(waiting, str(error)), [])
        return None


def answer(number: int, make: Callable[[], Reply], send: Send) -> None:
    """Send what `make` gives, or in words what it raises, such as the errors of a file or of a graph of tasks."""
    try:
        reply, buffers = make()
    except Exception as error:
        reply, buffers = error_reply(number, f"{type(error).__name__}: {error}"), []
    send(reply, buffers)

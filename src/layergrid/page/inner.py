"""The tensors that the page has opened within a grid: grids whose connection runs through that of the outer one."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipywidgets.widgets.widget import _remove_buffers

from layergrid.page.messages import OpenRequest, error_reply, inner_message, open_reply
from layergrid.page.replies import Send

if TYPE_CHECKING:
    from layergrid.opened import TensorGrid

MOST_OPEN = 4
"""Of one grid, in all its views; a page that was reloaded said no farewell, so the oldest one gives way."""

_log = logging.getLogger(__name__)


class Carrier:
    """Stands in a grid's place for a comm: what it says travels within the messages of another grid.

    Parameters
    ----------
    number : of the request that opened it; what is said carries it
    """

    def __init__(self, number: int, send: Send) -> None:
        self.comm_id = f"layergrid-inner-{number}"
        self._number = number
        self._send = send
        self._hear: Callable[[dict[str, Any]], object] | None = None

    def on_msg(self, callback: Callable[[dict[str, Any]], object]) -> None:
        """What ipywidgets calls to be told of messages."""
        self._hear = callback

    def send(self, data: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        """What ipywidgets calls to say something; echoes are for pages of several views, and an inner one has one."""
        if data.get("method") != "echo_update":
            self._send(inner_message(self._number, data), list(buffers or []))

    def receive(self, data: dict[str, Any]) -> None:
        """Hand on what the page said."""
        assert self._hear is not None  # it was opened
        self._hear({"content": {"data": data}, "buffers": []})

    def close(self) -> None:
        """Nothing more is said."""
        self._send = lambda _content, _buffers: None


Make = Callable[[OpenRequest, Carrier], "tuple[TensorGrid, list[str]]"]


class Inners:
    """Opens tensors when the page asks, hands messages on to them, and closes them.

    Parameters
    ----------
    make : a grid of the tensor that a request is for, on a carrier; and the names of the steps from the model to it
    send : sends a message to the page; called from any thread
    """

    def __init__(self, make: Make, send: Send) -> None:
        self._make = make
        self._send = send
        self._lock = threading.Lock()
        self._open: OrderedDict[int, tuple[TensorGrid, Carrier]] = OrderedDict()
        self._opening: set[int] = set()

    def open(self, request: OpenRequest) -> None:
        """Open a tensor on a thread of its own: its file may be far away. Exactly one reply follows."""
        with self._lock:
            known = request.id in self._opening or request.id in self._open
            full = len(self._opening) >= MOST_OPEN
            if not known and not full:
                self._opening.add(request.id)
        if known or full:
            why = "that request is being answered" if known else f"{MOST_OPEN} tensors are being opened already"
            self._send(error_reply(request.id, why), [])
            return
        threading.Thread(target=self._answer, args=(request,), name="layergrid-open", daemon=True).start()

    def _answer(self, request: OpenRequest) -> None:
        carrier = Carrier(request.id, self._send)
        try:
            grid, steps = self._make(request, carrier)
        except Exception as error:  # whatever opening raises is said in the page
            with self._lock:
                self._opening.discard(request.id)
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            self._send(error_reply(request.id, text), [])
            return
        with self._lock:
            wanted = request.id in self._opening
            self._opening.discard(request.id)
            late = []
            if wanted:
                self._open[request.id] = grid, carrier
                while len(self._open) > MOST_OPEN:
                    late.append(self._open.popitem(last=False)[1][0])
        for old in late:
            old.close()
        if not wanted:
            grid.close()
            self._send(error_reply(request.id, "opening was stopped"), [])
            return
        state, paths, buffers = _remove_buffers(grid.page_state())
        self._send(open_reply(request, state, paths, steps), buffers)

    def receive(self, number: int, data: dict[str, Any]) -> None:
        """Hand a message of the page on to one of them."""
        with self._lock:
            found = self._open.get(number)
        if found is not None:
            found[1].receive(data)
            return
        _log.warning("a message to a tensor that is not open was refused")
        waiting = data.get("content", {}).get("id") if data.get("method") == "custom" else None
        if type(waiting) is int:
            reply = error_reply(waiting, "the tensor is no longer open; go back and open it again")
            self._send(inner_message(number, {"method": "custom", "content": reply}), [])

    def close(self, number: int) -> None:
        """The page has gone back, or no longer waits."""
        with self._lock:
            self._opening.discard(number)
            found = self._open.pop(number, None)
        if found is not None:
            found[0].close()

    def close_all(self) -> None:
        """Give everything back."""
        with self._lock:
            grids = [grid for grid, _ in self._open.values()]
            self._open.clear()
            self._opening.clear()
        for grid in grids:
            grid.close()

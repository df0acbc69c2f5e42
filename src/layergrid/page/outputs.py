"""Which notebook cell shows which grids, so that a cell run again closes what its last run showed.

ipywidgets keeps every widget, with its connection to the page, until it is closed (ipywidgets#3995): a cell
that is run again leaves the old ones behind. Those that only that cell showed, and that no variable of the
notebook holds any more, serve nobody.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


class Closable(Protocol):
    """What is shown and can be closed."""

    def close(self) -> None:
        """End the connection to the page."""


@dataclass
class _Run:
    """One run of a cell, and what it showed."""

    message: str
    shown: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)


_runs: dict[str, _Run] = {}


def show(widget: Closable) -> None:
    """Take note that the running cell shows a widget; once it has run, close what its last run showed and nobody holds.

    Not before: the page would take the old grid apart while it waits for the new one. Outside a notebook, or where the
    front-end does not tell cells apart, nothing happens.
    """
    cell, message = _running_cell()
    if cell == "":
        return
    run = _runs.get(cell)
    if run is None or run.message != message:
        last, run = run, _Run(message)
        _runs[cell] = run
        if last is not None:
            _after_the_cell(lambda: _close_left_behind(last))
    run.shown.add(widget)


def _after_the_cell(act: Callable[[], None]) -> None:
    events = _shell().events

    def once(*_: object) -> None:
        events.unregister("post_run_cell", once)
        act()

    events.register("post_run_cell", once)


def _close_left_behind(run: _Run) -> None:
    held = {id(value) for name, value in _notebook_variables().items() if not name.startswith("_")}
    shown_elsewhere = {id(widget) for other in _runs.values() for widget in other.shown}
    for widget in list(run.shown):
        if id(widget) not in held and id(widget) not in shown_elsewhere:
            widget.close()


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _notebook_variables() -> dict[str, Any]:
    shell = _shell()
    return {} if shell is None else dict(shell.user_ns)


def _running_cell() -> tuple[str, str]:
    """Id of the running cell and of the message that runs it; "" where there is none."""
    shell = _shell()
    parent = getattr(shell, "parent_header", None) or {}
    if shell is not None and hasattr(shell, "get_parent"):
        parent = shell.get_parent() or {}
    cell = parent.get("metadata", {}).get("cellId", "")
    message = parent.get("header", {}).get("msg_id", "")
    return (cell, message) if isinstance(cell, str) and isinstance(message, str) else ("", "")

"""The findings of one grid as its page shows them: packed as state, computed on a thread of their own."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from layergrid.data.matrix import Label, Matrix
from layergrid.page.messages import ClaimRequest, FindingsRequest, claim_reply, error_reply, findings_reply

if TYPE_CHECKING:
    from layergrid.findings import Insights

_log = logging.getLogger(__name__)

MOST_CELLS = 61 * 771
"""A grid of more cells is analysed only when its reader asks for it."""

MOST_LISTED = 300
"""The page lists so many of the strongest findings; `LayerGrid.insights` has them all."""

MOST_PAGES = 32
"""The state holds the findings of the last pages that were analysed, up to so many."""

MOST_UNANSWERED = 16
"""A page that asks more at once is refused."""

LONGEST_STATEMENT = 800
"""Characters of a statement: labels of 10,000 characters are not repeated whole in every sentence."""

NEEDS_SCIPY = "Findings and claims need scipy: pip install layergrid[findings]"

QUIET_S = 2.0
"""Without a request, the findings of a shown grid are computed once it has rested so long."""

_States = OrderedDict[int, dict[str, Any]]

# All grids of a kernel take turns, so that no more than one thread competes with the user's cell.
_turn = threading.Lock()


class Panel:
    """The findings of one grid: nothing is computed until its page has had the time to paint.

    The page asks once it has. Its message waits while a cell runs (ipykernel 7.4 sends it to the thread that spoke to
    the page last), and where a notebook is run without a page nobody asks: so, a while later, they are computed anyway.

    Parameters
    ----------
    matrix : the values that the page shows first
    wanted : whether the page shows findings at all
    lock : held while the grid's traits change
    show : puts a state in place of the one that the page has
    send : sends a message to the page; both are called from any thread
    is_open : whether there still is a connection to the page
    """

    def __init__(
        self,
        matrix: Matrix,
        *,
        wanted: bool,
        lock: AbstractContextManager[Any],
        show: Callable[[dict[str, Any]], None],
        send: Callable[[dict[str, Any]], None],
        is_open: Callable[[], bool],
    ) -> None:
        self._wanted = wanted
        self._lock = lock
        self._show = show
        self._send = send
        self._is_open = is_open
        self._matrix = matrix
        self._page = 0
        # What is known of the pages, packed. Replaced when the values are, so that it says itself whether it is theirs.
        self._states: _States = OrderedDict()
        self._known: tuple[_States, int, Insights] | None = None
        self._unanswered = 0
        self._shown = False
        self._watched = False
        self._due = 0.0

    def state(self) -> dict[str, Any]:
        """What travels: `pack` of each page that is known, by its index; nothing where findings are not wanted."""
        if not self._wanted:
            return {}
        pages = {str(page): state for page, state in self._states.items()}
        return {"large": self._matrix.values.size > MOST_CELLS, "pages": pages}

    def turn(self, page: int, matrix: Matrix) -> None:
        """Another page is shown. To be called with the lock held."""
        self._page, self._matrix = page, matrix
        self._watch()

    def update(self, page: int, matrix: Matrix) -> dict[str, Any]:
        """The state for other values. To be called with the lock held.

        The former findings of the shown page stay in it, marked as ``waiting`` for new ones, so that a page that is
        updated several times a second does not flicker.
        """
        former = self._states.get(page, {"status": ""})
        self._states = OrderedDict()
        self._known = None  # it would keep the former values alive
        if former["status"] in ("ready", "waiting") and matrix.values.size <= MOST_CELLS:
            self._states[page] = {**former, "status": "waiting"}
        self.turn(page, matrix)
        return self.state()

    def shown(self) -> None:
        """The grid is on its way to a page."""
        with self._lock:
            self._shown = True
            self._watch()

    def put_off(self) -> None:
        """Somebody works with the grid: what is computed meanwhile would hold that up."""
        self._due = time.monotonic() + QUIET_S

    def _watch(self) -> None:
        self.put_off()
        if self._shown and not self._watched and self._is_waiting():
            self._watched = True
            threading.Thread(target=_settle_once_quiet, args=(weakref.ref(self),), daemon=True).start()

    def _is_waiting(self) -> bool:
        unknown = self._states.get(self._page, {"status": "waiting"})["status"] == "waiting"
        return self._wanted and unknown and self._matrix.values.size <= MOST_CELLS

    def rest_s(self) -> float | None:
        """Seconds until the findings are to be computed, 0.0 if that is now; None if that is not to be."""
        with self._lock:
            rest = max(0.0, self._due - time.monotonic())
            wanted = self._is_open() and self._is_waiting()
            self._watched = wanted and rest > 0
            return rest if wanted else None

    def insights(self) -> Insights:
        """The findings of the values that are shown, computed where they are not yet known.

        Raises
        ------
        ImportError
            If scipy is not installed.
        """
        with self._lock:
            states, page, matrix = self._states, self._page, self._matrix
        with _turn:  # and without the lock: whoever holds that may be waiting for a turn
            known = self._known
            if known is None or known[0] is not states or known[1] != page:
                known = self._known = (states, page, _analysed(matrix))
        self._keep(states, page, pack(known[2]))
        return known[2]

    def settle(self) -> None:
        """Compute what the page would ask for; for a page that is saved, and will have nobody to ask."""
        if self._is_waiting():
            self._try_insights()

    def answer(self, request: FindingsRequest | ClaimRequest) -> None:
        """Reply to a request of the page, once, from another thread: the kernel goes on meanwhile."""
        refusal = self._refusal()
        if refusal:
            self._send(error_reply(request.id, refusal))
        else:
            threading.Thread(target=self._answer, args=(request,), name="layergrid-findings", daemon=True).start()

    def _refusal(self) -> str:
        if not self._wanted:
            return "this grid was made with insights=False"
        with self._lock:
            if self._unanswered >= MOST_UNANSWERED:
                return f"{self._unanswered} requests are waiting already"
            self._unanswered += 1
        return ""

    def _answer(self, request: FindingsRequest | ClaimRequest) -> None:
        try:
            reply = self._reply(request)
        except Exception as error:  # a request gets a reply, whatever happens
            _log.exception("a request of the page failed: %s", type(request).__name__)
            reply = error_reply(request.id, f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._unanswered -= 1
        self._send(reply)

    def _reply(self, request: FindingsRequest | ClaimRequest) -> dict[str, Any]:
        if isinstance(request, FindingsRequest):
            self._try_insights()
            return findings_reply(request)
        matrix = self._matrix
        try:
            from layergrid.findings import check

            with _turn:
                verdict = check(matrix, request.claim)
        except ModuleNotFoundError as error:
            return error_reply(request.id, _what_is_missing(error))
        return claim_reply(request, verdict.verdict, _short(verdict.statement), boxes(verdict.cells, matrix))

    def _try_insights(self) -> None:
        """Compute the findings; why that cannot be done is shown in their place."""
        states, page = self._states, self._page
        try:
            self.insights()
        except Exception as error:
            if not isinstance(error, ImportError):
                _log.exception("the findings could not be computed")
            message = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
            self._keep(states, page, {"status": "failed", "message": _short(message)})

    def _keep(self, states: _States, page: int, state: dict[str, Any]) -> None:
        with self._lock:
            states[page] = state
            states.move_to_end(page)
            while len(states) > MOST_PAGES:
                states.popitem(last=False)
            # Where other values have been put in their place meanwhile, these findings are of no use.
            if states is self._states and self._wanted:
                self._show(self.state())


def _settle_once_quiet(of: weakref.ref[Panel]) -> None:
    """Runs on a thread of its own, which keeps no grid alive while it sleeps."""
    while (panel := of()) is not None and (rest := panel.rest_s()) is not None:
        if rest == 0:
            panel.settle()
            return
        del panel
        time.sleep(rest)


def pack(found: Insights) -> dict[str, Any]:
    """Findings as the page takes them: each with its cells as boxes of rows and columns."""
    rows, columns = _places(found.matrix)
    listed = [
        {"kind": one.kind, "statement": _short(one.statement), "boxes": _boxes(one.cells, rows, columns)}
        for one in found[:MOST_LISTED]
    ]
    notes = [_short(note) for note in found.notes]
    return {"status": "ready", "findings": listed, "more": max(0, len(found) - MOST_LISTED), "notes": notes}


def boxes(cells: Iterable[tuple[Label, str]], matrix: Matrix) -> list[int]:
    """Boxes that hold just these cells: first and last row, first and last column of each, one after another."""
    return _boxes(cells, *_places(matrix))


def _places(matrix: Matrix) -> tuple[dict[Label, int], dict[str, int]]:
    rows = {label: at for at, label in enumerate(matrix.layers)}
    return rows, {label: at for at, label in enumerate(matrix.components)}


def _boxes(cells: Iterable[tuple[Label, str]], rows: dict[Label, int], columns: dict[str, int]) -> list[int]:
    inside: dict[int, list[int]] = {}
    for layer, component in cells:
        inside.setdefault(columns[component], []).append(rows[layer])
    open_until: dict[tuple[int, int], int] = {}  # run of rows -> where in `found` the box stands that may grow
    found: list[list[int]] = []
    last = -2
    for column in sorted(inside):
        growing = open_until if column == last + 1 else {}
        open_until = {}
        for run in _runs(sorted(set(inside[column]))):
            if run in growing:
                found[growing[run]][3] = column
                open_until[run] = growing[run]
            else:
                open_until[run] = len(found)
                found.append([*run, column, column])
        last = column
    return [edge for box in found for edge in box]


def _runs(ascending: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of neighbours."""
    breaks = [at + 1 for at, (one, next_) in enumerate(pairwise(ascending)) if next_ != one + 1]
    return [(ascending[a], ascending[b - 1]) for a, b in pairwise([0, *breaks, len(ascending)])]


def _analysed(matrix: Matrix) -> Insights:
    try:
        from layergrid.findings import insights

        return insights(matrix)
    except ModuleNotFoundError as error:
        raise ImportError(_what_is_missing(error)) from error


def _what_is_missing(error: ModuleNotFoundError) -> str:
    return NEEDS_SCIPY if (error.name or "").split(".")[0] == "scipy" else str(error)


def _short(text: str) -> str:
    """Text that can travel: not endless, and no half of a surrogate pair, which UTF-8 has no code for."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    half = LONGEST_STATEMENT // 2
    return whole if len(whole) <= LONGEST_STATEMENT else f"{whole[:half]}…{whole[-half:]}"

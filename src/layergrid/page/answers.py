"""What a grid does with a message of its page: each goes to what can answer it, and none holds up the user's cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from layergrid.data.pages import Pages
from layergrid.page.background import Background
from layergrid.page.inner import Inners, Make
from layergrid.page.messages import (
    Cancel,
    Click,
    CloseMessage,
    InnerMessage,
    OpenRequest,
    PageRequest,
    SpectrumRequest,
    SummaryRequest,
    WindowRequest,
    error_reply,
    page_reply,
)
from layergrid.page.packing import packed_page
from layergrid.page.panel import Panel
from layergrid.page.replies import Reply, Send, answer, asked

if TYPE_CHECKING:
    from layergrid.page.far import Far
    from layergrid.page.questions import TensorQuestions


@dataclass(frozen=True)
class Held:
    """What a grid holds at one moment, for its page to ask for."""

    pages: Pages
    scale_over: str
    far: Far | None
    """The cells of a matrix too large to travel whole."""


class Answers:
    """Takes the messages of one grid's page; each question gets exactly one reply, some of them from other threads.

    Parameters
    ----------
    shape, pages : rows and columns of the grid, and how many pages it has; neither changes
    held : what the grid holds now
    click : called with the row and the column of a cell that was clicked
    open_cell : as `make` of `layergrid.page.inner.Inners`
    panel : answers what is asked of the findings
    questions : answers what is asked of a tensor as a whole; None where the grid is not that of one
    send : sends a message to the page; called from any thread
    """

    def __init__(
        self,
        shape: tuple[int, int],
        pages: int,
        *,
        held: Callable[[], Held],
        click: Callable[[int, int], None],
        open_cell: Make,
        panel: Panel,
        questions: TensorQuestions | None,
        send: Send,
    ) -> None:
        self._shape = shape
        self._pages = pages
        self._held = held
        self._click = click
        self._panel = panel
        self._questions = questions
        self._send = send
        self._background = Background()
        self._inners = Inners(open_cell, send)

    def take(self, content: Any) -> None:
        """Answer a message, or have it answered; one that makes no sense is refused with a logged line."""
        request = asked(content, self._shape, self._pages, self._send)
        if request is None:
            return
        if isinstance(request, Click):
            self._click(request.row, request.column)
        elif isinstance(request, PageRequest):
            # Reading may take long, and messages are handled where the user's cells run, unless a host has subshells.
            self._background.run(partial(answer, request.id, partial(self._page, request), self._send))
        elif isinstance(request, WindowRequest):
            self._window(request)
        elif isinstance(request, Cancel):
            self._cancel(request.id)
        elif isinstance(request, OpenRequest):
            self._inners.open(request)
        elif isinstance(request, InnerMessage):
            self._inners.receive(request.id, request.content)
        elif isinstance(request, CloseMessage):
            self._inners.close(request.id)
        elif isinstance(request, SummaryRequest | SpectrumRequest):
            self._ask_tensor(request)
        else:
            self._panel.answer(request)

    def close(self) -> None:
        """Let go of what waits, and of what the page has opened. Messages may come again, once the grid is shown."""
        self._background.close()
        self._inners.close_all()

    def _page(self, request: PageRequest) -> Reply:
        held = self._held()
        traits = packed_page(held.pages, request.page)
        domain = held.pages.domain(request.page, "all") if held.scale_over == "all" else None
        reply = page_reply(request, traits["_dtype"], traits["_parameters"], domain)
        return reply, [traits["_values"], traits["_absent"]]

    def _window(self, request: WindowRequest) -> None:
        far = self._held().far
        if far is None:
            self._send(error_reply(request.id, "all cells of this grid are with the page"), [])
        else:
            far.take(request, self._background.run, self._send)

    def _ask_tensor(self, request: SummaryRequest | SpectrumRequest) -> None:
        if self._questions is None:
            self._send(error_reply(request.id, "this grid is not that of one tensor"), [])
        else:
            self._questions.take(request)

    def _cancel(self, number: int) -> None:
        far = self._held().far
        if far is not None:
            far.cancel(number)
        self._inners.close(number)
        if self._questions is not None:
            self._questions.cancel(number)

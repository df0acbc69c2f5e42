"""What the page asks of a whole tensor: answered on threads of their own, with progress, until it is given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from layergrid.page.messages import (
    SpectrumRequest,
    SummaryRequest,
    error_reply,
    progress_message,
    spectrum_reply,
    summary_reply,
)
from layergrid.page.replies import Reply, Send, answer
from layergrid.readable import Readable
from layergrid.tensors.spectrum import TensorSpectrum, singular_values
from layergrid.tensors.summary import summarize

MOST_AT_ONCE = 4
"""Requests of one tensor that wait; a page has two questions."""

_REPORT_S = 0.1

Request = SummaryRequest | SpectrumRequest


@dataclass(eq=False)
class _Question:
    """What is being computed, and the ids of the requests that wait for it."""

    waiting: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when nobody waits any more."""


class TensorQuestions:
    """Answers questions for which all of a tensor is read; each gets exactly one reply, also where it is given up.

    Who asks what is being computed already, as a second page of one grid, waits for the same answer.

    Parameters
    ----------
    send : sends a message to the page; called from any thread
    """

    def __init__(self, matrix: Readable, send: Send) -> None:
        self._matrix = matrix
        self._send = send
        self._lock = threading.Lock()
        self._asked: dict[type[Request], _Question] = {}

    def take(self, request: Request) -> None:
        """Answer a question, on another thread."""
        with self._lock:
            refused = self._refusal(request.id)
            begun = type(request) in self._asked
            if not refused:
                question = self._asked.setdefault(type(request), _Question())
                question.waiting.add(request.id)
        if refused:
            self._send(error_reply(request.id, refused), [])
        elif not begun:
            # Daemons: without scipy eigenvalues cannot be interrupted, and must not keep a kernel from ending.
            threading.Thread(
                target=self._work, args=(request, question), name="layergrid-question", daemon=True
            ).start()

    def _refusal(self, number: int) -> str:
        """Why a request is not taken; "" where it is."""
        waiting = [waits for question in self._asked.values() for waits in question.waiting]
        if number in waiting:
            return "that request is being answered"
        return f"{MOST_AT_ONCE} questions are being answered already" if len(waiting) >= MOST_AT_ONCE else ""

    def cancel(self, number: int) -> None:
        """Give a question up, if it has not been answered; its reply says so."""
        self._give_up(lambda waiting: waiting == number)

    def close(self) -> None:
        """Give all of them up."""
        self._give_up(lambda _: True)

    def _give_up(self, wanted: Callable[[int], bool]) -> None:
        given_up: list[int] = []
        with self._lock:
            for kind, question in list(self._asked.items()):
                gone = {number for number in question.waiting if wanted(number)}
                question.waiting -= gone
                given_up += gone
                if not question.waiting:
                    question.stop.set()
                    del self._asked[kind]  # whoever asks from now on begins anew
        for number in given_up:
            self._send(error_reply(number, "this is no longer wanted, so it was stopped"), [])

    def _work(self, first: Request, question: _Question) -> None:
        def reply(content: dict[str, Any], buffers: list[bytes]) -> None:
            with self._lock:
                waiting = list(question.waiting)
                if self._asked.get(type(first)) is question:
                    del self._asked[type(first)]
            for number in waiting:
                self._send(content | {"id": number}, buffers)

        answer(first.id, partial(self._reply, first, question), reply)

    def _reply(self, first: Request, question: _Question) -> Reply:
        reported = time.monotonic()

        def progress(share: float) -> None:
            nonlocal reported
            if time.monotonic() - reported > _REPORT_S:
                reported = time.monotonic()
                with self._lock:
                    waiting = list(question.waiting)
                for number in waiting:
                    self._send(progress_message(number, share), [])

        if isinstance(first, SummaryRequest):
            return summary_reply(first, summarize(self._matrix, stop=question.stop, progress=progress))
        values = singular_values(self._matrix, stop=question.stop, progress=progress)
        return spectrum_reply(first, TensorSpectrum(values))

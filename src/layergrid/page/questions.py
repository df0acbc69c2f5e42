"""What the page asks of a whole tensor: answered on threads of their own, with progress, until it is given up."""

from __future__ import annotations

import threading
import time
from functools import partial

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
"""Questions of one tensor; a page asks two."""

_REPORT_S = 0.1


class TensorQuestions:
    """Answers questions for which all of a tensor is read; each gets exactly one reply, also where it is given up.

    Parameters
    ----------
    send : sends a message to the page; called from any thread
    """

    def __init__(self, matrix: Readable, send: Send) -> None:
        self._matrix = matrix
        self._send = send
        self._lock = threading.Lock()
        self._stops: dict[int, threading.Event] = {}

    def take(self, request: SummaryRequest | SpectrumRequest) -> None:
        """Answer a question, on another thread."""
        stop = threading.Event()
        with self._lock:
            known, full = request.id in self._stops, len(self._stops) >= MOST_AT_ONCE
            if not known and not full:
                self._stops[request.id] = stop
        if known or full:
            why = "that request is being answered" if known else f"{MOST_AT_ONCE} questions are being answered already"
            self._send(error_reply(request.id, why), [])
            return
        # Daemons: eigenvalues cannot be interrupted, and must not keep a kernel from ending.
        threading.Thread(target=self._work, args=(request, stop), name="layergrid-question", daemon=True).start()

    def cancel(self, number: int) -> None:
        """Give a question up, if it has not been answered; its reply says so."""
        with self._lock:
            stop = self._stops.get(number)
        if stop is not None:
            stop.set()

    def close(self) -> None:
        """Give all of them up."""
        with self._lock:
            stops = list(self._stops.values())
        for stop in stops:
            stop.set()

    def _work(self, request: SummaryRequest | SpectrumRequest, stop: threading.Event) -> None:
        answer(request.id, partial(self._reply, request, stop), self._send)
        with self._lock:
            del self._stops[request.id]

    def _reply(self, request: SummaryRequest | SpectrumRequest, stop: threading.Event) -> Reply:
        reported = time.monotonic()

        def progress(share: float) -> None:
            nonlocal reported
            if time.monotonic() - reported > _REPORT_S:
                reported = time.monotonic()
                self._send(progress_message(request.id, share), [])

        if isinstance(request, SummaryRequest):
            return summary_reply(request, summarize(self._matrix, stop=stop, progress=progress))
        return spectrum_reply(request, TensorSpectrum(singular_values(self._matrix, stop=stop, progress=progress)))

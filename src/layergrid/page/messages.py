"""What the page and the kernel say to each other beside the traits; twin of js/src/messages.ts.

tests/fixtures/messages.json holds one of each kind, which both sides read.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.large.windows import AGGREGATES, Window

if TYPE_CHECKING:
    from layergrid.tensors.spectrum import TensorSpectrum
    from layergrid.tensors.summary import TensorSummary

LONGEST_CLAIM = 1000
"""Characters of a claim: it is one sentence."""

MOST_BLOCKS_ASKED = 1 << 20
"""Of one window: 4 MB at float32."""

_LARGEST_ID = 2**53 - 1  # what JavaScript counts to
_EDGES = ((0, "top"), (0, "bottom"), (1, "left"), (1, "right"))


@dataclass(frozen=True)
class Click:
    """A cell was clicked in the page: its position in the whole matrix."""

    row: int
    column: int


@dataclass(frozen=True)
class PageRequest:
    """The page of the browser asks for a page of the grid; it gets exactly one reply, of the same id."""

    id: int
    page: int


@dataclass(frozen=True)
class FindingsRequest:
    """The page asks for the findings; they arrive as state, and then the reply."""

    id: int


@dataclass(frozen=True)
class ClaimRequest:
    """The page asks whether the numbers bear out a sentence."""

    id: int
    claim: str


@dataclass(frozen=True)
class WindowRequest:
    """The page asks for a part of a large grid, reduced to blocks."""

    id: int
    version: int
    """That of the values it shows."""
    window: Window
    aggregate: str
    center: float


@dataclass(frozen=True)
class Cancel:
    """The page no longer wants what it asked for; the request still gets its reply, which may be an error."""

    id: int


@dataclass(frozen=True)
class OpenRequest:
    """The page asks for the tensor of a cell; from the reply on, the id is that of the inner grid."""

    id: int
    row: int
    column: int
    side: int | None = None
    """Of a comparison: 0 for the first model, 1 for the second, 2 for the difference; None for the usual one."""


@dataclass(frozen=True)
class InnerMessage:
    """What the page says to a tensor that it has opened, as ipywidgets would have it."""

    id: int
    content: dict[str, Any]


@dataclass(frozen=True)
class CloseMessage:
    """The page has gone back from a tensor."""

    id: int


@dataclass(frozen=True)
class SummaryRequest:
    """The page of a tensor asks for its distribution, its largest entries and its norms: all of it is read."""

    id: int


@dataclass(frozen=True)
class SpectrumRequest:
    """The page of a tensor asks for its singular values."""

    id: int


Request = (
    Click
    | PageRequest
    | FindingsRequest
    | ClaimRequest
    | WindowRequest
    | Cancel
    | OpenRequest
    | InnerMessage
    | CloseMessage
    | SummaryRequest
    | SpectrumRequest
)

_KINDS = ("page", "findings", "claim", "window", "cancel", "open", "inner", "close", "summary", "spectrum")


def read_request(content: Any, shape: tuple[int, int], pages: int) -> Request:
    """What a message from the page says, to a grid of a shape and a number of pages.

    Raises
    ------
    ValueError
        If the content is anything else than a click on a cell, a request for a page that there is or for findings, or
        a claim. A page may send what it likes: everything is checked.
    """
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind == "click":
        return Click(_index(content, "row", shape[0], "a click"), _index(content, "column", shape[1], "a click"))
    if kind not in _KINDS:
        raise ValueError(f"not a message that a grid knows: {reprlib.repr(content)}")
    number = request_id(content)
    if number is None:
        raise ValueError(f"the id of a request must be an int from 0 on, got {reprlib.repr(content.get('id'))}")
    if kind == "page":
        return PageRequest(number, _index(content, "page", pages, "a request"))
    if kind == "findings":
        return FindingsRequest(number)
    if kind == "cancel":
        return Cancel(number)
    if kind == "summary":
        return SummaryRequest(number)
    if kind == "spectrum":
        return SpectrumRequest(number)
    if kind == "close":
        return CloseMessage(number)
    if kind == "window":
        return _window_request(number, content, shape)
    if kind == "open":
        row, column = (_index(content, name, shape[axis], "a cell") for axis, name in enumerate(("row", "column")))
        side = _index(content, "side", 3, "a comparison") if "side" in content else None
        return OpenRequest(number, row, column, side)
    if kind == "inner":
        return InnerMessage(number, _inner_content(content.get("content")))
    claim = content.get("claim")
    if not isinstance(claim, str) or not 0 < len(claim) <= LONGEST_CLAIM:
        raise ValueError(f"a claim must be text of 1 to {LONGEST_CLAIM} characters, got {reprlib.repr(claim)}")
    return ClaimRequest(number, claim)


def _window_request(number: int, content: dict[str, Any], shape: tuple[int, int]) -> WindowRequest:
    edges = [_index(content, name, shape[axis] + 1, "a window") for axis, name in _EDGES]
    factors = [_index(content, name, 2**31, "a window") for name in ("rowFactor", "columnFactor")]
    window = Window(*edges, *factors)
    rows, columns = window.blocks(shape)
    if (rows.stop - rows.start) * (columns.stop - columns.start) > MOST_BLOCKS_ASKED:
        raise ValueError(f"a window holds at most {MOST_BLOCKS_ASKED} blocks, got {window}")
    aggregate, center = content.get("aggregate"), content.get("center")
    if aggregate not in AGGREGATES:
        raise ValueError(f"aggregate of a window must be one of {AGGREGATES}, got {reprlib.repr(aggregate)}")
    if not isinstance(center, int | float) or isinstance(center, bool) or not math.isfinite(center):
        raise ValueError(f"center of a window must be a finite number, got {reprlib.repr(center)}")
    version = _index(content, "version", _LARGEST_ID, "a window")
    return WindowRequest(number, version, window, str(aggregate), float(center))


def _inner_content(content: Any) -> dict[str, Any]:
    """A change of state or a message, with nothing else in it."""
    method = content.get("method") if isinstance(content, dict) else None
    if method == "update" and isinstance(content.get("state"), dict):
        return {"method": "update", "state": content["state"], "buffer_paths": []}
    if method == "custom" and isinstance(content.get("content"), dict):
        return {"method": "custom", "content": content["content"]}
    raise ValueError(f"not a message that an opened tensor knows: {reprlib.repr(content)}")


def request_id(content: Any) -> int | None:
    """The id of a message that waits for a reply; None where it has none."""
    number = content.get("id") if isinstance(content, dict) else None
    return number if type(number) is int and 0 <= number <= _LARGEST_ID else None


def page_reply(
    request: PageRequest, dtype: str, parameters: dict[str, Any], domain: tuple[float, float, float] | None
) -> dict[str, Any]:
    """The reply that goes with two buffers: values as `_values` has them, and absent cells as `_absent`.

    Parameters
    ----------
    dtype : "f4" or "f8"
    parameters : as `pack_parameters` gives them
    domain : low, high and center over all pages of the metric; None where the scale is over the page
    """
    limits = None if domain is None else list(domain)
    return {
        "kind": "page",
        "id": request.id,
        "page": request.page,
        "dtype": dtype,
        "parameters": parameters,
        "domain": limits,
    }


def findings_reply(request: FindingsRequest) -> dict[str, Any]:
    """The reply that follows the findings."""
    return {"kind": "findings", "id": request.id}


def claim_reply(request: ClaimRequest, verdict: str, statement: str, boxes: Sequence[int]) -> dict[str, Any]:
    """The verdict, why, and the cells it rests on as `layergrid.page.panel.boxes` gives them."""
    return {"kind": "claim", "id": request.id, "verdict": verdict, "statement": statement, "boxes": list(boxes)}


def window_reply(request: WindowRequest, dtype: str) -> dict[str, Any]:
    """The reply that goes with two buffers: values in blocks, row by row, and absent blocks as bits."""
    return {"kind": "window", "id": request.id, "dtype": dtype}


def open_reply(
    request: OpenRequest, state: dict[str, Any], paths: Sequence[Sequence[Any]], steps: Sequence[str]
) -> dict[str, Any]:
    """The reply that goes with the buffers of a state.

    Parameters
    ----------
    state : what the inner page draws, without its bytes
    paths : where in the state each buffer belongs
    steps : from the model to the tensor, in words
    """
    return {
        "kind": "open",
        "id": request.id,
        "state": state,
        "paths": [list(path) for path in paths],
        "steps": list(steps),
    }


def summary_reply(request: SummaryRequest, summary: TensorSummary) -> tuple[dict[str, Any], list[bytes]]:
    """The reply and its buffers: norms of the rows and of the columns, float32. What is not finite goes as text."""
    content = {
        "kind": "summary",
        "id": request.id,
        "low": finite_or_text(summary.low),
        "high": finite_or_text(summary.high),
        "counts": summary.counts.tolist(),
        "quantiles": [[share, finite_or_text(value)] for share, value in summary.quantiles.items()],
        "metrics": [[name, finite_or_text(value)] for name, value in summary.metrics.items()],
        "largest": [[entry.row, entry.column, finite_or_text(entry.value)] for entry in summary.largest],
        "nan": summary.nan_count,
        "inf": summary.inf_count,
    }
    with np.errstate(over="ignore"):  # a norm beyond float32 is infinite in the picture
        norms = [norm.astype("<f4").tobytes() for norm in (summary.row_norms, summary.column_norms)]
    return content, norms


def spectrum_reply(request: SpectrumRequest, spectrum: TensorSpectrum) -> tuple[dict[str, Any], list[bytes]]:
    """The reply and its buffer: the singular values, float64, the largest first. What is not finite goes as text."""
    content = {
        "kind": "spectrum",
        "id": request.id,
        "largest": finite_or_text(spectrum.largest),
        "stableRank": finite_or_text(spectrum.stable_rank),
        "effectiveRank": finite_or_text(spectrum.effective_rank),
    }
    return content, [np.ascontiguousarray(spectrum.values, "<f8").tobytes()]


def progress_message(request: int, share: float) -> dict[str, Any]:
    """How far the answer to a request is, from 0 to 1; its reply is still to come."""
    return {"kind": "progress", "id": request, "share": share}


def finite_or_text(value: float) -> float | str:
    """A number as JSON has it: "nan", "inf" and "-inf" where it is not finite."""
    return value if math.isfinite(value) else str(value)


def inner_message(number: int, content: dict[str, Any]) -> dict[str, Any]:
    """What an opened tensor says to the page, as ipywidgets would have it."""
    return {"kind": "inner", "id": number, "content": content}


def error_reply(request: int, message: str) -> dict[str, Any]:
    """The reply to a request that failed."""
    return {"kind": "error", "id": request, "message": message}


def _index(content: dict[str, Any], what: str, length: int, of: str) -> int:
    index = content.get(what)
    if type(index) is not int or not 0 <= index < length:
        raise ValueError(f"{what} of {of} must be an int from 0 to {length - 1}, got {reprlib.repr(index)}")
    return index

"""What the page and the kernel say to each other beside the traits; twin of js/src/messages.ts.

tests/fixtures/messages.json holds one of each kind, which both sides read.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any


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


def read_request(content: Any, shape: tuple[int, int], pages: int) -> Click | PageRequest:
    """What a message from the page says, to a grid of a shape and a number of pages.

    Raises
    ------
    ValueError
        If the content is anything else than a click on a cell or a request for a page that there is. A page may
        send what it likes: everything is checked.
    """
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind == "click":
        return Click(_index(content, "row", shape[0], "a click"), _index(content, "column", shape[1], "a click"))
    if kind == "page":
        number = request_id(content)
        if number is None:
            raise ValueError(f"the id of a request must be an int, got {reprlib.repr(content.get('id'))}")
        return PageRequest(number, _index(content, "page", pages, "a request"))
    raise ValueError(f"not a message that a grid knows: {reprlib.repr(content)}")


def request_id(content: Any) -> int | None:
    """The id of a message that waits for a reply; None where it has none."""
    number = content.get("id") if isinstance(content, dict) else None
    return number if type(number) is int else None


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


def error_reply(request: int, message: str) -> dict[str, Any]:
    """The reply to a request that failed."""
    return {"kind": "error", "id": request, "message": message}


def _index(content: dict[str, Any], what: str, length: int, of: str) -> int:
    index = content.get(what)
    if type(index) is not int or not 0 <= index < length:
        raise ValueError(f"{what} of {of} must be an int from 0 to {length - 1}, got {reprlib.repr(index)}")
    return index

"""What the page and the kernel say to each other beside the traits; twin of js/src/messages.ts."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Click:
    """A cell was clicked in the page: its position in the whole matrix."""

    row: int
    column: int


def read_click(content: Any, shape: tuple[int, int]) -> Click:
    """The click that a message from the page speaks of.

    Raises
    ------
    ValueError
        If the content is anything else than a click on a cell of a matrix of that shape. A page may
        send what it likes: everything is checked.
    """
    if not isinstance(content, dict) or content.get("kind") != "click":
        raise ValueError(f"not a message that a grid knows: {reprlib.repr(content)}")
    row, column = content.get("row"), content.get("column")
    for axis, index, length in (("row", row, shape[0]), ("column", column, shape[1])):
        if type(index) is not int or not 0 <= index < length:
            raise ValueError(f"{axis} of a click must be an int from 0 to {length - 1}, got {reprlib.repr(index)}")
    assert isinstance(row, int)
    assert isinstance(column, int)
    return Click(row, column)

"""Where a matrix is divided: heads of attention, the components of a fused tensor, experts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from layergrid.names import Address, Piece, head_counts

# Component -> the axis along which it is divided into heads, whose heads, and what they are called.
_HEADED: dict[str, tuple[Literal["row", "column"], int, str]] = {
    "q": ("row", 0, "query head"),
    "q_b": ("row", 0, "query head"),
    "k": ("row", 1, "key head"),
    "v": ("row", 1, "value head"),
    "k_b": ("row", 0, "key head"),
    "v_b": ("row", 0, "value head"),
    "kv_b": ("row", 0, "head"),
    "o": ("column", 0, "query head"),
}


@dataclass(frozen=True)
class Division:
    """Parts of a matrix along one axis, one after the other."""

    axis: Literal["row", "column"]
    starts: tuple[int, ...]
    """The first row or column of each part, from 0 on."""
    labels: tuple[str, ...]
    """What each part is: "query head 3", "mlp.gate", "expert 7"."""


def divisions(
    address: Address | None,
    shape: Sequence[int],
    config: Mapping[str, Any],
    pieces: Sequence[Piece] = (),
) -> tuple[Division, ...]:
    """How a matrix of outputs x inputs is divided, as far as config and shape tell.

    Parameters
    ----------
    address : of the tensor; None for one that belongs to no block, which is not divided
    shape : of the matrix as it is shown; of the tensor where it holds several experts
    config : the model's config.json, or the scalars of a GGUF header; {} where there is none
    pieces : of a fused tensor that is shown whole
    """
    if address is None:
        return ()
    if len(shape) > 2:
        stacked = address.expert == "*"
        return (Division("row", tuple(range(shape[0])), _numbered("expert", shape[0])),) if stacked else ()
    if pieces:
        return (_fused(pieces, shape, "transposed" in address.flags),)
    place, _, part = address.component.rpartition(".")
    counts = head_counts(config, address.stack)
    if place not in ("attn", "cross_attn") or part not in _HEADED or counts is None:
        return ()
    axis, whose, what = _HEADED[part]
    length = shape[-1] if axis == "column" else shape[0]
    count = counts[whose]
    if len(shape) < 2 or length % count or count < 2:
        return ()
    return (Division(axis, tuple(range(0, length, length // count)), _numbered(what, count)),)


def _numbered(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what} {index}" for index in range(count))


def _fused(pieces: Sequence[Piece], shape: Sequence[int], transposed: bool) -> Division:
    # A transposed tensor is shown with its outputs, which the pieces divide, as rows.
    axis: Literal["row", "column"] = "column" if pieces[0].axis == -1 and not transposed else "row"
    length = shape[-1] if axis == "column" else shape[0]
    found = [
        (start, piece.component) for piece in pieces for start in range(piece.start, math.ceil(length), piece.step)
    ]
    starts, labels = zip(*sorted(found), strict=True)
    return Division(axis, starts, labels)

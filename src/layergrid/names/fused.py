"""Fused matrices taken apart: which of their rows are whose, where the config or the shapes say so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layergrid.names.address import CORE, Address
from layergrid.names.config import Heads, heads_of, model_types
from layergrid.names.layouts import HEADS_FIRST, LAYOUTS, PARTS, LayoutRow
from layergrid.names.model import parse_names
from layergrid.names.settling import Shape

_HEADS_FIRST = re.compile(HEADS_FIRST)
_KIND = re.compile(r"[./](?:weight|bias|kernel|w|b)(?::0)?$")
_ROWS = {
    part: [(row, re.compile(rf"(?:.*[./])?(?:{row.name})"), re.compile(row.model_type)) for row in reversed(rows)]
    for part, rows in LAYOUTS.items()
}


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a fused tensor that belongs to one component."""

    component: str
    """ "attn.q", "mlp.gate" ..."""

    axis: int
    """The axis that is divided, counted from the last: -2 for the rows of a matrix, -1 for its columns."""

    start: int
    """The first index that belongs to the component."""

    length: int
    """How many indices from there on do."""

    step: int
    """After how many indices the same repeats; the length of the axis where it does not."""

    def ranges(self, length: int) -> str:
        """The indices of an axis of that length, for people: "0:768", "64:128 of every 192"."""
        first = f"{self.start}:{self.start + self.length}"
        return first if self.step >= length else f"{first} of every {self.step}"


def split_fused(
    shapes: Mapping[str, Shape],
    config: Mapping[str, Any] | None = None,
    addresses: Mapping[str, Address | None] | None = None,
) -> dict[str, tuple[Piece, ...]]:
    """The pieces of every tensor that holds several components, as far as config and shapes tell.

    Queries, keys and values are told apart by the heads that the config speaks of, and by how wide a vector the
    layer's output projection takes; where neither says how many rows are whose, or the two disagree, a tensor is left
    whole. So is one whose layout no row of `layergrid.names.layouts` knows.

    Parameters
    ----------
    shapes : full parameter name -> the tensor's shape, or None where unknown
    config : the model's config.json, or the scalars of a GGUF header
    addresses : what `parse_names` gives for the shapes, where it is at hand

    Returns
    -------
    name -> pieces in the usual order (q, k, v; gate, up); only names that are taken apart. A tensor of unknown shape
    has the pieces of the same part in another layer.
    """
    config = config or {}
    addresses = parse_names(shapes) if addresses is None else addresses
    siblings = _Siblings(shapes, addresses)
    types = frozenset(model_types(config))
    found: dict[str, tuple[Piece, ...]] = {}
    by_part: dict[tuple[str, str, bool], tuple[Piece, ...]] = {}
    unseen = []
    for name, address in addresses.items():
        if address is None or not _is_fused(address):
            continue
        shape, part = shapes[name], (address.stack, address.part, "bias" in address.flags)
        if shape is None:
            unseen.append((name, part))
        elif (row := _row(name, address, types)) and (pieces := _pieces(address, shape, row, config, siblings)):
            found[name] = by_part[part] = pieces
    found.update((name, by_part[part]) for name, part in unseen if part in by_part)
    return found


def _is_fused(address: Address) -> bool:
    if any(flag == "packed" or flag.startswith(("quant_", "lora_")) for flag in address.flags):
        return False
    return address.component in CORE and address.component.rpartition(".")[2] in PARTS


def _row(name: str, address: Address, types: frozenset[str]) -> LayoutRow | None:
    """How the parts of a tensor are laid out; None where that is not known."""
    words = _KIND.sub("", name)
    for row, pattern, model_type in _ROWS[address.component.rpartition(".")[2]]:
        typed = not row.model_type or any(map(model_type.fullmatch, types))
        if typed and pattern.fullmatch(words) and row.flags <= address.flags:
            return None if row.groups == "unknown" else row
    return None


# --- How many rows are whose -----------------------------------------------------------------------------


def _pieces(
    address: Address, shape: Sequence[int], row: LayoutRow, config: Mapping[str, Any], siblings: _Siblings
) -> tuple[Piece, ...]:
    stacked = (address.layer is None) + (address.expert == "*")
    inner = tuple(shape[stacked:])
    place, _, fused = address.component.rpartition(".")
    components = {part: f"{place}.{part}" for part in PARTS[fused]}
    if own := _own_axis(inner, len(row.order)):
        return tuple(Piece(components[part], own, at, 1, len(row.order)) for at, part in enumerate(row.order))
    length = _divided(inner, address)
    if length is None:
        return ()
    heads = heads_of(config, address.stack)
    counted = _counts(address, length, heads, siblings)
    repeats = {"one": 1, "four": 4, "each": length // len(row.order), "kv_heads": heads.keys if heads else 0}
    groups = repeats[row.groups]
    if counted is None or not groups or any(rows % groups for rows in counted.values()):
        return ()
    axis = -1 if "transposed" in address.flags else -len(inner)
    start = 0
    placed = {}
    for part in row.order:
        rows = counted[part] // groups
        placed[part] = Piece(components[part], axis, start, rows, length // groups)
        start += rows
    return tuple(placed[part] for part in PARTS[fused])


def _own_axis(shape: tuple[int, ...], parts: int) -> int | None:
    """The axis over the parts where they have one of their own: (3, heads, width, head), (width, 3, ...)."""
    axes = [axis for axis, length in enumerate(shape[:2]) if length == parts]
    return axes[0] - len(shape) if len(shape) > 2 and len(axes) == 1 else None


def _divided(shape: tuple[int, ...], address: Address) -> int | None:
    """The length of the axis that the parts share; None where no axis of it can be told."""
    if not shape or any(length != 1 for length in shape[2:]):
        return None
    return shape[-1] if "transposed" in address.flags else shape[0]


def _counts(address: Address, length: int, heads: Heads | None, siblings: _Siblings) -> dict[str, int] | None:
    """The number of rows of each part; None where it is not certain."""
    fused = address.component.rpartition(".")[2]
    equal, rest = divmod(length, len(PARTS[fused]))
    alike = None if rest else dict.fromkeys(PARTS[fused], equal)
    if fused == "gate_up":
        return alike if siblings.inner(address) in (None, equal) else None
    if siblings.goes_head_by_head(address):
        return None
    attended = siblings.attended(address)
    if heads is None:
        return alike if attended == equal else None
    if fused == "kv":  # by itself it might also be one vector that serves as both
        return alike if equal in (attended, heads.keys * (heads.size or 0)) else None
    size, rest = divmod(length, heads.queries + 2 * heads.keys)
    if not rest and heads.size in (None, size) and attended in (None, heads.queries * size):
        return {"q": heads.queries * size, "k": heads.keys * size, "v": heads.keys * size}
    return alike if attended == equal else None


class _Siblings:
    """The matrices beside a fused one that say how wide its parts are."""

    def __init__(self, shapes: Mapping[str, Shape], addresses: Mapping[str, Address | None]) -> None:
        self._attended: dict[object, set[int]] = defaultdict(set)
        self._inner: dict[object, set[int]] = defaultdict(set)
        self._head_by_head: set[object] = set()
        for name, address in addresses.items():
            shape = shapes[name]
            if address is None or shape is None:
                continue
            if _HEADS_FIRST.fullmatch(f"{address.stack}.{address.part}"):
                self._head_by_head.add((address.stack, address.layer))
            if address.component == "mlp.down":
                self._inner[_mlp(address)] |= _inputs(address, shape)
            elif address.component.endswith("attn.o") and address.component in CORE:
                self._attended[_attention(address)] |= _inputs(address, shape)

    def attended(self, address: Address) -> int | None:
        """How many numbers the output projection takes, as many as the queries have; None where untold."""
        return _only(self._attended[_attention(address)])

    def inner(self, address: Address) -> int | None:
        """How many numbers `mlp.down` takes, as many as gate and up have each; None where untold."""
        return _only(self._inner[_mlp(address)])

    def goes_head_by_head(self, address: Address) -> bool:
        """Whether the attention is of the kind whose heads come first, each with its own widths."""
        return (address.stack, address.layer) in self._head_by_head


def _attention(address: Address) -> object:
    return address.stack, address.layer, address.component.rpartition(".")[0]


def _mlp(address: Address) -> object:
    return address.stack, address.layer, address.expert


def _inputs(address: Address, shape: Sequence[int]) -> set[int]:
    """How many numbers a matrix takes; none where it is no plain matrix."""
    if any(flag in ("bias", "packed", "heads") or flag.startswith(("quant_", "lora_")) for flag in address.flags):
        return set()
    inner = shape[(address.layer is None) + (address.expert == "*") :]
    if len(inner) < 2 or any(length != 1 for length in inner[2:]):
        return set()
    return {inner[0] if "transposed" in address.flags else inner[1]}


def _only(widths: set[int]) -> int | None:
    return next(iter(widths)) if len(widths) == 1 else None

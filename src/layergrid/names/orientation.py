"""Which matrices of a layer are stored inputs first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from layergrid.names import rules
from layergrid.names.address import CORE
from layergrid.names.settling import Module, Settling


def layer_width(tensors: list[Settling]) -> int | None:
    """The layer's width: the commonest length of its norms, the largest of several; None where unknown."""
    lengths = Counter(
        t.shape[0] for t in tensors if t.component == "norm" and t.shape is not None and len(t.shape) == 1
    )
    return max(lengths, key=lambda length: (lengths[length], length), default=None)


def settle_orientation(modules: Iterable[Module], width: int | None) -> None:
    """Flag the matrices stored (in, out), where a whole module agrees on it."""
    undecided = []
    layer_is_transposed = False
    for module in modules:
        matrices = [t for part in module.values() for t in part if width_side(t) is not None and t.matrix]
        votes = [(width_side(t), vote) for t in matrices if (vote := _is_transposed(t, width)) is not None]
        if not all(vote for _, vote in votes):
            continue
        sides = {side for side, _ in votes}
        if any(t.component == "mlp.down" for t in matrices):  # a square one goes with the others of its MLP
            sides |= {width_side(t) for t in matrices if votes and _is_transposed(t, width) is None}
        if len(sides) == 2 or any(_is_wide_qkv(t) for t in matrices):
            for tensor in matrices:
                tensor.flags.add("transposed")
            layer_is_transposed |= any(tensor.expert != "*" for tensor in matrices)
        else:
            undecided += matrices
    if layer_is_transposed:
        for tensor in undecided:
            tensor.flags.add("transposed")


def width_side(tensor: Settling) -> int | None:
    """Which axis of the matrix, stored outputs first, is as wide as the layer, 0 or 1; None where that is not known."""
    if tensor.component not in CORE:
        return None
    return rules.WIDTH_SIDE.get(tensor.component.rpartition(".")[2])


def _is_wide_qkv(tensor: Settling) -> bool:
    sizes = tensor.matrix
    return tensor.component == "attn.qkv" and sizes is not None and sizes[1] == 3 * sizes[0]


def _is_transposed(tensor: Settling, width: int | None) -> bool | None:
    """Whether a matrix is stored (in, out), by the side as wide as the layer; None if untold."""
    side, sizes = width_side(tensor), tensor.matrix
    if _is_wide_qkv(tensor):
        return True
    if side is None or sizes is None or sizes[0] == sizes[1] or width not in sizes:
        return None
    return sizes[1 - side] == width

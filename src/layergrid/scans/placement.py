"""Which cell of the grid each tensor belongs to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from layergrid.names import Address, Piece, parse_names, split_fused
from layergrid.tensor import Room, Tensor

Include = Literal["matrices", "weights", "all"]

MAX_PARTS = 1 << 20
"""Layers and experts in one tensor; a damaged header can announce more than could ever be gone through."""

EXPERT_NONE = -1
"""In the `expert` dimension, the place of what belongs to no expert."""

# Blocks of so many elements are read one by one.
_LONG_BLOCK = 1 << 14

# The order of the columns; components of other names follow in the order of the source.
_ORDER = (
    *(
        "attn.qkv",
        "attn.q",
        "attn.q_a",
        "attn.q_b",
        "attn.k",
        "attn.kv",
        "attn.kv_a",
        "attn.kv_b",
        "attn.k_b",
    ),
    *("attn.v", "attn.v_b", "attn.o"),
    *("cross_attn.q", "cross_attn.k", "cross_attn.kv", "cross_attn.v", "cross_attn.o"),
    *("moe.router", "moe.shared_gate", "mlp.gate_up", "mlp.up", "mlp.gate", "mlp.down"),
    *("ssm.in", "ssm.conv", "ssm.x", "ssm.dt", "ssm.A", "ssm.D", "ssm.out"),
)


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell of the grid, and the numbers it stands for."""

    stack: str
    layer: int
    component: str
    expert: int
    """From 0; `EXPERT_NONE` for what belongs to no expert."""
    parameter: str
    """Full name of the tensor, as the source has it."""
    tensor: Tensor | None
    """What is measured: the tensor, or its part where it holds several layers, experts or components; None where the
    source knows the name but could not read the tensor."""
    rows: str = ""
    """Which rows of the tensor are measured, "0:768" or "columns 0:64 of every 192"; "" for all of them."""
    transposed: bool = False
    """Whether a matrix is stored as (inputs, outputs)."""


@dataclass(frozen=True)
class Placement:
    """All cells of a model, and the tensors that have none."""

    cells: tuple[Cell, ...]
    """Fused tensors are one cell each; `split` takes them apart."""
    outside: tuple[str, ...]
    """Tensors of no block (embeddings, heads, final norms) and, with their reason, those left out."""
    pieces: Mapping[str, tuple[Piece, ...]] = field(default_factory=dict)
    """By parameter: the components of fused tensors, where it is known which rows are whose."""


def place(
    tensors: Mapping[str, Tensor],
    missing: Sequence[str] = (),
    include: Include = "matrices",
    config: Mapping[str, Any] | None = None,
) -> Placement:
    """The cells of a model's tensors.

    Parameters
    ----------
    missing : names of tensors that could not be read; their cells are there, without a tensor
    include : "matrices", weights of two axes or more; "weights", also vectors such as those of norms; "all",
        also biases, each a component of its own: ``attn.q.bias``
    config : the model's config, which tells how fused tensors are laid out
    """
    if include not in get_args(Include):
        raise ValueError(f"include must be one of {', '.join(get_args(Include))}, got {include!r}")
    shapes: dict[str, tuple[int, ...] | None] = {name: tensor.shape for name, tensor in tensors.items()}
    shapes = {**dict.fromkeys(missing), **shapes}
    addresses = parse_names(shapes)
    cells: list[tuple[Cell, Address]] = []
    outside = []
    for name, address in addresses.items():
        if address is None:
            outside.append(name)
        elif "packed" in address.flags:
            outside.append(f"{name}: packed integers, not weights; scan the unquantised or a GGUF version")
        elif (parts := _count_parts(address, tensors.get(name))) > MAX_PARTS:
            outside.append(f"{name}: {parts} layers and experts in one tensor, at most {MAX_PARTS} are taken apart")
        elif not any(flag.startswith("quant_") for flag in address.flags):
            cells.extend(
                (cell, address)
                for cell in _cells(name, address, tensors.get(name))
                if _is_included(address, cell.tensor, include)
            )
    return Placement(*_told_apart(cells, outside), split_fused(shapes, config, addresses))


def split(cells: Sequence[Cell], pieces: Mapping[str, Sequence[Piece]]) -> tuple[Cell, ...]:
    """The cells, with those of fused tensors replaced by one for each component that the tensor holds.

    Where a layer has such a component in a tensor of its own as well, the fused one stays whole.
    """
    taken = set(map(_key, cells))
    found: list[Cell] = []
    for cell in cells:
        parts = [_piece_of(cell, piece) for piece in pieces.get(cell.parameter, ())]
        found += [cell] if not parts or any(_key(part) in taken for part in parts) else parts
    return tuple(found)


def _piece_of(cell: Cell, piece: Piece) -> Cell:
    component = ".".join([piece.component, *cell.component.split(".")[2:]])  # attn.qkv.bias has attn.q.bias
    if cell.tensor is None:
        return replace(cell, component=component)
    shape = cell.tensor.shape
    axis = len(shape) + piece.axis
    length, inner = shape[axis], math.prod(shape[axis + 1 :])
    rows = piece.ranges(length)
    if axis and axis == len(shape) - 1:
        rows = f"columns {rows}"
    part_shape = (*shape[:axis], length // piece.step * piece.length, *shape[axis + 1 :])
    if piece.length == 1 and piece.step == length:  # an axis over the parts alone
        part_shape = shape[:axis] + shape[axis + 1 :]
    read = Blocks(cell.tensor, piece.start * inner, piece.length * inner, piece.step * inner)
    part = replace(cell.tensor, name=f"{cell.tensor.name}[{rows}]", shape=part_shape, read=read)
    return replace(cell, component=component, tensor=part, rows=rows)


def component_order(components: Sequence[str]) -> list[str]:
    """The components without repetition, those of the usual blocks first and in their usual order."""
    rank = {component: position for position, component in enumerate(_ORDER)}
    return sorted(dict.fromkeys(components), key=lambda component: rank.get(component, len(rank)))


def _is_included(address: Address, tensor: Tensor | None, include: Include) -> bool:
    if "bias" in address.flags:
        return include == "all"
    return include != "matrices" or tensor is None or len(tensor.shape) >= 2


def _cells(name: str, address: Address, tensor: Tensor | None) -> Iterator[Cell]:
    """The cells of one tensor: several where it holds all layers, all experts or both."""
    component = address.component
    if address.expert == "shared":
        component += ".shared"
    for suffix in ("lora_A", "lora_B", "bias"):
        if suffix in address.flags:
            component += f".{suffix}"
    for layer, of_layer in _along_axis(tensor) if address.layer is None else [(address.layer, tensor)]:
        experts: Iterator[tuple[int, Tensor | None]] | list[tuple[int, Tensor | None]]
        if address.expert == "*":
            experts = _along_axis(of_layer)
        else:
            experts = [(address.expert if isinstance(address.expert, int) else EXPERT_NONE, of_layer)]
        for expert, part in experts:
            transposed = "transposed" in address.flags
            yield Cell(address.stack, layer, component, expert, name, part, transposed=transposed)


def _count_parts(address: Address, tensor: Tensor | None) -> int:
    """How many cells the tensor is taken apart into."""
    axes = (address.layer is None) + (address.expert == "*")
    return math.prod(tensor.shape[:axes]) if tensor is not None else 1


def _along_axis(tensor: Tensor | None) -> Iterator[tuple[int, Tensor | None]]:
    """The slices of a tensor along its first axis, with their index; none where it has no axis."""
    if tensor is None or not tensor.shape:
        return
    shape = tensor.shape[1:]
    size = math.prod(shape)
    for index in range(tensor.shape[0]):
        read = Blocks(tensor, index * size, size, tensor.size)
        yield index, replace(tensor, name=f"{tensor.name}[{index}]", shape=shape, read=read)


@dataclass(frozen=True, eq=False)
class Blocks:
    """The elements of a tensor that lie in blocks at equal distances, as `Tensor.read` gives them."""

    tensor: Tensor
    offset: int
    """Where the first block begins; this and the next two count elements."""
    length: int
    """Of each block."""
    step: int
    """From the begin of one block to that of the next; the tensor holds a whole number of steps."""

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, counted over the blocks as if nothing lay between them."""
        return self.into(start, stop, Room())

    def into(self, start: int, stop: int, room: Room) -> np.ndarray:
        """The same, in memory that is used again where they lie in one block."""
        length = max(self.length, 1)
        first, last = start // length, -(-stop // length)
        if last - first <= 1:
            begin = self.offset + first * self.step + start - first * length
            return room.read(self.tensor, begin, begin + stop - start)
        if length >= _LONG_BLOCK:
            ends = [(max(start, at * length), min(stop, (at + 1) * length)) for at in range(first, last)]
            return np.concatenate([self(*end) for end in ends])
        # Short blocks cost less when what lies between them is read as well.
        run = self.tensor.read(first * self.step, last * self.step).reshape(-1, self.step)
        blocks = run[:, self.offset : self.offset + length].reshape(-1)
        return blocks[start - first * length : stop - first * length]


def _told_apart(cells: Sequence[tuple[Cell, Address]], outside: list[str]) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """Give the tensors of one place, such as the two norms of a block, components of their own.

    They are told apart by what the code calls them, ``norm.input_layernorm``, then by the last word too. What
    even then shares a cell is left out, and said so.
    """
    named = [cell for cell, _ in cells]
    parts = [address.part for _, address in cells]
    leaves = [cell.parameter.rpartition(".")[2] for cell in named]
    for suffixes in (parts, leaves):
        crowded = _crowded(named)
        named = [
            replace(cell, component=f"{cell.component}.{suffix}")
            if suffix and (cell.stack, cell.component) in crowded
            else cell
            for cell, suffix in zip(named, suffixes, strict=True)
        ]
    first: dict[tuple[str, int, str, int], str] = {}
    kept = []
    for cell in named:
        other = first.setdefault(_key(cell), cell.parameter)
        if other == cell.parameter:
            kept.append(cell)
        else:
            outside.append(f"{cell.parameter}: in the place of {other}")
    return tuple(kept), tuple(outside)


def _key(cell: Cell) -> tuple[str, int, str, int]:
    return cell.stack, cell.layer, cell.component, cell.expert


def _crowded(cells: Sequence[Cell]) -> set[tuple[str, str]]:
    """(stack, component) of which some layer has more than one."""
    count = Counter(_key(cell) for cell in cells)
    return {(stack, component) for (stack, _, component, _), number in count.items() if number > 1}

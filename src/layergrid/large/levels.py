"""The levels of a matrix: how far each is reduced, which ones fit a number of bytes, and where they are kept."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from layergrid.large.windows import PLANES, Blocks, Plane, level_factor, reduce_blocks

OVERVIEW = 1024
"""Longest side of an overview, in blocks."""

# The finest level is made of blocks of 4 x 4: with all that follow it takes a quarter of the memory of the matrix.
_FINEST = 4
# Levels below this are no cheaper to ask than to make from the one before.
_COARSEST = 512
# A matrix so much longer than wide (or wider than long) also has levels of blocks that are so in proportion, as a
# window that shows it in both directions needs them, at every zoom.
_SKEWED = 8
# A matrix longer than this also has levels that are reduced along its length only, from such blocks on. A window
# of a few columns over all its rows would have to read too many cells otherwise.
_LONG = 1 << 15
_FINEST_LONG = 64
# Of the bytes allowed, those that skewed and long levels may take; the rest is for the usual ones.
_SKEWED_SHARE = 0.3
_LONG_SHARE = 0.3


@dataclass(frozen=True)
class Level:
    """Blocks of `row_factor` x `column_factor` cells over a whole matrix."""

    row_factor: int
    column_factor: int

    @property
    def size(self) -> int:
        """Cells in a block."""
        return self.row_factor * self.column_factor

    def shape(self, cells: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of blocks over a matrix of that shape."""
        return -(-cells[0] // self.row_factor), -(-cells[1] // self.column_factor)

    def divides(self, other: Level) -> bool:
        """Whether the blocks of the other level are made of whole blocks of this one."""
        return other.row_factor % self.row_factor == 0 and other.column_factor % self.column_factor == 0


@dataclass(frozen=True)
class Plan:
    """Which levels a matrix has, and what each is made of."""

    overview: Level
    sources: dict[Level, Level | None]
    """By level, in the order of making, the one it is made of; None for the cells."""

    @property
    def from_cells(self) -> list[Level]:
        """Those made of the cells."""
        return [level for level, source in self.sources.items() if source is None]


def plan_levels(cells: tuple[int, int], block_bytes: int, budget_bytes: int) -> Plan:
    """The finest levels of a matrix that fit `budget_bytes`; its overview always is among them.

    Parameters
    ----------
    cells : rows and columns of the matrix
    block_bytes : of all aggregates of one block
    """
    overview = Level(level_factor(cells[0], OVERVIEW), level_factor(cells[1], OVERVIEW))
    budget_bytes -= _size(overview, cells) * block_bytes
    chains = [
        _fitting(chain, cells, block_bytes, int(budget_bytes * share))
        for chain, share in ((_skewed(overview), _SKEWED_SHARE), *((chain, _LONG_SHARE) for chain in _long(cells)))
    ]
    budget_bytes -= sum(_size(level, cells) for chain in chains for level in chain) * block_bytes
    usual = [Level(factor, factor) for factor in _factors(_FINEST, max(cells))]
    chains.insert(0, _fitting(usual, cells, block_bytes, budget_bytes))
    sources: dict[Level, Level | None] = {}
    for chain in chains:
        for index, level in enumerate(chain):
            sources.setdefault(level, chain[index - 1] if index else None)
    # The overview follows the reading, so it is made of what is made of the cells.
    finest = [level for level, source in sources.items() if source is None and level != overview]
    sources[overview] = _coarsest(finest, overview)
    return Plan(overview, sources)


def _skewed(overview: Level) -> list[Level]:
    """Levels of blocks in the proportions of the overview's, where those are far from square."""
    short = min(overview.row_factor, overview.column_factor)
    tall, wide = overview.row_factor // short, overview.column_factor // short
    if max(tall, wide) < _SKEWED:
        return []
    return [Level(tall * factor, wide * factor) for factor in _factors(1, short * _COARSEST)]


def _long(cells: tuple[int, int]) -> list[list[Level]]:
    """Levels that are reduced along one axis only, for each axis that is long."""
    chains = []
    if cells[0] > _LONG:
        chains.append([Level(factor, 1) for factor in _factors(_FINEST_LONG, cells[0])])
    if cells[1] > _LONG:
        chains.append([Level(1, factor) for factor in _factors(_FINEST_LONG, cells[1])])
    return chains


def _factors(first: int, length: int) -> list[int]:
    factors = [first]
    while length / factors[-1] > _COARSEST:
        factors.append(2 * factors[-1])
    return factors


def _fitting(chain: list[Level], cells: tuple[int, int], block_bytes: int, budget_bytes: int) -> list[Level]:
    """The end of a chain of ever coarser levels that fits."""
    while chain and sum(_size(level, cells) for level in chain) * block_bytes > budget_bytes:
        chain = chain[1:]
    return chain


def _size(level: Level, cells: tuple[int, int]) -> int:
    rows, columns = level.shape(cells)
    return rows * columns


def _coarsest(levels: Sequence[Level], wanted: Level) -> Level | None:
    """Of the levels that `wanted` can be made of, the one of the largest blocks."""
    return max((level for level in levels if level.divides(wanted)), key=lambda level: level.size, default=None)


class Levels:
    """The blocks of every level of a plan, in one piece of memory or of a file.

    Parameters
    ----------
    cells : rows and columns of the matrix
    dtype : of the aggregates
    counted : whether blocks hold how many of their cells are there
    buffer : of `levels_bytes` to keep them in; anonymous memory where None, which goes back to the system with the
        last array that lies in it
    """

    def __init__(
        self, cells: tuple[int, int], levels: Sequence[Level], dtype: Any, counted: bool, buffer: Any = None
    ) -> None:
        self.cells = cells
        self.dtype = np.dtype(dtype)
        self._counted = counted
        self.buffer = _anonymous(levels_bytes(cells, levels, dtype, counted)) if buffer is None else buffer
        self._blocks: dict[Level, Blocks] = {}
        offset = 0
        for level in levels:
            self._blocks[level] = self._at(level, offset)
            offset += levels_bytes(cells, [level], dtype, counted)

    def __getitem__(self, level: Level) -> Blocks:
        return self._blocks[level]

    def source_of(self, wanted: Level) -> Level | None:
        """The level that a wanted one is made of with the least work; None where that is the cells."""
        return _coarsest(list(self._blocks), wanted)

    def reduced(
        self, source: Level, wanted: Level, rows: slice, columns: slice, planes: Iterable[Plane] = PLANES
    ) -> Blocks:
        """Blocks `rows` x `columns` of a wanted level, made of a finer one."""
        height, width = source.shape(self.cells)
        tall, wide = wanted.row_factor // source.row_factor, wanted.column_factor // source.column_factor
        bottom, right = min(rows.stop * tall, height), min(columns.stop * wide, width)
        part = self[source].only(planes)[rows.start * tall : bottom, columns.start * wide : right]
        if tall == wide == 1:
            return part
        last_row = last_share(self.cells[0], source.row_factor) if bottom == height else 1.0
        last_column = last_share(self.cells[1], source.column_factor) if right == width else 1.0
        return reduce_blocks(part, tall, wide, last_row, last_column)

    def _at(self, level: Level, offset: int) -> Blocks:
        shape = level.shape(self.cells)
        count = shape[0] * shape[1]
        planes = np.frombuffer(self.buffer, self.dtype, len(PLANES) * count, offset).reshape(-1, *shape)
        counts = None
        if self._counted:
            counts = np.frombuffer(self.buffer, np.int32, count, offset + planes.nbytes).reshape(shape)
        return Blocks(dict(zip(PLANES, planes, strict=True)), counts)


def _anonymous(size_bytes: int) -> mmap.mmap:
    """Memory of its own, in large pages where the system has them: each page costs when it is first touched."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, size_bytes)
    buffer = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has none
    with suppress(OSError):  # a kernel without them
        buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer


def levels_bytes(cells: tuple[int, int], levels: Sequence[Level], dtype: Any, counted: bool) -> int:
    """Bytes of all blocks of some levels; each begins at the start of a cache line."""
    return sum(-(-_size(level, cells) * block_bytes(dtype, counted) // 64) * 64 for level in levels)


def block_bytes(dtype: Any, counted: bool) -> int:
    """Bytes of all aggregates of one block."""
    return len(PLANES) * int(np.dtype(dtype).itemsize) + (4 if counted else 0)


def last_share(cells: int, factor: int) -> float:
    """Size of the last block along an axis, as a share of the others'."""
    return ((cells - 1) % factor + 1) / factor

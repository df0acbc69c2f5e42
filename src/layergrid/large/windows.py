"""A window of a matrix, reduced to blocks where there are more cells than the picture has room for.

Blocks are `row_factor` x `column_factor` cells, powers of two, and begin at multiples of these from the first
cell on, so that they stay the same while the window moves; the last ones may be smaller. Absent cells take no
part; a block is absent where all its cells are. One NaN or infinity among the others marks the block, whatever
the aggregate, so that it never vanishes: NaN before infinities, and infinities of both signs make NaN.

Twin of js/src/windows.ts; both read tests/fixtures/window_cases.json.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from layergrid.tensor import widen

AGGREGATES = ("mean", "min", "max", "extreme")
"""What a block shows of its cells; "extreme" is the value farthest from the center, of two the larger one."""

# Cells reduced at a time: fewer, and what Python does around them takes longer than they; more leave the caches.
_TILE = 1 << 19


@dataclass(frozen=True)
class Window:
    """A part of a matrix, and how far it is reduced.

    Raises
    ------
    ValueError
        If an edge is no int or negative, an end lies before its beginning, or a factor is no power of two.
    """

    top: int
    bottom: int
    """First row behind the window."""
    left: int
    right: int
    """First column behind the window."""
    row_factor: int = 1
    """Rows of cells in a block: a power of two."""
    column_factor: int = 1

    def __post_init__(self) -> None:
        edges = (self.top, self.bottom, self.left, self.right)
        if not all(type(edge) is int for edge in edges) or not (
            0 <= self.top <= self.bottom and 0 <= self.left <= self.right
        ):
            raise ValueError(
                f"a window needs 0 <= top <= bottom and 0 <= left <= right, all int; got rows {self.top!r} to "
                f"{self.bottom!r}, columns {self.left!r} to {self.right!r}"
            )
        for factor in (self.row_factor, self.column_factor):
            if type(factor) is not int or factor < 1 or factor & (factor - 1):
                raise ValueError(f"a block must be a power of two long, got {factor!r}")

    def blocks(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The rows and columns of blocks it touches in a matrix; empty where it lies outside."""
        return (
            _block_range(self.top, min(self.bottom, shape[0]), self.row_factor),
            _block_range(self.left, min(self.right, shape[1]), self.column_factor),
        )

    @property
    def transposed(self) -> Window:
        """The same part of the transposed matrix."""
        return Window(self.left, self.right, self.top, self.bottom, self.column_factor, self.row_factor)


def _block_range(first: int, end: int, factor: int) -> slice:
    block = first // factor
    return slice(block, -(-end // factor) if first < end else block)


def level_factor(cells: int, pixels: int) -> int:
    """The smallest power of two that puts `cells` into at most `pixels` blocks, or into one."""
    factor = 1
    while -(-cells // factor) > max(1, pixels):
        factor *= 2
    return factor


Plane = Literal["mean", "min", "max"]
PLANES: tuple[Plane, ...] = ("mean", "min", "max")
"""What is kept of each block of a level."""


def planes_of(aggregate: str) -> tuple[Plane, ...]:
    """Those that an aggregate follows from. Either bound needs the other to know a block that is marked."""
    return ("mean",) if aggregate == "mean" else ("min", "max")


@dataclass(frozen=True, eq=False)
class Blocks:
    """Aggregates of blocks; all arrays of shape (rows, columns) in blocks, floats of one dtype."""

    planes: Mapping[Plane, np.ndarray]
    """All of `PLANES`, or those that were asked for. The mark where a block is marked, NaN where it is absent, in
    each of them."""
    counts: np.ndarray | None = None
    """int32: cells that are there; None where that follows from the block's size."""

    @property
    def mean(self) -> np.ndarray:
        """The mean of the cells of each block."""
        return self.planes["mean"]

    @property
    def min(self) -> np.ndarray:
        """The smallest one."""
        return self.planes["min"]

    @property
    def max(self) -> np.ndarray:
        """The largest one."""
        return self.planes["max"]

    @property
    def any_plane(self) -> np.ndarray:
        """One of them, which shows where blocks are marked."""
        return next(iter(self.planes.values()))

    def aggregate(self, name: str, center: float = 0.0) -> np.ndarray:
        """The values of one of `AGGREGATES`."""
        if name == "extreme":
            low, high = self.min.astype(np.float64, copy=False), self.max.astype(np.float64, copy=False)
            with np.errstate(invalid="ignore", over="ignore"):
                return np.where(center - low > high - center, self.min, self.max)
        for plane, values in self.planes.items():
            if plane == name:
                return values
        raise ValueError(f"unknown aggregate {name!r}; known: {', '.join(AGGREGATES)}")

    @property
    def absent(self) -> np.ndarray | None:
        """True where no cell of the block is there; None where all are there."""
        return None if self.counts is None else self.counts == 0

    def __getitem__(self, part: Any) -> Blocks:
        counts = None if self.counts is None else self.counts[part]
        return Blocks({name: plane[part] for name, plane in self.planes.items()}, counts)

    def only(self, planes: Iterable[Plane]) -> Blocks:
        """Some of the planes."""
        return Blocks({name: self.planes[name] for name in planes}, self.counts)

    def fill(self, other: Blocks) -> None:
        """Copy other blocks here."""
        for name, plane in self.planes.items():
            plane[:] = other.planes[name]
        if self.counts is not None:
            self.counts[:] = other.counts

    @property
    def transposed(self) -> Blocks:
        """The blocks of the transposed matrix."""
        counts = None if self.counts is None else self.counts.T
        return Blocks({name: plane.T for name, plane in self.planes.items()}, counts)


def single_cells(values: np.ndarray, absent: np.ndarray | None = None, planes: Iterable[Plane] = PLANES) -> Blocks:
    """Cells as blocks of one each."""
    return Blocks(dict.fromkeys(planes, values), None if absent is None else (~absent).astype(np.int32))


def empty_blocks(shape: tuple[int, int], dtype: Any, counted: bool, planes: Iterable[Plane] = PLANES) -> Blocks:
    """Blocks to be filled."""
    return Blocks({name: np.empty(shape, dtype) for name in planes}, np.empty(shape, np.int32) if counted else None)


def reduce_cells(
    codes: np.ndarray,
    dtype: str,
    row_factor: int,
    column_factor: int,
    *,
    absent: np.ndarray | None = None,
    planes: Iterable[Plane] = PLANES,
    into: Blocks | None = None,
) -> Blocks:
    """Blocks of single cells, of which the first begins a block.

    Parameters
    ----------
    codes : 2-D array in the storage form of `dtype` (see `layergrid.tensor.STORAGE`)
    absent : bool array of that shape; the cells are NaN where it is true
    planes : to be made
    into : blocks of the right shape, dtype and planes to be filled, instead of new ones

    Returns
    -------
    Blocks of float32 where that holds every number of `dtype`, else of float64. A mean is within 1e-6 of the
    mean magnitude of its cells, and never beyond the largest number.
    """
    rows, columns = codes.shape
    shape = (-(-rows // row_factor), -(-columns // column_factor))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        if into is None:
            if codes.size <= _TILE:
                return _reduced_tile(codes, dtype, row_factor, column_factor, absent, tuple(planes))
            into = empty_blocks(shape, widen(codes[:1, :1], dtype).dtype, absent is not None, planes)
        for part, cells in _tiles(shape, (rows, columns), row_factor, column_factor):
            gone = None if absent is None else absent[cells]
            into[part].fill(_reduced_tile(codes[cells], dtype, row_factor, column_factor, gone, tuple(into.planes)))
    return into


def _reduced_tile(
    codes: np.ndarray,
    dtype: str,
    row_factor: int,
    column_factor: int,
    absent: np.ndarray | None,
    planes: tuple[Plane, ...],
) -> Blocks:
    if absent is not None:
        return reduce_blocks(single_cells(widen(codes, dtype), absent, planes), row_factor, column_factor)
    fold = _Fold(codes.shape, row_factor, column_factor)
    made: dict[Plane, np.ndarray] = {}
    if "mean" in planes:
        made["mean"] = _mean_of_codes(codes, dtype, fold)
    if "min" in planes:
        made["min"], made["max"] = _bounds_of_codes(codes, dtype, fold)
    blocks = Blocks(made)
    unsettled = _unsettled(blocks)
    if unsettled.any():
        _mend(blocks, unsettled, single_cells(widen(codes, dtype), planes=planes), fold)
    return blocks


def _mean_of_codes(codes: np.ndarray, dtype: str, fold: _Fold) -> np.ndarray:
    """Means of blocks of cells."""
    if dtype != "BF16" or codes.shape[1] % 2 or codes.strides[1] != codes.itemsize:
        return fold.mean_of_sums(widen(codes, dtype))
    # Two bfloat16 cells are taken from each 32-bit word: half the work of widening them.
    words = codes.view(np.uint32)
    first, second = (room[: words.size].reshape(words.shape) for room in _two_rooms(words.size))
    np.left_shift(words, np.uint32(16), out=first)
    np.bitwise_and(words, np.uint32(0xFFFF0000), out=second)
    numbers = first.view(np.float32), second.view(np.float32)
    halves = _Fold(words.shape, fold.row_ratio, max(1, fold.column_ratio // 2))
    if fold.column_ratio > 1:
        return halves.mean_of_sums(np.add(*numbers, out=numbers[0]), per_cell=2)
    means = [halves.mean_of_sums(half) for half in numbers]
    return np.stack(means, axis=2).reshape(len(means[0]), -1)


_rooms = threading.local()


def _two_rooms(size: int) -> tuple[np.ndarray, np.ndarray]:
    """This thread's memory for as many 32-bit words, twice: new memory for each tile costs more than the sums."""
    if not hasattr(_rooms, "two") or _rooms.two[0].size < size:
        _rooms.two = np.empty(size, np.uint32), np.empty(size, np.uint32)
    two: tuple[np.ndarray, np.ndarray] = _rooms.two
    return two


# Floats of a sign and a magnitude, of which the codes can be compared as integers. Those need no widening.
_SIGN_AND_MAGNITUDE = frozenset({"BF16", "F16", "F8_E4M3", "F8_E5M2"})


def _bounds_of_codes(codes: np.ndarray, dtype: str, fold: _Fold) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest cells of blocks; NaN in either where a cell is NaN."""
    if dtype not in _SIGN_AND_MAGNITUDE:
        return widen(fold(codes, np.minimum), dtype), widen(fold(codes, np.maximum), dtype)
    size = codes.dtype.itemsize
    unsigned, signed = codes.view(f"u{size}"), codes.view(f"i{size}")
    # Negative numbers have the larger codes, and the largest code of them is that of the smallest number.
    folded = fold(unsigned, np.minimum), fold(unsigned, np.maximum), fold(signed, np.maximum)
    first, last, positive = (widen(bound.view(codes.dtype), dtype) for bound in folded)
    return np.minimum(first, last), np.maximum(first, positive)


def reduce_blocks(
    source: Blocks, row_ratio: int, column_ratio: int, last_row: float = 1.0, last_column: float = 1.0
) -> Blocks:
    """Blocks of `row_ratio` x `column_ratio` blocks, of which the first begins one of the result.

    Parameters
    ----------
    last_row, last_column : size of the last row and column of the source's blocks, as a share of the others'
    """
    fold = _Fold(source.any_plane.shape, row_ratio, column_ratio, last_row, last_column)
    made: dict[Plane, np.ndarray] = {}
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        counts = None if source.counts is None else fold(source.counts, np.add)
        if "mean" in source.planes:
            if source.counts is None:
                made["mean"] = fold.mean_of_sums(fold.weighted(source.mean))
            else:
                sums = fold(source.mean.astype(np.float64) * source.counts, np.add)
                made["mean"] = (sums / counts).astype(source.mean.dtype)
        if "min" in source.planes:
            made["min"], made["max"] = fold(source.min, np.minimum), fold(source.max, np.maximum)
        blocks = Blocks(made, counts)
        unsettled = _unsettled(blocks)
        if unsettled.any():
            _mend(blocks, unsettled, source, fold)
    return blocks


# Rows that are added one after the other; sums of them in turn. Rounding errors then grow with the logarithm.
_ADDED_AT_ONCE = 8


@dataclass(frozen=True)
class _Fold:
    """How an array of blocks is folded into fewer ones."""

    shape: tuple[int, ...]
    row_ratio: int
    column_ratio: int
    last_row: float = 1.0
    last_column: float = 1.0

    def __call__(self, values: np.ndarray, join: np.ufunc) -> np.ndarray:
        """Join the values of each block: rows first, which lie one after another, then columns in pairs."""
        ratio = self.row_ratio
        while ratio > 1 and len(values) > 1:
            at_once = min(ratio, _ADDED_AT_ONCE) if join is np.add else ratio
            values = _joined_rows(values, at_once, join)
            ratio //= at_once
        ratio = self.column_ratio
        while ratio > 1 and values.shape[1] > 1:
            values = _joined_pairs(values[:, 0::2].T, values[:, 1::2].T, join).T
            ratio //= 2
        return values

    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Heights of the rows and widths of the columns that are folded, in units of a whole one."""
        heights, widths = np.ones(self.shape[0]), np.ones(self.shape[1])
        heights[-1:], widths[-1:] = self.last_row, self.last_column
        return heights, widths

    def weighted(self, values: np.ndarray) -> np.ndarray:
        """Values times the size of their blocks."""
        if self.last_row == self.last_column == 1:
            return values
        values = values.copy()
        values[-1] *= self.last_row
        values[:, -1] *= self.last_column
        return values

    def mean_of_sums(self, values: np.ndarray, per_cell: int = 1) -> np.ndarray:
        """Fold weighted sums of `per_cell` numbers each, and divide by how many there were."""
        sums = self(values, np.add)
        rows, columns = self.shape
        if rows % self.row_ratio == 0 and columns % self.column_ratio == 0 and self.last_row == self.last_column == 1:
            means: np.ndarray = sums * sums.dtype.type(1 / (self.row_ratio * self.column_ratio * per_cell))
            return means
        heights, widths = self.sizes()
        tall = np.add.reduceat(heights, np.arange(0, rows, self.row_ratio))
        wide = np.add.reduceat(widths, np.arange(0, columns, self.column_ratio))
        means = sums / (tall[:, None] * (wide * per_cell)).astype(sums.dtype)
        return means


def _joined_rows(values: np.ndarray, ratio: int, join: np.ufunc) -> np.ndarray:
    """Join so many rows at a time; the last ones may be fewer."""
    rows, columns = values.shape
    whole = rows // ratio
    joined = np.empty((-(-rows // ratio), columns), values.dtype)
    join.reduce(values[: whole * ratio].reshape(whole, ratio, columns), axis=1, out=joined[:whole])
    if whole < len(joined):
        join.reduce(values[whole * ratio :], axis=0, out=joined[whole])
    return joined


def _joined_pairs(first: np.ndarray, second: np.ndarray, join: np.ufunc) -> np.ndarray:
    """Join two arrays along their rows; a row that the second lacks is taken as it is."""
    joined: np.ndarray
    if len(first) == len(second):
        joined = join(first, second)
        return joined
    joined = np.empty_like(first)
    join(first[:-1], second, out=joined[:-1])
    joined[-1] = first[-1]
    return joined


def _unsettled(blocks: Blocks) -> np.ndarray:
    """Blocks for which plain arithmetic is not the answer: marked, partly absent, or sums beyond numbers."""
    finite: np.ndarray = np.isfinite(blocks.any_plane)
    if "mean" not in blocks.planes:
        finite &= np.isfinite(blocks.max)
    return ~finite


def _mend(made: Blocks, unsettled: np.ndarray, source: Blocks, fold: _Fold) -> None:
    """Work out anew some of the blocks."""
    bad_rows, bad_columns = np.nonzero(unsettled)
    # Where the block is cut by the far edge, indices beyond it stand for nothing.
    height, width = min(fold.row_ratio, fold.shape[0]), min(fold.column_ratio, fold.shape[1])
    heights, widths = fold.sizes()
    step = max(1, 4 * _TILE // (height * width))
    for start in range(0, bad_rows.size, step):
        block_rows, block_columns = bad_rows[start : start + step], bad_columns[start : start + step]
        rows = block_rows[:, None] * fold.row_ratio + np.arange(height)
        columns = block_columns[:, None] * fold.column_ratio + np.arange(width)
        tall = np.where(rows < fold.shape[0], heights[rows.clip(max=fold.shape[0] - 1)], 0)
        wide = np.where(columns < fold.shape[1], widths[columns.clip(max=fold.shape[1] - 1)], 0)
        weights = tall[:, :, None] * wide[:, None, :]
        cells = (rows.clip(max=fold.shape[0] - 1)[:, :, None], columns.clip(max=fold.shape[1] - 1)[:, None, :])
        if source.counts is not None:
            weights = (weights > 0) * source.counts[cells].astype(np.float64)
        values = source.any_plane[cells].astype(np.float64)
        special = (weights > 0) & ~np.isfinite(values)
        marks = np.where(special, values, 0).sum(axis=(1, 2))  # infinities and NaN add up as they should
        marked, empty = marks != 0, ~(weights > 0).any(axis=(1, 2))
        plain = (weights > 0) & ~special
        for name, plane in made.planes.items():
            answers = _aggregated(name, source.planes[name][cells].astype(np.float64), weights, plain)
            plane[block_rows, block_columns] = np.where(marked, marks, np.where(empty, np.nan, answers))


def _aggregated(plane: Plane, values: np.ndarray, weights: np.ndarray, plain: np.ndarray) -> np.ndarray:
    """One plane of blocks whose values, of which only `plain` ones count, are of shape (blocks, height, width)."""
    lows: np.ndarray = np.where(plain, values, np.inf).min(axis=(1, 2))
    highs: np.ndarray = np.where(plain, values, -np.inf).max(axis=(1, 2))
    if plane != "mean":
        return lows if plane == "min" else highs
    shares = np.where(plain, weights, 0)
    shares /= shares.sum(axis=(1, 2), keepdims=True)
    # Rounding may carry the mean of the largest numbers a little beyond them.
    means: np.ndarray = np.clip((np.where(plain, values, 0) * shares).sum(axis=(1, 2)), lows, highs)
    return means


def _tiles(
    shape: tuple[int, int], cells: tuple[int, int], row_factor: int, column_factor: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Parts of blocks of about `_TILE` cells, as the blocks and as the cells they are made of."""
    wide = max(1, _TILE // (row_factor * column_factor)) if cells[1] * row_factor > 2 * _TILE else shape[1]
    tall = max(1, _TILE // (row_factor * min(cells[1], wide * column_factor)))
    for top in range(0, shape[0], tall):
        for left in range(0, shape[1], wide):
            yield (
                (slice(top, top + tall), slice(left, left + wide)),
                (
                    slice(top * row_factor, (top + tall) * row_factor),
                    slice(left * column_factor, (left + wide) * column_factor),
                ),
            )

"""A window of a matrix, reduced to blocks where there are more cells than the picture has room for.

Blocks are `row_factor` x `column_factor` cells, powers of two, and begin at multiples of these from the first
cell on, so that they stay the same while the window moves; the last ones may be smaller. Absent cells take no
part; a block is absent where all its cells are. One NaN or infinity among the others marks the block, whatever
the aggregate, so that it never vanishes: NaN before infinities, and infinities of both signs make NaN.

Twin of js/src/windows.ts; both read tests/fixtures/window_cases.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from layergrid.tensor import widen

AGGREGATES = ("mean", "min", "max", "extreme")
"""What a block shows of its cells; "extreme" is the value farthest from the center, of two the larger one."""

# Cells reduced at a time: the arrays in between then stay in the second-level cache, and are small enough for the
# allocator to use them again instead of mapping new ones.
_TILE = 1 << 16


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


@dataclass(frozen=True, eq=False)
class Blocks:
    """Aggregates of blocks; all arrays of shape (rows, columns) in blocks, floats of one dtype."""

    mean: np.ndarray
    """The mark where a block is marked, in every aggregate; NaN where it is absent."""
    min: np.ndarray
    max: np.ndarray
    counts: np.ndarray | None = None
    """int32: cells that are there; None where that follows from the block's size."""

    def aggregate(self, name: str, center: float = 0.0) -> np.ndarray:
        """The values of one of `AGGREGATES`."""
        if name == "extreme":
            low, high = self.min.astype(np.float64, copy=False), self.max.astype(np.float64, copy=False)
            with np.errstate(invalid="ignore", over="ignore"):
                return np.where(center - low > high - center, self.min, self.max)
        if name not in AGGREGATES:
            raise ValueError(f"unknown aggregate {name!r}; known: {', '.join(AGGREGATES)}")
        values: np.ndarray = getattr(self, name)
        return values

    @property
    def absent(self) -> np.ndarray | None:
        """True where no cell of the block is there; None where all are there."""
        return None if self.counts is None else self.counts == 0

    def __getitem__(self, part: Any) -> Blocks:
        counts = None if self.counts is None else self.counts[part]
        return Blocks(self.mean[part], self.min[part], self.max[part], counts)

    def fill(self, other: Blocks) -> None:
        """Copy other blocks here."""
        self.mean[:], self.min[:], self.max[:] = other.mean, other.min, other.max
        if self.counts is not None:
            self.counts[:] = other.counts

    @property
    def transposed(self) -> Blocks:
        """The blocks of the transposed matrix."""
        counts = None if self.counts is None else self.counts.T
        return Blocks(self.mean.T, self.min.T, self.max.T, counts)


def empty_blocks(shape: tuple[int, int], dtype: Any, counted: bool) -> Blocks:
    """Blocks to be filled."""
    mean, low, high = (np.empty(shape, dtype) for _ in range(3))
    return Blocks(mean, low, high, np.empty(shape, np.int32) if counted else None)


def reduce_cells(
    codes: np.ndarray,
    dtype: str,
    row_factor: int,
    column_factor: int,
    *,
    absent: np.ndarray | None = None,
    into: Blocks | None = None,
) -> Blocks:
    """Blocks of single cells, of which the first begins a block.

    Parameters
    ----------
    codes : 2-D array in the storage form of `dtype` (see `layergrid.tensor.STORAGE`)
    absent : bool array of that shape; the cells are NaN where it is true
    into : blocks of the right shape and dtype to be filled, instead of new ones

    Returns
    -------
    Blocks of float32 where that holds every number of `dtype`, else of float64. A mean is within 1e-6 of the
    mean magnitude of its cells, and never beyond the largest number.
    """
    rows, columns = codes.shape
    shape = (-(-rows // row_factor), -(-columns // column_factor))
    if into is None:
        into = empty_blocks(shape, widen(codes[:1, :1], dtype).dtype, absent is not None)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for part, cells in _tiles(shape, (rows, columns), row_factor, column_factor):
            gone = None if absent is None else absent[cells]
            into[part].fill(_reduced_tile(codes[cells], dtype, row_factor, column_factor, gone))
    return into


def _reduced_tile(
    codes: np.ndarray, dtype: str, row_factor: int, column_factor: int, absent: np.ndarray | None
) -> Blocks:
    # A tile as wide as the matrix is in one piece already; another has to be for its pairs to be seen as words.
    if dtype == "BF16" and column_factor > 1 and codes.shape[1] % 2 == 0 and absent is None:
        return _reduced_pairs(np.ascontiguousarray(codes), row_factor, column_factor)
    cells = widen(codes, dtype)
    return reduce_blocks(
        Blocks(cells, cells, cells, None if absent is None else (~absent).astype(np.int32)), row_factor, column_factor
    )


def _reduced_pairs(codes: np.ndarray, row_factor: int, column_factor: int) -> Blocks:
    """Blocks of bfloat16 cells, two of which are taken from each 32-bit word: half the work of widening them."""
    words = codes.view(np.uint32)
    first = np.left_shift(words, np.uint32(16)).view(np.float32)
    second = np.bitwise_and(words, np.uint32(0xFFFF0000)).view(np.float32)
    fold = _Fold(first.shape, row_factor, column_factor // 2)
    made = Blocks(
        fold.mean_of_sums(first + second, per_cell=2),
        fold(np.minimum(first, second), np.minimum),
        fold(np.maximum(first, second), np.maximum),
    )
    if not np.isfinite(made.mean).all():
        cells = widen(codes, "BF16")
        _mend(made, Blocks(cells, cells, cells), _Fold(cells.shape, row_factor, column_factor))
    return made


def reduce_blocks(
    source: Blocks, row_ratio: int, column_ratio: int, last_row: float = 1.0, last_column: float = 1.0
) -> Blocks:
    """Blocks of `row_ratio` x `column_ratio` blocks, of which the first begins one of the result.

    Parameters
    ----------
    last_row, last_column : size of the last row and column of the source's blocks, as a share of the others'
    """
    fold = _Fold(source.mean.shape, row_ratio, column_ratio, last_row, last_column)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        if source.counts is None:
            counts = None
            mean = fold.mean_of_sums(fold.weighted(source.mean))
        else:
            counts = fold(source.counts, np.add)
            mean = (fold(source.mean.astype(np.float64) * source.counts, np.add) / counts).astype(source.mean.dtype)
        made = Blocks(mean, fold(source.min, np.minimum), fold(source.max, np.maximum), counts)
        if not np.isfinite(mean).all():
            _mend(made, source, fold)
    return made


@dataclass(frozen=True)
class _Fold:
    """How an array of blocks is folded into fewer ones."""

    shape: tuple[int, ...]
    row_ratio: int
    column_ratio: int
    last_row: float = 1.0
    last_column: float = 1.0

    def __call__(self, values: np.ndarray, join: Callable[..., np.ndarray]) -> np.ndarray:
        """Join the values of each block, in pairs: rows first, which lie one after another."""
        ratio = self.row_ratio
        while ratio > 1 and len(values) > 1:
            values = _joined(values[0::2], values[1::2], join)
            ratio //= 2
        ratio = self.column_ratio
        while ratio > 1 and values.shape[1] > 1:
            values = _joined(values[:, 0::2].T, values[:, 1::2].T, join).T
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
            sums *= sums.dtype.type(1 / (self.row_ratio * self.column_ratio * per_cell))
            return sums
        heights, widths = self.sizes()
        tall = np.add.reduceat(heights, np.arange(0, rows, self.row_ratio))
        wide = np.add.reduceat(widths, np.arange(0, columns, self.column_ratio))
        means: np.ndarray = sums / (tall[:, None] * (wide * per_cell)).astype(sums.dtype)
        return means


def _joined(first: np.ndarray, second: np.ndarray, join: Callable[..., np.ndarray]) -> np.ndarray:
    """Join two arrays along their rows; a row that the second lacks is taken as it is."""
    if len(first) == len(second):
        return join(first, second)
    joined = np.empty_like(first)
    join(first[:-1], second, out=joined[:-1])
    joined[-1] = first[-1]
    return joined


def _mend(made: Blocks, source: Blocks, fold: _Fold) -> None:
    """Work out anew the blocks whose mean is not finite: marked, partly absent, or sums beyond numbers."""
    bad_rows, bad_columns = np.nonzero(~np.isfinite(made.mean))
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
        values = source.mean[cells].astype(np.float64)
        special = (weights > 0) & ~np.isfinite(values)
        marks = np.where(special, values, 0).sum(axis=(1, 2))  # infinities and NaN add up as they should
        marked, empty = marks != 0, ~(weights > 0).any(axis=(1, 2))
        plain = (weights > 0) & ~special
        shares = np.where(plain, weights, 0)
        shares /= shares.sum(axis=(1, 2), keepdims=True)
        lows, highs = _bounds(values, values, plain)
        # Rounding may carry the mean of the largest numbers a little beyond them.
        means = np.clip((np.where(plain, values, 0) * shares).sum(axis=(1, 2)), lows, highs)
        if source.min is not source.mean:
            lows, highs = _bounds(source.min[cells], source.max[cells], plain)
        for plane, answers in ((made.mean, means), (made.min, lows), (made.max, highs)):
            plane[block_rows, block_columns] = np.where(marked, marks, np.where(empty, np.nan, answers))


def _bounds(low: np.ndarray, high: np.ndarray, plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.where(plain, low, np.inf).min(axis=(1, 2)),
        np.where(plain, high, -np.inf).max(axis=(1, 2)),
    )


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

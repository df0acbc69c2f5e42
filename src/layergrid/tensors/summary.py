"""What is told of one tensor beside its picture: distribution, largest entries, norms of rows and columns."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from layergrid.metrics import measure
from layergrid.readable import Readable, Stopped, parts
from layergrid.tensor import STORAGE, Tensor, widen

METRICS = ("rms", "mean", "std", "kurtosis", "zeros")
QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
BINS = 128
LARGEST = 20

# Cells summed at a time, as float64: half a megabyte, within the second-level cache.
_TILE = 1 << 16


@dataclass(frozen=True)
class Entry:
    """One entry of the matrix as it is shown."""

    row: int
    column: int
    value: float


@dataclass(frozen=True, eq=False)
class TensorSummary:
    """Numbers of one matrix, all of them exact; infinite and NaN entries are counted apart."""

    counts: np.ndarray
    """int64 of shape (bins,): how many finite entries lie in each of as many equal parts of [low, high]."""
    low: float
    high: float
    """Smallest and largest finite entry; both NaN where there is none."""
    quantiles: dict[float, float]
    """NaN where an entry is NaN or infinite."""
    metrics: dict[str, float]
    largest: tuple[Entry, ...]
    """By magnitude, the largest first; infinities before all others, NaN nowhere."""
    row_norms: np.ndarray
    """Euclidean norms, float64; NaN or infinite where an entry is."""
    column_norms: np.ndarray
    nan_count: int
    inf_count: int


def summarize(
    matrix: Readable,
    metrics: Sequence[str] = METRICS,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[float], None] | None = None,
) -> TensorSummary:
    """Read a matrix once for all but metrics and, of 32 and 64 bits, quantiles; never whole in memory.

    Parameters
    ----------
    metrics : of single numbers, as `layergrid.metrics.measure` takes them
    stop : set it to give up
    progress : called with the share that is done, from 0 to 1

    Raises
    ------
    Stopped
        If `stop` was set.
    """
    watch = _Watch(stop, progress, matrix.shape[0] * matrix.shape[1])
    sums = _Sums(matrix)
    for rows, columns in parts(slice(0, matrix.shape[0]), slice(0, matrix.shape[1]), chunk_rows=matrix.chunk_rows):
        watch.advance((rows.stop - rows.start) * (columns.stop - columns.start))
        sums.add(matrix.read(rows, columns), rows.start, columns.start)
    flat = flat_tensor(matrix, watch.measure)
    quantiles, counts = sums.distribution() if sums.codes is not None else (None, None)
    if counts is None:
        counts = _histogram(matrix, sums.low, sums.high, watch)
    asked = list(metrics)
    label = f"quantiles({', '.join(map(repr, QUANTILES))})"
    found = measure(flat, asked if quantiles is not None else [*asked, label])
    if quantiles is None:
        quantiles = np.asarray(found.pop(label))
    row_norms, column_norms = sums.norms()
    largest = sums.largest()
    if matrix.transposed:
        row_norms, column_norms = column_norms, row_norms
        largest = [Entry(entry.column, entry.row, entry.value) for entry in largest]
    if progress is not None:
        progress(1.0)
    return TensorSummary(
        counts,
        sums.low if sums.low <= sums.high else math.nan,
        sums.high if sums.low <= sums.high else math.nan,
        dict(zip(QUANTILES, quantiles.tolist(), strict=True)),
        {name: float(number) for name, number in found.items()},
        tuple(largest),
        row_norms,
        column_norms,
        sums.nan_count,
        sums.inf_count,
    )


def flat_tensor(matrix: Readable, reach: Callable[[int], None]) -> Tensor:
    """A matrix as the tensor of its entries, row by row as stored.

    Parameters
    ----------
    reach : called before each reading with the entry it begins at; what it raises ends it
    """
    width = matrix.shape[1]

    def read(start: int, stop: int) -> np.ndarray:
        reach(start)
        first, last = start // width, -(-stop // width)
        if last - first == 1:
            return matrix.read(slice(first, last), slice(start - first * width, stop - first * width)).reshape(-1)
        rows = np.ascontiguousarray(matrix.read(slice(first, last), slice(0, width))).reshape(-1)
        return rows[start - first * width : stop - first * width]

    return Tensor("matrix", matrix.shape, matrix.dtype, read)


class _Watch:
    """Tells how far the reading is, and ends it where asked."""

    def __init__(self, stop: threading.Event | None, progress: Callable[[float], None] | None, cells: int) -> None:
        self._stop = stop
        self._progress = progress
        self._cells = cells
        self._done = 0
        self._measured = 0  # the farthest entry: metrics may pass over them several times

    def check(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Stopped("the summary is no longer wanted")

    def advance(self, cells: int) -> None:
        self.check()
        if self._progress is not None:
            self._progress(self._done / self._cells * 0.5)  # the metrics take about as long again
        self._done += cells

    def measure(self, entry: int) -> None:
        """Note that metrics are at an entry, in row-major order."""
        self.check()
        self._measured = max(self._measured, entry)
        if self._progress is not None:
            self._progress(0.5 + 0.5 * self._measured / self._cells)


class _Sums:
    """What one pass over the matrix as stored collects."""

    def __init__(self, matrix: Readable) -> None:
        self._dtype = matrix.dtype
        self._rows = np.zeros(matrix.shape[0])
        self._columns = np.zeros(matrix.shape[1])
        self.low, self.high = math.inf, -math.inf
        self.nan_count = self.inf_count = 0
        # (magnitude, row, column, value) of the largest so far, in order.
        self._largest = np.empty((0, 4))
        size = STORAGE[matrix.dtype].itemsize
        self.codes = np.zeros(256**size, np.int64) if size <= 2 else None
        """How often each code occurs, of types with few of them."""

    def add(self, codes: np.ndarray, top: int, left: int) -> None:
        """Take in a part of the matrix as stored."""
        if self.codes is not None:
            raw = np.ascontiguousarray(codes).view(f"u{codes.itemsize}").reshape(-1)
            self.codes += np.bincount(raw, minlength=self.codes.size)
        step = max(1, _TILE // codes.shape[1])
        for first in range(0, codes.shape[0], step):
            self._add_tile(widen(codes[first : first + step], self._dtype), top + first, left)

    def _add_tile(self, values: np.ndarray, top: int, left: int) -> None:
        place = (slice(top, top + values.shape[0]), slice(left, left + values.shape[1]))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a signalling NaN warns when it is copied
            wide = values.astype(np.float64)
            self._rows[place[0]] += np.einsum("ij,ij->i", wide, wide)
            self._columns[place[1]] += np.einsum("ij,ij->j", wide, wide)
        magnitude = np.abs(values)
        largest = float(magnitude.max())
        if not math.isfinite(largest):
            finite = np.isfinite(values)
            nan = int(np.count_nonzero(np.isnan(values)))
            self.nan_count += nan
            self.inf_count += int(values.size - np.count_nonzero(finite)) - nan
            values = values[finite]
            magnitude = np.nan_to_num(magnitude, nan=-1.0, posinf=np.inf)
            largest = float(magnitude.max())
        if values.size:
            self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        if len(self._largest) < LARGEST or largest > self._largest[-1, 0]:
            self._keep_largest(magnitude, wide, top, left)

    def _keep_largest(self, magnitude: np.ndarray, wide: np.ndarray, top: int, left: int) -> None:
        flat = magnitude.reshape(-1)
        least = -0.5 if len(self._largest) < LARGEST else self._largest[-1, 0]
        found = np.flatnonzero(flat > least)
        if found.size > LARGEST:
            bound = np.partition(flat[found], -LARGEST)[-LARGEST]
            found = np.concatenate([found[flat[found] > bound], found[flat[found] == bound][:LARGEST]])
        rows, columns = np.divmod(found, wide.shape[1])
        entries = np.column_stack([flat[found], rows + top, columns + left, wide[rows, columns]])
        both = np.concatenate([self._largest, entries])
        order = np.lexsort((both[:, 2], both[:, 1], -both[:, 0]))
        self._largest = both[order[:LARGEST]]

    def largest(self) -> list[Entry]:
        """The largest entries, in order."""
        return [Entry(int(row), int(column), float(value)) for _, row, column, value in self._largest]

    def norms(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows and of the columns."""
        return np.sqrt(self._rows), np.sqrt(self._columns)

    def distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles and histogram, from how often each code occurs."""
        assert self.codes is not None
        storage = STORAGE[self._dtype]
        codes = np.arange(self.codes.size).astype(f"u{storage.itemsize}")
        values = (codes != 0) if storage.kind == "b" else widen(codes.view(storage), self._dtype)
        found = np.flatnonzero(np.isfinite(values) & (self.codes > 0))
        found = found[np.argsort(values[found], kind="stable")]
        values, counts = values[found].astype(np.float64), self.codes[found]
        histogram = _binned(values, self.low, self.high, counts)
        if self.nan_count or self.inf_count:
            return np.full(len(QUANTILES), np.nan), histogram
        ends = np.cumsum(counts)
        ranks = np.array(QUANTILES) * (ends[-1] - 1)
        before, after = (
            values[np.searchsorted(ends, whole, side="right")]
            for whole in (np.floor(ranks).astype(np.int64), np.ceil(ranks).astype(np.int64))
        )
        return before + (ranks - np.floor(ranks)) * (after - before), histogram


def _histogram(matrix: Readable, low: float, high: float, watch: _Watch) -> np.ndarray:
    """Counts in equal bins, in a second pass."""
    counts = np.zeros(BINS, np.int64)
    for rows, columns in parts(slice(0, matrix.shape[0]), slice(0, matrix.shape[1]), chunk_rows=matrix.chunk_rows):
        watch.check()
        values = widen(matrix.read(rows, columns), matrix.dtype).reshape(-1)
        for start in range(0, values.size, _TILE):
            tile = values[start : start + _TILE]
            counts += _binned(tile[np.isfinite(tile)].astype(np.float64), low, high, None)
    return counts


def _binned(values: np.ndarray, low: float, high: float, weights: np.ndarray | None) -> np.ndarray:
    """How many values lie in each of `BINS` equal parts of [low, high]; all in the middle one where they are equal."""
    # Halves, as the width of a domain of very large numbers may be beyond them.
    width = high / 2 - low / 2
    if width > 0:
        where = np.minimum(((values / 2 - low / 2) / width * BINS).astype(np.int64), BINS - 1)
    else:
        where = np.full(values.size, BINS // 2)
    counts = np.bincount(where, weights=weights, minlength=BINS)
    return counts.astype(np.int64)

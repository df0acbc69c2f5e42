"""Sums over a tensor, taken block by block in one pass.

A block stays in the processor's cache while every sum of it is taken: in float32 where that is accurate enough,
else in float64. Whether it is enough shows in the sums themselves: one that overflowed, underflowed, lost its
digits or met a NaN sends the block to float64.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from layergrid.metrics.decoder import Decoder
from layergrid.metrics.summary import Needs, Summary
from layergrid.tensor import Room, Tensor, aligned, widen

BLOCK = 1 << 19
"""Entries summed at a time. Fewer would suit the cache better, but cost more in Python than they gain, and threads
then spend their time waiting for each other: numpy gives up the interpreter's lock once per operation."""

WIDE_BLOCK = 1 << 17
"""Entries taken at a time as float64 or as indices, in memory that is new each time."""

_RUN = 1 << 12
"""Entries summed in float32 before float64 takes over: a longer sum would lose small terms beside large ones."""

_ONES = np.ones(_RUN, np.float32)

# A float32 sum of squares within these bounds neither overflowed nor lost digits to underflow. The upper one also
# shows the NaN and infinities of float16, which are decoded as 65536 and more.
_LEAST, _MOST = 1e-24, 4e9


def summarize(tensor: Tensor, needs: Needs) -> Summary:
    """The sums that `needs` asks for, in one pass."""
    summary = Summary(below=dict.fromkeys(needs.eps, 0))
    step = codes_at_once(tensor.dtype)
    with workspace() as space:
        decode = Decoder(tensor.dtype, space.words, needs.signed)
        for start in range(0, tensor.size, step):
            stop = min(start + step, tensor.size)
            low, high = math.inf, -math.inf
            stored = space.room.read(tensor, start, stop)
            for block, codes in decode(stored, space.room.holds(stored)):
                single = block.dtype == np.float32 and not needs.third
                ends = _add_single(summary, block, needs, space) if single else None
                for low_end, high_end in [ends] if ends else _add_double(summary, codes, tensor.dtype, needs):
                    low, high = min(low, low_end), max(high, high_end)
            summary.low, summary.high = min(summary.low, low), max(summary.high, high)
            summary.pieces.append((start, stop, low, high))
    return summary


def codes_at_once(dtype: str) -> int:
    """How many codes make one block, or two of pairs."""
    return 2 * BLOCK if dtype in ("BF16", "F16") else BLOCK


class Workspace:
    """Memory for the block at hand and what is computed of it."""

    def __init__(self) -> None:
        self.room = Room()
        self.words = aligned(BLOCK, np.int32)
        self.work = aligned(BLOCK, np.float32)
        self.squares = aligned(BLOCK, np.float32)
        self.mask = aligned(BLOCK, np.bool_)


_kept = threading.local()


@contextmanager
def workspace() -> Iterator[Workspace]:
    """The thread's own workspace, kept from tensor to tensor: to touch new memory takes as long as to measure it."""
    space: Workspace = getattr(_kept, "space", None) or Workspace()
    _kept.space = None  # a tensor that measures another one while it is read finds none
    try:
        yield space
    finally:
        _kept.space = space


def _add_single(summary: Summary, block: np.ndarray, needs: Needs, space: Workspace) -> tuple[float, float] | None:
    """Add a float32 block by float32 sums; None, and nothing added, where those would not be accurate.

    Returns
    -------
    the smallest and the largest entry; bounds of them where only magnitudes are needed; else infinite
    """
    count = block.size
    work = space.work[:count]
    square = sum_of_products(block, block)
    if not _LEAST < square < _MOST:  # NaN fails every comparison
        return None
    if (needs.sum or needs.order) and not _add_moments(summary, block, square, needs, space):
        return None
    summary.count += count
    summary.square += square
    low, high = -math.inf, math.inf
    if needs.extremes:
        low, high = float(block.min()), float(block.max())
    if needs.zeros:
        summary.zeros += count_true(np.equal(block, 0, out=space.mask[:count]))
    if needs.magnitude or needs.largest or needs.eps:
        np.abs(block, out=work)
        if needs.magnitude:
            summary.magnitude += _sum(work)
        if needs.largest and not needs.extremes:
            high = float(work.max())
            low = -high
        for eps in needs.eps:
            summary.below[eps] += count_true(np.less_equal(work, float32_below(eps), out=space.mask[:count]))
    return low, high


def _add_moments(summary: Summary, block: np.ndarray, square: float, needs: Needs, space: Workspace) -> bool:
    """Add the sums of powers of the deviations; False, and nothing added, where they would not be accurate."""
    count = block.size
    deviation, second, shift = block, square, 0.0
    # Moments about zero serve where the mean is small beside the spread, as that of weights is.
    if 16 * summary.mean**2 * summary.moment_count > summary.moments[0]:
        shift = float(np.float32(summary.mean))
        deviation = np.subtract(block, np.float32(shift), out=space.work[:count])
        second = sum_of_products(deviation, deviation)
    offset = (float(block.sum(dtype=np.float64)) - count * shift if needs.sum else _sum(deviation)) / count
    if not second > _LEAST or offset * offset * count > second / 4:
        return False
    third = fourth = 0.0
    if needs.order == 4:
        squares = np.multiply(deviation, deviation, out=space.squares[:count])
        third, fourth = sum_of_products(deviation, squares), sum_of_products(squares, squares)
        if not _LEAST < fourth < 1e36:
            return False
    summary.add_moments(count, shift + offset, _centered(count, offset, second, third, fourth))
    return True


def sum_of_products(first: np.ndarray, second: np.ndarray) -> float:
    """Of two flat arrays, float32 ones by runs.

    As one product of many short rows and columns, since numpy gives up the interpreter's lock for that, and not
    for a row and a column alone.
    """
    whole = first.size - first.size % _RUN
    runs = np.matmul(first[:whole].reshape(-1, 1, _RUN), second[:whole].reshape(-1, _RUN, 1))
    rest = float(np.dot(first[whole:], second[whole:])) if whole < first.size else 0.0
    return math.fsum(runs.ravel().tolist()) + rest


def _sum(values: np.ndarray) -> float:
    """Of a float32 array, by runs."""
    whole = values.size - values.size % _RUN
    runs = np.matmul(values[:whole].reshape(-1, _RUN), _ONES)
    return math.fsum(runs.tolist()) + float(np.dot(values[whole:], _ONES[: values.size - whole]))


def count_true(mask: np.ndarray) -> int:
    """How many are true; as bytes, since numpy counts booleans without giving up the interpreter's lock."""
    return int(np.count_nonzero(mask.view(np.uint8)))


def _centered(count: int, offset: float, second: float, third: float, fourth: float) -> tuple[float, float, float]:
    """Central moments (sums of powers) from sums about a point that lies `offset` below the mean."""
    square = offset * offset
    return (
        second - count * square,
        third - 3 * offset * second + 2 * count * square * offset,
        fourth - 4 * offset * third + 6 * square * second - 3 * count * square * square,
    )


def float32_below(limit: float) -> np.float32:
    """The largest float32 that is at most `limit`: float32 entries compare with it as they would with `limit`."""
    with np.errstate(over="ignore"):
        near = np.float32(limit)
    return near if float(near) <= limit else np.nextafter(near, np.float32(-np.inf))


def _add_double(summary: Summary, codes: np.ndarray, dtype: str, needs: Needs) -> Iterator[tuple[float, float]]:
    """Add entries whatever they are, by float64 sums; the smallest and the largest of each part of them."""
    for start in range(0, codes.size, WIDE_BLOCK):
        block = widen(codes[start : start + WIDE_BLOCK], dtype).astype(np.float64)
        summary.count += block.size
        summary.nan += int(np.count_nonzero(np.isnan(block)))
        summary.inf += int(np.count_nonzero(np.isinf(block)))
        summary.square += float(np.dot(block, block))
        summary.zeros += int(np.count_nonzero(block == 0))
        magnitudes = np.abs(block)
        summary.magnitude += float(magnitudes.sum())
        for eps in needs.eps:
            summary.below[eps] += int(np.count_nonzero(magnitudes <= eps))
        if needs.sum or needs.order or needs.third:
            _add_moments_double(summary, block)
        yield float(block.min()), float(block.max())


def _add_moments_double(summary: Summary, block: np.ndarray) -> None:
    """Add the sums of powers of the deviations of float64 entries."""
    mean = float(block.mean())
    deviation = block - mean
    # The mean was rounded, and what it missed matters where entries nearly cancel.
    rest = float(deviation.mean()) if math.isfinite(mean) else 0.0
    squares = deviation * deviation
    second, third, fourth = float(squares.sum()), float(np.dot(squares, deviation)), float(np.dot(squares, squares))
    summary.add_moments(block.size, mean + rest, _centered(block.size, rest, second, third, fourth))

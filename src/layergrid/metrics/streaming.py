"""Metrics of the entries of a tensor, whatever their order: all that are asked for in one pass.

The tensor is read in blocks of 64K entries, which stay in the processor's cache while every sum is taken. A
block is summed in float32 where that is accurate enough, else in float64; the totals are float64. Whether
it is enough shows in the sums themselves: one that overflowed, underflowed, lost its digits or met a NaN
sends the block to float64. 8-bit types, and 16-bit types where quantiles or the entropy are asked for, are
counted by code instead, which is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from layergrid.metrics.registry import Request
from layergrid.tensor import STORAGE, Tensor, widen

BLOCK = 1 << 16
"""Entries read at a time: 256 kB of float32, within the second-level cache."""

_ONES = np.ones(BLOCK, np.float32)

# A float32 sum of squares within these bounds neither overflowed nor lost digits to underflow. The upper
# one also shows the NaN and infinities of float16, which are decoded as 65536 and more.
_LEAST, _MOST = 1e-24, 4e9


@dataclass
class Needs:
    """What the metrics asked for are computed from."""

    sum: bool = False
    """The sum of entries to float64 accuracy."""
    extremes: bool = False
    magnitude: bool = False
    """The sum of magnitudes."""
    order: int = 0
    """Highest even central moment: 0, 2 or 4."""
    third: bool = False
    """The third central moment, which cancels: float64 throughout."""
    count: bool = False
    """Zeros, NaN and infinities."""
    eps: tuple[float, ...] = ()
    """Thresholds below which entries are counted."""
    histogram: bool = False

    @classmethod
    def of(cls, requests: list[Request]) -> Needs:
        """The needs of several metrics together."""
        names = {request.metric.name for request in requests}
        outliers = "outlier_share" in names
        return cls(
            sum="mean" in names,
            extremes=outliers or not names.isdisjoint({"min", "max", "absmax", "entropy"}),
            magnitude="abs_mean" in names,
            order=4 if "kurtosis" in names else 2 if outliers or "std" in names else 0,
            third="skewness" in names,
            count="zeros" in names,
            eps=tuple(request.arguments[0] for request in requests if request.metric.name == "sparsity"),
            histogram=not names.isdisjoint({"quantiles", "entropy"}),
        )


@dataclass
class Summary:
    """Sums over the entries of a tensor; everything a streaming metric is computed from."""

    count: int = 0
    nan: int = 0
    inf: int = 0
    low: float = math.inf
    high: float = -math.inf
    square: float = 0.0
    """Sum of squares."""
    magnitude: float = 0.0
    zeros: int = 0
    below: dict[float, int] = field(default_factory=dict)
    """Number of entries with |x| <= eps, by eps."""
    moment_count: int = 0
    """Number of entries in the moments."""
    mean: float = 0.0
    moments: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Sums of the 2nd, 3rd and 4th powers of the deviations from the mean."""
    blocks: list[tuple[int, float, float]] = field(default_factory=list)
    """Start, smallest and largest entry of each block."""

    def add_moments(self, count: int, mean: float, moments: tuple[float, float, float]) -> None:
        """Take in the central moments of further entries.

        References
        ----------
        P. Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and
        arbitrary-order statistical moments", Sandia report SAND2008-6212, equations 2.1 and 3.1.
        """
        before, total = self.moment_count, self.moment_count + count
        step = mean - self.mean
        (a2, a3, a4), (b2, b3, b4) = self.moments, moments
        share = step / total
        cross = step * share * before * count
        self.moments = (
            a2 + b2 + cross,
            a3 + b3 + cross * share * (before - count) + 3 * share * (before * b2 - count * a2),
            a4
            + b4
            + cross * share * share * (before * before - before * count + count * count)
            + 6 * share * share * (before * before * b2 + count * count * a2)
            + 4 * share * (before * b3 - count * a3),
        )
        self.mean += share * count
        self.moment_count = total


def measure_entries(tensor: Tensor, requests: list[Request]) -> dict[str, float | np.ndarray]:
    """The streaming metrics asked for, by label.

    One pass over the bytes. 32- and 64-bit types take a further one for the entropy, one for outliers (over
    those blocks only that reach so far) and two or four for quantiles.
    """
    if not requests:
        return {}
    needs = Needs.of(requests)
    itemsize = STORAGE[tensor.dtype].itemsize
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if itemsize == 1 or (itemsize == 2 and needs.histogram):
            values, counts = code_counts(tensor)
            summary = _summary_of_codes(values, counts, needs)
            return {r.label: _of_codes(summary, r, values, counts) for r in requests}
        summary = summarize(tensor, needs)
        return {r.label: _of_tensor(summary, r, tensor) for r in requests}


def summarize(tensor: Tensor, needs: Needs) -> Summary:
    """The sums that `needs` asks for, in one pass."""
    summary = Summary(below=dict.fromkeys(needs.eps, 0))
    decoder = _Decoder(tensor.dtype)
    scratch = np.empty((2, BLOCK), np.float32)
    for start in range(0, tensor.size, BLOCK):
        codes = tensor.read(start, min(start + BLOCK, tensor.size))
        block = decoder(codes)
        fits = block.dtype == np.float32 and not needs.third
        if not (fits and _add_single(summary, start, block, needs, scratch)):
            _add_double(summary, start, widen(codes, tensor.dtype).astype(np.float64), needs)
    return summary


class _Decoder:
    """Turns a block as stored into numbers, in any order, for sums that do not care.

    Two 16-bit floats are taken from each 32-bit word, which is two (bfloat16) to three (float16) times as
    fast as widening them one by one. The NaN and infinities of float16 come out as 65536 and more.
    """

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._words = np.empty(BLOCK, np.int32)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        half = codes.size // 2
        aligned = codes.flags.c_contiguous and codes.__array_interface__["data"][0] % 4 == 0
        if self._dtype not in ("BF16", "F16") or not aligned or codes.size % 2:
            return widen(codes, self._dtype)
        pairs = codes.view(np.int32)
        words = self._words[: 2 * half]
        if self._dtype == "BF16":
            np.bitwise_and(pairs, np.int32(-0x10000), out=words[:half])
            np.left_shift(pairs, np.int32(16), out=words[half:])
            return words.view(np.float32)
        np.copyto(words[:half], pairs)
        np.left_shift(pairs, np.int32(16), out=words[half:])
        words >>= np.int32(3)  # spreads the sign, puts exponent and significand where float32 has them
        words &= np.int32(-0x70002000)
        wide = words.view(np.float32)
        wide *= np.float32(2.0**112)  # mends the exponent's bias
        return wide


def _add_single(summary: Summary, start: int, block: np.ndarray, needs: Needs, scratch: np.ndarray) -> bool:
    """Add a float32 block by float32 sums; False, and nothing added, where those would not be accurate."""
    count = block.size
    ones, work, squares = _ONES[:count], scratch[0, :count], scratch[1, :count]
    square = float(np.dot(block, block))
    if not _LEAST < square < _MOST:  # NaN fails every comparison
        return False
    if needs.sum or needs.order:
        shift = summary.mean
        deviation = np.subtract(block, np.float32(shift), out=work)
        shift = float(np.float32(shift))
        offset = float(block.sum(dtype=np.float64)) - count * shift if needs.sum else float(deviation @ ones)
        second = float(deviation @ deviation)
        offset /= count
        if not second > _LEAST or offset * offset * count > second / 4:
            return False
        third = fourth = 0.0
        if needs.order == 4:
            np.multiply(deviation, deviation, out=squares)
            third, fourth = float(deviation @ squares), float(squares @ squares)
            if not _LEAST < fourth < 1e36:
                return False
        summary.add_moments(count, shift + offset, _centered(count, offset, second, third, fourth))
    summary.count += count
    summary.square += square
    if needs.extremes:
        low, high = float(block.min()), float(block.max())
        summary.low, summary.high = min(summary.low, low), max(summary.high, high)
        summary.blocks.append((start, low, high))
    if needs.count:
        summary.zeros += int(np.count_nonzero(block == 0))
    if needs.magnitude or needs.eps:
        np.abs(block, out=work)
        if needs.magnitude:
            summary.magnitude += float(work @ ones)
        for eps in needs.eps:
            summary.below[eps] += int(np.count_nonzero(work <= _float32_below(eps)))
    return True


def _centered(count: int, offset: float, second: float, third: float, fourth: float) -> tuple[float, float, float]:
    """Central moments (sums of powers) from sums about a point that lies `offset` below the mean."""
    square = offset * offset
    return (
        second - count * square,
        third - 3 * offset * second + 2 * count * square * offset,
        fourth - 4 * offset * third + 6 * square * second - 3 * count * square * square,
    )


def _float32_below(eps: float) -> np.float32:
    """The largest float32 that is at most `eps`, so that float32 entries compare as they would with `eps`."""
    near = np.float32(eps)
    return near if float(near) <= eps else np.nextafter(near, np.float32(0))


def _add_double(summary: Summary, start: int, block: np.ndarray, needs: Needs) -> None:
    """Add a float64 block, whatever it holds."""
    nan = int(np.count_nonzero(np.isnan(block)))
    inf = int(np.count_nonzero(np.isinf(block)))
    summary.count += block.size
    summary.nan += nan
    summary.inf += inf
    summary.square += float(block @ block)
    low, high = float(block.min()), float(block.max())
    summary.low, summary.high = min(summary.low, low), max(summary.high, high)
    summary.blocks.append((start, low, high))
    summary.zeros += int(np.count_nonzero(block == 0))
    magnitudes = np.abs(block)
    summary.magnitude += float(magnitudes.sum())
    for eps in needs.eps:
        summary.below[eps] += int(np.count_nonzero(magnitudes <= eps))
    if needs.sum or needs.order or needs.third:
        mean = float(block.mean())
        deviation = block - mean
        # The mean was rounded, and what it missed matters where entries nearly cancel.
        rest = float(deviation.mean()) if math.isfinite(mean) else 0.0
        squares = deviation * deviation
        second, third, fourth = float(squares.sum()), float(squares @ deviation), float(squares @ squares)
        moments = _centered(block.size, rest, second, third, fourth)
        summary.add_moments(block.size, mean + rest, moments)


def code_counts(tensor: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The different numbers in a tensor of 8- or 16-bit entries, and how often each occurs.

    Returns
    -------
    values : float64, in no order, NaN once for each of its codes
    counts : int64, positive
    """
    storage = STORAGE[tensor.dtype]
    codes = np.arange(256**storage.itemsize, dtype=f"u{storage.itemsize}")
    counts = np.zeros(codes.size, np.int64)
    step = 4 * BLOCK  # a histogram of 65,536 codes per step is then a small part of the work
    for start in range(0, tensor.size, step):
        block = np.ascontiguousarray(tensor.read(start, min(start + step, tensor.size)))
        counts += np.bincount(block.view(codes.dtype), minlength=codes.size)
    found = np.flatnonzero(counts)
    stored = codes[found]
    if storage.kind == "b":
        values = (stored != 0).astype(np.float64)
    else:
        values = widen(stored.view(storage), tensor.dtype).astype(np.float64)
    return values, counts[found]


def _summary_of_codes(values: np.ndarray, counts: np.ndarray, needs: Needs) -> Summary:
    """The sums over a tensor, given each number that occurs in it and how often."""
    summary = Summary(count=int(counts.sum()))
    if not values.size:
        return summary
    summary.nan = int(counts[np.isnan(values)].sum())
    summary.inf = int(counts[np.isinf(values)].sum())
    summary.low, summary.high = float(values.min()), float(values.max())
    summary.square = float((counts * values) @ values)
    summary.magnitude = float(counts @ np.abs(values))
    summary.zeros = int(counts[values == 0].sum())
    summary.below = {eps: int(counts[np.abs(values) <= eps].sum()) for eps in needs.eps}
    mean = float(counts @ values) / summary.count
    deviation = values - mean
    squares = deviation * deviation
    moments = (
        float(counts @ squares),
        float((counts * squares) @ deviation),
        float((counts * squares) @ squares),
    )
    summary.add_moments(summary.count, mean, moments)
    return summary


def _of_codes(summary: Summary, request: Request, values: np.ndarray, counts: np.ndarray) -> float | np.ndarray:
    """One metric of a tensor whose codes were counted."""
    name, arguments = request.metric.name, request.arguments
    if name not in ("outlier_share", "quantiles", "entropy"):
        return _plain(summary, name, arguments)
    if not summary.count or summary.nan or summary.inf:
        return np.full(len(arguments), np.nan) if name == "quantiles" else math.nan
    if name == "outlier_share" and summary.low == summary.high:
        return 0.0  # whatever the mean was rounded to
    if name == "outlier_share":
        far = np.abs(values - summary.mean) > arguments[0] * _std(summary)
        return float(counts[far].sum()) / summary.count
    if name == "entropy":
        if summary.low == summary.high:
            return 0.0
        bins = int(arguments[0])
        where = _bin_of(values, summary, bins)
        return _entropy(np.bincount(where, weights=counts, minlength=bins))
    order = np.argsort(values)
    ends = np.cumsum(counts[order])
    ranks, fractions = _ranks(arguments, summary.count)
    return _interpolate(values[order][np.searchsorted(ends, ranks, side="right")], fractions)


def _of_tensor(summary: Summary, request: Request, tensor: Tensor) -> float | np.ndarray:
    """One metric of a tensor that was summed; reads it again where the metric needs that."""
    name, arguments = request.metric.name, request.arguments
    if name not in ("outlier_share", "quantiles", "entropy"):
        return _plain(summary, name, arguments)
    if not summary.count or summary.nan or summary.inf:
        return np.full(len(arguments), np.nan) if name == "quantiles" else math.nan
    if name == "outlier_share":
        return _outlier_share(summary, tensor, arguments[0])
    if name == "entropy":
        if summary.low == summary.high:
            return 0.0
        bins = int(arguments[0])
        totals = np.zeros(bins)
        for _, block in _wide_blocks(tensor):
            totals += np.bincount(_bin_of(block, summary, bins), minlength=bins)
        return _entropy(totals)
    ranks, fractions = _ranks(arguments, summary.count)
    return _interpolate(select(tensor, ranks), fractions)


def _plain(summary: Summary, name: str, arguments: tuple[float, ...]) -> float:
    """A metric that follows from the sums alone; NaN where it is undefined, see docs/metrics.md."""
    count = summary.count
    if name == "nan_count":
        return float(summary.nan)
    if name == "inf_count":
        return float(summary.inf)
    if summary.nan:
        return math.nan
    if name == "norm":
        return math.sqrt(summary.square)
    if not count:
        return math.nan
    if name in ("min", "max"):
        return summary.low if name == "min" else summary.high
    if name == "absmax":
        return max(summary.high, -summary.low)
    if name == "rms":
        return math.sqrt(summary.square / count)
    if name == "abs_mean":
        return summary.magnitude / count
    if name == "zeros":
        return summary.zeros / count
    if name == "sparsity":
        return summary.below[arguments[0]] / count
    if summary.inf:
        return math.nan
    if name == "mean":
        return summary.mean
    if name == "std":
        return _std(summary)
    second, third, fourth = (moment / count for moment in summary.moments)
    if not second > 0:
        return math.nan
    return third / second**1.5 if name == "skewness" else fourth / second**2


def _std(summary: Summary) -> float:
    return math.sqrt(max(summary.moments[0], 0.0) / summary.count)


def _wide_blocks(tensor: Tensor) -> Iterator[tuple[int, np.ndarray]]:
    """Start and float64 entries of each block."""
    for start in range(0, tensor.size, BLOCK):
        codes = tensor.read(start, min(start + BLOCK, tensor.size))
        yield start, widen(codes, tensor.dtype).astype(np.float64)


def _outlier_share(summary: Summary, tensor: Tensor, k: float) -> float:
    """Share of entries beyond k standard deviations from the mean; reads only blocks that reach so far."""
    if summary.low == summary.high:
        return 0.0  # whatever the mean was rounded to
    reach = k * _std(summary)
    far = 0
    for start, low, high in summary.blocks:
        if max(high - summary.mean, summary.mean - low) > reach:
            codes = tensor.read(start, min(start + BLOCK, tensor.size))
            deviation = widen(codes, tensor.dtype).astype(np.float64)
            deviation -= summary.mean
            far += int(np.count_nonzero(np.abs(deviation, out=deviation) > reach))
    return far / summary.count


def _bin_of(values: np.ndarray, summary: Summary, bins: int) -> np.ndarray:
    """Which of `bins` equal bins between the extremes each value falls into; the largest into the last."""
    position = (values - summary.low) * (bins / (summary.high - summary.low))
    return np.minimum(position.astype(np.intp), bins - 1)


def _entropy(totals: np.ndarray) -> float:
    """Shannon entropy of a histogram, in bits."""
    share = totals[totals > 0] / totals.sum()
    return float(-(share @ np.log2(share))) + 0.0


def _ranks(quantiles: tuple[float, ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of the two entries about each quantile, of shape (quantiles, 2), and the weight of the second."""
    position = np.asarray(quantiles) * (count - 1)
    lower = np.floor(position).astype(np.int64)
    return np.stack([lower, np.minimum(lower + 1, count - 1)], axis=1), position - lower


def _interpolate(pairs: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    between: np.ndarray = pairs[:, 0] + (pairs[:, 1] - pairs[:, 0]) * fractions
    return between


def select(tensor: Tensor, ranks: np.ndarray) -> np.ndarray:
    """The entries that would stand at `ranks` if all were sorted; exact, without sorting or holding them.

    Entries become unsigned integers of the same order, of which 16 more bits are settled in each pass by
    counting.

    Parameters
    ----------
    ranks : int64 array of any shape, from 0 to size - 1; the tensor has no NaN

    Returns
    -------
    float64 array of the same shape
    """
    wide = tensor.dtype != "F32"
    bits = 64 if wide else 32
    wanted, inverse = np.unique(ranks, return_inverse=True)
    prefixes = np.zeros(wanted.size, np.uint64)  # the bits already settled, of each wanted entry
    rest = wanted.copy()  # its rank among the entries that share them
    for shift in range(bits - 16, -1, -16):
        counts = {int(prefix): np.zeros(1 << 16, np.int64) for prefix in prefixes}
        for start in range(0, tensor.size, BLOCK):
            codes = tensor.read(start, min(start + BLOCK, tensor.size))
            keys = _ordered(widen(codes, tensor.dtype), bits)
            digits = keys >> keys.dtype.type(shift)
            first = shift == bits - 16
            for prefix, count in counts.items():
                same = digits if first else digits[digits >> keys.dtype.type(16) == prefix]
                count += np.bincount((same & keys.dtype.type(0xFFFF)).astype(np.intp), minlength=1 << 16)
        for index, settled in enumerate(prefixes.tolist()):
            ends = np.cumsum(counts[settled])
            digit = int(np.searchsorted(ends, rest[index], side="right"))
            rest[index] -= int(ends[digit - 1]) if digit else 0
            prefixes[index] = (settled << 16) + digit
    return _unordered(prefixes, bits)[inverse].reshape(ranks.shape)


def _ordered(values: np.ndarray, bits: int) -> np.ndarray:
    """Floats as unsigned integers that compare as they do; -0 below +0."""
    kind = np.dtype(f"u{bits // 8}")
    codes = np.ascontiguousarray(values, dtype=f"f{bits // 8}").view(kind)
    sign = kind.type(1 << (bits - 1))
    return np.where(codes & sign, ~codes, codes | sign)


def _unordered(keys: np.ndarray, bits: int) -> np.ndarray:
    """Undo `_ordered`, as float64."""
    kind = np.dtype(f"u{bits // 8}")
    keys = keys.astype(kind)
    sign = kind.type(1 << (bits - 1))
    codes = np.where(keys & sign, keys ^ sign, ~keys)
    return codes.view(f"f{bits // 8}").astype(np.float64)

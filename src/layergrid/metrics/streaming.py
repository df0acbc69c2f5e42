"""Metrics of the entries of a tensor, whatever their order: all that are asked for in one pass.

Blocks are summed, see `layergrid.metrics.blocks`. 8-bit types, and 16-bit types where quantiles or the entropy
are asked for, are counted by code instead, which is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from layergrid.metrics.blocks import WIDE_BLOCK, count_true, float32_below, summarize, workspace
from layergrid.metrics.codes import code_counts, of_codes, summary_of_codes
from layergrid.metrics.decoder import Decoder
from layergrid.metrics.histogram import bin_of, entropy
from layergrid.metrics.ranks import interpolate, ranks_of, select
from layergrid.metrics.registry import Request
from layergrid.metrics.summary import Needs, Summary, plain
from layergrid.tensor import STORAGE, Tensor, widen

_COUNTED_FROM = 1 << 15
"""Entries from which counting 65,536 codes is faster than sorting."""


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
        if itemsize == 1 or (itemsize == 2 and needs.histogram and tensor.size >= _COUNTED_FROM):
            values, counts = code_counts(tensor)
            summary = summary_of_codes(values, counts, needs)
            return {r.label: of_codes(summary, r, values, counts) for r in requests}
        summary = summarize(tensor, needs)
        return {r.label: _of_tensor(summary, r, tensor) for r in requests}


def _of_tensor(summary: Summary, request: Request, tensor: Tensor) -> float | np.ndarray:
    """One metric of a tensor that was summed; reads it again where the metric needs that."""
    name, arguments = request.metric.name, request.arguments
    if name not in ("outlier_share", "quantiles", "entropy"):
        return plain(summary, name, arguments)
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
            totals += np.bincount(bin_of(block, summary, bins), minlength=bins)
        return entropy(totals)
    ranks, fractions = ranks_of(arguments, summary.count)
    return interpolate(select(tensor, ranks), fractions)


def _wide_blocks(tensor: Tensor) -> Iterator[tuple[int, np.ndarray]]:
    """Start and float64 entries of each block."""
    for start in range(0, tensor.size, WIDE_BLOCK):
        codes = tensor.read(start, min(start + WIDE_BLOCK, tensor.size))
        yield start, widen(codes, tensor.dtype).astype(np.float64)


def _outlier_share(summary: Summary, tensor: Tensor, k: float) -> float:
    """Share of entries beyond k standard deviations from the mean; reads only pieces that reach so far."""
    if summary.low == summary.high:
        return 0.0  # whatever the mean was rounded to
    reach = k * summary.std
    least, most = summary.mean - reach, summary.mean + reach
    far = 0
    with workspace() as space:
        decode = Decoder(tensor.dtype, space.words, signed=True)
        for start, stop, low, high in summary.pieces:
            if low < least or high > most:
                stored = space.room.read(tensor, start, stop)
                for block, _ in decode(stored, space.room.holds(stored)):
                    single = block.dtype == np.float32
                    far += count_true(block > (float32_below(most) if single else most))
                    far += count_true(block < (-float32_below(-least) if single else least))
    return far / summary.count

"""Metrics of tensors of few different numbers: 8- and 16-bit types, counted by code; exact."""

from __future__ import annotations

import math

import numpy as np

from layergrid.metrics.blocks import WIDE_BLOCK, workspace
from layergrid.metrics.histogram import bin_of, entropy
from layergrid.metrics.ranks import interpolate, ranks_of
from layergrid.metrics.registry import Request
from layergrid.metrics.summary import Needs, Summary, plain
from layergrid.tensor import STORAGE, Tensor, widen


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
    step = 2 * WIDE_BLOCK  # a histogram of 65,536 codes per step is then a small part of the work
    with workspace() as space:
        for start in range(0, tensor.size, step):
            block = np.ascontiguousarray(space.room.read(tensor, start, min(start + step, tensor.size)))
            counts += np.bincount(block.view(codes.dtype), minlength=codes.size)
    found = np.flatnonzero(counts)
    stored = codes[found]
    if storage.kind == "b":
        values = (stored != 0).astype(np.float64)
    else:
        values = widen(stored.view(storage), tensor.dtype).astype(np.float64)
    return values, counts[found]


def summary_of_codes(values: np.ndarray, counts: np.ndarray, needs: Needs) -> Summary:
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


def of_codes(summary: Summary, request: Request, values: np.ndarray, counts: np.ndarray) -> float | np.ndarray:
    """One metric of a tensor whose codes were counted."""
    name, arguments = request.metric.name, request.arguments
    if name not in ("outlier_share", "quantiles", "entropy"):
        return plain(summary, name, arguments)
    if not summary.count or summary.nan or summary.inf:
        return np.full(len(arguments), np.nan) if name == "quantiles" else math.nan
    if name == "outlier_share" and summary.low == summary.high:
        return 0.0  # whatever the mean was rounded to
    if name == "outlier_share":
        far = np.abs(values - summary.mean) > arguments[0] * summary.std
        return float(counts[far].sum()) / summary.count
    if name == "entropy":
        if summary.low == summary.high:
            return 0.0
        bins = int(arguments[0])
        where = bin_of(values, summary, bins)
        return entropy(np.bincount(where, weights=counts, minlength=bins))
    order = np.argsort(values)
    ends = np.cumsum(counts[order])
    ranks, fractions = ranks_of(arguments, summary.count)
    return interpolate(values[order][np.searchsorted(ends, ranks, side="right")], fractions)

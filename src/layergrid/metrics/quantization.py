"""How much rounding to a few bits would change a tensor."""

from __future__ import annotations

import math

import numpy as np

from layergrid.tensor import Tensor, widen

_BLOCK = 1 << 17
"""Entries handled at a time, in whole rows or whole groups."""


def quantization_error(tensor: Tensor, bits: int, group: int) -> float:
    """Relative error of rounding to signed integers: ``norm(W - Q(W)) / norm(W)``.

    Symmetric round-to-nearest, as weight-only quantizers start from: each run of `group` entries of a row
    has the scale ``s = max|w| / (2**(bits-1) - 1)``, and ``Q(w) = s * round(w / s)``, ties to even. A row
    is the last axis; its last group may be shorter. Rounding is in float32 (float64 for 64-bit types), sums
    of squares in float64.

    Parameters
    ----------
    bits : 2 or more
    group : entries that share a scale; -1 for the whole row

    Returns
    -------
    float, 0 where every entry is zero; NaN for an empty tensor or one with NaN or infinities
    """
    if not tensor.size:
        return math.nan
    columns = tensor.shape[-1] if tensor.shape else 1
    width = columns if group == -1 else min(group, columns)
    top = 2 ** (bits - 1) - 1
    error = square = 0.0
    step = max(1, _BLOCK // columns) * columns
    for start in range(0, tensor.size, step):
        codes = tensor.read(start, min(start + step, tensor.size))
        rows = widen(codes, tensor.dtype).reshape(-1, columns)
        whole = columns - columns % width
        parts = [rows[:, :whole].reshape(-1, width)] + ([rows[:, whole:]] if whole < columns else [])
        for part in parts:
            lost, total = _rounding(part, top)
            error += lost
            square += total
    if not math.isfinite(square):
        return math.nan
    return math.sqrt(error / square) if square else 0.0


def _rounding(groups: np.ndarray, top: int) -> tuple[float, float]:
    """Sum of squared rounding errors and of squares; each row of `groups` has its own scale."""
    largest = np.maximum(groups.max(axis=1), -groups.min(axis=1))[:, None]
    # Divided by its largest entry, a group has no scale left to overflow or underflow.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        units = groups * (top / largest.astype(np.float64)).astype(groups.dtype)
        if not np.isfinite(units).all() or not (np.abs(units) <= 1.001 * top).all():
            units = np.where(largest == 0, 0, groups.astype(np.float64) / largest * top)
        lost = units - np.rint(units)
        scale = (largest[:, 0].astype(np.float64) / top) ** 2
        errors = np.einsum("ij,ij->i", lost, lost)
        squares = np.einsum("ij,ij->i", units, units)
        return float(errors @ scale), float(squares @ scale)

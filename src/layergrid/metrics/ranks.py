"""The entries that would stand at given ranks if all were sorted, and quantiles between them."""

from __future__ import annotations

import numpy as np

from layergrid.metrics.blocks import WIDE_BLOCK
from layergrid.tensor import Tensor, widen


def ranks_of(quantiles: tuple[float, ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of the two entries about each quantile, of shape (quantiles, 2), and the weight of the second."""
    position = np.asarray(quantiles) * (count - 1)
    lower = np.floor(position).astype(np.int64)
    return np.stack([lower, np.minimum(lower + 1, count - 1)], axis=1), position - lower


def interpolate(pairs: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Values that lie by the given fractions between the two of each pair."""
    between: np.ndarray = pairs[:, 0] + (pairs[:, 1] - pairs[:, 0]) * fractions
    return between


def select(tensor: Tensor, ranks: np.ndarray) -> np.ndarray:
    """The entries that would stand at `ranks` if all were sorted; exact, without sorting or holding more than a block.

    Entries become unsigned integers of the same order, of which 16 more bits are settled in each pass by
    counting.

    Parameters
    ----------
    ranks : int64 array of any shape, from 0 to size - 1; the tensor has no NaN

    Returns
    -------
    float64 array of the same shape
    """
    if tensor.size <= WIDE_BLOCK:
        entries: np.ndarray = np.sort(widen(tensor.read(0, tensor.size), tensor.dtype).astype(np.float64))[ranks]
        return entries
    wide = tensor.dtype != "F32"
    bits = 64 if wide else 32
    wanted, inverse = np.unique(ranks, return_inverse=True)
    prefixes = np.zeros(wanted.size, np.uint64)  # the bits already settled, of each wanted entry
    rest = wanted.copy()  # its rank among the entries that share them
    for shift in range(bits - 16, -1, -16):
        counts = {int(prefix): np.zeros(1 << 16, np.int64) for prefix in prefixes}
        for start in range(0, tensor.size, WIDE_BLOCK):
            codes = tensor.read(start, min(start + WIDE_BLOCK, tensor.size))
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

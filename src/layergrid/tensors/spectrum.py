"""All singular values of a matrix that is read panel by panel, with progress, and given up where asked."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from layergrid.readable import Readable, Stopped, parts
from layergrid.tensor import widen
from layergrid.tensors.eigenvalues import symmetric_eigenvalues

LONGEST_SIDE = 1 << 14
"""Of the shorter side: the Gram matrix takes 2 GB then, and its eigenvalues hours."""

_PANEL = 1 << 20  # entries, as float64
# Time that the eigenvalues take, as long as the Gram matrix of so many times as many columns as rows.
_EIGENVALUES_AS_LONG_AS = 5


@dataclass(frozen=True, eq=False)
class TensorSpectrum:
    """All singular values of a matrix, and what is said of them together."""

    values: np.ndarray
    """float64, the largest first; all NaN where an entry is NaN or infinite."""

    @property
    def largest(self) -> float:
        """The spectral norm."""
        return float(self.values[0])

    @property
    def stable_rank(self) -> float:
        """Sum of squares over the largest square; NaN for a matrix of zeros. See `layergrid.metrics`."""
        return float(np.square(self.values / self.largest).sum()) if self.largest != 0 else math.nan

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the shares of their sum; NaN for a matrix of zeros.

        References
        ----------
        O. Roy, M. Vetterli (2007), "The effective rank: a measure of effective dimensionality", EUSIPCO, pp. 606-610.
        """
        if self.largest == 0 or math.isnan(self.largest):
            return math.nan
        shares = self.values / self.largest
        shares = shares[shares > 0] / shares.sum()
        return math.exp(-float((shares * np.log(shares)).sum()))


def singular_values(
    matrix: Readable,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """The singular values of a matrix, the largest first; the shorter side of it must fit in memory squared.

    They are square roots of the eigenvalues of its Gram matrix, in float64: each is exact to about 1e-8 of the
    largest one, so that those below that are noise.

    Parameters
    ----------
    stop : set it to give up; heeded between panels of both steps, but see `symmetric_eigenvalues`
    progress : called with the share that is done, from 0 to 1

    Returns
    -------
    float64 array as long as the shorter side; all NaN where an entry is NaN or infinite

    Raises
    ------
    Stopped
        If `stop` was set.
    ValueError
        If the shorter side is longer than `LONGEST_SIDE`.
    """
    if min(matrix.shape) > LONGEST_SIDE:
        raise ValueError(
            f"the singular values of {matrix.shape[0]} x {matrix.shape[1]} entries would take hours; they are computed "
            f"where the shorter side is at most {LONGEST_SIDE}"
        )
    exponent = _exponent(matrix, stop) if matrix.dtype == "F64" else 0
    rows, columns = matrix.shape
    short, long = min(rows, columns), max(rows, columns)
    gram = np.zeros((short, short))
    step = max(1, _PANEL // short)
    gram_share = long / (long + _EIGENVALUES_AS_LONG_AS * short)

    done = 0.0

    def report(share: float) -> None:
        nonlocal done
        _check(stop)
        done = max(done, share)  # where two steps meet, rounding may take the last bit back
        if progress is not None:
            progress(done)

    for start in range(0, long, step):
        panel = slice(start, min(start + step, long))
        part = (slice(0, rows), panel) if rows <= columns else (panel, slice(0, columns))
        values = np.ldexp(widen(matrix.read(*part), matrix.dtype).astype(np.float64), -exponent)
        with np.errstate(invalid="ignore", over="ignore"):
            gram += values @ values.T if rows <= columns else values.T @ values
        report(gram_share * panel.stop / long)
    if not np.isfinite(gram).all():
        return np.full(short, np.nan)
    found = symmetric_eigenvalues(gram, lambda share: report(gram_share + (1 - gram_share) * share))[::-1]
    singular: np.ndarray = np.ldexp(np.sqrt(np.maximum(found, 0.0)), exponent)
    return singular


def _exponent(matrix: Readable, stop: threading.Event | None) -> int:
    """A power of two that brings all entries to about 1: no square then leaves the range of float64."""
    largest = 0.0
    for part in parts(slice(0, matrix.shape[0]), slice(0, matrix.shape[1]), chunk_rows=matrix.chunk_rows):
        _check(stop)
        largest = max(largest, float(np.abs(matrix.read(*part)).max()))
    return math.frexp(largest)[1] if 0 < largest < math.inf else 0


def _check(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped("the singular values are no longer wanted")

"""The power-law exponent of a spectrum's tail, equal to WeightWatcher's."""

from __future__ import annotations

import math

import numpy as np

SMALLEST = 1e-5
"""WeightWatcher leaves out eigenvalues up to this one."""


def alpha(eigenvalues: np.ndarray) -> float:
    """Exponent of the power law fitted to the largest eigenvalues of ``W @ W.T``; NaN with fewer than two.

    Maximum likelihood from each eigenvalue on; that start is kept whose Kolmogorov-Smirnov distance is
    smallest. A start is skipped where the distance at 64 of its points, a lower bound, already exceeds the
    best one found. Below 20 eigenvalues WeightWatcher corrects the bias and wants 8 in the tail, or all where
    there are fewer; so does this.

    References
    ----------
    A. Clauset, C. R. Shalizi, M. E. J. Newman (2009), "Power-law distributions in empirical data", SIAM
    Review 51, sections 3.1 and 3.3. C. H. Martin, weightwatcher 0.7.7, `WWFit`.
    """
    ordered = np.sort(eigenvalues[eigenvalues > SMALLEST])
    count = ordered.size
    if count < 2:
        return math.nan
    few = count < 20
    starts = np.arange(count - 1)
    if few:
        starts = starts[: max(1, count - 7)]
    logs = np.log(ordered)
    tails = (count - starts).astype(np.float64)
    excess = np.cumsum(logs[::-1])[::-1][starts] - tails * logs[starts]
    with np.errstate(divide="ignore"):
        exponents = 1 + (tails - few) / excess
    # Equal eigenvalues at the top have no exponent.
    usable = np.isfinite(exponents) & (excess > 1e-12)
    starts, tails, exponents = starts[usable], tails[usable], exponents[usable]
    if not starts.size:
        return math.nan
    steps = (np.linspace(0, 1, 64) * (tails[:, None] - 1)).astype(np.int64)
    rise = (logs[starts[:, None] + steps] - logs[starts, None]) * (1 - exponents[:, None])
    bounds = np.abs(np.exp(rise) + steps / tails[:, None] - 1).max(axis=1)
    best, winner = math.inf, 0
    for index in np.argsort(bounds, kind="stable"):
        if bounds[index] > best:
            break
        start = starts[index]
        model = np.exp((logs[start:] - logs[start]) * (1 - exponents[index]))
        distance = float(np.abs(model + np.arange(count - start) / tails[index] - 1).max())
        if distance < best or (distance == best and index < winner):
            best, winner = distance, int(index)
    return float(exponents[winner])

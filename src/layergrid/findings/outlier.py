"""Kind ``outlier``: single cells far from the pattern of their component and layer."""

from __future__ import annotations

from typing import cast

import numpy as np

from layergrid.findings.finding import Finding, called, chance, number
from layergrid.findings.multiplicity import corrected
from layergrid.findings.series import Series, median

TEST = "residual of a robust two-way fit, tail of a Student t fitted to the grid's other cells"
# One over the freedoms of the Student t, from a normal one's to heavier than t of two.
_TAILS = np.array([0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6])
# Heavy tails have a prior chance of the square of this over the number of cells, at most 0.8: fewer cells show less of
# their tails.
_HEAVY = 44
_SCALES = np.exp(np.linspace(-0.7, 0.5, 25))
_REFINEMENTS = 6
_ROUNDING = 1e-7
# Residuals are clipped there for their spread; what is left of a standard normal's variance then.
_CLIP = 2.5
_CLIPPED_VARIANCE = 0.97756
_FEWEST_CELLS = 30
# Cells whose likelihood at every scale is computed at once; of so many of them one logarithm is taken.
_CHUNK = 2**12
_MULTIPLIED = 4
_MOST = 50


def outliers(series: Series, alpha: float) -> list[Finding]:
    """The outlying cells, in linear terms and, where the grid spans decades, in logarithms too.

    At most 50.
    """
    scales = [("linear", series.values)] + ([("log", series.terms)] if series.log else [])
    best: dict[tuple[int, int], tuple[float, float, str]] = {}
    for scale, values in scales:
        z = residuals(values)
        rows, columns = np.nonzero(_stands_alone(z))
        p = tail_chances(z[np.isfinite(z)], z[rows, columns])
        q = np.minimum(1.0, corrected(p, int(np.isfinite(values).sum()), "outlier") * len(scales))
        for r, c, chance_of_it in zip(rows, columns, q, strict=True):
            key = (int(r), int(c))
            if chance_of_it <= alpha and chance_of_it < best.get(key, (1.0,))[0]:
                best[key] = (float(chance_of_it), float(z[r, c]), scale)
    strongest = sorted(best.items(), key=lambda item: item[1][0])[:_MOST]
    return [_outlier(series, row, column, p, z, scale) for (row, column), (p, z, scale) in strongest]


def residuals(values: np.ndarray) -> np.ndarray:
    """Distance of each cell from what its component and layer lead to expect, in robust standard deviations.

    Shape of `values`; NaN where there is no value, or the component has fewer than 8 or no spread to judge by. Median
    polish, then means of the residuals clipped at two standard deviations: medians leave a zero in every row, so that
    normal noise looks heavy-tailed.

    References
    ----------
    J. W. Tukey (1977), "Exploratory data analysis", Addison-Wesley: median polish.
    P. J. Huber (1981), "Robust statistics", Wiley: means of clipped residuals.
    """
    z = np.full_like(values, np.nan)
    usable = np.isfinite(values).sum(axis=0) >= 8
    if usable.sum() * len(values) < _FEWEST_CELLS:
        return z
    size = np.nanmax(np.abs(values[:, usable]), axis=0)
    size[size == 0] = 1.0
    # One unit for the grid, so that layers can be compared; within [-1, 1], where squares neither overflow nor vanish.
    kept = values[:, usable] / size.max()
    rows = np.isfinite(kept).any(axis=1)
    residual = median_polish(kept[rows])
    for _ in range(_REFINEMENTS):
        spread = _spread(residual, 1)
        clipped = np.clip(residual, -2 * spread, 2 * spread)
        residual = residual - _mean(clipped, 0) - _mean(clipped, 1) + np.nanmean(clipped)
    spread = _shared(_spread(residual, 8), residual)
    # The values are rounded to seven digits or fewer: what lies below that is rounding, not spread.
    spread[spread <= _ROUNDING * np.nanmax(np.abs(kept), axis=0)] = np.nan
    z[np.ix_(rows, usable)] = residual / spread
    return z


def tail_chances(z: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Two-sided chance of each of some residuals in noise with tails as heavy as this grid's, shape of `of`.

    A Student t of every freedom and scale, weighted by how well it explains all residuals; of the two largest it is
    only used that they are the largest, so that an outlier does not widen the tail it is judged by. Heavy tails are
    taken to be rarer than normal ones until the residuals say otherwise.

    Parameters
    ----------
    z : all residuals, finite, shape (any,)
    """
    from scipy.special import gammaln, stdtr, stdtrit

    if len(z) < _FEWEST_CELLS:
        return np.ones(of.shape)
    size = np.sort(np.abs(z))
    inner, largest = size[:-2], size[-3]
    anchor = np.quantile(size, 0.75)
    if not anchor > 0:
        return np.ones(of.shape)
    freedom = 1 / _TAILS
    density = np.log(2) + gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi)
    scale = (anchor / stdtrit(freedom, 0.875))[:, None] * _SCALES
    support = np.empty_like(scale)
    for i, (each, scales) in enumerate(zip(freedom, scale, strict=True)):
        kernel = np.zeros(len(scales))
        for start in range(0, len(inner), _CHUNK):
            kernel += _log_sum(1 + (inner[start : start + _CHUNK] / scales[:, None]) ** 2 / each)
        support[i] = len(inner) * (density[i] - np.log(scales)) - (each + 1) / 2 * kernel
    support += 2 * np.log(np.maximum(2 * stdtr(freedom[:, None], -largest / scale), 1e-300))
    weight = np.exp(support - support.max()) * _tail_prior(len(z))[:, None]
    weight /= weight.sum()
    out = np.zeros_like(of)
    for each, scales, shares in zip(freedom, scale, weight, strict=True):
        some = shares > 1e-9
        out += shares[some] @ (2 * stdtr(each, -np.abs(of) / scales[some, None]))
    return cast(np.ndarray, np.maximum(out, 1e-300))


def _log_sum(of: np.ndarray) -> np.ndarray:
    """Sum of the logarithms over the last axis of numbers from 1 to 1e70; a product costs less than a logarithm."""
    whole = of.shape[1] // _MULTIPLIED
    products = of[:, :whole].copy()
    for part in range(1, _MULTIPLIED):
        products *= of[:, part * whole : (part + 1) * whole]
    rest = of[:, _MULTIPLIED * whole :]
    return cast(np.ndarray, np.log(products).sum(axis=1) + np.log(rest).sum(axis=1))


def median_polish(values: np.ndarray) -> np.ndarray:
    """Residuals after the medians of rows and columns are taken out in turn, four times; NaN ignored."""
    residual = values
    for _ in range(4):
        residual = residual - median(residual)
        residual = residual - median(residual, axis=1)[:, None]
    return cast(np.ndarray, residual - median(residual))


def _stands_alone(z: np.ndarray) -> np.ndarray:
    """Cells further out than 2, of which neither neighbouring layer shares half: a smooth peak's cells do not."""
    sign = np.sign(z)
    beside = np.full((2, *z.shape), np.nan)
    beside[0, 1:], beside[1, :-1] = z[:-1], z[1:]
    shared = np.nan_to_num(sign * beside, nan=-np.inf).max(axis=0)
    return cast(np.ndarray, (np.abs(z) > 2) & (shared <= 0.5 * np.abs(z)))


def _spread(residual: np.ndarray, steps: int) -> np.ndarray:
    """Standard deviation of each column without its tails (Huber 1981, proposal 2), from the MAD in some steps."""
    spread = 1.4826 * median(np.abs(residual))
    for _ in range(steps):
        clipped = np.clip(residual, -_CLIP * spread, _CLIP * spread)
        spread = np.sqrt(_mean(clipped**2, 0) / _CLIPPED_VARIANCE)
    return spread


def _shared(spread: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """The columns' spreads drawn to each other as far as they differ by chance alone.

    The log of the spread of n values varies by 0.55 / n (normal noise); what the spreads vary beyond that is their own.
    """
    logs = np.log(np.where(spread > 0, spread, np.nan))
    if np.isfinite(logs).sum() < 3:
        return np.where(spread > 0, spread, np.nan)
    own = float(np.nanvar(logs, ddof=1))
    by_chance = 0.55 / float(np.isfinite(residual).sum(axis=0).mean())
    keep = max(0.0, 1 - by_chance / own) if own > 0 else 0.0
    middle = float(np.nanmean(logs))
    return np.exp(middle + keep * (logs - middle))


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    return cast(np.ndarray, np.nanmean(values, axis=axis, keepdims=axis == 1))


def _tail_prior(cells: int) -> np.ndarray:
    """Prior of each of `_TAILS`, shape (tails,): heavy ones even in one over the freedom, the rest normal."""
    heavy = min(0.8, (_HEAVY / cells) ** 2)
    even = np.gradient(_TAILS)
    prior = heavy * even / even.sum()
    prior[0] += 1 - heavy
    return cast(np.ndarray, prior)


def _outlier(series: Series, row: int, column: int, p: float, z: float, scale: str) -> Finding:
    layer, name = series.matrix.layers[row], series.matrix.components[column]
    value = series.values[row, column]
    typical = float(np.nanmedian(series.values[:, column]))
    where = " in logarithms" if scale == "log" else ""
    return Finding(
        kind="outlier",
        components=(name,),
        layers=(layer, layer),
        direction="high" if z > 0 else "low",
        cells=[(layer, name)],
        effect=z,
        effect_name=f"robust standard deviations from the pattern{where}",
        p=p,
        test=TEST,
        statement=f"{called(name)} at layer {layer} is {number(value)}, {abs(z):.3g} robust standard deviations "
        f"{'above' if z > 0 else 'below'} its pattern{where}; "
        f"{called(name)} is typically {number(typical)} ({chance(p)}).",
    )

"""Kind ``outlier``: single cells far from the pattern of their component and layer."""

from __future__ import annotations

from typing import cast

import numpy as np

from layergrid.findings.finding import Finding, chance, number
from layergrid.findings.multiplicity import corrected
from layergrid.findings.series import Series, robust_spread

TEST = "median polish residual and distance from neighbouring layers, tail of a Student t fitted to the grid"
_FREEDOMS = np.array([1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 25, 50, 200.0])
_FEWEST_CELLS = 30
_MOST = 50


def outliers(series: Series, alpha: float) -> list[Finding]:
    """The outlying cells, in linear terms and, where the grid spans decades, in logarithms too.

    At most 50.
    """
    scales = [("linear", series.values)] + ([("log", series.terms)] if series.log else [])
    best: dict[tuple[int, int], tuple[float, float, str]] = {}
    for scale, values in scales:
        z, p = cell_chances(values)
        rows, columns = np.nonzero(p < 1)
        if not len(rows):
            continue
        q = np.minimum(1.0, corrected(p[rows, columns], int(np.isfinite(values).sum()), "outlier") * len(scales))
        for r, c, chance_of_it in zip(rows, columns, q, strict=True):
            key = (int(r), int(c))
            if chance_of_it <= alpha and chance_of_it < best.get(key, (1.0,))[0]:
                best[key] = (float(chance_of_it), float(z[r, c]), scale)
    strongest = sorted(best.items(), key=lambda item: item[1][0])[:_MOST]
    return [_outlier(series, row, column, p, z, scale) for (row, column), (p, z, scale) in strongest]


def cell_chances(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Robust z of each cell and its chance in noise with tails as heavy as this grid's.

    Both of the grid's shape.

    A cell must be far both from what its component and layer lead to expect and from the neighbouring
    layers of its
    own component: a smooth peak is far from the former only. Chance 1 where a component has too few
    values or no
    spread to judge by.

    References
    ----------
    J. W. Tukey (1977), "Exploratory data analysis", Addison-Wesley: median polish.
    """
    p, z = np.ones_like(values), np.zeros_like(values)
    usable = np.isfinite(values).sum(axis=0) >= 8
    if usable.sum() * len(values) < _FEWEST_CELLS:
        return z, p
    size = np.nanmax(np.abs(values[:, usable]))
    kept = values[:, usable] / (size if size > 0 else 1.0)
    residual = median_polish(kept) if usable.sum() > 2 else kept - np.nanmedian(kept, axis=0)
    local = residual - _neighbours(residual)
    far = []
    for each in (residual, local):
        spread = _shared_spread(each)
        # Less than rounding of the values themselves is no spread.
        spread[spread <= 1e-7 * np.nanmax(np.abs(kept), axis=0)] = np.nan
        far.append(each / spread)
    chances = [_tail(each) for each in far]
    p[:, usable] = np.nan_to_num(np.maximum(chances[0], chances[1]), nan=1.0)
    z[:, usable] = np.nan_to_num(far[0])
    return z, p


def _shared_spread(residual: np.ndarray) -> np.ndarray:
    """Robust spread of each column, drawn to that of the others as far as they differ by chance alone.

    The log of a MAD of n values has variance 1.36 / n; what the components' spreads vary beyond that is
    their own.
    """
    spread = robust_spread(residual)
    spread[spread == 0] = np.nan
    logs = np.log(spread)
    if np.isfinite(logs).sum() < 3:
        return spread
    own = float(np.nanvar(logs, ddof=1))
    by_chance = 1.36 / float(np.isfinite(residual).sum(axis=0).mean())
    keep = max(0.0, 1 - by_chance / own) if own > 0 else 0.0
    middle = float(np.nanmean(logs))
    return cast(np.ndarray, np.exp(middle + keep * (logs - middle)))


def median_polish(values: np.ndarray) -> np.ndarray:
    """Residuals after the medians of rows and columns are taken out in turn, four times; NaN ignored."""
    residual = values.copy()
    rows = np.isfinite(values).any(axis=1)
    for _ in range(4):
        residual = residual - np.nanmedian(residual, axis=0)
        residual[rows] -= np.nanmedian(residual[rows], axis=1, keepdims=True)
    return cast(np.ndarray, residual - np.nanmedian(residual, axis=0))


def _neighbours(residual: np.ndarray) -> np.ndarray:
    """Median of the two layers before and the two after, fewer at the ends; 0 where none is there."""
    padded = np.pad(residual, ((2, 2), (0, 0)), constant_values=np.nan)
    around = np.stack([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]])
    out = np.zeros_like(residual)
    some = np.isfinite(around).any(axis=0)
    out[some] = np.nanmedian(around[:, some], axis=0)
    return out


def _tail(z: np.ndarray) -> np.ndarray:
    """Two-sided chance of each z under the Student t that fits all but the two largest; NaN stays."""
    from scipy.special import stdtr
    from scipy.stats import t as student

    size = np.sort(np.abs(z[np.isfinite(z)]))[:-2]
    if len(size) < _FEWEST_CELLS - 2:
        return np.ones_like(z)
    # Median polish draws the middle of the residuals together: the scale is set, and the tail fitted,
    # further out.
    edge = size[int(0.8 * len(size))]
    beyond = size[size >= edge]
    scales = edge / student.ppf(0.9, _FREEDOMS)
    fits = []
    for freedom, scale in zip(_FREEDOMS, scales, strict=True):
        likelihood = (
            student.logpdf(beyond / scale, freedom).sum() - len(beyond) * np.log(scale) if edge > 0 else -np.inf
        )
        fits.append(likelihood - len(beyond) * student.logsf(edge / scale, freedom) if edge > 0 else -np.inf)
    likelihoods = np.array(fits)
    if not np.isfinite(likelihoods).any():
        return np.ones_like(z)
    weight = np.exp(likelihoods - likelihoods.max())
    weight /= weight.sum()
    # The fewer cells, the less their tail is known: the plain average up to 72 cells, then nearer the best.
    s = float(np.clip((72 / np.isfinite(z).sum()) ** 2, 0.1, 1.0))
    total = np.zeros_like(z)
    for freedom, scale, share in zip(_FREEDOMS, scales, weight, strict=True):
        total += share * (2 * stdtr(freedom, -np.abs(z) / scale)) ** s
    return cast(np.ndarray, total ** (1 / s))


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
        statement=f"{name} at layer {layer} is {number(value)}, {number(abs(z))} robust standard deviations "
        f"{'above' if z > 0 else 'below'} its pattern{where}; "
        f"{name} is typically {number(typical)} ({chance(p)}).",
    )

"""The color scale: value -> position on the colormap, from 0 (low) to 1 (high).

A scale first transforms a value (not at all, by a logarithm, by its rank), then measures where the result lies
between the transformed limits. A diverging map has two arms that meet at the center, each as long as its side of
the domain. Twin of js/src/scale.ts; both read tests/fixtures/scale_cases.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

SCALES = ("linear", "log", "symlog", "quantile")

SYMLOG_RANGE = 1000.0
"""Largest limit over the distance from zero within which a symlog scale is linear."""

KNOTS = 1025
"""Quantiles that a quantile scale interpolates between."""

MOST_SAMPLED = 65_536
"""Above this many cells the median comes from that many, evenly spaced: an estimate."""


def finite_extent(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest finite value of an array of any shape; (0, 1) where none is finite."""
    return _extent(values) or (0.0, 1.0)


def _extent(values: np.ndarray) -> tuple[float, float] | None:
    if values.size:
        low, high = values.min(), values.max()  # NaN and infinities show in them: no mask for the usual case
        if np.isfinite(low) and np.isfinite(high):
            return float(low), float(high)
    finite = np.isfinite(values)
    if not finite.any():
        return None
    return (
        float(np.min(values, where=finite, initial=np.inf)),
        float(np.max(values, where=finite, initial=-np.inf)),
    )


def default_center(values: np.ndarray, low: float, high: float) -> float:
    """The value at the middle of a diverging map: zero between limits of both signs, else the median.

    The median is that of the finite values, estimated where there are more than 65,536 cells; where it does
    not lie strictly between the limits, their middle serves.
    """
    if low < 0 < high:
        return 0.0
    step = -(-values.size // MOST_SAMPLED) or 1
    sample = values.reshape(-1)[::step]
    finite = sample[np.isfinite(sample)]
    median = _median(finite) if finite.size else low
    return median if low < median < high else low + (high - low) / 2


def _median(values: np.ndarray) -> float:
    """np.median imports numpy.ma, which would cost the first display 25 ms; two ranks at once cost ten times one."""
    half = values.size // 2
    parted = np.partition(values, half)
    above = float(parted[half])
    below = above if values.size % 2 else float(parted[:half].max())
    return below + (above - below) / 2


def fitted_domain(
    arrays: Iterable[np.ndarray], count: int = 1, vmin: float | None = None, vmax: float | None = None
) -> tuple[float, float, float]:
    """Low, high and center that fit the values of `count` arrays, or keep the limits given.

    Each array is looked at once and may be let go afterwards. One limit given alone is never refused: the other
    gives way. Twin of fittedDomain in js/src/pages.ts.
    """
    extents, samples = [], []
    for values in arrays:
        samples.append(values.reshape(-1)[:: -(-values.size * count // MOST_SAMPLED) or 1].copy())
        extents.append(_extent(values))
    finite = [extent for extent in extents if extent is not None] or [(0.0, 1.0)]
    low, high = min(start for start, _ in finite), max(end for _, end in finite)
    start = min(low, high if vmax is None else vmax) if vmin is None else vmin
    end = max(high, start) if vmax is None else vmax
    return float(start), float(end), default_center(np.concatenate(samples), start, end)


def positions(
    values: np.ndarray,
    *,
    scale: str,
    low: float,
    high: float,
    center: float,
    diverging: bool,
    shown: np.ndarray,
) -> np.ndarray:
    """Where values lie on the colormap; not clamped.

    Parameters
    ----------
    values : real array of any shape
    scale : one of `SCALES`
    low, high, center : domain; `center` lies at 0.5 on a diverging map and is of no effect on another
    diverging : whether the map is a diverging one
    shown : all shown values, of any shape: their smallest positive one stands in for a low end that a log
        scale cannot place, their quantiles make the quantile scale

    Returns
    -------
    float64 array of the shape of `values`; 0 at low, 1 at high. NaN for NaN, and on a log scale for zero and
    less. A domain of no width sends all to 0.5.
    """
    low, high, center = _domain(scale, low, high, center, shown)
    transform = _transform(scale, low, high, shown)
    at = transform(np.asarray(values, dtype=np.float64))
    start, middle, end = (float(transform(np.array(limit))) for limit in (low, center, high))
    if not diverging:
        if not end > start:
            return np.where(np.isnan(at), np.nan, 0.5)
        return (at - start) / (end - start)
    below = 0.5 / (middle - start) if middle > start else 0.0
    above = 0.5 / (end - middle) if end > middle else 0.0
    offset = at - middle
    with np.errstate(invalid="ignore"):  # infinity times an arm of no length
        return 0.5 + offset * np.where(offset < 0, below, above)


def _domain(scale: str, low: float, high: float, center: float, shown: np.ndarray) -> tuple[float, float, float]:
    """The limits in force: those of a log scale must be positive."""
    if scale != "log":
        return low, high, center
    top = high if high > 0 else 1.0
    if low > 0:
        bottom = low
    else:
        positive = shown[np.isfinite(shown) & (shown > 0)]
        smallest = float(positive.min()) if positive.size else np.inf
        bottom = smallest if smallest <= high else top / 10
    return bottom, top, center if center > 0 else float(np.sqrt(bottom) * np.sqrt(top))


def _transform(scale: str, low: float, high: float, shown: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    if scale == "linear":
        return lambda value: value
    if scale == "log":
        return _log
    if scale == "symlog":
        width = max(abs(low), abs(high)) / SYMLOG_RANGE or 1.0
        return lambda value: np.sign(value) * np.log1p(np.abs(value) / width)
    if scale == "quantile":
        finite = np.asarray(shown[np.isfinite(shown)], dtype=np.float64)
        knots = np.quantile(finite, np.linspace(0, 1, KNOTS)) if finite.size else np.empty(0)
        return lambda value: _rank(knots, value)
    raise ValueError(f"unknown scale {scale!r}; there are {', '.join(SCALES)}")


def _log(value: np.ndarray) -> np.ndarray:
    result = np.full(np.shape(value), np.nan)
    np.log10(value, out=result, where=value > 0)
    return result


def _rank(knots: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Share of the knots below a value, ties counted half; 0.5 where there is no knot."""
    if knots.size == 0:
        return np.where(np.isnan(value), np.nan, 0.5)
    share = np.arange(knots.size) / (knots.size - 1)
    first = np.searchsorted(knots, knots, side="left")
    last = np.searchsorted(knots, knots, side="right") - 1
    rank = np.interp(value, knots, share)
    # np.interp takes the last of equal knots; a value on a knot stands in the middle of those equal to it.
    at = np.minimum(np.searchsorted(knots, value, side="left"), knots.size - 1)
    tied = knots[at] == value
    return np.where(tied, (share[first[at]] + share[last[at]]) / 2, rank)

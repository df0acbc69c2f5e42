"""The color bar of pictures made in Python: its colors, and its ticks with their text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from layergrid import colormaps
from layergrid.pictures.view import View
from layergrid.scale import positions


def bar_positions(view: View, values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Positions on the colormap at shares (0 to 1) of the bar's length, which runs evenly in transformed values."""
    if colormaps.kind(view.cmap) != "diverging":
        return shares

    def position(value: float, diverging: bool) -> float:
        limits = {"low": view.low, "high": view.high, "center": view.center}
        return float(positions(np.array(value), scale=view.scale, diverging=diverging, shown=values, **limits))

    middle = position(view.center, diverging=False)
    if math.isnan(middle):  # a center that a log scale cannot place gives way to the middle
        return shares
    if 0 < middle < 1:
        return np.where(shares < middle, 0.5 * shares / middle, 0.5 + 0.5 * (shares - middle) / (1 - middle))
    foot, top = position(view.low, diverging=True), position(view.high, diverging=True)  # one arm, in part
    return np.nan_to_num(foot + shares * (top - foot), nan=0.5)


def value_ticks(view: View, values: np.ndarray, count: int) -> tuple[list[float], list[float]]:
    """About `count` round values within the domain, and where they stand on the bar: 0 at its foot, 1 at its top."""
    if not view.high > view.low:
        return [view.low], [0.5]
    candidates = _candidates(view, values, count)
    share = positions(
        np.array(candidates),
        scale=view.scale,
        low=view.low,
        high=view.high,
        center=view.center,
        diverging=False,
        shown=values,
    )
    placed = [(tick, float(at)) for tick, at in zip(candidates, share, strict=True) if -1e-9 <= at <= 1 + 1e-9]
    return [tick for tick, _ in placed], [at for _, at in placed]


def _candidates(view: View, values: np.ndarray, count: int) -> list[float]:
    if view.scale == "quantile":
        finite = values[np.isfinite(values)]
        return (
            sorted({_rounded(float(q)) for q in np.quantile(finite, np.linspace(0, 1, count))}) if finite.size else []
        )
    if view.scale == "log" and view.high > 0:
        positive = values[(values > 0) & np.isfinite(values)]
        low = view.low if view.low > 0 else float(positive.min()) if positive.size else view.high / 10
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(view.high))
        if last > first:
            return [10.0**power for power in range(first, last + 1, max(1, -(-(last - first + 1) // count)))]
        return _round_steps(low, view.high, count)
    if view.scale == "symlog":
        top = max(abs(view.low), abs(view.high))
        powers = [top / 10**k for k in range(3)]
        return sorted({_rounded(sign * power) for power in powers for sign in (-1, 1)} | {0.0})
    return _round_steps(view.low, view.high, count)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _round_steps(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from low to high."""
    raw = (high - low) / max(count, 1)
    if not (raw > 0 and math.isfinite(raw)):
        return [low, high]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((step * power for step in (1, 2, 5, 10) if step * power >= raw), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{at * step:.12g}") for at in range(first, last + 1)]


def compact_number(value: float, among: Sequence[float]) -> str:
    """A tick's text: the decimals that tell it from its neighbours, an exponent where it is very large or small."""
    largest = max(map(abs, among), default=0.0)
    if value == 0:
        return "0"
    if largest >= 1e6 or largest < 1e-3:
        return f"{value:.3g}".replace("-", "\u2212")
    if largest > 100 * min((abs(tick) for tick in among if tick != 0), default=largest):
        return f"{value:.3g}".replace("-", "\u2212")
    gaps = [abs(b - a) for a, b in itertools.pairwise(among) if b != a]
    if not gaps:
        return f"{value:.4g}".replace("-", "\u2212")
    decimals = max(0, -math.floor(math.log10(min(gaps)) + 1e-9))
    text = f"{value:.{min(decimals, 10)}f}" if abs(value) * 10**decimals >= 0.5 else f"{value:.2g}"
    return text.replace("-", "\u2212")

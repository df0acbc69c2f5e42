"""Kind ``shape``: a U, a peak, a dip or a step.

Where it describes the component better than a monotone trend.
"""

from __future__ import annotations

import numpy as np

from layergrid.findings.curves import Curve
from layergrid.findings.finding import Finding, called, chance, layer_range, number
from layergrid.findings.multiplicity import corrected
from layergrid.findings.series import Series

MARGIN = 0.5
"""A shape must beat the monotone trend by more than this in half the Schwarz criterion."""

SHARES = {"peak": 0.4, "step": 0.4, "quadratic": 0.5, "valley": 0.05}
"""How the chance of a false shape is shared among the forms tried.

Together more than 1, as only the form that describes a component best is asked; see the measured rates.
"""

_DIRECTION = {
    "quadratic": ("u", "inverted-u"),
    "valley": ("inverted-u", "u"),
    "peak": ("peak", "dip"),
    "step": ("step-up", "step-down"),
}
TEST = "best of all places and widths with AR(1) noise (Bonferroni), serial correlation averaged out"


def best_shape(curves: dict[str, Curve]) -> Curve:
    """The shape that describes a component best, whether or not it is significant."""
    return max((curves[form] for form in SHARES if form in curves), key=lambda curve: curve.criterion)


def shapes(series: Series, curves: dict[int, dict[str, Curve]], alpha: float) -> dict[int, Finding]:
    """The shapes, by component index."""
    columns = list(curves)
    best = {column: best_shape(curves[column]) for column in columns}
    shared = [min(1.0, best[c].p / SHARES[best[c].form]) for c in columns]
    p = corrected(np.array(shared), len(columns), "shape")
    found = {}
    for column, chance_of_it in zip(columns, p, strict=True):
        ahead = best[column].criterion - curves[column]["trend"].criterion
        if chance_of_it <= alpha and ahead > MARGIN:
            found[column] = _shape(series, column, best[column], float(chance_of_it))
    return found


def direction(curve: Curve) -> str:
    """``u``, ``inverted-u``, ``peak``, ``dip``, ``step-up`` or ``step-down``."""
    upright, upside_down = _DIRECTION[curve.form]
    return upright if curve.sign > 0 else upside_down


def _shape(series: Series, column: int, curve: Curve, p: float) -> Finding:
    name = series.matrix.components[column]
    rows = np.flatnonzero(np.isfinite(series.values[:, column]))
    first, last = curve.first, curve.last
    way = direction(curve)
    if curve.form == "step":
        marked = rows[rows >= last]
        outside = rows[rows < last]
    elif curve.form == "peak":
        marked = rows[(rows >= first) & (rows <= last)]
        outside = rows[(rows < first) | (rows > last)]
    else:
        first, last = int(rows[0]), int(rows[-1])
        quarter = max(1, len(rows) // 4)
        marked, outside = np.concatenate([rows[:quarter], rows[-quarter:]]), rows[quarter:-quarter]
    inside, beside = (float(np.median(series.values[r, column])) for r in (marked, outside))
    noise = np.concatenate([series.terms[r, column] - np.median(series.terms[r, column]) for r in (marked, outside)])
    height = float(np.median(series.terms[marked, column]) - np.median(series.terms[outside, column]))
    span = series.span(first, last)
    stride = f"between layers {span[0]} and {span[1]}, from {number(beside)} to {number(inside)}"
    said = {
        "u": f"is U-shaped: {number(inside)} at both ends, {number(beside)} between",
        "inverted-u": f"is an inverted U: {number(inside)} at both ends, {number(beside)} between",
        "peak": f"peaks at {layer_range(*span)}: {number(inside)} there, {number(beside)} elsewhere",
        "dip": f"dips at {layer_range(*span)}: {number(inside)} there, {number(beside)} elsewhere",
        "step-up": f"steps up {stride}",
        "step-down": f"steps down {stride}",
    }[way]
    whole = curve.form in ("quadratic", "valley")
    spread = float(np.std(noise))
    return Finding(
        kind="shape",
        components=(name,),
        layers=span,
        direction=way,
        cells=series.cells(rows if whole else marked, [column]),
        effect=abs(height) / spread if spread > 0 else float("inf"),
        effect_name="height in standard deviations about the two levels",
        p=p,
        test=TEST,
        statement=f"{called(name)} {said} ({chance(p)}).",
    )

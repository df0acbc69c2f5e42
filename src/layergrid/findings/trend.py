"""Kind ``trend``: a component that rises or falls over the layers."""

from __future__ import annotations

import numpy as np

from layergrid.findings.curves import Curve
from layergrid.findings.finding import Finding, called, chance, layer_range, number
from layergrid.findings.multiplicity import corrected
from layergrid.findings.series import Series

TEST = "slope with AR(1) noise, serial correlation averaged out"


def trends(series: Series, curves: dict[int, dict[str, Curve]], alpha: float, taken: set[int]) -> list[Finding]:
    """The trends; components in `taken` have a shape that describes them better, and get none."""
    columns = list(curves)
    p = corrected(np.array([curves[c]["trend"].p for c in columns]), len(columns), "trend")
    found = []
    for column, chance_of_it in zip(columns, p, strict=True):
        if chance_of_it <= alpha and column not in taken:
            finding = _trend(series, column, curves[column]["trend"], float(chance_of_it))
            if finding is not None:
                found.append(finding)
    return found


def ends(series: Series, column: int) -> tuple[float, float]:
    """Level at the first and at the last layers: medians over an eighth of the present layers each."""
    present = series.values[np.isfinite(series.values[:, column]), column]
    few = max(1, round(len(present) / 8))
    return float(np.median(present[:few])), float(np.median(present[-few:]))


def tau(series: Series, column: int) -> float:
    """Kendall's tau-b of value and layer over the present layers of a component that is tested."""
    from scipy.stats import kendalltau

    rows = np.flatnonzero(np.isfinite(series.values[:, column]))
    # Its exact p-value would take twice as long, and is not used: see `serial`.
    return float(kendalltau(rows, series.values[rows, column], method="asymptotic").statistic)


def _trend(series: Series, column: int, curve: Curve, p: float) -> Finding | None:
    association = tau(series, column)
    if association * curve.sign <= 0:
        return None
    name = series.matrix.components[column]
    low, high = ends(series, column)
    rising = curve.sign > 0
    span = series.span(curve.first, curve.last)
    return Finding(
        kind="trend",
        components=(name,),
        layers=span,
        direction="rising" if rising else "falling",
        cells=series.cells(range(curve.first, curve.last + 1), [column]),
        effect=association,
        effect_name="Kendall's tau",
        p=p,
        test=TEST,
        statement=f"{called(name)} {'rises' if rising else 'falls'} from {number(low)} to {number(high)} over "
        f"{layer_range(*span)} (tau {association:.2f}, {chance(p)}).",
    )

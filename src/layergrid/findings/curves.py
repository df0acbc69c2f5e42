"""Each component over its layers, fitted by a monotone trend and by the shapes.

The common ground of both kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from layergrid.findings import serial, templates
from layergrid.findings.series import Block, Series, level, level_and_slope, place


@dataclass(frozen=True)
class Curve:
    """One form fitted to one component."""

    form: str
    """``trend``, ``quadratic``, ``step``, ``peak`` or ``valley``."""

    sign: float
    """Of the coefficient: 1 where the form is upright."""

    p: float
    """Chance in noise, corrected for the places and widths that were tried."""

    criterion: float
    """Schwarz criterion over two.

    Log likelihood less half a log n for each number fitted; higher is better.
    """

    first: int
    """Row of the first marked layer."""

    last: int


def fit_curves(series: Series) -> dict[int, dict[str, Curve]]:
    """The best curve of each form, by component index; components that are not tested have none."""
    out: dict[int, dict[str, Curve]] = {}
    for block in series.blocks:
        forms = _forms(block.rows)
        for part in serial.batches(len(block.columns), templates.peaks(len(block.rows)).columns.shape[1]):
            _fit(forms, Block(block.rows, block.columns[part], block.y[:, part]), series, out)
    return out


# Numbers fitted beside the constant: slope; slope, curvature; place, height; place, width, height, box or bump.
_FITTED = {"trend": 1, "quadratic": 2, "step": 2, "peak": 4, "valley": 4}


# A parabola that turns nearer to an end than this, in places from -1 to 1, is a bent trend and no U.
_INSIDE = 0.6


_Forms = dict[str, tuple[serial.Design, templates.Templates]]


def _forms(rows: np.ndarray) -> _Forms:
    """Each form that so many layers have room for."""
    straight = place(rows)[:, None]
    whole = np.array([0]), np.array([len(rows) - 1])
    forms = {
        "trend": (level(rows), templates.Templates(straight, *whole, 1)),
        "quadratic": (level_and_slope(rows), templates.Templates(straight**2, *whole, 1)),
        "step": (level(rows), templates.steps(len(rows))),
        "peak": (level(rows), templates.peaks(len(rows))),
        "valley": (level(rows), templates.valleys(len(rows))),
    }
    return {
        form: (serial.Design.of(nuisance, template.columns), template)
        for form, (nuisance, template) in forms.items()
        if template.columns.shape[1]
    }


def _fit(forms: _Forms, block: Block, series: Series, out: dict[int, dict[str, Curve]]) -> None:
    noise = series.noise.of(block.columns)
    for form, (design, template) in forms.items():
        fit = serial.regress(design, block.y, noise)
        support = serial.support(fit)
        best = support.argmax(axis=0)
        (p,), (sign,) = serial.both_tails(fit.pairs(best, np.arange(len(best))))
        turns = np.abs(_turning_place(block)) <= _INSIDE if form == "quadratic" else np.ones(len(p), bool)
        for i, column in enumerate(block.columns):
            if not turns[i]:
                continue
            out.setdefault(int(column), {})[form] = Curve(
                form,
                float(sign[i]),
                min(1.0, float(p[i]) * template.tried),
                float(support[best[i], i]) - 0.5 * _FITTED[form] * math.log(len(block.rows)),
                int(block.rows[template.first[best[i]]]),
                int(block.rows[template.last[best[i]]]),
            )


def _turning_place(block: Block) -> np.ndarray:
    """Where the parabola of least squares turns, shape (columns,)."""
    curvature, slope, _ = np.polyfit(place(block.rows), block.y, 2)
    places = np.full(len(slope), np.inf)
    np.divide(-slope, 2 * curvature, out=places, where=curvature != 0)
    return places

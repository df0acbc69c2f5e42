"""Each component over its layers, fitted by a monotone trend and by the shapes.

The common ground of both kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from layergrid.findings import serial, templates
from layergrid.findings.series import Block, Series, level, level_and_slope, place

# Components fitted at once: bounds the memory at (rhos, templates, this many).
_BATCH = 32


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
        for start in range(0, len(block.columns), _BATCH):
            part = slice(start, start + _BATCH)
            _fit(Block(block.rows, block.columns[part], block.y[:, part]), series, out)
    return out


# Numbers fitted beside the constant: slope; slope and curvature; place and height; place, width and height.
_FITTED = {"trend": 1, "quadratic": 2, "step": 2, "peak": 3, "valley": 3}


def _fit(block: Block, series: Series, out: dict[int, dict[str, Curve]]) -> None:
    layers = len(block.rows)
    straight = place(block.rows)[:, None]
    whole = np.array([0]), np.array([layers - 1])
    forms = {
        "trend": (level(block.rows), templates.Templates(straight, *whole)),
        "quadratic": (level_and_slope(block.rows), templates.Templates(straight**2, *whole)),
        "step": (level(block.rows), templates.steps(layers)),
        "peak": (level(block.rows), templates.peaks(layers)),
        "valley": (level(block.rows), templates.valleys(layers)),
    }
    prior = series.log_prior[:, block.columns]
    for form, (nuisance, template) in forms.items():
        if not template.columns.shape[1]:
            continue
        # A box and a bump of the same window are nearly the same question: counted once.
        tried = len({(int(a), int(b)) for a, b in zip(template.first, template.last, strict=True)})
        fit = serial.regress(nuisance, template.columns, block.y)
        support = serial.support(fit, prior)
        best = support.argmax(axis=0)
        chosen = serial.picked(fit, best)
        p = serial.both_tails(chosen, prior)[0]
        sign = serial.coefficient_sign(chosen, prior)[0]
        for i, column in enumerate(block.columns):
            out.setdefault(int(column), {})[form] = Curve(
                form,
                float(sign[i]),
                min(1.0, float(p[i]) * tried),
                float(support[best[i], i]) - 0.5 * _FITTED[form] * math.log(layers),
                int(block.rows[template.first[best[i]]]),
                int(block.rows[template.last[best[i]]]),
            )

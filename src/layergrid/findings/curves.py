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
    out: dict[int, dict[str, Curve]] = {int(column): {} for block in series.blocks for column in block.columns}
    for block in series.blocks:
        _fit_lines(block, series, out)
    for batch in _batches(series.blocks):
        for form, make in _WINDOWED.items():
            _fit_windows(form, make(len(batch.y)), batch, series, out)
    return out


_WINDOWED = {"step": templates.steps, "peak": templates.peaks, "valley": templates.valleys}
# Numbers fitted beside the constant: slope; slope, curvature; place, height; place, width, height, box or bump.
_FITTED = {"trend": 1, "quadratic": 2, "step": 2, "peak": 4, "valley": 4}
# A parabola that turns nearer to an end than this, in places from -1 to 1, is a bent trend and no U.
_INSIDE = 0.6


@dataclass(frozen=True, eq=False)
class _Batch:
    """Components with as many layers, whichever those are: windows of them are windows of the layers they have."""

    rows: np.ndarray
    """Indices of the layers that are present, shape (rows, columns)."""

    columns: np.ndarray
    y: np.ndarray
    """As in a `Block`."""


def _batches(blocks: tuple[Block, ...]) -> list[_Batch]:
    """Where cells are missing at random nearly every component is a block of its own: of few sizes."""
    of_size: dict[int, list[Block]] = {}
    for block in blocks:
        of_size.setdefault(len(block.rows), []).append(block)
    return [
        _Batch(
            np.concatenate([np.repeat(block.rows[:, None], len(block.columns), axis=1) for block in same], axis=1),
            np.concatenate([block.columns for block in same]),
            np.concatenate([block.y for block in same], axis=1),
        )
        for same in of_size.values()
    ]


def _fit_lines(block: Block, series: Series, out: dict[int, dict[str, Curve]]) -> None:
    """The trend, and the parabola beside it."""
    straight, noise = place(block.rows)[:, None], series.noise.of(block.columns)
    ends = int(block.rows[0]), int(block.rows[-1])
    turns = np.abs(_turning_place(block)) <= _INSIDE
    for form, nuisance, regressor in (
        ("trend", level(block.rows), straight),
        ("quadratic", level_and_slope(block.rows), straight**2),
    ):
        fit = serial.regress(serial.Design.of(nuisance, regressor), block.y, noise)
        (support,), (p,), (sign,) = serial.support(fit), *serial.both_tails(fit)
        for i, column in enumerate(block.columns):
            if form == "trend" or turns[i]:
                out[int(column)][form] = _curve(form, sign[i], p[i], support[i], len(block.rows), ends)


def _fit_windows(
    form: str, template: templates.Templates, batch: _Batch, series: Series, out: dict[int, dict[str, Curve]]
) -> None:
    """The best of a form's windows."""
    layers, count = batch.y.shape
    support, p, sign, at = np.full(count, -np.inf), np.ones(count), np.ones(count), np.zeros(count, int)
    for part in template.parts():
        design = serial.Design.of(level(batch.rows), template.columns(part))
        for some in serial.batches(count, design.regressors.shape[1]):
            fit = serial.regress(design, batch.y[:, some], series.noise.of(batch.columns[some]))
            likely = serial.support(fit)
            best, each = likely.argmax(axis=0), np.arange(likely.shape[1])
            (chance,), (way,) = serial.both_tails(fit.pairs(best, each))
            better = likely[best, each] > support[some]
            for known, now in ((support, likely[best, each]), (p, chance), (sign, way)):
                known[some] = np.where(better, now, known[some])
            at[some] = np.where(better, part.start + best % (part.stop - part.start), at[some])
    for i, column in enumerate(batch.columns if len(template.start) else ()):
        ends = int(batch.rows[template.first[at[i]], i]), int(batch.rows[template.last[at[i]], i])
        out[int(column)][form] = _curve(form, sign[i], p[i] * template.tried, support[i], layers, ends)


def _curve(form: str, sign: float, p: float, support: float, layers: int, ends: tuple[int, int]) -> Curve:
    criterion = float(support) - 0.5 * _FITTED[form] * math.log(layers)
    return Curve(form, float(sign), min(1.0, float(p)), criterion, *ends)


def _turning_place(block: Block) -> np.ndarray:
    """Where the parabola of least squares turns, shape (columns,)."""
    curvature, slope, _ = np.polyfit(place(block.rows), block.y, 2)
    places = np.full(len(slope), np.inf)
    np.divide(-slope, 2 * curvature, out=places, where=curvature != 0)
    return places

"""All kinds asked of one grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from layergrid.data.matrix import Matrix
from layergrid.findings.band import bands
from layergrid.findings.contrast import Groups, checked_groups, contrasts
from layergrid.findings.curves import fit_curves
from layergrid.findings.finding import KINDS, Finding, Insights, number
from layergrid.findings.outlier import outliers
from layergrid.findings.plain import constants, gaps, identical_groups, identicals, regions
from layergrid.findings.relation import relations
from layergrid.findings.series import FEWEST_LAYERS, Series, prepare
from layergrid.findings.shape import shapes
from layergrid.findings.trend import trends


def insights(data: Any, *, alpha: float = 0.05, groups: Groups | None = None) -> Insights:
    """What the numbers of a grid show: each finding with its cells, test, effect size and corrected p-value.

    Parameters
    ----------
    data : anything `as_dataarray` takes, with one number for each (layer, component)
    alpha : chance that a grid of noise shows any tested finding; all kinds together
    groups : names of groups, each with its components, for the contrasts; attn and mlp where the grid
    has both

    Returns
    -------
    the findings, strongest first; those that are counted rather than tested come last

    Raises
    ------
    ValueError
        If alpha is not between 0 and 1, or a group names a component the grid does not have.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha!r}")
    matrix = matrix_of(data)
    chosen = checked_groups(groups, matrix.components)
    series = prepare(matrix)
    same = identical_groups(series)
    flat = _whole_is_one_number(series)
    notes = _notes(series, flat)
    if flat:
        return Insights(tuple(gaps(series)), alpha, notes, matrix)
    curves = fit_curves(series)
    shaped = shapes(series, curves, alpha)
    trending = trends(series, curves, alpha, set(shaped))
    ways = {matrix.components.index(f.components[0]): str(f.direction) for f in trending}
    equal_pairs = {frozenset((a, b)) for group in same for i, a in enumerate(group) for b in group[i + 1 :]}
    related, significant = relations(series, equal_pairs, alpha, ways)
    if significant > len(related):
        notes += (
            f"{significant - len(related)} more relations are significant than the {len(related)} strongest listed.",
        )
    found = [
        *trending,
        *shaped.values(),
        *related,
        *bands(series, alpha),
        *contrasts(series, chosen, alpha),
        *outliers(series, alpha),
        *regions(series),
        *constants(series, set(ways) | set(shaped)),
        *identicals(series, same),
        *gaps(series),
    ]
    return Insights(tuple(sorted(found, key=_strength)), alpha, notes, matrix)


def matrix_of(data: Any) -> Matrix:
    """The plain matrix of anything that `as_dataarray` takes."""
    if isinstance(data, Matrix):
        return data
    from layergrid.data.convert import as_matrix

    return as_matrix(data)


def _strength(finding: Finding) -> tuple[float, int]:
    return (math.inf if math.isnan(finding.p) else finding.p, KINDS.index(finding.kind))


def _whole_is_one_number(series: Series) -> bool:
    finite = series.values[np.isfinite(series.values)]
    return finite.size == 0 or bool(finite.max() - finite.min() <= 1e-6 * np.abs(finite).max())


def _notes(series: Series, flat: bool) -> tuple[str, ...]:
    finite = series.values[np.isfinite(series.values)]
    if finite.size == 0:
        return ("No cell holds a finite number: there is nothing to say.",)
    if flat:
        return (f"Every finite value is {number(float(finite[0]))}, to rounding: there is nothing to compare.",)
    notes = []
    layers, components = series.values.shape
    if layers < FEWEST_LAYERS:
        notes.append(f"Too little data: {layers} layers, and no test is tried with fewer than {FEWEST_LAYERS}.")
    elif not series.tested.all():
        left = [series.matrix.components[c] for c in np.flatnonzero(~series.tested)]
        some = ", ".join(left[:6]) + (f" and {len(left) - 6} more" if len(left) > 6 else "")
        notes.append(f"Not tested, as they vary not at all or have fewer than {FEWEST_LAYERS} values: {some}.")
    if components == 1:
        notes.append("One component: bands, relations and contrasts need two.")
    if series.log:
        notes.append("The values span over two decades: trends, shapes, bands and contrasts were tested on logarithms.")
    return tuple(notes)

"""Kind ``band``: layers where several components are high, or low, together."""

from __future__ import annotations

from typing import cast

import numpy as np

from layergrid.findings import serial, templates
from layergrid.findings.finding import Finding, called, chance, layer_range
from layergrid.findings.multiplicity import SHARES
from layergrid.findings.series import Series, level_and_slope

SURE = 0.005
"""A component surely takes part in a band where its own chance of such layers is at most this."""

LIKELY = 0.05
"""One takes part too with a chance of at most this, if it is shifted at least half as far as those that surely do."""

TEST = "all but the most significant component of the best window (partial conjunction), AR(1) noise"
# Fisher's sum adds up what each p-value is off: with hundreds of components that alone looks like a band.
_MOST_TOGETHER = 12


def bands(series: Series, alpha: float) -> list[Finding]:
    """The bands, none overlapping another of the same direction.

    Asks of each window of layers that at least *two* components be high: a single component's peak is
    no band.

    References
    ----------
    Y. Benjamini, R. Heller (2008), "Screening for partial conjunction hypotheses", Biometrics 64.
    """
    if series.tested.sum() < 2:
        return []
    template = templates.bands(len(series.values))
    far: dict[str, list[_Candidates]] = {"high": [], "low": []}
    for part in template.parts():
        for direction, p in zip(far, chances(series, template, part), strict=True):
            far[direction].append(_candidates(series, template, part, p, alpha))
    found: list[Finding] = []
    for direction, parts in far.items():
        first, last, corrected, evidence, p = (np.concatenate(each) for each in zip(*parts, strict=True))
        while evidence.any():
            best = int(evidence.argmax())
            edges = int(first[best]), int(last[best])
            columns = _taking_part(series, *edges, p[best], 1 if direction == "high" else -1)
            found.append(_band(series, direction, *edges, columns, float(corrected[best])))
            evidence[(first <= edges[1]) & (last >= edges[0])] = 0.0
    return found


_Candidates = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _candidates(series: Series, template: templates.Templates, part: slice, p: np.ndarray, alpha: float) -> _Candidates:
    """Of a part of the windows those where a band may be.

    First and last row, corrected chance of two or more, evidence of those that surely take part, and the chance of
    each component.
    """
    # Overlapping windows of both directions ask fewer questions than half as many as there are layers (measured).
    corrected = np.minimum(1.0, _two_or_more(p[:, series.tested]) * len(series.values) / 2 / SHARES["band"])
    evidence = np.where(p <= SURE, -np.log(np.maximum(p, 1e-300)), 0.0).sum(axis=1)
    kept = (corrected <= alpha) & (evidence > 0)
    return template.start[part][kept], template.stop[part][kept], corrected[kept], evidence[kept], p[kept]


def window_chances(series: Series, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Chance of each component as high, and as low, as it is in the window of these rows; both (components,).

    Level and slope removed; 1 where a component is not tested or all of it lies in the window.
    """
    high, low = np.ones(series.values.shape[1]), np.ones(series.values.shape[1])
    box = templates.box(len(series.values), np.array([first]), np.array([last]))
    for block in series.blocks:
        design = serial.Design.of(level_and_slope(block.rows), box[block.rows])
        if design.length.all():
            up, down = serial.tails(serial.regress(design, block.y, series.noise.of(block.columns)))
            high[block.columns], low[block.columns] = up[0], down[0]
    return high, low


def _taking_part(series: Series, first: int, last: int, p: np.ndarray, sign: int) -> np.ndarray:
    """Indices of the components that take part in the window of these rows, of their chances in it."""
    inside = series.terms[first : last + 1]
    beside = np.concatenate([series.terms[:first], series.terms[last + 1 :]])
    columns = np.flatnonzero(p <= LIKELY)
    shift = sign * (np.nanmean(inside[:, columns], axis=0) - np.nanmean(beside[:, columns], axis=0))
    half = 0.5 * np.median(shift[p[columns] <= SURE])
    return cast(np.ndarray, columns[(p[columns] <= SURE) | (shift >= half)])


def _two_or_more(p: np.ndarray) -> np.ndarray:
    """Chance of each window, shape (windows,), if at most one component is truly far there.

    The most significant component is left out. The others are asked by the smallest (Bonferroni), which
    sees two among many, and by all together (Fisher), which sees several that are less far.
    """
    from scipy.stats import combine_pvalues

    others = np.sort(p, axis=1)[:, 1:]
    count = others.shape[1]
    smallest = others[:, 0] * count
    if count > _MOST_TOGETHER:
        return cast(np.ndarray, smallest)
    return cast(np.ndarray, np.minimum(smallest, combine_pvalues(others, method="fisher", axis=1).pvalue))


def chances(series: Series, template: templates.Templates, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """Chance of each component as high, and as low, as it is in each window of a part; both (windows, components).

    The better of box and bump. Of many components, chances above `LIKELY` may be given as 1.
    """
    half, components = part.stop - part.start, series.values.shape[1]
    high, low = np.ones((half, components)), np.ones((half, components))
    many = series.tested.sum() - 1 > _MOST_TOGETHER
    most = LIKELY / 2 if many else 1.0  # of either shape
    forms = template.columns(part)
    for block in series.blocks:
        design = serial.Design.of(level_and_slope(block.rows), forms[block.rows])
        for some in serial.batches(len(block.columns), 2 * half):
            columns = block.columns[some]
            up, down = serial.tails(serial.regress(design, block.y[:, some], series.noise.of(columns)), most)
            high[:, columns] = np.minimum(1.0, 2 * np.minimum(up[:half], up[half:]))
            low[:, columns] = np.minimum(1.0, 2 * np.minimum(down[:half], down[half:]))
    return high, low


def _band(series: Series, direction: str, first: int, last: int, columns: np.ndarray, p: float) -> Finding:
    names = tuple(series.matrix.components[c] for c in columns)
    inside = series.standard[first : last + 1, columns].mean()
    outside = np.delete(series.standard[:, columns], slice(first, last + 1), axis=0).mean()
    span = series.span(first, last)
    shift = float(inside - outside)
    return Finding(
        kind="band",
        components=names,
        layers=span,
        direction=direction,
        cells=series.cells(range(first, last + 1), [int(c) for c in columns]),
        effect=shift,
        effect_name="mean shift in standard deviations of the component",
        p=p,
        test=TEST,
        statement=f"{called(*names)} are {direction} together at {layer_range(*span)}, by "
        f"{abs(shift):.3g} "
        f"standard deviations of their own on average ({chance(p)}).",
    )

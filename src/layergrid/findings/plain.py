"""The kinds that are counted, not tested.

``region``, ``constant``, ``identical``, ``absent`` and ``missing``.
"""

from __future__ import annotations

import numpy as np

from layergrid.findings.finding import Finding, called, layer_range, listed, number
from layergrid.findings.series import Series

EXTREME = 0.12
"""A region holds values within this share of the grid's whole range from its highest or lowest value.

Runs within twice that are regions too where they hold no such region: lesser extremes, whole.
"""

NEGLIGIBLE = 0.05
"""A component is constant whose standard deviation is at most this share of the whole grid's."""

SAME = 1e-6
"""Two components are identical that differ nowhere by more than this share of their largest value."""

_MOST_REGIONS = 6
NOT_TESTED = float("nan")


def regions(series: Series) -> list[Finding]:
    """Runs of two or more layers of a component that hold the grid's highest or lowest values.

    Most extreme first.
    """
    values = series.terms
    finite = values[np.isfinite(values)]
    if finite.size < 2 or len(values) < 3:
        return []
    low, high = float(finite.min()), float(finite.max())
    margin = EXTREME * (high - low)
    if not high - low > 1e-6 * max(abs(high), abs(low)):
        return []
    out = []
    for direction, sign, away in (("high", 1, high - values), ("low", -1, values - low)):
        within = [away <= part * margin for part in (1, 2)]
        # Where a quarter of the grid lies at the edge, that is its level and no region.
        edges = [inside for inside in within if inside.sum() <= 0.25 * finite.size]
        runs: list[tuple[int, int, int]] = []
        taken = np.zeros(values.shape, bool)
        for inside in edges:
            runs += [(a, b, c) for a, b, c in _runs(inside) if b > a and not taken[a : b + 1, c].any()]
            for a, b, c in runs:
                taken[a : b + 1, c] = True
        runs.sort(key=lambda run: -sign * _peak(values[run[0] : run[1] + 1, run[2]], sign))
        out += [_region(series, direction, *run) for run in runs[:_MOST_REGIONS]]
    return out


def constants(series: Series, moving: set[int]) -> list[Finding]:
    """Components that hardly vary.

    Those in `moving`, where a trend or shape was found all the same, are none.
    """
    finite = np.isfinite(series.values)
    if finite.sum() < 2:
        return []
    size = float(np.nanmax(np.abs(series.values)))
    values = series.values / (size if size > 0 else 1.0)
    whole = float(np.nanstd(values))
    out = []
    usable = np.flatnonzero(finite.sum(axis=0) >= 3)
    for c, spread in zip(usable, np.nanstd(values[:, usable], axis=0).tolist(), strict=True):
        if whole > 1e-6 and spread <= NEGLIGIBLE * whole and c not in moving:
            rows = np.flatnonzero(finite[:, c])
            span, name = series.span(int(rows[0]), int(rows[-1])), series.matrix.components[c]
            middle = float(np.nanmedian(series.values[:, c]))
            out.append(
                Finding(
                    kind="constant",
                    components=(name,),
                    layers=span,
                    direction=None,
                    cells=series.cells(rows, [int(c)]),
                    effect=spread / whole,
                    effect_name="standard deviation as a share of the whole grid's",
                    p=NOT_TESTED,
                    test=f"standard deviation at most {NEGLIGIBLE:g} of the whole grid's",
                    statement=f"{called(name)} is constant at about {number(middle)}: its spread is "
                    f"{100 * spread / whole:.2g} % of the whole grid's.",
                )
            )
    return out


def identical_groups(series: Series) -> list[list[int]]:
    """Component indices that hold the same numbers, grouped; groups of two or more."""
    values = series.values
    there = np.isfinite(values)
    filled = np.where(there, values, 0.0)
    # Their sum may overflow.
    means = (filled / len(filled)).sum(axis=0).tolist()
    apart = (SAME * np.abs(filled).max(axis=0)).tolist()
    keyed = sorted((there[:, c].tobytes(), means[c], int(c)) for c in np.flatnonzero(there.sum(axis=0) >= 3))
    groups: list[list[int]] = []
    # Equal columns have equal means but for rounding, so they are neighbours here.
    for _, mean, c in keyed:
        one = groups[-1][0] if groups else c
        near = abs(mean - means[one]) <= max(apart[one], apart[c])
        if groups and near and _same(values[:, one], values[:, c]):
            groups[-1].append(c)
        else:
            groups.append([c])
    return [sorted(group) for group in groups if len(group) > 1]


def identicals(series: Series, groups: list[list[int]]) -> list[Finding]:
    """One finding for each group of components that hold the same numbers.

    None where all the grid is one number.
    """
    out = []
    for group in groups:
        rows = np.flatnonzero(np.isfinite(series.values[:, group[0]]))
        names = tuple(series.matrix.components[c] for c in group)
        apart = float(np.nanmax(np.ptp(series.values[rows][:, group], axis=1)))
        out.append(
            Finding(
                kind="identical",
                components=names,
                layers=series.span(int(rows[0]), int(rows[-1])),
                direction=None,
                cells=series.cells(rows, group),
                effect=apart,
                effect_name="largest difference",
                p=NOT_TESTED,
                test=f"no difference beyond {SAME:g} of the largest value",
                statement=f"{called(*names)} hold the same numbers (largest difference {number(apart)}).",
            )
        )
    return out


def gaps(series: Series) -> list[Finding]:
    """One finding of absent cells and one of missing cells, for each set of components that lack the same layers."""
    matrix = series.matrix
    absent = np.zeros(matrix.values.shape, bool) if matrix.absent is None else matrix.absent
    infinite = np.isinf(matrix.values) & ~absent
    missing = ~np.isfinite(matrix.values) & ~absent
    out = []
    for columns in _alike(absent):
        it = "it" if len(columns) == 1 else "them"
        rows = np.flatnonzero(absent[:, columns[0]])
        out.append(_gap(series, "absent", columns, rows, f"{'does' if len(rows) == 1 else 'do'} not have {it}"))
    for columns in _alike(missing.astype(np.int8) + infinite):
        rows, of_infinite = np.flatnonzero(missing[:, columns[0]]), int(infinite[:, columns[0]].sum())
        kinds = f"{len(rows) - of_infinite} NaN" + (f", {of_infinite} infinite" if of_infinite else "")
        kinds += "" if len(columns) == 1 else " in each"
        hold = "holds" if len(rows) == 1 else "hold"
        out.append(_gap(series, "missing", columns, rows, f"{hold} no finite number ({kinds})"))
    return out


def _alike(marked: np.ndarray) -> list[list[int]]:
    """Columns that are not all zero, equal ones together, by their first; of an array of shape (layers, components)."""
    groups: dict[bytes, list[int]] = {}
    for c in np.flatnonzero(marked.any(axis=0)):
        groups.setdefault(marked[:, c].tobytes(), []).append(int(c))
    return list(groups.values())


def _gap(series: Series, kind: str, columns: list[int], rows: np.ndarray, what: str) -> Finding:
    names, labels = tuple(series.matrix.components[c] for c in columns), series.matrix.layers
    total = len(labels)
    counted = f"{total} layers" if total > 1 else "1 layer"
    runs = [layer_range(labels[a], labels[b]) for a, b, _ in _runs(np.isin(np.arange(total), rows)[:, None])]
    return Finding(
        kind=kind,
        components=names,
        layers=series.span(int(rows[0]), int(rows[-1])),
        direction=None,
        cells=[(labels[r], name) for name in names for r in rows],
        effect=float(len(rows) * len(names)),
        effect_name="cells",
        p=NOT_TESTED,
        test="counted",
        statement=f"{called(*names)}: {len(rows)} of {counted} {what}: {listed(runs)}.",
    )


def _region(series: Series, direction: str, first: int, last: int, column: int) -> Finding:
    name, span = series.matrix.components[column], series.span(first, last)
    inside = series.values[first : last + 1, column]
    low, high = float(inside.min()), float(inside.max())
    word = "highest" if direction == "high" else "lowest"
    return Finding(
        kind="region",
        components=(name,),
        layers=span,
        direction=direction,
        cells=series.cells(range(first, last + 1), [column]),
        effect=float(inside.mean()),
        effect_name="mean value",
        p=NOT_TESTED,
        test=f"values within {EXTREME:g}, or {2 * EXTREME:g}, of the grid's range from its {word} value",
        statement=f"{called(name)} at {layer_range(*span)} is among the grid's {word} values, "
        f"{number(low)} to {number(high)}.",
    )


def _runs(inside: np.ndarray) -> list[tuple[int, int, int]]:
    """First row, last row and column of each run of rows that are inside, column by column; of (rows, columns)."""
    edges = np.diff(np.pad(inside.astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    columns, first = np.nonzero(edges > 0)
    _, after = np.nonzero(edges < 0)
    return list(zip(first.tolist(), (after - 1).tolist(), columns.tolist(), strict=True))


def _peak(values: np.ndarray, sign: int) -> float:
    return float(values.max() if sign > 0 else values.min())


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    there = np.isfinite(one)
    if not np.array_equal(there, np.isfinite(two)):
        return False
    size = max(float(np.abs(one[there]).max()), float(np.abs(two[there]).max()))
    return bool((np.abs(one[there] - two[there]) <= SAME * size).all())

"""Kind ``contrast``: two groups of components that differ in level.

Or in how much they vary over the layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from layergrid.findings import pooling, serial
from layergrid.findings.finding import Finding, called, chance, number
from layergrid.findings.multiplicity import corrected
from layergrid.findings.series import FEWEST_LAYERS, Series, level, level_and_slope

LEVEL_TEST = "difference of group means in each layer, AR(1) noise, serial correlation averaged out"
DISPERSION_TEST = "log mean Brown-Forsythe deviation, error from simulated AR(1) noise"
Groups = Mapping[str, Sequence[str]]


def default_groups(components: Sequence[str]) -> dict[str, list[str]]:
    """``attn`` and ``mlp``, from the components' names; empty where the grid has not both."""
    found: dict[str, list[str]] = {"attn": [], "mlp": []}
    for name in components:
        match = re.search(r"(?:^|\.)(attn|mlp)\.", name)
        if match:
            found[match[1]].append(name)
    return found if all(found.values()) else {}


def checked_groups(groups: Groups | None, components: Sequence[str]) -> dict[str, list[str]]:
    """The groups with every name checked.

    Raises
    ------
    ValueError
        If a group is empty or names a component the grid does not have.
    """
    if groups is None:
        return default_groups(components)
    for group, names in groups.items():
        unknown = [name for name in names if name not in components]
        if unknown:
            raise ValueError(f"group {group!r} names {unknown[0]!r}; this grid has {', '.join(components)}")
        if not names:
            raise ValueError(f"group {group!r} is empty; name the components it holds")
    return {group: list(names) for group, names in groups.items()}


def contrasts(series: Series, groups: dict[str, list[str]], alpha: float) -> list[Finding]:
    """The contrasts of every two groups, in level and in dispersion."""
    index = {name: i for i, name in enumerate(series.matrix.components)}
    questions = []
    for one, two in combinations(groups, 2):
        columns = [[index[name] for name in groups[g]] for g in (one, two)]
        for ask in (level_contrast, dispersion_contrast):
            answer = ask(series, columns[0], columns[1])
            if answer is not None:
                questions.append((one, two, columns, ask, answer))
    if not questions:
        return []
    p = corrected(np.array([answer[0] for *_, answer in questions]), len(questions), "contrast")
    found = []
    for (one, two, columns, ask, (_, sign)), q in zip(questions, p, strict=True):
        if q <= alpha:
            ordered = ((one, columns[0]), (two, columns[1]))
            found.append(_contrast(series, ordered, ask is level_contrast, sign, float(q)))
    return [finding for finding in found if finding is not None]


def level_contrast(series: Series, one: list[int], two: list[int]) -> tuple[float, float] | None:
    """Chance in noise and sign of the difference in level; None where too few layers have both groups."""
    terms = series.terms
    with_one, with_two = (np.isfinite(terms[:, c]).any(axis=1) for c in (one, two))
    rows = np.flatnonzero(with_one & with_two)
    if len(rows) < FEWEST_LAYERS:
        return None
    difference = np.nanmean(terms[rows][:, one], axis=1) - np.nanmean(terms[rows][:, two], axis=1)
    return _constant(series, rows, difference, one + two)


def dispersion_contrast(series: Series, one: list[int], two: list[int]) -> tuple[float, float] | None:
    """Chance in noise and sign of the difference in spread.

    None as above, or where a group has no spread at all.

    Compares the logarithms of the mean distance from the median (the deviations of Brown and Forsythe). Their
    sampling
    error comes from simulated noise with each component's own serial correlation, as a smooth series of
    28 layers
    says little more about its spread than four independent values.

    References
    ----------
    M. B. Brown, A. B. Forsythe (1974), "Robust tests for the equality of variances", JASA 69, pp. 364-367.
    """
    from scipy.special import stdtr

    one, two = ([c for c in group if series.tested[c]] for group in (one, two))
    if not one or not two:
        return None
    columns = one + two
    away = deviations(series)
    away = away / np.nanmax(away[:, columns])
    with np.errstate(divide="ignore"):
        logs = np.log(np.nanmean(away[:, columns], axis=0))
    squared = np.nanmean(away[:, columns] ** 2, axis=0) / np.nanmean(away[:, columns], axis=0) ** 2 - 1
    # Heavier tails than the normal's make a spread less certain; shared by all, as one series shows few of
    # its tails.
    heavier = max(1.0, float(np.mean(squared)) / (np.pi / 2 - 1))
    variance = heavier * _log_spread_variance(series, columns)
    split = len(one)
    difference = float(logs[:split].mean() - logs[split:].mean())
    error = float(np.sqrt(variance[:split].sum() / split**2 + variance[split:].sum() / len(two) ** 2))
    freedom = float((0.5 / variance).sum())
    return max(1e-300, 2 * float(stdtr(freedom, -abs(difference) / error))), float(np.sign(difference))


def _log_spread_variance(series: Series, columns: list[int]) -> np.ndarray:
    """Sampling variance of the log mean deviation of each component, shape (columns,)."""
    out = np.empty(len(columns))
    for block in series.blocks:
        restricted, _ = serial.residuals(level_and_slope(block.rows), block.y)
        weight = serial.weights(restricted + series.noise.log_prior[:, block.columns])
        variance = weight.T @ _simulated_variance(len(block.rows))
        for i, column in enumerate(block.columns):
            if int(column) in columns:
                out[columns.index(int(column))] = variance[i]
    return out


@lru_cache(maxsize=64)
def _simulated_variance(layers: int) -> np.ndarray:
    """Variance of the log mean deviation from the median of normal AR(1) series at each of `pooling.RHOS`."""
    noise = np.random.default_rng(0).standard_normal((layers, 400))
    out = np.empty(len(pooling.RHOS))
    for g, rho in enumerate(pooling.RHOS):
        y = noise.copy()
        for row in range(1, layers):
            y[row] = rho * y[row - 1] + np.sqrt(1 - rho * rho) * noise[row]
        out[g] = np.log(np.abs(y - np.median(y, axis=0)).mean(axis=0)).var()
    return out


def deviations(series: Series) -> np.ndarray:
    """Distance of each cell from its component's median, in tested terms; NaN where there is none."""
    terms = series.terms
    away = np.full_like(terms, np.nan)
    some = np.isfinite(terms).any(axis=0)
    away[:, some] = np.abs(terms[:, some] - np.nanmedian(terms[:, some], axis=0))
    return away


def _constant(series: Series, rows: np.ndarray, y: np.ndarray, columns: list[int]) -> tuple[float, float] | None:
    size = float(np.abs(y).max())
    if size == 0:
        return None
    y = (y / size)[:, None]
    prior = serial.weights(series.noise.log_prior[:, columns]).mean(axis=1, keepdims=True)
    design = serial.Design.of(np.empty((len(rows), 0)), level(rows))
    fit = serial.regress(design, y, pooling.Noise.unknown(np.log(prior)))
    p, sign = serial.both_tails(fit)
    return float(p[0, 0]), float(sign[0, 0])


def _contrast(
    series: Series,
    groups: tuple[tuple[str, list[int]], tuple[str, list[int]]],
    of_level: bool,
    sign: float,
    p: float,
) -> Finding | None:
    (one, columns_one), (two, columns_two) = groups if sign > 0 else groups[::-1]
    measure = series.terms if of_level else deviations(series)
    names = series.matrix.components
    of = {c: float(np.nanmean(measure[:, c])) for c in columns_one + columns_two if np.isfinite(measure[:, c]).any()}
    ours, theirs = ([of[c] for c in columns if c in of] for columns in (columns_one, columns_two))
    high, low = float(np.median(ours)), float(np.median(theirs))
    # One component alone can move its group's mean: then the typical component does not follow, and it is
    # no contrast.
    mean_apart = float(np.mean(ours) - np.mean(theirs))
    if high <= low or (of_level and high - low < 0.5 * mean_apart):
        return None
    if not of_level and low > 0:
        with np.errstate(divide="ignore", invalid="ignore"):  # a component without any spread
            ratios_apart = float(np.mean(np.log(ours)) - np.mean(np.log(theirs)))
        if np.log(high / low) < 0.5 * ratios_apart:
            return None
    # Half way between what is typical of either group; by ratio, where spreads are compared.
    middle = (high + low) / 2 if of_level or low == 0 else float(np.sqrt(high * low))
    weak = [c for c in columns_one if c in of and of[c] < middle]
    strong = [c for c in columns_two if c in of and of[c] > middle]
    if 2 * len(weak) >= len(ours) or 2 * len(strong) >= len(theirs):
        return None
    # The finding speaks of the group that the mapping names first.
    first, second = groups[0][0], groups[1][0]
    flipped = sign < 0
    if of_level:
        direction = "lower" if flipped else "higher"
        spread = float(np.nanmedian(deviations(series)[:, columns_one + columns_two])) * 1.4826
        effect, effect_name = (
            (high - low) / spread if spread > 0 else float("inf"),
            "difference in robust spreads",
        )
        shown = [10**v if series.log else v for v in (high, low)]
        said = f"{one} is higher than {two}: {number(shown[0])} against {number(shown[1])} typically"
        typical, other = f"is as low as {two}", f"is as high as {one}"
    else:
        direction = "less-variable" if flipped else "more-variable"
        effect = high / low if low > 0 else float("inf")
        effect_name = "ratio of typical mean deviations"
        said = f"{one} varies more over the layers than {two}: "
        said += f"mean deviation {number(high)} against {number(low)}"
        typical, other = "is flat", "varies like " + one
    exceptions = _exceptions(names, one, columns_one, weak, typical, two, columns_two, strong, other)
    present = np.flatnonzero(np.isfinite(series.values[:, columns_one + columns_two]).any(axis=1))
    ordered = sorted(columns_one + columns_two)
    return Finding(
        kind="contrast",
        components=tuple(names[c] for c in ordered),
        layers=series.span(int(present[0]), int(present[-1])),
        direction=direction,
        cells=series.cells(present, ordered),
        effect=effect,
        effect_name=effect_name,
        p=p,
        test=LEVEL_TEST if of_level else DISPERSION_TEST,
        statement=f"{said} ({chance(p)}){exceptions}.",
        groups=(first, second),
    )


def _exceptions(
    names: Sequence[str],
    one: str,
    columns_one: list[int],
    weak: list[int],
    as_other: str,
    two: str,
    columns_two: list[int],
    strong: list[int],
    as_one: str,
) -> str:
    parts = []
    for columns, odd, how in ((columns_one, weak, as_other), (columns_two, strong, as_one)):
        if odd:
            rest = [names[c] for c in columns if c not in odd]
            verb = how if len(odd) == 1 else how.replace("is ", "are ").replace("varies", "vary")
            follow = "follows" if len(rest) == 1 else "follow"
            parts.append(f"; {called(*rest)} {follow} this, {called(*(names[c] for c in odd))} does not: it {verb}")
    return (
        "".join(parts).replace("does not: it are", "do not: they are").replace("does not: it vary", "do not: they vary")
    )

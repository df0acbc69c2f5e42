"""Kind ``relation``: two components that move together, or against each other, over the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from layergrid.findings import serial
from layergrid.findings.finding import Finding, called, chance
from layergrid.findings.multiplicity import SHARES, corrected
from layergrid.findings.pooling import RHOS
from layergrid.findings.series import FEWEST_LAYERS, Series

MOST = 100
"""At most this many relations are reported; a note says how many more there are."""

TEST = "regression of normal scores on each other, the weaker of both ways, AR(1) noise averaged out"
_BATCH = 64
# So many pairs have their p-values averaged over rho at once: what fits in a processor's cache.
_PAIRS = 1024
_MOST_SHARED = 1 - 1e-12


@dataclass(frozen=True)
class Pair:
    """Two components and the chance of their likeness in noise, before correction."""

    first: int
    second: int
    p: float
    correlation: float
    """Of the normal scores."""


def normal_scores(series: Series) -> np.ndarray:
    """Ranks of each component's values as normal deviates, shape (layers, components), 0 where not there.

    References
    ----------
    G. Blom (1958), "Statistical estimates and transformed beta-variables", Wiley.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    out = np.zeros_like(series.standard)
    for block in series.blocks:
        ranks = rankdata(block.y, axis=0)
        out[np.ix_(block.rows, block.columns)] = ndtri((ranks - 0.375) / (len(block.rows) + 0.25))
    return out


@dataclass(frozen=True)
class Kept:
    """What is kept of all pairs: numbers of each with a p-value at most the limit, and the strongest by name."""

    p: np.ndarray
    """Ascending."""

    strongest: list[Pair]
    """The first `MOST`, of equal p-values those that are more alike."""


def pairs(series: Series, same: set[frozenset[int]], limit: float) -> Kept:
    """The pairs of tested components with p at most `limit`; those in `same` are not asked.

    A likeness is tested both ways, each component as the regressor of the other, and the weaker counts. As it must
    hold without serial correlation too, which is one product to ask, the rest is asked of few. Memory is that of a
    few blocks of pairs and a number for each that is kept.
    """
    columns = np.flatnonzero(series.tested)
    lines = _Lines.of(series, columns)
    place = {int(column): at for at, column in enumerate(columns)}
    unasked = np.array(
        [min(pair) * len(columns) + max(pair) for pair in (_placed(each, place) for each in same) if pair]
    )
    every, strongest = [np.empty(0)], []
    for start in range(0, len(columns), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(columns)))
        later = np.arange(start, len(columns))
        plain = lines.plain_chance(rows, later)
        first, second = np.nonzero((later[None, :] > rows[:, None]) & (plain <= limit))
        first, second = rows[first], later[second]
        asked = ~np.isin(first * len(columns) + second, unasked)
        first, second = first[asked], second[asked]
        for part in range(0, len(first), _PAIRS):
            one, two = first[part : part + _PAIRS], second[part : part + _PAIRS]
            p = np.maximum(np.maximum(lines.chance(one, two), plain[one - start, two - start]), 1e-300)
            every.append(p[p <= limit])
            few = np.flatnonzero(p <= min(limit, np.partition(p, MOST)[MOST] if len(p) > MOST else 1.0))
            alike = lines.correlations(one[few], two[few])
            strongest += [
                Pair(int(columns[one[i]]), int(columns[two[i]]), float(p[i]), float(each))
                for i, each in zip(few, alike, strict=True)
            ]
        strongest = sorted(strongest, key=lambda pair: (pair.p, -abs(pair.correlation)))[:MOST]
    return Kept(np.sort(np.concatenate(every)), strongest)


def _placed(pair: frozenset[int], place: dict[int, int]) -> list[int]:
    """Places of both of a pair among the tested components; empty where either is not tested."""
    return [place[column] for column in pair] if all(column in place for column in pair) else []


def likeness(series: Series, one: int, two: int) -> Pair | None:
    """Two components alone; None where either is not tested, or too few layers have both."""
    if not (series.tested[one] and series.tested[two]):
        return None
    lines = _Lines.of(series, np.array([one, two]))
    first, second = np.array([0]), np.array([1])
    if (lines.there.all(axis=1)).sum() < FEWEST_LAYERS:
        return None
    p = max(float(lines.chance(first, second)[0]), float(lines.plain_chance(first, second)[0, 0]))
    return Pair(one, two, max(p, 1e-300), float(lines.correlations(first, second)[0]))


@dataclass(frozen=True, eq=False)
class _Lines:
    """The normal scores of the tested components with what every pair needs of each."""

    scores: np.ndarray
    """Shape (layers, components), 0 where not there."""

    there: np.ndarray
    """Bool of the same shape."""

    total: np.ndarray
    """Sum of squared innovations beside a constant, shape (rhos, components)."""

    level: np.ndarray
    """What the constant explains, shape (rhos, components)."""

    log_total: np.ndarray

    prior: np.ndarray
    """Log prior of rho, shape (rhos, components)."""

    @classmethod
    def of(cls, series: Series, columns: np.ndarray) -> _Lines:
        scores = normal_scores(series)[:, columns]
        there = np.isfinite(series.values[:, columns])
        design = serial.Design.of(np.ones((len(scores), 1)), scores)
        total = design.length**2
        return cls(scores, there, total, design.explained[:, 0], np.log(total), series.noise.log_prior[:, columns])

    def correlations(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Of each with its partner, shape (pairs,)."""
        x, y = self.scores[:, one], self.scores[:, two]
        return cast(np.ndarray, (x * y).sum(axis=0) / np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0)))

    def plain_chance(self, rows: np.ndarray, later: np.ndarray) -> np.ndarray:
        """Two-sided chance without serial correlation, shape (rows, later); 1 where too few layers have both."""
        from scipy.special import ndtr

        overlap = self.there[:, rows].T.astype(float) @ self.there[:, later]
        df = np.maximum(overlap - 2, 1)
        plain = int(np.flatnonzero(RHOS == 0)[0])
        cross = self.scores[:, rows].T @ self.scores[:, later]
        cross -= np.outer(self.level[plain, rows], self.level[plain, later])
        share = cross**2 / np.outer(self.total[plain, rows], self.total[plain, later])
        p = 2 * ndtr(-_score(np.minimum(share, _MOST_SHARED), df))
        return np.where(overlap < FEWEST_LAYERS, 1.0, p)

    def chance(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Chance averaged over rho of the weaker way, shape (pairs,)."""
        from scipy.special import ndtr

        x, y = self.scores[:, one], self.scores[:, two]
        df = np.maximum((self.there[:, one] & self.there[:, two]).sum(axis=0) - 2, 1)
        cross = serial.paired_products(x, y) - self.level[:, one] * self.level[:, two]
        share = np.minimum(cross**2 / (self.total[:, one] * self.total[:, two]), _MOST_SHARED)
        rest = np.log1p(-share)
        log_a, log_b = self.log_total[:, one], self.log_total[:, two]
        layers = len(self.scores)
        innovation = 1 - RHOS**2
        constant = 0.5 * np.log(innovation / (innovation + (layers - 1) * (1 - RHOS) ** 2))[:, None]
        p = 2 * ndtr(-_score(share, df))
        # The first on the second, then the second on the first; shape (rhos, 2, pairs).
        ways = np.stack(
            [
                constant - 0.5 * log_b - 0.5 * df * (rest + log_a) + self.prior[:, one],
                constant - 0.5 * log_a - 0.5 * df * (rest + log_b) + self.prior[:, two],
            ],
            axis=1,
        )
        return cast(np.ndarray, serial.averaged(p[:, None], serial.weights(ways), layers).max(axis=0))


def _score(share: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Normal deviate of a squared partial correlation; see `serial.normal_score`."""
    return cast(np.ndarray, np.sqrt(-df * np.log1p(-share)) * ((8 * df + 1) / (8 * df + 3)))


def relations(
    series: Series, same: set[frozenset[int]], alpha: float, trending: dict[int, str]
) -> tuple[list[Finding], int]:
    """The strongest relations, at most `MOST`, and how many significant ones there are in all.

    Parameters
    ----------
    same : pairs that hold the same numbers, which is no relation
    trending : component index -> "rising" or "falling", said where both of a pair have a trend
    """
    tested = int(series.tested.sum())
    tried = tested * (tested - 1) // 2 - len(same)
    if tried < 1:
        return [], 0
    kept = pairs(series, same, alpha * SHARES["relation"])
    p = corrected(kept.p, tried, "relation")
    significant = int((p <= alpha).sum())
    found = zip(kept.strongest[:significant], p, strict=False)
    return [_relation(series, pair, float(q), trending) for pair, q in found], significant


def _relation(series: Series, pair: Pair, p: float, trending: dict[int, str]) -> Finding:
    names = series.matrix.components
    parallel = pair.correlation > 0
    both = np.flatnonzero(np.isfinite(series.values[:, [pair.first, pair.second]]).all(axis=1))
    span = series.span(int(both[0]), int(both[-1]))
    move = "move together" if parallel else "move against each other"
    shared = ""
    if pair.first in trending and pair.second in trending:
        ways = trending[pair.first], trending[pair.second]
        shared = f"; both are {ways[0]}" if ways[0] == ways[1] else f"; one is {ways[0]}, the other {ways[1]}"
    return Finding(
        kind="relation",
        components=(names[pair.first], names[pair.second]),
        layers=span,
        direction="parallel" if parallel else "inverse",
        cells=series.cells(both, [pair.first, pair.second]),
        effect=pair.correlation,
        effect_name="correlation of normal scores",
        p=p,
        test=TEST,
        statement=f"{called(names[pair.first], names[pair.second])} {move} over the layers "
        f"(correlation {pair.correlation:.2f}, {chance(p)}{shared}).",
    )

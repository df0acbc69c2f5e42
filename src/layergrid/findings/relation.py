"""Kind ``relation``: two components that move together, or against each other, over the layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layergrid.findings import serial
from layergrid.findings.finding import Finding, chance
from layergrid.findings.multiplicity import corrected
from layergrid.findings.series import FEWEST_LAYERS, Series

MOST = 100
"""At most this many relations are reported; a note says how many more there are."""

TEST = "regression of normal scores on each other, the weaker of both ways, AR(1) noise averaged out"
_BATCH = 64


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


def pairs(series: Series, same: set[frozenset[int]], limit: float) -> list[Pair]:
    """All pairs of tested components with p at most `limit`; those in `same` are not asked.

    A likeness is tested both ways, each component as the regressor of the other, and the weaker counts.
    Memory is that
    of a few blocks of pairs, not of all.
    """
    from scipy.special import ndtr

    columns = np.flatnonzero(series.tested)
    scores = normal_scores(series)[:, columns]
    there = np.isfinite(series.values[:, columns])
    layers = len(scores)
    whitened = []
    for rho in serial.RHOS:
        basis, _ = np.linalg.qr(serial.whiten(np.ones((layers, 1)), rho))
        white = serial.whiten(scores, rho)
        white -= basis @ (basis.T @ white)
        whitened.append((white, (white**2).sum(axis=0)))
    raw = scores / np.sqrt((scores**2).sum(axis=0))
    prior = series.log_prior[:, columns]
    plain = int(np.flatnonzero(serial.RHOS == 0)[0])
    out = []
    for start in range(0, len(columns), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(columns)))
        later = np.arange(start, len(columns))
        overlap = there[:, rows].T.astype(float) @ there[:, later]
        df = np.maximum(overlap - 2, 1)
        t2 = np.empty((2, len(serial.RHOS), len(rows), len(later)))
        posterior = np.empty_like(t2)
        for g, (white, total) in enumerate(whitened):
            cross2 = (white[:, rows].T @ white[:, later]) ** 2
            a, b = total[rows][:, None], total[later][None, :]
            share = np.minimum(cross2 / (a * b), 1 - 1e-12)
            t2[:, g] = share / (1 - share) * df
            innovation = 1 - serial.RHOS[g] ** 2
            constant = 0.5 * np.log(innovation / (innovation + (layers - 1) * (1 - serial.RHOS[g]) ** 2))
            rest = np.log1p(-share)
            # The first on the second, then the second on the first.
            posterior[0, g] = constant - 0.5 * np.log(b) - 0.5 * df * (rest + np.log(a)) + prior[g, rows][:, None]
            posterior[1, g] = constant - 0.5 * np.log(a) - 0.5 * df * (rest + np.log(b)) + prior[g, later][None, :]
        weight = np.exp(posterior - posterior.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        z = np.sqrt(df * np.log1p(t2 / df)) * ((8 * df + 1) / (8 * df + 3))
        s = serial.exponent(layers)
        p = ((weight * (2 * ndtr(-z)) ** s).sum(axis=1) ** (1 / s)).max(axis=0)
        # Among few layers the rho that explains most is also the likeliest; it must hold without any, too.
        p = np.maximum(p, 2 * ndtr(-z[0, plain]))
        p[overlap < FEWEST_LAYERS] = 1.0
        p[later[None, :] <= rows[:, None]] = 1.0
        for i, j in zip(*np.nonzero(p <= limit), strict=True):
            one, two = int(columns[rows[i]]), int(columns[later[j]])
            if frozenset((one, two)) not in same:
                out.append(Pair(one, two, max(float(p[i, j]), 1e-300), float(raw[:, rows[i]] @ raw[:, later[j]])))
    return out


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
    kept = sorted(pairs(series, same, alpha), key=lambda pair: pair.p)
    p = corrected(np.array([pair.p for pair in kept]), tried, "relation")
    significant = [(pair, float(q)) for pair, q in zip(kept, p, strict=True) if q <= alpha]
    return [_relation(series, pair, q, trending) for pair, q in significant[:MOST]], len(significant)


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
        statement=f"{names[pair.first]} and {names[pair.second]} {move} over the layers "
        f"(correlation {pair.correlation:.2f}, {chance(p)}{shared}).",
    )

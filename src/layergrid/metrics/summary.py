"""The sums over the entries of a tensor, and the metrics that follow from them alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from layergrid.metrics.registry import Request


@dataclass
class Needs:
    """What the metrics asked for are computed from."""

    sum: bool = False
    """The sum of entries to float64 accuracy."""
    extremes: bool = False
    """The smallest and the largest entry."""
    largest: bool = False
    """The largest magnitude."""
    magnitude: bool = False
    """The sum of magnitudes."""
    order: int = 0
    """Highest even central moment: 0, 2 or 4."""
    third: bool = False
    """The third central moment, which cancels: float64 throughout."""
    zeros: bool = False
    eps: tuple[float, ...] = ()
    """Thresholds below which entries are counted."""
    histogram: bool = False

    @classmethod
    def of(cls, requests: list[Request]) -> Needs:
        """The needs of several metrics together."""
        names = {request.metric.name for request in requests}
        outliers = "outlier_share" in names
        return cls(
            sum="mean" in names,
            extremes=not names.isdisjoint({"min", "max", "entropy"}),
            largest=outliers or "absmax" in names,
            magnitude="abs_mean" in names,
            order=4 if "kurtosis" in names else 2 if outliers or "std" in names else 0,
            third="skewness" in names,
            zeros="zeros" in names,
            eps=tuple(request.arguments[0] for request in requests if request.metric.name == "sparsity"),
            histogram=not names.isdisjoint({"quantiles", "entropy"}),
        )

    @property
    def signed(self) -> bool:
        """Whether magnitudes alone would not do."""
        return self.sum or self.extremes or self.third or self.order > 0


@dataclass
class Summary:
    """Sums over the entries of a tensor; everything a streaming metric is computed from."""

    count: int = 0
    nan: int = 0
    inf: int = 0
    low: float = math.inf
    """Smallest entry; less than it where only the largest magnitude is needed."""
    high: float = -math.inf
    square: float = 0.0
    """Sum of squares."""
    magnitude: float = 0.0
    zeros: int = 0
    below: dict[float, int] = field(default_factory=dict)
    """Number of entries with |x| <= eps, by eps."""
    moment_count: int = 0
    """Number of entries in the moments."""
    mean: float = 0.0
    moments: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Sums of the 2nd, 3rd and 4th powers of the deviations from the mean."""
    pieces: list[tuple[int, int, float, float]] = field(default_factory=list)
    """Start, stop, `low` and `high` of each piece that was read."""

    @property
    def std(self) -> float:
        """Standard deviation of the entries."""
        return math.sqrt(max(self.moments[0], 0.0) / self.count)

    def add_moments(self, count: int, mean: float, moments: tuple[float, float, float]) -> None:
        """Take in the central moments of further entries.

        References
        ----------
        P. Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and
        arbitrary-order statistical moments", Sandia report SAND2008-6212, equations 2.1 and 3.1.
        """
        before, total = self.moment_count, self.moment_count + count
        step = mean - self.mean
        (a2, a3, a4), (b2, b3, b4) = self.moments, moments
        share = step / total
        cross = step * share * before * count
        self.moments = (
            a2 + b2 + cross,
            a3 + b3 + cross * share * (before - count) + 3 * share * (before * b2 - count * a2),
            a4
            + b4
            + cross * share * share * (before * before - before * count + count * count)
            + 6 * share * share * (before * before * b2 + count * count * a2)
            + 4 * share * (before * b3 - count * a3),
        )
        self.mean += share * count
        self.moment_count = total


def plain(summary: Summary, name: str, arguments: tuple[float, ...]) -> float:
    """A metric that follows from the sums alone; NaN where it is undefined, see docs/metrics.md."""
    count = summary.count
    if name == "nan_count":
        return float(summary.nan)
    if name == "inf_count":
        return float(summary.inf)
    if summary.nan:
        return math.nan
    if name == "norm":
        return math.sqrt(summary.square)
    if not count:
        return math.nan
    if name in ("min", "max"):
        return summary.low if name == "min" else summary.high
    if name == "absmax":
        return max(summary.high, -summary.low)
    if name == "rms":
        return math.sqrt(summary.square / count)
    if name == "abs_mean":
        return summary.magnitude / count
    if name == "zeros":
        return summary.zeros / count
    if name == "sparsity":
        return summary.below[arguments[0]] / count
    if summary.inf:
        return math.nan
    if name == "mean":
        return summary.mean
    if name == "std":
        return summary.std
    second, third, fourth = (moment / count for moment in summary.moments)
    if not second > 0:
        return math.nan
    return third / second**1.5 if name == "skewness" else fourth / second**2

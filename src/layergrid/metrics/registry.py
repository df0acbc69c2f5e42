"""What can be measured: names, parameters, labels, and how ``"sparsity(1e-6) per row"`` is read."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal, cast

Family = Literal["streaming", "quantization", "spectral", "pair"]
Axis = Literal["row", "column", "head", "column_head"]


@dataclass(frozen=True)
class Metric:
    """A metric that has a name."""

    name: str
    family: Family
    long_name: str
    """For labels; ``{eps:g}`` and the like stand for the parameters."""
    units: str = ""
    """Empty for a pure number; "value" for the unit of the tensor's entries."""
    parameters: tuple[tuple[str, float], ...] = ()
    """(name, default) of each parameter, in order."""
    many: bool = False
    """The last parameter may be repeated, and the result is an array of as many numbers."""


@dataclass(frozen=True)
class Request:
    """A metric with its parameters, and along which axis it is taken."""

    label: str
    metric: Metric
    arguments: tuple[float, ...]
    axis: Axis | None = None
    """None for the whole tensor."""
    heads: int = 0
    """Number of groups where `axis` is "head" or "column_head"; 0 for as many heads as the model has."""


_METRICS = (
    Metric("norm", "streaming", "Frobenius norm", "value"),
    Metric("rms", "streaming", "Root mean square", "value"),
    Metric("mean", "streaming", "Mean", "value"),
    Metric("abs_mean", "streaming", "Mean magnitude", "value"),
    Metric("std", "streaming", "Standard deviation", "value"),
    Metric("skewness", "streaming", "Skewness"),
    Metric("kurtosis", "streaming", "Kurtosis (normal: 3)"),
    Metric("min", "streaming", "Smallest entry", "value"),
    Metric("max", "streaming", "Largest entry", "value"),
    Metric("absmax", "streaming", "Largest magnitude", "value"),
    Metric("zeros", "streaming", "Share of zeros"),
    Metric("sparsity", "streaming", "Share of |x| ≤ {eps:g}", parameters=(("eps", 1e-6),)),
    Metric("outlier_share", "streaming", "Share beyond {k:g} standard deviations", parameters=(("k", 6),)),
    Metric("quantiles", "streaming", "Quantiles", "value", (("q", 0.5),), many=True),
    Metric("entropy", "streaming", "Entropy over {bins:g} bins", "bit", (("bins", 256),)),
    Metric("nan_count", "streaming", "Number of NaN"),
    Metric("inf_count", "streaming", "Number of infinities"),
    Metric(
        "quantization_error",
        "quantization",
        "Relative error of int{bits:g} rounding, groups of {group:g}",
        parameters=(("bits", 4), ("group", 128)),
    ),
    Metric("spectral_norm", "spectral", "Spectral norm", "value"),
    Metric("stable_rank", "spectral", "Stable rank"),
    Metric("effective_rank", "spectral", "Effective rank"),
    Metric("participation_ratio", "spectral", "Participation ratio"),
    Metric("condition", "spectral", "Condition number"),
    Metric("nuclear_norm", "spectral", "Nuclear norm", "value"),
    Metric("singular_values", "spectral", "The {k:g} largest singular values", "value", (("k", 10),)),
    Metric("alpha", "spectral", "Power-law exponent alpha"),
    Metric("relative_change", "pair", "Relative change"),
    Metric("cosine", "pair", "Cosine similarity"),
    Metric("changed_share", "pair", "Share of changed entries"),
    Metric("delta_rms", "pair", "Root mean square of the change", "value"),
    Metric("delta_stable_rank", "pair", "Stable rank of the change"),
    Metric("subspace_overlap", "pair", "Overlap of the {k:g} leading directions", parameters=(("k", 8),)),
)
METRICS = {metric.name: metric for metric in _METRICS if metric.family != "pair"}
"""Metrics of one tensor, by name."""
PAIR_METRICS = {metric.name: metric for metric in _METRICS if metric.family == "pair"}
"""Metrics of two tensors, by name."""

_REQUEST = re.compile(
    r"(?P<name>\w+)\s*(?:\((?P<arguments>[^()]*)\))?(?:\s+per\s+(?P<axis>\w+)\s*(?:\((?P<heads>\d+)\))?)?"
)


def parse_request(text: str, table: dict[str, Metric] = METRICS) -> Request:
    """Read ``"name"``, ``"name(1, 2)"``, ``"name per row"``, ``"name(1) per head(9)"``.

    Raises
    ------
    ValueError
        If the metric or the axis is unknown (close matches are named) or a parameter is out of its range.
    """
    match = _REQUEST.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"cannot read metric {text!r}; write a name, as 'rms', 'sparsity(1e-6)' or 'rms per row'")
    metric = table.get(match["name"])
    if metric is None:
        raise ValueError(_unknown(match["name"], table))
    axis, heads = match["axis"], match["heads"]
    if axis not in (None, "row", "column", "head", "column_head"):
        raise ValueError(f"unknown axis {axis!r} in {text!r}; known: row, column, head(n), column_head(n)")
    if (axis == "column_head" and not heads) or (heads and int(heads) < 1):
        raise ValueError(f"{text!r} needs the number of heads, as in '{metric.name} per {axis}(9)'")
    if axis not in ("head", "column_head") and heads:
        raise ValueError(f"per {axis} takes no number, got {text!r}")
    if axis in ("row", "column") and metric.family not in ("streaming", "quantization"):
        raise ValueError(f"{metric.name} needs a matrix; a single {axis} has none, got {text!r}")
    if axis == "column" and metric.family == "quantization":
        raise ValueError(f"{metric.name} groups along rows; it has no value per column, got {text!r}")
    if axis is not None and metric.family == "pair":
        raise ValueError(f"{metric.name} is not available per {axis}")
    return Request(
        text, metric, _arguments(match["arguments"], metric, text), cast("Axis | None", axis), int(heads or 0)
    )


def metric_info(name: str) -> dict[str, str]:
    """``long_name`` and ``units`` of a metric, as a label needs them; "" where the metric has no unit.

    Parameters
    ----------
    name : a request as `measure` or `measure_pair` take it, such as ``"outlier_share(6)"``

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    request = parse_request(name, METRICS | PAIR_METRICS)
    metric = request.metric
    values = dict(zip((name for name, _ in metric.parameters), request.arguments, strict=False))
    long_name = metric.long_name.format(**values)
    if request.axis is not None:
        long_name += f", per {request.axis.replace('_', ' ')}"
    return {"long_name": long_name, "units": metric.units if metric.units != "value" else ""}


def _unknown(name: str, table: dict[str, Metric]) -> str:
    """The message for a name that is not in `table`."""
    if name in METRICS:
        return f"{name!r} is a metric of one tensor; of two there are: {', '.join(table)}"
    if name in PAIR_METRICS:
        return f"{name!r} compares two tensors; of one there are: {', '.join(table)}"
    close = difflib.get_close_matches(name, table, n=3)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ";"
    return f"unknown metric {name!r}{hint} known: {', '.join(table)}"


def _arguments(text: str | None, metric: Metric, request: str) -> tuple[float, ...]:
    """The parameters in brackets, completed by defaults and checked."""
    given: list[float] = []
    for word in (text or "").split(",") if (text or "").strip() else ():
        try:
            given.append(float(word))
        except ValueError:
            raise ValueError(f"parameter {word.strip()!r} of {request!r} is no number") from None
    names = [name for name, _ in metric.parameters]
    if len(given) > len(names) and not metric.many:
        takes = ", ".join(names) or "no parameters"
        raise ValueError(f"{metric.name} takes {takes}, got {request!r}")
    values = (*given, *(default for _, default in metric.parameters[len(given) :]))
    for index, value in enumerate(values):
        _check(names[min(index, len(names) - 1)], value, request)
    return values


def _check(name: str, value: float, request: str) -> None:
    """Raise where a parameter has no meaning."""
    whole = float(value).is_integer()
    allowed = {
        "eps": (0 <= value < float("inf"), "at least 0"),
        "k": (0 < value < float("inf") and (whole or request.startswith("outlier")), "positive"),
        "q": (0 <= value <= 1, "between 0 and 1"),
        "bins": (whole and 2 <= value <= 2**20, "a whole number from 2 to 1048576"),
        "bits": (whole and 2 <= value <= 16, "a whole number from 2 to 16"),
        "group": (whole and (value >= 1 or value == -1), "a whole number from 1, or -1 for the whole row"),
    }
    holds, meaning = allowed[name]
    if not holds:
        raise ValueError(f"{name} of {request!r} must be {meaning}, got {value:g}")

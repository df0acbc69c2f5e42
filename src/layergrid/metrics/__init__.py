"""Functions from a tensor to a number: of its entries, its spectrum, a pair; see docs/metrics.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from layergrid.metrics.pairs import measure_pair
from layergrid.metrics.quantization import quantization_error
from layergrid.metrics.registry import METRICS, PAIR_METRICS, Request, metric_info, parse_request
from layergrid.metrics.spectral import measure_spectrum
from layergrid.metrics.streaming import measure_entries
from layergrid.tensor import STORAGE, Tensor, widen

__all__ = ["METRICS", "PAIR_METRICS", "measure", "measure_pair", "metric_info", "metric_label", "parse_request"]

_PANEL_BYTES = 64 << 20

# Rows, columns or heads measured one by one; a damaged header can announce more than could ever be gone through.
_MAX_PARTS = 1 << 20


def measure(tensor: Tensor, metrics: Sequence[str | Callable[[np.ndarray], float]]) -> dict[str, float | np.ndarray]:
    """All metrics asked for, by the names they were asked for; those of the entries share one pass.

    Parameters
    ----------
    metrics : names such as ``"rms"``, ``"sparsity(1e-6)"``, ``"rms per row"``, ``"rms per column"``,
        ``"stable_rank per head(9)"`` (nine equal groups of rows), ``"stable_rank per column_head(9)"`` (of
        columns); or functions of the whole tensor, as a float32 or float64 array, to a number: these go by
        their ``__name__``

    Returns
    -------
    A float for each; an array for ``quantiles`` and ``singular_values``; for what is asked for along an axis an
    array of one of these per row, column or head. NaN where a metric is undefined: see docs/metrics.md.

    Raises
    ------
    ValueError
        If a metric is unknown, a parameter out of range, two functions share a name, or the tensor does not
        split into the rows, columns or heads asked for.
    """
    requests = [parse_request(metric) for metric in metrics if isinstance(metric, str)]
    functions = {metric_label(metric): metric for metric in metrics if not isinstance(metric, str)}
    labels = [metric_label(metric) for metric in metrics]
    repeated = sorted({label for label in labels if label in functions and labels.count(label) > 1})
    if repeated:
        raise ValueError(f"several metrics are called {repeated[0]!r}; give each function a name of its own")
    found = _measure_whole(tensor, [r for r in requests if r.axis is None])
    for request in requests:
        if request.axis == "head" and not request.heads:
            raise ValueError(
                f"{request.label!r} of a tensor alone needs the number of heads, as in "
                f"'{request.metric.name} per head(9)'; scan takes it from the model's config"
            )
    for axis, heads in {(r.axis, r.heads) for r in requests if r.axis is not None}:
        along = [r for r in requests if (r.axis, r.heads) == (axis, heads)]
        parts = [_measure_whole(part, along) for part in _parts(tensor, str(axis), heads)]
        found |= {r.label: np.array([part[r.label] for part in parts], np.float64) for r in along}
    if functions:
        array = widen(tensor.read(0, tensor.size), tensor.dtype).reshape(tensor.shape)
        found |= {name: float(function(array)) for name, function in functions.items()}
    return {label: found[label] for label in labels}


def metric_label(metric: str | Callable[[np.ndarray], float]) -> str:
    """What a metric is called: its name as asked for, or the function's."""
    return metric if isinstance(metric, str) else str(getattr(metric, "__name__", type(metric).__name__))


def _measure_whole(tensor: Tensor, requests: list[Request]) -> dict[str, float | np.ndarray]:
    """Metrics of the tensor as a whole, each family by its own route."""
    found = measure_entries(tensor, [r for r in requests if r.metric.family == "streaming"])
    found |= measure_spectrum(tensor, [r for r in requests if r.metric.family == "spectral"])
    for request in requests:
        if request.metric.family == "quantization":
            bits, group = map(int, request.arguments)
            found[request.label] = quantization_error(tensor, bits, group)
    return found


def _parts(tensor: Tensor, axis: str, heads: int) -> Iterator[Tensor]:
    """The rows, columns, or groups of them, each as a tensor; columns are gathered panel by panel."""
    if len(tensor.shape) < 2:
        raise ValueError(f"{tensor.name!r} of shape {tensor.shape} has no rows and columns to measure per {axis}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    by_row = axis in ("row", "head")
    length = rows if by_row else columns
    count = heads or length
    if count > _MAX_PARTS:
        raise ValueError(
            f"{tensor.name!r} of shape {tensor.shape} has more than {_MAX_PARTS} {axis}s to measure one by one"
        )
    if length % count:
        raise ValueError(f"the {length} {'rows' if by_row else 'columns'} of {tensor.name!r} are not {count} heads")
    width = length // count
    name, dtype = tensor.name, tensor.dtype
    if by_row:
        for first in range(0, rows, width):
            offset = first * columns
            shift = _shifted(tensor, offset)
            yield Tensor(name, (width, columns) if heads else (columns,), dtype, shift)
        return
    panel = max(width, _PANEL_BYTES // (max(rows, 1) * STORAGE[dtype].itemsize) // width * width)
    step = max(1, (1 << 20) // max(columns, 1))
    for left in range(0, columns, panel):
        right = min(left + panel, columns)
        gathered = np.empty((rows, right - left), STORAGE[dtype])
        for top in range(0, rows, step):
            bottom = min(top + step, rows)
            block = tensor.read(top * columns, bottom * columns).reshape(-1, columns)
            gathered[top:bottom] = block[:, left:right]
        for first in range(0, right - left, width):
            flat = gathered[:, first : first + width].reshape(-1)
            yield Tensor(name, (rows, width) if heads else (rows,), dtype, _window(flat))


def _shifted(tensor: Tensor, offset: int) -> Callable[[int, int], np.ndarray]:
    return lambda start, stop: tensor.read(offset + start, offset + stop)


def _window(flat: np.ndarray) -> Callable[[int, int], np.ndarray]:
    return lambda start, stop: flat[start:stop]

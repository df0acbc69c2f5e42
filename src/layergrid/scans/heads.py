"""Which matrices of a model consist of attention heads, and of how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from layergrid.metrics import measure, metric_label, parse_request
from layergrid.names import head_counts
from layergrid.scans.placement import Cell
from layergrid.tensor import Tensor

Metric = str | Callable[..., float]


def heads_of(cells: Sequence[Cell], config: Mapping[str, Any]) -> dict[str, str]:
    """How each query, key, value and output matrix is divided into heads: tensor name -> "head(9)", "column_head(9)".

    Only matrices that the numbers of heads in the config divide. The heads of a projection to queries, keys and
    values are groups of rows, those of an output projection groups of columns; of transposed weights, the reverse.
    """
    divided = {}
    for cell in cells:
        place, _, part = cell.component.rpartition(".")
        counts = head_counts(config, cell.stack)
        if cell.tensor is None or counts is None or len(cell.tensor.shape) != 2:
            continue
        if place not in ("attn", "cross_attn") or part not in ("q", "k", "v", "o"):
            continue
        count = counts[part in ("k", "v")]
        by_column = (part == "o") != cell.transposed
        if cell.tensor.shape[by_column] % count == 0:
            divided[cell.tensor.name] = f"{'column_head' if by_column else 'head'}({count})"
    return divided


def is_per_head(metric: Metric) -> bool:
    """Whether a metric is taken per head, their number left to the config."""
    return isinstance(metric, str) and _without_number(metric)


def measure_heads(tensor: Tensor, metrics: Sequence[Metric], heads: Mapping[str, str]) -> dict[str, float | np.ndarray]:
    """As `measure`, where ``"rms per head"`` needs no number: one value per head, none where a tensor has no heads.

    Parameters
    ----------
    heads : as `heads_of` gives it
    """
    division = heads.get(tensor.name)
    asked: dict[str, Metric] = {}
    found: dict[str, float | np.ndarray] = {}
    for metric in metrics:
        if isinstance(metric, str) and _without_number(metric):
            if division is None:
                found[metric] = np.empty(0)
            else:
                asked[metric] = f"{metric.rpartition(' per ')[0]} per {division}"
        else:
            asked[metric_label(metric)] = metric
    numbers = measure(tensor, list(dict.fromkeys(asked.values())))
    return found | {label: numbers[metric_label(metric)] for label, metric in asked.items()}


def _without_number(metric: str) -> bool:
    request = parse_request(metric)
    return request.axis == "head" and not request.heads

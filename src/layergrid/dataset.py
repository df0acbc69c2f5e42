"""Numbers in cells, as an xarray Dataset with labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.metrics import metric_info, parse_request
from layergrid.metrics.registry import METRICS, PAIR_METRICS
from layergrid.placement import EXPERT_NONE, Cell, component_order

if TYPE_CHECKING:
    import xarray as xr


MAX_CELLS = 1 << 24
"""Of one metric, absent ones included; the largest model known has 400,000."""


def to_dataset(
    cells: Sequence[Cell],
    numbers: Mapping[int, Mapping[str, Any]],
    labels: Mapping[str, bool],
    along: tuple[str, Sequence[Any]] | None = None,
) -> xr.Dataset:
    """One float64 variable per metric; see `layergrid.scanning.scan` for dims and coordinates.

    Parameters
    ----------
    numbers : by the cell's place in `cells`; a cell without numbers is NaN, and keeps its parameter's name
    labels : the metrics, and whether each has a name that is known (False for a function)
    along : the dim of all metrics that give several numbers, and its coordinate, as ("step", [0, 10]); None
        where each has one of its own

    Raises
    ------
    ValueError
        If the labels span more than `MAX_CELLS`.
    """
    import xarray as xr

    axes: dict[str, list[Any]] = {
        "stack": list(dict.fromkeys(cell.stack for cell in cells)),
        "layer": sorted({cell.layer for cell in cells}),
        "component": component_order([cell.component for cell in cells]),
        "expert": sorted({cell.expert for cell in cells}),
    }
    if len(axes["stack"]) == 1:
        del axes["stack"]
    if axes["expert"] == [EXPERT_NONE]:
        del axes["expert"]
    shape = tuple(len(axis) for axis in axes.values())
    if math.prod(shape) > MAX_CELLS:
        spanned = " x ".join(f"{len(axis)} {dim}s" for dim, axis in axes.items())
        raise ValueError(f"the names of {len(cells)} tensors span {spanned}; are they the names of one model?")
    ranks = {dim: {label: place for place, label in enumerate(axis)} for dim, axis in axes.items()}
    places = [tuple(ranks[dim][getattr(cell, dim)] for dim in axes) for cell in cells]
    parameter = np.full(shape, "", dtype=object)
    for place, cell in zip(places, cells, strict=True):
        parameter[place] = _text(cell.parameter)
    variables: dict[str, Any] = {}
    for dim in ("stack", "component"):
        if dim in axes:
            axes[dim] = [_text(label) for label in axes[dim]]
    coordinates: dict[str, Any] = {**axes, "parameter": (tuple(axes), parameter)}
    if any(cell.rows for cell in cells):
        rows = np.full(shape, "", dtype=object)
        for place, cell in zip(places, cells, strict=True):
            rows[place] = cell.rows
        coordinates["rows"] = (tuple(axes), rows)
    for label, is_named in labels.items():
        lengths = {np.size(values[label]) for values in numbers.values() if np.ndim(values[label])}
        extra = (max(lengths),) if lengths else ()
        values = np.full(shape + extra, np.nan)
        for index, found in numbers.items():
            if extra:  # of matrices of different heights, the shorter ones end in NaN
                number = np.atleast_1d(found[label])
                values[places[index]][: number.size] = number
            else:
                values[places[index]] = found[label]
        dims = tuple(axes)
        if extra:
            dim, ticks = along or _own_dim(label, is_named, extra[0])
            dims += (dim,)
            if len(ticks) == extra[0]:
                coordinates[dim] = list(ticks)
        info = metric_info(label) if is_named else {"long_name": label, "units": ""}
        variables[label] = (dims, values, info)
    return xr.Dataset(variables, coordinates)


def _own_dim(label: str, is_named: bool, length: int) -> tuple[str, Sequence[Any]]:
    """The dim of a metric that gives several numbers, and its coordinate where it has one."""
    if not is_named:
        return f"{label} entry", []
    request = parse_request(label, METRICS | PAIR_METRICS)
    if request.axis == "head" and not request.heads:
        return "head", range(length)
    ticks = list(request.arguments) if request.metric.many and request.axis is None else []
    return f"{label} {request.axis or ('q' if ticks else 'rank')}", ticks


def _text(name: str) -> str:
    r"""The name, a lone surrogate as ``\ud800``: neither tables nor files can hold one."""
    return name.encode(errors="backslashreplace").decode()

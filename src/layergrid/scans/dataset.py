"""Numbers in cells, as an xarray Dataset with labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.metrics import metric_info, parse_request
from layergrid.metrics.registry import METRICS, PAIR_METRICS
from layergrid.scans.placement import EXPERT_NONE, Cell, component_order

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
    """One float64 variable per metric; see `layergrid.scans.scanning.scan` for dims and coordinates.

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
        found = {index: np.asarray(values[label], np.float64) for index, values in numbers.items()}
        extra = _longest([number.shape for number in found.values()])
        values = np.full(shape + extra, np.nan)
        for index, number in found.items():
            # Of matrices of different heights, the shorter ones end in NaN; a single number stands first.
            whole = number.shape + (1,) * (len(extra) - number.ndim) if number.size else (0,) * len(extra)
            room: tuple[Any, ...] = (*places[index], *map(slice, whole))
            values[room] = number.reshape(whole)
        dims = tuple(axes)
        named = [along][: len(extra)] if along else _own_dims(label, is_named, extra)
        for (dim, ticks), length in zip(named, extra, strict=True):
            dims += (dim,)
            if len(ticks) == length:
                coordinates[dim] = list(ticks)
        info = metric_info(label) if is_named else {"long_name": label, "units": ""}
        variables[label] = (dims, values, info)
    return xr.Dataset(variables, coordinates)


def _longest(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """How long each axis must be to hold arrays of all these shapes; those of fewer axes lie along the first ones."""
    axes = max(map(len, shapes), default=0)
    return tuple(max(shape[axis] for shape in shapes if len(shape) > axis) for axis in range(axes))


def _own_dims(label: str, is_named: bool, lengths: tuple[int, ...]) -> list[tuple[str, Sequence[Any]]]:
    """The dims of a metric that gives several numbers, and their coordinates where they have any."""
    if not is_named:
        return [(f"{label} entry", [])] * len(lengths)
    request = parse_request(label, METRICS | PAIR_METRICS)
    dims: list[tuple[str, Sequence[Any]]] = []
    if request.axis == "head" and not request.heads:
        dims.append(("head", range(lengths[0]) if lengths else ()))
    elif request.axis is not None:
        dims.append((f"{label} {request.axis}", ()))
    if request.metric.many:
        dims.append((f"{label} q", request.arguments))
    elif request.metric.name == "singular_values":
        dims.append((f"{label} rank", ()))
    return dims[: len(lengths)]


def _text(name: str) -> str:
    r"""The name, a lone surrogate as ``\ud800``: neither tables nor files can hold one."""
    return name.encode(errors="backslashreplace").decode()

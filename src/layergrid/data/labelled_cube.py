"""xarray of any number of dims as a cube; a Dataset's variables are one more dim, ``metric``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray

from layergrid.data.cube import Coordinate, Cube, Part, coordinates
from layergrid.data.labelled import absent_cells, attribute_text, parameter_names, piece_texts
from layergrid.data.values import real_array

METRIC = "metric"


def cube_of_xarray(x: xarray.DataArray | xarray.Dataset) -> Cube:
    """The cube of a DataArray, or of all variables of a Dataset.

    Parts are read as they are asked for, so that what lies in a file or is computed by dask stays there.

    Raises
    ------
    ValueError
        If the Dataset holds no variable, or several and already has a dim ``metric``.
    """
    if isinstance(x, xarray.DataArray):
        return _cube([x], {}, lambda _at: x)
    variables = [x[name] for name in x.data_vars]
    if not variables:
        raise ValueError("the Dataset holds no variable; pass one with dims ('layer', 'component')")
    if METRIC in x.dims:
        raise ValueError(
            f"the Dataset has a dim {METRIC!r}, which its variables would make; "
            f"choose one, as ds[{str(variables[0].name)!r}], or rename the dim"
        )
    names: dict[str, tuple[Coordinate, ...]] = {METRIC: tuple(str(variable.name) for variable in variables)}
    return _cube(variables, names, lambda at: variables[at.get(METRIC, 0)])


def _cube(
    variables: Sequence[xarray.DataArray],
    metric: dict[str, tuple[Coordinate, ...]],
    variable: Callable[[Mapping[str, int]], xarray.DataArray],
) -> Cube:
    sizes: dict[str, int] = {}
    labels: dict[str, tuple[Coordinate, ...]] = {**metric}
    for one in variables:
        for dim, size in one.sizes.items():
            sizes[str(dim)] = size
            given = list(one.coords[dim].values) if dim in one.coords else list(range(size))
            labels[str(dim)] = coordinates(str(dim), given, size)

    def read(at: Mapping[str, int], order: Sequence[str], named: bool) -> Part:
        if METRIC in order:
            parts = [
                read({**at, METRIC: place}, [dim for dim in order if dim != METRIC], named)
                for place in range(len(variables))
            ]
            return _stacked(parts, list(order).index(METRIC))
        whole = variable(at)
        part = whole.isel({dim: place for dim, place in at.items() if dim in whole.dims})
        missing = {dim: labels[dim] for dim in order if dim not in part.dims}
        if missing:
            part = part.expand_dims({dim: list(marks) for dim, marks in missing.items()})
        part = part.transpose(*order)
        values = real_array(part.values, f"values of {str(whole.name)!r}" if whole.name is not None else "values")
        if not named:
            return Part(values)
        parameters = known_texts(whole, part, at, "parameter", parameter_names)
        return Part(
            values,
            absent_cells(part, values, parameters),
            parameters,
            known_texts(whole, part, at, "rows", piece_texts),
            attribute_text(whole.attrs.get("source")),
        )

    # Reading names takes longer than reading values, and they seldom differ from page to page.
    known: dict[tuple[object, ...], np.ndarray | None] = {}

    def known_texts(
        whole: xarray.DataArray,
        part: xarray.DataArray,
        at: Mapping[str, int],
        coordinate: str,
        texts_of: Callable[[xarray.DataArray], np.ndarray | None],
    ) -> np.ndarray | None:
        if coordinate not in whole.coords:
            return None
        own = whole.coords[coordinate].dims
        key = (coordinate, part.dims, *((dim, place) for dim, place in at.items() if dim in own))
        if key not in known:
            known[key] = texts_of(part)
        return known[key]

    def text(at: Mapping[str, int]) -> tuple[str, str]:
        if metric and METRIC not in at and len(variables) > 1:  # the metrics stand side by side in one page
            return "", ""
        one = variable(at)
        return attribute_text(one.attrs.get("long_name", one.name)), attribute_text(one.attrs.get("units"))

    return Cube(
        labels,
        read,
        text,
        exists=_exists(variables[0], labels),
        titled_by=METRIC if metric else None,
        lazy=any(one.chunks is not None for one in variables),
    )


def _stacked(parts: Sequence[Part], axis: int) -> Part:
    """Parts of several metrics as one, the metrics along an axis; names are those of the first."""

    def together(arrays: Sequence[np.ndarray | None], nothing: object) -> np.ndarray | None:
        if all(array is None for array in arrays):
            return None
        shape = parts[0].values.shape
        return np.stack([np.full(shape, nothing) if array is None else array for array in arrays], axis=axis)

    values = np.stack([part.values for part in parts], axis=axis)
    return Part(
        values,
        together([part.absent for part in parts], False),
        together([part.parameters for part in parts], ""),
        together([part.pieces for part in parts], ""),
        parts[0].source,
    )


def _exists(
    x: xarray.DataArray, labels: Mapping[str, tuple[Coordinate, ...]]
) -> Callable[[Sequence[str]], np.ndarray] | None:
    """Where a tensor's name, or the coordinate ``absent``, says that there are cells; None where neither is known."""
    if "absent" in x.coords:
        there = ~x.coords["absent"].fillna(True).astype(bool)
    elif "parameter" in x.coords and bool((x.coords["parameter"] != "").any()):
        there = x.coords["parameter"].notnull() & (x.coords["parameter"] != "")
    else:
        return None

    def exists(dims: Sequence[str]) -> np.ndarray:
        over = there.any([dim for dim in there.dims if dim not in dims])
        missing = {dim: len(labels[dim]) for dim in dims if dim not in over.dims}
        return np.asarray(over.expand_dims(missing).transpose(*dims).values)

    return exists

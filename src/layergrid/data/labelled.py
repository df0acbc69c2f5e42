"""xarray in and out: dims ``layer`` and ``component``, the coordinate ``parameter``, a few attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray

from layergrid.data.labels import component_labels, layer_labels, listing
from layergrid.data.matrix import Label, Matrix
from layergrid.data.values import owned_values, real_array

DIMS = ("layer", "component")


def to_dataarray(matrix: Matrix) -> xarray.DataArray:
    """A copy of the matrix as a DataArray.

    Absent cells have NaN as value and "" in ``parameter``. Where that would not tell them apart, as where no
    name is known, a second coordinate ``absent`` says which they are.
    """
    coords: dict[str, Any] = {
        "layer": ("layer", _axis(matrix.layers)),
        "component": ("component", _axis(matrix.components)),
    }
    if matrix.parameters is not None:
        coords["parameter"] = (DIMS, np.array(matrix.parameters, dtype=object))
    if matrix.pieces is not None:
        coords["rows"] = (DIMS, np.array(matrix.pieces, dtype=object))
    absent = np.zeros(matrix.values.shape, bool) if matrix.absent is None else matrix.absent
    if not np.array_equal(absent, _nameless(matrix.values, matrix.parameters)):
        coords["absent"] = (DIMS, absent.copy())
    attrs = {"long_name": matrix.name, "units": matrix.units, "source": matrix.source}
    known = {key: text for key, text in attrs.items() if text}
    return xarray.DataArray(matrix.values.copy(), dims=DIMS, coords=coords, attrs=known)


def from_xarray(x: xarray.DataArray | xarray.Dataset) -> Matrix:
    """The matrix of a DataArray with a layer and a component axis, or of a Dataset that holds one such."""
    if isinstance(x, xarray.Dataset):
        names = list(x.data_vars)
        if not names:
            raise ValueError("the Dataset holds no variable; pass one with dims ('layer', 'component')")
        if len(names) > 1:
            raise ValueError(
                f"the Dataset holds {len(names)} variables: {listing(names)}; choose one, as ds[{names[0]!r}]"
            )
        x = x[names[0]]
    x = _two_dimensional(x)
    array = real_array(x.data)
    rows, columns = array.shape
    if not (rows and columns):
        raise ValueError(f"values must have layers and components, one of each or more, got {_sizes(x)}")
    row_dim, column_dim = x.dims
    parameters = parameter_names(x)
    values = owned_values(array)
    return Matrix(
        values,
        layer_labels(_labels(x, row_dim), rows, what=f"labels of dim {row_dim!r}"),
        component_labels(_labels(x, column_dim), columns, what=f"labels of dim {column_dim!r}"),
        absent_cells(x, values, parameters),
        parameters,
        piece_texts(x),
        name=attribute_text(x.attrs.get("long_name", x.name)),
        units=attribute_text(x.attrs.get("units")),
        source=attribute_text(x.attrs.get("source")),
    )


def _axis(labels: Sequence[Label]) -> pd.Index:
    """Labels as an index: ints as such, all else as objects.

    Left to infer a type, NumPy makes strings of the ints among strings, and pandas fails on a lone surrogate.
    """
    if all(isinstance(label, int) for label in labels):
        return pd.Index(labels)
    return pd.Index(labels, dtype=object)


def _two_dimensional(x: xarray.DataArray) -> xarray.DataArray:
    """The array as (layer, component), whatever its dims are called; others of size 1 are dropped."""
    known = [dim for dim in DIMS if dim in x.dims]
    extra = [dim for dim in x.dims if dim not in known]
    if len(known) + len(extra) > 2:
        single = [dim for dim in extra if x.sizes[dim] == 1]
        x = x.squeeze(single[: x.ndim - 2] if len(known) == 1 else single, drop=True)
        extra = [dim for dim in x.dims if dim not in known]
    if x.ndim > 2:
        raise ValueError(f"values must have the dims layer and component, got {_sizes(x)}; {_choice(x, known, extra)}")
    if x.ndim < 2:
        missing = next(dim for dim in DIMS if dim not in known)
        raise ValueError(
            f"values must have the dims layer and component, got {_sizes(x)}; "
            f"add one, as x.expand_dims({missing}=['value'])"
        )
    if known == ["component"]:
        return x.transpose(..., "component")
    return x.transpose(*known, ...)


def _choice(x: xarray.DataArray, known: list[str], extra: list[Any]) -> str:
    if len(known) < 2:
        return f"rename two of them, as x.rename({{{extra[0]!r}: 'layer', {extra[-1]!r}: 'component'}})"
    dim = extra[0]
    if dim in x.coords:
        return f"choose one {dim}, as x.sel({dim}={np.asarray(x.coords[dim].values[0]).item()!r})"
    return f"choose one {dim}, as x.isel({dim}=0)"


def _sizes(x: xarray.DataArray) -> str:
    return "(" + ", ".join(f"{dim}: {size}" for dim, size in x.sizes.items()) + ")"


def _labels(x: xarray.DataArray, dim: Any) -> list[Any] | None:
    return list(x.coords[dim].values) if dim in x.coords else None


def _grid_coordinate(x: xarray.DataArray, name: str) -> np.ndarray | None:
    """A coordinate spread over both dims, as objects, since an outer join puts NaN among its values."""
    if name not in x.coords:
        return None
    coordinate = x.coords[name]
    if set(coordinate.dims) != set(x.dims):  # a deep copy, which 50,000 strings make slow
        coordinate = coordinate.broadcast_like(x)
    return np.array(coordinate.transpose(*x.dims).values, dtype=object, order="C")


def parameter_names(x: xarray.DataArray) -> np.ndarray | None:
    """The coordinate ``parameter`` over all dims of x, "" where there is no name; None where no name is known."""
    names = _grid_coordinate(x, "parameter")
    if names is None:
        return None
    if set(map(type, names.flat)) != {str}:
        _blank_missing(names)
    names.flags.writeable = False
    return names if any(names.flat) else None


def piece_texts(x: xarray.DataArray) -> np.ndarray | None:
    """The coordinate ``rows`` over all dims of x, as `scan` gives it; None where there is none of texts."""
    texts = None if "rows" in x.dims else _grid_coordinate(x, "rows")
    if texts is None:
        return None
    for index, text in np.ndenumerate(texts):
        if not isinstance(text, str):  # an outer join has added a cell, or these are rows of something else
            texts[index] = ""
    texts.flags.writeable = False
    return texts if any(texts.flat) else None


def _blank_missing(names: np.ndarray) -> None:
    """Put "" where there is no name."""
    for index, name in np.ndenumerate(names):
        if name is None or name != name:  # NaN, where an outer join has added a cell
            names[index] = ""
        elif not isinstance(name, str):
            raise TypeError(f"the coordinate parameter must hold strings, got {name!r} of type {type(name).__name__}")


def absent_cells(x: xarray.DataArray, values: np.ndarray, parameters: np.ndarray | None) -> np.ndarray | None:
    """Where x, of these values and names, has no cell; None where it has all. See `to_dataarray`."""
    marked = _grid_coordinate(x, "absent")
    if marked is not None:
        # NaN is true: a cell that an outer join has added. A cell with a value is there in any case.
        absent = marked.astype(bool) & np.isnan(values)
    elif "parameter" in x.coords:
        absent = _nameless(values, parameters, everywhere=True)
    else:
        return None
    if not absent.any():
        return None
    absent.flags.writeable = False
    return np.asarray(absent)


def _nameless(values: np.ndarray, parameters: np.ndarray | None, *, everywhere: bool = False) -> np.ndarray:
    """Where a value is NaN and its parameter is ""; nowhere, or `everywhere`, if no name is known at all."""
    if parameters is None:
        return np.asarray(np.isnan(values) & everywhere)
    return np.asarray(np.isnan(values) & (parameters == ""))


def attribute_text(attribute: Any) -> str:
    """An attribute as text; "" where it is not there."""
    return "" if attribute is None else str(attribute)

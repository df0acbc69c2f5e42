"""Anything a user has, as labelled values: `as_dataarray` for users, `as_matrix` for the inside."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.data.labels import component_labels, layer_labels, relabelled
from layergrid.data.matrix import Matrix
from layergrid.data.values import is_masked, nested_values, owned_mask, owned_values, real_array

if TYPE_CHECKING:
    import xarray

ACCEPTED = (
    "a 2-D array or nested list of shape (layers, components), a pandas, polars or pyarrow table, "
    "an xarray.DataArray, or a mapping of parameter names to numbers"
)


def as_dataarray(
    x: Any, *, layers: Iterable[Any] | None = None, components: Iterable[Any] | None = None
) -> xarray.DataArray:
    """One number per (layer, component), labelled, from whatever holds it.

    Parameters
    ----------
    x : a 2-D array or nested list of shape (layers, components), a table, or a mapping
        Arrays are NumPy's (masked cells are absent), or anything with ``__array__``. In nested lists None is
        an absent cell. Tables of pandas, polars or pyarrow are wide (a numeric column per component, and the
        layers' labels in a column or index called ``layer``) or long (columns ``layer``, ``component``,
        ``value``; pairs not listed are absent). A DataArray has the dims ``layer`` and ``component``. A
        mapping goes from parameter names to numbers, or from components to sequences over the layers.
    layers, components : labels, ints or strings for layers and strings for components
        They label input that has none, whose layers are else 0, 1, ... and components "0", "1", ... Where the
        input has its own, they choose among those, or are all new and replace them.

    Returns
    -------
    DataArray of dims ("layer", "component"), float32 where that is exact, else float64; a copy. Attributes
    ``long_name``, ``units`` and ``source`` where known. The coordinate ``parameter`` holds each tensor's full
    name where names are known; a cell that is absent has "" there and NaN as its value.

    Raises
    ------
    TypeError
        If x is of another kind, or its values are not real numbers.
    ValueError
        If x has another shape or is empty, or labels are too many, too few or not distinct.
    """
    return matrix_to_dataarray(as_matrix(x, layers=layers, components=components))


def as_matrix(x: Any, *, layers: Iterable[Any] | None = None, components: Iterable[Any] | None = None) -> Matrix:
    """The same as `as_dataarray`, in the plain form; imports none of xarray, pandas and polars by itself."""
    if isinstance(x, np.ndarray):
        return _from_array(real_array(x), layers, components)
    if isinstance(x, list | tuple):
        return _from_array(nested_values(x), layers, components)
    matrix = _labelled(x)
    if matrix is not None:
        return relabelled(matrix, layers, components)
    if hasattr(x, "__array__"):
        return _from_array(real_array(x), layers, components)
    raise TypeError(f"cannot read values from {type(x).__module__}.{type(x).__qualname__}; pass {ACCEPTED}")


def _labelled(x: Any) -> Matrix | None:
    """The matrix of an input that has labels of its own, None where it has none."""
    if isinstance(x, Matrix):
        return x
    # A user can hold a DataArray only where xarray has been imported.
    xarray = sys.modules.get("xarray")
    if xarray is not None and isinstance(x, xarray.DataArray | xarray.Dataset):
        from layergrid.data.labelled import from_xarray

        return from_xarray(x)
    if isinstance(x, Mapping):
        from layergrid.data.mappings import from_mapping

        return from_mapping(x)
    # What data frames and their columns have and nothing else here does; asked of the type, since a lazy
    # frame computes its columns when asked for them.
    if hasattr(type(x), "columns") or hasattr(type(x), "to_frame"):
        from layergrid.data.tables import from_table

        return from_table(x)
    return None


def _from_array(array: np.ndarray, layers: Iterable[Any] | None, components: Iterable[Any] | None) -> Matrix:
    if array.ndim != 2:
        raise ValueError(f"values must have shape (layers, components), got {array.shape}{_advice(array.shape)}")
    if 0 in array.shape:
        raise ValueError(f"values must have shape (layers, components) with one of each or more, got {array.shape}")
    rows, columns = array.shape
    if rows != columns and (_count(layers), _count(components)) == (columns, rows):
        raise ValueError(
            f"values must have shape (layers, components) = ({columns}, {rows}), got {array.shape}; pass x.T"
        )
    row_labels = layer_labels(layers, rows)
    column_labels = component_labels(components, columns)
    absent = None
    if is_masked(array):
        absent = owned_mask(np.ma.getmaskarray(array))
        array = np.ma.getdata(array)
    return Matrix(owned_values(np.asarray(array), absent), row_labels, column_labels, absent)


def _count(labels: Iterable[Any] | None) -> int | None:
    return len(labels) if isinstance(labels, Sized) else None


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 0:
        return "; [[x]] has one layer and one component"
    if len(shape) == 1:
        return "; x[:, None] has one component, x[None, :] one layer"
    if len(shape) > 2:
        return "; choose along the other axes, as x[..., 0], or name them: LayerGrid(x, dims=('step', 'layer', ...))"
    return ""


def matrix_to_dataarray(matrix: Matrix) -> xarray.DataArray:
    """The matrix as a DataArray with the coordinates and attributes of `as_dataarray`; a copy."""
    from layergrid.data.labelled import to_dataarray

    return to_dataarray(matrix)

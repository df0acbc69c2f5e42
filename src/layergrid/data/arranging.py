"""From whatever a user has to the pages of a grid: which dims make the rows, the columns, and the selectors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.data.convert import as_matrix, matrix_to_dataarray
from layergrid.data.cube import Cube, Part, cube_of_array, known_dims
from layergrid.data.labels import check_distinct, listing, relabelled
from layergrid.data.matrix import Matrix
from layergrid.data.pages import MOST_TRAVELLING_BYTES, Pages, Selector, one_page
from layergrid.data.values import is_masked, owned_mask, owned_values

if TYPE_CHECKING:
    from layergrid.data.nesting import Axis

Dims = Sequence[str] | Mapping[str, Iterable[Any] | None]
DimNames = str | Sequence[str]


def as_pages(
    x: Any,
    *,
    layers: Iterable[Any] | None = None,
    components: Iterable[Any] | None = None,
    dims: Dims | None = None,
    rows: DimNames | None = None,
    columns: DimNames | None = None,
    cache: bool | str | os.PathLike[str] | None = None,
) -> Pages:
    """The pages of any data; see `layergrid.LayerGrid`. Input of two dims that asks for no more costs no more."""
    if isinstance(x, Pages):
        return x
    if holds_tensors(x):
        from layergrid.scans.scanning import FIRST_LOOK, scan

        x = scan(x, FIRST_LOOK, cache=cache)
    if dims is None and rows is None and columns is None and not _has_more_dims(x):
        return one_page(as_matrix(x, layers=layers, components=components))
    cube = _cube(x, dims)
    row_dims, column_dims = _axes(cube, rows, columns)
    return _arranged(cube, row_dims, column_dims, layers, components)


def holds_tensors(x: Any) -> bool:
    """Whether x is a model, which must be measured first: a path, a module, or a mapping of matrices, nested or not."""
    if isinstance(x, Mapping) and not _is_labelled(x):  # a Dataset is a mapping too
        return any(isinstance(value, Mapping) or len(getattr(value, "shape", ())) > 1 for value in x.values())
    return isinstance(x, str | os.PathLike) or callable(getattr(x, "named_parameters", None))


def compared_in(data: Any) -> tuple[str, str] | None:
    """The two models that the result of `layergrid.compare` was made of; None for other data."""
    attrs = getattr(data, "attrs", None)
    base, other = (attrs.get(name) for name in ("base", "other")) if isinstance(attrs, Mapping) else (None, None)
    return (base, other) if isinstance(base, str) and isinstance(other, str) else None


def _has_more_dims(x: Any) -> bool:
    """Whether x is labelled, and of more than two dims, or of several metrics."""
    return _is_labelled(x) and (not hasattr(x, "ndim") or x.ndim > 2)


def _is_labelled(x: Any) -> bool:
    xarray = sys.modules.get("xarray")  # a user can hold a DataArray only where xarray has been imported
    return xarray is not None and isinstance(x, xarray.DataArray | xarray.Dataset)


def _cube(x: Any, dims: Dims | None) -> Cube:
    if dims is not None:
        if _is_labelled(x) or not hasattr(x, "shape"):
            raise ValueError(
                f"dims names the axes of an array without labels, got a {type(x).__name__}; "
                "choose among the dims it has with rows= and columns="
            )
        return cube_of_array(x, dims)
    from layergrid.data.labelled_cube import cube_of_xarray

    return cube_of_xarray(x if _is_labelled(x) else matrix_to_dataarray(as_matrix(x)))


def _axes(cube: Cube, rows: DimNames | None, columns: DimNames | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The dims of the rows and of the columns: those asked for, else layer, and component with its experts."""
    if len(cube.dims) < 2:
        raise ValueError(
            f"a grid needs two dims, one for its rows and one for its columns, got {listing(list(cube.dims))}"
        )
    empty = [dim for dim, size in cube.sizes.items() if size == 0]
    if empty:
        raise ValueError(f"every dim must have a label or more, but {listing(empty)} has none")
    row_dims = () if rows is None else known_dims(rows, cube, "rows")
    column_dims = () if columns is None else known_dims(columns, cube, "columns")
    both = [dim for dim in row_dims if dim in column_dims]
    if both:
        raise ValueError(f"a dim stands in the rows or in the columns, got {listing(both)} in both")
    free = [dim for dim in cube.dims if dim not in (*row_dims, *column_dims)]
    if not column_dims:
        column_dims = _preferred(free, "component", besides="layer", cube=cube)
        if column_dims == ("component",) and "expert" in free:
            column_dims += ("expert",)
        free = [dim for dim in free if dim not in column_dims]
    if not row_dims:
        row_dims = _preferred(free, "layer", besides="component", cube=cube)
    if not row_dims or not column_dims:
        what = "columns" if row_dims else "rows"
        raise ValueError(f"no dim is left for the {what}; the dims are {listing(list(cube.dims))}")
    return row_dims, column_dims


def _preferred(free: Sequence[str], dim: str, *, besides: str, cube: Cube) -> tuple[str, ...]:
    """A dim if it is free, else the last free one, if it may be one with several places and no better use."""
    if dim in free:
        return (dim,)
    worse = [other for other in free if cube.sizes[other] == 1 or other in (besides, cube.titled_by)]
    ranked = worse + [other for other in free if other not in worse]
    return tuple(ranked[-1:])


def _arranged(
    cube: Cube,
    row_dims: tuple[str, ...],
    column_dims: tuple[str, ...],
    layers: Iterable[Any] | None,
    components: Iterable[Any] | None,
) -> Pages:
    from layergrid.data.nesting import axis

    chosen = (*row_dims, *column_dims)
    selectors = tuple(
        Selector(dim, labels, tuple(cube.text({dim: at}) for at in range(len(labels))) if dim == cube.titled_by else ())
        for dim, labels in cube.dims.items()
        if dim not in chosen
    )
    shelf = Pages(selectors, lambda _index: _no_page())
    places = [
        {selector.dim: at for selector, at in zip(selectors, shelf.places(index), strict=True)}
        for index in range(len(shelf))
    ]
    kept = {dims: _kept(cube, dims, places) for dims in (row_dims, column_dims) if len(dims) > 1}
    row_axis, column_axis = (axis(cube, dims, kept.get(dims)) for dims in (row_dims, column_dims))
    names = tuple(map(str, column_axis.labels))
    check_distinct(names, " > ".join(column_dims))
    own_layers = None if layers is None else tuple(layers)
    own_components = None if components is None else tuple(components)

    def read(index: int) -> Matrix:
        at = places[index]
        part = cube.read(at, chosen, True)
        absent = _absent(part)
        title, units = cube.text(at)
        values = _laid_out(np.ma.getdata(part.values), row_axis, column_axis)
        absent = None if absent is None else owned_mask(_laid_out(absent, row_axis, column_axis))
        page = Matrix(
            owned_values(values, absent),
            row_axis.labels,
            names,
            absent,
            None if part.parameters is None else _laid_out(part.parameters, row_axis, column_axis),
            None if part.pieces is None else _laid_out(part.pieces, row_axis, column_axis),
            name=title,
            units=units,
            source=part.source,
        )
        return relabelled(page, own_layers, own_components)

    axes = (_axis_name(row_dims, "row"), _axis_name(column_dims, "column"))
    return Pages(selectors, read, lazy=cube.lazy, axes=axes)


def _axis_name(dims: tuple[str, ...], otherwise: str) -> str:
    """What one place along an axis is: an expert's component is a component, other nested dims have no such word."""
    return dims[0] if len(dims) == 1 or dims[1:] == ("expert",) else otherwise


def _no_page() -> Matrix:
    raise AssertionError("only the positions are asked for")


def _absent(part: Part) -> np.ndarray | None:
    if is_masked(part.values):
        return np.ma.getmaskarray(part.values)
    return part.absent


def _laid_out(array: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """An array of all dims of both axes as rows x columns, those that are not there left out."""
    height = int(np.prod(array.shape[: len(rows.dims)]))
    flat = array.reshape(height, -1)
    if rows.places is not None:
        flat = flat[rows.places]
    return flat if columns.places is None else flat[:, columns.places]


def _kept(cube: Cube, dims: tuple[str, ...], places: Sequence[Mapping[str, int]]) -> np.ndarray | None:
    """Where nested dims have a cell in any page and any line across, by its name or its value; None if all or unknown.

    Values are looked at only where they are at hand.
    """
    there = None if cube.exists is None else cube.exists(dims)
    cells = int(np.prod(list(cube.sizes.values())))
    if not cube.lazy and (there is None or 4 * cells <= MOST_TRAVELLING_BYTES):
        rest = tuple(dim for dim in cube.dims if dim not in dims and dim not in places[0])
        for at in places:
            part = cube.read(at, (*dims, *rest), False)
            filled = ~np.isnan(np.ma.getdata(part.values))
            mask = _absent(part)
            if mask is not None:
                filled &= ~mask
            filled = filled.any(axis=tuple(range(len(dims), filled.ndim)))
            there = filled if there is None else there | filled
    return there if there is not None and there.any() else None

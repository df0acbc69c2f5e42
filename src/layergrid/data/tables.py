"""Tables, wide or long, of pandas, polars, pyarrow or plain columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from layergrid.data.labels import component_labels, layer_labels, listing
from layergrid.data.matrix import Matrix
from layergrid.data.values import is_masked, line_of_numbers, owned_mask, owned_values, real_array

_KEYS = ("layer", "component")


def value_column(names: Iterable[Any]) -> Any:
    """The column that holds the numbers of a long table: ``value``, or the only one it can be; None of a wide table.

    Raises
    ------
    ValueError
        If a table with the columns layer and component has several others.
    """
    names = list(names)
    if not set(_KEYS) <= set(names):
        return None
    rest = [name for name in names if name not in (*_KEYS, "parameter")]
    if "value" in rest:
        return "value"
    if len(rest) != 1:
        raise ValueError(
            "a table with the columns 'layer' and 'component' needs one of numbers, named 'value' if there are others, "
            f"got {listing(rest) if rest else 'none'}"
        )
    return rest[0]


def from_table(x: Any) -> Matrix:
    """The matrix of a data frame: long if it has the columns layer and component, else wide.

    The numbers of a long one stand in its column ``value``, or in the only other one, whose name becomes the title.
    In a wide table every column but ``layer`` is a component. The index of pandas labels the layers where
    there is no such column; a table whose index is named ``component`` (or its columns ``layer``) is turned.
    Null is an absent cell and NaN is a value, in the types that tell them apart.

    Raises
    ------
    TypeError
        If x is one column or not yet computed, or a column of values is not numeric.
    ValueError
        If the table is empty, or a pair of layer and component stands twice.
    """
    import narwhals.stable.v1 as nw
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(x, allow_series=True, pass_through=True)
    except DuplicateError:
        raise ValueError(f"the columns of a table must differ from one another: {listing(list(x.columns))}") from None
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(f"the table is a {_type(x)} that is not yet computed; pass x.collect() (x.compute() in dask)")
    if isinstance(frame, nw.Series):
        raise TypeError(
            f"a {_type(x)} of {len(frame)} values is one column; pass x.to_frame() if it is one component, "
            "or in pandas x.unstack(), if its index holds layers and components"
        )
    if not isinstance(frame, nw.DataFrame) or nw.get_level(frame) != "full":
        raise TypeError(
            f"a {_type(x)} is not read as a table; make it one of pandas, polars or pyarrow, as pa.table(x)"
        )
    index = nw.maybe_get_index(frame)
    if index is not None and index.name != "layer" and (index.name == "component" or x.columns.name == "layer"):
        frame = nw.from_native(x.T)
        index = nw.maybe_get_index(frame)
    columns: dict[Any, Any] = {}
    names = list(frame.columns)
    component_labels(names, len(names), what="columns")
    number = value_column(names)
    long = number is not None
    for name, series in zip(names, frame.iter_columns(), strict=True):
        if name == "layer" or (long and name in ("component", "parameter")):
            columns[name] = series.to_list()
        elif not long or name == number:
            columns[name] = _numbers(series, f"column {name!r}")
        else:
            columns[name] = []  # a long table may hold more, which is not read
    if not long and "layer" not in columns and index is not None:
        what = "labels in the index (x.reset_index(drop=True) drops it)"
        return _from_wide(columns, layer_labels(index, len(index), what=what))
    return from_columns(columns)


def from_columns(columns: Mapping[Any, Any]) -> Matrix:
    """The matrix of a table given as {column: sequence}; wide or long, as in `from_table`."""
    number = value_column(columns)
    if number is not None:
        return _from_long(columns, number)
    return _from_wide(columns, columns.get("layer"))


def _from_wide(columns: Mapping[Any, Any], labels: Sequence[Any] | None) -> Matrix:
    names = [name for name in columns if name != "layer"]
    lines = [line_of_numbers(columns[name], f"column {name!r}") for name in names]
    if not lines or not len(lines[0]):
        raise ValueError(
            "a wide table needs a row for each layer and a column for each component, got "
            f"{len(lines[0]) if lines else len(labels or ())} rows and {len(lines)} columns of values"
        )
    for name, line in zip(names, lines, strict=True):
        if len(line) != len(lines[0]):
            raise ValueError(
                f"every component must have the same number of layers: {names[0]!r} has {len(lines[0])}, "
                f"{name!r} has {len(line)}; put None where a layer has no such component"
            )
    absent = None
    if any(map(is_masked, lines)):
        absent = owned_mask(np.column_stack([np.ma.getmaskarray(line) for line in lines]))
        lines = [np.ma.getdata(line) for line in lines]
    values = owned_values(np.column_stack(lines), absent)
    return Matrix(values, layer_labels(labels, len(values)), component_labels(names, len(names)), absent)


def _from_long(columns: Mapping[Any, Any], number: Any) -> Matrix:
    numbers = line_of_numbers(columns[number], f"column {number!r}")
    lengths = {name: len(columns[name]) for name in (*_KEYS, number)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of a long table must have the same length, got {lengths}")
    if not len(numbers):
        raise ValueError("a long table needs a row for each pair of layer and component, got 0 rows")
    row_keys, rows = _coded(columns["layer"])
    column_keys, places = _coded(columns["component"])
    layers = layer_labels(row_keys, len(row_keys), what="labels in column 'layer'")
    components = component_labels(column_keys, len(column_keys), what="labels in column 'component'")
    if all(isinstance(layer, int) for layer in layers):  # the rows of a table may come in any order
        order = sorted(range(len(layers)), key=layers.__getitem__)
        layers = tuple(layers[index] for index in order)
        rows = np.argsort(order)[rows]
    cells = rows * len(components) + places
    shape = (len(layers), len(components))
    times = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    if times.max() > 1:
        again = [(layers[row], components[column]) for row, column in np.argwhere(times > 1)]
        others = [name for name in columns if name not in (*_KEYS, number, "parameter")]
        fix = f"choose one value of {listing(others)} first" if others else "keep one row of each"
        raise ValueError(f"each layer and component must stand once, these stand more often: {listing(again)}; {fix}")
    absent = times == 0
    absent.flat[cells] |= np.ma.getmaskarray(numbers)
    data = np.ma.getdata(numbers)
    values = np.zeros(shape, data.dtype)
    values.flat[cells] = data
    parameters = None
    if "parameter" in columns:
        parameters = np.full(shape, "", dtype=object)
        parameters.flat[cells] = [name if isinstance(name, str) else "" for name in columns["parameter"]]
        parameters[absent] = ""
        parameters.flags.writeable = False
    mask = owned_mask(absent)
    title = "" if number == "value" else str(number)
    return Matrix(owned_values(values, mask), layers, components, mask, parameters, name=title)


def _coded(labels: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
    """The distinct labels in the order they come, and for each label which of them it is."""
    codes: dict[Any, int] = {}
    places = np.array([codes.setdefault(label, len(codes)) for label in labels], dtype=np.intp)
    return list(codes), places


def _numbers(series: Any, where: str) -> np.ndarray:
    """A column of a data frame as numbers; masked where it is null."""
    import narwhals.stable.v1 as nw

    # A NumPy column of pandas has no null of its own: what narwhals calls null there is NaN, a value.
    if isinstance(getattr(series.to_native(), "dtype", None), np.dtype):
        return real_array(series.to_numpy(), where)
    dtype = series.dtype
    if dtype == nw.Boolean:
        series = series.cast(nw.Int8)
    elif not dtype.is_numeric() and dtype != nw.Unknown:
        hint = "cast it to float if it spells numbers, or drop it; name it 'layer' if it labels the layers"
        raise TypeError(f"{where} must hold real numbers, got {dtype}; {hint}")
    nulls = series.is_null().to_numpy()
    if nulls.any() or dtype == nw.Decimal:
        series = series.cast(nw.Float64)
    array = real_array(series.to_numpy(), where)
    return np.ma.MaskedArray(array, nulls) if nulls.any() else array


def _type(x: Any) -> str:
    return f"{type(x).__module__.partition('.')[0]} {type(x).__name__}"

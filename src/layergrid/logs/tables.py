"""Tables of anybody: rows of (name, value[, step]), of (layer, component, value), or a column per component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.logs.columns import Columns, as_labels, as_number, as_numbers, record_columns
from layergrid.logs.records import Records, records_dataset
from layergrid.sources.source import SourceError, printable

if TYPE_CHECKING:
    import xarray as xr

# What columns are called, in lower case, the most telling first. A table of pandas leaves its index unnamed.
_NAMES = ("parameter", "longname", "param", "tensor", "name", "param_name", "layer_name", "module", "key", "")
_STEPS = ("step", "global_step", "_step", "iteration", "iter", "epoch")
_DIMS = ("stack", "layer", "component", "expert")


def table_dataset(columns: Columns, format: str, label: str) -> xr.Dataset:
    """The numeric columns of a table, each a variable, in the cells that its other columns say.

    Parameters
    ----------
    columns : ``layer`` and ``component``, with ``stack``, ``expert`` or ``step`` where there are such; or names
        of parameters or modules; or ``layer`` and the part ``module``; else every column is a component
    format : what the file was taken for

    Raises
    ------
    SourceError
        If there is no numeric column, a name belongs to no layer, or a cell has two different values.
    """
    known = {name.strip().lower(): name for name in columns}
    step = next((known[name] for name in _STEPS if name in known), None)
    if "layer" in known and "component" in known:
        return _by_labels(columns, known, step, format, label)
    named = next((known[name] for name in _NAMES if name in known and _are_texts(columns[known[name]])), None)
    if named is None:
        return _wide(columns, known, format, label)
    names = [str(name) for name in columns[named]]
    labels = {named, step}
    if "layer" in known and as_numbers(columns[known["layer"]]) is not None and _are_parts(names):
        labels.add(known["layer"])
        names = [
            f"layers.{layer}.{name}" for layer, name in zip(as_labels(columns[known["layer"]]), names, strict=True)
        ]
    numbers, left_out = _numeric(columns, labels, label)
    steps = as_labels(columns[step]) if step is not None else None
    records = Records(f"{format} of names and values", names, numbers, steps, attrs={"left_out": left_out})
    return records_dataset(records, label)


def mapping_columns(value: Mapping[str, Any], label: str) -> Columns:
    """The columns that a JSON object stands for.

    It may map columns to lists of one length, names to numbers, or names to objects of numbers by metric; the
    list of ``cells`` that the layergrid command prints is one too.
    """
    if isinstance(value.get("cells"), list):
        return rows_columns(value["cells"], label)
    lists = [item for item in value.values() if isinstance(item, list)]
    if lists and len(lists) == len(value) and len({len(item) for item in lists}) == 1:
        return {str(name): list(item) for name, item in value.items()}
    objects = {name: item for name, item in value.items() if isinstance(item, Mapping)}
    if objects:
        return record_columns({"name": name, **item} for name, item in objects.items())
    numbers = {name: item for name, item in value.items() if as_number(item) is not None}
    if not numbers:
        raise SourceError(f"{label} is a JSON object without numbers; expected {{name: number}} or a list of rows")
    return {"name": list(numbers), "value": list(numbers.values())}


def rows_columns(rows: Sequence[Any], label: str) -> Columns:
    """The columns of a JSON list of objects."""
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise SourceError(f"{label} is a JSON list, but not of objects; expected [{{'name': ..., 'value': ...}}, ...]")
    return record_columns(rows)


def _by_labels(columns: Columns, known: Mapping[str, str], step: str | None, format: str, label: str) -> xr.Dataset:
    import pandas as pd

    dims = {name: columns[known[name]] for name in _DIMS if name in known}
    if step is not None:
        dims["step"] = columns[step]
    axes = {name: as_labels(values) for name, values in dims.items()}
    parameter = next((known[name] for name in _NAMES if name in known), None)
    labels = {*(known[name] for name in _DIMS if name in known), step, parameter}
    numbers, left_out = _numeric(columns, labels, label)
    index = pd.MultiIndex.from_arrays(list(axes.values()), names=list(axes))
    if index.has_duplicates:
        again = ", ".join(f"{name} {value}" for name, value in zip(axes, index[index.duplicated()][0], strict=True))
        raise SourceError(f"{label} has more than one row for {again}; keep one row of each, or add a column 'step'")
    frame = pd.DataFrame(numbers, index=index)
    # What tells absent cells from those with a value of NaN.
    mark = "absent" if parameter is None else "parameter"
    frame[mark] = False if parameter is None else [str(name) for name in columns[parameter]]
    dataset: xr.Dataset = frame.to_xarray()
    texts = {
        name: list(dict.fromkeys(axis)) for name, axis in axes.items() if not all(isinstance(x, int) for x in axis)
    }
    dataset = dataset.reindex(texts)  # in the order they came
    marks = dataset[mark].isnull() if parameter is None else dataset[mark].fillna("")
    dataset = dataset.drop_vars(mark).assign_coords({mark: marks})
    dataset.attrs = {"source": label, "format": f"{format} of layers and components", "left_out": left_out}
    return dataset


def _wide(columns: Columns, known: Mapping[str, str], format: str, label: str) -> xr.Dataset:
    from layergrid.data.convert import matrix_to_dataarray
    from layergrid.data.tables import from_columns

    layer = known.get("layer")
    numbers, left_out = _numeric(columns, {layer}, label)
    table: dict[str, Any] = {
        name: np.ma.masked_array(values, [item is None for item in columns[name]]) for name, values in numbers.items()
    }
    if layer is not None:
        table["layer"] = as_labels(columns[layer])
    try:
        array = matrix_to_dataarray(from_columns(table))
    except (ValueError, TypeError) as error:
        raise SourceError(f"{label} was taken for a {format}: {error}") from error
    attrs = {"source": label, "format": f"{format} with a column per component", "left_out": left_out}
    return array.rename("value").to_dataset().assign_attrs(attrs)


def _numeric(columns: Columns, labels: set[str | None], label: str) -> tuple[dict[str, np.ndarray], str]:
    """The numeric columns besides the labels, and a line for each other one."""
    numbers = {}
    left_out = []
    for name, values in columns.items():
        if name in labels:
            continue
        found = as_numbers(values)
        if found is None:
            left_out.append(name)
        else:
            numbers[name] = found
    if not numbers:
        raise SourceError(f"{label} has no column of numbers among {', '.join(map(printable, list(columns)[:9]))}")
    return numbers, "\n".join(left_out)


def _are_texts(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values) and as_numbers(values) is None


def _are_parts(names: Sequence[str]) -> bool:
    """Whether the names say no layer themselves."""
    from layergrid.names import parse_name

    return all((address := parse_name(name)) is None or address.layer is None for name in names)

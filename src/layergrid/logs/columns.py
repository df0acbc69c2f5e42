"""CSV, JSON and Parquet as columns; and whether columns hold numbers."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from layergrid.sources.source import SourceError, printable

Columns = dict[str, list[Any]]
"""Values by column, all of one length; None where a row has none."""

_DELIMITERS = ",\t;|"


def csv_columns(text: str, label: str) -> Columns:
    """The columns of a table with a header line, its values as text; separated by comma, tab, semicolon or bar.

    Raises
    ------
    SourceError
        If a column name comes twice, or a row has more or fewer fields than the header.
    """
    header = text.lstrip("\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise SourceError(f"{label} is no readable table ({error}); save it as CSV again") from error
    if len(rows) < 2:
        raise SourceError(f"{label} has {len(rows)} lines, a table needs a header and a row of values")
    names = [name.strip() for name in rows[0]]
    _check_names(names, label)
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise SourceError(f"{label}: row {number} has {len(row)} fields, but the header has {len(names)}")
    return {name: [row[at].strip() or None for row in rows[1:]] for at, name in enumerate(names)}


def record_columns(records: Iterable[Mapping[str, Any]]) -> Columns:
    """The columns of rows given as mappings; None where a row lacks one."""
    rows = list(records)
    names = dict.fromkeys(name for row in rows for name in row)
    return {str(name): [row.get(name) for row in rows] for name in names}


def parquet_columns(content: bytes, label: str) -> Columns:
    """The columns of a Parquet file.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(f"{label} is a Parquet file; to read it: pip install pyarrow") from error
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{label} is no readable Parquet file ({error}); is the download complete?") from error
    _check_names(table.column_names, label)
    return {name: table.column(name).to_pylist() for name in table.column_names}


def json_values(text: str, label: str) -> Iterator[Any]:
    """The JSON values of a text that holds one, or several after each other, as JSON lines do.

    Raises
    ------
    SourceError
        If a value is not JSON or nested too deeply.
    """
    decoder = json.JSONDecoder()
    position = _after_space(text, 0)
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except RecursionError:
            raise SourceError(f"{label} is nested too deeply; the file is damaged or hostile") from None
        except ValueError as error:
            raise SourceError(f"{label} is not valid JSON ({error}); is the file damaged?") from None
        yield value
        position = _after_space(text, position)


def as_numbers(values: Sequence[Any]) -> np.ndarray | None:
    """The values as float64, NaN for None; None where one is no number, or none is there."""
    if all(value is None for value in values):
        return None
    numbers = np.empty(len(values))
    for index, value in enumerate(values):
        number = as_number(value)
        if number is None:
            return None
        numbers[index] = number
    return numbers


def as_number(value: Any) -> float | None:
    """A number, or a text that spells one, as a float; NaN for None; None for anything else."""
    if value is None:
        return math.nan
    if isinstance(value, list | dict):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def as_labels(values: Sequence[Any]) -> list[Any]:
    """The values, whole numbers that are spelled as text or as floats made ints, if all are."""
    numbers = as_numbers(values)
    if numbers is None or not np.all(np.isfinite(numbers)) or np.any(numbers != np.round(numbers)):
        return list(values)
    return [int(number) for number in numbers]


def _check_names(names: Sequence[str], label: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{label} has the column {printable(twice)} twice; give each a name of its own")


def _after_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position

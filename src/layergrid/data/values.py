"""Numbers from arrays and nested lists, copied once into the narrowest float that holds them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

import numpy as np

# Values are tried as float32 in blocks of this many, so that a matrix that needs float64 is known for one
# after the first block, and the trial needs no second copy of the whole.
BLOCK = 1 << 16

_EXACT_IN_FLOAT32 = frozenset(np.dtype(kind).name for kind in ("?", "i1", "i2", "u1", "u2", "f2", "f4"))

# Types of cells that np.array makes numbers of without changing what they are.
_PLAIN = {bool, int, float, np.bool_, np.float32, np.float64, np.int64}


def owned_values(array: np.ndarray, absent: np.ndarray | None = None) -> np.ndarray:
    """A read-only copy of a real 2-D array, in C order and native bytes, NaN where `absent`.

    float32 where that holds every value as well as float64 does, NaN, infinities and the sign of zero
    included; else float64, to which 64-bit integers and long doubles are rounded.

    Raises
    ------
    ValueError
        If a finite long double is too large for float64, which would make it infinite.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = _as_float32(array, absent)
        if values is None:
            values = _as_float64(array, absent)
    values.flags.writeable = False
    return values


def _as_float32(array: np.ndarray, absent: np.ndarray | None) -> np.ndarray | None:
    """The array as float32, or None where float64 would hold more of it."""
    if array.dtype.name in _EXACT_IN_FLOAT32:
        values = np.array(array, dtype=np.float32, order="C")
        if absent is not None:
            values[absent] = np.nan
        return values
    values = np.empty(array.shape, np.float32)
    step = max(1, BLOCK // array.shape[1])
    for start in range(0, len(array), step):
        rows = slice(start, start + step)
        block = array[rows].astype(np.float64, copy=absent is not None)
        if absent is not None:
            block[absent[rows]] = np.nan
        values[rows] = block
        if not np.all((values[rows] == block) | np.isnan(block)):
            return None
    return values


def _as_float64(array: np.ndarray, absent: np.ndarray | None) -> np.ndarray:
    values = np.array(array, dtype=np.float64, order="C")
    if absent is not None:
        values[absent] = np.nan
    if array.dtype.itemsize > 8:
        lost = np.isinf(values) & np.isfinite(array)
        if lost.any():
            row, column = np.argwhere(lost)[0]
            raise ValueError(
                f"the value {array[row, column]} at row {row}, column {column} is beyond float64; "
                "divide by a power of ten or take the logarithm"
            )
    return values


def is_masked(x: Any) -> TypeGuard[np.ma.MaskedArray]:
    """Whether x is a masked array; numpy.ma is not imported for it, which would cost the first display 25 ms."""
    ma = sys.modules.get("numpy.ma")  # whoever holds a masked array has imported it
    return ma is not None and isinstance(x, ma.MaskedArray)


def owned_mask(mask: np.ndarray) -> np.ndarray | None:
    """A read-only copy of a mask; None where nothing is masked."""
    if not mask.any():
        return None
    copy = np.array(mask, dtype=bool, order="C")
    copy.flags.writeable = False
    return copy


def real_array(x: Any, where: str = "values") -> np.ndarray:
    """An array, or anything with ``__array__``, as a NumPy array of real numbers; of any shape, not copied.

    Masked arrays stay masked. Tensors that cannot be seen as arrays (they require a gradient, live on
    another device or hold bfloat16) are detached, moved and widened as their user would have done.

    Raises
    ------
    TypeError
        If x does not become an array, or one of complex numbers, strings, objects, dates or records.
    """
    array = x if is_masked(x) else _as_array(x)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.type.__module__.startswith("ml_dtypes"):
        return array.astype(np.float32)  # bfloat16, float8 and small integers: all exact
    raise TypeError(f"{where} must be real numbers, got {_kind(array)}")


def _as_array(x: Any) -> np.ndarray:
    """x as a plain array; the tensor x first detached, on the host and in a type that NumPy has."""
    try:
        if not (hasattr(x, "detach") and hasattr(x, "cpu")):
            return np.asarray(x)
        tensor = x.detach().cpu()
        try:
            return np.asarray(tensor)
        except TypeError:  # NumPy has neither bfloat16 nor float8; float32 holds them exactly
            return np.asarray(tensor.float())
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise TypeError(
            f"a {type(x).__module__}.{type(x).__name__} does not become an array ({error}); "
            "pass a dense numpy array of real numbers"
        ) from error


def _kind(array: np.ndarray) -> str:
    dtype = array.dtype
    if dtype.kind == "c":
        return f"complex numbers ({dtype}); pass np.abs(x), x.real or x.imag"
    if dtype.kind in "USTa":
        return f"strings ({dtype}); pass x.astype(float) if they spell numbers"
    if dtype.kind in "mM":
        return f"dates or durations ({dtype}); pass x / np.timedelta64(1, 's') or the like"
    if dtype.names is not None:
        return f"records with the fields {', '.join(dtype.names)}; pass one field, or np.stack some along axis 1"
    if dtype.kind == "O":
        first = next((item for item in array.flat if not isinstance(item, int | float)), None)
        what = "" if first is None else f", such as {_short(first)} of type {type(first).__name__}"
        return f"an array of objects{what}; pass x.astype(float) if they are numbers"
    return f"dtype {dtype}; pass x.astype(float) if these are numbers"


def _short(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 60 else text[:57] + "..."


def is_number(cell: Any) -> bool:
    """Whether a cell of a list or mapping is one real number, missing (None, `np.ma.masked`) or not."""
    if cell is None or isinstance(cell, bool | int | float | np.bool_ | np.integer | np.floating):
        return True
    if isinstance(cell, np.generic):  # complex, str, datetime: NumPy would turn some of these into floats
        return cell.dtype.type.__module__.startswith("ml_dtypes")
    return hasattr(cell, "__float__") and getattr(cell, "shape", ()) == ()


def number(cell: Any) -> float:
    """A cell that `is_number` as a float; NaN where it is missing.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As float() does.
    """
    return math.nan if is_missing(cell) else float(cell)


def is_missing(cell: Any) -> bool:
    """Whether a cell says that there is no value, as None does: not even NaN, which is one."""
    return cell is None or (is_masked(cell) and cell is np.ma.masked)


def nested_values(rows: Sequence[Any]) -> np.ndarray:
    """Nested lists, or a list of one-dimensional arrays, as a 2-D array; masked where a cell is None.

    None says that there is nothing here, so it is an absent cell. NaN has its own spelling, ``float("nan")``.

    Raises
    ------
    TypeError
        If a cell is no real number.
    ValueError
        If the rows differ in length, or there is but one level of lists, or more than two.
    """
    if len(rows) == 0:
        raise ValueError("values must have shape (layers, components) with one of each or more, got an empty list")
    lengths = [_row_length(row, index, len(rows)) for index, row in enumerate(rows)]
    for index, length in enumerate(lengths):
        if length != lengths[0]:
            raise ValueError(
                f"every layer must have the same number of components: row 0 has {lengths[0]}, "
                f"row {index} has {length}; put None where a layer has no such component"
            )
    if all(isinstance(row, list | tuple) for row in rows):
        array = _plain_numbers(rows, (cell for row in rows for cell in row))
        if array is not None:
            return array
    lines = [line_of_numbers(row, f"row {index}") for index, row in enumerate(rows)]
    masked = any(map(is_masked, lines))
    return np.ma.stack(lines) if masked else np.stack(lines)


def line_of_numbers(cells: Any, where: str) -> np.ndarray:
    """A sequence or array of real numbers as a 1-D array; masked where a cell is None.

    `where` names it in messages: "row 3", "column 'attn.q'". Raises as `nested_values` does.
    """
    if not isinstance(cells, list | tuple):
        if isinstance(cells, str | bytes) or not (hasattr(cells, "__array__") or isinstance(cells, Sequence)):
            raise TypeError(f"{where} must be a list of numbers, got {_short(cells)} of type {type(cells).__name__}")
        array = real_array(cells, where)
        if array.ndim != 1:
            raise ValueError(f"{where} must be one number after another, got an array of shape {array.shape}")
        return array
    plain = _plain_numbers(cells, cells)
    if plain is not None:
        return plain
    for index, cell in enumerate(cells):
        if not is_number(cell):
            raise TypeError(
                f"values must be real numbers, got {_short(cell)} of type {type(cell).__name__} "
                f"at place {index} of {where}"
            )
    missing = [is_missing(cell) for cell in cells]
    try:
        numbers = np.array([number(cell) for cell in cells])
    except OverflowError:
        raise ValueError(f"{where} holds an integer beyond float64; divide it or take the logarithm") from None
    return np.ma.MaskedArray(numbers, missing) if any(missing) else numbers


def _plain_numbers(rows: Sequence[Any], cells: Iterable[Any]) -> np.ndarray | None:
    """The rows as an array where all cells are of Python's or NumPy's usual types, else None."""
    if {type(cell) for cell in cells} <= _PLAIN:
        array = np.array(rows, dtype=None if len(rows) else float)
        if array.dtype != object:  # as it is where an integer is beyond 64 bits
            return array
    return None


def _row_length(row: Any, index: int, rows: int) -> int:
    if is_number(row):
        raise ValueError(
            f"values must have shape (layers, components), got ({rows},); "
            "write [x] for one layer, [[v] for v in x] for one component"
        )
    if isinstance(row, str | bytes) or not (hasattr(row, "__len__") and hasattr(row, "__getitem__")):
        raise TypeError(f"row {index} must be a list of numbers, got {_short(row)} of type {type(row).__name__}")
    return len(row)

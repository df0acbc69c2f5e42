"""One tensor, opened to be looked at: its windows, what is told beside them, and how it is divided."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from layergrid.large.kept_levels import KeptLevels
from layergrid.large.pyramid import Pyramid
from layergrid.names import Address, Piece, parse_names, split_fused
from layergrid.readable import Readable, readable
from layergrid.scans.placement import Cell
from layergrid.sources import Source, SourceError, open_source
from layergrid.sources.source import printable
from layergrid.tensor import Tensor, widen
from layergrid.tensors.divisions import Division, divisions
from layergrid.tensors.spectrum import singular_values
from layergrid.tensors.summary import METRICS, TensorSummary, summarize


@dataclass(frozen=True)
class Compared:
    """Which of the three matrices of a comparison a tensor is: that of one model, of the other, or the difference."""

    models: tuple[str, str]
    """What the two are called."""
    side: int
    """0, 1, or 2 for the second minus the first."""
    pair: tuple[Readable, Readable]


class OpenTensor:
    """A matrix with its pyramid. Nothing but its header is read until a window, the summary or more is asked for.

    Safe to use from several threads. Close it to stop what is under way and give the memory back.
    """

    def __init__(
        self,
        matrix: Readable,
        name: str = "",
        *,
        stored_shape: tuple[int, ...] | None = None,
        label: str = "",
        divisions: Sequence[Division] = (),
        cache: KeptLevels | None = None,
        compared: Compared | None = None,
    ) -> None:
        self.matrix = matrix
        self.name = name
        """Full parameter name, with the rows where it is a part of a tensor; "" where unknown."""
        self.cache = cache
        """Where its levels are kept for the next time; None for nowhere."""
        rows, columns = matrix.shape
        self.shape = (columns, rows) if matrix.transposed else (rows, columns)
        """Rows (outputs) and columns (inputs) as they are shown."""
        self.stored_shape = stored_shape or matrix.shape
        self.dtype = matrix.dtype
        """As stored: "BF16", "F32" ...; one of `layergrid.tensor.STORAGE`."""
        self.label = label
        """Where it comes from: a path, a URL, a class name."""
        self.divisions = tuple(divisions)
        self.compared = compared
        """Of a comparison, which of its three matrices this is."""
        self._stop = threading.Event()

    @cached_property
    def pyramid(self) -> Pyramid:
        """Answers windows; made when first asked for, and gone when this is closed."""
        return Pyramid(self.matrix, cache=self.cache)

    def summary(
        self, metrics: Sequence[str] = METRICS, progress: Callable[[float], None] | None = None
    ) -> TensorSummary:
        """Distribution, metrics, largest entries and norms; see `summarize`. Raises `Stopped` if closed meanwhile."""
        return summarize(self.matrix, metrics, stop=self._stop, progress=progress)

    def singular_values(
        self, stop: threading.Event | None = None, progress: Callable[[float], None] | None = None
    ) -> np.ndarray:
        """All of them, the largest first; see `layergrid.tensors.spectrum.singular_values`.

        Parameters
        ----------
        stop : set it to give up; None for as long as this is open
        """
        return singular_values(self.matrix, stop=self._stop if stop is None else stop, progress=progress)

    def close(self) -> None:
        """Stop everything and free it."""
        self._stop.set()
        if "pyramid" in self.__dict__:
            self.pyramid.close()

    def __enter__(self) -> OpenTensor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def open_tensor(source: Any, name: str = "", *, cache: KeptLevels | None = None) -> OpenTensor:
    """Open a matrix, or a tensor of a checkpoint, a module or a mapping by its full name.

    Parameters
    ----------
    source : an array of two axes, memory-mapped, Zarr or dask; or whatever `open_source` takes
    name : of the tensor; for an array, what it is called. May be left out where there is only one tensor.
    cache : where levels of what lies in files are kept; None for nowhere

    Raises
    ------
    KeyError
        If the source has no tensor of that name.
    SourceError, TypeError, ValueError
        If the source or the tensor cannot be read, or has no entries.
    """
    if hasattr(source, "shape") and not isinstance(source, Source):
        return OpenTensor(readable(source), name, stored_shape=tuple(source.shape), cache=cache)
    opened = open_source(source)
    found = _named(opened, name)
    shapes = {key: tensor.shape for key, tensor in opened.tensors.items()}
    addresses = parse_names(shapes)
    pieces = split_fused(shapes, opened.config, addresses).get(found, ())
    return _opened(opened, opened.tensors[found], found, addresses[found], pieces, cache)


def open_cell(source: Source, cell: Cell, *, cache: KeptLevels | None = None) -> OpenTensor:
    """Open the tensor of a cell, or its part of a fused or stacked one.

    Raises
    ------
    SourceError
        If the cell's tensor could not be read.
    """
    if cell.tensor is None:
        reason = source.skipped.get(cell.parameter, "its file could not be read")
        raise SourceError(f"{printable(cell.parameter)} cannot be opened: {reason}")
    parsed = parse_names({key: tensor.shape for key, tensor in source.tensors.items()})[cell.parameter]
    assert parsed is not None  # it has a cell
    address = Address(parsed.stack, cell.layer, cell.component, None, parsed.flags)
    return _opened(source, cell.tensor, cell.parameter, address, (), cache)


def open_difference(
    base: Source,
    first: Cell,
    other: Source,
    second: Cell,
    models: tuple[str, str],
    side: int,
    *,
    cache: KeptLevels | None = None,
) -> OpenTensor:
    """Open one of the three matrices of a pair of cells; see `Compared`.

    Raises
    ------
    SourceError
        If a tensor could not be read.
    ValueError
        If the difference is asked for and the two have none.
    """
    pair = open_cell(base, first), open_cell(other, second)
    matrices = pair[0].matrix, pair[1].matrix
    compared = Compared(models, side, matrices)
    shown = pair[min(side, 1)]
    return OpenTensor(
        Difference(*matrices) if side == 2 else shown.matrix,
        f"{pair[0].name}, difference" if side == 2 else shown.name,
        stored_shape=shown.stored_shape,
        label=" to ".join(models) if side == 2 else models[side],
        divisions=shown.divisions,
        cache=cache,
        compared=compared,
    )


def _opened(
    source: Source,
    tensor: Tensor,
    parameter: str,
    address: Address | None,
    pieces: Sequence[Piece],
    cache: KeptLevels | None,
) -> OpenTensor:
    identity = source.identities.get(parameter, "")
    transposed = address is not None and "transposed" in address.flags and len(tensor.shape) == 2
    # One tensor of a file is told from the others, and a part of it from the whole, by its name.
    matrix = readable(tensor, identity=f"{identity}\n{tensor.name}" if identity else "", transposed=transposed)
    shape = tensor.shape[::-1] if transposed else tensor.shape
    return OpenTensor(
        matrix,
        tensor.name,
        stored_shape=tensor.shape,
        label=source.label,
        divisions=divisions(address, shape, source.config, pieces),
        cache=cache,
    )


def _named(source: Source, name: str) -> str:
    tensors: Mapping[str, Tensor] = source.tensors
    if name in tensors:
        return name
    if not name and len(tensors) == 1:
        return next(iter(tensors))
    close = difflib.get_close_matches(name, tensors, n=3) or list(tensors)[:3]
    asked = f"no tensor {printable(name)}" if name else "a name is needed"
    raise KeyError(f"{asked}: {source.label} has {len(tensors)}, such as {', '.join(map(printable, close))}")


class Difference:
    """The second of two matrices minus the first, entry by entry, in the wider of their float types."""

    def __init__(self, first: Readable, second: Readable) -> None:
        if (first.shape, first.transposed) != (second.shape, second.transposed):
            raise ValueError(
                f"matrices of shape {_shown_shape(first)} and {_shown_shape(second)} have no difference "
                "where their shapes or their order in the file are not the same"
            )
        self._first, self._second = first, second
        self.shape = first.shape
        self.transposed = first.transposed
        self.chunk_rows = max(first.chunk_rows, second.chunk_rows)
        self.dtype = _float_type(first.dtype, second.dtype)
        known = first.identity and second.identity
        self.identity = f"{second.identity}\nminus\n{first.identity}" if known else ""

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """See `Readable`; NaN where both are infinite alike."""
        first, second = (widen(matrix.read(rows, columns), matrix.dtype) for matrix in (self._first, self._second))
        dtype = np.float64 if self.dtype == "F64" else np.float32
        with np.errstate(invalid="ignore", over="ignore"):
            difference: np.ndarray = np.subtract(second, first, dtype=dtype)
            return difference


def _float_type(*dtypes: str) -> str:
    """The name of the float type that holds the differences of numbers of some dtypes."""
    exact = {"BF16", "F16", "F32", "F8_E4M3", "F8_E5M2", "I8", "I16", "U8", "U16", "BOOL"}
    return "F32" if set(dtypes) <= exact else "F64"


def _shown_shape(matrix: Readable) -> tuple[int, int]:
    rows, columns = matrix.shape
    return (columns, rows) if matrix.transposed else (rows, columns)

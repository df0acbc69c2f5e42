"""A grid of one tensor: its own entries, at any size, read from where they lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from layergrid.data.cell import Cell
from layergrid.data.matrix import Matrix
from layergrid.data.pages import Pages
from layergrid.data.values import owned_values
from layergrid.large.kept_levels import kept_levels
from layergrid.page.far import Far
from layergrid.page.packing import MOST_INLINE_BYTES, packed_far, packed_tensor
from layergrid.page.questions import TensorQuestions
from layergrid.pictures.view import View
from layergrid.readable import Readable, readable
from layergrid.scale import fitted_domain
from layergrid.tensor import widen
from layergrid.tensors.opening import OpenTensor, open_tensor
from layergrid.widget import LayerGrid

if TYPE_CHECKING:
    import xarray

    from layergrid.findings import Insights
    from layergrid.page.inner import Carrier

DOMAIN_QUANTILES = (0.001, 0.999)
"""Between them lies the color domain: a few large entries must not turn all others into one color."""

_SAMPLED_BANDS = 32
_SAMPLED_CELLS = 1 << 15  # of each band


def tensor_grid(
    source: Any, name: str = "", *, cache: bool | str | os.PathLike[str] | None = None, **options: Any
) -> TensorGrid:
    """A grid of one tensor's own matrix, outputs down the rows and inputs across the columns.

    What lies in a file is never read whole into memory: beyond 4 MB, an overview travels, and what is in view is read
    when it is asked for.

    Parameters
    ----------
    source : an array of two axes, in memory, memory-mapped, Zarr or dask; or a checkpoint, a module or a mapping of
        arrays, as for `scan`
    name : of the tensor, in full; for an array, what it is called. May be left out where there is only one tensor
    cache : a folder where the levels of what lies in a file are kept for the next time, up to 4 GB of them; True for
        the user's own cache folder, None for none
    options : as for `LayerGrid`: vmin, vmax, cmap ...

    Raises
    ------
    KeyError
        If the source has no tensor of that name.
    TypeError, ValueError
        If the source or the tensor cannot be read, or has no entries. `SourceError` is a ValueError.
    """
    return TensorGrid(open_tensor(source, name, cache=kept_levels(cache)), in_memory=_is_in_memory(source), **options)


def _is_in_memory(source: Any) -> bool:
    return isinstance(source, np.ndarray) and not isinstance(source, np.memmap)


class TensorGrid(LayerGrid):
    """A `LayerGrid` of the entries of one tensor; what `tensor_grid` and `LayerGrid.open` give.

    Pictures and saved pages of a large tensor show its overview, the means of blocks, and say so.

    Parameters
    ----------
    opened : the tensor; closed with the grid
    in_memory : whether to take the entries over, as a `LayerGrid` takes those of an array
    of_cell : names and values of the metrics of the cell that it was opened from
    carrier : what its messages travel on, where the page of another grid shows it; None for a connection of its own
    options : as for `LayerGrid`
    """

    comm: Any

    def __init__(
        self,
        opened: OpenTensor,
        *,
        in_memory: bool = False,
        of_cell: Sequence[tuple[str, float]] = (),
        carrier: Carrier | None = None,
        **options: Any,
    ) -> None:
        self._opened = opened
        self._of_cell = of_cell
        self._carrier = carrier
        rows, columns = opened.shape
        dtype = widen(np.empty((0, 0), opened.matrix.read(slice(0, 1), slice(0, 1)).dtype), opened.dtype).dtype
        self._stays = not in_memory and rows * columns * dtype.itemsize > MOST_INLINE_BYTES
        # Where the entries stay, NaN that take no memory stand for them: labels and shape are all that is asked of it.
        values = np.broadcast_to(np.array(np.nan, dtype), opened.shape) if self._stays else _entries(opened.matrix)
        labels = tuple(range(rows)), tuple(map(str, range(columns)))
        matrix = Matrix(values, *labels, name=opened.name, source=opened.label)
        options = {"origin": "upper", **options, "insights": False}
        pages = self._tensor_pages(matrix)
        self._questions = TensorQuestions(opened.matrix, lambda content, buffers: self.send(content, buffers))
        super().__init__(pages, **options)

    def open(self, layer: Any = None, component: Any = None) -> None:  # type: ignore[override]
        """Open the connection to the page, as ipywidgets does; an entry of a tensor is a number, and holds no more."""
        if layer is not None or component is not None:
            raise ValueError(f"entry ({layer!r}, {component!r}) of a tensor has no tensor of its own to open")
        if self._carrier is None:
            super().open()
        elif self.comm is None:
            self.comm = self._carrier

    @property
    def opened(self) -> OpenTensor:
        """The tensor: its summary, its divisions, windows of it."""
        return self._opened

    @property
    def data(self) -> xarray.DataArray:
        """As of any grid; refused where the tensor stays in its file."""
        if self._stays:
            self._refuse("data")
        return super().data

    @property
    def insights(self) -> Insights:
        """As of any grid; refused where the tensor stays in its file."""
        if self._stays:
            self._refuse("insights")
        return super().insights

    def update(self, data: Any, *, refit: bool = False) -> None:
        """As of any grid; refused where the tensor stays in its file."""
        if self._stays:
            self._refuse("update")
        super().update(data, refit=refit)

    def save(self, path: str | Path) -> Path:
        """As of any grid; a table is refused where the tensor stays in its file."""
        if self._stays and Path(path).suffix.lower() == ".csv":
            self._refuse("a table")
        return super().save(path)

    def close(self) -> None:
        """As of any grid; what was read is given back."""
        super().close()
        if self._questions is not None:
            self._questions.close()
        self._opened.close()

    def _refuse(self, what: str) -> NoReturn:
        rows, columns = self._opened.shape
        name = self._opened.name or "this tensor"
        raise ValueError(
            f"{name} of {rows} x {columns} stays where it lies, and {what} would need all of it in memory; "
            "make a LayerGrid of the part you need, as of an array that numpy or safetensors reads"
        )

    def _packed(self, pages: Pages, shown: int, version: int) -> tuple[Pages, Far | None, dict[str, Any]]:
        if not self._stays:
            pages, far, traits = super()._packed(pages, shown, version)
            return self._tensor_pages(pages.matrix(shown)), far, traits
        matrix = pages.matrix(shown)
        far = Far(self._opened.matrix, None, version, self._show_overview, cache=self._opened.cache)
        whole = matrix.values.size <= self._browser_cells
        return pages, far, packed_far(matrix, far.first_look(), version, whole)

    def _told_tensor(self) -> dict[str, Any]:
        return packed_tensor(self._opened, self._of_cell)

    def _tensor_pages(self, matrix: Matrix) -> _TensorPages:
        """The page, with the domain of what it holds; of two that are compared, of both, so that colors may be."""
        compared = self._opened.compared
        if compared is not None and compared.side < 2:
            return _TensorPages(matrix, compared.pair)
        parts = (self._opened.matrix,) if self._stays else (readable(matrix.values),)
        return _TensorPages(matrix, parts, symmetric=compared is not None)

    def _cell_at(self, row: int, column: int) -> Cell:
        cell = super()._cell_at(row, column)
        if not self._stays:
            return cell
        part = self._opened.matrix
        at = (column, row) if part.transposed else (row, column)
        codes = part.read(slice(at[0], at[0] + 1), slice(at[1], at[1] + 1))
        return replace(cell, value=float(widen(codes, part.dtype)[0, 0]))

    def _pictured(self) -> tuple[Matrix, View]:
        matrix, view = super()._pictured()
        if not self._stays:
            return matrix, view
        height, width = self._far["rowFactor"], self._far["columnFactor"]
        layers, components = matrix.layers[::height], matrix.components[::width]
        shape = len(layers), len(components)
        bits = np.frombuffer(self._absent, np.uint8)
        absent = np.unpackbits(bits, count=shape[0] * shape[1], bitorder="little").astype(bool) if bits.size else None
        overview = replace(
            matrix,
            values=np.frombuffer(self._values, "<f4").reshape(shape),
            absent=None if absent is None else absent.reshape(shape),
            layers=layers,
            components=components,
        )
        # Labels are positions: those of blocks that hold a shown row or column.
        shown_rows = {int(label) // height * height for label in view.layers}
        shown_columns = {int(label) // width * width for label in view.components}
        said = f"{view.title} (means of {height} x {width} entries)" if height * width > 1 else view.title
        return overview, replace(
            view,
            layers=tuple(label for label in layers if label in shown_rows),
            components=tuple(label for label in components if int(label) in shown_columns),
            selection=(),
            title=said.strip(),
        )


class _TensorPages(Pages):
    """The one page of a tensor, whose domain comes of a sample.

    Parameters
    ----------
    parts : what the sample is of
    symmetric : whether zero is the middle in any case, as of a difference
    """

    def __init__(self, matrix: Matrix, parts: Sequence[Readable], *, symmetric: bool = False) -> None:
        super().__init__((), lambda _index: matrix, axes=("row", "column"))
        self._parts = parts
        self._symmetric = symmetric

    def domain(
        self, index: int, over: str, vmin: float | None = None, vmax: float | None = None
    ) -> tuple[float, float, float]:
        """Quantiles of a sample of the entries, symmetric about zero where these have both signs; see `Pages`."""
        sample = np.concatenate([_sample(part) for part in self._parts])
        finite = sample[np.isfinite(sample)]
        if not finite.size:
            return fitted_domain([sample], 1, vmin, vmax)
        low, high = np.quantile(finite, DOMAIN_QUANTILES)
        if low < 0 < high or self._symmetric:
            high = max(-low, high)
            low = -high
        return fitted_domain([np.clip(finite, low, high), np.array([low, high])], 1, vmin, vmax)


def _entries(part: Readable) -> np.ndarray:
    """All of them, as a matrix may hold them."""
    rows, columns = part.shape
    values = widen(part.read(slice(0, rows), slice(0, columns)), part.dtype)
    return owned_values(values.T if part.transposed else values, None)


def _sample(part: Readable) -> np.ndarray:
    """About a million entries at most, in bands evenly over the rows as stored; all where there are no more."""
    rows, columns = part.shape
    width = min(columns, _SAMPLED_CELLS)
    height = max(1, _SAMPLED_CELLS // width)
    bands = min(_SAMPLED_BANDS, -(-rows // height))
    starts = np.linspace(0, max(0, rows - height), bands).astype(int).tolist()
    # Wide rows are looked at in another place each, so that no column is left out for its place.
    shifts = np.linspace(0, columns - width, bands).astype(int).tolist()
    read = [
        part.read(slice(top, min(top + height, rows)), slice(left, left + width))
        for top, left in zip(starts, shifts, strict=True)
    ]
    return np.concatenate([widen(codes, part.dtype).reshape(-1) for codes in read])

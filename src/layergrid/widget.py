"""LayerGrid: what a grid is made of, what is checked, and what follows from a change."""

from __future__ import annotations

import base64
import logging
import math
import os
import reprlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import Context, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import traitlets as t

from layergrid import colormaps
from layergrid.data.arranging import DimNames, Dims, as_pages, compared_in, holds_tensors
from layergrid.data.cell import Cell, cell_at, place_of
from layergrid.data.choices import selected_cells, shown_components, shown_layers
from layergrid.data.convert import matrix_to_dataarray
from layergrid.data.cube import Coordinate
from layergrid.data.matrix import Label, Matrix
from layergrid.data.pages import Pages, checked_position
from layergrid.page import bundle, outputs
from layergrid.page.answers import Answers, Held
from layergrid.page.callbacks import Callbacks
from layergrid.page.messages import OpenRequest
from layergrid.page.packing import (
    ALL_PAGES,
    MOST_HELD_CELLS,
    MOST_INLINE_BYTES,
    packed_far,
    packed_page,
    packed_pages,
    packed_selectors,
)
from layergrid.page.panel import Panel
from layergrid.page.traits import PAGE_STATE, Traits
from layergrid.pictures.still import still_png
from layergrid.pictures.view import View

if TYPE_CHECKING:
    import matplotlib.axes
    import pandas
    import xarray

    from layergrid.findings import Insights
    from layergrid.opened import TensorGrid
    from layergrid.page.far import Far
    from layergrid.page.inner import Carrier
    from layergrid.page.questions import TensorQuestions
    from layergrid.tensors.behind import Behind

_log = logging.getLogger(__name__)


class LayerGrid(Traits):
    """A heatmap of one metric: layers down the rows, components across the columns.

    Displayed inline in Jupyter, and explored by clicking. All it does but callbacks runs in the page, also
    while a cell is running or after the kernel has gone.

    Parameters
    ----------
    data : anything that `layergrid.as_dataarray` takes, one number per (layer, component); a model, which is
        scanned for a first look: the path or URL of a checkpoint, a module, a mapping of arrays; or more dims:
        a DataArray, a Dataset such as `layergrid.scan` gives (whose variables are one more dim, ``metric``), an
        array with `dims`. Dims that are neither rows nor columns are chosen along in the page, by a slider or a
        menu; see `position`. Where all pages take more than 8 MB, or are computed by dask, each is read from
        `data` when it is shown
    layers, components : labels of the rows (ints or strings) and columns (strings), where the data has none
    dims : names of an array's axes, as ("step", "layer", "component"), or a mapping of names to labels
    rows, columns : the dim, or several nested ones, along each axis; by default "layer", and "component" with
        "expert" within it. A nested label is the outer one with the inner in brackets: "mlp.up[3]". Places of
        nested dims that nowhere hold a cell are left out
    scale_over : what the color domain fits: "page", the shown page, or "all", all pages of the shown metric. A
        domain set by hand stays. "all" reads every page once
    vmin, vmax, center : domain of the color scale; by default the smallest and largest finite value, and zero
        where it lies between them, else the median
    scale : "linear", "log", "symlog" or "quantile"
    cmap : name of a colormap, of layergrid or of the ``cmap`` package
    reverse : colors in reverse order
    levels : number of flat color levels, 2 or more; 0 for a smooth scale
    origin : "lower" has layer 0 at the bottom, "upper" at the top
    title, units : text above the grid; by default those of the data
    browser_cells : the page holds all cells of a matrix of no more than these, which arrive behind an overview; of a
        larger one it asks for what is in view. Matrices up to 4 MB travel at once in any case
    still : put a still picture beside the widget, for viewers that run no code (GitHub, nbviewer, PDF)
    source : the model that the cells are of, so that `open` can open their tensors: a path, a URL, a module, a mapping
        of arrays; two of them, (base, other), for a comparison. By default `data`, if that is a model, or what a scan
        or a comparison says it was made of
    cache : a folder in which is kept for the next time what was read of a model's files: the numbers of a first look,
        and the levels of opened tensors, up to 4 GB of them, of which those used longest ago make room. Delete it to
        clear it. True for the user's own cache folder, None for none
    insights : list findings beside the grid, and check claims there. They are computed on a thread of their own once
        the page has painted; a grid of more than 47,031 (61 x 771) cells is analysed only on request

    Raises
    ------
    TypeError, ValueError
        If the data is not one real number per (layer, component); see `layergrid.as_dataarray`.
    traitlets.TraitError
        If an option has a value that makes no sense, such as a vmin above vmax.

    Notes
    -----
    Callbacks may run on another thread than the running cell (JupyterLab 4.4 and ipykernel 7 deliver messages
    during a run). Setting traits and `update` are safe from any thread.
    """

    _CHANGED_ON_TURNING = ("vmin", "vmax", "center", "title", "units", "position", "scale_over")

    _lock: Any = nullcontext()  # until the instance has its own
    _page = 0  # index of the shown page
    _far_cells: Far | None = None
    _questions: TensorQuestions | None = None
    _heard_in: Context | None = None  # of the last message of the page
    _changed_by_grid: frozenset[str] = frozenset()

    def __init__(
        self,
        data: Any,
        *,
        layers: Iterable[Any] | None = None,
        components: Iterable[Any] | None = None,
        dims: Dims | None = None,
        rows: DimNames | None = None,
        columns: DimNames | None = None,
        scale_over: str = "page",
        vmin: float | None = None,
        vmax: float | None = None,
        center: float | None = None,
        scale: str = "linear",
        cmap: str = colormaps.DEFAULT,
        reverse: bool = False,
        levels: int = 0,
        origin: str = "lower",
        title: str | None = None,
        units: str | None = None,
        still: bool = True,
        browser_cells: int = MOST_HELD_CELLS,
        insights: bool = True,
        source: Any = None,
        cache: bool | str | os.PathLike[str] | None = None,
    ) -> None:
        self._source = source
        self._cache = cache
        if source is None:
            self._source = data if holds_tensors(data) else compared_in(data)
        self._behind: Behind | None = None
        pages = as_pages(data, layers=layers, components=components, dims=dims, rows=rows, columns=columns, cache=cache)
        self._browser_cells = browser_cells
        self._pages, self._far_cells, traits = self._packed(pages, 0, 0)
        self._matrix = matrix = self._pages.matrix(0)
        self._lock = threading.RLock()
        self._still = still
        self._clicked = Callbacks()
        self._selected = Callbacks()
        self._layout: dict[str, Any] = {"dims": dims, "rows": rows, "columns": columns}
        for name, limit in (("vmin", vmin), ("vmax", vmax), ("center", center)):
            if limit is not None and not math.isfinite(limit):
                raise t.TraitError(f"{name} must be finite, got {limit:g}")
        low, high, middle = self._pages.domain(0, scale_over, vmin, vmax)
        texts = {"title": title, "units": units}
        self._panel = Panel(
            matrix,
            wanted=insights,
            lock=self._lock,
            show=self._show_findings,
            send=self.send,
            is_open=lambda: self.comm is not None,
        )
        self._answers = Answers(
            (len(matrix.layers), len(matrix.components)),
            len(pages),
            held=self._held_now,
            click=self._click,
            open_cell=self._open_within,
            panel=self._panel,
            questions=self._questions,
            send=lambda content, buffers: self.send(content, buffers),
        )
        with self._changing(*self._CHANGED_ON_TURNING):
            super().__init__(
                vmin=low,
                vmax=high,
                center=middle if center is None else center,
                scale=scale,
                cmap=cmap,
                reverse=reverse,
                levels=levels,
                origin=origin,
                title=matrix.name if title is None else title,
                units=matrix.units if units is None else units,
                layers=list(matrix.layers),
                components=list(matrix.components),
                position=self._pages.position(0),
                scale_over=scale_over,
                _axes=list(pages.axes),
                _selectors=packed_selectors(self._pages.selectors),
                _fitted=vmin is None and vmax is None and center is None,
                _follows=[name for name, text in texts.items() if text is None],
                _findings=self._panel.state(),
                _tensor=self._told_tensor(),
                _opens=self._source is not None or (matrix.source != "" and matrix.parameters is not None),
                **_MODULES.next(),
                **traits,
            )
        self.on_msg(self._receive)
        self.observe(self._announce_selection, "selection")
        if self._far_cells is not None:
            self._far_cells.follow()

    def update(self, data: Any, *, refit: bool = False) -> None:
        """Show other values of the same shape; view, selection and labels stay.

        Parameters
        ----------
        data : as for a new grid, of the shape and labels of this one. Values without labels are taken in the grid's
            order, labelled ones by their labels. Without the dims of `position`, it takes the place of the shown page
        refit : fit the color domain to the new values; by default it stays, so that pictures can be compared

        Raises
        ------
        ValueError
            If the shape, the dims or the labels are others; the grid then stays as it was.
        """
        single = self._layout["dims"] is not None and getattr(data, "ndim", 2) == 2
        new = as_pages(data) if single else as_pages(data, **self._layout)
        version = self._far.get("version", 0) + 1
        pages, far, traits = self._packed(self._pages.updated(self._page, new), self._page, version)
        with self._lock, self.hold_sync():
            if self._far_cells is not None:
                self._far_cells.close()
            self._pages, self._far_cells, self._matrix = pages, far, pages.matrix(self._page)
            for name, value in traits.items():
                setattr(self, name, value)
            self._findings = self._panel.update(self._page, self._matrix)
            if far is not None:
                far.follow()
            if refit:
                self.fit()

    def _packed(self, pages: Pages, shown: int, version: int) -> tuple[Pages, Far | None, dict[str, Any]]:
        """The pages, the cells that stay beside the kernel where there are too many, and the traits that travel."""
        matrix = pages.matrix(shown)
        if len(pages) > 1 or matrix.values.nbytes <= MOST_INLINE_BYTES:
            pages, traits = packed_pages(pages, shown)
            return pages, None, traits
        from layergrid.page.far import Far

        far = Far(matrix.values, matrix.absent, version, self._show_overview)
        traits = packed_far(matrix, far.first_look(), version, matrix.values.size <= self._browser_cells)
        return pages, far, traits

    def _show_overview(self, version: int, traits: dict[str, Any]) -> None:
        """Take in an overview of which more has been read; on another thread."""
        with self._lock, self.hold_sync():
            if self._far.get("version") == version:
                for name, value in traits.items():
                    setattr(self, name, value)

    def fit(self) -> None:
        """Fit the color domain to all finite values of the shown page, or of all, as `scale_over` says."""
        low, high, center = self._pages.domain(self._page, self.scale_over)
        # Notifications are sent before what changes is forgotten.
        with self._lock, self._changing("vmin", "vmax", "center"), self.hold_sync(), self.hold_trait_notifications():
            self.vmin, self.vmax, self.center = low, high, center
            self._fitted = True

    @property
    def data(self) -> xarray.DataArray:
        """The values of the shown page with their labels, dims (layer, component); its position as coordinates."""
        return matrix_to_dataarray(self._matrix).assign_coords(self.position)

    @property
    def selected(self) -> pandas.DataFrame:
        """The selected cells in the order they were chosen; columns layer, component, value, parameter."""
        import pandas

        cells = [self.cell(layer, component) for layer, component in self.selection]
        columns = ["layer", "component", "value", "parameter"]
        return pandas.DataFrame([[getattr(cell, name) for name in columns] for cell in cells], columns=columns)

    @property
    def insights(self) -> Insights:
        """What the numbers show, as `layergrid.insights` says it; computed on first use, and again after `update`.

        Raises
        ------
        ImportError
            If scipy is not installed (``pip install layergrid[findings]``).
        """
        return self._panel.insights()

    def cell(self, layer: Label, component: str) -> Cell:
        """The cell at two labels.

        Raises
        ------
        KeyError
            If the grid has no such layer or component.
        """
        return self._cell_at(*place_of(self._matrix, layer, component))

    @overload
    def open(self) -> None: ...

    @overload
    def open(self, layer: Label, component: str, side: str | None = None) -> TensorGrid: ...

    def open(
        self, layer: Label | None = None, component: str | None = None, side: str | None = None
    ) -> TensorGrid | None:
        """Open the tensor of a cell: a grid of its own entries, see `layergrid.tensor_grid`.

        Without arguments, open the connection to the page, as ipywidgets does when a widget is made.

        Parameters
        ----------
        side : of a comparison of two models: "base", "other", or by default "difference", other minus base

        Raises
        ------
        KeyError
            If the grid has no such layer or component, or its model no tensor for it.
        ValueError
            If the cell is absent, if the grid does not know its tensors (see `source`), if they cannot be read, or if
            there is no such side.
        """
        if layer is None and component is None:
            super().open()
            return None
        if layer is None or component is None:
            raise TypeError(f"open takes a layer and a component, got layer={layer!r}, component={component!r}")
        return self._open_at(*place_of(self._matrix, layer, component), side)

    def _open_at(self, row: int, column: int, side: str | None, carrier: Carrier | None = None) -> TensorGrid:
        from layergrid.opened import TensorGrid
        from layergrid.tensors.behind import behind

        with self._lock:
            matrix, position, pages, page = self._matrix, self.position, self._pages, self._page
            if self._behind is None:
                self._behind = behind(matrix.source if self._source is None else self._source, self._cache)
        cell = cell_at(matrix, row, column)
        if matrix.absent is not None and matrix.absent[row, column]:
            raise ValueError(f"layer {cell.layer!r} has no {cell.component!r}: the cell is absent and has no tensor")
        opened = self._behind.open(cell, position, side)
        return TensorGrid(opened, carrier=carrier, of_cell=pages.metrics_at(page, row, column))

    def _open_within(self, request: OpenRequest, carrier: Carrier) -> tuple[TensorGrid, list[str]]:
        """The tensor of a cell for the page, and the steps to it: the model, the layer, the component."""
        from layergrid.tensors.behind import SIDES

        side = None if request.side is None else SIDES[request.side]
        grid = self._open_at(request.row, request.column, side, carrier)
        cell = cell_at(self._matrix, request.row, request.column)
        compared = grid.opened.compared
        models = [self._matrix.source] if compared is None else compared.models
        model = " to ".join(Path(name).name or "model" for name in models)
        return grid, [model, f"{self._axes[0]} {cell.layer}", cell.component]

    def _told_tensor(self) -> dict[str, Any]:
        return {}

    def _cell_at(self, row: int, column: int) -> Cell:
        return cell_at(self._matrix, row, column)

    def on_click(self, fn: Callable[[Cell], object], remove: bool = False) -> None:
        """Call ``fn(cell)`` whenever a cell is clicked, or Enter is pressed on it; with `remove`, no longer.

        An exception in `fn` is shown under the grid. `fn` may run on another thread than the running cell.
        """
        self._clicked.change(fn, remove)

    def on_selection(self, fn: Callable[[list[tuple[Label, str]]], object], remove: bool = False) -> None:
        """Call ``fn(selection)`` whenever the selection has changed, from the page or from Python; see `on_click`."""
        self._selected.change(fn, remove)

    def figure(self, ax: matplotlib.axes.Axes | None = None) -> matplotlib.axes.Axes:
        """Draw what is shown as a matplotlib figure, for papers; returns its axes.

        Raises
        ------
        ImportError
            If matplotlib is not installed (``pip install layergrid[figures]``).
        """
        from layergrid.pictures import export

        axes: matplotlib.axes.Axes = export.figure(*self._pictured(), ax)
        return axes

    def save(self, path: str | Path) -> Path:
        """Write what is shown to a file, by its ending.

        ``.html`` is the interactive grid in one file that needs no kernel and no network; ``.png .svg .pdf`` are
        figures by matplotlib; ``.csv`` is a table of the shown cells. Returns the path.

        Raises
        ------
        ValueError
            If the path has another ending.
        ImportError
            If a figure is asked for and matplotlib is not installed.
        """
        from layergrid.pictures import export

        path = Path(path)
        if path.suffix.lower() == ".html":
            self._panel.settle()
            state = self.page_state()
            if self._held not in (ALL_PAGES, self._page):
                state |= packed_page(self._pages, self._page)
            page = export.html_page(state, bundle.scripts(), self.title)
            path.write_text(page, encoding="utf-8")
        else:
            export.save(*self._pictured(), path)
        return path

    def page_state(self) -> dict[str, Any]:
        """All that the page draws, by trait; bytes as bytes."""
        return {name: value for name, value in self.get_state().items() if name in PAGE_STATE}

    def close(self) -> None:
        """End the connection to the page; shown again, the grid opens a new one."""
        super().close()
        if not hasattr(self, "_answers"):  # it was refused while it was made, and is being deleted
            return
        self._answers.close()
        if self._far_cells is not None:
            self._far_cells.close()
            self._far_cells = None
        self.__dict__.pop("_repr_mimebundle_", None)  # ipywidgets forbids to show a closed widget again

    def _pictured(self) -> tuple[Matrix, View]:
        """What pictures and tables show, and how."""
        return self._matrix, self._view()

    def _view(self) -> View:
        return View(
            low=self.vmin,
            high=self.vmax,
            center=self.center,
            scale=self.scale,
            cmap=self.cmap,
            reverse=self.reverse,
            levels=self.levels,
            components=tuple(self.components),
            layers=tuple(self.layers),
            origin=self.origin,
            title=self._pages.caption(self.title, self._page),
            units=self.units,
            selection=tuple(self.selection),
            row_name=self._axes[0],
            position=tuple(self.position.items()),
        )

    def __repr__(self) -> str:
        """What stands where a page cannot be shown, as ``LayerGrid(28 layers x 7 components, 'rms')``."""
        counts = zip(self._matrix.values.shape, self._axes, strict=True)
        size = " x ".join(f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts)
        title = self._pages.caption(self.title, self._page)
        return f"{type(self).__name__}({size}{f', {title!r}' if title else ''})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.comm is None:
            if self._far:
                _, self._far_cells, _ = self._packed(self._pages, self._page, self._far["version"])
                assert self._far_cells is not None  # as it was
                self._far_cells.follow()
            self.open()
        outputs.show(self)
        self._panel.shown()
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        if self._still:
            data["image/png"] = base64.b64encode(still_png(*self._pictured())).decode("ascii")
        return data, metadata

    # What is checked.

    @t.validate("components")
    def _check_components(self, proposal: dict[str, Any]) -> list[str]:
        return shown_components(self._matrix, proposal["value"])

    @t.validate("layers")
    def _check_layers(self, proposal: dict[str, Any]) -> list[Label]:
        return shown_layers(self._matrix, proposal["value"])

    @t.validate("selection")
    def _check_selection(self, proposal: dict[str, Any]) -> list[tuple[Label, str]]:
        return selected_cells(self._matrix, proposal["value"])

    @t.validate("position")
    def _check_position(self, proposal: dict[str, Any]) -> dict[str, Coordinate]:
        try:
            return checked_position(self._pages.selectors, proposal["value"], self._pages.position(self._page))
        except ValueError as error:
            raise t.TraitError(str(error)) from error

    # What follows.

    @t.observe("position")
    def _turn(self, change: dict[str, Any]) -> None:
        """Show the page at the new position. What turns it in the page of the notebook has done so there already."""
        self._page = self._pages.index(change["new"])
        self._matrix = self._pages.matrix(self._page)
        self._panel.turn(self._page, self._matrix)
        by_page = "position" in self._changed_by_grid
        with self._changing(*self._CHANGED_ON_TURNING):
            for name, text in zip(("title", "units"), self._pages.texts(self._page), strict=True):
                if name in self._follows:
                    setattr(self, name, text)
            if by_page:
                return
            if self._held != ALL_PAGES:
                for name, value in packed_page(self._pages, self._page).items():
                    setattr(self, name, value)
            if self._fitted:
                self.fit()

    @t.observe("scale_over")
    def _fit_over(self, change: dict[str, Any]) -> None:
        done_in_page = "scale_over" in self._changed_by_grid and self._held == ALL_PAGES
        if self._fitted and not done_in_page:
            self.fit()

    @t.observe("vmin", "vmax", "center")
    def _note_domain(self, change: dict[str, Any]) -> None:
        if change["name"] not in self._changed_by_grid:
            self._fitted = False

    @t.observe("title", "units")
    def _note_text(self, change: dict[str, Any]) -> None:
        if change["name"] not in self._changed_by_grid:
            self._follows = [name for name in self._follows if name != change["name"]]

    @t.observe("vmin", "vmax", "center", "scale", "cmap", "layers", "components", "selection")
    def _put_findings_off(self, change: dict[str, Any]) -> None:
        self._panel.put_off()

    @contextmanager
    def _changing(self, *names: str) -> Iterator[None]:
        """Within it, changes of these traits are not the user's own."""
        before = self._changed_by_grid
        self._changed_by_grid = before | frozenset(names)
        try:
            yield
        finally:
            self._changed_by_grid = before

    # What is answered.

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        self._heard_in = copy_context()
        self._answers.take(content)

    def _send(self, msg: Any, buffers: Any = None) -> None:
        """Say it where the page was last heard, whichever thread it comes from.

        ipykernel 7.4 delivers what a page says to where it was last spoken to from. Of what a running cell sends, or
        a thread that answers while it runs, that would be the cell, and the page were not heard until it ends.
        """
        if self._heard_in is None:
            super()._send(msg, buffers)
        else:
            self._heard_in.copy().run(super()._send, msg, buffers)

    def _held_now(self) -> Held:
        with self._lock:
            return Held(self._pages, self.scale_over, self._far_cells)

    def _click(self, row: int, column: int) -> None:
        self._call(self._clicked, self._cell_at(row, column))

    def _show_findings(self, state: dict[str, Any]) -> None:
        self._findings = state

    def _announce_selection(self, change: dict[str, Any]) -> None:
        self._call(self._selected, list(change["new"]))

    def _call(self, callbacks: Callbacks, argument: Any) -> None:
        """Run the user's callbacks; what they raise is shown under the grid and goes no further."""
        callbacks.call(argument)
        self._notice = "\n".join(self._clicked.failures + self._selected.failures)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the page has set; what makes no sense is refused with one logged line, and taken back."""
        self._heard_in = copy_context()
        wanted = {name: value for name, value in sync_data.items() if name in self._FROM_PAGE}
        every = {"layers": self._matrix.layers, "components": self._matrix.components}
        for name in every.keys() & wanted.keys():
            if wanted[name] is None:
                wanted[name] = list(every[name])
        if len(wanted) < len(sync_data):
            refused = reprlib.repr(sorted(sync_data.keys() - wanted.keys()))
            _log.warning("the page may not set %s; ignored", refused)
        if not wanted:
            return
        try:
            for name in wanted.keys() & {"layers", "components", "selection"}:
                if not isinstance(wanted[name], list):  # a text would pass for a list of its letters
                    raise t.TraitError(f"{name} must be a list, got {reprlib.repr(wanted[name])}")
            with self._lock, self._changing(*wanted):
                super().set_state(wanted)
        except Exception as error:  # whatever a page can send must not end the grid
            _log.warning("a change from the page was refused: %s", reprlib.repr(str(error)))
            self.send_state(list(wanted))

    def __setattr__(self, name: str, value: Any) -> None:
        # Messages from the page are handled on another thread while a cell runs, and traitlets holds and
        # rolls back changes per object, not per thread: without the lock one could undo the other's.
        with self._lock, self.hold_sync() if name in ("position", "scale_over") else nullcontext():
            super().__setattr__(name, value)  # what follows from a position goes out together with it


_MODULES = bundle.Modules()

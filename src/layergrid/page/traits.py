"""The traits as they travel: twin of js/src/traits.ts. What each of them is, and the checks that need no data."""

from __future__ import annotations

import math
from typing import Any

import anywidget
import traitlets as t

from layergrid import colormaps
from layergrid.data.cube import Coordinate
from layergrid.data.matrix import Label, Matrix


def _shown_layers_to_json(shown: list[Label], grid: Traits) -> list[Label] | None:
    """All labels as they come travel as null: there may be thousands."""
    return None if tuple(shown) == grid._matrix.layers else shown


def _shown_components_to_json(shown: list[str], grid: Traits) -> list[str] | None:
    return None if tuple(shown) == grid._matrix.components else shown


class _Texts(t.List[str]):
    """A list of texts, checked at once: one by one, hundreds of columns take a millisecond."""

    def validate_elements(self, obj: Any, value: Any) -> Any:
        return value if all(type(item) is str for item in value) else super().validate_elements(obj, value)


class Traits(anywidget.AnyWidget):
    """What Python and the page share of a grid; `LayerGrid` says what follows from a change."""

    _matrix: Matrix  # the shown page

    vmin = t.Float(0.0).tag(sync=True)
    """Metric value at the low end of the color scale; finite, at most `vmax`."""

    vmax = t.Float(1.0).tag(sync=True)
    """Metric value at the high end of the color scale; finite, at least `vmin`."""

    center = t.Float(0.5).tag(sync=True)
    """Metric value at the middle of a diverging colormap; finite. A sequential one makes no use of it."""

    scale = t.Enum(["linear", "log", "symlog", "quantile"], "linear").tag(sync=True)
    """How values are spread over the colors."""

    cmap = t.Unicode(colormaps.DEFAULT).tag(sync=True)
    """Name of the colormap."""

    reverse = t.Bool(False).tag(sync=True)
    """Whether the colors run from the high end to the low one."""

    levels = t.Int(0).tag(sync=True)
    """Number of flat color levels, 2 to 64; 0 for a smooth scale."""

    components = _Texts(t.Unicode()).tag(sync=True, to_json=_shown_components_to_json)
    """The shown components, in order. Hidden ones count in no histogram and no rank."""

    layers: t.List[Label] = t.List().tag(sync=True, to_json=_shown_layers_to_json)
    """The shown layers, in order of depth."""

    selection = t.List(t.Tuple(t.Any(), t.Unicode())).tag(sync=True)
    """The selected cells as (layer, component) labels, in the order they were chosen."""

    origin = t.Enum(["lower", "upper"], "lower").tag(sync=True)
    """Where the first layer is drawn."""

    title = t.Unicode().tag(sync=True)
    """What the number is."""

    units = t.Unicode().tag(sync=True)
    """Unit of the values; "" for none."""

    position: t.Dict[str, Coordinate] = t.Dict().tag(sync=True)
    """The label shown along each dim that is neither rows nor columns, as ``{"step": 400, "metric": "rms"}``. Set it
    to turn the page; dims left out stay where they are."""

    aggregate = t.Enum(["mean", "min", "max", "extreme"], "mean").tag(sync=True)
    """What a pixel shows of several cells, where they outnumber pixels; "extreme": the value farthest from `center`."""

    scale_over = t.Enum(["page", "all"], "page").tag(sync=True)
    """Whether the color domain fits the shown page or all pages of the shown metric, until it is set by hand."""

    # What anywidget knows a class by.
    _anywidget_id = t.Unicode().tag(sync=True)

    # The module for the page, and the code that it may need; see `layergrid.page.bundle.Modules`.
    _esm = t.Any().tag(sync=True)
    _picture_code = t.Bytes().tag(sync=True)
    _surroundings_code = t.Bytes().tag(sync=True)

    # To the page only. float32 or float64 (`_dtype`), little-endian, row-major, of shape `_shape`; layer 0 first.
    _values = t.Bytes().tag(sync=True)
    _dtype = t.Enum(["f4", "f8"], "f4").tag(sync=True)
    _shape = t.Tuple(t.Int(), t.Int(), default_value=(0, 0)).tag(sync=True)
    # One bit a cell, least significant first, set where the layer has no such component; empty where none is set.
    _absent = t.Bytes().tag(sync=True)
    # All labels: a list, or a count n where they are 0 to n - 1.
    _layers = t.Any().tag(sync=True)
    _components = t.Any().tag(sync=True)
    # Names of tensors as pack_parameters gives them.
    _parameters = t.Dict().tag(sync=True)
    # What a row and a column are: names of dims.
    _axes = t.List(t.Unicode(), ["layer", "component"]).tag(sync=True)
    # What the position is made of, in order: [{"dim", "labels" (a list, or a count n for 0 to n - 1), "texts"}].
    _selectors: t.List[Any] = t.List().tag(sync=True)
    # Of several pages, the one that `_values` holds; -1 for all of them, in row-major order of the selectors. Of
    # `_absent` there are then as many as pages, or one for all; `_parameters` may be {"pages": [...], "of": [...]}.
    _held = t.Int(0).tag(sync=True)
    # Whether the domain is the one that fits the values, and follows them from page to page.
    _fitted = t.Bool(True).tag(sync=True)
    # Which of title and units are those of the shown page.
    _follows = t.List(t.Unicode()).tag(sync=True)
    # 256 x 3 bytes of a colormap that the page has no table of, else empty.
    _lut = t.Bytes().tag(sync=True)
    _lut_diverging = t.Bool(False).tag(sync=True)
    # Of a matrix too large to travel whole, whose `_values` are those of its overview: the cells in a block of that,
    # the version of the values, and whether the page shall ask for all cells; else empty.
    _far = t.Dict().tag(sync=True)
    # Whether the tensors of cells are known, and can be opened.
    _opens = t.Bool(False).tag(sync=True)
    # Of a grid of one tensor, what is known before any of it is read, as layergrid.page.packing.packed_tensor has it.
    _tensor = t.Dict().tag(sync=True)
    # What went wrong in a callback; shown under the grid.
    _notice = t.Unicode().tag(sync=True)
    # What the findings panel shows, as layergrid.page.panel packs it.
    _findings = t.Dict().tag(sync=True)

    # What the page may set; all else it sends is refused.
    _FROM_PAGE = frozenset(
        (
            *("vmin", "vmax", "center", "scale", "cmap", "reverse", "levels", "components", "layers", "selection"),
            *("position", "scale_over", "aggregate", "_fitted"),
        )
    )

    @t.default("_anywidget_id")
    def _name_of_class(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}"

    def add_traits(self, **traits: t.TraitType[Any, Any]) -> None:
        """As traitlets does, but those that the class has already: every addition makes a new class, a millisecond."""
        new = {name: trait for name, trait in traits.items() if not self.has_trait(name)}
        if new:
            super().add_traits(**new)

    @t.validate("vmin")
    def _check_vmin(self, proposal: dict[str, Any]) -> float:
        low: float = proposal["value"]
        if not -math.inf < low <= self.vmax:  # NaN fails every comparison
            raise t.TraitError(f"vmin must be finite and at most vmax={self.vmax:g}, got {low:g}")
        return low

    @t.validate("vmax")
    def _check_vmax(self, proposal: dict[str, Any]) -> float:
        high: float = proposal["value"]
        if not self.vmin <= high < math.inf:
            raise t.TraitError(f"vmax must be finite and at least vmin={self.vmin:g}, got {high:g}")
        return high

    @t.validate("center")
    def _check_center(self, proposal: dict[str, Any]) -> float:
        center: float = proposal["value"]
        if not math.isfinite(center):
            raise t.TraitError(f"center must be finite, got {center:g}")
        return center

    @t.validate("cmap")
    def _check_cmap(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"]
        try:
            colormaps.kind(name)
        except ValueError as error:
            raise t.TraitError(str(error)) from error
        return name

    @t.observe("cmap")
    def _send_lut(self, change: dict[str, Any]) -> None:
        name = change["new"]
        self._lut = b"" if name in colormaps.names() else colormaps.lut(name).tobytes()
        self._lut_diverging = colormaps.kind(name) == "diverging"

    @t.validate("levels")
    def _check_levels(self, proposal: dict[str, Any]) -> int:
        levels: int = proposal["value"]
        if levels != 0 and not 2 <= levels <= 64:
            raise t.TraitError(f"levels must be 0 for a smooth scale or 2 to 64, got {levels}")
        return levels


# What an exported page needs of the state: not the page's own code, nor what ipywidgets keeps.
PAGE_STATE = (
    frozenset(Traits.class_trait_names(sync=True))
    - frozenset(anywidget.AnyWidget.class_trait_names(sync=True))
    - {"_esm", "_picture_code", "_surroundings_code"}
)

"""A Dataset as heatmaps in a terminal: in the grid's own colors with rich, in shades without."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from layergrid.colormaps import DEFAULT, lut
from layergrid.scale import fitted_domain, positions

if TYPE_CHECKING:
    import xarray as xr

_SHADES = " ░▒▓█"
_LUMA = np.array([0.299, 0.587, 0.114])
_MIN_CELL = 9  # characters, as of -1.234e-05 with its sign taken for granted
_BAR = 40  # characters


def print_heatmaps(dataset: xr.Dataset, file: TextIO) -> None:
    """Every metric, layers down and components across, each cell with its number.

    Stacks have heatmaps of their own. Further dims are averaged over the cells that are there, and the title says
    so. An absent cell is empty.
    """
    stacks = list(dataset["stack"].values) if "stack" in dataset.dims else [None]
    of_stacks = [(stack, dataset if stack is None else dataset.sel(stack=stack)) for stack in stacks]
    maps = [_heatmap(own, str(name), stack) for name in dataset for stack, own in of_stacks]
    if file.isatty() and _print_colored(maps, file):
        return
    for heatmap in maps:
        print("\n".join(_shaded(heatmap)), file=file)


@dataclass(frozen=True, eq=False)
class _Heatmap:
    title: str
    layers: list[str]
    components: list[str]
    values: np.ndarray
    """float64 of shape (layers, components)."""
    absent: np.ndarray
    """bool of the same shape."""
    domain: tuple[float, float, float]
    """Low, high, center."""


def _heatmap(dataset: xr.Dataset, name: str, stack: str | None) -> _Heatmap:
    variable = dataset[name]
    kept = ("layer", "component")
    reduced = [str(dim) for dim in variable.dims if dim not in kept]
    present = (dataset["parameter"] != "").broadcast_like(variable).transpose(*kept, *reduced).values
    values = variable.transpose(*kept, *reduced).values
    axes = tuple(range(2, values.ndim))
    count = present.sum(axis=axes)
    with np.errstate(invalid="ignore"):  # the mean of infinities of both signs, and of no cell
        # A NaN that was measured stays visible: only what is absent is left out of the mean.
        mean = np.where(present, values, 0).sum(axis=axes) / count
    used = ~(count == 0)
    layers, components = used.any(axis=1), used.any(axis=0)
    mean, count = mean[layers][:, components], count[layers][:, components]
    note = f" of {_one_line(stack or 'the rest')}" if stack is not None else ""
    own = [dim.removeprefix(name).strip() or dim for dim in reduced]  # "rms per row row" is rows
    averaged = f", mean over each {' and '.join(own)}" if reduced else ""
    return _Heatmap(
        f"{_one_line(variable.attrs['long_name'])} ({_one_line(name)}{averaged}){note}",
        [str(layer) for layer in dataset["layer"].values[layers]],
        [_one_line(str(component)) for component in dataset["component"].values[components]],
        mean,
        count == 0,
        fitted_domain([mean]),
    )


def _shaded(heatmap: _Heatmap) -> Iterator[str]:
    """Lines of text, each cell with one of four shades."""
    low, high, _ = heatmap.domain
    yield f"{heatmap.title}: {low:.4g} {_SHADES[1:]} {high:.4g}"
    for number, component in enumerate(heatmap.components):
        yield f"  {number:>3} {component}"
    for layer, row, missing in zip(heatmap.layers, heatmap.values, heatmap.absent, strict=True):
        texts = ("" if gone else f"{value:.4g}" for value, gone in zip(row, missing, strict=True))
        cells = (f"{_shade(value, low, high)}{text:>9}" for value, text in zip(row, texts, strict=True))
        yield f"{layer:>5} {' '.join(cells)}".rstrip()


def _shade(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return _SHADES[0]
    share = (value - low) / (high - low) if high > low else 0.5
    return _SHADES[1 + min(3, int(share * 4))]


def _print_colored(maps: list[_Heatmap], file: TextIO) -> bool:
    """Print in color; False, and nothing printed, where rich is missing or the terminal shows no colors."""
    if importlib.util.find_spec("rich") is None:
        return False
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, highlight=False)
    if console.no_color or console.color_system is None:
        return False
    for heatmap in maps:
        colors = _colors(heatmap.values, heatmap)
        width = max(_MIN_CELL, *map(len, heatmap.components))
        across = max(1, (console.width - max(5, *map(len, heatmap.layers)) - 1) // (width + 1))
        console.print(Text(heatmap.title, style="bold"))
        for first in range(0, len(heatmap.components), across):
            chosen = range(first, min(first + across, len(heatmap.components)))
            table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
            table.add_column("layer", justify="right", style="dim")
            for column in chosen:
                table.add_column(Text(heatmap.components[column]), justify="right", min_width=width)
            for row, layer in enumerate(heatmap.layers):
                table.add_row(layer, *(_cell(heatmap, row, column, colors, width) for column in chosen))
            console.print(table)
        console.print(_color_bar(heatmap, console.width))
    return True


def _cell(heatmap: _Heatmap, row: int, column: int, colors: np.ndarray, width: int) -> Any:
    from rich.text import Text

    if heatmap.absent[row, column]:
        return Text("")
    value = heatmap.values[row, column]
    style = _style(colors[row, column]) if math.isfinite(value) else "reverse"
    return Text(f"{value:.4g}".rjust(width), style=style)


def _color_bar(heatmap: _Heatmap, width: int) -> Any:
    from rich.text import Text

    low, high, center = heatmap.domain
    ends = f"{low:.4g} ", f" {high:.4g}" + (f", white at {center:.4g}" if low < center < high else "")
    bar = Text(ends[0])
    for color in _colors(np.linspace(low, high, max(3, min(_BAR, width - sum(map(len, ends))))), heatmap):
        bar.append(" ", style=_style(color))
    return bar.append(f"{ends[1]}\n")


def _colors(values: np.ndarray, heatmap: _Heatmap) -> np.ndarray:
    """RGB of each value, uint8, as the grid would paint it."""
    low, high, center = heatmap.domain
    at = positions(
        values, scale="linear", low=low, high=high, center=center, diverging=True, shown=heatmap.values.reshape(-1)
    )
    table = lut(DEFAULT)
    indices = np.clip(np.nan_to_num(at, nan=0.5) * len(table), 0, len(table) - 1).astype(int)
    colors: np.ndarray = table[indices][..., :3]
    return colors


def _style(color: np.ndarray) -> str:
    red, green, blue = (int(part) for part in color)
    ink = "black" if float(color @ _LUMA) > 128 else "bright_white"
    return f"{ink} on rgb({red},{green},{blue})"


def _one_line(text: str) -> str:
    """A stranger's text without control characters, which a terminal would obey."""
    return text if text.isprintable() else ascii(text)

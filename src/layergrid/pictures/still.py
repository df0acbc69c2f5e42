"""The still picture beside the widget, for viewers that run no code: GitHub, nbviewer, PDF.

Made without a plotting library, as it must not delay the widget: a few milliseconds at any size.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from layergrid import colormaps
from layergrid.data.matrix import Matrix
from layergrid.groups import group_runs, split_label
from layergrid.pictures.colorbar import bar_positions, compact_number, value_ticks
from layergrid.pictures.glyphs import GRAYS, shortened, text_picture, text_width
from layergrid.pictures.png import palette_png
from layergrid.pictures.view import View, shown
from layergrid.scale import positions

_WIDTH = 620
_PLOT_HEIGHT = 340
_LARGEST_ROW = 24
_LARGEST_COLUMN = 84
_BAR_WIDTH = 14
_GAP = 8
_MARGIN = 12
_LINE = 18
_SMALLEST_MARKED = 7
_SMALLEST_DOTTED = 3
_DARK = 110  # luma below which a dot is light
_MOST_CELLS = 3600  # noise takes about a byte a cell

# The palette: the colors of the scale, then the special cases, paper, rules and inks.
_COLORS = 228
_BELOW, _ABOVE, _NAN, _POSITIVE, _NEGATIVE, _PAPER, _RULE = range(_COLORS, _COLORS + 7)
_INK = _RULE + 1
_MUTED = _INK + GRAYS + 1
_SPECIAL_RGB = [(150, 150, 150), (214, 39, 140), (0, 128, 110), (255, 255, 255), (200, 204, 209)]


def still_png(matrix: Matrix, view: View) -> bytes:
    """What a view shows of a matrix, as a PNG about 620 pixels wide: cells, labels, color bar, legend.

    Cells that are more than the pixels are reduced to the means of equal blocks, and the picture says so. A block
    with a NaN or an infinity in it shows that.
    """
    part = shown(matrix, view)
    cells = _reduced(part, _columns_width(part, view.row_name), _PLOT_HEIGHT)
    return palette_png(_draw(part, cells, view), _palette(view.cmap, view.reverse, view.levels))


@dataclass(frozen=True)
class _Cells:
    """What is painted: values and absent mask, how many layers and components a block holds, and the pixels."""

    values: np.ndarray
    absent: np.ndarray | None
    block: tuple[int, int]
    column_of_pixel: np.ndarray  # -1 in the gaps between groups
    height: int


def _columns_width(part: Matrix, row_name: str) -> int:
    room = _WIDTH - 2 * _MARGIN - _axis_width(part, row_name) - _BAR_WIDTH - 90
    return min(room, _LARGEST_COLUMN * max(1, len(part.components)))


def _axis_width(part: Matrix, row_name: str) -> int:
    step = max(1, len(part.layers) // 50)
    return max(text_width(shortened(str(label), 90)) for label in (*part.layers[::step], row_name)) + 8


def _reduced(part: Matrix, width: int, height: int) -> _Cells:
    rows, columns = part.values.shape
    block = _block(rows, columns, height, width)
    values, absent = part.values, part.absent
    if block != (1, 1):
        values, absent = _block_means(values, absent, block)
    runs = group_runs(part.components) if block[1] == 1 else []
    gaps = np.zeros(values.shape[1], int)
    if 1 < len(runs) <= width // (4 * _GAP):
        for at, (_, start, end) in enumerate(runs):
            gaps[start:end] = at * _GAP
    free = width - int(gaps[-1])
    edges = np.rint(np.arange(values.shape[1] + 1) * free / values.shape[1]).astype(int)
    column_of_pixel = np.full(width, -1)
    for column, gap in enumerate(gaps.tolist()):
        column_of_pixel[edges[column] + gap : edges[column + 1] + gap] = column
    plot_height = min(height, _LARGEST_ROW * values.shape[0])
    return _Cells(values, absent, block, column_of_pixel, plot_height)


def _block(rows: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Layers and components to a painted cell: no more cells than pixels, nor than a small file holds."""
    block = [max(1, -(-rows // height)), max(1, -(-columns // width))]
    while (painted := [-(-rows // block[0]), -(-columns // block[1])])[0] * painted[1] > _MOST_CELLS:
        block[int(painted[1] > painted[0])] += 1
    return block[0], block[1]


def _block_means(
    values: np.ndarray, absent: np.ndarray | None, block: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    starts = [np.arange(0, length, size) for length, size in zip(values.shape, block, strict=True)]
    whole = values.shape[0] // block[0]

    def sums(array: np.ndarray) -> np.ndarray:
        # Whole blocks of rows as an axis of their own: adding lines of memory, ten times as fast as reduceat.
        by_rows = array[: whole * block[0]].reshape(whole, block[0], -1).sum(axis=1, dtype=np.float64)
        rest = array[whole * block[0] :].sum(axis=0, dtype=np.float64, keepdims=True)
        lines = np.vstack([by_rows, rest]) if len(by_rows) < len(starts[0]) else by_rows
        return np.add.reduceat(lines, starts[1], axis=1)

    with np.errstate(over="ignore", invalid="ignore"):  # then the longer way below finds out why
        total = sums(values)
    sizes = np.outer(*(np.diff([*start, length]) for start, length in zip(starts, values.shape, strict=True)))
    if np.isfinite(total).all() and absent is None:
        return total / sizes, None
    finite = np.isfinite(values)
    count = sums(finite.astype(np.int64))
    mean = sums(np.where(finite, values, 0.0)) / np.maximum(count, 1)
    present = np.ones(values.shape, bool) if absent is None else ~absent
    with np.errstate(invalid="ignore"):  # infinities of both signs make NaN, as they should
        mark = sums(np.where(finite | ~present, 0.0, values))
    gone = sums(present.astype(np.int64)) == 0
    return np.where(np.isfinite(mark), mean, mark), gone if gone.any() else None


def _cell_indices(cells: _Cells, view: View, part: Matrix) -> np.ndarray:
    values = cells.values.astype(np.float64)
    diverging = colormaps.kind(view.cmap) == "diverging"
    at = positions(
        values,
        scale=view.scale,
        low=view.low,
        high=view.high,
        center=view.center,
        diverging=diverging,
        shown=part.values,
    )
    with np.errstate(invalid="ignore"):
        indices: np.ndarray = np.clip(
            np.nan_to_num(np.floor(at * _COLORS), nan=0, posinf=0, neginf=0), 0, _COLORS - 1
        ).astype(np.uint8)
    # On a log scale the limits in force may be higher than asked for: what has no position is below.
    indices[(values < view.low) | (np.isnan(at) & ~np.isnan(values))] = _BELOW
    indices[values > view.high] = _ABOVE
    indices[np.isnan(values)] = _NAN
    indices[values == np.inf] = _POSITIVE
    indices[values == -np.inf] = _NEGATIVE
    if cells.absent is not None:
        indices[cells.absent] = _PAPER
    return indices


def _draw(part: Matrix, cells: _Cells, view: View) -> np.ndarray:
    indices = _cell_indices(cells, view, part)
    legend = _legend(indices, cells, part)
    title_height = 26 if view.title else 0
    width = cells.column_of_pixel.size
    left, top = _MARGIN + _axis_width(part, view.row_name), _MARGIN + title_height + _LINE
    plot_bottom = top + max(cells.height, 90)
    canvas = np.full((plot_bottom + 2 * _LINE + 14 + _LINE * len(legend), _WIDTH), _PAPER, np.uint8)

    fromtop = indices[::-1] if view.origin == "lower" else indices
    row_edges = np.rint(np.arange(indices.shape[0] + 1) * cells.height / indices.shape[0]).astype(int)
    lines = np.take(fromtop, np.maximum(cells.column_of_pixel, 0), axis=1)
    lines[:, cells.column_of_pixel < 0] = _PAPER
    canvas[top : top + cells.height, left : left + width] = np.repeat(lines, np.diff(row_edges), axis=0)
    _mark_special(canvas[top : top + cells.height, left : left + width], fromtop, cells, row_edges, view)

    if view.title:
        _write(canvas, _MARGIN, _MARGIN, shortened(view.title, _WIDTH - 2 * _MARGIN, "bold"), style="bold")
    _write(canvas, left - 8, top - _LINE, shortened(view.row_name, 90), anchor="right", ink=_MUTED)
    _label_rows(canvas, part, cells, view, left - 8, top)
    _label_columns(canvas, part, cells, left, top + cells.height + 3)
    _color_bar(canvas, view, part, left + width + 26, top, max(cells.height, 90))
    for at, (index, text) in enumerate(legend):
        y = canvas.shape[0] - 6 - _LINE * (len(legend) - at)
        if index is not None:
            canvas[y + 3 : y + 14, left : left + 11] = _RULE
            canvas[y + 4 : y + 13, left + 1 : left + 10] = index
        _write(
            canvas,
            left + (16 if index is not None else 0),
            y,
            shortened(text, _WIDTH - left - 30),
            ink=_MUTED,
        )
    return canvas


def _smallest_side(cells: _Cells) -> int:
    """Pixels of a painted cell, of its width or its height."""
    return min(cells.height // len(cells.values), int(np.count_nonzero(cells.column_of_pixel == 0)))


def _mark_special(plot: np.ndarray, fromtop: np.ndarray, cells: _Cells, row_edges: np.ndarray, view: View) -> None:
    """A dot in cells that are zero, hatching in those that are NaN, where there is room."""
    side = _smallest_side(cells)
    if cells.block != (1, 1) or side < _SMALLEST_DOTTED:
        return
    columns = cells.column_of_pixel
    values = cells.values[::-1] if view.origin == "lower" else cells.values
    is_dark = _palette(view.cmap, view.reverse, view.levels) @ (0.299, 0.587, 0.114) < _DARK
    reach = 1 if side >= _SMALLEST_MARKED else 0  # of a dot beyond its middle
    marked = (values == 0) | (fromtop == _NAN if side >= _SMALLEST_MARKED else False)
    for row, column in np.argwhere(marked).tolist():
        top, bottom = row_edges[row], row_edges[row + 1]
        pixels = np.flatnonzero(columns == column)
        box = plot[top:bottom, pixels[0] : pixels[-1] + 1]
        if fromtop[row, column] == _NAN:
            y, x = np.indices(box.shape)
            box[(x + y) % 5 == 0] = _INK + GRAYS
        else:
            y, x = box.shape[0] // 2, box.shape[1] // 2
            ink = _PAPER if is_dark[fromtop[row, column]] else _INK + GRAYS
            box[y - reach : y + reach + 1, x - reach : x + reach + 1] = ink


def _legend(indices: np.ndarray, cells: _Cells, part: Matrix) -> list[tuple[int | None, str]]:
    """A line for each special case that occurs."""
    lines: list[tuple[int | None, str]] = []
    named = {
        _BELOW: "below the scale",
        _ABOVE: "above the scale",
        _NAN: "NaN",
        _POSITIVE: "+∞",
        _NEGATIVE: "−∞",
    }
    for index, name in named.items():
        count = int(np.count_nonzero(indices == index))
        if count:
            lines.append((index, f"{name} ({count})"))
    if part.absent is not None and part.absent.any():
        lines.append((_PAPER, f"absent ({int(part.absent.sum())})"))
    if cells.block != (1, 1):
        rows, columns = cells.block
        lines.append((None, f"each color is the mean of {_counted(rows, 'layer')} × {_counted(columns, 'component')}"))
    elif (zeros := int(np.count_nonzero(part.values == 0))) > 0:
        small = _smallest_side(cells) < _SMALLEST_DOTTED
        lines.append((None, f"zero ({zeros}), too small to be marked" if small else f"dot: zero ({zeros})"))
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _label_rows(canvas: np.ndarray, part: Matrix, cells: _Cells, view: View, right: int, top: int) -> None:
    count = len(part.layers)
    step = _label_step(count, cells.height / 30)
    for row in range(0, count, step):
        place = (row + 0.5) / count
        y = top + round(((1 - place) if view.origin == "lower" else place) * cells.height) - 9
        _write(canvas, right, y, shortened(str(part.layers[row]), 90), anchor="right", ink=_MUTED)


def _label_columns(canvas: np.ndarray, part: Matrix, cells: _Cells, left: int, top: int) -> None:
    width, count = cells.column_of_pixel.size, len(part.components)
    runs = group_runs(part.components) if cells.block[1] == 1 else []
    grouped = any(group for group, _, _ in runs) and len(runs) <= width // (4 * _GAP)
    texts = [split_label(label)[1] for label in part.components] if grouped else list(part.components)
    widest = max(text_width(shortened(text, 120)) for text in texts[:: max(1, count // 50)])
    step = _label_step(count, width / (min(widest, 110) + 8))
    centers = _centers(cells)
    room = max(12, step * width // count - 4)
    for column in range(0, count, step):
        center = left + centers[column // cells.block[1]]
        _write(canvas, center, top, shortened(texts[column], room), anchor="middle")
    if not grouped:
        return
    for group, start, end in runs:
        if not group:
            continue
        pixels = np.flatnonzero((cells.column_of_pixel >= start) & (cells.column_of_pixel < end))
        first, last = left + int(pixels[0]), left + int(pixels[-1]) + 1
        canvas[top + _LINE, first:last] = _RULE
        _write(
            canvas,
            (first + last) // 2,
            top + _LINE + 1,
            shortened(group, last - first),
            anchor="middle",
            ink=_MUTED,
        )


def _centers(cells: _Cells) -> list[int]:
    count = cells.values.shape[1]
    starts = np.searchsorted(np.maximum.accumulate(cells.column_of_pixel), np.arange(count), side="left")
    sizes = np.bincount(cells.column_of_pixel[cells.column_of_pixel >= 0], minlength=count)
    return [int(center) for center in starts + sizes // 2]


def _color_bar(canvas: np.ndarray, view: View, part: Matrix, left: int, top: int, height: int) -> None:
    ticks, shares = value_ticks(view, part.values, max(2, height // 50))
    along = 1 - (np.arange(height) + 0.5) / height
    colors = np.clip(np.floor(bar_positions(view, part.values, along) * _COLORS), 0, _COLORS - 1)
    canvas[top : top + height, left : left + _BAR_WIDTH] = colors.astype(np.uint8)[:, None]
    for tick, share in zip(ticks, shares, strict=True):
        y = top + round((1 - share) * (height - 1))
        canvas[y, left + _BAR_WIDTH : left + _BAR_WIDTH + 4] = _RULE
        _write(canvas, left + _BAR_WIDTH + 7, y - 9, compact_number(tick, ticks), ink=_MUTED)
    if view.units:
        _write(canvas, left, top - _LINE, shortened(view.units, _WIDTH - left - 4), ink=_MUTED)


def _label_step(count: int, room: float) -> int:
    """Every how many labels one is shown, with room for `room` of them: 1 to 5, 10, 20, 25, 50 ..."""
    steps = (step * 10**power for power in range(12) for step in ((1, 2, 3, 4, 5) if power == 0 else (1, 2, 2.5, 5)))
    return int(next(step for step in steps if step * max(room, 1) >= count))


def _write(
    canvas: np.ndarray,
    x: int,
    y: int,
    text: str,
    *,
    anchor: str = "left",
    style: str = "plain",
    ink: int = _INK,
) -> None:
    """Text with its top at y; what would lie outside the picture is left out."""
    picture = text_picture(text, style)
    height, width = picture.shape
    x -= {"left": 0, "middle": width // 2, "right": width}[anchor]
    x, y = max(0, min(x, canvas.shape[1] - width)), max(0, y)
    box = canvas[y : y + height, x : x + width]
    picture = picture[: box.shape[0], : box.shape[1]]
    box[picture > 0] = ink + picture[picture > 0]


@functools.lru_cache(maxsize=16)
def _palette(cmap: str, reverse: bool, levels: int) -> np.ndarray:
    colors = colormaps.lut(cmap, reverse=reverse, levels=levels)
    scale = colors[np.linspace(0, len(colors) - 1, _COLORS).round().astype(int)]
    ends = np.stack([colormaps.off_scale(colors[0]), colormaps.off_scale(colors[-1])])
    darkness = np.arange(GRAYS + 1)[:, None] / GRAYS
    inks = [np.rint(255 + darkness * (np.array(ink) - 255)) for ink in ((31, 35, 40), (91, 97, 105))]
    return np.vstack([scale, ends, _SPECIAL_RGB, *inks]).astype(np.uint8)

"""What a grid shows, as files: figures by matplotlib, a table, and the interactive page in one file."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid import colormaps
from layergrid.data.matrix import Matrix
from layergrid.groups import group_runs
from layergrid.pictures.colorbar import bar_positions, compact_number, value_ticks
from layergrid.pictures.view import View, shown
from layergrid.scale import positions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = (".png", ".svg", ".pdf")
ENDINGS = (".html", *FIGURES, ".csv")

_LONGEST_LABEL = 40
_MOST_DOTTED = 5000  # cells, of which zeros are marked
_GROUP_GAP = 0.16  # in columns
_NAN, _POSITIVE, _NEGATIVE = ((150, 150, 150), (214, 39, 140), (0, 128, 110))


def save(matrix: Matrix, view: View, path: Path) -> None:
    """Write a view of a matrix as a figure (``.png .svg .pdf``) or a table (``.csv``), by the path's ending.

    Raises
    ------
    ValueError
        If the path has another ending.
    """
    ending = path.suffix.lower()
    if ending == ".csv":
        with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            write_table(matrix, view, file)
    elif ending in FIGURES:
        drawing = figure(matrix, view).get_figure(root=True)
        assert drawing is not None
        drawing.savefig(path, dpi=200, bbox_inches="tight", metadata={"Date": None} if ending == ".svg" else None)
    else:
        raise ValueError(f"cannot save to {path.name!r}; the endings are {', '.join(ENDINGS)}")


def write_table(matrix: Matrix, view: View, file: Any) -> None:
    """The shown cells as CSV (RFC 4180), layer by layer: layer, component, value, status, parameter,
    and the page's position, a column for each of its dims.

    `value` is the shortest text that reads back as the same number, empty where it is not finite; `status` tells
    nan, +inf, -inf and absent apart. Text that a spreadsheet would take for a formula gets an apostrophe before it
    (OWASP, "CSV injection").
    """
    part = shown(matrix, view)
    writer = csv.writer(file, lineterminator="\r\n")
    dims = [_cell_text(dim) for dim, _ in view.position]
    place = [_cell_text(label) if isinstance(label, str) else label for _, label in view.position]
    writer.writerow(["layer", "component", "value", "status", "parameter", *dims])
    for row, layer in enumerate(part.layers):
        for column, component in enumerate(part.components):
            value = part.values[row, column]
            absent = part.absent is not None and bool(part.absent[row, column])
            name = "" if part.parameters is None else str(part.parameters[row, column])
            written = str(value) if math.isfinite(value) else ""  # of the value's own precision
            writer.writerow(
                [
                    _cell_text(str(layer)),
                    _cell_text(component),
                    written,
                    _status(value, absent),
                    _cell_text(name),
                    *place,
                ]
            )


def _status(value: float, absent: bool) -> str:
    if absent:
        return "absent"
    if math.isnan(value):
        return "nan"
    return "" if math.isfinite(value) else "+inf" if value > 0 else "-inf"


def _cell_text(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def figure(matrix: Matrix, view: View, ax: Axes | None = None) -> Axes:
    """A view of a matrix drawn with matplotlib: cells, labels, groups and a color bar.

    Parameters
    ----------
    ax : axes to draw into; by default those of a new figure, which pyplot does not keep

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install layergrid[figures]") from error
    part = shown(matrix, view)
    rows, columns = part.values.shape
    if ax is None:
        labels = min(max(map(len, part.components)), _LONGEST_LABEL)
        size = (min(14.0, 2.4 + 0.62 * columns), min(12.0, 1.4 + 0.1 * labels + 0.19 * max(rows, 6)))
        ax = Figure(figsize=size, layout="constrained").add_subplot()
    colors = cell_colors(part, view)
    runs = group_runs(part.components)
    spread = 1 < len(runs) <= 12
    shift = np.zeros(columns)
    for at, (_, start, end) in enumerate(runs):
        shift[start:end] = at * _GROUP_GAP if spread else 0.0
    for _, start, end in runs if spread else [("", 0, columns)]:
        edges = np.arange(start, end + 1) - 0.5 + shift[start]
        ax.pcolormesh(edges, np.arange(rows + 1) - 0.5, colors[:, start:end], rasterized=rows * columns > 20_000)
    _label(ax, part, view, shift)
    _color_bar(ax, part, view)
    _legend(ax, part, view, colors, shift)
    return ax


def _legend(ax: Axes, part: Matrix, view: View, colors: np.ndarray, shift: np.ndarray) -> None:
    """Dots in the cells that are zero, and below the figure what is not told by the color bar, if it occurs."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    table = colormaps.lut(view.cmap, reverse=view.reverse, levels=view.levels)
    below = (colors[..., :3] == np.asarray(colormaps.off_scale(table[0])) / 255).all(axis=-1) & (colors[..., 3] > 0)
    entries: list[Patch | Line2D] = [
        Patch(
            facecolor=color,
            edgecolor="0.6",
            linewidth=0.5,
            label=f"{name} ({np.count_nonzero(mask):,})",
        )
        for name, mask, color in _special(part, view, table, below)
        if mask.any()
    ]
    rows, columns = np.nonzero(part.values == 0)
    if rows.size:
        dot: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "markeredgecolor": "0.25", "linestyle": "none"}
        if part.values.size <= _MOST_DOTTED:
            ax.plot(columns + shift[columns], rows, markersize=3, markeredgewidth=0.6, **dot)
        entries.append(Line2D([], [], markersize=4, label=f"zero ({rows.size:,})", **dot))
    if entries:
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.0, -0.16), "borderaxespad": 0}
        ax.legend(handles=entries, frameon=False, fontsize="small", ncols=3, **place)


def cell_colors(part: Matrix, view: View) -> np.ndarray:
    """RGBA in 0 to 1 of every cell, shape (layers, components, 4); absent cells are transparent."""
    table = colormaps.lut(view.cmap, reverse=view.reverse, levels=view.levels)
    values = part.values.astype(np.float64)
    diverging = colormaps.kind(view.cmap) == "diverging"
    limits = {"low": view.low, "high": view.high, "center": view.center}
    at = positions(values, scale=view.scale, diverging=diverging, shown=part.values, **limits)
    inside = np.isfinite(at)
    index = np.zeros(values.shape, int)
    index[inside] = np.clip(np.floor(at[inside] * colormaps.SIZE), 0, colormaps.SIZE - 1).astype(int)
    rgba = np.ones((*values.shape, 4))
    rgba[..., :3] = table[index] / 255
    below = (values < view.low) | (~inside & np.isfinite(values))
    for _, mask, color in _special(part, view, table, below):
        rgba[mask] = color
    return rgba


def _special(
    part: Matrix, view: View, table: np.ndarray, below: np.ndarray
) -> Iterator[tuple[str, np.ndarray, tuple[float, float, float, float]]]:
    """The cells that no color of the scale stands for: what they are, where, and their RGBA."""
    values = part.values
    absent = np.zeros(values.shape, bool) if part.absent is None else part.absent
    cases: list[tuple[str, np.ndarray, Any]] = [
        (f"below {view.low:.4g}", below & (values != -np.inf), colormaps.off_scale(table[0])),
        (f"above {view.high:.4g}", (values > view.high) & (values != np.inf), colormaps.off_scale(table[-1])),
        ("NaN", np.isnan(values) & ~absent, _NAN),
        ("+\u221e", values == np.inf, _POSITIVE),
        ("\u2212\u221e", values == -np.inf, _NEGATIVE),
    ]
    for name, mask, color in cases:
        red, green, blue = (float(channel) / 255 for channel in color)
        yield name, mask, (red, green, blue, 1.0)
    yield "absent", absent, (0.0, 0.0, 0.0, 0.0)


def _label(ax: Axes, part: Matrix, view: View, shift: np.ndarray) -> None:
    rows, columns = part.values.shape
    step = max(1, -(-rows // 12))
    ax.set_yticks(range(0, rows, step), [_label_text(str(part.layers[row])) for row in range(0, rows, step)])
    ax.set_ylabel(_label_text(view.row_name))
    every = max(1, -(-columns // 40))
    shown_columns = range(0, columns, every)
    labels = [_label_text(part.components[column]) for column in shown_columns]
    longest = max(map(len, labels))
    ax.set_xticks([column + shift[column] for column in shown_columns], labels, rotation=90 if longest > 6 else 0)
    if view.origin == "upper":
        ax.invert_yaxis()
    ax.tick_params(length=2)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title(_label_text(view.title, 120), loc="left", fontsize="medium", fontweight="bold")


def _label_text(text: str, longest: int = _LONGEST_LABEL) -> str:
    """Text that matplotlib draws as it is: short, no mathematics, nothing that XML forbids."""
    text = text if len(text) <= longest else f"{text[: longest // 2]}\u2026{text[-(longest // 2 - 1) :]}"
    clean = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return clean.replace("$", r"\$")


def _color_bar(ax: Axes, part: Matrix, view: View) -> None:
    """The bar runs evenly in transformed values, as the one in the page; its ticks are values."""
    bar = ax.inset_axes((1.03, 0.0, 0.035, 1.0))
    ticks, shares = value_ticks(view, part.values, 6)
    at = bar_positions(view, part.values, (np.arange(colormaps.SIZE) + 0.5) / colormaps.SIZE)
    table = colormaps.lut(view.cmap, reverse=view.reverse, levels=view.levels)
    colors = table[np.clip((at * colormaps.SIZE).astype(int), 0, colormaps.SIZE - 1)] / 255
    bar.pcolormesh([0, 1], np.linspace(0, 1, colormaps.SIZE + 1), colors[:, None], rasterized=True)
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.set_yticks(shares, [compact_number(tick, ticks) for tick in ticks])
    bar.tick_params(length=2)
    bar.yaxis.set_label_position("right")
    bar.set_ylabel(_label_text(view.units))
    for spine in bar.spines.values():
        spine.set_visible(False)


def html_page(state: dict[str, Any], scripts: Sequence[str], title: str) -> str:
    """The interactive grid as one HTML file that needs no kernel and no network.

    Parameters
    ----------
    state : traits of the grid by name, bytes as bytes
    scripts : modules, of which the last one finds the state in the page and draws it (js/src/standalone.ts)
    title : of the page

    The page's content security policy lets only those very modules run, by their hashes, and nothing be fetched:
    ``default-src 'none'``, ``script-src`` the hashes, styles inline, pictures of its own making.
    """
    if any("</script" in script.lower() for script in scripts):
        raise ValueError("the bundle holds '</script', which would end it early in a page")
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:"
    modules = "\n".join(f'<script type="module">{script}</script>' for script in scripts)
    # ASCII only, so that lone surrogates and line separators travel; no "<", so that no text ends the script.
    data = json.dumps(_plain(state), ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    heading = html.escape(title or "layergrid").encode("ascii", "xmlcharrefreplace").decode("ascii")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{heading}</title>
<style>
body {{ margin: 16px; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111418; }} }}
</style>
</head>
<body>
<main id="layergrid"></main>
<script type="application/json" id="layergrid-state">{data}</script>
{modules}
</body>
</html>
"""


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    return {name: _in_json(value) for name, value in state.items()}


def _in_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    return value

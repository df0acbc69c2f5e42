"""Colormaps as tables of 256 colors: a dozen of our own table, and every one that the cmap package knows.

The table colormaps.json is read by the page too (js/src/colormap.ts); ``tools/make_colormaps.py`` makes it.
"""

from __future__ import annotations

import difflib
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

DEFAULT = "blue-white-orange"
"""Diverging, even in lightness on both arms, and told apart by color-blind readers."""

SIZE = 256
"""Colors in a table."""

_OFF_SCALE_SHADE = 0.55
_DARK = 64.0  # luma, of 255
_LUMA = np.array([0.299, 0.587, 0.114])


@functools.cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("colormaps.json").read_text())
    return table


def names() -> tuple[str, ...]:
    """Names on the page's menu, the default first. Any name of the cmap package serves beside them."""
    return tuple(_table())


def kind(name: str) -> str:
    """``"diverging"`` or ``"sequential"``; all that is not diverging counts as sequential.

    Raises
    ------
    ValueError
        If neither layergrid nor the cmap package has a map of that name.
    """
    if name in _table():
        return str(_table()[name]["kind"])
    return "diverging" if _of_package(name).category == "diverging" else "sequential"


def lut(name: str, *, reverse: bool = False, levels: int = 0) -> np.ndarray:
    """The colors of a map from its low end to its high end.

    Parameters
    ----------
    name : a name from `names`, or any that the cmap package knows
    reverse : from the high end to the low one instead
    levels : number of flat steps; level k of n has the map's color at k / (n - 1), so both ends keep theirs.
        Fewer than 2: smooth

    Returns
    -------
    uint8 array of shape (256, 3), sRGB

    Raises
    ------
    ValueError
        If there is no such map.
    """
    colors = _from_stops(_table()[name]["stops"]) if name in _table() else _from_package(name)
    index = np.arange(SIZE)
    if levels >= 2:
        step = index * levels // SIZE
        index = np.floor(step / (levels - 1) * (SIZE - 1) + 0.5).astype(int)
    if reverse:
        index = SIZE - 1 - index
    return colors[index]


def off_scale(color: np.ndarray) -> np.ndarray:
    """The colors of values beyond ends of the scale; uint8, shape (..., 3).

    The end's color darkened, or lightened where it is a dark one: it must not be taken for a color of the map.
    """
    dark = (color @ _LUMA < _DARK)[..., None]
    return _bytes(color * _OFF_SCALE_SHADE + np.where(dark, 255 * (1 - _OFF_SCALE_SHADE), 0.0))


def _from_stops(stops: list[str]) -> np.ndarray:
    """256 colors, linear in sRGB between evenly spaced stops."""
    rgb = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in stops], dtype=float)
    at = np.arange(SIZE) / (SIZE - 1) * (len(stops) - 1)
    before = np.minimum(at.astype(int), len(stops) - 2)
    colors = rgb[before] + (at - before)[:, None] * (rgb[before + 1] - rgb[before])
    return _bytes(colors)


def _from_package(name: str) -> np.ndarray:
    return _bytes(_of_package(name).lut(SIZE)[:, :3] * 255)


def _bytes(channels: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.floor(channels + 0.5).astype(np.uint8)
    return rounded


@functools.lru_cache(maxsize=16)
def _of_package(name: str) -> Any:
    import cmap  # only now: most grids need none of its maps

    known = cmap.Catalog()
    try:
        full_name = known.resolve(name) if name else ""
    except KeyError:
        full_name = ""
    if full_name == "":
        # A bare name may stand in several catalogs; cmap warns of that, and takes the first.
        close = difflib.get_close_matches(name, {*names(), *known.unique_keys()}, n=3)
        hint = f"; did you mean {', '.join(map(repr, close))}?" if close else ""
        raise ValueError(f"unknown colormap {name!r}{hint} layergrid has {', '.join(names())}")
    return cmap.Colormap(full_name)

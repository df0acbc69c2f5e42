"""Write src/layergrid/colormaps.json, the colormaps that Python and the browser share.

Run from the root of the repository, with `cmap` installed: ``python tools/make_colormaps.py``.
Each map is sampled at 33 evenly spaced positions; linear interpolation between them in sRGB differs from
the original by at most a few units of 255 per channel (printed).
"""

from __future__ import annotations

import json
from pathlib import Path

import cmap
import numpy as np

TARGET = Path(__file__).parents[1] / "src" / "layergrid" / "colormaps.json"
STOPS = 33

# Name in the menu -> kind, and name in the cmap catalog. Ours, the default, is made here.
FROM_CATALOG = {
    "vik": ("diverging", "crameri:vik"),
    "balance": ("diverging", "cmocean:balance"),
    "RdBu": ("diverging", "colorbrewer:RdBu"),
    "PuOr": ("diverging", "colorbrewer:PuOr"),
    "viridis": ("sequential", "bids:viridis"),
    "cividis": ("sequential", "cividis:cividis"),
    "batlow": ("sequential", "crameri:batlow"),
    "magma": ("sequential", "bids:magma"),
    "inferno": ("sequential", "bids:inferno"),
    "mako": ("sequential", "seaborn:mako"),
    "thermal": ("sequential", "cmocean:thermal"),
}

# Ends and middle of our default as OKLCh: lightness, chroma, hue in degrees. Orange as dark as the blue would
# be brown; its chroma makes up for the lightness it keeps: the arms measure 62 (blue) and 56 in CAM02-UCS.
BLUE = (0.485, 0.130, 253.0)
MIDDLE = 0.968
ORANGE = (0.565, 0.155, 46.0)


def srgb_from_oklch(lightness: np.ndarray, chroma: np.ndarray, hue: float) -> np.ndarray:
    """sRGB in [0, 1] of OKLCh colors, shape (n, 3); outside [0, 1] where the screen cannot show one.

    B. Ottosson (2020), "A perceptual color space for image processing".
    """
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    cone = (
        np.stack(
            [
                lightness + 0.3963377774 * a + 0.2158037573 * b,
                lightness - 0.1055613458 * a - 0.0638541728 * b,
                lightness - 0.0894841775 * a - 1.2914855480 * b,
            ]
        )
        ** 3
    )
    linear = (
        np.array(
            [
                [4.0767416621, -3.3077115913, 0.2309699292],
                [-1.2684380046, 2.6097574011, -0.3413193965],
                [-0.0041960863, -0.7034186147, 1.7076147010],
            ]
        )
        @ cone
    )
    gamma = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, gamma).T


def arm(end: tuple[float, float, float], steps: int) -> np.ndarray:
    """Middle to end in equal steps of lightness and chroma, the hue constant; shape (steps + 1, 3)."""
    part = np.linspace(0, 1, steps + 1)
    return srgb_from_oklch(MIDDLE + part * (end[0] - MIDDLE), part * end[1], end[2])


def blue_white_orange() -> np.ndarray:
    """Our default map, shape (33, 3) in [0, 1]."""
    half = STOPS // 2
    return np.concatenate([arm(BLUE, half)[::-1], arm(ORANGE, half)[1:]])


def hex_colors(rgb: np.ndarray) -> list[str]:
    """``#rrggbb`` of each row of an (n, 3) array in [0, 1]; refuses colors that the screen cannot show."""
    if rgb.min() < -1e-6 or rgb.max() > 1 + 1e-6:
        raise ValueError(f"outside sRGB: {rgb.min():.4f} to {rgb.max():.4f}; lower the chroma")
    return ["#" + "".join(f"{int(np.floor(channel * 255 + 0.5)):02x}" for channel in color) for color in rgb.clip(0, 1)]


def main() -> None:
    """Write the table: one map a line, the default first."""
    table = {"blue-white-orange": {"kind": "diverging", "stops": hex_colors(blue_white_orange())}}
    for name, (kind, catalog_name) in FROM_CATALOG.items():
        original = cmap.Colormap(catalog_name)
        stops = np.asarray(original(np.linspace(0, 1, STOPS)))[:, :3]
        fine = np.linspace(0, 1, 1025)
        between = np.stack([np.interp(fine, np.linspace(0, 1, STOPS), channel) for channel in stops.T], axis=1)
        worst = 255 * np.abs(between - np.asarray(original(fine))[:, :3]).max()
        print(f"{name}: within {worst:.1f} of 255")
        table[name] = {"kind": kind, "stops": hex_colors(stops)}
    lines = [f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'))}" for name, entry in table.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(table)} maps, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()

"""The colors that a picture must show, worked out from the colormap's stops and nothing else of the package."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np

# A lookup table of 256 entries is allowed: neighbours of the longest arm differ by 3 in a channel.
TOLERANCE = 3


def expected_color(value: float, low: float, center: float, high: float, cmap: str = "blue-white-orange") -> np.ndarray:
    """RGB, 0 to 255, of a value on a linear scale whose two arms meet at the center."""
    stops = json.loads((files("layergrid") / "colormaps.json").read_text())[cmap]["stops"]
    table = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in stops], float)
    position = np.interp(value, [low, center, high], [0.0, 0.5, 1.0])
    return np.array([np.interp(position, np.linspace(0, 1, len(table)), table[:, at]) for at in range(3)])


def assert_color(shown: tuple[int, int, int, int], expected: np.ndarray, what: str = "cell") -> None:
    """Opaque, and within `TOLERANCE` of the expected color in each channel."""
    assert shown[3] == 255, f"{what} is not opaque: {shown}"
    off = np.abs(np.array(shown[:3]) - expected).max()
    assert off <= TOLERANCE, f"{what} has color {shown[:3]}, expected {np.round(expected).astype(int)}"

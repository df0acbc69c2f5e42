"""Text in small pictures, from glyphs drawn beforehand (``tools/make_glyphs.py``)."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

GRAYS = 7
"""Ink levels of a glyph: 0 is paper, 7 is ink."""

_UNKNOWN = "\u25a1"


@functools.cache
def _strip(style: str) -> tuple[np.ndarray, dict[str, tuple[int, int]]]:
    """All glyphs side by side, and where each stands."""
    with np.load(Path(__file__).with_name("glyphs.npz")) as stored:
        picture, widths, characters = stored[style], stored[f"{style}_widths"], stored["characters"]
    ends = np.cumsum(widths.astype(int))
    places = zip(map(chr, characters), (ends - widths).tolist(), ends.tolist(), strict=True)
    return picture, {character: (start, end) for character, start, end in places}


@functools.lru_cache(maxsize=1024)
def text_picture(text: str, style: str = "plain") -> np.ndarray:
    """The text as ink levels 0 to 7, uint8 (height, width), read-only; unknown characters show as a box."""
    picture, places = _strip(style)
    spans = [places.get(character, places[_UNKNOWN]) for character in text]
    drawn = np.hstack([picture[:, :0], *(picture[:, start:end] for start, end in spans)])
    drawn.flags.writeable = False
    return drawn


@functools.lru_cache(maxsize=4096)
def text_width(text: str, style: str = "plain") -> int:
    """Width of the text's picture in pixels."""
    _, places = _strip(style)
    return sum(end - start for start, end in (places.get(character, places[_UNKNOWN]) for character in text))


def shortened(text: str, width: int, style: str = "plain") -> str:
    """The text if it fits `width` pixels, else its start with an ellipsis; "" where not even that fits."""
    text = text[:width]  # no glyph is narrower than a pixel: a name of 10,000 characters costs nothing
    if text_width(text, style) <= width:
        return text
    while text and text_width(text + "\u2026", style) > width:
        text = text[:-1]
    return text + "\u2026" if text else ""

"""Write src/layergrid/glyphs.npz: DejaVu Sans as small pictures, for still images made without a font library.

Run from the root of the repository, with Pillow and the DejaVu fonts installed:
``python tools/make_glyphs.py FOLDER_OF_DEJAVU_TTF``. Each style is one strip, a glyph after the other, with the
glyphs' widths beside it; 0 is paper and 7 is ink. DejaVu's license (a free one, of Bitstream Vera) stands in
docs/dejavu-license.txt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).parents[1] / "src" / "layergrid" / "pictures" / "glyphs.npz"
EXTRA = "\u2212\u221e\u00d7\u2026\u2013\u2014\u03b1\u03b2\u03bb\u03bc\u03c3\u25a1"
CHARACTERS = "".join(map(chr, [*range(32, 127), *range(161, 256)])) + EXTRA
STYLES = {"plain": ("DejaVuSans.ttf", 12, 17), "bold": ("DejaVuSans-Bold.ttf", 14, 19)}
GRAYS = 7


def strip(path: Path, size: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """All glyphs side by side, and their advance widths."""
    font = ImageFont.truetype(str(path), size)
    widths = [max(1, round(font.getlength(character))) for character in CHARACTERS]
    picture = Image.new("L", (sum(widths), height), 0)
    pen = ImageDraw.Draw(picture)
    left = 0
    for character, width in zip(CHARACTERS, widths, strict=True):
        pen.text((left, 1), character, font=font, fill=255)
        left += width
    return np.rint(np.asarray(picture) / 255 * GRAYS).astype(np.uint8), np.array(widths, np.uint8)


def main(fonts: Path) -> None:
    """Write the file and say how large it is."""
    arrays = {"characters": np.array([ord(character) for character in CHARACTERS], np.uint32)}
    for name, (file, size, height) in STYLES.items():
        arrays[name], arrays[f"{name}_widths"] = strip(fonts / file, size, height)
    np.savez_compressed(TARGET, **arrays)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

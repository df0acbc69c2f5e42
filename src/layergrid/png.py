"""Pictures of at most 256 colors as PNG files (ISO/IEC 15948), by zlib alone."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def palette_png(indices: np.ndarray, palette: np.ndarray) -> bytes:
    """A PNG of `indices` (uint8, height x width) into `palette` (uint8, up to 256 x 3)."""
    height, width = indices.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line starts with its filter: 0, none
    lines[:, 1:] = indices
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    pixels = zlib.compress(lines.tobytes(), 6)  # 3 is 2 ms faster and a quarter larger, 9 gains nothing
    chunks = [(b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

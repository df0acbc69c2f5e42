"""Pictures of at most 256 colors as PNG files (ISO/IEC 15948), by zlib alone."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def palette_png(indices: np.ndarray, palette: np.ndarray) -> bytes:
    """A PNG of `indices` (uint8, height x width) into `palette` (uint8, up to 256 x 3)."""
    height, width = indices.shape
    # Each line starts with its filter: 2, the difference to the line above. Pictures of cells repeat their lines, so
    # most differences are zero, and runs of one byte are all that compression need look for: a quarter of the time.
    lines = np.full((height, width + 1), 2, np.uint8)
    lines[0, 1:] = indices[0]
    np.subtract(indices[1:], indices[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    packer = zlib.compressobj(6, strategy=zlib.Z_RLE)
    pixels = packer.compress(lines.data) + packer.flush()
    chunks = [(b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

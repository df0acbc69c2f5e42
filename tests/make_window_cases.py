"""Write tests/fixtures/window_cases.json: what windows must answer, worked out one block at a time.

A slow specification that shares no code with windows.py or windows.ts; both are held to its answers.
Run ``python tests/make_window_cases.py`` after a change of the specification.
"""

from __future__ import annotations

import json
import math
import random
import struct
from fractions import Fraction
from pathlib import Path

TARGET = Path(__file__).parent / "fixtures" / "window_cases.json"
AGGREGATES = ("mean", "min", "max", "extreme")
ABSENT = None


def blocks(first, last, factor):
    """Indices of the blocks that cells first..last, last excluded, lie in."""
    return sorted({cell // factor for cell in range(first, last)})


def block_cells(cells, block_row, block_column, row_factor, column_factor):
    return [
        cell
        for row in cells[block_row * row_factor : (block_row + 1) * row_factor]
        for cell in row[block_column * column_factor : (block_column + 1) * column_factor]
        if cell is not ABSENT
    ]


def aggregate(present, kind, center):
    if not present:
        return ABSENT
    if any(math.isnan(cell) for cell in present) or {math.inf, -math.inf} <= set(present):
        return math.nan
    if math.inf in present or -math.inf in present:
        return math.inf if math.inf in present else -math.inf
    if kind == "mean":
        return float(sum(map(Fraction, present)) / len(present))
    if kind in ("min", "max"):
        return min(present) if kind == "min" else max(present)
    return max(present, key=lambda cell: (abs(Fraction(cell) - Fraction(center)), cell))


def window(cells, top, bottom, left, right, row_factor, column_factor, kind, center):
    return [
        [
            aggregate(block_cells(cells, row, column, row_factor, column_factor), kind, center)
            for column in blocks(left, right, column_factor)
        ]
        for row in blocks(top, bottom, row_factor)
    ]


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def matrices(chance):
    def normal(rows, columns, scale=1.0):
        return [[float32(chance.gauss(0, scale)) for _ in range(columns)] for _ in range(rows)]

    def strewn(rows, columns, share, *special):
        plain = normal(rows, columns)
        return [[chance.choice(special) if chance.random() < share else cell for cell in row] for row in plain]

    yield "float32", [[2.5]]
    yield "float32", [[math.nan]]
    yield "float32", [[ABSENT]]
    yield "float32", normal(1, 13)
    yield "float32", normal(13, 1)
    yield "float32", normal(7, 11)
    yield "float32", normal(16, 8)
    yield "float32", strewn(9, 10, 0.1, math.nan)
    yield "float32", strewn(9, 10, 0.2, math.inf, -math.inf)
    yield "float32", strewn(8, 9, 0.3, math.nan, math.inf, -math.inf)
    yield "float32", strewn(10, 9, 0.6, ABSENT)
    yield "float32", strewn(11, 7, 0.7, ABSENT, ABSENT, ABSENT, math.nan, math.inf)
    yield "float32", [[3.4e38 if (row + column) % 3 else -3.4e38 for column in range(6)] for row in range(5)]
    yield "float32", [[3.4e38] * 5] * 5
    yield "float32", normal(5, 6, 1e-40)  # subnormal
    yield "float32", [[float(cell % 5 - 2) for cell in range(row, row + 9)] for row in range(9)]  # many ties
    yield "float64", [[1.7e308] * 5] * 3
    yield "float64", [[1.7e308 if column % 2 else -1.7e308 for column in range(7)] for _ in range(5)]
    yield "float64", [[1 + chance.random() * 1e-9 for _ in range(6)] for _ in range(6)]
    yield "float64", [[chance.choice([1.5e308, ABSENT, 1e308]) for _ in range(6)] for _ in range(6)]


def cases():
    chance = random.Random(5)
    for dtype, cells in matrices(chance):
        rows, columns = len(cells), len(cells[0])
        cells = [[cell if cell is ABSENT or dtype == "float64" else float32(cell) for cell in row] for row in cells]
        asked = [(0, rows, 0, columns, 1, 1), (0, rows, 0, columns, 2, 2), (0, rows, 0, columns, 4, 8)]
        for _ in range(4):
            top, left = chance.randrange(rows), chance.randrange(columns)
            bottom, right = chance.randint(top + 1, rows), chance.randint(left + 1, columns)
            asked.append((top, bottom, left, right, 2 ** chance.randrange(5), 2 ** chance.randrange(5)))
        center = chance.choice([0.0, 0.25, -1.0])
        yield {
            "dtype": dtype,
            "cells": [[number(cell) for cell in row] for row in cells],
            "center": center,
            "windows": [
                {
                    "window": list(place[:4]),
                    "factors": list(place[4:]),
                    **{
                        kind: [[number(cell) for cell in row] for row in window(cells, *place, kind, center)]
                        for kind in AGGREGATES
                    },
                }
                for place in asked
            ],
        }


def number(value):
    """As JSON has no NaN and no infinity: those as text; null for absent."""
    return value if value is ABSENT or math.isfinite(value) else str(value)


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    TARGET.write_text(f"[\n{lines}\n]\n")

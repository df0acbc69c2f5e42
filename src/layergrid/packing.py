"""A matrix as it travels to the page: the private traits of a grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from layergrid.matrix import Matrix
from layergrid.parameters import pack_parameters


def with_bytes(matrix: Matrix) -> tuple[Matrix, bytes]:
    """The matrix on top of the very bytes that travel, so that the kernel holds the values once."""
    raw = matrix.values.tobytes()
    values = np.frombuffer(raw, matrix.values.dtype).reshape(matrix.values.shape)
    return Matrix(**{**matrix.__dict__, "values": values}), raw


def packed(matrix: Matrix, values: bytes) -> dict[str, Any]:
    """The private traits that carry a matrix, whose `values` in bytes are given; see `layergrid.LayerGrid`."""
    rows, columns = matrix.values.shape
    return {
        "_values": values,
        "_dtype": matrix.values.dtype.str[1:],
        "_shape": (rows, columns),
        "_absent": b"" if matrix.absent is None else np.packbits(matrix.absent, bitorder="little").tobytes(),
        "_layers": rows if matrix.layers == tuple(range(rows)) else list(matrix.layers),
        "_components": columns if matrix.components == tuple(map(str, range(columns))) else list(matrix.components),
        "_parameters": pack_parameters(matrix),
    }

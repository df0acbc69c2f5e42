"""The eigenvalues of a symmetric matrix, a few columns at a time, so that they can be told of and given up."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

_PANEL = 48
"""Columns that are taken off before the rest of the matrix follows."""


def symmetric_eigenvalues(matrix: np.ndarray, step: Callable[[float], None]) -> np.ndarray:
    """All eigenvalues of a real symmetric matrix, ascending; the matrix itself is overwritten.

    They are those of a tridiagonal matrix that it is brought to by reflections, panel by panel as in LAPACK's dsytrd,
    on the BLAS of scipy. Without scipy, numpy computes them in one call, which nothing can stop.

    Parameters
    ----------
    matrix : float64 of shape (n, n), finite, C-contiguous
    step : called with the share that is done, from 0 to 1; what it raises ends the computation

    References
    ----------
    J. Dongarra, D. Sorensen, S. Hammarling (1989), "Block reduction of matrices to condensed forms for eigenvalue
    computations", J. Comput. Appl. Math. 27, pp. 215-227.
    """
    try:
        from scipy.linalg import eigvalsh_tridiagonal
    except ImportError:
        found: np.ndarray = np.linalg.eigvalsh(matrix)
    else:
        found = eigvalsh_tridiagonal(*_tridiagonal(matrix.T, step), lapack_driver="sterf")
    step(1.0)
    return found


def _tridiagonal(rest: np.ndarray, step: Callable[[float], None]) -> tuple[np.ndarray, np.ndarray]:
    """Diagonal and subdiagonal of the tridiagonal matrix of the same eigenvalues.

    Parameters
    ----------
    rest : Fortran-contiguous; what lies above its diagonal is not looked at
    """
    from scipy.linalg import blas

    size = len(rest)
    diagonal, beside = np.empty(size), np.empty(size - 1)
    while len(rest) > 1:
        left = len(rest)
        first, count = size - left, min(_PANEL, left - 1)
        # The matrix is rest - v w' - w v', which is worked out for a column when that is taken off.
        v, w = (np.zeros((left, count), order="F") for _ in range(2))
        for at in range(count):
            step(1 - ((left - at) / size) ** 3)
            column = rest[at:, at] - v[at:, :at] @ w[at, :at] - w[at:, :at] @ v[at, :at]
            diagonal[first + at] = column[0]
            reflector, scale, beside[first + at] = _reflector(column[1:])
            below = slice(at + 1, None)
            v[below, at] = reflector
            image = blas.dsymv(1.0, rest, v[:, at], lower=1)[below]
            image -= v[below, :at] @ (w[below, :at].T @ reflector) + w[below, :at] @ (v[below, :at].T @ reflector)
            image *= scale
            w[below, at] = image - scale / 2 * (image @ reflector) * reflector
        rest = np.asfortranarray(rest[count:, count:])
        rest = blas.dsyr2k(-1.0, v[count:], w[count:], 1.0, rest, lower=1, overwrite_c=1)
    diagonal[-1] = rest[0, 0]
    return diagonal, beside


def _reflector(column: np.ndarray) -> tuple[np.ndarray, float, float]:
    """`v`, `t` and `b` such that (1 - t v v') turns a column into (b, 0, 0, ...); the first entry of v is 1."""
    head, tail = float(column[0]), float(np.linalg.norm(column[1:]))
    vector = np.zeros_like(column)
    vector[0] = 1
    if tail == 0:
        return vector, 0.0, head
    turned = -math.copysign(math.hypot(head, tail), head)
    vector[1:] = column[1:] / (head - turned)
    return vector, (turned - head) / turned, turned

"""Metrics of a matrix's singular values, all from one Gram matrix; the largest alone by Lanczos.

A tensor of more than two axes is taken as a matrix of its first axis by all others; one of fewer has no
spectrum.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from layergrid.metrics.blocks import sum_of_products
from layergrid.metrics.lanczos import leading_vector
from layergrid.metrics.powerlaw import SMALLEST, alpha
from layergrid.metrics.registry import Request
from layergrid.tensor import Tensor, widen

_PANEL = 1 << 22
"""Entries widened to float64 at a time: 32 MB. Each further panel costs a pass over the Gram matrix."""

_PIECE = 1 << 17
"""Entries widened at a time where a pass needs each only once: 1 MB, so that they stay in the cache."""

_LANCZOS_FROM = 128
"""Shorter side from which Lanczos is faster than all eigenvalues."""


def measure_spectrum(tensor: Tensor, requests: list[Request]) -> dict[str, float | np.ndarray]:
    """The spectral metrics asked for, by label; NaN for a vector, no entries, NaN or infinities."""
    if not requests:
        return {}
    if len(tensor.shape) < 2 or not tensor.size:
        return {r.label: _undefined(r) for r in requests}
    codes = tensor.read(0, tensor.size)
    smallest = not {r.metric.name for r in requests}.isdisjoint({"condition", "singular_values"})
    spectrum = Spectrum(widen(codes, tensor.dtype).reshape(tensor.shape[0], -1), smallest)
    if not spectrum.finite:
        return {r.label: _undefined(r) for r in requests}
    if not {r.metric.name for r in requests} <= {"spectral_norm", "stable_rank"}:
        spectrum.eigenvalues  # noqa: B018  so that the largest is taken from them, too
    return {r.label: _value(spectrum, r) for r in requests}


class Spectrum:
    """Singular values of a float32 or float64 matrix, as far as they are asked for; float64.

    `smallest` asks for the smallest ones to full relative accuracy, too.
    """

    def __init__(self, matrix: np.ndarray, smallest: bool = True) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            largest = float(np.maximum(matrix.max(), -matrix.min()))
        self.finite = math.isfinite(largest)
        """Without it there is no spectrum."""
        self._smallest = smallest
        self._exponent = 0
        if self.finite and largest and not 1e-6 < largest < 1e6:
            # A power of two, exact, so that no square overflows or underflows.
            self._exponent = math.frexp(largest)[1]
            matrix = np.ldexp(matrix, -self._exponent)
        self._matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T

    @cached_property
    def square(self) -> float:
        """Sum of squares of the scaled entries."""
        if "eigenvalues" in self.__dict__:
            return float(self.eigenvalues.sum())
        flat = self._matrix.reshape(-1) if self._matrix.flags.c_contiguous else self._matrix.T.reshape(-1)
        return sum_of_products(flat, flat)

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the scaled Gram matrix, ascending, none negative.

        The Gram matrix is float64 and leaves an error of some 1e-16 of the largest one. Where that would
        show, they are squares of singular values of the matrix itself.
        """
        found: np.ndarray = np.linalg.eigvalsh(_gram(self._matrix))
        if found[-1] > 0 and self._blurred(found):
            singular = np.linalg.svd(self._matrix.astype(np.float64), compute_uv=False)
            found = singular[::-1] ** 2
        found = np.maximum(found, 0.0)
        return found

    def _blurred(self, found: np.ndarray) -> bool:
        """Whether errors of the Gram route could reach 1e-6 of a metric made from these eigenvalues."""
        small = found < 1e-9 * found[-1]
        if not small.any():
            return False
        # Those that alpha keeps, and the smallest where the condition number is asked for, count singly.
        if self._smallest or (np.ldexp(found[small], 2 * self._exponent) > SMALLEST).any():
            return True
        # The others count in sums over p = s / sum(s), and in -p log p.
        error = 1e-15 * float(found[-1])
        singular = np.sqrt(np.maximum(found, error))
        total = singular.sum()
        weight = 1 - 2 * np.log(singular / total)
        return bool((error / (2 * singular) * weight).sum() > 1e-6 * total)

    @cached_property
    def singular_values(self) -> np.ndarray:
        """Descending, unscaled."""
        values: np.ndarray = np.ldexp(np.sqrt(self.eigenvalues[::-1]), self._exponent)
        return values

    @cached_property
    def largest(self) -> float:
        """Largest eigenvalue of the scaled Gram matrix, to 1e-7 or better."""
        short = self._matrix.shape[0]
        if "eigenvalues" in self.__dict__ or short < _LANCZOS_FROM:
            return float(self.eigenvalues[-1])
        if not self.square:
            return 0.0
        vector = leading_vector(self._matrix)
        if vector is None:
            return float(self.eigenvalues[-1])
        # The Rayleigh quotient in float64: its error is the square of the vector's.
        width = max(1, _PIECE // short)
        total = 0.0
        for first in range(0, self._matrix.shape[1], width):
            image = vector @ self._matrix[:, first : first + width].astype(np.float64, order="A")
            total += float(image @ image)
        return total

    def scaled(self, value: float) -> float:
        """Undo the scaling of a value in the unit of the entries."""
        return math.ldexp(value, self._exponent)

    def original_eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the Gram matrix of the matrix as it was given."""
        values: np.ndarray = np.ldexp(self.eigenvalues, 2 * self._exponent)
        return values


def _gram(matrix: np.ndarray) -> np.ndarray:
    """``matrix @ matrix.T`` in float64, for a matrix that is no taller than wide.

    numpy sees that the two factors are one, and computes half of it.
    """
    short, long = matrix.shape
    width = min(long, max(1, _PANEL // short))
    rows = matrix.flags.c_contiguous
    room = np.empty((short, width) if rows else (width, short))
    gram: np.ndarray | None = None
    for start in range(0, long, width):
        part = matrix[:, start : start + width]
        panel = room[:, : part.shape[1]] if rows else room[: part.shape[1]].T
        np.copyto(panel, part)
        product = panel @ panel.T
        gram = product if gram is None else np.add(gram, product, out=gram)
    assert gram is not None
    return gram


def _undefined(request: Request) -> float | np.ndarray:
    """NaN, as often as the metric has values."""
    if request.metric.name == "singular_values":
        return np.full(int(request.arguments[0]), np.nan)
    return math.nan


def _value(spectrum: Spectrum, request: Request) -> float | np.ndarray:
    """One spectral metric of a finite matrix; formulas in docs/metrics.md."""
    name = request.metric.name
    if name == "spectral_norm":
        return spectrum.scaled(math.sqrt(spectrum.largest))
    if name == "stable_rank":
        return spectrum.square / spectrum.largest if spectrum.largest else math.nan
    if name == "singular_values":
        wanted = np.full(int(request.arguments[0]), np.nan)
        found = spectrum.singular_values[: wanted.size]
        wanted[: found.size] = found
        return wanted
    if name == "alpha":
        return alpha(spectrum.original_eigenvalues())
    singular = np.sqrt(spectrum.eigenvalues)
    total = float(singular.sum())
    if name == "nuclear_norm":
        return spectrum.scaled(total)
    if not total:
        return math.nan
    if name == "condition":
        return float(singular[-1] / singular[0]) if singular[0] > 0 else math.inf
    if name == "participation_ratio":
        return float(spectrum.eigenvalues.sum() ** 2 / (spectrum.eigenvalues**2).sum())
    share = singular[singular > 0] / total
    return math.exp(-float(share @ np.log(share)))

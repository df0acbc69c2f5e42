"""Metrics of two tensors of one shape: how one became the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from layergrid.metrics.registry import PAIR_METRICS, Request, parse_request
from layergrid.metrics.spectral import measure_spectrum
from layergrid.tensor import Tensor, as_tensor, widen

_BLOCK = 1 << 15


def measure_pair(base: Tensor, other: Tensor, metrics: Sequence[str]) -> dict[str, float]:
    """Metrics of the change from `base` to `other`, by the names they were asked for.

    ``relative_change``, ``cosine``, ``changed_share`` and ``delta_rms`` in one pass over both, in float64
    whatever the two dtypes; a NaN or infinity in either makes them NaN (of changed_share too). The spectral
    ones hold both.

    Raises
    ------
    ValueError
        If the shapes differ or a metric is unknown.
    """
    if base.shape != other.shape:
        raise ValueError(f"{base.name!r} has shape {base.shape}, {other.name!r} has {other.shape}; they must be equal")
    requests = [parse_request(name, PAIR_METRICS) for name in metrics]
    results: dict[str, float] = {}
    if any(r.metric.name not in ("delta_stable_rank", "subspace_overlap") for r in requests):
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            sums = _sums(base, other)
        results = {r.label: _of_sums(r.metric.name, sums, base.size) for r in requests}
    for request in requests:
        if request.metric.name == "delta_stable_rank":
            results[request.label] = _delta_stable_rank(base, other)
        elif request.metric.name == "subspace_overlap":
            results[request.label] = _subspace_overlap(base, other, request)
    return results


def _sums(base: Tensor, other: Tensor) -> tuple[float, float, float, float, int]:
    """Sums of a*a, b*b, a*b, (b-a)**2, and the number of entries that differ."""
    aa = bb = ab = dd = 0.0
    changed = 0
    for start in range(0, base.size, _BLOCK):
        stop = min(start + _BLOCK, base.size)
        a = widen(base.read(start, stop), base.dtype).astype(np.float64)
        b = widen(other.read(start, stop), other.dtype).astype(np.float64)
        aa += float(np.dot(a, a))
        bb += float(np.dot(b, b))
        ab += float(np.dot(a, b))
        np.subtract(b, a, out=a)
        dd += float(np.dot(a, a))
        changed += int(np.count_nonzero(a != 0))
    return aa, bb, ab, dd, changed


def _of_sums(name: str, sums: tuple[float, float, float, float, int], size: int) -> float:
    """A metric that follows from the sums; NaN where nothing is divided by nothing."""
    aa, bb, ab, dd, changed = sums
    if not size or not math.isfinite(aa + bb + dd):
        return math.nan
    if name == "relative_change":
        return math.sqrt(dd / aa) if aa else (math.nan if not dd else math.inf)
    if name == "cosine":
        norms = math.sqrt(aa) * math.sqrt(bb)
        return max(-1.0, min(1.0, ab / norms)) if norms else math.nan
    return changed / size if name == "changed_share" else math.sqrt(dd / size)


def _matrix(tensor: Tensor) -> np.ndarray:
    wide = widen(tensor.read(0, tensor.size), tensor.dtype)
    return wide.reshape(tensor.shape[0], -1).astype(np.float64)


def _delta_stable_rank(base: Tensor, other: Tensor) -> float:
    """Stable rank of ``other - base``; NaN where nothing changed."""
    if len(base.shape) < 2 or not base.size:
        return math.nan
    with np.errstate(invalid="ignore"):
        change = as_tensor(_matrix(other) - _matrix(base))
    return float(measure_spectrum(change, [parse_request("stable_rank")])["stable_rank"])


def _subspace_overlap(base: Tensor, other: Tensor, request: Request) -> float:
    """Mean squared cosine between the spans of the k leading left singular vectors; by chance k / rows.

    References
    ----------
    E. J. Hu et al. (2022), "LoRA: low-rank adaptation of large language models", ICLR, equation 4.
    """
    if len(base.shape) < 2 or not base.size:
        return math.nan
    k = int(request.arguments[0])
    leading = []
    for tensor in (base, other):
        matrix = _matrix(tensor)
        if not np.isfinite(matrix).all() or not matrix.any():
            return math.nan
        leading.append(np.linalg.svd(matrix / np.abs(matrix).max(), full_matrices=False)[0][:, :k])
    overlap = leading[0].T @ leading[1]
    return float((overlap**2).sum() / overlap.shape[0])

"""Correction for everything that is tried on one grid."""

from __future__ import annotations

from typing import cast

import numpy as np

SHARES = {"trend": 0.2, "shape": 0.47, "relation": 0.03, "band": 0.07, "contrast": 0.03, "outlier": 0.2}
"""Each tested kind's share of alpha.

Together 1, so a grid of noise shows any of them with chance alpha at most.
"""


def corrected(p: np.ndarray, tried: int, kind: str) -> np.ndarray:
    """Corrected p-values of one kind, shape of `p`.

    Benjamini-Hochberg within the kind, over its share of alpha.

    Parameters
    ----------
    p : shape (kept,); the smallest of all that were tried
    tried : how many were tried, at least ``len(p)``

    References
    ----------
    Y. Benjamini, Y. Hochberg (1995), "Controlling the false discovery rate", JRSS B 57, pp. 289-300.
    """
    from scipy.stats import false_discovery_control

    if not len(p):
        return p
    # Each p-value is multiplied by tried / rank: of the pairs of 771 components only the smallest are kept.
    return cast(np.ndarray, np.minimum(1.0, false_discovery_control(p) * (tried / len(p)) / SHARES[kind]))

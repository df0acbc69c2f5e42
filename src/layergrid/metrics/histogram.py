"""A histogram over equal bins, and its entropy."""

from __future__ import annotations

import numpy as np

from layergrid.metrics.summary import Summary


def bin_of(values: np.ndarray, summary: Summary, bins: int) -> np.ndarray:
    """Which of `bins` equal bins between the extremes each value falls into; the largest into the last."""
    position = (values - summary.low) * (bins / (summary.high - summary.low))
    return np.minimum(position.astype(np.intp), bins - 1)


def entropy(totals: np.ndarray) -> float:
    """Shannon entropy of a histogram, in bits."""
    share = totals[totals > 0] / totals.sum()
    return float(-(share @ np.log2(share))) + 0.0

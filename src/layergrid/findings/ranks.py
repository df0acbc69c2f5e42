"""Ranks, and Kendall's tau from them.

As scipy.stats has them, whose import takes three times as long as all the rest of a first analysis.
"""

from __future__ import annotations

import numpy as np


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 of each column, shape (n, columns); equal values share the mean of theirs. No NaN."""
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    place = np.broadcast_to(np.arange(1.0, len(values) + 1)[:, None], values.shape)
    starts = np.ones(values.shape, bool)
    starts[1:] = ascending[1:] != ascending[:-1]
    ends = np.ones(values.shape, bool)
    ends[:-1] = starts[1:]
    first = np.maximum.accumulate(np.where(starts, place, 0.0), axis=0)
    last = np.minimum.accumulate(np.where(ends, place, np.inf)[::-1], axis=0)[::-1]
    out = np.empty(values.shape)
    np.put_along_axis(out, order, (first + last) / 2, axis=0)
    return out


def kendall_tau(one: np.ndarray, two: np.ndarray) -> float:
    """Kendall's tau-b of two series of the same length; 0 where either does not vary.

    References
    ----------
    M. G. Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33.
    """
    above = np.triu_indices(len(one), 1)
    signs_one, signs_two = (np.sign(each[:, None] - each[None, :])[above] for each in (one, two))
    untied = np.sqrt((signs_one**2).sum() * (signs_two**2).sum())
    return float((signs_one * signs_two).sum() / untied) if untied > 0 else 0.0

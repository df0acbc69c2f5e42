"""What the other components of a grid tell of one component's noise: its serial correlation and its size.

Twenty-eight layers say little about either. The components of one grid mostly resemble each other in both, but need
not: so each component is judged with a prior that the others supply, as wide as they differ among themselves, and that
gives way where the component itself contradicts it (empirical Bayes, Robbins 1956).

References
----------
H. Robbins (1956), "An empirical Bayes approach to statistics", Proc. Third Berkeley Symposium.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

RHOS = np.array([-0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97])
"""The serial correlations averaged over; closer together where the answer depends more on them."""

# Share of the prior that heeds no other component: one that differs from all others is not overruled.
_OWN = 0.02
# How far components may differ in serial correlation, as standard deviations of its arc tanh; equally likely.
_DIFFERENCES = np.array([0.03, 0.1, 0.2, 0.4, 0.8])
_CENTERS = np.linspace(-0.6, 2.2, 57)
# The others' noise counts for at most this many times a component's own layers.
_MOST_BORROWED = 2.0
# Odds that a component's noise is of no such size as the others', before it is looked at, and the spread of its log
# variance then.
_STRANGE, _STRANGE_SPREAD = 0.1 / 0.9, 1.5
# The others' differences in variance are taken at the upper end of what they can be: the chance that they are larger.
_LARGER = 0.25


@dataclass(frozen=True, eq=False)
class Noise:
    """Prior of the noise of some series; arrays of shape (rhos, series)."""

    log_prior: np.ndarray
    """Log prior of each of `RHOS`."""

    log_variance: np.ndarray
    """Log variance of the innovations that the others lead to expect, in the unit of the series."""

    worth: np.ndarray
    """How many observations that expectation is worth; 0 where there are too few others."""

    def of(self, columns: np.ndarray | list[int]) -> Noise:
        """The prior of some of the series."""
        return Noise(self.log_prior[:, columns], self.log_variance[:, columns], self.worth[:, columns])

    @classmethod
    def unknown(cls, log_prior: np.ndarray) -> Noise:
        """A prior of the serial correlation that expects no size of the noise."""
        return cls(log_prior, np.zeros_like(log_prior), np.zeros_like(log_prior))


def base_prior() -> np.ndarray:
    """Reference prior 1 / sqrt(1 - rho^2) on `RHOS`, shape (rhos,), sum 1.

    Leans to strong correlation, which is safe.
    """
    weight = np.diff(_edges()) / np.sqrt(1 - RHOS**2)
    return cast(np.ndarray, weight / weight.sum())


def correlation_prior(log_restricted: np.ndarray) -> np.ndarray:
    """Log prior of rho for each component from all other components, shape (rhos, components).

    The arc tanh of rho is normal about a center, by a spread; both are averaged over as the others suggest.

    Parameters
    ----------
    log_restricted : log restricted likelihood of each rho, shape (rhos, components)
    """
    likelihood = np.exp(log_restricted - log_restricted.max(axis=0))
    kinds, log_kind = _kinds()
    log_each = np.log(kinds @ likelihood)
    others = log_each.sum(axis=1, keepdims=True) - log_each + log_kind[:, None]
    weight = np.exp(others - others.max(axis=0))
    weight /= weight.sum(axis=0)
    return cast(np.ndarray, np.log(np.maximum(kinds.T @ weight, 1e-12)))


def variance_prior(log_residual: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log variance that the other components lead to expect and what it is worth, each of shape (rhos, components).

    Parameters
    ----------
    log_residual : log sum of squared innovations beside level and slope, in one unit, shape (rhos, components)
    freedom : observations less numbers fitted, shape (components,)

    References
    ----------
    G. K. Smyth (2004), "Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments", Stat. Appl. Genet. Mol. Biol. 3.
    """
    from scipy.special import chdtri, digamma, polygamma

    others = log_residual.shape[1] - 1
    if others < 3:
        return np.zeros_like(log_residual), np.zeros_like(log_residual)
    half = freedom / 2
    each = log_residual - np.log(2) - digamma(half)
    total, squares = each.sum(axis=1, keepdims=True), (each**2).sum(axis=1, keepdims=True)
    mean = (total - each) / others
    differences = np.maximum(squares - each**2 - others * mean**2, 0.0)
    by_chance = polygamma(1, half)
    by_chance = (by_chance.sum() - by_chance) / others
    own = differences / chdtri(others - 1, 1 - _LARGER) - by_chance
    worth = np.minimum(_worth(np.maximum(own, 1e-4)), _MOST_BORROWED * freedom)
    return mean + digamma(worth / 2) - np.log(worth / 2), worth


def borrowed(log_own: np.ndarray, freedom: int, noise: Noise) -> np.ndarray:
    """How many observations the others' noise counts for beside a component's own, shape (rhos, any, series).

    Falls to 0 where the component's own variance is not one that the others would have.

    Parameters
    ----------
    log_own : log variance of the component's residuals, shape (rhos, any, series)

    References
    ----------
    B. Phipson et al. (2016), "Robust hyperparameter estimation protects against hypervariable genes",
    Ann. Appl. Stat. 10.
    """
    if not noise.worth.any():
        return np.zeros((1, 1, 1))
    away = log_own - noise.log_variance[:, None]
    spread = 2 / freedom + 2 / np.maximum(noise.worth, 1e-9)[:, None]
    strange = _STRANGE * np.sqrt(spread) / _STRANGE_SPREAD
    return cast(np.ndarray, noise.worth[:, None] / (1 + strange * np.exp(np.minimum(away**2 / (2 * spread), 500))))


def _edges() -> np.ndarray:
    return np.concatenate([[RHOS[0] - 0.05], (RHOS[1:] + RHOS[:-1]) / 2, [0.985]])


@lru_cache(maxsize=1)
def _kinds() -> tuple[np.ndarray, np.ndarray]:
    """The prior of rho for each center and spread, shape (kinds, rhos), and the log weight of each, shape (kinds,)."""
    place = np.arctanh(RHOS)
    width = np.diff(np.arctanh(_edges()))
    away = (place - _CENTERS[:, None, None]) / _DIFFERENCES[:, None]
    kinds = np.exp(-0.5 * away**2) * width
    kinds /= kinds.sum(axis=2, keepdims=True)
    kinds = (1 - _OWN) * kinds + _OWN * base_prior()
    # The reference prior of rho, as one of its arc tanh.
    log_center = 0.5 * np.log(1 - np.tanh(_CENTERS) ** 2)
    return kinds.reshape(-1, len(RHOS)), np.repeat(log_center, len(_DIFFERENCES))


def _worth(variance: np.ndarray) -> np.ndarray:
    """The freedom of a chi-square whose log varies by this much: twice the inverse of the trigamma function."""
    freedoms, log_variances = _trigamma_table()
    return cast(np.ndarray, np.interp(-np.log(variance), -log_variances, freedoms))


@lru_cache(maxsize=1)
def _trigamma_table() -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import polygamma

    freedoms = 2 * np.logspace(-1.5, 4.5, 600)
    return freedoms, np.log(polygamma(1, freedoms / 2))

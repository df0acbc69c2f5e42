"""Regression on series whose neighbours resemble each other.

Exact where the likeness is known, averaged where not.

Every test of one component over its layers asks for one coefficient in

    series = nuisance + coefficient x regressor + noise,   noise[l] = rho noise[l - 1] + innovation

For a known rho, generalised least squares gives an exact Student t. rho is not known: the test is done for
each
of a few rho and the p-values are averaged, each weighted by how well that rho explains the residuals (its
restricted likelihood) times a prior that the *other* components of the same grid supply. How close the result
comes to a p-value was measured, see ``docs/insights.md``.

References
----------
A. Zellner, G. C. Tiao (1964), "Bayesian analysis of the regression model with autocorrelated
errors", JASA 59.
H. Robbins (1956), "An empirical Bayes approach to statistics", Proc. Third Berkeley Symposium.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

RHOS = np.array([-0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97])
"""The serial correlations averaged over; closer together where the answer depends more on them."""

# What a component's own prior keeps of the base prior, in units of one other component.
_BASE_WEIGHT = 0.1
_PRIOR_STEPS = 10
# Below this share of a series' own size a residual is rounding, not noise.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficient tests of each regressor on each series, at each rho.

    Arrays of shape (rhos, regressors, series).
    """

    t: np.ndarray
    """Student t of the coefficient, with `freedom` degrees of freedom."""

    log_posterior: np.ndarray
    """Log restricted likelihood of rho, up to a constant of the series and regressor."""

    log_likelihood: np.ndarray
    """Log likelihood at the best coefficients; comparable between regressors and nuisances."""

    freedom: int


def base_prior() -> np.ndarray:
    """Reference prior 1 / sqrt(1 - rho^2) on `RHOS`, shape (rhos,), sum 1.

    Leans to strong correlation, which is safe.
    """
    edges = np.concatenate([[RHOS[0] - 0.05], (RHOS[1:] + RHOS[:-1]) / 2, [0.99]])
    weight = np.diff(edges) / np.sqrt(1 - RHOS**2)
    return cast(np.ndarray, weight / weight.sum())


def whiten(series: np.ndarray, rho: float) -> np.ndarray:
    """Series of shape (layers, any) to the innovations they have if their serial correlation is `rho`."""
    out = np.empty_like(series)
    out[0] = np.sqrt(1 - rho * rho) * series[0]
    out[1:] = series[1:] - rho * series[:-1]
    return out


def regress(nuisance: np.ndarray, regressors: np.ndarray, series: np.ndarray) -> Fit:
    """Test each regressor on each series, one at a time, beside the nuisance.

    Parameters
    ----------
    nuisance : shape (layers, k), independent columns, such as a constant
    regressors : shape (layers, q); one that the nuisance explains gets t = 0
    series : shape (layers, m), finite

    References
    ----------
    D. A. Harville (1974), "Bayesian inference for variance components using only error
    contrasts", Biometrika 61.
    """
    layers = len(series)
    freedom = layers - nuisance.shape[1] - 1
    shape = (len(RHOS), regressors.shape[1], series.shape[1])
    t, log_posterior, log_likelihood = np.empty(shape), np.empty(shape), np.empty(shape)
    for g, rho in enumerate(RHOS):
        basis, triangle = np.linalg.qr(whiten(nuisance, rho))
        x = _beside(basis, whiten(regressors, rho))
        y = _beside(basis, whiten(series, rho))
        length = np.sqrt((x**2).sum(axis=0))
        explained = length < 1e-9
        length[explained] = 1.0
        projection = (x / length).T @ y
        projection[explained] = 0.0
        total = (y**2).sum(axis=0)
        residual = np.maximum(total - projection**2, _ROUNDING * total + 1e-300)
        t[g] = projection / np.sqrt(residual / freedom)
        log_residual = np.log(residual)
        jacobian = 0.5 * np.log(1 - rho * rho)
        design = np.log(np.abs(np.diag(triangle))).sum() + np.log(length)
        log_posterior[g] = jacobian - design[:, None] - 0.5 * freedom * log_residual
        log_likelihood[g] = jacobian - 0.5 * layers * log_residual
    return Fit(t, log_posterior, log_likelihood, freedom)


def restricted_likelihood(nuisance: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Log restricted likelihood of each rho for each series, shape (rhos, series).

    Up to a constant of the series.
    """
    freedom = len(series) - nuisance.shape[1]
    out = np.empty((len(RHOS), series.shape[1]))
    for g, rho in enumerate(RHOS):
        basis, triangle = np.linalg.qr(whiten(nuisance, rho))
        residual = (_beside(basis, whiten(series, rho)) ** 2).sum(axis=0)
        design = np.log(np.abs(np.diag(triangle))).sum()
        out[g] = 0.5 * np.log(1 - rho * rho) - design - 0.5 * freedom * np.log(residual + 1e-300)
    return out


def prior_from_others(log_restricted: np.ndarray) -> np.ndarray:
    """Log prior of rho for each component from all other components, shape (rhos, components).

    The components of one grid mostly share their serial correlation, but need not: each one's prior is
    the mixture of
    what the others turn out to have, so one component that differs from the rest is overruled by none
    of them.
    """
    base = base_prior()[:, None]
    components = log_restricted.shape[1]
    prior = np.repeat(base, components, axis=1)
    for _ in range(_PRIOR_STEPS):
        each = weights(log_restricted + np.log(prior))
        others = each.sum(axis=1, keepdims=True) - each
        prior = (_BASE_WEIGHT * base + others) / (_BASE_WEIGHT + components - 1)
        prior = np.maximum(prior, 1e-12)
    return cast(np.ndarray, np.log(prior))


def weights(log_posterior: np.ndarray) -> np.ndarray:
    """Log posterior over axis 0 to weights that sum to 1 over it."""
    out = np.exp(log_posterior - log_posterior.max(axis=0))
    return cast(np.ndarray, out / out.sum(axis=0))


def normal_score(t: np.ndarray, freedom: int) -> np.ndarray:
    """Student t to the normal deviate of the same tail, to three digits.

    References
    ----------
    D. L. Wallace (1959), "Bounds on normal approximations to Student's and the chi-square distributions",
    Ann. Math. Stat. 30, pp. 1121-1130.
    """
    size = np.sqrt(freedom * np.log1p(t * t / freedom)) * ((8 * freedom + 1) / (8 * freedom + 3))
    return cast(np.ndarray, np.copysign(size, t))


def exponent(layers: int) -> float:
    """The s of `averaged` for series of this many layers."""
    return float(np.clip(13 / layers, 0.4, 1.0))


def averaged(p: np.ndarray, fit: Fit, log_prior: np.ndarray) -> np.ndarray:
    """p-values at each rho, shape (rhos, regressors, series), to one for each (regressor, series).

    At least 1e-300.

    The power mean (sum of weight x p^s)^(1/s) with s = 1, the plain average, up to 13 layers, falling to 0.4
    at 33.
    The plain average lets a rho that is nearly ruled out decide, and finds half of what is there; s was
    chosen on
    simulated noise, where false findings stay below what is allowed (``benchmarks/insights.py``).
    """
    weight = weights(fit.log_posterior + log_prior[:, None, :])
    s = exponent(fit.freedom + 2)
    return cast(np.ndarray, np.maximum((weight * p**s).sum(axis=0) ** (1 / s), 1e-300))


def upper_tail(fit: Fit, log_prior: np.ndarray) -> np.ndarray:
    """Chance of a coefficient as high as seen if there is none, `averaged`, shape (regressors, series).

    Parameters
    ----------
    log_prior : shape (rhos, series)
    """
    from scipy.special import ndtr

    return averaged(ndtr(-normal_score(fit.t, fit.freedom)), fit, log_prior)


def lower_tail(fit: Fit, log_prior: np.ndarray) -> np.ndarray:
    """Averaged chance of a coefficient as low as seen if there is none; as `upper_tail`."""
    return upper_tail(Fit(-fit.t, fit.log_posterior, fit.log_likelihood, fit.freedom), log_prior)


def picked(fit: Fit, regressor: np.ndarray) -> Fit:
    """The fit of one regressor per series: `regressor` of shape (series,) gives its index."""
    columns = np.arange(len(regressor))
    t, posterior, likelihood = (
        each[:, regressor, columns][:, None, :] for each in (fit.t, fit.log_posterior, fit.log_likelihood)
    )
    return Fit(t, posterior, likelihood, fit.freedom)


def both_tails(fit: Fit, log_prior: np.ndarray) -> np.ndarray:
    """Averaged two-sided p-value, shape (regressors, series), at least 1e-300."""
    from scipy.special import ndtr

    return averaged(2 * ndtr(-np.abs(normal_score(fit.t, fit.freedom))), fit, log_prior)


def coefficient_sign(fit: Fit, log_prior: np.ndarray) -> np.ndarray:
    """Sign of the coefficient, shape (regressors, series): of t averaged over rho."""
    weight = weights(fit.log_posterior + log_prior[:, None, :])
    return cast(np.ndarray, np.sign((weight * fit.t).sum(axis=0)))


def support(fit: Fit, log_prior: np.ndarray) -> np.ndarray:
    """Best log likelihood over rho, prior included, shape (regressors, series).

    Higher is a better description.
    """
    return cast(np.ndarray, (fit.log_likelihood + log_prior[:, None, :]).max(axis=0))


def _beside(basis: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return cast(np.ndarray, columns - basis @ (basis.T @ columns))

"""Regression on series whose neighbours resemble each other.

Every test of one component over its layers asks for one coefficient in

    series = nuisance + coefficient x regressor + noise,   noise[l] = rho noise[l - 1] + innovation

For a known rho, generalised least squares gives an exact Student t. rho is not known: the test is done for each of a
few rho and the p-values are averaged, each weighted by how well that rho explains the residuals (its restricted
likelihood) times the prior of `pooling`. How close the result comes to a p-value was measured, see
``docs/insights.md``.

References
----------
A. Zellner, G. C. Tiao (1964), "Bayesian analysis of the regression model with autocorrelated errors", JASA 59.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np

from layergrid.findings.pooling import RHOS, Noise, borrowed

# Of the main, the two neighbouring and the ends' products in the innovations' products.
_COEFFICIENTS = np.column_stack([1 + RHOS**2, -RHOS, -(RHOS**2)])
# Below this share of a series' own size a residual is rounding, not noise.
_ROUNDING = 1e-10
# Series fitted at once, and numbers of one array of shape (rhos, regressors, series): half a MB is faster than 1 or 2.
_MOST_AT_ONCE, _MOST_NUMBERS = 32, 2**16


@dataclass(frozen=True, eq=False)
class Fit:
    """Each regressor fitted to each series, at each rho; arrays of shape (rhos, regressors, series)."""

    projection: np.ndarray
    """The series on the regressor of unit length, both beside the nuisance."""

    residual: np.ndarray
    """Sum of squared innovations that are left."""

    log_scale: np.ndarray
    """Log length of the regressor and of the nuisance; broadcasts."""

    noise: Noise
    freedom: int
    """Layers less numbers fitted."""

    layers: int

    @cached_property
    def log_residual(self) -> np.ndarray:
        """Log of `residual`."""
        return cast(np.ndarray, np.log(self.residual))

    @property
    def log_posterior(self) -> np.ndarray:
        """Log prior and restricted likelihood of rho, up to a constant of the series and regressor."""
        return cast(np.ndarray, self._prior() - self.log_scale - 0.5 * self.freedom * self.log_residual)

    @property
    def log_likelihood(self) -> np.ndarray:
        """Log prior, and likelihood at the best coefficients; comparable between regressors and nuisances."""
        return self._prior() - 0.5 * self.layers * self.log_residual

    def student(self) -> tuple[np.ndarray, np.ndarray]:
        """Student t of the coefficient, its noise drawn to that of the other components, and its freedom."""
        more = borrowed(self.log_residual - np.log(self.freedom), self.freedom, self.noise)
        whole = self.freedom + more
        variance = (self.residual + more * np.exp(self.noise.log_variance)[:, None]) / whole
        return self.projection / np.sqrt(variance), whole

    def may_reach(self, deviate: float) -> np.ndarray:
        """Whether the coefficient can be as far from 0 as this normal deviate at any rho; (regressors, series).

        As `student` and `normal_score` would say, but without a root or logarithm: False where it cannot, True where it
        may. The variance lies between that of the residuals alone and that with all the weight of the others' noise.
        """
        share = 1 / (self.freedom + self.noise.worth)
        least = self.residual * share[:, None]
        least += (share * self.noise.worth * np.exp(self.noise.log_variance))[:, None]
        np.minimum(least, self.residual / self.freedom, out=least)
        least *= deviate**2
        return cast(np.ndarray, (self.projection**2 >= least).any(axis=0))

    def pairs(self, regressors: np.ndarray, series: np.ndarray) -> Fit:
        """Some regressors, each with one series: the fit of one regressor to as many series, shape (rhos, 1, pairs)."""
        projection, residual = (each[:, regressors, series][:, None] for each in (self.projection, self.residual))
        log_scale = self.log_scale[:, regressors, 0][:, None]
        return replace(self, projection=projection, residual=residual, log_scale=log_scale, noise=self.noise.of(series))

    def _prior(self) -> np.ndarray:
        jacobian = 0.5 * np.log(1 - RHOS**2)
        return cast(np.ndarray, (jacobian[:, None] + self.noise.log_prior)[:, None])


def products(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Inner products of the innovations of two sets of series at each of `RHOS`, shape (rhos, p, q).

    The inverse covariance of AR(1) noise of unit innovations has three diagonals, so three products serve every rho.

    Parameters
    ----------
    one : shape (layers, p)
    two : shape (layers, q)
    """
    plain = one.T @ two
    neighbours = one[1:].T @ two[:-1] + one[:-1].T @ two[1:]
    ends = one[:1].T @ two[:1] + one[-1:].T @ two[-1:]
    return _at_each_rho(plain, neighbours, ends)


def paired_products(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """As `products`, but of each series with its partner in the other set alone; shape (rhos, pairs)."""
    plain = (one * two).sum(axis=0)
    neighbours = (one[1:] * two[:-1] + one[:-1] * two[1:]).sum(axis=0)
    return _at_each_rho(plain, neighbours, one[0] * two[0] + one[-1] * two[-1])


def _at_each_rho(plain: np.ndarray, neighbours: np.ndarray, ends: np.ndarray) -> np.ndarray:
    each = np.stack([plain, neighbours, ends])
    return cast(np.ndarray, (_COEFFICIENTS @ each.reshape(3, -1)).reshape(len(RHOS), *plain.shape))


@dataclass(frozen=True, eq=False)
class Design:
    """Regressors beside a nuisance, with all that does not depend on the series; made once, used for many."""

    nuisance: np.ndarray
    """Shape (layers, k), independent columns, such as a constant; k may be 0."""

    regressors: np.ndarray
    """Shape (layers, q)."""

    root: np.ndarray
    """Inverse Cholesky factor of the nuisance's products, shape (rhos, k, k)."""

    explained: np.ndarray
    """What the nuisance explains of each regressor, shape (rhos, k, q)."""

    length: np.ndarray
    """Of each regressor beside the nuisance, shape (rhos, q); 0 where the nuisance explains it."""

    log_nuisance: np.ndarray
    """Half the log determinant of the nuisance's products, shape (rhos,)."""

    @classmethod
    def of(cls, nuisance: np.ndarray, regressors: np.ndarray) -> Design:
        """The design of a nuisance of shape (layers, k) and regressors of shape (layers, q)."""
        factor = np.linalg.cholesky(products(nuisance, nuisance))
        root = np.linalg.inv(factor)
        explained = root @ products(nuisance, regressors)
        total = paired_products(regressors, regressors)
        rest = total - (explained**2).sum(axis=1)
        length = np.sqrt(np.where(rest > _ROUNDING * total, rest, 0.0))
        log_nuisance = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        return cls(nuisance, regressors, root, explained, length, log_nuisance)


def regress(design: Design, series: np.ndarray, noise: Noise) -> Fit:
    """Test each regressor on each series, one at a time, beside the nuisance.

    A regressor that the nuisance explains gets t = 0.

    Parameters
    ----------
    series : shape (layers, m), finite

    References
    ----------
    D. A. Harville (1974), "Bayesian inference for variance components using only error
    contrasts", Biometrika 61.
    """
    layers, k = design.nuisance.shape
    freedom = layers - k - 1
    explained = design.root @ products(design.nuisance, series)
    whole = paired_products(series, series)
    total = np.maximum(whole - (explained**2).sum(axis=1), _ROUNDING**2 * whole)
    projection = products(design.regressors, series)
    projection -= design.explained.transpose(0, 2, 1) @ explained
    usable = design.length > 0
    projection *= np.where(usable, 1 / np.where(usable, design.length, 1.0), 0.0)[:, :, None]
    residual = projection**2
    np.subtract(total[:, None], residual, out=residual)
    np.maximum(residual, _ROUNDING * total[:, None] + 1e-300, out=residual)
    log_scale = design.log_nuisance[:, None] + np.log(np.where(usable, design.length, 1.0))
    return Fit(projection, residual, log_scale[:, :, None], noise, freedom, layers)


def batches(series: int, regressors: int) -> list[slice]:
    """Series in parts so small that what `regress` holds of one is bounded, however many regressors there are."""
    each = max(1, min(_MOST_AT_ONCE, _MOST_NUMBERS // (len(RHOS) * max(1, regressors))))
    return [slice(start, start + each) for start in range(0, series, each)]


def residuals(nuisance: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log restricted likelihood of each rho, and log sum of squared innovations, beside the nuisance alone.

    Both of shape (rhos, series); the former up to a constant of the series.
    """
    design = Design.of(nuisance, np.empty((len(series), 0)))
    freedom = len(series) - nuisance.shape[1]
    total = paired_products(series, series)
    rest = total - ((design.root @ products(nuisance, series)) ** 2).sum(axis=1)
    log_rest = np.log(np.maximum(rest, _ROUNDING * total + 1e-300))
    constant = 0.5 * np.log(1 - RHOS**2) - design.log_nuisance
    return constant[:, None] - 0.5 * freedom * log_rest, log_rest


def weights(log_posterior: np.ndarray) -> np.ndarray:
    """Log posterior over axis 0 to weights that sum to 1 over it."""
    out = np.exp(log_posterior - log_posterior.max(axis=0))
    return cast(np.ndarray, out / out.sum(axis=0))


def normal_score(t: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Student t to the normal deviate of the same tail, to three digits.

    References
    ----------
    D. L. Wallace (1959), "Bounds on normal approximations to Student's and the chi-square distributions",
    Ann. Math. Stat. 30, pp. 1121-1130.
    """
    size = np.sqrt(freedom * np.log1p(t * t / freedom)) * ((8 * freedom + 1) / (8 * freedom + 3))
    return cast(np.ndarray, np.copysign(size, t))


def averaged(p: np.ndarray, weight: np.ndarray, layers: int) -> np.ndarray:
    """p-values at each rho, shape (rhos, ...), to one: (sum of weight x p^s)^(1/s), 1e-300 to 1.

    The plain average, s = 1, up to 15 layers, falling to 0.7 at 21. It lets a rho that is nearly ruled out decide, and
    finds less; where layers are few, none is ruled out.
    """
    s = min(1.0, max(0.7, 15 / layers))
    # Three times as fast as a power.
    powers = p if s == 1.0 else np.exp(s * np.log(np.maximum(p, 1e-300)))
    return cast(np.ndarray, np.clip((weight * powers).sum(axis=0) ** (1 / s), 1e-300, 1.0))


def tails(fit: Fit, most: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Chance of a coefficient as high as seen if there is none, and of one as low, `averaged`.

    Both of shape (regressors, series). A chance above `most` may be given as 1: what its reader has no use for is not
    computed, which is nearly all of it where `most` is small.
    """
    from scipy.special import ndtr, ndtri

    if most < 1:
        # An average is no smaller than the smallest of its chances.
        far = np.nonzero(fit.may_reach(-float(ndtri(most))))
        high, low = np.ones((2, *fit.projection.shape[1:]))
        high[far], low[far] = (each[0] for each in tails(fit.pairs(*far)))
        return high, low
    below, weight = ndtr(normal_score(*fit.student())), weights(fit.log_posterior)
    return averaged(1 - below, weight, fit.layers), averaged(below, weight, fit.layers)


def both_tails(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Averaged two-sided p-value, at least 1e-300, and the sign of the averaged t, of shape (regressors, series)."""
    from scipy.special import ndtr

    t, freedom = fit.student()
    weight = weights(fit.log_posterior)
    p = averaged(2 * ndtr(-np.abs(normal_score(t, freedom))), weight, fit.layers)
    return p, np.sign((weight * t).sum(axis=0))


def support(fit: Fit) -> np.ndarray:
    """Best log likelihood over rho, prior included, shape (regressors, series).

    Higher is a better description.
    """
    return cast(np.ndarray, fit.log_likelihood.max(axis=0))

import numpy as np
import pytest

from layergrid.findings.pooling import RHOS, Noise, base_prior, borrowed, correlation_prior, variance_prior
from layergrid.findings.serial import Design, products, regress, residuals, tails


def smooth(rho, layers, components, seed=0):
    y = np.random.default_rng(seed).standard_normal((layers, components))
    for row in range(1, layers):
        y[row] = rho * y[row - 1] + np.sqrt(1 - rho * rho) * y[row]
    return y


def log_restricted(y):
    return residuals(np.ones((len(y), 1)), y)[0]


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_the_prior_of_a_component_lies_where_the_others_are(rho):
    prior = np.exp(correlation_prior(log_restricted(smooth(rho, 200, 8))))
    assert np.allclose(prior.sum(axis=0), 1)
    assert np.allclose(RHOS @ prior, rho, atol=0.12)


def test_the_prior_of_a_component_does_not_heed_the_component_itself():
    y = smooth(0.0, 100, 6)
    before = correlation_prior(log_restricted(y))[:, 2]
    y[:, 2] = smooth(0.9, 100, 1, seed=1)[:, 0]
    assert np.allclose(correlation_prior(log_restricted(y))[:, 2], before)


def test_a_component_alone_has_the_prior_of_none_other():
    prior = np.exp(correlation_prior(log_restricted(smooth(0.3, 50, 1)))[:, 0])
    assert abs(RHOS @ prior - RHOS @ base_prior()) < 0.3
    assert variance_prior(np.zeros((18, 1)), np.array([48.0]))[1].max() == 0


def test_the_noise_of_components_that_agree_is_worth_more_than_that_of_those_that_differ():
    y = smooth(0.0, 60, 8)
    _, alike = residuals(np.ones((60, 1)), y)
    _, different = residuals(np.ones((60, 1)), y * np.geomspace(0.1, 10, 8))
    freedom = np.full(8, 59.0)
    assert variance_prior(alike, freedom)[1].min() > 10 * variance_prior(different, freedom)[1].max()


def test_noise_of_another_size_than_the_others_is_not_borrowed():
    noise = Noise(np.zeros((18, 1)), np.zeros((18, 1)), np.full((18, 1), 50.0))
    as_expected, ten_times = (borrowed(np.full((18, 1, 1), each), 26, noise) for each in (0.0, np.log(10.0)))
    assert as_expected.min() > 45
    assert ten_times.max() < 1e-3


def test_products_are_those_of_the_innovations():
    rng = np.random.default_rng(2)
    one, two = rng.standard_normal((9, 2)), rng.standard_normal((9, 3))
    for rho, product in zip(RHOS, products(one, two), strict=True):
        white = [np.vstack([np.sqrt(1 - rho**2) * y[:1], y[1:] - rho * y[:-1]]) for y in (one, two)]
        assert np.allclose(product, white[0].T @ white[1])


def test_a_regressor_that_the_nuisance_explains_has_no_length():
    design = Design.of(np.ones((9, 1)), np.column_stack([np.full(9, 3.0), np.arange(9.0)]))
    assert (design.length[:, 0] == 0).all()
    assert (design.length[:, 1] > 0).all()


def test_chances_up_to_the_largest_of_use_are_the_same_where_others_are_not_computed():
    y = smooth(0.4, 40, 30)
    y[10:16, :5] += 2.0
    boxes = np.stack([(np.arange(40) // 6 == step) * 1.0 for step in range(6)], axis=1)
    noise = Noise.unknown(np.broadcast_to(np.log(base_prior())[:, None], (len(RHOS), 30)))
    fit = regress(Design.of(np.ones((40, 1)), boxes), y, noise)
    for every, some in zip(tails(fit), tails(fit, 0.025), strict=True):
        assert (every <= 0.025).any()
        assert np.all((some == 1) & (every > 0.025) | np.isclose(some, every, rtol=1e-12))
        assert (some == 1).mean() > 0.5

"""Largest singular values that are hard to find."""

import numpy as np
import pytest

from layergrid.metrics import measure
from layergrid.metrics.lanczos import leading_vector
from layergrid.tensor import as_tensor

RNG = np.random.default_rng(3)


def with_singular_values(*leading: float) -> np.ndarray:
    """A float32 matrix of shape (300, 600) with these singular values, and others from 5 down to 1."""
    values = np.r_[leading, np.linspace(5, 1, 300 - len(leading))]
    left = np.linalg.qr(RNG.standard_normal((300, 300)))[0]
    right = np.linalg.qr(RNG.standard_normal((600, 300)))[0]
    return ((left * values) @ right.T).astype(np.float32)


HARD = {
    "two are equal": with_singular_values(10, 10),
    "several nearly are": with_singular_values(10, 9.999, 9.99),
    "all are equal": np.eye(300, dtype=np.float32),
    "there is one": np.ones((200, 300), np.float32),
    "its vector sums to zero": (lambda x: x - x.mean(axis=0))(RNG.standard_normal((200, 400)).astype(np.float32)),
    "one input is tiny": RNG.standard_normal((400, 500)).astype(np.float32) * np.r_[np.float32(1e-10), np.ones(499)],
    "they lie close together": np.diag(np.linspace(1, 1.0001, 500)),
}


@pytest.mark.parametrize("case", HARD)
def test_the_largest_singular_value_is_found_where(case):
    exact = np.linalg.svd(HARD[case].astype(np.float64), compute_uv=False)
    found = measure(as_tensor(HARD[case]), ["spectral_norm", "stable_rank"])
    assert found["spectral_norm"] == pytest.approx(exact[0], rel=1e-6)
    assert found["stable_rank"] == pytest.approx((exact**2).sum() / exact[0] ** 2, rel=1e-6)


def test_a_leading_vector_is_that_of_the_decomposition():
    matrix = with_singular_values(10, 9)
    exact = np.linalg.svd(matrix.astype(np.float64))[0][:, 0]
    assert abs(leading_vector(matrix) @ exact) == pytest.approx(1, abs=1e-8)


def test_it_says_so_where_it_does_not_converge():
    assert leading_vector(HARD["they lie close together"]) is None

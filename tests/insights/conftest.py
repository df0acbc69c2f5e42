from pathlib import Path

import numpy as np
import pytest

from layergrid.data.matrix import Matrix

FIXTURES = Path(__file__).parents[1] / "fixtures"
NAMES = ("attn.q", "attn.k", "attn.v", "attn.o", "mlp.up", "mlp.down", "mlp.gate")


@pytest.fixture(scope="session")
def figure() -> Matrix:
    """A reconstruction of a published figure; not measured data."""
    values = np.loadtxt(FIXTURES / "figure.csv", delimiter=",", skiprows=1)[:, 1:]
    return Matrix(values, tuple(range(28)), NAMES)


@pytest.fixture
def grid():
    """Values of shape (layers, components) as a matrix with the names of a decoder, then c7, c8 ..."""

    def make(values, **fields) -> Matrix:
        values = np.asarray(values, dtype=float)
        names = (*NAMES, *(f"c{i}" for i in range(7, 40)))[: values.shape[1]]
        return Matrix(values, tuple(range(len(values))), names, **fields)

    return make


@pytest.fixture
def noise():
    """Normal noise of shape (28, 7), always the same."""
    return np.random.default_rng(5).standard_normal((28, 7))

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from layergrid.findings.multiplicity import SHARES, corrected


def test_the_smallest_of_many_are_corrected_as_if_all_had_been_kept():
    p = np.sort(np.random.default_rng(0).uniform(0, 1, 400)) ** 3
    whole = np.minimum(1.0, false_discovery_control(p) / SHARES["relation"])
    kept = p[p <= 0.01]
    np.testing.assert_allclose(corrected(kept, len(p), "relation"), whole[: len(kept)], rtol=1e-12)


def test_the_kinds_share_alpha_and_nothing_more():
    assert sum(SHARES.values()) == pytest.approx(1)


def test_where_nothing_was_kept_nothing_is_corrected():
    assert corrected(np.empty(0), 10, "trend").shape == (0,)

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata

from layergrid.findings.ranks import average_ranks, kendall_tau

FIXTURES = Path(__file__).parents[1] / "fixtures"
CASES = [
    np.random.default_rng(0).standard_normal((28, 7)),
    np.random.default_rng(1).integers(0, 5, (30, 4)).astype(float),
    np.zeros((5, 2)),
    np.array([[1.0], [1.0]]),
    np.array([[3.0]]),
]


@pytest.mark.parametrize("values", CASES)
def test_ranks_are_those_of_scipy(values):
    np.testing.assert_array_equal(average_ranks(values), rankdata(values, axis=0))


@pytest.mark.parametrize("values", CASES[:2])
def test_tau_is_that_of_scipy(values):
    for column in range(values.shape[1] - 1):
        one, two = values[:, column], values[:, column + 1]
        assert kendall_tau(one, two) == pytest.approx(kendalltau(one, two).statistic, abs=1e-12)


def test_tau_of_what_does_not_vary_is_zero():
    assert kendall_tau(np.arange(5), np.ones(5)) == 0


def test_an_analysis_does_without_the_slow_import_of_scipy_stats():
    code = (
        "import sys, numpy as np, layergrid as lg\n"
        f"values = np.loadtxt({str(FIXTURES / 'figure.csv')!r}, delimiter=',', skiprows=1)[:, 1:]\n"
        "found = lg.insights(values)\n"
        "assert {f.kind for f in found} >= {'trend', 'relation', 'shape'}\n"
        "assert 'scipy.special' in sys.modules\n"
        "sys.exit('scipy.stats' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

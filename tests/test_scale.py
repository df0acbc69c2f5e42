import json
import math
from pathlib import Path

import numpy as np
import pytest

from layergrid.scale import default_center, finite_extent, positions

CASES = json.loads((Path(__file__).parent / "fixtures" / "scale_cases.json").read_text())


@pytest.mark.parametrize("scale", ["linear", "log", "symlog", "quantile"])
def test_positions_are_those_of_the_specification(scale):
    for case in (case for case in CASES if case["scale"] == scale):
        at = positions(
            np.array(float(case["value"])),
            scale=scale,
            low=case["low"],
            high=case["high"],
            center=case["center"],
            diverging=case["diverging"],
            shown=np.array([float(value) for value in case["shown"]]),
        )
        expected = math.nan if case["position"] is None else case["position"]
        assert float(at) == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True), case


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="unknown scale 'cubic'; there are linear"):
        positions(np.zeros(1), scale="cubic", low=0, high=1, center=0.5, diverging=True, shown=np.zeros(1))


def test_the_extent_leaves_out_what_is_not_finite():
    assert finite_extent(np.array([[math.nan, 3.0], [-math.inf, 7.0]])) == (3.0, 7.0)


def test_the_extent_of_nothing_finite_is_zero_to_one():
    assert finite_extent(np.array([[math.nan, math.inf]])) == (0.0, 1.0)


def test_a_constant_has_its_center_at_its_value():
    assert default_center(np.full((3, 3), 2.0), 2.0, 2.0) == 2.0


def test_the_center_of_many_cells_is_estimated_from_a_sample():
    values = np.linspace(1.0, 3.0, 500_000).reshape(500, 1000)
    assert default_center(values, 1.0, 3.0) == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("count", [3, 4, 5, 8, 1001])
def test_the_center_between_positive_limits_is_the_median(count):
    values = np.random.default_rng(count).permutation(np.arange(count) ** 2 + 1.0).reshape(1, -1)
    assert default_center(values, 0.5, 2.0 * count**2) == np.median(values)


def test_a_median_at_a_limit_gives_way_to_the_middle():
    assert default_center(np.array([[1.0, 1.0, 1.0, 9.0]]), 1.0, 9.0) == 5.0


def test_the_middle_of_huge_limits_does_not_overflow():
    assert math.isfinite(default_center(np.array([[math.nan]]), 1e308, 1.7e308))

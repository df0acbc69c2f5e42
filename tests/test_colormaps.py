import numpy as np
import pytest
from colorspacious import cspace_convert

from layergrid import colormaps

UNIFORM = "CAM02-UCS"


def uniform(rgb):
    return cspace_convert(rgb / 255, "sRGB1", UNIFORM)


def test_there_is_a_dozen_of_maps_with_the_default_first():
    assert len(colormaps.names()) == 12
    assert colormaps.names()[0] == colormaps.DEFAULT


@pytest.mark.parametrize("name", colormaps.names())
def test_every_map_has_33_stops(name):
    assert len(colormaps._table()[name]["stops"]) == 33


@pytest.mark.parametrize("name", [name for name in colormaps.names() if colormaps.kind(name) == "sequential"])
def test_a_sequential_map_is_monotone_in_lightness(name):
    steps = np.diff(uniform(colormaps.lut(name))[::8, 0])
    assert (steps > 0).all() or (steps < 0).all()


def test_both_arms_of_the_default_are_perceptually_even():
    colors = uniform(colormaps.lut(colormaps.DEFAULT))
    for arm in (colors[:120:8], colors[136::8]):
        steps = np.linalg.norm(np.diff(arm, axis=0), axis=1)
        assert steps.max() / steps.min() < 1.5
        assert (np.sign(np.diff(arm[:, 0])) == np.sign(arm[-1, 0] - arm[0, 0])).all()


@pytest.mark.parametrize("deficiency", ["deuteranomaly", "protanomaly", "tritanomaly"])
def test_color_blind_readers_tell_the_arms_of_the_default_apart(deficiency):
    space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
    seen = cspace_convert(
        np.clip(cspace_convert(colormaps.lut(colormaps.DEFAULT) / 255, space, "sRGB1"), 0, 1), "sRGB1", UNIFORM
    )
    for depth in (64, 96, 127):  # from half way to the end of each arm
        low, high = seen[127 - depth], seen[128 + depth]
        assert np.linalg.norm(low - high) > 15


def test_a_reversed_map_is_the_map_backwards():
    np.testing.assert_array_equal(colormaps.lut("viridis", reverse=True), colormaps.lut("viridis")[::-1])


def test_levels_keep_the_colors_of_both_ends():
    smooth, stepped = colormaps.lut("viridis"), colormaps.lut("viridis", levels=5)
    assert len(np.unique(stepped, axis=0)) == 5
    np.testing.assert_array_equal(stepped[[0, -1]], smooth[[0, -1]])


def test_a_map_of_the_cmap_package_has_256_colors():
    assert colormaps.lut("matlab:jet").shape == (256, 3)
    assert colormaps.kind("matlab:jet") == "sequential"
    assert colormaps.kind("crameri:cork") == "diverging"


@pytest.mark.parametrize("name", ["viridiss", "", "no such map at all"])
def test_an_unknown_map_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match="unknown colormap"):
        colormaps.lut(name)


def test_a_near_miss_names_the_map_that_was_meant():
    with pytest.raises(ValueError, match="did you mean 'viridis'"):
        colormaps.kind("viridiss")


@pytest.mark.parametrize("name", colormaps.names())
def test_off_scale_values_have_no_color_of_the_map(name):
    table = colormaps.lut(name)
    ends = uniform(colormaps.off_scale(table[[0, -1]]))
    assert np.linalg.norm(uniform(table)[:, None] - ends, axis=-1).min() > 5

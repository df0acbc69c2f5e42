import json

import numpy as np
import pytest

from layergrid.data.matrix import Matrix
from layergrid.findings import insights

TESTED = {"trend", "shape", "band", "contrast", "relation", "outlier"}


def kinds(found):
    return {f.kind for f in found} & TESTED


def test_noise_shows_nothing(grid, noise):
    assert kinds(insights(grid(noise))) == set()


def test_smooth_noise_shows_nothing_in_nine_grids_of_ten(grid):
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(40):
        y = rng.standard_normal((28, 7))
        for row in range(1, 28):
            y[row] = 0.9 * y[row - 1] + np.sqrt(1 - 0.81) * y[row]
        false += bool(kinds(insights(grid(y))))
    # 40 x 0.10 expected at most; 9 or more would have a chance of 2 %.
    assert false <= 8


def test_a_trend_is_named_with_its_cells(grid, noise):
    noise[:, 2] -= np.linspace(0, 8, 28)
    (trend,) = [f for f in insights(grid(noise)) if f.kind == "trend"]
    assert (trend.components, trend.direction, trend.layers) == (("attn.v",), "falling", (0, 27))
    assert len(trend.cells) == 28
    assert trend.effect < -0.6
    assert trend.p < 0.01


def test_a_step_is_no_trend(grid, noise):
    noise[20:, 1] += 7
    found = insights(grid(noise))
    (step,) = [f for f in found if f.kind == "shape"]
    assert (step.components, step.direction, step.layers) == (("attn.k",), "step-up", (19, 20))
    assert not [f for f in found if f.kind == "trend" and f.components == ("attn.k",)]


def test_a_dip_is_found_where_it_is(grid, noise):
    noise[8:15, 6] -= 6
    (dip,) = [f for f in insights(grid(noise)) if f.kind == "shape"]
    assert (dip.direction, dip.layers) == ("dip", (8, 14))


def test_a_band_names_those_that_take_part_and_no_others(grid, noise):
    noise[10:14, [0, 2, 3, 6]] += 6
    (band,) = [f for f in insights(grid(noise)) if f.kind == "band"]
    assert band.components == ("attn.q", "attn.v", "attn.o", "mlp.gate")
    assert band.layers == (10, 13)


def test_one_component_alone_is_no_band(grid, noise):
    noise[10:14, 3] += 9
    assert not [f for f in insights(grid(noise)) if f.kind == "band"]


def test_a_single_cell_is_an_outlier(grid, noise):
    noise[17, 4] = -14
    (outlier,) = [f for f in insights(grid(noise)) if f.kind == "outlier"]
    assert outlier.cells == [(17, "mlp.up")]
    assert outlier.direction == "low"


def test_a_shared_signal_is_a_relation_and_copies_are_not(grid, noise):
    noise[:, 5] = -noise[:, 1] + 0.2 * noise[:, 5]
    noise[:, 3] = noise[:, 0]
    found = insights(grid(noise))
    assert [(f.components, f.direction) for f in found if f.kind == "relation"] == [(("attn.k", "mlp.down"), "inverse")]
    assert [f.components for f in found if f.kind == "identical"] == [("attn.q", "attn.o")]


def test_groups_differ_in_level(grid, noise):
    noise[:, :2] += 3
    found = insights(grid(noise), groups={"late": ["mlp.up", "mlp.down"], "early": ["attn.q", "attn.k"]})
    (level,) = [f for f in found if f.kind == "contrast"]
    assert (level.groups, level.direction) == (("late", "early"), "lower")


def test_a_group_that_names_a_stranger_is_refused(grid, noise):
    with pytest.raises(ValueError, match=r"group 'a' names 'mpl'; this grid has attn\.q"):
        insights(grid(noise), groups={"a": ["mpl"], "b": ["attn.q"]})


def test_an_empty_group_is_refused(grid, noise):
    with pytest.raises(ValueError, match="group 'a' is empty"):
        insights(grid(noise), groups={"a": [], "b": ["attn.q"]})


def test_an_impossible_alpha_is_refused(grid, noise):
    with pytest.raises(ValueError, match=r"alpha must be between 0 and 1, got 1\.5"):
        insights(grid(noise), alpha=1.5)


def test_absent_and_missing_cells_are_told_apart(grid, noise):
    absent = np.zeros(noise.shape, bool)
    absent[::2, 0] = True
    noise[absent] = np.nan
    noise[3, 1] = np.inf
    noise[4:6, 1] = np.nan
    found = {f.kind: f for f in insights(grid(noise, absent=absent)) if f.kind in ("absent", "missing")}
    assert found["absent"].cells == [(layer, "attn.q") for layer in range(0, 28, 2)]
    assert found["missing"].cells == [(3, "attn.k"), (4, "attn.k"), (5, "attn.k")]
    assert "2 NaN, 1 infinite" in found["missing"].statement


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (np.arange(7.0)[None], "Too little data: 1 layers"),
        (np.arange(14.0).reshape(2, 7), "Too little data: 2 layers"),
        (np.arange(28.0)[:, None] % 5, "One component"),
        (np.full((28, 3), 0.5), "Every finite value is 0.5"),
        (np.full((28, 3), np.nan), "No cell holds a finite number"),
    ],
)
def test_too_little_data_says_so(grid, values, note):
    found = insights(grid(values))
    assert any(note in said for said in found.notes)
    assert kinds(found) == set()


@pytest.mark.parametrize("factor", [1e-30, 1e30, 1e300])
def test_the_unit_does_not_matter(grid, noise, factor):
    noise[:, 2] += np.linspace(0, 8, 28)
    plain, scaled = (insights(grid(noise * unit)) for unit in (1.0, factor))
    assert [(f.kind, f.components, f.layers) for f in plain] == [(f.kind, f.components, f.layers) for f in scaled]


def test_a_constant_column_and_ties_are_no_finding(grid, noise):
    noise = np.round(noise)
    noise[:, 4] = 2.0
    found = insights(grid(noise))
    assert kinds(found) == set()
    assert [f.components for f in found if f.kind == "constant"] == [("mlp.up",)]


def test_rows_without_numbers_are_left_out(grid, noise):
    noise[:, 2] += np.linspace(0, 9, 28)
    noise[[3, 9]] = np.nan
    assert ("attn.v",) in [f.components for f in insights(grid(noise)) if f.kind == "trend"]


def test_values_over_decades_are_compared_as_logarithms(grid, noise):
    noise[11, 3] = 14
    found = insights(grid(np.exp(2 * noise)))
    assert "logarithms" in " ".join(found.notes)
    assert [f.cells for f in found if f.kind == "outlier"] == [[(11, "attn.o")]]


def test_findings_are_a_sequence_a_table_and_json(grid, noise):
    pytest.importorskip("pandas")
    noise[:, 2] += np.linspace(0, 9, 28)
    found = insights(grid(noise))
    assert found[0] is next(iter(found))
    assert found[:1] == (found[0],)
    assert found[0] in found.for_cell(3, "attn.v")
    assert list(found.to_frame()["kind"]) == [f.kind for f in found]
    first = json.loads(found.to_json_text())[0]
    assert {
        "kind",
        "components",
        "layers",
        "direction",
        "cells",
        "effect",
        "effect_name",
        "p",
        "test",
        "statement",
    } <= set(first)
    assert first["cells"][0] == [0, "attn.v"]
    assert "attn.v rises" in repr(found)
    assert "attn.v rises" in found._repr_html_()


def test_a_report_of_many_components_counts_the_quiet_ones():
    values = np.random.default_rng(6).standard_normal((28, 40))
    names = tuple(f"c{i}" for i in range(40))
    assert (
        "Neither trend nor shape was found in any component."
        in insights(Matrix(values, tuple(range(28)), names)).report()
    )
    values[:, 3] += np.linspace(0, 12, 28)
    report = insights(Matrix(values, tuple(range(28)), names)).report()
    assert "- c3 rises from " in report
    assert "Neither trend nor shape was found in the other 39 components." in report


def test_a_report_says_once_what_many_of_a_group_do():
    values = np.random.default_rng(6).standard_normal((28, 35))
    values[:, 5:] += np.linspace(0, 12, 28)[:, None]
    values[:, 1] -= np.linspace(0, 12, 28)
    names = ("attn.q", "attn.k", "attn.v", "attn.o", "moe.router", *(f"mlp.up[{i}]" for i in range(30)))
    found = insights(Matrix(values, tuple(range(28)), names))
    lines = found.report().splitlines()
    assert [line for line in lines if "attn.k falls from" in line]
    assert [line for line in lines if "of 30 components of mlp.up rise (Kendall's tau 0." in line]
    assert not [line for line in lines if "rises from" in line]
    related = sum(f.kind == "relation" for f in found)
    assert f"- {related - 20} more, less strong." in lines


def test_names_are_never_markup(noise):
    from layergrid.data.matrix import Matrix

    noise[:, 0] += np.linspace(0, 9, 28)
    found = insights(Matrix(noise[:, :3], tuple(range(28)), ("<b>", "a", "b")))
    assert "<b>" not in found._repr_html_()
    assert "\\<b\\>" in found.report()


@pytest.mark.parametrize(("layer", "component", "said"), [(99, "attn.q", "no layer 99"), (0, "x", "no component 'x'")])
def test_a_cell_outside_the_grid_is_refused(grid, noise, layer, component, said):
    with pytest.raises(KeyError, match=said):
        insights(grid(noise)).for_cell(layer, component)


def test_a_bent_trend_is_no_u(grid, noise):
    noise[:, 3] += 10 * np.linspace(0, 1, 28) ** 2
    directions = {f.direction for f in insights(grid(noise)) if f.kind in ("trend", "shape")}
    assert "u" not in directions
    assert "rising" in directions or "step-up" in directions


def test_the_cells_of_a_tall_peak_are_no_outliers(grid, noise):
    noise[10:15, 2] += 25
    assert not [f for f in insights(grid(noise)) if f.kind == "outlier"]


def test_two_outliers_do_not_hide_each_other(grid, noise):
    noise[[4, 20], [1, 5]] += 14
    assert {f.cells[0] for f in insights(grid(noise)) if f.kind == "outlier"} == {(4, "attn.k"), (20, "mlp.down")}


def test_a_heavy_tail_is_no_outlier(grid):
    heavy = np.random.default_rng(8).standard_t(2, (80, 7))
    assert np.abs(heavy).max() > 15
    assert not [f for f in insights(grid(heavy)) if f.kind == "outlier"]


def test_a_quiet_component_is_judged_by_its_own_noise(grid, noise):
    noise[:, 2] *= 0.01
    noise[:, 2] += np.linspace(0, 0.08, 28)
    assert [f.components for f in insights(grid(noise)) if f.kind == "trend"] == [("attn.v",)]


def test_of_many_relations_the_strongest_are_listed_and_the_rest_counted():
    shared = np.random.default_rng(3).standard_normal((28, 1))
    own = np.random.default_rng(4).standard_normal((28, 90))
    # The first columns hold least of their own: they are most alike.
    values = shared + own * np.linspace(0.05, 0.3, 90)
    values[:, 5] = values[:, 4]
    found = insights(Matrix(values, tuple(range(28)), tuple(f"c{i}" for i in range(90))))
    related = [f for f in found if f.kind == "relation"]
    assert len(related) == 100
    assert ("c4", "c5") not in {f.components for f in related}
    assert [f.p for f in related] == sorted(f.p for f in related)
    assert np.mean([int(name[1:]) for f in related for name in f.components]) < 30
    pairs = 90 * 89 // 2 - 1
    assert f"{pairs - 100} more relations are significant" in found.notes[0]

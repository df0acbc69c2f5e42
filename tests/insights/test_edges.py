import numpy as np
import pytest

from layergrid.data.matrix import Matrix
from layergrid.findings import insights, templates

TESTED = {"trend", "shape", "band", "contrast", "relation", "outlier"}
NAMES = ("attn.q", "attn.k", "attn.v", "attn.o", "mlp.up", "mlp.down", "mlp.gate")


def matrix(values, names=NAMES, **fields) -> Matrix:
    values = np.asarray(values)
    return Matrix(values, tuple(range(len(values))), names[: values.shape[1]], **fields)


def rng():
    return np.random.default_rng(12)


def hybrid():
    """Attention in every other layer only."""
    values = rng().standard_normal((28, 7))
    absent = np.zeros(values.shape, bool)
    absent[1::2, :4] = True
    values[absent] = np.nan
    return matrix(values, absent=absent)


def with_gaps():
    values = rng().standard_normal((28, 7))
    values[[0, 5, 27]] = np.nan
    values[3, 2], values[4, 2] = np.inf, -np.inf
    return matrix(values)


NOTHING = {
    "one layer": matrix(rng().standard_normal((1, 7))),
    "two layers": matrix(rng().standard_normal((2, 7))),
    "nine layers": matrix(rng().standard_normal((9, 7))),
    "one component": matrix(rng().standard_normal((28, 1))),
    "two components": matrix(rng().standard_normal((28, 2))),
    "one cell": matrix([[3.0]]),
    "all equal": matrix(np.full((28, 7), 0.3)),
    "all zero": matrix(np.zeros((28, 7))),
    "all NaN": matrix(np.full((28, 7), np.nan)),
    "all infinite": matrix(np.full((28, 7), np.inf)),
    "one finite cell": matrix(np.where(np.arange(196).reshape(28, 7) == 40, 1.0, np.nan)),
    "NaN rows and infinities": with_gaps(),
    "a column of NaN": matrix(np.where(np.arange(7) == 2, np.nan, rng().standard_normal((28, 7)))),
    "absent components": hybrid(),
    "a constant column": matrix(np.where(np.arange(7) == 2, 5.0, rng().standard_normal((28, 7)))),
    "integers": matrix(rng().integers(0, 1000, (28, 7))),
    "ties": matrix(rng().integers(0, 3, (28, 7)).astype(float)),
    "two values": matrix((rng().random((28, 7)) < 0.5).astype(float)),
    "float32": matrix(rng().standard_normal((28, 7)).astype(np.float32)),
    "1e-30": matrix(1e-30 * rng().standard_normal((28, 7))),
    "1e30": matrix(1e30 * rng().standard_normal((28, 7))),
    "1e300": matrix(1e300 * rng().standard_normal((28, 7))),
    "rounding noise on a large value": matrix(1e6 + 1e-4 * rng().standard_normal((28, 7))),
    "positive over decades": matrix(10.0 ** rng().uniform(-3, 3, (28, 7))),
    "a thousand layers": matrix(rng().standard_normal((1000, 3))),
}


@pytest.mark.parametrize("case", NOTHING)
def test_nothing_false_is_found(case):
    found = insights(NOTHING[case])
    assert [f.statement for f in found if f.kind in TESTED] == []
    assert isinstance(found.report(), str)
    for finding in found:
        assert finding.cells == [cell for cell in finding.cells if cell[0] in found.matrix.layers]
        assert np.isfinite(finding.effect)


@pytest.mark.parametrize("case", ["one layer", "two layers", "nine layers", "one finite cell", "all NaN", "one cell"])
def test_too_little_to_test_is_said(case):
    assert insights(NOTHING[case]).notes


def test_a_hybrid_model_says_what_is_absent_and_still_finds_a_trend():
    grid = hybrid()
    values = grid.values.copy()
    values[:, 0] += np.linspace(0, 9, 28)
    found = insights(matrix(values, absent=grid.absent))
    assert [f.components for f in found if f.kind == "trend"] == [("attn.q",)]
    (absent,) = [f for f in found if f.kind == "absent"]
    assert absent.components == NAMES[:4]
    assert absent.cells == [(layer, name) for name in NAMES[:4] for layer in range(1, 28, 2)]
    assert absent.statement.startswith("attn.q, attn.k, attn.v and attn.o: 14 of 28 layers do not have them: layer 1, ")


def test_a_trend_without_noise_is_a_trend():
    values = rng().standard_normal((28, 7))
    values[:, 3] = np.arange(28)
    trends = [f for f in insights(matrix(values)) if f.kind == "trend"]
    assert [(f.components, f.direction) for f in trends] == [(("attn.o",), "rising")]


def test_a_thousand_layers_hold_a_peak():
    values = rng().standard_normal((1000, 3))
    values[400:650, 1] += 2
    (peak,) = [f for f in insights(matrix(values)) if f.kind == "shape"]
    assert (peak.components, peak.direction) == (("attn.k",), "peak")
    assert abs(peak.layers[0] - 400) <= 60
    assert abs(peak.layers[1] - 649) <= 60


def test_forms_of_a_thousand_layers_are_made_a_megabyte_at_a_time():
    for of in (templates.peaks, templates.valleys, templates.bands, templates.steps):
        tried = of(1000)
        made = [tried.columns(part).shape for part in tried.parts()]
        assert all(layers == 1000 for layers, _ in made)
        assert sum(count for _, count in made) == len(tried.start) * len(tried.forms)
        assert max(layers * count * 8 for layers, count in made) <= 2**20


def test_where_every_component_has_gaps_of_its_own_a_peak_is_where_it_was():
    values = rng().standard_normal((40, 7))
    values[20:30, 1] += 6
    whole = insights(matrix(values))
    for c in range(7):
        values[[c, c + 9], c] = np.nan
    found = insights(matrix(values))
    for each in (whole, found):
        (peak,) = [f for f in each if f.kind == "shape" and f.components == ("attn.k",)]
        assert (peak.direction, peak.layers) == ("peak", (20, 29))


def test_a_loss_table_over_decades_names_the_cell_in_both_terms():
    values = np.exp(rng().normal(3, 0.6, (28, 7)))
    values[5, 4] = 2988
    (outlier,) = [f for f in insights(matrix(values)) if f.kind == "outlier"]
    assert outlier.cells == [(5, "mlp.up")]


def test_a_component_without_spread_is_no_warning_in_a_contrast_of_spreads():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(28, 7)) * np.array([5.0, 5.0, 5.0, 5.0, 1.0, 1.0, 1.0])
    for still in (0, 4):
        held = values.copy()
        held[:, still] = held[0, still]
        insights(held, groups={"one": ["0", "1", "2", "3"], "other": ["4", "5", "6"]})


def test_a_component_that_is_a_bare_number_is_called_one():
    values = np.random.default_rng(0).normal(size=(28, 3)) * 0.1
    values[:, 1] += np.linspace(0, 3, 28)
    found = insights(values)
    assert found
    assert any(finding.statement.startswith("component 1 rises ") for finding in found)
    assert all(not finding.statement[0].isdigit() for finding in found)

import pytest

from layergrid.findings import insights


@pytest.fixture(scope="module")
def found(figure):
    return insights(figure)


def only(found, kind, *components):
    return [f for f in found if f.kind == kind and f.components == components]


@pytest.mark.parametrize("component", ["attn.q", "mlp.gate"])
def test_q_and_gate_rise(found, component):
    assert [f.direction for f in only(found, "trend", component)] == ["rising"]


def test_q_and_gate_are_never_inverse(found):
    assert all(f.direction == "parallel" for f in only(found, "relation", "attn.q", "mlp.gate"))


def test_k_peaks_around_layers_15_to_21(found):
    (peak,) = only(found, "shape", "attn.k")
    assert peak.direction == "peak"
    assert abs(peak.layers[0] - 15) <= 3
    assert abs(peak.layers[1] - 21) <= 3


def test_v_is_u_shaped(found):
    assert [f.direction for f in only(found, "shape", "attn.v")] == ["u"]


def test_o_is_not_monotone(found):
    assert only(found, "trend", "attn.o") == []


def test_o_is_high_at_layers_0_to_3_and_15_to_18(found):
    assert {f.layers for f in only(found, "region", "attn.o") if f.direction == "high"} == {(0, 3), (15, 18)}


def test_down_is_constant_and_nothing_else_is(found):
    assert [f.components for f in found if f.kind == "constant"] == [("mlp.down",)]


def test_the_highest_region_is_k_and_the_lowest_is_q(found):
    high = [f for f in found if f.kind == "region" and f.direction == "high"]
    low = [f for f in found if f.kind == "region" and f.direction == "low"]
    assert (high[0].components, high[0].layers) == (("attn.k",), (15, 21))
    assert (low[0].components, low[0].layers) == (("attn.q",), (0, 3))


def test_attn_varies_more_than_mlp_but_for_the_gate(found):
    (contrast,) = [f for f in found if f.kind == "contrast"]
    assert (contrast.direction, contrast.groups) == ("more-variable", ("attn", "mlp"))
    assert "mlp.gate does not" in contrast.statement


def test_the_band_at_15_to_18_holds_k_and_o_alone(found):
    (band,) = [f for f in found if f.kind == "band"]
    assert (band.components, band.direction) == (("attn.k", "attn.o"), "high")
    assert abs(band.layers[0] - 15) <= 3
    assert abs(band.layers[1] - 18) <= 3
    assert {(layer, name) for layer in range(15, 19) for name in band.components} <= set(band.cells)


def test_the_report_repeats_none_of_the_descriptions_mistakes(found):
    report = found.report()
    assert "mlp.gate rises" in report
    assert "mlp.gate falls" not in report
    assert "against each other" not in report

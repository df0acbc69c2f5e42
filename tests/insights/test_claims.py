from pathlib import Path

import pytest

from layergrid.findings import Claim, check, check_text

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("attn.q rises with layer", "supported"),
        ("attn. q grows", "supported"),
        ("Q projection goes upward", "supported"),
        ("mlp gate shows a downward trend", "refuted"),
        ("attn.o is generally increasing", "refuted"),
        ("attn.v is U-shaped", "supported"),
        ("attn.k peaks at layers 15-21", "supported"),
        ("attn.k peaks at layers 0-4", "refuted"),
        ("attn.q is U-shaped", "refuted"),
        ("mlp.down is constant", "supported"),
        ("attn.k is flat", "refuted"),
        ("the highest values are in attn.k at layers 15-21", "supported"),
        ("the lowest values are in attn.k at layers 15-21", "refuted"),
        ("attn is more variable than mlp", "supported"),
        ("attn is less variable than mlp", "refuted"),
        ("attn.k is higher than attn.q at layers 15-18", "supported"),
        ("q_proj and mlp gate are inverse", "refuted"),
        ("attn.q and mlp.gate move together", "supported"),
        ("attn.q and mlp.gate are identical", "refuted"),
        ("attn.k at layers 15-21 is about 0.16", "supported"),
        ("attn.k at layers 15-21 is about 0.12", "refuted"),
        ("attn.k at layers 15-21 is below 0.14", "refuted"),
        ("the model reasons", "not understood"),
    ],
)
def test_a_sentence_is_held_against_the_figure(figure, sentence, verdict):
    assert check(figure, sentence).verdict == verdict


def test_a_sentence_not_understood_is_answered_with_forms(figure):
    assert "Forms that are understood" in check(figure, "hello").statement


def test_a_verdict_names_its_cells(figure):
    cells = check(figure, "attn.k at layers 15-17 is about 0.16").cells
    assert cells == [(15, "attn.k"), (16, "attn.k"), (17, "attn.k")]


def test_layers_that_are_not_there_leave_it_undecided(figure):
    assert check(figure, "attn.k at layers 50-60 is about 0.16").verdict == "undecided"


def test_a_structured_claim_is_checked(figure):
    assert check(figure, Claim("trend", ("attn.q",), "rising")).verdict == "supported"


def test_a_claim_of_a_stranger_is_refused(figure):
    with pytest.raises(ValueError, match=r"no component 'attn\.z'"):
        check(figure, Claim("trend", ("attn.z",), "rising"))


def test_the_description_of_the_figure_is_put_to_the_test(figure):
    pytest.importorskip("pandas")
    table = check_text(figure, (FIXTURES / "figure-description.md").read_text(encoding="utf-8"))
    claims = table[table["verdict"] != "no checkable claim"]
    assert len(claims) >= 15
    verdict = {(c.kind, c.subject, c.direction): v for c, v in zip(claims["claim"], claims["verdict"], strict=True)}
    assert verdict["trend", ("mlp.gate",), "falling"] == "refuted"
    assert verdict["relation", ("attn.q", "mlp.gate"), "inverse"] == "refuted"
    assert verdict["trend", ("attn.o",), "rising"] == "refuted"
    assert verdict["trend", ("attn.q",), "rising"] == "supported"
    assert verdict["shape", ("attn.v",), "u"] == "supported"
    assert (table["verdict"] == "no checkable claim").any()

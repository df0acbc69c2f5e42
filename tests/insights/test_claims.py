from pathlib import Path

import numpy as np
import pytest

from layergrid.data.matrix import Matrix
from layergrid.findings import Claim, check, check_text
from layergrid.findings.claim import FORMS

FIXTURES = Path(__file__).parents[1] / "fixtures"


SENTENCES = """
attn.q rises with layer | supported
attn.q increases with depth | supported
attn. q grows | supported
attn.q goes upward | supported
attn.q falls | refuted
mlp gate shows a downward trend | refuted
the mlp.gate column goes down | refuted
mlp.gate decreases | refuted
attn.o is generally increasing | refuted
attn.q rises from layer 0 to layer 13 | supported
attn.q falls at layers 0-3 | undecided
attn.v is U-shaped | supported
attn.v is bimodal | supported
attn.v is an inverted U | refuted
attn.q is U-shaped | refuted
attn.k peaks at layers 15-21 | supported
attn.k peaks at layer 18 | supported
attn.k peaks at layers 0-4 | refuted
attn.k dips | refuted
attn.q steps up at layer 12 | refuted
mlp.down is constant | supported
mlp.down is flat | supported
mlp.up is uniform | undecided
attn.k is flat | refuted
the highest values are in attn.k at layers 15-21 | supported
attn.k has the highest values | supported
the highest values are in mlp.up | refuted
the lowest value is in attn.q | supported
the lowest values are in attn.q at layers 0-3 | supported
the lowest values are in attn.k at layers 15-21 | refuted
attn.k and attn.o are high together at layers 15-18 | supported
attn.q, attn.k and attn.o are elevated simultaneously at layers 15-18 | undecided
attn.k and attn.o are low together at layers 15-19 | refuted
attn is more variable than mlp | supported
attention varies more than the MLP at layers 10-20 | supported
attn is less variable than mlp | refuted
attn.k is higher than attn.q at layers 15-18 | supported
attn.k is lower than mlp at layers 15-18 | refuted
attn.k is higher than mlp at layers 0-27 | undecided
mlp.gate is lower than mlp.down | supported
attn.q and mlp.gate are inverse | refuted
attn.q and mlp.gate are anti-parallel | refuted
attn.q and mlp.gate move together | supported
attn.q and attn.v are correlated | undecided
attn.q and mlp.gate are identical | refuted
attn.k at layers 15-21 is about 0.16 | supported
values of attn.k at layers 15-21 are around 0.12 | refuted
attn.k between layers 15 and 21 is above 0.15 | supported
attn.k at layers 15-21 is greater than 0.17 | refuted
attn.k at layers 15-21 is below 0.14 | refuted
attn.q is less than 0.15 | supported
attn.q at layers 0-3 is between 0.11 and 0.12 | supported
attn.q is about 3 | refuted
attn.q at layer 3 is an outlier | refuted
attn.q is absent at layers 0-3 | refuted
attn.q is missing at layer 5 | refuted
attn.q seems to increase with depth | supported
upward trend in Q projection | supported
attn.q rises from layer 3 to 20 | supported
the key projections peak around layer 18 | supported
the value projections are u-shaped | supported
attn.q is inversely U-shaped | refuted
attn.q and mlp.gate are negatively correlated | refuted
attn.q and mlp.gate are positively correlated | supported
attn.k is highest at layer 17 | supported
attn.k is highest at layer 18 | undecided
attn.k has its maximum at layers 16-18 | supported
attn.k is lowest at layer 0 | refuted
the highest value of attn.q is at layer 27 | supported
the highest value is in attn.k | supported
the highest value is in attn.o | undecided
the lowest value is in mlp.down | refuted
the highest values are in attn.o at layers 15-18 | supported
the highest values are in mlp.up at layers 20-22 | refuted
attn.q is between 0.11 and 0.12 | refuted
attn.q at layers 0-3 is 0.11-0.12 | supported
attn.q is at most 0.16 | supported
attn.k at layer 18 = 0.17 | supported
attn.q is higher than 0.2 at layer 3 | refuted
mlp.down varies less than attn.q | supported
K has its maximum around layer 17 | supported
V is U-shaped | supported
mlp.down stays flat | supported
mlp_down_proj is essentially constant | supported
mlp.down is nearly constant across all layers | supported
attn.k is almost constant | refuted
The gate projection climbs throughout the network | supported
self_attn.q_proj rises with depth | supported
self_attn.q_proj falls over all 28 layers | refuted
attn.q has the smallest values at layers 0-3 | supported
attn.k is larger than attn.v at layers 15-21 | supported
attn.k exceeds attn.v at layers 15-21 | supported
attn.v exceeds attn.k at layers 15-21 | refuted
Attention components vary more than MLP components. | supported
The attention block is more variable across layers than the MLP block | supported
The FFN is less variable than self-attention | supported
compared to mlp, attn is more variable | supported
Compared with attention, the MLP is more variable | refuted
mlp.gate correlates with attn.q | supported
attn.q correlates negatively with mlp.gate | refuted
attn.q is inversely correlated with mlp.gate | refuted
mlp.gate tracks attn.q | supported
attn.o peaks at layers 15-18 | supported
attn.q stays below 0.145 | supported
attn.q ranges from 0.11 to 0.14 | supported
attn.q ranges from 0.15 to 0.2 | refuted
mlp.down hovers around 0.14 | supported
attn.k varies between 0.117 and 0.167 | supported
attn.k's peak is at layers 15-21 | supported
attn.q's trend is upward | supported
attn.k reaches its maximum at layer 17 | supported
attn.k reaches its minimum at layer 17 | refuted
Between layers 15 and 18, attn.k and attn.o are both elevated | supported
attn.v is lower than attn.k within layers 10 to 22 | supported
attn.k in layers 15, 16 and 17 is above 0.16 | supported
attn.k stays above 0.16 from layer 15 to layer 21 | supported
between layer 15 and layer 21 attn.k is above 0.16 | supported
attn.k is below .12 at layers 2-6 | undecided
attn.q at layer 0 equals 0.112 | supported
attn.q at layer 0 is 0.2 | refuted
We find that attn.q rises with depth. | supported
In contrast, mlp.gate decreases | refuted
attn.q rises significantly | supported
attn.k > 0.16 for layers 15-21 | supported
attn.k values at layers 15-21 are 0.160–0.167 | supported
attn.v decreases over layers 0-12 | supported
mlp.down's values are larger than attn.q's | supported
attn.k at layers 15-40 is above 0.13 | undecided
attn.v has a U-shape | supported
attn.k follows an arch shape | supported
attn.k has the highest value at layer 17 | supported
layer 17 of attn.k is the highest value | supported
the lowest value of attn.k is at layer 4 | supported
attn.q is highest at layer 27 | supported
attn.q is lower than mlp at layers 0-10 | supported
values of mlp.down are between 0.139 and 0.142 | supported
attn.q at layer 0 is about 0.1 | supported
attn.q is about 0 | refuted
mlp.up increases with depth | undecided
attn.q drops at layer 14 | undecided
attn.q and attn.k are anticorrelated | undecided
""".strip().splitlines()


@pytest.mark.parametrize("line", SENTENCES)
def test_a_sentence_is_held_against_the_figure(figure, line):
    sentence, verdict = line.split(" | ")
    assert check(figure, sentence).verdict == verdict


@pytest.mark.parametrize(
    "name",
    ["attn.q", "attn. q", "attn q", "attn_q", "Q projection", "q_proj", "query projection", "`attn.q`", "ATTN.Q"],
)
def test_a_component_is_known_however_it_is_spelled(figure, name):
    claim = check(figure, f"{name} rises").claim
    assert claim is not None
    assert (claim.kind, claim.subject, claim.direction) == ("trend", ("attn.q",), "rising")


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("the model reasons", "names no component of this grid, which has attn.q"),
        ("attn.z rises", "names no component"),
        ("attn.q does not rise", "Not understood in it: 'not' and 'rise'"),
        ("attn.q isn't falling", "'falling'"),
        ("attn.q and mlp.gate are not inverse", "'not'"),
        ("attn.q rises in the early layers", "'early'"),
        ("attn.q rises and attn.k falls", "It states 2 claims"),
        ("attn.q rises or falls", "'or'"),
        ("attn.q, attn.k and attn.v move together", "No claim was recognised"),
        ("attn.q and attn.k move together at layers 3-9", "No claim was recognised"),
        ("attn.q is higher than attn.k and attn.v", "'higher' and 'than'"),
        ("attn.k is high at layers 0-3 and 15-18", "It states 2 claims"),
        ("up rises", "names no component"),
    ],
)
def test_what_is_not_fully_understood_is_not_guessed(figure, sentence, why):
    verdict = check(figure, sentence)
    assert (verdict.verdict, verdict.claim, verdict.cells) == ("not understood", None, [])
    assert why in verdict.statement
    assert "Forms that are understood" in verdict.statement


NOT_SAID = """
attn.q never falls; attn.q rises, but only slightly; attn.q barely rises; attn.q hardly changes; attn.q fails to rise
attn.q stops rising after layer 12; attn.q no longer rises; attn.q is far from constant; attn.q is anything but flat
attn.q is non-constant; attn.q is rarely high; attn.q may rise; it is unclear whether attn.q rises; does attn.q rise?
attn.q rises if attn.k falls; attn.q rises faster than attn.k; attn.q rises less than attn.k; attn.q increases by 50%
attn.q rises from 0.12 to 0.15; attn.q increases from 0.15 to 0.12; attn.q jumps from 0.12 to 0.14 at layer 10
attn.k is 0.02 higher than attn.q; attn.q is lower than attn.k by 0.01; attn.q is always lower than attn.k
attn.k peaks later than attn.o; attn.k peaks before layer 10; attn.k peaks after layer 14; attn.k peaks at 18
attn.k has two peaks; attn.k has no peak; mlp.down has no trend; attn.q lacks a trend;
attn.q decreases as depth grows; there is a trend in attn.q; attn.q is not above 0.13
attn.k has no outliers; attn.k contains NaN; attn.k has missing values
the peak of attn.k is lower than that of attn.o; attn.k shows a larger range than attn.q; attn.o is highest
attn.k's lowest value is higher than attn.q's highest; attn.q has the second highest values; attn.k is about 15%
attn.q and attn.k both rise; attn.q and mlp.gate both rise with layer; attn.q, attn.k rise; attn.k or attn.o peaks
attn.v is not U-shaped but flat; attn.v is U-shaped rather than flat; attn.v first falls, then rises
attn.q goes up and down; attn.q rises then falls; attn.q is rising from 3 to 20; attn.k rises up to layer 18
attn.k is high from layer 15 on; attn.k is high only at layers 15-21; attn.v has a U shape with a minimum at layer 13
attn.k and attn.o peak together; attn.q and mlp.gate are uncorrelated; attn.q and mlp.gate are nearly identical
attn is more variable than mlp except mlp.gate; attn.q decrases with layer; atn.q rises; attn.q correlates with layer
attn.k's mean is 0.14; attn.k reaches 0.17 at layer 18; it is false that attn.q falls; the rise of attn.q is a myth
attn.k at layers 15-21 and attn.o at layers 15-18 are high; attn.q is high at layers 0-3 compared to layers 20-27
attn.q increases monotonically with depth; attn.v is bell-shaped; mlp.gate starts at 0.12; attn.q ends at 0.12
mlp.gate starts at 0.12 and ends at 0.14; attn.k is 0.1665 at its highest; attn.k is as high as 0.1665
the highest values of attn.k are about 0.166; attn.k has low values around 0.12; attn.q is within 0.01 of its mean
attn.q spans 0.03; attn.k goes from high to low at layers 15-27; attn.v is high through layer 4
attn.k is high after layer 15; attn.k is high from layer 15 onwards; attn.k starts with the highest values
attn.k stands out at layers 15-21; attn.k is always higher than attn.v; attn.k is higher than attn.v at all layers
attn.q and mlp.gate are strongly correlated; mlp.up and mlp.down do not differ
attn.k exceeds attn.q by 0.02 at layers 15-21; attn.k peaks at 0.166; attn.q rises (p < 0.001); attn.q rises by 25 %
the gap between attn.q and attn.k grows; attn.q and attn.v are less than 0.15; the maximum of attn.k is about 0.166
attn.q is above 0.115 throughout; mlp.gate is more variable than mlp.up and mlp.down; attn.q is likely rising
attn.q is flat beyond layer 20; mlp.up is slightly increasing
"""


@pytest.mark.parametrize("sentence", [each.strip() for each in NOT_SAID.replace("\n", ";").split(";") if each.strip()])
def test_a_word_that_no_claim_accounts_for_leaves_a_sentence_not_understood(figure, sentence):
    verdict = check(figure, sentence)
    assert (verdict.verdict, verdict.claim) == ("not understood", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attn.q rises, but attn.k does not.", [("attn.q", "rising", None)]),
        ("If attn.k falls, attn.q rises.", []),
        ("attn.q rises, although nobody knows why.", [("attn.q", "rising", None)]),
        ("attn.q rises; mlp.gate falls.", [("attn.q", "rising", None), ("mlp.gate", "falling", None)]),
        ("As attn.q rises, mlp.gate falls.", [("attn.q", "rising", None), ("mlp.gate", "falling", None)]),
        ("attn.q and mlp.gate rise with layer.", [("attn.q", "rising", None), ("mlp.gate", "rising", None)]),
        ("attn.k peaks at layers 15-21, attn.o at layers 15-18.", [("attn.k", "peak", (15, 21))]),
        ("attn.v falls and then rises.", []),
        ("attn.v falls and rises.", []),
        ("attn.v falls before it rises.", []),
        ("attn.q rises and peaks at layers 15-21.", [("attn.q", "peak", (15, 21))]),
        ("attn.k peaks, not at layers 3-6 but at layers 15-21.", []),
        (
            "Highest values: in attn.k at layers 15-21 and in attn.o at layers 15-18.",
            [("attn.k", "highest", (15, 21)), ("attn.o", "highest", (15, 18))],
        ),
        ("attn.k: high values at layers 15-21, low ones at layers 3-6.", [("attn.k", "high", (15, 21))]),
        ("In attention, values rise.", []),
        ("attn.q: attention values rise.", []),
    ],
)
def test_of_a_text_only_parts_that_are_wholly_understood_are_checked(figure, text, expected):
    pytest.importorskip("pandas")
    claims = [claim for claim in check_text(figure, text)["claim"] if claim is not None]
    assert [(*claim.subject, claim.direction, claim.layers) for claim in claims] == expected


@pytest.mark.parametrize("form", FORMS)
def test_every_form_that_is_offered_is_understood(figure, form):
    assert check(figure, form).verdict in ("supported", "refuted", "undecided")


def test_the_nearest_forms_are_offered(figure):
    assert "attn.v is U-shaped" in check(figure, "attn.v is V-shaped").statement


def test_a_name_that_fits_two_components_is_asked_back(noise):
    twice = Matrix(noise[:, :2], tuple(range(28)), ("encoder.attn.q", "decoder.attn.q"))
    verdict = check(twice, "q_proj rises")
    assert verdict.verdict == "not understood"
    assert "'q_proj' could be encoder.attn.q and decoder.attn.q" in verdict.statement


def test_a_component_that_is_a_bare_number_is_named_as_a_component(noise):
    noise[:, 1] += np.linspace(0, 9, 28)
    numbered = Matrix(noise[:, :3], tuple(range(28)), ("0", "1", "2"))
    assert check(numbered, "component 1 rises").verdict == "supported"
    assert check(numbered, "component 1 is above 0.1 at layers 20-27").claim == Claim(
        "value", ("1",), "above", layers=(20, 27), value=(0.1, 0.1), unit=0.1
    )
    assert check(numbered, "components 0 and 2 are inverse").claim == Claim("relation", ("0", "2"), "inverse")
    assert check(numbered, "1 rises").verdict == "not understood"


def test_a_longer_name_is_not_taken_for_the_shorter_within_it(noise):
    nested = Matrix(noise[:, :2], tuple(range(28)), ("attn.q", "cross.attn.q"))
    assert check(nested, "cross attn q rises").claim == Claim("trend", ("cross.attn.q",), "rising")


def test_gaps_and_outliers_are_claimed_too(grid, noise):
    noise[17, 4] = -14
    noise[3:5, 0] = np.nan
    noise[9, 1] = np.inf
    absent = np.zeros(noise.shape, bool)
    absent[3:5, 0] = True
    holes = grid(noise, absent=absent)
    for sentence in (
        "mlp.up at layer 17 is an outlier",
        "attn.q is absent at layers 3-4",
        "layers 3-4 have no attn.q",
        "attn.k is missing at layer 9",
    ):
        assert check(holes, sentence).verdict == "supported"
    assert check(holes, "attn.q is missing at layers 3-4").verdict == "refuted"
    assert check(holes, "attn.q at layers 3-4 is about 0.5").verdict == "undecided"


def test_copies_are_identical_and_move_together(grid, noise):
    noise[:, 2] = noise[:, 0]
    for sentence, verdict in (("identical", "supported"), ("parallel", "supported"), ("inverse", "refuted")):
        assert check(grid(noise), f"attn.q and attn.v are {sentence}").verdict == verdict


@pytest.mark.parametrize("values", [np.ones((1, 2)), np.full((28, 2), 3.0), np.full((28, 2), np.nan), np.eye(2)])
@pytest.mark.parametrize("form", FORMS)
def test_a_grid_that_says_nothing_supports_nothing_that_is_tested(values, form):
    verdict = check(Matrix(values, tuple(range(len(values))), ("attn.q", "attn.k")), form)
    tested = verdict.claim is not None and verdict.claim.kind in ("trend", "shape", "band", "relation", "outlier")
    assert not (tested and verdict.verdict == "supported") or "the same numbers" in verdict.statement


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (Claim("mood", ("attn.q",)), "a claim's kind must be one of trend, shape"),
        (Claim("relation", ("attn.q",), "inverse"), "needs a subject of 2 components"),
        (Claim("contrast", ("attn.q",), "higher"), "needs `other`"),
        (Claim("value", ("attn.q",), "about"), "needs `value`"),
        (Claim("band", ("attn.q", "attn.k"), "high"), "needs `layers`"),
        (Claim("trend", (), "rising"), "needs a subject of 1 components"),
    ],
)
def test_an_incomplete_claim_is_refused(figure, claim, said):
    with pytest.raises(ValueError, match=said):
        check(figure, claim)


def test_a_sentence_not_understood_is_answered_with_forms(figure):
    assert "Forms that are understood" in check(figure, "hello").statement


def test_a_verdict_names_its_cells(figure):
    cells = check(figure, "attn.k at layers 15-17 is about 0.16").cells
    assert cells == [(15, "attn.k"), (16, "attn.k"), (17, "attn.k")]


def test_layers_that_are_not_there_leave_it_undecided(figure):
    assert check(figure, "attn.k at layers 50-60 is about 0.16").verdict == "undecided"


def test_layers_of_which_the_grid_has_some_only_leave_it_undecided(figure):
    verdict = check(figure, "attn.k at layers 15-40 is above 0.1")
    assert (verdict.verdict, verdict.statement) == ("undecided", "The grid has layers 0-27 only.")


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
    for component, layers, way in (
        ("attn.k", (15, 21), "above"),
        ("attn.o", (15, 18), "above"),
        ("mlp.gate", (0, 6), "about"),
    ):
        found = [
            c
            for c in claims["claim"]
            if (c.kind, c.subject, c.layers, c.direction) == ("value", (component,), layers, way)
        ]
        assert found
    assert not claims["verdict"].isin(["not understood"]).any()


def test_sentences_that_state_no_claim_are_listed_as_such(figure):
    pytest.importorskip("pandas")
    table = check_text(figure, "Layers are many. attn.q rises. It may be a warm-up.")
    assert list(table["verdict"]) == ["no checkable claim", "supported", "no checkable claim"]
    assert list(table["claim"].isna()) == [True, False, True]


def test_an_empty_text_gives_an_empty_table(figure):
    pytest.importorskip("pandas")
    assert list(check_text(figure, "").columns) == ["sentence", "claim", "verdict", "numbers"]

"""From a cell of a comparison to its tensors: those of both models, and their difference."""

import json
import math

import numpy as np
import pytest

from layergrid import LayerGrid, compare
from layergrid.sources import SourceError

from .sources.files import write_safetensors

RNG = np.random.default_rng(8)
Q, UP = "model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.up_proj.weight"
BASE = {Q: RNG.standard_normal((8, 6)).astype("f4"), UP: RNG.standard_normal((12, 6)).astype("f4")}
TUNED = {name: values + RNG.uniform(0.5, 1, values.shape).astype("f4") for name, values in BASE.items()}


@pytest.fixture
def models(tmp_path):
    for name, tensors in (("base", BASE), ("tuned", TUNED)):
        (tmp_path / name).mkdir()
        write_safetensors(tmp_path / name / "model.safetensors", tensors)
        (tmp_path / name / "config.json").write_text(json.dumps({"num_attention_heads": 4, "hidden_size": 6}))
    return tmp_path / "base", tmp_path / "tuned"


def values_of(grid):
    values = grid.data.values
    grid.close()
    return values


def test_a_cell_of_a_comparison_opens_both_tensors_and_by_default_their_difference(models):
    for data in (found := compare(*models, progress=False), found["relative_change"]):
        grid = LayerGrid(data)
        assert grid.get_state()["_opens"]
        np.testing.assert_array_equal(values_of(grid.open(0, "attn.q", "base")), BASE[Q])
        np.testing.assert_array_equal(values_of(grid.open(0, "attn.q", "other")), TUNED[Q])
        np.testing.assert_array_equal(values_of(grid.open(0, "attn.q", "difference")), TUNED[Q] - BASE[Q])
        np.testing.assert_array_equal(values_of(grid.open(0, "mlp.up")), TUNED[UP] - BASE[UP])


def test_two_sources_can_be_given_for_plain_numbers():
    grid = LayerGrid([[1.0]], components=["attn.q"], source=(BASE, TUNED))
    np.testing.assert_array_equal(values_of(grid.open(0, "attn.q")), TUNED[Q] - BASE[Q])


def test_both_have_one_color_scale_and_the_difference_one_of_its_own_about_zero(models):
    grid = LayerGrid(compare(*models, progress=False))
    base, other, difference = (grid.open(0, "attn.q", side) for side in ("base", "other", "difference"))
    assert (base.vmin, base.vmax) == (other.vmin, other.vmax)
    assert base.vmax >= np.quantile(TUNED[Q], 0.99)
    assert (TUNED[Q] - BASE[Q]).min() > 0
    assert difference.vmin == -difference.vmax
    assert difference.center == 0
    assert 0.5 < difference.vmax <= 1
    base.fit()
    assert base.vmax == other.vmax


def test_the_page_is_told_which_of_the_three_it_shows_and_the_numbers_of_the_cell(models):
    grid = LayerGrid(compare(*models, ["relative_change", "cosine"], progress=False))
    told = grid.open(0, "attn.q").get_state()["_tensor"]
    assert told["side"] == 2
    assert told["models"] == [str(model) for model in models]
    assert len(told["cell"]) == 2
    assert told["cell"][0] == [grid.title, grid.cell(0, "attn.q").value]
    grid.position = {"metric": "cosine"}
    assert told["cell"][1] == [grid.title, grid.cell(0, "attn.q").value]
    assert told["divisions"][0]["labels"] == [f"query head {n}" for n in range(4)]


def test_an_adapter_opens_as_the_base_with_its_product_added(tmp_path, models):
    folder = tmp_path / "adapter"
    folder.mkdir()
    down, up = (RNG.standard_normal(shape).astype("f4") for shape in ((2, 6), (8, 2)))
    stem = "base_model.model.model.layers.0.self_attn.q_proj"
    write_safetensors(
        folder / "adapter_model.safetensors", {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
    )
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8}))
    grid = LayerGrid(compare(models[0], folder, progress=False))
    np.testing.assert_allclose(values_of(grid.open(0, "attn.q")), 4 * up @ down, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        values_of(grid.open(0, "attn.q", "other")), BASE[Q] + 4 * up @ down, rtol=1e-4, atol=1e-4
    )


def test_sides_that_there_are_not_are_refused(models):
    grid = LayerGrid(compare(*models, progress=False))
    with pytest.raises(ValueError, match="side must be one of base, other, difference, got 'both'"):
        grid.open(0, "attn.q", "both")
    with pytest.raises(ValueError, match="of one model and has no side 'base'"):
        LayerGrid(models[0]).open(0, "attn.q", "base")
    with pytest.raises(ValueError, match="one model, or two that are compared, got 3"):
        LayerGrid([[1.0]], source=(BASE, BASE, BASE)).open(0, "0")
    with pytest.raises(KeyError, match="has no one tensor for layer 0, component 'nope'"):
        LayerGrid([[1.0]], components=["nope"], source=(BASE, TUNED)).open(0, "nope")


def test_tensors_of_unlike_shapes_open_alone_and_have_no_difference():
    wider = {Q: BASE[Q], UP: np.ones((14, 6), "f4")}
    grid = LayerGrid([[1.0]], components=["mlp.up"], source=(BASE, wider))
    assert grid.open(0, "mlp.up", "other").opened.shape == (14, 6)
    with pytest.raises(ValueError, match=r"\(12, 6\) and \(14, 6\) have no difference"):
        grid.open(0, "mlp.up")


def test_a_model_that_is_gone_is_said(models):
    found = compare(*models, progress=False)
    models[1].rename(models[1].parent / "elsewhere")
    with pytest.raises(SourceError, match=r"are those of .*tuned.* cannot be opened"):
        LayerGrid(found).open(0, "attn.q")


def test_a_metric_that_is_nan_is_told_so():
    grid = LayerGrid([[math.nan]], components=["attn.q"], source=BASE)
    assert grid.open(0, "attn.q").get_state()["_tensor"]["cell"] == [["", "nan"]]

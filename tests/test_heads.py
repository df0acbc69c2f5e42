import json

import numpy as np
import pytest

from layergrid.metrics import measure
from layergrid.scans.heads import heads_of
from layergrid.scans.placement import place
from layergrid.scans.scanning import scan
from layergrid.tensor import as_tensor

from .sources.files import write_safetensors

RNG = np.random.default_rng(3)
SHAPES = {"self_attn.q_proj": (8, 6), "self_attn.k_proj": (4, 6), "self_attn.o_proj": (6, 8), "mlp.up_proj": (12, 6)}
WEIGHTS = {
    f"model.layers.0.{part}.weight": RNG.standard_normal(shape).astype(np.float32) for part, shape in SHAPES.items()
}


@pytest.fixture
def model(tmp_path):
    write_safetensors(tmp_path / "model.safetensors", WEIGHTS)
    write_config(tmp_path, 4, 2)
    return tmp_path


def write_config(folder, heads, kv_heads):
    (folder / "config.json").write_text(json.dumps({"num_attention_heads": heads, "num_key_value_heads": kv_heads}))


def values(found, component):
    return found["norm per head"].sel(layer=0, component=component).values


def norms(groups):
    return [np.linalg.norm(group) for group in groups]


def test_the_config_says_how_many_heads_each_projection_has(model):
    found = scan(model, ["norm per head", "rms"], progress=False)
    q, k, o, _ = WEIGHTS.values()
    assert found["norm per head"].dims == ("layer", "component", "head")
    assert found["head"].values.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(values(found, "attn.q"), norms(np.split(q, 4)), rtol=1e-6)
    np.testing.assert_allclose(values(found, "attn.k")[:2], norms(np.split(k, 2)), rtol=1e-6)
    assert np.isnan(values(found, "attn.k")[2:]).all()
    np.testing.assert_allclose(values(found, "attn.o"), norms(np.split(o, 4, axis=1)), rtol=1e-6)
    assert np.isnan(values(found, "mlp.up")).all()
    assert found.rms.notnull().all()


def test_heads_of_transposed_weights_are_groups_of_columns():
    kernels = {
        "layers_0/attention/query/kernel": WEIGHTS["model.layers.0.self_attn.q_proj.weight"].T,
        "layers_0/attention/key/kernel": WEIGHTS["model.layers.0.self_attn.k_proj.weight"].T,
    }
    cells = place({name: as_tensor(kernel, name) for name, kernel in kernels.items()}).cells
    assert all(cell.transposed for cell in cells)
    divided = heads_of(cells, {"num_attention_heads": 4, "num_key_value_heads": 2})
    assert list(divided.values()) == ["column_head(4)", "column_head(2)"]


def test_a_model_whose_config_knows_no_heads_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"needs the numbers of attention heads.*'norm per head\(9\)'"):
        scan(WEIGHTS, "norm per head", progress=False)
    assert scan({name: WEIGHTS[name] for name in list(WEIGHTS)[:1]}, "norm per head(4)", progress=False)


def test_a_number_that_does_not_divide_the_rows_leaves_the_matrix_without_heads(model):
    write_config(model, 3, 2)
    assert np.isnan(values(scan(model, "norm per head", progress=False), "attn.q")).all()


def test_kept_values_per_head_are_those_of_the_config_they_were_measured_with(model, tmp_path):
    first = scan(model, "norm per head", cache=tmp_path / "kept", progress=False)
    assert scan(model, "norm per head", cache=tmp_path / "kept", progress=False).identical(first)
    write_config(model, 2, 2)
    found = scan(model, "norm per head", cache=tmp_path / "kept", progress=False)
    assert found["head"].size == 2


def test_both_ways_to_ask_can_be_asked_at_once(model):
    q = {name: WEIGHTS[name] for name in list(WEIGHTS)[:1]}
    write_safetensors(model / "model.safetensors", q)
    found = scan(model, ["norm per head", "norm per head(4)", np.ptp], progress=False)
    np.testing.assert_array_equal(found["norm per head"].values, found["norm per head(4)"].values)
    assert found["ptp"].item() == pytest.approx(np.ptp(next(iter(q.values()))))


def test_a_tensor_alone_needs_the_number():
    with pytest.raises(ValueError, match="needs the number of heads, as in 'norm per head"):
        measure(as_tensor(np.ones((4, 2))), ["norm per head"])

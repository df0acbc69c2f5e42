import json

import ml_dtypes
import numpy as np
import pytest

from layergrid.scans.comparing import compare
from layergrid.sources import SourceError

from .sources.files import write_safetensors, write_sharded

RNG = np.random.default_rng(1)
Q, UP = "model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.up_proj.weight"
BASE = {name: RNG.standard_normal((6, 4)).astype(np.float32) for name in (Q, UP)}


def at(found, component, metric="relative_change"):
    return found[metric].sel(layer=0, component=component).item()


def test_the_change_is_that_of_the_tensors():
    other = {Q: BASE[Q] * 1.5, UP: BASE[UP]}
    found = compare(BASE, other, ["relative_change", "cosine"], progress=False)
    assert at(found, "attn.q") == pytest.approx(0.5, rel=1e-6)
    assert at(found, "mlp.up") == 0
    assert at(found, "attn.q", "cosine") == pytest.approx(1, rel=1e-6)


def test_shards_dtype_and_prefix_may_differ(tmp_path):
    exact = {name: values.astype(ml_dtypes.bfloat16) for name, values in BASE.items()}
    base = write_sharded(tmp_path / "base", [{Q: exact[Q]}, {UP: exact[UP]}])
    other = {f"module.{name}": values.astype(np.float32) for name, values in exact.items()}
    found = compare(base, write_safetensors(tmp_path / "o.safetensors", other), progress=False)
    assert found.relative_change.values.tolist() == [[0, 0]]


def test_what_has_no_match_is_listed():
    extra = "model.layers.1.mlp.up_proj.weight"
    found = compare(BASE, {Q: BASE[Q].T, extra: BASE[UP]} | {UP: BASE[UP]}, progress=False)
    assert found.attrs["only_in_other"] == extra
    assert found.attrs["differing_shapes"] == f"{Q}: (6, 4) and (4, 6)"
    assert np.isnan(at(found, "attn.q"))
    assert compare(BASE, {UP: BASE[UP]}, progress=False).attrs["only_in_base"] == Q


def test_models_without_a_common_tensor_are_refused():
    with pytest.raises(SourceError, match="are they the same model"):
        compare({Q: BASE[Q]}, {UP: BASE[UP]}, progress=False)


def test_unknown_metrics_are_refused():
    with pytest.raises(ValueError, match="metrics is empty"):
        compare(BASE, BASE, [])
    with pytest.raises(ValueError, match="'rms' is a metric of one tensor"):
        compare(BASE, BASE, "rms")


def adapter(folder, rank=2, shape=(6, 4), **config):
    folder.mkdir()
    halves = {
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": RNG.standard_normal((rank, shape[1])),
        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": RNG.standard_normal((shape[0], rank)),
    }
    halves = {name: half.astype(np.float32) for name, half in halves.items()}
    write_safetensors(folder / "adapter_model.safetensors", halves)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 8, **config}))
    down, up = halves.values()
    return folder, up.astype(np.float64) @ down


@pytest.mark.parametrize(
    ("config", "scale"),
    [({}, 4), ({"use_rslora": True}, 8 / 2**0.5), ({"alpha_pattern": {"q_proj": 6}}, 3)],
)
def test_an_adapter_is_folded_into_the_base(tmp_path, config, scale):
    folder, product = adapter(tmp_path / "lora", **config)
    found = compare(BASE, folder, progress=False)
    expected = np.linalg.norm(scale * product) / np.linalg.norm(BASE[Q])
    assert at(found, "attn.q") == pytest.approx(expected, rel=1e-5)
    assert found.attrs["only_in_base"] == UP


def test_an_adapter_that_cannot_be_folded_is_refused(tmp_path):
    with pytest.raises(SourceError, match="is a DoRA adapter"):
        compare(BASE, adapter(tmp_path / "dora", use_dora=True)[0], progress=False)
    with pytest.raises(SourceError, match="is this the adapter's base model"):
        compare(BASE, adapter(tmp_path / "wide", shape=(6, 5))[0], progress=False)
    with pytest.raises(SourceError, match=r"is adapter_config\.json beside the adapter"):
        compare(BASE, adapter(tmp_path / "none", lora_alpha=None)[0], progress=False)


def test_a_transposed_base_gets_the_transposed_change(tmp_path):
    folder, product = adapter(tmp_path / "lora", fan_in_fan_out=True)
    base = {Q: np.ascontiguousarray(BASE[Q].T)}
    found = compare(base, folder, "delta_rms", progress=False)
    expected = np.sqrt(np.mean((4 * product) ** 2))
    assert at(found, "attn.q", "delta_rms") == pytest.approx(expected, rel=1e-5)


QKV, OUT = "model.layers.0.self_attn.qkv_proj.weight", "model.layers.0.self_attn.o_proj.weight"
SEPARATE = {f"model.layers.0.self_attn.{part}_proj.weight": RNG.standard_normal((4, 4)).astype("f4") for part in "qkvo"}
FUSED = {QKV: np.concatenate(list(SEPARATE.values())[:3]), OUT: SEPARATE[OUT]}


def test_a_fused_matrix_is_compared_with_separate_ones_part_by_part():
    other = {**SEPARATE, QKV.replace("qkv", "k"): SEPARATE[QKV.replace("qkv", "k")] * 2}
    found = compare(FUSED, other, progress=False)
    assert found.component.values.tolist() == ["attn.q", "attn.k", "attn.v", "attn.o"]
    assert found.relative_change.values.tolist() == [[0, 1, 0, 0]]
    assert found.rows.values.tolist() == [["0:4", "4:8", "8:12", ""]]


def test_a_fused_matrix_that_one_side_alone_can_take_apart_is_compared_whole():
    unlike = {QKV: FUSED[QKV] * 2, OUT: np.ones((4, 6), np.float32)}  # queries are not as wide as this output
    found = compare(FUSED, unlike, progress=False)
    assert at(found, "attn.qkv") == 1
    assert found.attrs["differing_shapes"] == f"{OUT}: (4, 4) and (4, 6)"


def test_an_adapter_of_a_fused_matrix_changes_each_of_its_parts(tmp_path):
    up = np.zeros((12, 1), np.float32)
    up[4:8] = 1
    folder = tmp_path / "lora"
    folder.mkdir()
    module = f"base_model.model.{QKV.removesuffix('.weight')}"
    halves = {f"{module}.lora_A.weight": np.ones((1, 4), np.float32), f"{module}.lora_B.weight": up}
    write_safetensors(folder / "adapter_model.safetensors", halves)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 1}))
    found = compare(FUSED, folder, "delta_rms", progress=False)
    assert found.delta_rms.sel(layer=0).to_series().round(6).to_dict() == {"attn.q": 0, "attn.k": 1, "attn.v": 0}
    assert found.attrs["only_in_base"] == OUT

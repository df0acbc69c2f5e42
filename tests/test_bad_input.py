"""Hostile and damaged input through `scan`: nothing hangs, nothing crashes, no part passes for the whole.

What single readers refuse is tested with them, in tests/sources and tests/logs; here are the cases that a reader
lets pass, or that only the way through the whole package shows.
"""

import os
import time

import numpy as np
import pytest

from layergrid import LayerGrid, parse_name, read, scan
from layergrid.cli import main
from layergrid.sources import SourceError

from .sources.files import with_header, write_safetensors, write_sharded
from .sources.test_gguf import gguf_bytes

UP = "model.layers.0.mlp.up_proj.weight"
Q = "model.layers.1.self_attn.q_proj.weight"
VALUES = np.arange(1.0, 7.0, dtype=np.float32).reshape(2, 3)
HUGE = 1 << 40


@pytest.fixture(autouse=True)
def soon():
    """Every case is over at once; the hangs that these tests were written for took hours."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 60


def empty(path, **shapes):
    """Tensors of huge shapes without an element, which take no byte."""
    header = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    path.write_bytes(with_header(header))
    return path


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.layers.0.mlp.experts.gate_up_proj", [HUGE, 0, 4]),
        ("params.layers.mlp.up_proj.kernel", [HUGE, 0, 4]),
        ("params.layers.mlp.experts.up_proj.kernel", [1 << 20, 1 << 20, 0]),
    ],
)
def test_more_experts_or_layers_than_could_be_gone_through_are_left_out(tmp_path, name, shape):
    path = write_safetensors(tmp_path / "m.safetensors", {UP: VALUES})
    model = {UP: VALUES, **empty_arrays({name: shape})}
    found = scan(model, progress=False)
    assert found.component.values.tolist() == ["mlp.up"]
    assert "layers and experts in one tensor, at most 1048576 are taken apart" in found.attrs["outside"]
    with pytest.raises(SourceError, match="no weight to measure in a numbered layer"):
        scan(empty(path, **{name: shape}), progress=False)


def empty_arrays(shapes):
    return {name: np.empty(shape, np.float32) for name, shape in shapes.items()}


def test_stacked_experts_of_a_gguf_file_may_not_be_endless_either(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes((), [(b"blk.0.ffn_up_exps.weight", (4, 0, HUGE), 0, 0)]))
    with pytest.raises(SourceError, match="no weight to measure in a numbered layer"):
        scan(path, progress=False)


@pytest.mark.parametrize(("metric", "shape"), [("rms per row", [HUGE, 0]), ("rms per column", [0, HUGE])])
def test_more_rows_or_columns_than_could_be_gone_through_are_refused(tmp_path, metric, shape):
    path = empty(tmp_path / "m.safetensors", **{UP: shape})
    with pytest.raises(ValueError, match=f"'{UP}' of shape .* has more than 1048576 (rows|columns) to measure"):
        scan(path, metric, progress=False)


@pytest.mark.parametrize("metric", ["rms", "quantiles(0.5)", "entropy", "stable_rank", "alpha", "quantization_error"])
def test_a_tensor_without_elements_has_no_number(tmp_path, metric):
    path = empty(tmp_path / "m.safetensors", **{UP: [HUGE, 0]})
    found = scan(path, metric, progress=False)
    assert np.isnan(found[metric].values).all()
    assert found.parameter.values.tolist() == [[UP]]


def test_a_single_number_is_measured_when_asked(tmp_path):
    path = write_safetensors(tmp_path / "m.safetensors", {UP: np.float32(-3)})
    assert scan(path, include="all", progress=False).rms.item() == 3


def test_names_that_span_more_cells_than_could_be_held_are_refused():
    model = {f"model.layers.{i}.mlp.experts.{i}.part{i}_x.weight": VALUES for i in range(400)}
    with pytest.raises(ValueError, match=r"the names of 400 tensors span .* layers x .* components x .* experts"):
        scan(model, progress=False)


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_number_that_no_model_counts_to_is_no_layer(digits):
    assert parse_name(f"model.layers.{'9' * digits}.mlp.up_proj.weight") is None
    assert parse_name(f"model.layers.{'9' * 9}.mlp.up_proj.weight").layer == 999_999_999


NAMES = [
    "model.layers.0.mlp.up\x1b[31m_proj\n.weight",
    "model.layers.0.mlp.\ud800.weight",
    "model.layers.0.mlp.‮evil.weight",
    "model.layers.0.mlp.</script><b>.weight",
    "outside\x07\x1b]0;title\x07",
]


def test_any_characters_in_names_pass_through_every_output(tmp_path, capsys):
    path = write_safetensors(tmp_path / "m.safetensors", dict.fromkeys(NAMES, VALUES))
    for _ in range(2):  # measured, then kept
        found = scan(path, cache=tmp_path / "kept", progress=False)
        assert sorted(filter(None, found.parameter.values.flat)) == sorted(
            name.replace("\ud800", r"\ud800") for name in NAMES[:4]
        )
    grid = LayerGrid(found.rms)
    for suffix in ("csv", "html", "svg"):
        grid.save(tmp_path / f"g.{suffix}")
    assert "</script><b>" not in (tmp_path / "g.html").read_text(errors="surrogatepass")
    for arguments in ([], ["--json"], ["--save", str(tmp_path / "o.csv")]):
        assert main(["scan", str(path), "--quiet", *arguments]) == 0
    out, err = capsys.readouterr()
    assert all(character.isprintable() or character == "\n" for character in out + err)


def test_a_part_of_a_million_is_missing_at_once(tmp_path):
    write_safetensors(tmp_path / "model-00001-of-999999.safetensors", {UP: VALUES})
    with pytest.raises(SourceError, match=r"lacks model-00002-of-999999\.safetensors and \d+ more parts"):
        scan(tmp_path, progress=False)


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors.index.json", "model.safetensors", "m.gguf", "zarr.json", ".zgroup"],
)
def test_a_fifo_in_the_place_of_any_file_is_refused(tmp_path, name):
    write_safetensors(tmp_path / "a.safetensors", {UP: VALUES})
    if name == "m.gguf":
        (tmp_path / "a.safetensors").unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match=r"(is a FIFO, not a file|is no regular file)"):
        scan(tmp_path, progress=False)
    with pytest.raises(SourceError, match="is a FIFO, not a file"):
        read(tmp_path / name)


def test_a_fifo_among_the_chunks_of_a_zarr_group_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "m"), mode="w")
    group.create_array("layers/0/mlp/up_proj", shape=(2, 3), dtype="f4")[...] = VALUES
    (tmp_path / "m" / "layers" / "1").symlink_to("../layers")
    with pytest.raises(SourceError, match="links to a folder"):
        scan(tmp_path / "m", progress=False)
    (tmp_path / "m" / "layers" / "1").unlink()
    os.mkfifo(tmp_path / "m" / "layers" / "0" / "mlp" / "up_proj" / "c" / "9")
    with pytest.raises(SourceError, match="is no regular file"):
        scan(tmp_path / "m", progress=False)


def test_a_file_that_shrinks_during_the_scan_is_missing_and_not_zero(tmp_path):
    folder = write_sharded(tmp_path / "m", [{UP: VALUES}, {Q: VALUES}])

    def first(array):
        os.truncate(folder / "model-00002-of-00002.safetensors", 4096)  # grown: of another size in any case
        return float(array[0, 0])

    with pytest.raises(SourceError, match="while being read"):
        scan(folder, [first, "rms"], progress=False, include="matrices", executor=_Inline())
    write_sharded(folder, [{UP: VALUES}, {Q: VALUES}])
    found = scan(folder, [first, "rms"], progress=False, on_error="skip", executor=_Inline())
    assert found["first"].sel(layer=0, component="mlp.up").item() == 1
    assert np.isnan(found["first"].sel(layer=1, component="attn.q"))
    assert f"{Q}: " in found.attrs["skipped"]


def _Inline():
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1)


@pytest.mark.parametrize(
    "config",
    [
        '{"quantization_config": 3, "num_attention_heads": "x", "hidden_size": null}',
        '{"num_attention_heads": 0, "num_key_value_heads": 0, "head_dim": 0}',
        '{"num_attention_heads": 1000000000000000000, "head_dim": 1000000000000000000}',
        '{"num_attention_heads": -2, "num_key_value_heads": 2.5, "head_dim": true}',
        '{"quantization_config": {"weight_block_size": [0, -1]}, "text_config": {"text_config": []}}',
    ],
)
def test_a_config_of_nonsense_leaves_a_fused_tensor_whole(tmp_path, config):
    write_safetensors(
        tmp_path / "m.safetensors", {"model.layers.0.self_attn.qkv_proj.weight": np.ones((12, 4), np.float32)}
    )
    (tmp_path / "config.json").write_text(config)
    assert scan(tmp_path, progress=False).component.values.tolist() == ["attn.qkv"]


def test_damage_in_one_shard_of_many_is_named_and_the_rest_is_measured(tmp_path):
    shards = [{f"model.layers.{i}.mlp.up_proj.weight": VALUES} for i in range(30)]
    folder = write_sharded(tmp_path / "m", shards)
    (folder / "model-00008-of-00030.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(SourceError, match=r"model-00008-of-00030\.safetensors announces a header of \d+ bytes"):
        scan(folder, progress=False)
    found = scan(folder, progress=False, on_error="skip")
    assert np.flatnonzero(np.isnan(found.rms.values[:, 0])).tolist() == [7]
    assert found.parameter.values[7, 0] == "model.layers.7.mlp.up_proj.weight"
    assert found.attrs["skipped"].startswith("model-00008-of-00030.safetensors: ")

import json
import os

import ml_dtypes
import numpy as np
import pytest

from layergrid.sources import SourceError, open_source

from .files import whole, write_index, write_safetensors, write_sharded

A, B = "model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"
ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
VALUES = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def folder(tmp_path):
    return write_sharded(tmp_path / "model", [{A: VALUES}, {B: VALUES + 1}])


def test_a_sharded_folder_is_read_whole(folder):
    source = open_source(folder)
    assert source.format == "safetensors"
    assert np.array_equal(whole(source.tensors[A]), VALUES)
    assert np.array_equal(whole(source.tensors[B]), VALUES + 1)


def test_the_index_itself_can_be_given(folder):
    assert set(open_source(folder / "model.safetensors.index.json").tensors) == {A, B}


def test_a_folder_without_index_is_all_its_shards(folder):
    (folder / "model.safetensors.index.json").unlink()
    assert set(open_source(folder).tensors) == {A, B}


def test_files_beside_the_index_that_it_does_not_name_are_not_read(folder):
    write_safetensors(folder / "consolidated.safetensors", {A: VALUES})
    assert set(open_source(folder).tensors) == {A, B}


def test_the_config_beside_the_weights_is_read(folder):
    (folder / "config.json").write_text('{"model_type": "llama"}')
    assert open_source(folder).config == {"model_type": "llama"}
    assert open_source(folder / ONE).config == {"model_type": "llama"}


def test_links_into_another_folder_are_followed(tmp_path, folder):
    # The Hugging Face cache is made of such links.
    (folder / ONE).rename(tmp_path / "blob")
    (folder / ONE).symlink_to("../blob")
    assert np.array_equal(whole(open_source(folder).tensors[A]), VALUES)


def test_a_file_without_suffix_is_known_by_its_beginning(folder):
    (folder / ONE).rename(folder / "blob")
    assert list(open_source(folder / "blob").tensors) == [A]


def test_a_shard_is_looked_at_once_however_many_tensors_it_has(tmp_path, monkeypatch):
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(50)]
    folder = write_sharded(tmp_path / "m", [{name: np.ones((2, 2), np.float32) for name in names}])
    seen = []
    monkeypatch.setattr("layergrid.sources.files.os.path.realpath", lambda path: seen.append(path) or str(path))
    identities = open_source(folder).identities
    assert len(identities) == 50
    assert len(seen) == 1


def test_a_missing_shard_is_refused(folder):
    (folder / TWO).unlink()
    with pytest.raises(SourceError, match=f"{TWO} does not exist"):
        open_source(folder)


def test_a_missing_shard_is_noticed_by_the_number_in_the_names(folder):
    (folder / "model.safetensors.index.json").unlink()
    (folder / TWO).unlink()
    with pytest.raises(SourceError, match=f"lacks {TWO}; is the download complete"):
        open_source(folder)


def test_shards_counted_from_zero_are_complete(tmp_path):
    for number in range(2):
        write_safetensors(tmp_path / f"m-{number:05d}-of-00002.safetensors", {f"t{number}": VALUES})
    assert set(open_source(tmp_path).tensors) == {"t0", "t1"}


def test_a_damaged_shard_can_be_skipped_and_is_reported(folder):
    os.truncate(folder / TWO, 40)
    source = open_source(folder, on_error="skip")
    assert list(source.tensors) == [A]
    assert source.missing == (B,)
    assert "inside its header" in source.skipped[TWO]
    with pytest.raises(SourceError, match="inside its header"):
        open_source(folder)


def test_a_tensor_in_two_shards_is_refused(folder):
    (folder / "model.safetensors.index.json").unlink()
    write_safetensors(folder / "other.safetensors", {A: VALUES})
    with pytest.raises(SourceError, match=f"tensor '{A}' is in both {ONE} and other.safetensors"):
        open_source(folder)


@pytest.mark.parametrize(
    "shard",
    ["../model.safetensors", "/etc/model.safetensors", "a/../../b", "..\\b", "c:b", "", "a\0b", None, 3],
)
def test_an_index_that_points_out_of_the_folder_is_refused(folder, shard):
    write_index(folder, {A: shard})
    with pytest.raises(SourceError, match=r"outside of the folder; an index may only name files beside it"):
        open_source(folder, on_error="skip")


@pytest.mark.parametrize(
    "index", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": 1', '{"a":' * 99999]
)
def test_an_index_that_is_none_is_refused(folder, index):
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(SourceError, match=r"model\.safetensors\.index\.json"):
        open_source(folder)


def test_an_index_that_disagrees_with_its_shards_is_refused(folder):
    write_index(folder, {A: TWO, B: TWO})
    with pytest.raises(SourceError, match=f"places '{A}' in {TWO}, but it is in none of the shards"):
        open_source(folder)
    write_index(folder, {A: TWO, B: ONE})
    with pytest.raises(SourceError, match=f"places '{A}' in {TWO}, but it is in {ONE}"):
        open_source(folder, on_error="skip")


def test_a_tensor_that_only_the_index_knows_can_be_skipped(folder):
    write_index(folder, {A: ONE, B: TWO, "new": TWO})
    source = open_source(folder, on_error="skip")
    assert source.missing == ("new",)
    assert "in none of the shards" in source.skipped["new"]


def test_two_indices_are_refused(folder):
    (folder / "other.safetensors.index.json").write_text("{}")
    with pytest.raises(SourceError, match="holds several models"):
        open_source(folder)


def test_a_huge_index_is_not_read(folder):
    os.truncate(folder / "model.safetensors.index.json", 200_000_000)  # sparse: takes no disk
    with pytest.raises(SourceError, match="at most 100000000 are read"):
        open_source(folder)


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(SourceError, match=r"looked for \*\.safetensors and \*\.gguf"):
        open_source(tmp_path)


def test_a_folder_that_is_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(SourceError, match="loop of symbolic links"):
        open_source(tmp_path / "a")


@pytest.mark.parametrize("name", ["a.bin", "a.pt", "a.pth", "a.ckpt", "a.pkl"])
def test_a_pickle_is_refused_with_the_line_that_converts_it(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x80\x04.")
    for given in (path, tmp_path):
        with pytest.raises(SourceError, match="is a pickle") as caught:
            open_source(given)
        line = str(caught.value).splitlines()[1]
        compile(line, "conversion", "exec")
        assert f"torch.load({str(path)!r}, map_location='cpu', weights_only=True)" in line
        assert repr(str(tmp_path / "a.safetensors")) in line


def test_safetensors_beside_pickles_are_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    write_safetensors(tmp_path / "model.safetensors", {A: VALUES})
    assert list(open_source(tmp_path).tensors) == [A]


def scaled_model(tmp_path, shape, block, scale_name="weight_scale_inv"):
    """A float8 weight and its factors in two shards; returns the folder and the weight they stand for."""
    rng = np.random.default_rng(0)
    codes = rng.standard_normal(shape).astype(ml_dtypes.float8_e4m3fn)
    blocks = tuple(-(-length // size) for length, size in zip(shape, block, strict=True))
    factors = rng.uniform(0.5, 2, blocks).astype(np.float32)
    full = factors.repeat(block[0], 0).repeat(block[1], 1)[: shape[0], : shape[1]]
    folder = write_sharded(tmp_path / "f8", [{A: codes}, {A.replace("weight", scale_name): factors}])
    return folder, codes.astype(np.float32) * full


@pytest.mark.parametrize("scale_name", ["weight_scale_inv", "weight_scale"])
def test_block_scaled_float8_is_dequantised(tmp_path, scale_name):
    folder, expected = scaled_model(tmp_path, (300, 200), (128, 128), scale_name)
    source = open_source(folder)
    (tensor,) = source.tensors.values()
    assert tensor.dtype == "F32"
    assert np.array_equal(whole(tensor), expected)
    # Any run of elements, also within one row and over the edge of a block.
    for start, stop in [(0, 1), (127, 129), (127 * 200 + 150, 129 * 200 + 7), (59_999, 60_000), (500, 500)]:
        assert np.array_equal(tensor.read(start, stop), expected.ravel()[start:stop])


def test_the_block_size_is_that_of_the_config(tmp_path):
    folder, expected = scaled_model(tmp_path, (100, 100), (64, 32))
    with pytest.raises(SourceError, match=r"is its config\.json beside it"):
        open_source(folder)
    (folder / "config.json").write_text(json.dumps({"quantization_config": {"weight_block_size": [64, 32]}}))
    (tensor,) = open_source(folder).tensors.values()
    assert np.array_equal(whole(tensor), expected)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (6,), (6, 1)])
def test_factors_of_a_tensor_or_a_row_need_no_config(tmp_path, shape):
    codes = np.arange(24.0).reshape(6, 4).astype(ml_dtypes.float8_e5m2)
    factors = np.linspace(0.5, 2, int(np.prod(shape)), dtype=ml_dtypes.bfloat16).reshape(shape)
    write_safetensors(tmp_path / "a.safetensors", {A: codes, f"{A}_scale": factors})
    (tensor,) = open_source(tmp_path).tensors.values()
    expected = codes.astype(np.float32) * factors.astype(np.float32).reshape(-1, 1)
    assert np.array_equal(whole(tensor), expected)
    assert np.array_equal(tensor.read(3, 9), expected.ravel()[3:9])


def test_float8_without_factors_is_read_as_it_is(tmp_path):
    values = np.array([1, 2, 448], ml_dtypes.float8_e4m3fn)
    source = open_source(write_safetensors(tmp_path / "a.safetensors", {A: values}))
    assert source.tensors[A].dtype == "F8_E4M3"

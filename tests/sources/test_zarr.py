import json
import pickle
import sys

import numpy as np
import pytest

from layergrid.scans.scanning import scan
from layergrid.sources import SourceError, open_source
from layergrid.sources import zarr as zarr_module

from .files import whole
from .server import serving

zarr = pytest.importorskip("zarr")

RNG = np.random.default_rng(0)
ARRAYS = {
    f"model/layers/{layer}/self_attn/{part}_proj": RNG.standard_normal((50, 7, 3)).astype(np.float32)
    for layer in range(2)
    for part in "qk"
}
Q0 = "model/layers/0/self_attn/q_proj"


def write(path, arrays, zarr_format=3, **options):
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    for name, array in arrays.items():
        stored = group.create_array(name, shape=array.shape, dtype=array.dtype, **options)
        stored[...] = array
    return group


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "m.zarr", ARRAYS, chunks=(8, 4, 3))
    return tmp_path / "m.zarr"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_arrays_of_a_group_are_read_exactly(tmp_path, zarr_format):
    write(tmp_path / "m", ARRAYS, zarr_format, chunks=(8, 4, 3))
    source = open_source(tmp_path / "m")
    assert source.format == "Zarr"
    assert sorted(source.tensors) == sorted(ARRAYS)
    assert all(np.array_equal(whole(source.tensors[name]), ARRAYS[name]) for name in ARRAYS)


@pytest.mark.parametrize("kept", [True, False])
def test_any_run_of_elements_is_read(folder, monkeypatch, kept):
    if not kept:
        monkeypatch.setattr(zarr_module, "_KEPT_BYTES", 0)
    tensor = open_source(folder).tensors[Q0]
    for start, stop in [(0, 1), (20, 23), (160, 700), (1049, 1050), (5, 5)]:
        assert np.array_equal(tensor.read(start, stop), ARRAYS[Q0].ravel()[start:stop])


def test_each_row_of_chunks_is_unpacked_once(folder, monkeypatch):
    tensor = open_source(folder).tensors[Q0]
    unpacked = []
    read = zarr_module.ZarrElements._unpacked
    monkeypatch.setattr(
        zarr_module.ZarrElements, "_unpacked", lambda self, rows: unpacked.append(rows) or read(self, rows)
    )
    for start in range(0, tensor.size, 10):
        tensor.read(start, start + 10)
    assert len(unpacked) == 7  # 50 rows, 8 a chunk


def test_a_group_and_an_array_in_memory_are_sources_too(folder):
    group = zarr.open_group(str(folder), mode="r")
    assert sorted(open_source(group).tensors) == sorted(ARRAYS)
    source = open_source({"layers.0.q_proj": group[Q0]})
    assert np.array_equal(whole(source.tensors["layers.0.q_proj"]), ARRAYS[Q0])
    (tensor,) = pickle.loads(pickle.dumps(tuple(source.tensors.values())))
    assert np.array_equal(whole(tensor), ARRAYS[Q0])


def test_a_group_is_scanned(folder):
    found = scan(folder, "max", progress=False)["max"]
    assert found.sel(layer=0, component="attn.q").item() == ARRAYS[Q0].max()


def test_a_group_behind_a_url_is_read(tmp_path):
    pytest.importorskip("aiohttp")
    write(tmp_path / "m.zarr", ARRAYS, 2, chunks=(8, 4, 3))
    with serving(tmp_path) as server:
        with pytest.raises(SourceError, match="consolidate its metadata"):  # http lists no folders
            open_source(f"{server.url}/m.zarr")
        zarr.consolidate_metadata(str(tmp_path / "m.zarr"))
        source = open_source(f"{server.url}/m.zarr")
        assert np.array_equal(whole(source.tensors[Q0]), ARRAYS[Q0])


def test_single_numbers_and_empty_arrays_are_read(tmp_path):
    write(tmp_path / "m", {"single": np.array(2.5), "empty": np.zeros((0, 3))})
    tensors = open_source(tmp_path / "m").tensors
    assert whole(tensors["single"]) == 2.5
    assert whole(tensors["empty"]).shape == (0, 3)


def test_texts_and_complex_numbers_are_refused(tmp_path):
    write(tmp_path / "m", {"a": np.zeros(3, np.complex64)})
    with pytest.raises(SourceError, match="array 'a' has dtype complex64; supported: float64"):
        open_source(tmp_path / "m")


def test_chunks_too_large_to_unpack_are_refused(tmp_path):
    zarr.open_group(str(tmp_path / "m"), mode="w").create_array("a", shape=(1 << 40,), chunks=(1 << 40,), dtype="f4")
    with pytest.raises(SourceError, match=r"has chunks of 4398046511104 bytes, at most \d+ can be unpacked"):
        open_source(tmp_path / "m")


def test_a_damaged_chunk_is_refused_with_its_array(folder):
    (folder / Q0 / "c" / "0" / "0" / "0").write_bytes(b"not compressed")
    tensor = open_source(folder).tensors[Q0]
    with pytest.raises(SourceError, match=f"array '{Q0}' cannot be read .*; is it complete"):
        tensor.read(0, 1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a":' * 50_000, '{"zarr_format": 9, "node_type": "group"}'])
def test_damaged_metadata_is_refused(folder, text):
    (folder / "zarr.json").write_text(text)
    with pytest.raises(SourceError, match=r"m\.zarr.* cannot be read"):
        open_source(folder)


def test_an_array_alone_is_refused(tmp_path):
    zarr.create_array(str(tmp_path / "a"), shape=(3,), dtype="f4")
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(tmp_path / "a")


def test_negative_shapes_are_refused(folder):
    path = folder / Q0 / "zarr.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "shape": [-1, 7, 3]}))
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(folder)


def test_without_zarr_a_group_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"pip install 'layergrid\[zarr\]'"):
        open_source(folder)

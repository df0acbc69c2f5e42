import json
import struct
from pathlib import Path

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

import layergrid
from layergrid import LayerGrid, scan
from layergrid.cli import main
from layergrid.reading import read
from layergrid.sources import SourceError

from ..sources.files import write_safetensors
from ..sources.server import serving
from ..sources.test_gguf import gguf_bytes, text

Q0, UP0, UP1 = (
    "model.layers.0.self_attn.q_proj",
    "model.layers.0.mlp.up_proj",
    "model.layers.1.mlp.up_proj",
)


@pytest.fixture
def write(tmp_path):
    def write(content, name="log"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def at(found, metric, layer, component, **where):
    return found[metric].sel(layer=layer, component=component, **where).item()


# As the console of GPTQModel 2 shows it, colors and progress bar among it.
CONSOLE = (Path(__file__).parent.parent / "fixtures" / "gptqmodel_console.log").read_text()


def test_the_console_of_gptqmodel_is_read(write):
    found = read(write(CONSOLE))
    assert found.attrs["format"] == "GPTQModel quantization log"
    assert list(found) == ["loss", "damp", "time", "fwd_time"]
    assert at(found, "loss", 0, "attn.q") == 0.50696
    assert at(found, "loss", 1, "mlp.up") == 40.37522
    assert at(found, "damp", 1, "mlp.up") == 0.025
    assert found.parameter.sel(layer=1).values.tolist() == ["", "layers.1.mlp.up_proj"]
    assert found.time.attrs["units"] == "s"


def test_a_console_that_powershell_has_saved_is_read(write):
    assert read(write(CONSOLE.encode("utf-16"))).identical(read(write(CONSOLE)))


def test_the_process_log_of_gptqmodel_is_read(write):
    rows = [
        {"process": "gptq", "layer": 0, "module": "mlp.experts.1.up_proj", "loss": "0.25", "samples": "36616"},
        {"process": "gptq", "layer": 0, "module": "mlp.experts.0.up_proj", "loss": "0.5", "samples": "12"},
    ]
    found = read(write("\n".join(json.dumps(row, indent=4) for row in rows) + "\n"))
    assert found.attrs["format"] == "GPTQModel quantization log"
    assert found.loss.sel(layer=0, component="mlp.up").values.tolist() == [0.5, 0.25]
    assert found.expert.values.tolist() == [0, 1]
    assert read(write(json.dumps(rows))).identical(found)


@pytest.mark.parametrize(("samples", "damp"), [("", "0.01000"), (",36616", "0.01000")])
def test_the_csv_of_gptqmodel_is_read_with_and_without_the_column_it_forgets(write, samples, damp):
    found = read(write(f"layer,module,loss,samples,damp,time\r\n3,self_attn.q_proj,0.5{samples},{damp},1.5\r\n"))
    assert found.attrs["format"] == "GPTQModel quantization log"
    assert (at(found, "damp", 3, "attn.q"), at(found, "time", 3, "attn.q")) == (0.01, 1.5)
    assert ("samples" in found) == bool(samples)


def test_a_loss_that_is_no_number_is_missing_and_listed(write):
    found = read(write(CONSOLE.replace("'40.37522'", "'failsafe(rtn)'")))
    assert np.isnan(at(found, "loss", 1, "mlp.up"))
    assert found.attrs["not_numbers"] == "layers.1.mlp.up_proj: loss 'failsafe(rtn)'"


def test_a_row_of_gptqmodel_without_a_layer_is_refused(write):
    with pytest.raises(SourceError, match="a row has layer 'x' and module"):
        read(write("{'layer': 'x', 'module': 'a', 'loss': '1'}"))
    with pytest.raises(SourceError, match="no row has a number"):
        read(write("{'layer': 1, 'module': 'mlp.up_proj', 'loss': 'none'}"))


def imatrix(tensors, kind=b"imatrix"):
    """A GGUF file of float32 tensors of shape (rows, columns)."""
    data, infos = b"", []
    for name, array in tensors.items():
        infos.append((name.encode(), array.shape[::-1], 0, len(data)))
        data += array.astype("<f4").tobytes().ljust(-(-array.nbytes // 32) * 32, b"\0")
    keys = [
        (b"general.type", struct.pack("<I", 8) + text(kind)),
        (b"imatrix.chunk_count", struct.pack("<II", 4, 45)),
    ]
    return gguf_bytes(keys, infos, data)


def f4(*values):
    return np.array(values, np.float32)


def test_an_importance_matrix_is_read(write):
    tensors = {
        "blk.0.attn_q.weight.in_sum2": f4([2, 4, 6]),
        "blk.0.attn_q.weight.counts": f4([2]),
        "blk.1.ffn_down_exps.weight.in_sum2": f4([8, 16], [0, 0], [3, 9]),
        "blk.1.ffn_down_exps.weight.counts": f4([4], [0], [3]),
    }
    found = read(write(imatrix(tensors)))
    assert found.attrs["format"] == "llama.cpp importance matrix"
    assert found.attrs["chunk_count"] == "45"
    assert [at(found, name, 0, "attn.q", expert=-1) for name in found] == [2, 6, 3, 2]
    assert found.mean_square.sel(layer=1, component="mlp.down", expert=[0, 2]).values.tolist() == [3, 2]
    assert np.isnan(at(found, "mean_square", 1, "mlp.down", expert=1))  # met no token
    assert at(found, "tokens", 1, "mlp.down", expert=1) == 0
    assert at(found.parameter.to_dataset(name="p"), "p", 0, "attn.q", expert=-1) == "blk.0.attn_q.weight"


@pytest.mark.parametrize(
    ("tensors", "problem"),
    [
        ({"blk.0.attn_q.weight.in_sum2": f4([1, 2, 3])}, r"but counts of shape None"),
        ({"blk.0.attn_q.weight.in_sum2": f4([1, 2, 3]), "blk.0.attn_q.weight.counts": f4([1, 2])}, r"\(1, 2\)"),
        ({"blk.0.attn_q.weight.counts": f4([1])}, "holds no .in_sum2 tensor"),
    ],
)
def test_an_importance_matrix_that_does_not_fit_together_is_refused(write, tensors, problem):
    with pytest.raises(SourceError, match=problem):
        read(write(imatrix(tensors)))


def measurement(*accuracies):
    """An option per accuracy; the more accurate, the more bits."""
    settings = {"group_size": {"4": 128}, "bits": [4], "bits_prop": [1], "scale_bits": 4}
    return [{"accuracy": value, "total_bits": int(1000 * value), "q_proj": settings} for value in accuracies]


def test_a_measurement_of_exllamav2_is_read(write):
    content = {
        "measurement": {
            "model.layers.0.self_attn": measurement(0.75, 0.5, 1.0),
            "model.layers.0.mlp": measurement(0.25),
            "model.layers.1.parallel_decoder": {"attn": measurement(0.5), "mlp": measurement(0.75, 0.875)},
            "model.norm.norm": None,
        },
        "last_module_idx": 5,
    }
    found = read(write(json.dumps(content)))
    assert found.attrs["format"] == "exllamav2 measurement"
    assert found.component.values.tolist() == ["self_attn", "mlp"]
    assert found.error.values.tolist() == [[0.5, 0.75], [0.5, 0.25]]
    assert found.accuracy.sel(layer=0, component="self_attn").values.tolist() == [0.5, 0.75, 1.0]
    assert found.total_bits.dims == ("layer", "component", "option")
    assert np.isnan(found.accuracy.sel(layer=0, component="mlp").values[1:]).all()
    assert LayerGrid(found.error).data.shape == (2, 2)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"measurement": {"model.layers.0.mlp": [{"accuracy": 1}]}}, "no number for total_bits and accuracy"),
        ({"measurement": {"model.layers.0.mlp": [3]}}, "no number for total_bits and accuracy"),
        ({"measurement": {"model.layers.0.mlp": []}}, "holds no option"),
        ({"measurement": {"a": measurement(1)}}, "none of its 1 names says which layer"),
    ],
)
def test_a_measurement_that_is_incomplete_is_refused(write, content, problem):
    with pytest.raises(SourceError, match=problem):
        read(write(json.dumps(content)))


NAMED = [(Q0, 1.5), (UP0, 2.0), (UP1, float("nan")), ("lm_head", 9.0)]


def parquet(columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "content",
    [
        "name,value\n" + "\n".join(f"{name},{value}" for name, value in NAMED),
        "\ufeffname;value\r\n" + "\r\n".join(f'"{name}";{value}' for name, value in NAMED),
        ",value\n" + "\n".join(f"{name},{value}" for name, value in NAMED),
        "param\tvalue\n" + "\n".join(f"{name}\t{value}" for name, value in NAMED),
        json.dumps(dict(NAMED)),
        json.dumps({name: {"value": value} for name, value in NAMED}),
        json.dumps([{"name": name, "value": value} for name, value in NAMED]),
        json.dumps({"name": [name for name, _ in NAMED], "value": [value for _, value in NAMED]}),
        "\n".join(json.dumps({"name": name, "value": value}) for name, value in NAMED),
        parquet({"name": [name for name, _ in NAMED], "value": [value for _, value in NAMED]}),
    ],
    ids=["csv", "bom", "index", "tabs", "mapping", "objects", "records", "columns", "lines", "parquet"],
)
def test_names_and_values_are_read_in_every_form(write, content):
    found = read(write(content))
    assert "of names and values" in found.attrs["format"]
    assert at(found, "value", 0, "attn.q") == 1.5
    assert at(found, "value", 0, "mlp.up") == 2
    assert found.parameter.values.tolist() == [[Q0, UP0], ["", UP1]]
    assert np.isnan(at(found, "value", 1, "mlp.up"))
    assert found.attrs["outside"] == "lm_head"


def test_steps_become_a_dim(write):
    rows = ["name,global_step,loss,note", f"{Q0},20,2,b", f"{Q0},10,1,a", f"{UP0},20,3,c"]
    found = read(write("\n".join(rows)))
    assert found.loss.dims == ("layer", "component", "step")
    assert found.step.values.tolist() == [10, 20]
    assert found.loss.sel(layer=0, component="attn.q").values.tolist() == [1, 2]
    assert np.array_equal(found.loss.sel(layer=0, component="mlp.up"), [np.nan, 3], equal_nan=True)
    assert found.attrs["left_out"] == "note"


def test_a_module_without_layer_takes_it_from_the_column_beside_it(write):
    found = read(write("layer,module,error\n0,self_attn.q_proj,1\n1,self_attn.q_proj,2\n"))
    assert found.error.values.ravel().tolist() == [1, 2]


def test_rows_of_layer_and_component_are_read(write):
    rows = ["layer,component,value,step", "10,z,1,5", "9,z,2,5", "9,a,3,5", "9,a,4,6"]
    found = read(write("\n".join(rows)))
    assert found.value.dims == ("layer", "component", "step")
    assert found.layer.values.tolist() == [9, 10]
    assert found.component.values.tolist() == ["z", "a"]
    assert at(found, "value", 9, "a", step=6) == 4
    assert found.absent.sel(layer=10, component="a").values.all()
    assert not found.absent.sel(layer=9, component="a").values.any()


def test_a_column_for_each_component_is_read(write):
    found = read(write("layer,attn.q,mlp.up\n0,1,\n1,3,4\n"))
    assert found.attrs["format"] == "CSV table with a column per component"
    assert found["value"].values[1].tolist() == [3, 4]
    assert found["value"].absent.values.tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("how", ["--json", "--save"])
def test_what_the_command_writes_is_read_back(tmp_path, capsys, how):
    model = {f"{name}.weight": np.full((2, 3), 2 + i, np.float32) for i, name in enumerate((Q0, UP0, UP1))}
    path = write_safetensors(tmp_path / "m.safetensors", model)
    saved = tmp_path / ("o.json" if how == "--json" else "o.csv")
    main(["scan", str(path), "--metric", "rms", "--metric", "max", "--quiet", how, *([str(saved)] * (how == "--save"))])
    if how == "--json":
        saved.write_text(capsys.readouterr().out)
    found, expected = read(saved), scan(path, ["rms", "max"], progress=False)
    xarray.testing.assert_equal(found, expected)


def test_a_log_behind_a_url_is_read(write):
    path = write(CONSOLE, "quantize.log")
    with serving(path.parent) as server:
        assert at(read(f"{server.url}/quantize.log"), "loss", 0, "attn.q") == 0.50696


def test_what_is_read_can_be_drawn(write):
    grid = LayerGrid(layergrid.read(write(CONSOLE))["loss"])
    assert grid.components == ["attn.q", "mlp.up"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (b"\0\1\2\3 what is this", "neither a text nor a file that is known"),
        ("hello", "has 1 lines, a table needs a header"),
        ("a,b\n1", "row 2 has 1 fields, but the header has 2"),
        ("name,name\na,b", "has the column 'name' twice"),
        ("name,value\na,b", "has no column of numbers among 'name', 'value'"),
        ("name,value\na,1", "none of its 1 names says which layer it belongs to"),
        (f"name,value\n{Q0},1\n{Q0},2", "two different values of value: 1.0 and 2.0"),
        (f"name,value,step\n{Q0},1,7\n{Q0},2,7", "two different values of value in step 7"),
        ("layer,component,value\n0,a,1\n0,a,2", "more than one row for layer 0, component a"),
        ("layer,a\n0,1\n0,2", "was taken for a CSV table"),
        ('name,value\n"' + "x" * 200_000 + '",1', "is no readable table"),
        ("[]", "is a JSON list, but not of objects"),
        ("[1, 2]", "is a JSON list, but not of objects"),
        ('{"a": "b"}', "is a JSON object without numbers"),
        ('{"a": 1', "is not valid JSON"),
        ('{"a":' * 100_000, "is nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "is not valid JSON"),
        (b"PAR1 no more", "is no readable Parquet file"),
        (imatrix({"blk.0.attn_q.weight": f4([1])}, b"model"), "is a checkpoint, not a log"),
        (struct.pack("<Q", 2) + b"{}", "is a checkpoint, not a log"),
        (b"PK\x03\x04", "is a checkpoint, not a log"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(write, content, problem):
    path = write(content)
    with pytest.raises(SourceError, match=problem) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_pickle_and_a_missing_file_are_refused(write, tmp_path):
    with pytest.raises(SourceError, match="is a pickle"):
        read(write(b"\x80\x04.", "results.pkl"))
    with pytest.raises(SourceError, match="does not exist"):
        read(tmp_path / "none.csv")


def test_a_file_too_large_for_a_log_is_refused(write, monkeypatch):
    monkeypatch.setattr("layergrid.reading.MAX_BYTES", 10)
    with pytest.raises(SourceError, match="at most 10 of a log are read"):
        read(write(CONSOLE))


def test_parquet_without_pyarrow_says_what_to_install(write, monkeypatch):
    path = write(parquet({"name": [Q0], "value": [1.0]}))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        read(path)


SEEDS = [
    CONSOLE.encode(),
    json.dumps({"measurement": {"model.layers.0.mlp": measurement(0.5, 1)}}).encode(),
    imatrix({"blk.0.attn_q.weight.in_sum2": f4([2, 4]), "blk.0.attn_q.weight.counts": f4([2])}),
    f"name,value,step\n{Q0},1,7\n{Q0},2,8\n".encode(),
    json.dumps({"cells": [{"layer": 0, "component": "a", "rms": 1}]}).encode(),
]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("seed", SEEDS, ids=["console", "measurement", "imatrix", "csv", "cells"])
def test_whatever_byte_is_changed_it_is_read_or_refused(seed, data, tmp_path_factory):
    content = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(content)
    try:
        assert isinstance(read(path), xarray.Dataset)
    except SourceError as error:
        assert str(path) in str(error)  # noqa: PT017

import os
import re
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from layergrid.metrics import measure
from layergrid.scans.scanning import scan
from layergrid.sources import SourceError
from layergrid.tensor import as_tensor

from .sources.files import write_safetensors, write_sharded

RNG = np.random.default_rng(0)


def block(layer, part, shape=(4, 3)):
    return {f"model.layers.{layer}.{part}.weight": RNG.standard_normal(shape).astype(np.float32)}


MODEL = {
    "model.embed_tokens.weight": np.ones((5, 3), np.float32),
    **block(0, "self_attn.q_proj"),
    **block(0, "mlp.up_proj"),
    **block(0, "input_layernorm", (3,)),
    **block(0, "post_attention_layernorm", (3,)),
    **block(1, "self_attn.q_proj"),
}
Q0 = "model.layers.0.self_attn.q_proj.weight"
UP0 = "model.layers.0.mlp.up_proj.weight"


@pytest.fixture
def path(tmp_path):
    return write_safetensors(tmp_path / "m.safetensors", MODEL)


def rms(array):
    return float(np.sqrt(np.mean(array.astype(np.float64) ** 2)))


def test_every_matrix_has_its_number_and_its_name(path):
    found = scan(path, ["rms", "max"], progress=False)
    assert found.rms.dims == ("layer", "component")
    assert found.component.values.tolist() == ["attn.q", "mlp.up"]
    assert found.rms.sel(layer=0, component="attn.q").item() == pytest.approx(rms(MODEL[Q0]), rel=1e-6)
    assert found["max"].sel(layer=0, component="mlp.up").item() == MODEL[UP0].max()
    assert found.parameter.values.tolist() == [[Q0, UP0], ["model.layers.1.self_attn.q_proj.weight", ""]]
    assert np.isnan(found.rms.values[1, 1])
    assert found.attrs["outside"] == "model.embed_tokens.weight"
    assert found.attrs["source"] == str(path)
    assert found.rms.attrs["long_name"] == "Root mean square"


def test_vectors_are_measured_when_asked_and_told_apart(path):
    found = scan(path, include="weights", progress=False)
    names = found.parameter.sel(layer=0).values.tolist()
    assert sorted(names) == sorted(name for name in MODEL if ".layers.0." in name)
    assert len(set(found.component.values.tolist())) == 4


def test_a_function_is_a_metric_too():
    def first(array):
        return float(array[0, 0])

    found = scan(MODEL, first, progress=False)
    assert found["first"].sel(layer=0, component="attn.q").item() == MODEL[Q0][0, 0]


def test_a_metric_of_several_numbers_has_a_dim_of_its_own():
    found = scan(MODEL, "quantiles(0, 1)", progress=False)["quantiles(0, 1)"]
    assert found.dims[:2] == ("layer", "component")
    assert found.sel(layer=0, component="attn.q").values.tolist() == [MODEL[Q0].min(), MODEL[Q0].max()]


def test_damaged_weights_are_counted():
    values = MODEL[Q0].copy()
    values[0, :2] = np.nan, np.inf
    found = scan({**MODEL, Q0: values}, progress=False)
    assert found.attrs["non_finite"] == f"{Q0}: 1 NaN, 1 infinite"


def test_experts_stacked_or_single_get_a_dim(tmp_path):
    experts = {
        f"model.layers.0.mlp.experts.{expert}.up_proj.weight": np.full((2, 3), expert + 1.0, np.float32)
        for expert in range(3)
    }
    found = scan({**experts, Q0: MODEL[Q0]}, progress=False)
    assert found.rms.sel(layer=0, component="mlp.up").values.tolist()[1:] == [1, 2, 3]
    assert found.expert.values.tolist() == [-1, 0, 1, 2]
    assert found.parameter.sel(layer=0, component="attn.q").values.tolist() == [Q0, "", "", ""]


def test_a_model_without_layers_is_refused():
    with pytest.raises(SourceError, match="has 1 tensors, but no weight to measure in a numbered layer"):
        scan({"embed.weight": np.ones((2, 2))}, progress=False)


def test_an_unknown_metric_is_refused_before_anything_is_opened():
    with pytest.raises(ValueError, match="unknown metric 'rsm'; did you mean 'rms'"):
        scan("no such file", "rsm")
    with pytest.raises(ValueError, match="metrics is empty"):
        scan("no such file", [])


def test_a_damaged_shard_is_missing_and_not_zero(tmp_path):
    folder = write_sharded(tmp_path / "m", [{Q0: MODEL[Q0]}, {UP0: MODEL[UP0]}])
    os.truncate(folder / "model-00002-of-00002.safetensors", 30)
    with pytest.raises(SourceError, match="is the download complete"):
        scan(folder, progress=False)
    found = scan(folder, progress=False, on_error="skip")
    assert np.isnan(found.rms.sel(layer=0, component="mlp.up"))
    assert found.parameter.sel(layer=0, component="mlp.up").item() == UP0
    assert "model-00002-of-00002.safetensors" in found.attrs["skipped"]


def test_processes_give_what_threads_give(path):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        elsewhere = scan(path, ["rms", "stable_rank"], executor=executor, progress=False)
    assert elsewhere.identical(scan(path, ["rms", "stable_rank"], progress=False))


def test_kept_results_are_used_until_the_file_changes(path, tmp_path, monkeypatch):
    measured = []

    def counted(tensor, metrics):
        measured.append(tensor.name)
        return measure(tensor, metrics)

    monkeypatch.setattr("layergrid.scans.scanning.measure", counted)
    first = scan(path, ["rms", "quantiles(0.5)"], cache=tmp_path / "kept", progress=False)
    assert len(measured) == 3
    assert scan(path, ["rms", "quantiles(0.5)"], cache=tmp_path / "kept", progress=False).identical(first)
    assert len(measured) == 3
    scan(path, ["rms", "max"], cache=tmp_path / "kept", progress=False)
    assert len(measured) == 6
    os.utime(path, ns=(1, 1))
    scan(path, ["rms"], cache=tmp_path / "kept", progress=False)
    assert len(measured) == 9


def test_several_numbers_for_each_row_have_two_dims(tmp_path):
    wide, tall = RNG.standard_normal((2, 3, 5)).astype(np.float32)[0], np.ones((4, 2), np.float32)
    model = {"model.layers.0.mlp.up_proj.weight": wide, "model.layers.1.mlp.up_proj.weight": tall}
    path = write_safetensors(tmp_path / "m.safetensors", model)
    name = "quantiles(0.25, 1) per row"
    found = scan(path, ["rms", name], cache=tmp_path / "kept", progress=False)
    assert found[name].dims == ("layer", "component", f"{name} row", f"{name} q")
    assert found[name].shape == (2, 1, 4, 2)
    assert found[f"{name} q"].values.tolist() == [0.25, 1]
    np.testing.assert_allclose(found[name][0, 0, :3, 1], wide.max(axis=1))
    assert np.isnan(found[name][0, 0, 3]).all()
    assert (found[name][1] == 1).all()
    assert scan(path, ["rms", name], cache=tmp_path / "kept", progress=False).identical(found)


def test_a_file_that_holds_no_kept_results_is_refused(path, tmp_path):
    (tmp_path / "results.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(ValueError, match="holds no kept results"):
        scan(path, cache=tmp_path, progress=False)


def test_results_that_cannot_be_kept_are_given_all_the_same(tmp_path, monkeypatch):
    names = {f"model.layers.{layer}.mlp.up_proj.weight": np.ones((2, 3), np.float32) for layer in range(300)}
    path = write_safetensors(tmp_path / "m.safetensors", names)
    connect = sqlite3.connect

    def small(*arguments, **options):
        database = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 4")  # as little as a full disk takes
        return database

    monkeypatch.setattr("layergrid.kept.sqlite3.connect", small)
    with pytest.warns(UserWarning, match=r"no longer kept in .*results\.sqlite \(database or disk is full\)"):
        found = scan(path, cache=tmp_path / "kept", progress=False)
    assert (found["rms"] == 1).all()


def test_a_place_where_nothing_can_be_kept_is_told_before_the_scan(path, tmp_path):
    (tmp_path / "kept" / "results.sqlite").mkdir(parents=True)
    for folder in (path, tmp_path / "kept"):
        with pytest.raises(ValueError, match=r"no results can be kept in .*name a folder that can be written"):
            scan(path, cache=folder, progress=False)


def test_an_interruption_keeps_what_is_done_and_returns_nothing(path, tmp_path, monkeypatch):
    calls = []

    def interrupted(tensor, metrics):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(tensor.name)
        return measure(tensor, metrics)

    monkeypatch.setattr("layergrid.scans.scanning.measure", interrupted)
    monkeypatch.setattr("layergrid.scans.tasks._TASK_JOBS", 1)
    monkeypatch.setattr("layergrid.scans.tasks._usable_cores", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        scan(path, cache=tmp_path / "kept", progress=False)
    calls.append("again")  # three by now: nothing is interrupted any more
    assert np.isfinite(scan(path, cache=tmp_path / "kept", progress=False).rms.values).sum() == 3
    assert len(calls) == 4


def test_a_failing_function_says_which_tensor():
    def broken(array):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError) as caught:
        scan(MODEL, broken, progress=False)
    assert "while measuring" in caught.value.__notes__[0]


def test_progress_is_shown_on_stderr(path, capsys):
    scan(path)
    shown = capsys.readouterr().err
    assert "3/3 tensors" in shown
    assert "B/s" in shown


def test_the_numbers_are_those_of_measure():
    found = scan(MODEL, "stable_rank", progress=False)
    expected = measure(as_tensor(MODEL[Q0]), ["stable_rank"])["stable_rank"]
    assert found.stable_rank.sel(layer=0, component="attn.q").item() == expected


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"metrics": 3}, TypeError, "a metric is a name or a function, got 3 of type int"),
        ({"metrics": ["rms", None]}, TypeError, "got None of type NoneType"),
        ({"on_error": "ignore"}, ValueError, "on_error must be 'raise' or 'skip', got 'ignore'"),
        ({"executor": 4}, TypeError, "executor must be a concurrent.futures.Executor, got 4 of type int"),
        ({"source": ""}, SourceError, "the path is empty"),
        ({"source": {}}, SourceError, "dict has no tensors"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_in_words(path, wrong, error, message):
    with pytest.raises(error, match=re.escape(message)):
        scan(**{"source": path, "progress": False, **wrong})


def test_a_path_in_the_home_folder_is_found(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(tmp_path))
    assert scan(f"~/{os.path.basename(path)}", progress=False)["rms"].shape == scan(path, progress=False)["rms"].shape

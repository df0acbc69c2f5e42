import csv
import errno
import json
import subprocess
import sys

import numpy as np
import pytest

from layergrid.cli import main

from .sources.files import write_safetensors, write_sharded

Q, UP = "model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.up_proj.weight"
MODEL = {Q: np.full((2, 3), 2, np.float32), UP: np.full((2, 3), -3, np.float32)}


@pytest.fixture
def path(tmp_path):
    return str(write_safetensors(tmp_path / "m.safetensors", MODEL))


def test_json_has_every_cell(path, capsys):
    assert main(["scan", path, "--metric", "rms", "--metric", "quantiles(0, 1)", "--json", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["cells"][1] == {
        "layer": 0,
        "component": "mlp.up",
        "parameter": UP,
        "rms": 3.0,
        "quantiles(0, 1)": [-3.0, -3.0],
    }
    assert err == ""


def test_json_writes_nan_as_text(tmp_path, capsys):
    values = np.full((2, 3), np.nan, np.float32)
    path = write_safetensors(tmp_path / "m.safetensors", {Q: values})
    assert main(["scan", str(path), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["cells"][0]["rms"] == "NaN"
    assert found["non_finite"] == f"{Q}: 6 NaN, 0 infinite"


def test_without_a_file_the_terminal_shows_the_numbers(path, capsys):
    assert main(["scan", path, "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "Root mean square (rms): 2 ░▒▓█ 3" in out
    assert "    0 ░        2 █        3" in out


def test_a_table_is_saved_and_formulas_are_not(tmp_path):
    path = write_safetensors(tmp_path / "m.safetensors", {"=1+2.layers.0.self_attn.q_proj.weight": MODEL[Q]})
    assert main(["scan", str(path), "--save", str(tmp_path / "o.csv"), "--quiet"]) == 0
    with open(tmp_path / "o.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["rms"] == "2.0"
    assert row["parameter"].startswith("'=1+2")


def test_two_checkpoints_are_compared(path, tmp_path, capsys):
    other = write_safetensors(tmp_path / "o.safetensors", {**MODEL, Q: MODEL[Q] * 2})
    assert main(["scan", path, "--compare", str(other), "--json", "--quiet"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["relative_change"] for cell in cells] == [1, 0]


def test_a_checkpoint_that_cannot_be_read_is_told_on_stderr(tmp_path, capsys):
    assert main(["scan", str(tmp_path / "none.safetensors")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "none.safetensors does not exist; check the path" in err


def test_skipped_parts_show_in_the_exit_code(tmp_path, capsys):
    folder = write_sharded(tmp_path / "m", [{Q: MODEL[Q]}, {UP: MODEL[UP]}])
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"")
    assert main(["scan", str(folder), "--skip-errors", "--quiet"]) == 3
    assert "model-00002-of-00002.safetensors" in capsys.readouterr().err


def test_an_interruption_has_its_own_exit_code(path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("layergrid.scans.scanning.scan", interrupt)
    assert main(["scan", path]) == 130


ENDLESS = """
import signal, threading
from layergrid import cli
from layergrid.scans import scanning

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts deaf to it
main = threading.main_thread()

def measure(tensor, metrics):  # as a decomposition of hours
    signal.pthread_kill(main.ident, signal.SIGINT)
    threading.Event().wait()

scanning.measure = measure
cli.command()
"""


def test_an_interruption_ends_the_command_whatever_its_threads_do(path):
    ended = subprocess.run([sys.executable, "-c", ENDLESS, "scan", path], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 130
    assert ended.stderr == "layergrid: interrupted; with --cache a second run goes on from here\n"


def test_an_unknown_kind_of_file_is_refused_before_the_scan(path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["scan", path, "--save", "x.docx"])
    assert caught.value.code == 2
    assert "must end in one of .csv" in capsys.readouterr().err


def test_a_page_holds_every_metric_and_the_experts(tmp_path):
    experts = {"model.layers.0.mlp.experts.up_proj": np.ones((2, 2, 3), np.float32), Q: MODEL[Q]}
    path = write_safetensors(tmp_path / "m.safetensors", experts)
    page = tmp_path / "o.html"
    command = ["scan", str(path), "--metric", "rms", "--metric", "absmax", "--save", str(page), "--quiet"]
    assert main(command) == 0
    text = page.read_text(encoding="utf-8")
    assert '"Root mean square"' in text
    assert '"Largest magnitude"' in text
    assert '"mlp.up[1]"' in text


def test_the_rows_of_a_fused_tensor_are_in_the_table(tmp_path, capsys):
    fused = {
        "h.0.attn.qkv.weight": np.arange(27, dtype=np.float32).reshape(9, 3),
        "h.0.attn.proj.weight": np.ones((3, 3), np.float32),
    }
    path = write_safetensors(tmp_path / "m.safetensors", fused)
    assert main(["scan", str(path), "--metric", "max", "--json", "--quiet"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [(cell["component"], cell.get("rows"), cell["max"]) for cell in cells] == [
        ("attn.q", "0:3", 8),
        ("attn.k", "3:6", 17),
        ("attn.v", "6:9", 26),
        ("attn.o", "", 1),
    ]


def test_a_save_that_fails_leaves_what_was_there(path, tmp_path, monkeypatch, capsys):
    target = tmp_path / "o.csv"
    assert main(["scan", path, "--save", str(target), "--quiet"]) == 0
    before = target.read_text()

    def full(dataset, path):
        path.write_text("half a ta")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("layergrid.cli._write", full)
    assert main(["scan", path, "--metric", "max", "--save", str(target), "--quiet"]) == 1
    assert capsys.readouterr().err == f"layergrid: {target} cannot be written: No space left on device\n"
    assert target.read_text() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.safetensors", "o.csv"]


def test_a_closed_output_is_told_before_the_scan(path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", None)
    assert main(["scan", path, "--quiet"]) == 1
    assert "standard output is closed" in capsys.readouterr().err
    assert main(["scan", path, "--quiet", "--save", str(tmp_path / "o.csv")]) == 0

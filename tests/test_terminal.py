import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from layergrid import scan
from layergrid.cli import main
from layergrid.terminal import print_heatmaps

from .sources.files import write_safetensors

UP = "model.layers.{}.mlp.up_proj.weight"
Q = "model.layers.{}.self_attn.q_proj.weight"


def filled(value):
    return np.full((2, 3), value, np.float32)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def colored(monkeypatch):
    """What a terminal of true colors is sent for a Dataset."""
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def colored(dataset):
        terminal = Terminal()
        print_heatmaps(dataset, terminal)
        return terminal.getvalue()

    return colored


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def shaded(dataset):
    file = io.StringIO()
    print_heatmaps(dataset, file)
    return file.getvalue()


MODEL = {Q.format(0): filled(2), UP.format(0): filled(8), UP.format(1): filled(4)}


def test_a_terminal_gets_the_numbers_in_the_colors_of_the_grid(colored):
    text = colored(scan(MODEL, progress=False))
    assert plain(text).splitlines()[:4] == [
        "Root mean square (rms)",
        "layer    attn.q    mlp.up",
        "    0         2         8",
        "    1                   4",
    ]
    background = dict(zip(("2", "8", "4"), re.findall(r"48;2;(\d+;\d+;\d+)m +[284]\b", text), strict=True))
    assert len(set(background.values())) == 3
    red, _, blue = map(int, background["2"].split(";"))
    assert blue > red  # low is blue, high is orange
    red, _, blue = map(int, background["8"].split(";"))
    assert red > blue
    assert re.search(r"^2 +8, white at 4$", plain(text), re.M)


def test_more_components_than_fit_are_continued_below(colored):
    model = {f"model.layers.0.mlp.part_{part}.weight": filled(part) for part in range(9)}
    lines = plain(colored(scan(model, progress=False))).splitlines()
    assert sum(line.startswith("layer") for line in lines) == 3
    assert max(map(len, lines)) <= 60


def test_a_damaged_expert_shows_in_the_mean_and_an_absent_one_does_not():
    experts = {f"model.layers.0.mlp.experts.{i}.up_proj.weight": filled(i + 1) for i in range(3)}
    text = shaded(scan({**experts, Q.format(0): filled(5)}, progress=False))
    assert text.splitlines()[-1] == "    0 █        5 ░        2"
    experts["model.layers.0.mlp.experts.1.up_proj.weight"] = filled(np.nan)
    text = shaded(scan({**experts, Q.format(0): filled(5)}, progress=False))
    assert "mean over each expert" in text
    assert re.search(r"^ +0 .*5 .*nan$", text, re.M)


def test_stacks_have_heatmaps_of_their_own():
    model = {
        "encoder.layers.0.self_attn.q_proj.weight": filled(1),
        "decoder.layers.0.self_attn.q_proj.weight": filled(2),
        "decoder.layers.1.self_attn.q_proj.weight": filled(3),
    }
    text = shaded(scan(model, progress=False))
    titles = [line for line in text.splitlines() if line.startswith("Root")]
    assert [title.partition(":")[0] for title in titles] == [
        "Root mean square (rms) of encoder",
        "Root mean square (rms) of decoder",
    ]
    assert text.count("\n    1 ") == 1


def test_a_terminal_without_colors_gets_shades(colored, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = colored(scan(MODEL, progress=False))
    assert "░        2" in text
    assert "\x1b" not in text


def test_nothing_is_wider_than_a_narrow_terminal(colored, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert max(map(len, plain(colored(scan(MODEL, progress=False))).splitlines())) <= 20


def test_the_title_says_what_is_averaged():
    text = shaded(scan(MODEL, "rms per row", progress=False))
    assert text.startswith("Root mean square, per row (rms per row, mean over each row): ")


def test_without_rich_a_terminal_gets_shades(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    terminal = Terminal()
    print_heatmaps(scan(MODEL, progress=False), terminal)
    assert "░        2" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_infinite_and_equal_values_are_drawn(colored):
    found = scan({UP.format(0): filled(np.inf), Q.format(0): filled(3)}, progress=False)
    assert "inf" in plain(colored(found))
    assert "inf" in shaded(found)
    same = scan({UP.format(0): filled(3)}, progress=False)
    assert "white at" not in plain(colored(same))
    assert "▓        3" in shaded(same)


@pytest.fixture
def path(tmp_path):
    return str(write_safetensors(tmp_path / "m.safetensors", MODEL))


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path):
    model = {f"model.layers.{layer}.mlp.up_proj.weight": filled(layer) for layer in range(20_000)}
    path = write_safetensors(tmp_path / "large.safetensors", model)
    command = [sys.executable, "-c", "import sys; from layergrid.cli import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "scan", str(path), "--json", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout.read(10) == b'{"source":'
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_the_help_teaches_metrics_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["scan", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for taught in ("stable_rank", "relative_change", "examples:", "exit codes:", "rms per row", "URL"):
        assert taught in out


def test_a_folder_that_is_not_there_is_told_before_the_scan(path, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["scan", path, "--save", str(tmp_path / "none" / "o.csv")])
    assert caught.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["csv", "html", "nc", "png", "svg", "pdf"])
def test_every_format_is_saved(path, tmp_path, capsys, suffix):
    target = tmp_path / f"o.{suffix}"
    assert main(["scan", path, "--save", str(target), "--quiet"]) == 0
    assert target.stat().st_size > 50
    assert capsys.readouterr() == ("", "")


def test_netcdf_comes_back_equal(path, tmp_path):
    import xarray

    main(["scan", path, "--metric", "quantiles(0, 1)", "--save", str(tmp_path / "o.nc"), "--quiet"])
    with xarray.open_dataset(tmp_path / "o.nc") as found:
        xarray.testing.assert_equal(found.load(), scan(path, "quantiles(0, 1)", progress=False))


def test_a_bar_is_drawn_for_a_terminal_and_not_into_a_log(path, capsys):
    assert main(["scan", path, "--json"]) == 0
    assert capsys.readouterr().err == ""


def test_progress_goes_to_standard_error_alone(path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["scan", path, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "tensors" in err
    assert out.count("\n") == 1

"""A grid of a model itself: measured for a first look, a metric a page, every cell knowing its tensor."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from layergrid import LayerGrid, recipe, scan
from layergrid.scans.scanning import FIRST_LOOK
from layergrid.sources import SourceError

from .sources.files import write_safetensors
from .sources.test_memory import FakeTensor

RNG = np.random.default_rng(3)
PARTS = ["self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj"]
MODEL = {
    f"model.layers.{layer}.{part}.weight": RNG.standard_normal((4, 3)).astype("f4")
    for layer in (0, 1)
    for part in PARTS
}


@pytest.fixture
def path(tmp_path):
    return write_safetensors(tmp_path / "m.safetensors", MODEL)


def module():
    parameters = {name: FakeTensor(array) for name, array in MODEL.items()}
    return SimpleNamespace(named_parameters=parameters.items)


@pytest.mark.parametrize("kind", ["path", "text", "folder", "module", "mapping", "tree", "scan"])
def test_a_model_is_measured_and_drawn(kind, path, capsys):
    source = {
        "path": path,
        "text": str(path),
        "folder": path.parent,
        "module": module(),
        "mapping": MODEL,
        "tree": {"model": {"layers_0": {"mlp": {"up_proj": {"kernel": MODEL[f"model.layers.0.{PARTS[2]}.weight"]}}}}},
        "scan": scan(path, FIRST_LOOK, progress=False),
    }[kind]
    grid = LayerGrid(source)
    assert grid.position == {"metric": "rms"}
    assert grid.title == "Root mean square"
    expected = np.sqrt(np.mean(MODEL[f"model.layers.0.{PARTS[2]}.weight"].astype("f8") ** 2))
    assert grid.cell(0, "mlp.up").value == pytest.approx(expected, rel=1e-6)
    grid.position = {"metric": "absmax"}
    assert grid.cell(0, "mlp.up").value == np.abs(MODEL[f"model.layers.0.{PARTS[2]}.weight"]).max()


def test_every_cell_knows_its_tensor_on_every_page(path):
    grid = LayerGrid(path)
    grid.selection = [(1, "attn.k"), (0, "mlp.up")]
    for metric in FIRST_LOOK:
        grid.position = {"metric": metric}
        assert recipe(grid, "names") == ["model.layers.1.self_attn.k_proj", "model.layers.0.mlp.up_proj"]


def test_another_checkpoint_takes_the_place_of_the_shown_one(path, tmp_path):
    grid = LayerGrid(path)
    grid.update(write_safetensors(tmp_path / "twice.safetensors", {name: 2 * array for name, array in MODEL.items()}))
    expected = 2 * np.abs(MODEL[f"model.layers.0.{PARTS[0]}.weight"]).max()
    grid.position = {"metric": "absmax"}
    assert grid.cell(0, "attn.q").value == expected


def test_several_stacks_are_chosen_along():
    up = "layers.0.mlp.up_proj.weight"
    grid = LayerGrid({f"{stack}.{up}": np.ones((2, 2), "f4") for stack in ("encoder", "decoder")})
    assert grid.position == {"metric": "rms", "stack": "encoder"}
    grid.position = {"stack": "decoder"}
    assert grid.cell(0, "mlp.up").parameter == f"decoder.{up}"


def test_experts_stand_within_their_component():
    grid = LayerGrid({"model.layers.0.mlp.experts.up_proj": np.ones((3, 4, 20), "f4"), **MODEL})
    assert grid.components == ["attn.q", "attn.k", "mlp.up", "mlp.up[0]", "mlp.up[1]", "mlp.up[2]"]
    assert grid.cell(0, "mlp.up[1]").parameter == "model.layers.0.mlp.experts.up_proj"


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    (tmp_path / "m.bin").write_bytes(b"pickle")
    with pytest.raises(SourceError, match=r"m\.bin"):
        LayerGrid(tmp_path / "m.bin")
    with pytest.raises(SourceError, match="does not exist"):
        LayerGrid(Path("nowhere") / "m.safetensors")
    table = tmp_path / "losses.csv"
    table.write_text("layer,component,value\n0,attn.q,1\n")
    with pytest.raises(SourceError, match=r"layergrid\.read takes the logs and tables"):
        LayerGrid(table)

"""From a cell to its tensor: the right part of the right tensor, at any size, never whole in memory."""

import json
import sys

import numpy as np
import pytest

from layergrid import LayerGrid, scan, tensor_grid
from layergrid.large.pyramid import Closed
from layergrid.sources import SourceError
from layergrid.tensor import Tensor

from .sources.files import write_safetensors
from .test_far import Page, numbers

RNG = np.random.default_rng(5)
HIDDEN = 24
LARGE = RNG.standard_normal((1300, 1100)).astype("f4")  # more than 4 MB


def blocks(**more):
    tensors = {}
    for layer in (0, 1):
        stem = f"model.layers.{layer}."
        tensors[f"{stem}self_attn.qkv_proj.weight"] = RNG.standard_normal((HIDDEN * 2, HIDDEN)).astype("f4")
        tensors[f"{stem}self_attn.o_proj.weight"] = RNG.standard_normal((HIDDEN, HIDDEN)).astype("f4")
    return tensors | more


CONFIG = {"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": HIDDEN, "model_type": "phi3"}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    tensors = blocks(**{"model.layers.1.mlp.up_proj.weight": LARGE})
    write_safetensors(made / "model.safetensors", tensors)
    (made / "config.json").write_text(json.dumps(CONFIG))
    return made, tensors


def values_of(grid):
    values = grid.data.values
    grid.close()
    return values


def test_a_tensor_of_a_checkpoint_is_a_grid_of_its_entries(folder):
    path, tensors = folder
    name = "model.layers.1.self_attn.o_proj.weight"
    grid = tensor_grid(path, name)
    assert grid.title == name
    assert grid.origin == "upper"
    assert grid.get_state()["_axes"] == ["row", "column"]
    assert grid.cell(3, "5").value == tensors[name][3, 5]
    np.testing.assert_array_equal(values_of(grid), tensors[name])


def test_a_tensor_that_was_opened_once_is_there_at_once_where_its_levels_are_kept(folder, tmp_path, monkeypatch):
    path, tensors = folder
    name, kept = "model.layers.1.mlp.up_proj.weight", tmp_path / "kept"
    grid = LayerGrid(path, cache=kept)
    first = grid.open(1, "mlp.up")
    first._far_cells.pyramid.wait()
    assert [file.suffix for file in (kept / "levels").iterdir()] == [".levels"]
    overview = first.get_state()["_values"]
    first.close()
    for again in (grid.open(1, "mlp.up"), tensor_grid(path, name, cache=kept)):
        assert again._far_cells.pyramid.ready
        assert again.get_state()["_values"] == overview
        assert again.cell(1299, "1099").value == tensors[name][1299, 1099]
        again.close()
    assert LayerGrid(path, cache=kept).cell(1, "mlp.up").value == grid.cell(1, "mlp.up").value
    unkept = tensor_grid(path, name)
    unkept.close()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    own = tensor_grid(path, name, cache=True)
    own._far_cells.pyramid.wait()
    own.close()
    if sys.platform == "linux":
        assert list((tmp_path / "own" / "layergrid" / "levels").iterdir())


def test_an_array_is_a_grid_under_the_name_given():
    grid = tensor_grid(LARGE, "weights", cmap="viridis")
    assert (grid.title, grid.cmap) == ("weights", "viridis")
    np.testing.assert_array_equal(values_of(grid), LARGE)


def test_the_domain_leaves_out_a_few_large_entries_and_is_symmetric_where_signs_differ():
    values = LARGE.copy()
    values[7, 9] = 1000
    grid = tensor_grid(values)
    assert grid.vmin == -grid.vmax
    assert 2.5 < grid.vmax < 5
    assert grid.center == 0
    small = tensor_grid(values[:20, :30])
    assert small.vmin == -small.vmax
    small.update(values[:20, :30] * 10, refit=True)
    assert small.vmin == -small.vmax < -20
    positive = tensor_grid(np.abs(values))
    assert 0 <= positive.vmin < 0.01 < 2.5 < positive.vmax < 5
    grid.vmax = 9
    grid.fit()
    assert grid.vmax < 5


@pytest.mark.parametrize("values", [np.full((3, 4), np.nan), np.zeros((3, 4)), np.full((1, 1), -2.5)])
def test_a_tensor_without_a_spread_has_a_domain(values):
    grid = tensor_grid(values.astype("f4"))
    assert grid.vmin <= grid.center <= grid.vmax


def test_a_cell_opens_its_tensor(folder):
    path, tensors = folder
    opened = LayerGrid(path).open(1, "attn.o")
    assert opened.title == "model.layers.1.self_attn.o_proj.weight"
    np.testing.assert_array_equal(values_of(opened), tensors[opened.title])


@pytest.mark.parametrize(("component", "rows"), [("attn.q", (0, 24)), ("attn.k", (24, 36)), ("attn.v", (36, 48))])
def test_a_part_of_a_fused_tensor_opens_at_its_rows(folder, component, rows):
    path, tensors = folder
    opened = LayerGrid(path).open(0, component)
    whole = tensors["model.layers.0.self_attn.qkv_proj.weight"]
    np.testing.assert_array_equal(values_of(opened), whole[slice(*rows)])


def test_the_page_is_told_how_the_tensor_is_stored_and_divided(folder):
    path, _ = folder
    grid = LayerGrid(path)
    assert grid.get_state()["_tensor"] == {}
    told = grid.open(0, "attn.q").get_state()["_tensor"]
    of_cell = dict(map(tuple, told.pop("cell")))
    assert len(of_cell) == len(grid._pages)
    assert of_cell[grid.title] == grid.cell(0, "attn.q").value
    assert told == {
        "dtype": "F32",
        "divisions": [{"axis": "row", "starts": [0, 6, 12, 18], "labels": [f"query head {n}" for n in range(4)]}],
        "models": [],
        "side": 0,
    }
    output = grid.open(1, "attn.o").get_state()["_tensor"]["divisions"]
    assert [(one["axis"], one["starts"]) for one in output] == [("column", [0, 6, 12, 18])]
    fused = tensor_grid(path, "model.layers.0.self_attn.qkv_proj.weight").get_state()["_tensor"]["divisions"]
    assert fused == [{"axis": "row", "starts": [0, 24, 36], "labels": ["attn.q", "attn.k", "attn.v"]}]


def test_an_expert_of_a_stacked_tensor_opens_alone():
    stacked = RNG.standard_normal((3, 6, 5)).astype("f4")
    model = {f"model.layers.{layer}.mlp.experts.up_proj": stacked + layer for layer in (0, 1)}
    grid = LayerGrid(model)
    component = next(label for label in grid.components if label.endswith("[2]"))
    np.testing.assert_array_equal(values_of(grid.open(1, component)), stacked[2] + np.float32(1))
    chosen = LayerGrid(scan(model, "rms", progress=False), columns="component", source=model)
    chosen.position = {"expert": 1}
    np.testing.assert_array_equal(values_of(chosen.open(0, component[:-3])), stacked[1])


def test_the_result_of_a_scan_knows_where_its_tensors_are(folder):
    path, tensors = folder
    scanned = scan(path, ["rms", "mean"], progress=False)
    for result in (scanned, scanned["rms"]):
        opened = LayerGrid(result).open(0, "attn.o")
        np.testing.assert_array_equal(values_of(opened), tensors["model.layers.0.self_attn.o_proj.weight"])


def test_source_names_the_tensors_of_plain_numbers(folder):
    path, tensors = folder
    grid = LayerGrid([[1.0], [2.0]], components=["attn.o"], source=path)
    np.testing.assert_array_equal(values_of(grid.open(1, "attn.o")), tensors["model.layers.1.self_attn.o_proj.weight"])


def test_what_cannot_be_opened_is_said(folder):
    path, _ = folder
    with pytest.raises(SourceError, match="does not know its tensors"):
        LayerGrid([[1.0]]).open(0, "0")
    grid = LayerGrid(path)
    with pytest.raises(ValueError, match=r"layer 0 has no 'mlp\.up'"):
        grid.open(0, "mlp.up")
    with pytest.raises(KeyError, match="unknown layer 7"):
        grid.open(7, "attn.o")
    with pytest.raises(TypeError, match="a layer and a component"):
        grid.open(0)
    other = LayerGrid([[1.0]], components=["attn.nope"], source=path)
    with pytest.raises(KeyError, match=r"has no one tensor for layer 0, component 'attn\.nope'"):
        other.open(0, "attn.nope")


def test_a_source_that_is_gone_is_said(folder):
    path, _ = folder
    scanned = scan(path, "rms", progress=False)
    path.rename(path.parent / "elsewhere")
    with pytest.raises(SourceError, match=r"are those of .*model.* cannot be opened"):
        LayerGrid(scanned).open(0, "attn.o")


def test_open_without_arguments_opens_the_connection_as_ipywidgets_does():
    grid = LayerGrid([[1.0]])
    grid.close()
    assert grid.comm is None
    assert grid.open() is None
    assert grid.comm is not None


class TestLarge:
    @pytest.fixture
    def read(self, monkeypatch):
        """How many entries each reading of a tensor gave."""
        sizes = []
        made = Tensor.__post_init__

        def counting(tensor):
            made(tensor)
            plain = tensor.read

            def read(start, stop):
                sizes.append(stop - start)
                return plain(start, stop)

            object.__setattr__(tensor, "read", read)

        monkeypatch.setattr(Tensor, "__post_init__", counting)
        return sizes

    @pytest.fixture
    def grid(self, folder, read):
        made = LayerGrid(folder[0], still=False).open(1, "mlp.up")
        yield made
        made.close()

    def test_its_values_do_not_lie_in_memory(self, grid):
        assert grid._matrix.values.strides == (0, 0)

    def test_one_cell_reads_no_more_than_its_row(self, grid, read):
        Page(grid).ask()  # the overview is read
        grid._far_cells.pyramid.wait()
        read.clear()
        assert grid.cell(1234, "17").value == LARGE[1234, 17]
        assert sum(read) <= LARGE.shape[1]  # within a row, reading on is cheaper than two calls

    def test_windows_are_answered(self, grid):
        page = Page(grid)
        page.ask(top=1000, bottom=1002, left=7, right=10)
        np.testing.assert_array_equal(numbers(page.reply(), (2, 3)), LARGE[1000:1002, 7:10])

    def test_pictures_show_the_overview_and_say_so(self, grid, tmp_path):
        matrix, view = grid._pictured()
        height, width = -(-1300 // matrix.values.shape[0]), -(-1100 // matrix.values.shape[1])
        assert matrix.values[0, 0] == pytest.approx(LARGE[:height, :width].mean(), rel=1e-5)
        assert view.title.endswith(f"(means of {height} x {width} entries)")
        assert grid.save(tmp_path / "t.png").stat().st_size > 1000
        grid.layers = [5]
        assert grid._pictured()[1].layers == (5 // height * height,)
        html = grid.save(tmp_path / "t.html").read_text()
        assert "mlp.up_proj" in html

    @pytest.mark.parametrize("ask", ["data", "insights", "update", "csv"])
    def test_what_needs_all_of_it_is_refused_in_words(self, grid, tmp_path, ask):
        acts = {
            "data": lambda: grid.data,
            "insights": lambda: grid.insights,
            "update": lambda: grid.update(LARGE),
            "csv": lambda: grid.save(tmp_path / "t.csv"),
        }
        with pytest.raises(ValueError, match="stays where it lies"):
            acts[ask]()

    def test_a_memory_mapped_array_stays_in_its_file(self, tmp_path):
        np.save(tmp_path / "a.npy", LARGE.T)
        grid = tensor_grid(np.load(tmp_path / "a.npy", mmap_mode="r"))
        assert grid.cell(3, "5").value == LARGE[5, 3]
        assert grid._matrix.values.strides == (0, 0)
        grid.close()

    def test_a_tensor_stored_in_x_out_is_shown_out_x_in(self):
        stored = RNG.standard_normal((700, 2100)).astype("f4")
        model = {"h.0.attn.c_attn.weight": stored, "h.0.attn.c_proj.weight": stored[:, :700]}
        grid = tensor_grid(model, "h.0.attn.c_attn.weight")
        assert grid.cell(1234, "17").value == stored.T[1234, 17]
        assert grid._stays
        grid.close()

    def test_closed_it_gives_its_levels_back_and_can_be_shown_again(self, grid):
        pyramid = grid._far_cells.pyramid
        grid.close()
        with pytest.raises(Closed):
            pyramid.overview()
        grid._repr_mimebundle_()
        page = Page(grid)
        page.ask()
        np.testing.assert_array_equal(numbers(page.reply(), (2, 3)), LARGE[:2, :3])

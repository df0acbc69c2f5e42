"""A grid is drawn with the right colors, in JupyterLab and in Notebook 7, at every size and pixel ratio."""

import numpy as np
import pytest
from playwright.sync_api import expect

from .expected import assert_color, expected_color
from .patience import eventually

# Row 0 of the page is the last layer: layer 0 is drawn at the bottom.
DRAW = """
import numpy as np
import layergrid as lg
values = np.linspace(0.0, 1.0, 12).reshape(4, 3)
clicked = []
grid = lg.LayerGrid(values, components=["attn.q", "attn.k", "mlp.up"], vmin=0.0, vmax=1.0, center=0.25)
grid.on_click(lambda cell: clicked.append((cell.layer, cell.component)))
grid
"""


@pytest.mark.parametrize("server", ["lab", "notebook7"])
def test_cells_have_the_colors_of_their_values(open_notebook, server):
    notebook = open_notebook(DRAW, server=server)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    for layer, component in [(0, 0), (3, 2), (1, 1), (2, 0)]:
        expected = expected_color((layer * 3 + component) / 11, 0.0, 0.25, 1.0)
        grid.expect_color(3 - layer, component, expected, f"layer {layer}, component {component}")


@pytest.mark.parametrize("ratio", [1.5, 2, 3])
def test_cells_meet_without_a_seam_at_any_pixel_ratio(open_notebook, ratio):
    notebook = open_notebook(DRAW, ratio=ratio)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()

    def check():
        box = grid.cells.bounding_box()
        assert grid.pixels().shape[1] == pytest.approx(box["width"] * ratio, abs=1)
        cell = grid.cell_pixels(1, 1)
        corner = cell[0, 0]
        for edge in (cell[0], cell[-1], cell[:, 0], cell[:, -1]):
            assert (edge == corner).all()

    eventually(check)


def test_a_click_reaches_python_with_its_cell_also_that_of_the_first_layer_and_component(open_notebook):
    notebook = open_notebook(DRAW)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    grid.click(3, 0)
    notebook.wait_for_python("clicked == [(0, 'attn.q')]")


def test_a_dragged_handle_moves_the_limit_in_the_page_and_in_python(open_notebook):
    notebook = open_notebook(DRAW)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    grid.drag_handle("high", 60)
    expect(grid.handle("high")).not_to_have_attribute("aria-valuenow", "1")
    notebook.wait_for_python("grid.vmax < 1.0")

    def agree():
        shown = float(grid.handle("high").get_attribute("aria-valuenow"))
        assert notebook.evaluate("grid.vmax") == pytest.approx(shown, abs=1e-3)

    eventually(agree)


def test_controls_work_after_the_kernel_is_gone(open_notebook):
    notebook = open_notebook(DRAW)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    before = grid.color(3, 0)
    notebook.shut_down_kernel()
    grid.handle("low").press("End")
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", "1")
    grid.expect_other_color(3, 0, before)


MANY = """
import numpy as np
import layergrid as lg
values = np.random.default_rng(3).random((90, 60))
lg.LayerGrid(values, vmin=0.0, vmax=1.0, center=0.5)
"""


def test_thousands_of_cells_have_the_colors_of_their_values(open_notebook):
    notebook = open_notebook(MANY)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    values = np.random.default_rng(3).random((90, 60))

    def check():
        pixels = grid.pixels()
        for layer, component in [(0, 0), (89, 59), (17, 31), (44, 2)]:
            y = round((89 - layer + 0.5) / 90 * pixels.shape[0])
            x = round((component + 0.5) / 60 * pixels.shape[1])
            expected = expected_color(values[layer, component], 0.0, 0.5, 1.0)
            assert_color(tuple(pixels[y, x]), expected, f"layer {layer}, component {component}")

    eventually(check)

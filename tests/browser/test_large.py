"""Grids that do not travel whole: an overview first, the cells behind it, windows of what the page cannot hold."""

import re

import numpy as np
from playwright.sync_api import expect

MAKE = """
import numpy as np
import layergrid as lg
rows, columns = {rows}, {columns}
r, c = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
values = np.sin(r / 300) * np.cos(c / 500) + np.float32(0.3) * ((r * 7919 + c * 104729) % 101 / 50 - 1)
clicked = []
grid = lg.LayerGrid(values, title="a matrix of {rows} x {columns}", {options})
grid.on_click(lambda cell: clicked.append((cell.layer, cell.component, cell.value)))
grid
"""


def wait_for_text(notebook, locator, pattern):
    notebook.page.wait_for_function(
        "([element, pattern]) => new RegExp(pattern).test(element.textContent)", arg=[locator.element_handle(), pattern]
    )


def zoom_to_one_cell(grid):
    """Zoom in until a pixel shows no more than one cell, and the legend says so."""
    box = grid.cells.bounding_box()
    grid.page.mouse.move(box["x"] + box["width"] * 0.37, box["y"] + box["height"] * 0.61)
    grid.page.keyboard.down("Control")
    for _ in range(40):
        grid.page.mouse.wheel(0, -100)
        grid.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    grid.page.keyboard.up("Control")
    grid.root.locator(".layergrid-legend-note", has_text="each color is").wait_for(state="detached")


def click_and_compare(notebook, grid):
    """The cell that Python hears of is the one the page speaks of, with its value."""
    box = grid.cells.bounding_box()
    grid.page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.6)
    notebook.wait_for_python("clicked")
    layer, component, value = notebook.evaluate("clicked[0]")
    assert value == notebook.evaluate(f"float(values[{layer}, {component}])")
    place = grid.root.locator(".layergrid-details-place")
    wait_for_text(notebook, place, f"layer {layer}, {component}$")
    shown = grid.root.locator(".layergrid-details-value")
    wait_for_text(notebook, shown, r"\d")
    assert abs(float(shown.inner_text().replace("\u2212", "-")) - value) < 2e-3


def test_all_cells_of_a_matrix_that_fits_arrive_behind_its_overview(open_notebook):
    notebook = open_notebook(MAKE.format(rows=2500, columns=2000, options=""))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    # The legend, once it speaks, speaks of the overview until the last cell is here.
    expect(grid.root.locator(".layergrid-legend")).to_contain_text("each color is")
    expect(grid.root.locator(".layergrid-legend-note", has_text="overview")).to_have_count(0)
    expect(grid.root.locator(".layergrid-progress")).to_be_hidden()
    notebook.shut_down_kernel()
    zoom_to_one_cell(grid)
    box = grid.cells.bounding_box()
    grid.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.6)
    wait_for_text(notebook, grid.tooltip, "highest|median|lowest|of 5,000,000")


def test_what_the_page_cannot_hold_is_asked_for_down_to_a_single_cell(open_notebook):
    notebook = open_notebook(MAKE.format(rows=4096, columns=3500, options="browser_cells=1000"))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    wait_for_text(notebook, grid.root.locator(".layergrid-legend"), "overview's blocks")
    coarse = grid.pixels()
    zoom_to_one_cell(grid)
    click_and_compare(notebook, grid)
    grid.page.keyboard.press("f")
    notebook.page.wait_for_function(
        "(link) => link.hidden", arg=grid.root.locator(".layergrid-link", has_text=re.compile("^fit$")).element_handle()
    )
    np.testing.assert_array_equal(grid.pixels(), coarse)


def test_without_a_kernel_the_overview_remains_and_says_so(open_notebook):
    notebook = open_notebook(MAKE.format(rows=4096, columns=3500, options="browser_cells=1000"))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    wait_for_text(notebook, grid.root.locator(".layergrid-legend"), "overview's blocks")
    notebook.shut_down_kernel()
    zoom_to_one_cell(grid)
    grid.notice.wait_for(state="visible")
    assert "kernel" in grid.notice.inner_text()
    assert (grid.pixels()[..., 3] == 255).all()


def test_another_aggregate_is_drawn_and_named(open_notebook):
    notebook = open_notebook(MAKE.format(rows=2500, columns=2000, options=""))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    menu = grid.root.locator("select[aria-label='What a pixel shows of several cells']")
    menu.wait_for(state="visible")
    before = grid.pixels()
    menu.select_option("max")
    wait_for_text(notebook, grid.root.locator(".layergrid-legend"), "largest value of")
    assert (grid.pixels() != before).any()
    notebook.wait_for_python("grid.aggregate == 'max'")

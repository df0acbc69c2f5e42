"""Grids that do not travel whole: an overview first, the cells behind it, windows of what the page cannot hold."""

import re

from playwright.sync_api import expect

from .large import click_and_compare, expect_all_cells, expect_fitted, expect_no_hole, zoom_to_one_cell

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


def test_all_cells_of_a_matrix_that_fits_arrive_behind_its_overview(open_notebook):
    notebook = open_notebook(MAKE.format(rows=2500, columns=2000, options=""))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect_all_cells(grid)
    notebook.shut_down_kernel()
    zoom_to_one_cell(grid)
    box = grid.cells.bounding_box()
    grid.tab_stop.hover(position={"x": box["width"] * 0.4, "y": box["height"] * 0.6})
    expect(grid.tooltip).to_contain_text(re.compile("highest|median|lowest|of 5,000,000"))


def test_what_the_page_cannot_hold_is_asked_for_down_to_a_single_cell(open_notebook):
    notebook = open_notebook(MAKE.format(rows=4096, columns=3500, options="browser_cells=1000"))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.root.locator(".layergrid-legend")).to_contain_text("overview's blocks")
    coarse = grid.pixels()
    zoom_to_one_cell(grid)
    click_and_compare(notebook, grid)
    grid.tab_stop.press("f")
    expect_fitted(grid)
    grid.expect_pixels(coarse)


def test_without_a_kernel_the_overview_remains_and_says_so(open_notebook):
    notebook = open_notebook(MAKE.format(rows=4096, columns=3500, options="browser_cells=1000"))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.root.locator(".layergrid-legend")).to_contain_text("overview's blocks")
    notebook.shut_down_kernel()
    zoom_to_one_cell(grid)
    expect(grid.notice).to_contain_text("kernel")
    expect_no_hole(grid)


def test_another_aggregate_is_drawn_and_named(open_notebook):
    notebook = open_notebook(MAKE.format(rows=2500, columns=2000, options=""))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    menu = grid.root.locator("select[aria-label='What a pixel shows of several cells']")
    expect(menu).to_be_visible()
    expect_all_cells(grid)
    before = grid.pixels()
    menu.select_option("max")
    expect(grid.root.locator(".layergrid-legend")).to_contain_text("largest value of")
    grid.expect_other_pixels(before)
    notebook.wait_for_python("grid.aggregate == 'max'")

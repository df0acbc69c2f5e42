"""What is done to large grids, and waited for, in more than one journey."""

import re

from playwright.sync_api import expect

from .patience import eventually


def zoom_to_one_cell(grid):
    """Zoom in until a pixel shows no more than one cell, and the legend says so."""
    many = grid.root.locator(".layergrid-legend-note", has_text="each color is")
    expect(many).to_have_count(1)
    box = grid.cells.bounding_box()
    grid.tab_stop.hover(position={"x": box["width"] * 0.37, "y": box["height"] * 0.61})
    grid.page.keyboard.down("Control")

    def turn():
        for _ in range(10):
            grid.page.mouse.wheel(0, -100)
            grid.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        # The legend of many cells is written once the view rests: who turns on and on never reads it.
        expect(many).to_have_count(0, timeout=2000)

    eventually(turn)
    grid.page.keyboard.up("Control")


def click_beside(grid):
    """Click near where the wheel was turned, at another cell."""
    box = grid.cells.bounding_box()
    grid.tab_stop.click(position={"x": box["width"] * 0.4, "y": box["height"] * 0.6})


def expect_value(grid, value, within=0.0):
    """Until the details show a value, and not, say, that it is not here yet."""

    def check():
        text = grid.root.locator(".layergrid-details-value").inner_text()
        assert re.search(r"\d", text), f"no value: {text}"
        assert abs(float(text.replace("\u2212", "-")) - value) <= within, f"{text} is not {value}"

    eventually(check)


def click_and_compare(notebook, grid):
    """The cell that Python hears of is the one the page speaks of, with its value."""
    click_beside(grid)
    notebook.wait_for_python("clicked")
    layer, component, value = notebook.evaluate("clicked[0]")
    assert value == notebook.evaluate(f"float(values[{layer}, {component}])")
    expect(grid.root.locator(".layergrid-details-place")).to_have_text(f"layer {layer}, {component}")
    expect_value(grid, value, within=2e-3)


def expect_no_hole(grid):
    """All of the picture is opaque."""
    assert (grid.pixels()[..., 3] == 255).all()


def expect_all_cells(grid):
    """Until all cells are here: the legend, once it speaks, speaks of the overview until the last one is."""
    expect(grid.root.locator(".layergrid-legend")).to_contain_text("each color is")
    expect(grid.root.locator(".layergrid-legend-note", has_text="overview")).to_have_count(0)
    expect(grid.root.locator(".layergrid-progress")).to_be_hidden()


def expect_fitted(grid):
    """Until all of the grid is in view: the link that leads there is hidden."""
    expect(grid.root.locator(".layergrid-link", has_text=re.compile("^fit$"))).to_be_hidden()

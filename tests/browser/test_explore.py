"""The shown components and layers, the selection and what is said of cells: the page and Python agree on each."""

import pytest
from playwright.sync_api import Locator, expect

from .notebook_page import Grid, drag
from .patience import eventually

# Row 0 of the page is layer 5: layer 0 is drawn at the bottom.
EXPLORE = """
import numpy as np
import layergrid as lg
names = ["attn.q", "attn.k", "attn.v", "mlp.up", "mlp.down"]
grid = lg.LayerGrid(np.arange(30.0).reshape(6, 5), components=names)
grid
"""


@pytest.fixture
def explored(open_notebook):
    """A notebook and the grid in it, drawn."""
    notebook = open_notebook(EXPLORE)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.root.locator(".layergrid-chip")).to_have_count(5)
    return notebook, grid


def pressed(grid: Grid) -> Locator:
    """The chips of shown components; their text is the part after the group."""
    return grid.root.locator(".layergrid-chip[aria-pressed=true]")


def expect_outlined(grid: Grid, row: int, column: int, outlined: bool = True) -> None:
    """Until something is drawn over a cell, or nothing; an outline reaches half a pixel beyond its cell."""

    def check() -> None:
        box = grid.box(row, column)
        inner = [box["x"] + 1, box["y"] + 1, box["width"] - 2, box["height"] - 2]
        assert (
            grid.marks.evaluate(
                "(canvas, box) => canvas.getContext('2d').getImageData(...box).data.some((channel) => channel > 0)",
                inner,
            )
            == outlined
        ), f"row {row}, column {column}: outlined is not {outlined}"

    eventually(check)


def test_chips_choose_the_components_that_the_page_and_python_show(explored):
    notebook, grid = explored
    grid.chip("attn.k").click()
    expect(pressed(grid)).to_have_text(["q", "v", "up", "down"])
    notebook.wait_for_python("grid.components == ['attn.q', 'attn.v', 'mlp.up', 'mlp.down']")
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "4")

    grid.chip("mlp.up").hover()
    for clicks, then_pressed in [(1, "false"), (2, "true")]:  # at a hand's pace: the page is drawn in between
        notebook.page.mouse.down(click_count=clicks)
        notebook.page.mouse.up(click_count=clicks)
        expect(grid.chip("mlp.up")).to_have_attribute("aria-pressed", then_pressed)
    expect(pressed(grid)).to_have_text(["up"])
    notebook.wait_for_python("grid.components == ['mlp.up']")

    heading = grid.root.locator(".layergrid-chip-group", has_text="attn")
    heading.click()
    expect(pressed(grid)).to_have_text(["q", "k", "v", "up"])
    heading.click()
    expect(pressed(grid)).to_have_text(["up"])

    grid.root.get_by_role("button", name="none", exact=True).click()
    expect(pressed(grid)).to_have_count(0)
    expect(grid.root.locator(".layergrid-empty")).to_be_visible()
    grid.root.get_by_role("button", name="all", exact=True).click()
    expect(pressed(grid)).to_have_text(["q", "k", "v", "up", "down"])
    notebook.wait_for_python("grid.components == names")


def test_components_set_in_python_are_shown_by_the_chips_and_moved_by_alt_and_arrows(explored):
    notebook, grid = explored
    notebook.evaluate("None", after="grid.components = ['mlp.down', 'attn.k', 'attn.q']")
    expect(pressed(grid)).to_have_text(["down", "k", "q"])
    grid.focus_first_cell()
    expect(grid.active_cell()).to_have_attribute("aria-label", "layer 5, mlp.down, 29, highest of 18 values")

    grid.chip("attn.k").focus()
    notebook.page.keyboard.press("Alt+ArrowLeft")
    expect(pressed(grid)).to_have_text(["k", "down", "q"])
    expect(grid.chip("attn.k")).to_be_focused()
    notebook.wait_for_python("grid.components == ['attn.k', 'mlp.down', 'attn.q']")


def test_a_drag_along_the_layer_axis_shows_those_layers_only(explored):
    notebook, grid = explored
    top, bottom = grid.middle(1, 0)["y"], grid.middle(3, 0)["y"]
    axis = grid.root.locator(".layergrid-rows")
    axis.hover(position={"x": 8, "y": top})
    box = axis.bounding_box()
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] + 8, box["y"] + bottom, steps=6)
    notebook.page.mouse.up()
    notebook.wait_for_python("grid.layers == [2, 3, 4]")
    expect(grid.tab_stop).to_have_attribute("aria-rowcount", "3")

    grid.root.get_by_role("button", name="layers 2–4").click()
    notebook.wait_for_python("grid.layers == [0, 1, 2, 3, 4, 5]")
    notebook.evaluate("None", after="grid.layers = [0, 5]")
    expect(grid.tab_stop).to_have_attribute("aria-rowcount", "2")


def test_cells_are_selected_by_click_shift_control_drag_and_label_and_left_by_escape(explored):
    notebook, grid = explored
    mouse = notebook.page.mouse
    # Asked for first: asking moves the keyboard's cell, from which Shift extends.
    low, high, other = grid.middle(5, 0), grid.middle(4, 1), grid.middle(0, 4)
    grid.tab_stop.click(position=low)
    notebook.wait_for_python("grid.selection == [(0, 'attn.q')]")
    grid.tab_stop.click(position=high, modifiers=["Shift"])
    square = {(0, "attn.q"), (0, "attn.k"), (1, "attn.q"), (1, "attn.k")}
    notebook.wait_for_python(f"set(grid.selection) == {square}")
    grid.tab_stop.click(position=other, modifiers=["Control"])
    grid.tab_stop.click(position=low, modifiers=["Control"])
    notebook.wait_for_python(f"set(grid.selection) == {square - {(0, 'attn.q')} | {(5, 'mlp.down')}}")

    grid.tab_stop.hover(position=low)
    picture = grid.cells.bounding_box()
    mouse.down()
    mouse.move(picture["x"] + high["x"], picture["y"] + high["y"], steps=6)
    mouse.up()
    notebook.wait_for_python(f"set(grid.selection) == {square}")
    grid.root.locator(".layergrid-column-label[data-column='3']").click()
    notebook.wait_for_python("set(grid.selection) == {(layer, 'mlp.up') for layer in range(6)}")
    grid.root.locator(".layergrid-row-label[data-row='5']").click()
    notebook.wait_for_python("grid.selection == [(0, name) for name in names]")
    grid.tab_stop.press("Escape")
    notebook.wait_for_python("grid.selection == []")


def test_a_selection_made_in_python_is_outlined_and_told_in_the_details(explored):
    notebook, grid = explored
    expect_outlined(grid, 5, 0, False)
    notebook.evaluate("None", after="grid.selection = [(3, 'attn.v'), (0, 'attn.q')]")
    expect(grid.details).to_contain_text("layer 0, attn.q · last of 2 cells")
    expect(grid.details.locator(".layergrid-details-value")).to_have_text("0")
    expect(grid.details).to_contain_text("lowest of 30 values")
    expect(grid.details).to_contain_text("attn.q, attn.v over layers")
    expect(grid.details).to_contain_text("layer 0 over components")
    expect(grid.details.locator(".layergrid-line")).to_have_count(2)
    expect(grid.details.locator(".layergrid-bar-marked")).to_have_count(1)
    expect_outlined(grid, 5, 0)
    expect_outlined(grid, 2, 2)
    expect_outlined(grid, 4, 0, False)
    notebook.evaluate("None", after="grid.selection = []")
    expect(grid.details.locator(".layergrid-details-value")).to_be_hidden()
    expect_outlined(grid, 5, 0, False)


def test_an_exception_in_a_callback_is_shown_under_the_grid_and_the_next_click_works(explored):
    notebook, grid = explored
    heard = """
heard = []
def hear(cell):
    heard.append((cell.layer, cell.component))
    if len(heard) == 1:
        raise RuntimeError("the first one fails")
grid.on_click(hear)
"""
    notebook.evaluate("None", after=heard)
    grid.click(5, 0)
    expect(grid.notice).to_contain_text("An exception in hear")
    expect(grid.notice).to_contain_text("RuntimeError: the first one fails")
    grid.click(0, 4)
    expect(grid.notice).to_be_hidden()
    notebook.wait_for_python("heard == [(0, 'attn.q'), (5, 'mlp.down')]")


def test_the_tooltip_tells_place_value_rank_deviation_and_parameter(explored):
    notebook, grid = explored
    grid.hover(1, 3)
    expect(grid.tooltip.locator(":scope > div:not(:empty)")).to_have_text(
        ["layer 4 · mlp.up", "23", "7th highest of 30 values", "+0.8 sd in mlp.up"]
    )
    notebook.page.mouse.move(0, 0)
    expect(grid.tooltip).to_be_hidden()


def test_the_tooltip_tells_all_digits_while_alt_is_held(open_notebook):
    notebook = open_notebook("import layergrid as lg\nlg.LayerGrid([[0.5, 1.0], [0.1234567890123, 0.75]])")
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    at = grid.middle(0, 0)
    value = grid.tooltip.locator(".layergrid-tooltip-value")
    grid.tab_stop.hover(position=at)
    expect(value).to_have_text("0.123")
    grid.tab_stop.hover(position=at | {"x": at["x"] + 2}, modifiers=["Alt"])
    expect(value).to_have_text("0.1234567890123")
    grid.tab_stop.hover(position=at)
    expect(value).to_have_text("0.123")


def test_a_chip_dragged_onto_another_takes_its_place_in_the_page_and_in_python(explored):
    notebook, grid = explored
    start, end = (grid.chip(name).bounding_box() for name in ("attn.v", "attn.q"))
    drag(grid.chip("attn.v"), end["x"] + 4 - start["x"] - start["width"] / 2, 0)
    expect(pressed(grid)).to_have_text(["v", "q", "k", "up", "down"])
    notebook.wait_for_python("grid.components == ['attn.v', 'attn.q', 'attn.k', 'mlp.up', 'mlp.down']")
    grid.chip("attn.v").click()  # what ended the drag was no click, and the next one is
    expect(grid.chip("attn.v")).to_have_attribute("aria-pressed", "false")

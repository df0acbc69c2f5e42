"""The grid without a mouse: one tab stop, and keys that the notebook around it does not take."""

import pytest
from playwright.sync_api import expect

KEYS = """
import numpy as np
import layergrid as lg
entered = []
values = np.arange(12.0).reshape(4, 3)
grid = lg.LayerGrid(values, components=["attn.q", "attn.k", "mlp.up"], title="entropy", units="nats")
grid.on_click(lambda cell: entered.append((cell.layer, cell.component)))
grid
"""


@pytest.fixture(params=["lab", "notebook7"])
def keyed(open_notebook, request):
    """A notebook and the grid in it, drawn."""
    notebook = open_notebook(KEYS, "untouched = 1", server=request.param)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", "0")
    return notebook, grid


def test_arrows_home_end_and_enter_go_from_cell_to_cell_within_one_tab_stop(keyed):
    notebook, grid = keyed
    keyboard = notebook.page.keyboard
    grid.tab_stop.focus()
    expect(grid.active_cell()).to_have_attribute("aria-label", "layer 0, attn.q, 0 nats, lowest of 12 values")
    for key, place in [
        ("ArrowUp", "layer 1, attn.q"),
        ("ArrowRight", "layer 1, attn.k"),
        ("End", "layer 1, mlp.up"),
        ("Home", "layer 1, attn.q"),
        ("PageUp", "layer 3, attn.q"),
        ("ArrowUp", "layer 3, attn.q"),
        ("Control+End", "layer 0, mlp.up"),
        ("Control+Home", "layer 3, attn.q"),
        ("ArrowDown", "layer 2, attn.q"),
    ]:
        keyboard.press(key)
        expect(grid.live).to_contain_text(place)
        expect(grid.tab_stop).to_be_focused()
    expect(grid.live).to_have_text("layer 2, attn.q, 6 nats, 6th highest of 12 values")

    keyboard.press("Enter")
    expect(grid.live).to_contain_text("selected")
    notebook.wait_for_python("entered == [(2, 'attn.q')] and grid.selection == entered")
    keyboard.press("Shift+ArrowRight")
    notebook.wait_for_python("grid.selection == [(2, 'attn.q'), (2, 'attn.k')]")
    keyboard.press("Tab")
    expect(grid.tab_stop).not_to_be_focused()
    expect(grid.handle("low")).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(grid.tab_stop).to_be_focused()


def test_the_notebook_takes_no_key_from_the_grid_its_sliders_and_its_chips(keyed):
    notebook, grid = keyed
    keyboard = notebook.page.keyboard
    sources = "jupyterapp.shell.currentWidget.content.widgets.map((cell) => cell.model.sharedModel.getSource())"
    before = notebook.page.evaluate(sources)
    for target in (grid.tab_stop, grid.handle("high"), grid.chip("attn.q")):
        target.focus()
        for key in (*"abxddmyjk", "ArrowDown", "ArrowUp", "Shift+Enter", "Control+Enter"):
            keyboard.press(key)
        expect(target).to_be_focused()
    grid.chip("attn.k").focus()
    keyboard.press("Enter")
    expect(grid.chip("attn.k")).to_have_attribute("aria-pressed", "false")
    keyboard.press("Space")
    expect(grid.chip("attn.k")).to_have_attribute("aria-pressed", "true")
    assert notebook.page.evaluate(sources) == before
    assert notebook.page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex") == 0
    assert not notebook.evaluate("'untouched' in globals()")
    pressed = grid.root.locator(".layergrid-chip[aria-pressed=true]").all()
    notebook.wait_for_python(f"grid.components == {[chip.get_attribute('data-component') for chip in pressed]}")


def test_a_limit_is_moved_by_arrows_page_home_and_end(open_notebook):
    notebook = open_notebook(KEYS)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    handle = grid.handle("high")
    expect(handle).to_have_attribute("aria-valuetext", "11 nats")
    handle.focus()
    for key, value in [("ArrowDown", 10.89), ("ArrowUp", 11.0), ("PageDown", 9.9), ("Home", 0.0), ("End", 11.0)]:
        notebook.page.keyboard.press(key)
        notebook.wait_for_python(f"abs(grid.vmax - {value}) < 1e-6")
        grid.expect_limit("high", value)


def test_keys_that_come_faster_than_drawings_all_count(open_notebook):
    notebook = open_notebook(KEYS)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    presses = """(target, [key, times]) => {
      const press = { key, bubbles: true, cancelable: true };
      for (let time = 0; time < times; time++) target.dispatchEvent(new KeyboardEvent("keydown", press));
    }"""
    grid.handle("high").evaluate(presses, ["PageDown", 3])
    grid.expect_limit("high", 7.7)
    notebook.wait_for_python("abs(grid.vmax - 7.7) < 1e-6")
    grid.focus_first_cell()
    grid.tab_stop.evaluate(presses, [" ", 3])  # selected, not, and selected again
    notebook.wait_for_python("grid.selection == [(3, 'attn.q')]")

"""The picture comes first; what stands around it comes later, and nothing done in between is lost."""

from playwright.sync_api import expect

from .patience import eventually

GRID = """
import numpy as np
import layergrid as lg
clicks = []
def shown():
    grid = lg.LayerGrid(np.linspace(0.0, 1.0, 8).reshape(4, 2), components=["attn.q", "attn.k"])
    grid.on_click(clicks.append)
    return grid
grid = shown()
grid
"""
# Packed code is unpacked only when the journey says so.
HOLD = """() => {
  const Real = window.DecompressionStream;
  const released = new Promise((resolve) => { window.release = resolve; });
  window.DecompressionStream = function (format) {
    const gate = new TransformStream({
      async transform(chunk, controller) { await released; controller.enqueue(chunk); },
    });
    return { writable: gate.writable, readable: gate.readable.pipeThrough(new Real(format)) };
  };
}"""


def test_what_is_done_before_the_surroundings_come_is_not_lost(open_notebook):
    notebook = open_notebook(GRID, "grid.vmax = 2.0")
    notebook.page.evaluate(HOLD)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_painted()
    expect(grid.details).to_have_count(0)
    before = grid.pixels()

    width = grid.cells.bounding_box()["width"]
    grid.tab_stop.click(position={"x": width - 10, "y": 10})  # the last layer, the second component
    notebook.wait_for_python("grid.selection == [(3, 'attn.k')] and len(clicks) == 1")
    notebook.page.keyboard.press("ArrowLeft")
    notebook.page.keyboard.press("Shift+ArrowDown")
    notebook.wait_for_python("grid.selection == [(3, 'attn.q'), (2, 'attn.q')]")
    notebook.run(1)
    grid.expect_other_pixels(before)  # a change from Python is painted
    place = grid.cells.bounding_box()

    notebook.page.evaluate("window.release()")
    grid.wait_until_drawn()
    expect(grid.active_cell()).to_have_attribute(
        "aria-label", "layer 2, attn.q, 0.571, 4th highest of 8 values, selected"
    )
    expect(grid.handle("high")).to_have_attribute("aria-valuenow", "2")

    def nothing_has_moved():
        assert grid.cells.bounding_box() == place
        assert grid.marks.bounding_box() == place

    eventually(nothing_has_moved)


def test_a_later_grid_brings_the_code_to_a_page_that_has_none(open_notebook):
    notebook = open_notebook(GRID, "shown()")
    notebook.run(0)
    notebook.grid(0).wait_until_drawn()
    notebook.save()
    notebook.reopen(2)
    notebook.run(1)
    grid = notebook.grid(1).wait_until_drawn()
    grid.click(0, 1)
    expect(grid.details).to_contain_text("attn.k")


def test_code_that_cannot_be_read_is_said_under_the_picture(open_notebook):
    notebook = open_notebook(
        "import layergrid as lg\ngrid = lg.LayerGrid([[1.0, 2.0]])\ngrid._surroundings_code = b'torn'\ngrid"
    )
    notebook.run(0)
    grid = notebook.grid(0).wait_until_painted()
    expect(grid.root.get_by_role("alert")).to_contain_text("The controls of this grid could not be loaded")

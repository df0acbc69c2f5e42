"""The grid through the life of a notebook: other views, themes and widths, scrolling, reopening, running on and on."""

import os

import numpy as np
from playwright.sync_api import expect

from .notebook_page import Grid
from .patience import eventually

GRID = """
import numpy as np
import layergrid as lg
values = np.linspace(0.0, 1.0, 12).reshape(4, 3)
grid = lg.LayerGrid(values, components=["attn.q", "attn.k", "mlp.up"], vmin=0.0, vmax=1.0, center=0.25)
grid
"""
IN_VIEW = """(canvas) => {
  const box = canvas.getBoundingClientRect();
  return canvas.isConnected && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
}"""
# Each run ends with its own picture in the page.
RERUN = """async (times) => {
  const picture = () => document.querySelector("canvas.layergrid-cells");
  for (let run = 0; run < times; run++) {
    const last = picture();
    await window.jupyterapp.commands.execute("notebook:run-cell");
    while (picture() === null || picture() === last) await new Promise(requestAnimationFrame);
  }
}"""

HIDE = """() => {
  window.waiting = [];
  const frame = window.requestAnimationFrame;
  window.requestAnimationFrame = (then) => waiting.push(then);
  window.show = () => {
    window.requestAnimationFrame = frame;
    for (const then of waiting) frame(then);
  };
}"""


def colors(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(color) for color in np.unique(pixels.reshape(-1, 4), axis=0).tolist()}


def red(color: str) -> int:
    """The first channel of ``rgb(...)`` or ``rgba(...)``."""
    return int(color.split("(")[1].split(",")[0])


def test_two_views_of_a_grid_agree_after_a_change_in_either(open_notebook):
    notebook = open_notebook(GRID, "grid")
    notebook.run(0)
    notebook.run(1)
    first, second = notebook.grid(0).wait_until_drawn(), notebook.grid(1).wait_until_drawn()

    def agree() -> None:
        np.testing.assert_array_equal(first.pixels(), second.pixels())

    eventually(agree)
    expect(first.handle("low")).to_have_attribute("aria-valuenow", "0")
    first.handle("low").press("PageUp")
    expect(second.handle("low")).to_have_attribute("aria-valuenow", "0.1")
    second.chip("attn.k").click()
    expect(first.chip("attn.k")).to_have_attribute("aria-pressed", "false")
    expect(first.tab_stop).to_have_attribute("aria-colcount", "2")
    eventually(agree)


def test_a_dark_theme_changes_the_text_at_once_and_no_cell(open_notebook):
    notebook = open_notebook(GRID)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    label = grid.root.locator(".layergrid-column-label").first
    ink = "(label) => getComputedStyle(label).color"
    light, fills = label.evaluate(ink), [grid.color(row, 1) for row in range(4)]
    notebook.set_theme("JupyterLab Dark")
    expect(grid.root).to_contain_class("layergrid-dark")

    def check() -> None:
        assert red(light) < 128 < red(label.evaluate(ink))
        assert [grid.color(row, 1) for row in range(4)] == fills

    eventually(check)


def test_the_grid_follows_the_width_of_its_output_and_stays_inside(open_notebook):
    many = GRID.replace("values = ", "values = np.random.default_rng(0).normal(size=(12, 40)) #").replace(
        'components=["attn.q", "attn.k", "mlp.up"], ', ""
    )
    notebook = open_notebook(many, width=1800)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    output = notebook.page.locator(".jp-OutputArea-output:has(.layergrid)")
    inside = "(node) => node.scrollWidth <= node.clientWidth"
    drawn = [0]

    def drawn_within(width: int) -> int:
        assert abs(grid.root.evaluate("(root) => root.clientWidth") - width) < 40
        now = int(grid.pixels().shape[1])
        assert now != drawn[-1], "the picture is as wide as before"
        assert now <= width
        assert grid.root.evaluate(inside), f"the grid is wider than {width} px"
        assert notebook.page.locator("html").evaluate(inside)
        return now

    for width in (300, 1500, 600):
        output.evaluate("(output, width) => { output.style.width = output.style.maxWidth = `${width}px`; }", width)
        drawn.append(eventually(lambda width=width: drawn_within(width)))
    assert drawn[1] < drawn[3] < drawn[2]


def test_a_grid_scrolled_out_and_back_shows_the_same_pixels(open_notebook):
    long = "\n".join(["# a line"] * 60)
    notebook = open_notebook(GRID, *[long] * 12)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    before = grid.pixels()
    canvas = grid.cells.element_handle()
    scroll = "(cell) => window.jupyterapp.shell.currentWidget.content.scrollToItem(cell, 'start')"

    def scrolled_out() -> None:
        notebook.page.evaluate(scroll, 12)
        assert not canvas.evaluate(IN_VIEW)

    def scrolled_back() -> None:
        notebook.page.evaluate(scroll, 0)
        assert grid.cells.evaluate(IN_VIEW)

    eventually(scrolled_out)
    eventually(scrolled_back)
    grid.expect_pixels(before)


def test_a_notebook_saved_and_reopened_shows_the_same_pixels_though_its_kernel_knows_no_grid(open_notebook):
    notebook = open_notebook(GRID)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.chip("attn.k")).to_be_visible()
    grid.chip("attn.k").click()
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "2")
    notebook.wait_for_python("len(grid.components) == 2")
    before = grid.pixels()

    def saved() -> None:
        notebook.save()
        assert "application/vnd.jupyter.widget-state+json" in notebook.path.read_text()

    eventually(saved)
    notebook.shut_down_kernel()
    notebook.reopen(1)
    again = notebook.grid(0).wait_until_drawn()
    expect(again.chip("attn.k")).to_have_attribute("aria-pressed", "false")
    again.expect_pixels(before)
    assert not notebook.evaluate("'layergrid' in __import__('sys').modules")
    again.chip("attn.k").click()
    expect(again.tab_stop).to_have_attribute("aria-colcount", "3")


def test_controls_work_while_a_cell_runs_and_python_hears_of_it(open_notebook, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    notebook = open_notebook(GRID, f"arrived = open({str(gate)!r}).read()")
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.handle("high")).to_have_attribute("aria-valuenow", "1")
    before = grid.color(1, 1)
    notebook.start(1)
    prompt = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:")
    with gate.open("w") as opened:  # comes back once the cell reads
        grid.handle("high").press("PageDown")
        expect(grid.handle("high")).to_have_attribute("aria-valuenow", "0.9")
        grid.expect_other_color(1, 1, before)
        grid.chip("attn.q").click()
        expect(grid.tab_stop).to_have_attribute("aria-colcount", "2")
        expect(prompt).to_have_text("[*]:")
        opened.write("released")
    expect(prompt).to_have_text("[2]:")
    notebook.wait_for_python("arrived == 'released' and abs(grid.vmax - 0.9) < 1e-9 and len(grid.components) == 2")


def test_a_cell_run_200_times_leaves_one_open_grid_one_canvas_and_no_listener(open_notebook):
    notebook = open_notebook(GRID.replace("grid = ", "").replace("\ngrid\n", "\n"))
    notebook.run(0)
    notebook.grid(0).wait_until_drawn()
    browser = notebook.page.context.new_cdp_session(notebook.page)
    browser.send("Performance.enable")

    def counted() -> dict[str, float]:
        browser.send("HeapProfiler.collectGarbage")
        metrics = browser.send("Performance.getMetrics")["metrics"]
        return {entry["name"]: entry["value"] for entry in metrics if entry["name"] in ("JSEventListeners", "Nodes")}

    notebook.page.evaluate(RERUN, 100)  # JupyterLab's own listeners settle within the first dozens
    before = counted()
    notebook.page.evaluate(RERUN, 100)
    notebook.grid(0).wait_until_drawn()
    expect(notebook.page.locator("canvas.layergrid-cells")).to_have_count(1)
    open_grids = "sum(isinstance(one, lg.LayerGrid) and one.comm is not None for one in gc.get_objects())"
    notebook.evaluate("None", after="import gc")
    notebook.wait_for_python(f"gc.collect() >= 0 and {open_grids} == 1")

    def little_has_grown() -> None:
        grown = {name: value - before[name] for name, value in counted().items()}
        assert grown["JSEventListeners"] < 20, grown
        assert grown["Nodes"] < 400, grown  # a grid alone has some 150; of an ipywidgets.HTML, 6 a run stay

    eventually(little_has_grown)


def test_a_page_loaded_anew_draws_a_grid_that_is_not_the_first_of_its_kernel(open_notebook):
    notebook = open_notebook("import layergrid as lg\nlg.LayerGrid([[0.0, 1.0]])", "lg.LayerGrid([[1.0, 0.0]])")
    notebook.run(0)
    notebook.grid(0).wait_until_drawn()
    notebook.reopen(2)
    notebook.run(1)
    notebook.grid(1).wait_until_drawn()


def test_a_grid_moved_to_another_panel_and_back_is_drawn_in_both(open_notebook):
    notebook = open_notebook(GRID)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    before = grid.pixels()
    own = notebook.page.evaluate("jupyterapp.shell.currentWidget.id")
    notebook.page.evaluate("jupyterapp.commands.execute('notebook:create-output-view')")
    panel = notebook.page.locator(".jp-LinkedOutputView")
    moved = Grid(notebook.page, panel.locator(".layergrid")).wait_until_drawn()

    def has_the_same_colors() -> None:
        assert colors(moved.pixels()) >= colors(before)

    eventually(has_the_same_colors)
    # Behind the other as a tab of the same panel, it has no size until it is shown again.
    notebook.page.evaluate(
        """(id) => {
          const { shell } = jupyterapp;
          const [other] = [...shell.widgets("main")].filter((widget) => widget.id !== id && widget.isVisible);
          shell.add(other, "main", { mode: "tab-after", ref: id, activate: true });
        }""",
        own,
    )
    expect(grid.cells).not_to_be_visible()
    moved.wait_until_drawn()
    moved.chip("attn.k").click()
    notebook.page.evaluate("(id) => jupyterapp.shell.activateById(id)", own)
    expect(grid.cells).to_be_visible()
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "2")
    grid.chip("attn.k").click()
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "3")
    grid.expect_pixels(before)


def test_what_changes_while_the_tab_is_hidden_is_drawn_once_it_is_shown(open_notebook):
    notebook = open_notebook(GRID, "grid.vmax = 2.0")
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    before = grid.color(0, 2)
    # A hidden tab gets no animation frame; what asks for one waits until it is shown.
    notebook.page.evaluate(HIDE)
    notebook.run(1)
    notebook.page.wait_for_function("waiting.length > 0")
    assert grid.cells.evaluate("(canvas) => canvas.isConnected")
    notebook.page.evaluate("show()")
    expect(grid.handle("high")).to_have_attribute("aria-valuenow", "2")
    grid.expect_other_color(0, 2, before)


def test_a_slider_of_ipywidgets_linked_in_the_page_moves_the_limit_after_the_kernel_has_gone(open_notebook):
    notebook = open_notebook(
        GRID.replace("\ngrid\n", "\n")
        + "import ipywidgets as w\n"
        + "slider = w.FloatSlider(value=1.0, min=0.0, max=2.0, step=0.1)\n"
        + "w.jslink((slider, 'value'), (grid, 'vmax'))\n"
        + "w.VBox([slider, grid])"
    )
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.handle("high")).to_have_attribute("aria-valuenow", "1")
    before = grid.color(1, 1)
    notebook.shut_down_kernel()
    slider = notebook.page.locator(".jupyter-widgets .noUi-handle")
    slider.press("ArrowRight")
    expect(grid.handle("high")).to_have_attribute("aria-valuenow", "1.1")
    grid.expect_other_color(1, 1, before)
    grid.handle("high").press("PageDown")
    expect(grid.handle("high")).not_to_have_attribute("aria-valuenow", "1.1")
    expect(slider).not_to_have_attribute("aria-valuenow", "1.1")

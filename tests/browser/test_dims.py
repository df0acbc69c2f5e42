"""Grids of more than two dims: turning the page by slider, menu, keyboard and play, with and without a kernel."""

import numpy as np
import pytest
import xarray
from playwright.sync_api import expect

import layergrid as lg

from .expected import expected_color
from .notebook_page import Grid, PageLog, expect_accessible

STEPS = [0, 100, 400, 1600]
# 4 steps x 3 layers x 2 components; the pages do not overlap, so that a domain of one does not fit another.
RUN = """
import numpy as np
import xarray
import layergrid as lg
run = xarray.DataArray(
    np.arange(24.0).reshape(4, 3, 2),
    dims=("step", "layer", "component"),
    coords={"step": [0, 100, 400, 1600], "component": ["attn.q", "mlp.up"]},
)
data = xarray.Dataset({"rms": run.assign_attrs(long_name="Root mean square"), "rank": run * 10})
grid = lg.LayerGrid(data)
grid
"""
EXPERTS = """
import numpy as np
import xarray
import layergrid as lg
names = np.full((4, 3, 41), "", dtype=object)
for layer in range(4):
    names[layer, 0, 0] = f"layers.{layer}.q"
    for part in (1, 2):
        for expert in range(40 if layer else 20):
            names[layer, part, 1 + expert] = f"layers.{layer}.experts.{expert}.{part}"
values = np.where(names == "", np.nan, np.linspace(0.0, 1.0, names.size).reshape(names.shape))
dims = ("layer", "component", "expert")
coords = {"component": ["attn.q", "mlp.up", "mlp.down"], "expert": range(-1, 40), "parameter": (dims, names)}
clicked = []
grid = lg.LayerGrid(xarray.DataArray(values, dims=dims, coords=coords, name="rms"))
grid.on_click(lambda cell: clicked.append((cell.layer, cell.component, cell.parameter)))
grid
"""
# A source whose third page waits for a gate; which pages were read is known.
GATED = """
import threading
import numpy as np
import layergrid as lg
class Gated:
    shape, ndim, dtype = (5, 3, 2), 3, np.dtype("f8")
    def __init__(self):
        self.read, self.gate = [], threading.Event()
    def __getitem__(self, key):
        if key[0] == 3:
            self.gate.wait()
        self.read.append(key[0])
        return np.arange(30.0).reshape(self.shape)[key]
source = Gated()
grid = lg.LayerGrid(source, dims={"step": range(5), "layer": None, "component": ["attn.q", "mlp.up"]})
grid
"""


def slider(grid: Grid, dim: str = "step"):
    return grid.root.locator(f"[data-dim='{dim}'] input[type=range]")


def expect_page(grid: Grid, page: int, low: float) -> None:
    """The picture shows a page whose values run from `low` to `low` + 5, and the domain fits them."""
    expect(slider(grid)).to_have_value(str(page))
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", f"{low:g}")
    for layer, component in [(0, 0), (2, 1), (1, 0)]:
        value = low + 2 * layer + component
        grid.expect_color(2 - layer, component, expected_color(value, low, low + 2.5, low + 5))


@pytest.fixture
def open_saved(open_context, watched, tmp_path):
    """Save a grid as a page and open the file, the network cut."""

    def open_one(widget: lg.LayerGrid, **options: object) -> Grid:
        page = open_context(offline=True, **options).new_page()
        page.clock.install(time=0)
        watched.append(PageLog(page))
        page.goto(widget.save(tmp_path / "grid.html").as_uri())
        grid = Grid(page, page.locator(".layergrid")).wait_until_drawn()
        page.clock.pause_at(600_000)  # from here on time passes when the test says so
        return grid

    return open_one


def steps() -> lg.LayerGrid:
    values = np.arange(24.0).reshape(4, 3, 2)
    return lg.LayerGrid(values, dims={"step": STEPS, "layer": None, "component": ["attn.q", "mlp.up"]})


def test_the_slider_turns_the_page_by_keyboard_and_mouse_and_python_hears_of_it(open_notebook):
    notebook = open_notebook(RUN)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect_page(grid, 0, 0.0)
    slider(grid).focus()
    notebook.page.keyboard.press("ArrowRight")
    expect_page(grid, 1, 6.0)
    expect(slider(grid)).to_have_attribute("aria-valuetext", "100")
    notebook.wait_for_python("grid.position == {'metric': 'rms', 'step': 100} and grid.vmin == 6.0")
    assert notebook.evaluate("grid.cell(2, 'mlp.up').value") == 11.0
    box = slider(grid).bounding_box()
    slider(grid).click(position={"x": box["width"] - 4, "y": box["height"] / 2})
    expect_page(grid, 3, 18.0)
    notebook.wait_for_python("grid.position['step'] == 1600")


def test_python_turns_the_page_and_the_menu_the_metric_with_its_title(open_notebook):
    notebook = open_notebook(RUN)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.root.locator(".layergrid-title")).to_have_text("Root mean square")
    notebook.evaluate("grid.position", after="grid.position = {'step': 400}")
    expect_page(grid, 2, 12.0)
    grid.root.locator("[data-dim=metric] select").select_option(label="rank")
    expect(grid.root.locator(".layergrid-title")).to_have_text("rank")
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", "120")
    notebook.wait_for_python("grid.title == 'rank' and grid.vmin == 120.0")


def test_a_limit_set_by_hand_stays_while_pages_turn_until_it_is_reset(open_notebook):
    notebook = open_notebook(RUN)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    grid.handle("low").focus()
    notebook.page.keyboard.press("PageUp")
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", "0.5")
    slider(grid).press("End")
    expect(slider(grid)).to_have_value("3")
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", "0.5")
    grid.root.get_by_role("button", name="reset").click()
    expect_page(grid, 3, 18.0)
    grid.root.get_by_role("button", name="over all pages").click()
    expect(grid.handle("low")).to_have_attribute("aria-valuenow", "0")
    expect(grid.handle("high")).to_have_attribute("aria-valuenow", "23")
    notebook.wait_for_python("(grid.scale_over, grid.vmin, grid.vmax) == ('all', 0.0, 23.0)")


def test_pages_turn_after_the_kernel_is_gone(open_notebook):
    notebook = open_notebook(RUN)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(slider(grid)).to_be_visible()
    notebook.shut_down_kernel()
    slider(grid).press("End")
    expect_page(grid, 3, 18.0)


def test_a_saved_page_turns_its_pages_and_shows_a_cell_over_them(open_saved):
    grid = open_saved(steps())
    slider(grid).press("ArrowRight")
    grid.page.clock.run_for(100)
    expect_page(grid, 1, 6.0)
    grid.click(0, 0)
    grid.page.clock.run_for(100)
    expect(grid.details).to_contain_text("this cell over step, 0 to 1600")
    expect(grid.details.locator(".layergrid-over-pages path")).to_have_count(1)


def test_play_shows_one_page_after_the_other_and_stops_at_the_end_or_when_asked_to(open_saved):
    grid = open_saved(steps())
    play = grid.root.get_by_role("button", name="Play step")
    play.click()
    grid.page.clock.run_for(20)
    expect(slider(grid)).to_have_value("1")
    grid.page.clock.run_for(500)
    expect(slider(grid)).to_have_value("2")
    grid.root.get_by_role("button", name="Pause step").click()
    grid.page.clock.run_for(5000)
    expect(slider(grid)).to_have_value("2")
    play.click()
    grid.page.clock.run_for(2000)
    expect(slider(grid)).to_have_value("3")
    expect(play).to_have_text("play")
    play.click()
    grid.page.clock.run_for(20)
    expect(slider(grid)).to_have_value("0")


def test_who_asked_for_less_motion_sees_a_page_for_a_second(open_saved):
    grid = open_saved(steps(), reduced_motion="reduce")
    grid.root.get_by_role("button", name="Play step").click()
    grid.page.clock.run_for(20)
    expect(slider(grid)).to_have_value("1")
    grid.page.clock.run_for(960)
    expect(slider(grid)).to_have_value("1")
    grid.page.clock.run_for(40)
    expect(slider(grid)).to_have_value("2")


def test_a_hostile_dim_and_label_are_text(open_saved):
    hostile = '<img src=x onerror="window.hurt=1">'
    data = xarray.DataArray(np.zeros((2, 1, 1)), dims=(hostile, "layer", "component"), coords={hostile: [hostile, "b"]})
    grid = open_saved(lg.LayerGrid(data))
    expect(grid.root.locator(".layergrid-selectors option")).to_have_count(2)
    expect(grid.page.locator("img")).to_have_count(0)
    assert grid.page.evaluate("window.hurt") is None


def test_experts_stand_below_their_component_and_a_click_knows_which_one_it_was(open_notebook):
    notebook = open_notebook(EXPERTS)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    headings = grid.root.locator(".layergrid-group")
    expect(headings.filter(has_text="mlp.up")).to_have_count(1)
    expect(headings.filter(has_text="mlp.down")).to_have_count(1)
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "81")
    grid.click(1, 1 + 3)
    notebook.wait_for_python("clicked")
    assert notebook.evaluate("clicked") == [(2, "mlp.up[3]", "layers.2.experts.3.1")]
    notebook.wait_for_python("grid.selection == [(2, 'mlp.up[3]')]")
    grid.hover(3, 1 + 30)
    expect(grid.tooltip).to_contain_text("layer 0 · mlp.up[30]")
    expect(grid.tooltip).to_contain_text("absent")


def test_the_chip_of_a_group_hides_all_of_its_experts_and_the_filter_finds_one(open_notebook):
    notebook = open_notebook(EXPERTS)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    chip = grid.chip("mlp.up")
    expect(chip).to_have_text("mlp.up × 40")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "false")
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "41")
    grid.root.locator(".layergrid-filter").fill("up[7]")
    grid.chip("mlp.up[7]").click()
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "42")
    grid.root.locator(".layergrid-filter").fill("")
    expect(chip).to_have_attribute("aria-pressed", "mixed")
    notebook.wait_for_python("len(grid.components) == 42 and 'mlp.up[7]' in grid.components")


def test_selectors_and_nested_columns_pass_axe_in_either_theme(open_notebook):
    notebook = open_notebook(RUN, EXPERTS)
    notebook.run(0)
    notebook.run(1)
    for cell in (0, 1):
        expect(notebook.grid(cell).wait_until_drawn().chip("attn.q")).to_be_visible()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.set_theme(theme)
        roots = notebook.page.locator(".layergrid")
        dark = "([roots, dark]) => roots.every((root) => root.classList.contains('layergrid-dark') === dark)"
        notebook.page.wait_for_function(dark, arg=[roots.element_handles(), "Dark" in theme])
        expect_accessible(notebook.page, theme)


def test_pages_that_do_not_travel_together_are_fetched_ahead_and_the_old_one_stays_meanwhile(open_notebook):
    notebook = open_notebook(GATED)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    notebook.wait_for_python("source.read == [0, 1]")
    slider(grid).press("ArrowRight")
    expect_page(grid, 1, 6.0)
    notebook.wait_for_python("source.read == [0, 1, 2] and grid.position == {'step': 1}")
    slider(grid).press("ArrowRight")
    expect_page(grid, 2, 12.0)
    before = grid.pixels()
    slider(grid).press("ArrowRight")
    selectors = grid.root.locator(".layergrid-selectors")
    expect(selectors).to_have_attribute("aria-busy", "true")
    expect(slider(grid)).to_have_value("3")
    notebook.wait_for_python("grid.position == {'step': 2}")  # and the kernel is free to say so
    grid.expect_pixels(before)
    notebook.evaluate("source.gate.set()")
    expect_page(grid, 3, 18.0)
    expect(selectors).not_to_have_attribute("aria-busy", "true")
    notebook.wait_for_python("grid.position == {'step': 3}")


def test_a_page_that_the_kernel_can_no_longer_send_is_said_to_be_missing(open_notebook):
    notebook = open_notebook(GATED)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    notebook.wait_for_python("source.read == [0, 1]")
    before = grid.pixels()
    notebook.evaluate("source.gate.set()")
    notebook.shut_down_kernel()
    slider(grid).press("End")
    expect(grid.notice).to_contain_text("page")
    grid.expect_pixels(before)


def test_a_page_that_cannot_be_read_is_said_in_words(open_notebook):
    notebook = open_notebook(GATED.replace("self.gate.wait()", "raise OSError('disk on fire')"))
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    slider(grid).fill("3")
    expect(grid.notice).to_contain_text("OSError: disk on fire")
    expect_page(grid, 0, 0.0)

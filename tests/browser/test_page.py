"""The saved page: the widget in one file, without a kernel and without a network; and what both owe every reader."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

import layergrid as lg

from .expected import expected_color
from .notebook_page import Grid, PageLog, expect_accessible

VALUES = np.linspace(-1.0, 2.0, 12).reshape(4, 3)
COMPONENTS = ["attn.q", "attn.k", "mlp.up"]
HOSTILE = ['<img src=x onerror="window.hurt=1">', "</script><script>window.hurt=1</script>", "a\u2028b\u202egnp"]


@pytest.fixture
def open_saved(open_context, watched, tmp_path):
    """Save a grid as a page and open the file, the network cut."""

    def open_one(widget: lg.LayerGrid) -> Grid:
        page = open_context(offline=True).new_page()
        watched.append(PageLog(page))
        page.goto(widget.save(tmp_path / "grid.html").as_uri())
        return Grid(page, page.locator(".layergrid")).wait_until_drawn()

    return open_one


def test_a_saved_page_shows_the_same_colors_and_its_chips_and_sliders_work(open_saved):
    grid = open_saved(lg.LayerGrid(VALUES, components=COMPONENTS, title="log ratio"))
    for row in range(4):
        for column in range(3):
            expected = expected_color(VALUES[3 - row, column], -1.0, 0.0, 2.0)
            grid.expect_color(row, column, expected, f"layer {3 - row}, {COMPONENTS[column]}")

    grid.handle("low").press("PageUp")
    expect(grid.handle("low")).to_have_attribute("aria-valuetext", "\u22120.700")
    grid.expect_color(3, 2, expected_color(VALUES[0, 2], -0.7, 0.0, 2.0))

    grid.chip("attn.q").click()
    expect(grid.tab_stop).to_have_attribute("aria-colcount", "2")
    grid.expect_color(0, 1, expected_color(2.0, -0.7, 0.0, 2.0))
    grid.click(0, 0)
    expect(grid.details).to_contain_text("layer 3, attn.k")


def test_hostile_labels_are_text_in_a_saved_page(open_saved):
    grid = open_saved(lg.LayerGrid(VALUES, components=HOSTILE, layers=[*HOSTILE, "last"], title=HOSTILE[1]))
    expect(grid.root.locator(".layergrid-title")).to_have_text(HOSTILE[1])
    grid.click(2, 1)
    expect(grid.details).to_contain_text(f"layer {HOSTILE[1]}, {HOSTILE[1]}")
    chips = grid.root.locator(".layergrid-chip")
    expect(chips).to_have_count(len(HOSTILE))
    assert chips.evaluate_all("(all) => all.map((chip) => chip.ariaLabel)") == HOSTILE
    expect(grid.page.locator("img")).to_have_count(0)
    assert grid.page.evaluate("window.hurt") is None


def test_hostile_labels_are_text_in_the_notebook_and_axe_finds_no_violation_in_either_theme(open_notebook):
    cell = f"""
import json
import numpy as np
import layergrid as lg
values = np.linspace(-1.0, 2.0, 12).reshape(4, 3)
values[0, 0] = np.nan
grid = lg.LayerGrid(values, components=json.loads({json.dumps(json.dumps(HOSTILE))}), vmax=1.5, title="<b>ratio</b>")
grid.on_click(lambda cell: 1 / 0)
grid
"""
    notebook = open_notebook(cell)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.root.locator(".layergrid-title")).to_have_text("<b>ratio</b>")
    grid.hover(1, 0)
    expect(grid.tooltip).to_contain_text(f"layer 2 · {HOSTILE[0]}")
    grid.click(1, 0)
    expect(grid.notice).to_contain_text("ZeroDivisionError")
    expect(grid.details).to_contain_text(f"layer 2, {HOSTILE[0]}")
    grid.root.locator(".layergrid-chip").last.click()
    expect(grid.root.locator("img")).to_have_count(0)
    assert notebook.page.evaluate("window.hurt") is None

    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.set_theme(theme)
        has_dark = expect(grid.root).to_contain_class if "Dark" in theme else expect(grid.root).not_to_contain_class
        has_dark("layergrid-dark")
        expect_accessible(notebook.page, theme)

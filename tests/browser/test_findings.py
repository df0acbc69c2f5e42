"""The findings panel: it lists what the numbers show, outlines the cells, and works without a kernel."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Locator, expect

import layergrid as lg

from .notebook_page import Grid, PageLog, canvas_pixels, expect_accessible
from .patience import eventually

FIGURE = Path(__file__).parents[1] / "fixtures" / "figure.csv"
GRID = f"""
import pandas as pd
import layergrid as lg
frame = pd.read_csv({str(FIGURE)!r}, index_col="layer")
grid = lg.LayerGrid(frame, title="ratio")
grid
"""


def line(grid: Grid, text: str) -> Locator:
    return grid.root.locator(".layergrid-finding", has_text=text)


def outlined(grid: Grid) -> tuple[int, int, int, int] | None:
    """The box of device pixels that holds all that is now drawn over the picture: left, top, right, bottom."""
    drawn = np.argwhere(canvas_pixels(grid.marks)[..., 3] > 0)
    if len(drawn) == 0:
        return None
    (top, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def expect_outline(grid: Grid, box: tuple[float, float, float, float]) -> None:
    """Until what is drawn over the picture is in that box, and reaches its sides."""

    def check() -> None:
        now = outlined(grid)
        assert now is not None, "nothing is outlined"
        assert np.abs(np.subtract(now, box)).max() <= 2, f"{now} is outlined, expected {box}"

    eventually(check)


def expect_outlined(grid: Grid, outlines: bool = True) -> None:
    """Until something is drawn over the picture, or nothing."""

    def check() -> None:
        assert (outlined(grid) is not None) == outlines, f"there are outlines: {not outlines}"

    eventually(check)


@pytest.fixture
def explained(open_notebook):
    """A notebook with the figure, drawn, and its findings there."""
    notebook = open_notebook(GRID)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    line(grid, "attn.q rises").wait_for()
    return notebook, grid


def test_pointing_at_a_finding_outlines_its_cells_and_recolors_none(explained):
    notebook, grid = explained
    top, bottom = grid.box(0, 0), grid.box(27, 0)
    before = grid.pixels()
    expect_outlined(grid, False)
    line(grid, "attn.q rises").hover()
    column = (top["x"], top["y"], bottom["x"] + bottom["width"], bottom["y"] + bottom["height"])
    expect_outline(grid, column)
    assert np.array_equal(grid.pixels(), before)
    grid.root.locator(".layergrid-title").hover()
    expect_outlined(grid, False)

    line(grid, "attn.q rises").focus()
    expect_outline(grid, column)
    notebook.page.keyboard.press("ArrowDown")

    def another_is_outlined() -> None:
        now = outlined(grid)
        assert now is not None
        assert now[0] > column[0] or now[2] > column[2] + 2

    eventually(another_is_outlined)
    box = grid.root.get_by_label("Check a claim about the grid")
    box.fill("attn.q rises with layer")
    box.press("Enter")
    expect(grid.root.locator(".layergrid-answer")).to_contain_text("supported")
    expect_accessible(notebook.page)


def test_a_click_on_a_finding_selects_its_cells_and_a_selected_cell_lists_its_findings(explained):
    notebook, grid = explained
    lines = grid.root.locator(".layergrid-finding")
    everything = lines.count()
    rises = line(grid, "attn.q rises")
    rises.click()
    expect(rises).to_have_attribute("aria-pressed", "true")
    notebook.wait_for_python("grid.selection == [(layer, 'attn.q') for layer in range(28)]")
    expect(lines).to_have_count(everything)
    rises.click()
    notebook.wait_for_python("grid.selection == []")

    grid.click(27 - 18, 1)
    expect(grid.root.locator(".layergrid-findings-count")).to_contain_text(f"of {everything} about layer 18, attn.k")
    expect(rises).to_have_count(0)
    expect(lines).to_have_count(notebook.evaluate("len(grid.insights.for_cell(18, 'attn.k'))"))
    grid.root.get_by_role("button", name="show all").click()
    expect(lines).to_have_count(everything)

    grid.tab_stop.press("Escape")
    notebook.wait_for_python("grid.selection == []")
    grid.root.get_by_label("Kind of finding").select_option("trend")
    expect(lines).to_have_count(notebook.evaluate("sum(f.kind == 'trend' for f in grid.insights)"))
    grid.root.get_by_label("Component of the findings").select_option("mlp.gate")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("mlp.gate rises")


def test_a_claim_gets_its_verdict_and_its_cells_outlined_and_without_a_kernel_says_so(explained):
    notebook, grid = explained
    box = grid.root.get_by_label("Check a claim about the grid")
    answer = grid.root.locator(".layergrid-answer")
    box.fill("attn.q and mlp.gate are inverse")
    box.press("Enter")
    expect(answer).to_contain_text("refuted")
    expect(answer).to_contain_text(
        notebook.evaluate("lg.check(frame, 'attn.q and mlp.gate are inverse').statement[:12]")
    )

    def first_and_last_column_are_outlined() -> None:
        now = outlined(grid)
        assert now is not None
        assert now[0] <= 3
        assert now[2] >= grid.pixels().shape[1] - 4

    eventually(first_and_last_column_are_outlined)
    answer.click()
    notebook.wait_for_python("{component for _, component in grid.selection} == {'attn.q', 'mlp.gate'}")
    box.fill("<b>it is all rather blue</b>")
    box.press("Enter")
    expect(answer).to_contain_text("not understood")
    expect_outlined(grid)  # the selection stays
    notebook.evaluate("None", after="grid.selection = []")
    notebook.shut_down_kernel()
    box.fill("attn.q rises with layer")
    box.press("Enter")
    expect(grid.root.locator(".layergrid-claim-note")).to_contain_text("kernel is gone")
    line(grid, "attn.q rises").hover()
    expect_outlined(grid)


def test_the_panel_is_worked_by_keyboard_alone(explained):
    notebook, grid = explained
    keyboard, lines = notebook.page.keyboard, grid.root.locator(".layergrid-finding")
    last = lines.count() - 1
    grid.root.get_by_label("Component of the findings").focus()
    keyboard.press("Tab")
    expect(lines.nth(0)).to_be_focused()
    keyboard.press("End")
    expect(lines.nth(last)).to_be_focused()
    keyboard.press("ArrowUp")
    expect(lines.nth(last - 1)).to_be_focused()
    expect_outlined(grid)
    keyboard.press("Enter")
    expect(lines.nth(last - 1)).to_have_attribute("aria-pressed", "true")
    notebook.wait_for_python(f"grid.selection == list(grid.insights[{last - 1}].cells)")
    keyboard.press("Space")
    notebook.wait_for_python("grid.selection == []")
    keyboard.press("Tab")  # the whole list is one stop
    expect(grid.root.get_by_label("Check a claim about the grid")).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(lines.nth(last - 1)).to_be_focused()

    kinds = grid.root.get_by_label("Kind of finding")
    kinds.focus()
    keyboard.type("trend")
    expect(kinds).to_have_value("trend")
    expect(lines).to_have_count(2)
    notebook.wait_for_python("len(grid.insights) > 2")


PAGES = f"""
import numpy as np
import pandas as pd
import layergrid as lg
frame = pd.read_csv({str(FIGURE)!r}, index_col="layer")
values = np.stack([frame.to_numpy(), frame.to_numpy()[::-1]])
grid = lg.LayerGrid(values, dims={{"step": [0, 100], "layer": None, "component": list(frame.columns)}})
grid
"""


def test_a_turned_page_shows_its_own_findings_and_keeps_them_without_a_kernel(open_notebook):
    notebook = open_notebook(PAGES)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    line(grid, "attn.q rises").wait_for()
    slider = grid.root.locator("[data-dim=step] input[type=range]")
    slider.focus()
    notebook.page.keyboard.press("ArrowRight")
    line(grid, "attn.q falls").wait_for()
    expect(line(grid, "attn.q rises")).to_have_count(0)
    notebook.wait_for_python("grid.position == {'step': 100}")
    line(grid, "attn.q falls").click()
    notebook.wait_for_python("grid.selection == [(layer, 'attn.q') for layer in range(28)]")

    notebook.shut_down_kernel()
    slider.focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(line(grid, "attn.q rises")).to_have_count(1)
    expect(line(grid, "attn.q falls")).to_have_count(0)


def test_findings_are_computed_again_after_an_update(explained):
    notebook, grid = explained
    notebook.evaluate("None", after="grid.update(frame.to_numpy()[::-1])")
    line(grid, "attn.q falls").wait_for()
    expect(line(grid, "attn.q rises")).to_have_count(0)


def test_findings_arrive_while_a_cell_runs(open_notebook, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    notebook = open_notebook(f"{GRID}\nfrom IPython.display import display\ndisplay(grid)\nopen({str(gate)!r}).read()")
    notebook.start(0)
    grid = notebook.grid(0).wait_until_drawn()
    prompt = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(0).locator(".jp-InputPrompt")
    with gate.open("w") as opened:  # comes back once the cell reads
        line(grid, "attn.q rises").wait_for()
        expect(prompt).to_have_text("[*]:")
        opened.write("released")
    expect(prompt).to_have_text("[1]:")


def test_a_large_grid_is_analysed_when_its_reader_asks(open_notebook):
    notebook = open_notebook(f"import layergrid.page.panel\nlayergrid.page.panel.MOST_CELLS = 10\n{GRID}")
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    expect(grid.root.locator(".layergrid-findings-note")).to_contain_text("196 cells is searched")
    grid.root.get_by_role("button", name="find what stands out").click()
    line(grid, "attn.q rises").wait_for()


def test_a_saved_page_lists_outlines_and_selects_without_a_kernel(open_context, watched, tmp_path):
    frame = pd.read_csv(FIGURE, index_col="layer")
    page = open_context(offline=True).new_page()
    watched.append(PageLog(page))
    page.goto(lg.LayerGrid(frame, title="ratio").save(tmp_path / "grid.html").as_uri())
    grid = Grid(page, page.locator(".layergrid")).wait_until_drawn()
    expect(grid.root.locator(".layergrid-finding")).to_have_count(len(lg.insights(frame)))
    line(grid, "attn.q rises").hover()
    expect_outlined(grid)
    line(grid, "attn.q rises").click()
    expect(grid.details).to_contain_text("last of 28 cells")
    expect(grid.root.locator(".layergrid-claim")).to_have_text(
        "Checking a claim needs the kernel, and a saved page has none."
    )
    expect(grid.root.get_by_label("Check a claim about the grid")).to_be_hidden()


def test_without_insights_there_is_neither_list_nor_claim_box(open_context, watched, tmp_path):
    page = open_context(offline=True).new_page()
    watched.append(PageLog(page))
    page.goto(lg.LayerGrid(np.eye(3), insights=False).save(tmp_path / "grid.html").as_uri())
    grid = Grid(page, page.locator(".layergrid")).wait_until_drawn()
    expect(grid.root.locator(".layergrid-chip")).to_have_count(3)
    expect(grid.root.locator(".layergrid-findings")).to_be_hidden()
    expect(grid.root.locator(".layergrid-claim")).to_be_hidden()


def test_hostile_labels_are_text_in_findings(open_context, watched, tmp_path):
    page = open_context(offline=True).new_page()
    watched.append(PageLog(page))
    name = '<img src=x onerror="window.hurt=1">'
    values = np.column_stack([np.full(12, np.nan), np.random.default_rng(0).normal(size=12)])
    page.goto(lg.LayerGrid(values, components=[name, "b"]).save(tmp_path / "grid.html").as_uri())
    grid = Grid(page, page.locator(".layergrid")).wait_until_drawn()
    expect(line(grid, name)).to_have_count(1)
    expect(grid.root.locator("img")).to_have_count(0)
    assert page.evaluate("window.hurt") is None

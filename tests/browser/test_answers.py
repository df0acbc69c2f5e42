"""Answers that come late, broken or never, and the largest tensors: the picture stays, and says what it is."""

import re

from playwright.sync_api import expect

from .large import click_and_compare, click_beside, expect_fitted, expect_no_hole, expect_value, zoom_to_one_cell
from .patience import eventually

MAKE = """
import threading
import numpy as np
import layergrid as lg
from layergrid.page.far import Far
r, c = np.arange(2200, dtype=np.float32)[:, None], np.arange(2000, dtype=np.float32)[None, :]
values = np.sin(r / 300) * np.cos(c / 500) + (r * 7919 + c * 104729) % 101 / 200
answer, begun, go = Far._reply, threading.Event(), threading.Event()
clicked, threads = [], []
def heard(grid):
    grid.on_click(lambda cell: clicked.append((cell.layer, cell.component, cell.value)))
    grid.on_click(lambda cell: threads.append(threading.current_thread() is threading.main_thread()))
    return grid
grid = heard(lg.LayerGrid(values, browser_cells=1000))
"""
DAMAGED = """
def damaged(self, request, stop):
    content, buffers = answer(self, request, stop)
    return content, [buffers[0][:-4], *buffers[1:]]
Far._reply = damaged
"""
HELD = """
def held(self, request, stop):
    begun.set()
    go.wait()
    return answer(self, request, stop)
Far._reply = held
"""
TENSOR = """
import json
rows, columns = 4096, 14336
name = "model.layers.3.mlp.up_proj.weight"
def codes(r, c):
    # The bit patterns of bfloat16 numbers between 1 and 2, and their negatives.
    return (16256 + (r * 7 + c * 13) % 127 + 32768 * ((r + c) % 2)).astype("<u2")
entry = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, rows * columns * 2]}
header = json.dumps({name: entry}).encode()
with open("tall.safetensors", "wb") as file:
    file.write(len(header).to_bytes(8, "little") + header)
    for row in range(rows):
        file.write(codes(np.int64(row), np.arange(columns)).tobytes())
grid = lg.LayerGrid([[0.0]], layers=[3], components=["mlp.up"], source="tall.safetensors")
"""


def show(open_notebook, extra="", *more):
    notebook = open_notebook(MAKE + extra + "\ngrid", *more)
    notebook.run(0)
    return notebook, notebook.grid(0).wait_until_drawn()


def start_once_heard_beside_cells(notebook, grid):
    """Run cell 1 once the page is heard on a thread of its own, which the host makes when it meets the first grid.

    What the page says before is heard where cells run, and waits while one does.
    """

    def heard_beside_cells():
        click_beside(grid)
        notebook.wait_for_python("threads")
        assert not notebook.evaluate("threads.pop()"), "the page is heard where the cells run"

    eventually(heard_beside_cells)
    notebook.evaluate("None", after="clicked.clear()")
    notebook.start(1)
    notebook.page.wait_for_function("jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'")


def test_cells_arrive_while_a_cell_of_the_notebook_runs(open_notebook):
    # The running cell ends with the click, which thus reached Python meanwhile, as did the windows before it.
    notebook, grid = show(open_notebook, "", "grid.on_click(lambda cell: go.set())\nassert go.wait()")
    start_once_heard_beside_cells(notebook, grid)
    zoom_to_one_cell(grid)
    click_and_compare(notebook, grid)
    assert notebook.evaluate("go.is_set()")


def test_the_page_is_heard_while_a_cell_runs_that_sends_it_other_values_all_the_time(open_notebook):
    training = """
grid.on_click(lambda cell: go.set())
for step in range(1_000_000):
    grid.update(values[:40, :7] * (-1) ** step)
    if go.wait(0.02):
        break
"""
    notebook, grid = show(open_notebook, "grid = heard(lg.LayerGrid(values[:40, :7]))", training)
    start_once_heard_beside_cells(notebook, grid)
    grid.expect_other_pixels(grid.pixels())
    click_beside(grid)
    notebook.wait_for_python("go.is_set() and step < 999_999")


def test_a_damaged_answer_is_said_and_asked_for_again_on_request(open_notebook):
    notebook, grid = show(open_notebook, DAMAGED)
    zoom_to_one_cell(grid)
    expect(grid.notice).to_contain_text("could not be had: the reply is damaged")
    expect_no_hole(grid)
    notebook.evaluate("None", after="Far._reply = answer")
    grid.notice.get_by_role("button", name="try again").click()
    expect(grid.notice).to_be_hidden()
    click_and_compare(notebook, grid)


def test_a_kernel_that_dies_while_it_answers_leaves_the_overview_which_says_so(open_notebook):
    notebook, grid = show(open_notebook, HELD)
    coarse = grid.pixels()
    grid.tab_stop.press("+")
    notebook.wait_for_python("begun.is_set()")
    notebook.log.expect("Cannot send")  # what JupyterLab throws where a message has no kernel to go to
    notebook.shut_down_kernel()
    expect(grid.notice).to_contain_text(re.compile("busy, or gone.*overview|cannot be reached.*overview"))
    expect_no_hole(grid)
    grid.tab_stop.press("f")
    expect_fitted(grid)
    grid.expect_pixels(coarse)


def test_a_tensor_of_4096_x_14336_opens_by_enter_and_a_click_hits_the_right_weight(open_notebook):
    notebook, outer = show(open_notebook, TENSOR)
    outer.tab_stop.press("Enter")
    expect(outer.root.locator(".layergrid-details-place")).to_have_text("layer 3, mlp.up")
    outer.tab_stop.press("Enter")
    inner = notebook.grid(0, 1).wait_until_drawn()
    zoom_to_one_cell(inner)
    click_beside(inner)
    place = inner.root.locator(".layergrid-details-place")
    expect(place).to_have_text(re.compile(r"row \d+, column \d+$"))
    row, column = (int(word.split()[1]) for word in place.inner_text().split(", "))
    # About a third from the left and half way down, where the wheel was turned: the axes were not mixed up.
    assert abs(row / 4096 - 0.61) < 0.05
    assert abs(column / 14336 - 0.37) < 0.05
    true = (1 + (row * 7 + column * 13) % 127 / 128) * (-1) ** (row + column)
    inner.root.locator(".layergrid-details-value").click()
    expect_value(inner, true)
    expect(inner.active_cell()).to_have_attribute("aria-label", re.compile(f"^row {row}, column {column}, "))

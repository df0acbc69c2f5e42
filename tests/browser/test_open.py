"""From a cell to its tensor and back: the same renderer, the exact weight, cancelling, no kernel."""

import re

import numpy as np
from playwright.sync_api import expect

from .large import expect_all_cells, expect_value
from .notebook_page import canvas_pixels
from .patience import eventually

MAKE = """
import json, threading
import numpy as np
import layergrid as lg
rng = np.random.default_rng(4)
weights = {
    f"model.layers.{layer}.{part}.weight": rng.standard_normal(shape).astype("f4") * (1 + layer)
    for layer in range(4)
    for part, shape in [("self_attn.q_proj", (96, 64)), ("self_attn.k_proj", (32, 64)), ("mlp.up_proj", (1300, 1100))]
}
def write(path):
    header, at = {}, 0
    for name, array in weights.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in weights.values():
            file.write(array.tobytes())
write("tiny.safetensors")
grid = lg.LayerGrid("tiny.safetensors")
"""


def show(open_notebook, extra=""):
    notebook = open_notebook(MAKE + extra + "\ngrid")
    notebook.run(0)
    return notebook, notebook.grid(0).wait_until_drawn()


def cell_at(grid, row, column, rows=4, columns=3):
    """Where a cell of the outer grid is in the picture; layer 0 at the bottom, columns q, k, up."""
    box = grid.tab_stop.bounding_box()
    return {"x": box["width"] * (column + 0.5) / columns, "y": box["height"] * (rows - row - 0.5) / rows}


def place(grid):
    """Of the selected cell."""
    return grid.root.locator(".layergrid-details-place")


def test_a_cell_opens_by_double_click_down_to_a_weight_and_back_returns_to_the_same_view(open_notebook):
    notebook, outer = show(open_notebook)
    outer.tab_stop.dblclick(position=cell_at(outer, 2, 0))
    inner = notebook.grid(0, 1).wait_until_drawn()
    crumbs = re.compile(r"^\s*tiny\.safetensors\s*\u203a\s*layer 2\s*\u203a\s*attn\.q\s*$")
    expect(inner.root.locator(".layergrid-crumbs")).to_have_text(crumbs)
    expect(outer.root).to_be_hidden()
    expect(inner.root.locator(".layergrid-title")).to_have_text("model.layers.2.self_attn.q_proj.weight")
    inner.tab_stop.click(position={"x": 250, "y": 90})
    expect(place(inner)).to_have_text(re.compile(r"row \d+,.*\d+$"))
    row, column = map(int, re.findall(r"\d+", place(inner).inner_text())[:2])
    inner.root.locator(".layergrid-details-value").click()
    true = notebook.evaluate(f"float(weights['model.layers.2.self_attn.q_proj.weight'][{row}, {column}])")
    expect_value(inner, true, within=1e-6)
    notebook.screenshot("opened")
    inner.tab_stop.press("Escape")  # lets the selection go
    inner.tab_stop.press("Escape")  # goes back
    expect(inner.root).to_have_count(0)
    expect(outer.root).to_be_visible()
    expect(place(outer)).to_contain_text("layer 2")
    notebook.wait_for_python("not grid._answers._inners._open")


def test_a_large_tensor_opens_by_key_and_its_windows_arrive(open_notebook):
    notebook, outer = show(open_notebook)
    outer.tab_stop.click(position=cell_at(outer, 3, 2))
    expect(place(outer)).to_contain_text("layer 3")
    outer.tab_stop.press("o")
    inner = notebook.grid(0, 1).wait_until_drawn()
    expect_all_cells(inner)
    inner.tab_stop.press("End")
    expect(inner.live).to_contain_text("1099")
    inner.tab_stop.press("Enter")
    expect(place(inner)).to_have_text("row 0, column 1099")
    inner.root.locator(".layergrid-details-value").click()
    weight = "weights['model.layers.3.mlp.up_proj.weight']"
    expect_value(inner, notebook.evaluate(f"float({weight}[0, 1099])"), within=1e-6)
    entry = inner.root.locator(".layergrid-entry").first
    expect(entry).to_be_visible()
    notebook.screenshot("opened-large")
    entry.click()
    row, column = notebook.evaluate(f"tuple(map(int, divmod(abs({weight}).argmax(), 1100)))")
    expect(place(inner)).to_have_text(f"row {row}, column {column}")
    inner.root.locator(".layergrid-back").click()
    expect(inner.root).to_have_count(0)


SLOW = """
from layergrid.tensors.behind import BehindOne
go, begun, fast = threading.Event(), threading.Event(), BehindOne.open
def slow(self, cell, position, side):
    begun.set()
    go.wait()
    return fast(self, cell, position, side)
BehindOne.open = slow
"""


def test_opening_that_takes_long_says_so_and_can_be_stopped(open_notebook):
    notebook, outer = show(open_notebook, SLOW)
    outer.tab_stop.click(position=cell_at(outer, 1, 1))
    outer.root.locator(".layergrid-details .layergrid-link", has_text="open").click()
    opening = outer.root.locator(".layergrid-opening")
    expect(opening).to_contain_text("opening attn.k of layer 1")
    notebook.wait_for_python("begun.is_set()")
    opening.locator("button").click()
    expect(opening).to_be_hidden()
    notebook.wait_for_python("not grid._answers._inners._opening")
    notebook.evaluate("go.set()")
    expect(notebook.page.locator(".layergrid-crumbs")).to_have_count(0)
    outer.root.locator(".layergrid-details .layergrid-link", has_text="open").click()
    notebook.grid(0, 1).wait_until_drawn()


def test_without_a_kernel_opening_says_so(open_notebook):
    notebook, outer = show(open_notebook)
    notebook.shut_down_kernel()
    outer.tab_stop.dblclick(position=cell_at(outer, 1, 1))
    said = outer.root.locator(".layergrid-opening, .layergrid-notice").filter(visible=True)
    expect(said.filter(has_text="kernel").first).to_be_visible()
    expect(outer.root).to_be_visible()


def test_singular_values_come_on_request_and_norms_stand_along_the_picture(open_notebook):
    notebook, outer = show(open_notebook)
    outer.tab_stop.dblclick(position=cell_at(outer, 2, 1))
    inner = notebook.grid(0, 1).wait_until_drawn()
    along = inner.root.locator(".layergrid-margin-rows")
    expect(along).to_be_visible()
    weight = "weights['model.layers.2.self_attn.k_proj.weight']"
    norms = np.array(notebook.evaluate(f"np.linalg.norm({weight}, axis=1).tolist()"))

    def norms_stand_along() -> None:
        assert along.bounding_box()["height"] == inner.cells.bounding_box()["height"]
        lengths = (canvas_pixels(along)[:, :, 3] > 0).sum(1)
        assert len(lengths) >= 32 * 4
        found = lengths[(np.arange(32) * len(lengths) // 32) + 3]
        np.testing.assert_allclose(found, norms / norms.max() * found.max(), atol=1)

    eventually(norms_stand_along)
    inner.root.locator(".layergrid-tensor .layergrid-link", has_text="singular values").click()
    part = inner.root.locator(".layergrid-tensor-part", has_text="effective rank")
    true = notebook.evaluate(f"float(np.linalg.norm({weight}, 2))")
    expect(part).to_contain_text(f"largest{float(f'{true:.4g}'):g}stable rank")
    expect(part.locator("path")).to_have_attribute("d", re.compile("^M0.0 0.0"))


HELD = """
import layergrid.tensors.spectrum as spectrum
begun, go, panel = threading.Event(), threading.Event(), spectrum._check
def held(stop):
    begun.set()
    go.wait()
    panel(stop)
spectrum._check = held
"""


def test_singular_values_that_take_long_can_be_stopped_and_asked_for_again(open_notebook):
    notebook, outer = show(open_notebook, HELD)
    outer.tab_stop.dblclick(position=cell_at(outer, 2, 1))
    inner = notebook.grid(0, 1).wait_until_drawn()
    asking = inner.root.locator(".layergrid-asking", has_text="singular values")
    link = asking.get_by_role("button", name="singular values")
    link.click()
    notebook.wait_for_python("begun.is_set()")
    expect(asking).to_contain_text("computing singular values")
    asking.get_by_role("button", name="stop").click()
    expect(asking).to_contain_text("It was stopped")
    notebook.evaluate("go.set()")
    link.click()
    expect(inner.root.locator(".layergrid-tensor-part", has_text="effective rank")).to_be_visible()
    expect(asking).not_to_contain_text("stopped")


PAIR = """
tuned = {name: array + rng.uniform(0, 0.01, array.shape).astype("f4") for name, array in weights.items()}
tuned["model.layers.2.self_attn.k_proj.weight"][5, 7] += 3
grid = lg.LayerGrid(lg.compare(weights, tuned, progress=False), source=(weights, tuned))
"""


def test_a_cell_of_a_comparison_turns_between_both_tensors_and_their_difference_in_the_same_view(open_notebook):
    notebook, outer = show(open_notebook, PAIR)
    outer.tab_stop.dblclick(position=cell_at(outer, 2, 1))
    difference = notebook.grid(0, 1).wait_until_drawn()
    side = ".layergrid-sides [aria-pressed=true]"
    expect(difference.root.locator(side)).to_have_text("B \u2212 A")
    difference.root.locator(".layergrid-entry").first.click()
    expect(place(difference)).to_have_text("row 5, column 7")
    difference.root.get_by_role("button", name="A", exact=True).click()
    base = notebook.grid(0, 2).wait_until_drawn()
    expect(base.root.locator(side)).to_have_text("A")
    expect(difference.root).to_be_hidden()
    as_it_was = re.compile(": 22 rows by 24 columns$")  # 16 around [5, 7]
    expect(base.tab_stop).to_have_attribute("aria-label", as_it_was)
    base.root.get_by_role("button", name="B \u2212 A").click()
    expect(difference.root).to_be_visible()
    expect(base.root).to_be_hidden()
    notebook.wait_for_python(
        "sorted(g.opened.compared.side for g, _ in grid._answers._inners._open.values()) == [0, 2]"
    )
    difference.root.locator(".layergrid-back").click()
    expect(difference.root).to_have_count(0)
    expect(outer.root).to_be_visible()
    notebook.wait_for_python("not grid._answers._inners._open")

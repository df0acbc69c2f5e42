"""From a cell to its tensor and back: the same renderer, the exact weight, cancelling, no kernel."""

import re

import numpy as np

from .notebook_page import canvas_pixels

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


def wait_for_text(locator, pattern):
    locator.page.wait_for_function(
        "([element, pattern]) => new RegExp(pattern).test(element.textContent)", arg=[locator.element_handle(), pattern]
    )


def show(open_notebook, extra=""):
    notebook = open_notebook(MAKE + extra + "\ngrid")
    notebook.run(0)
    outer = notebook.grid(0).wait_until_drawn()
    outer.root.locator(".layergrid-toolbar *").first.wait_for(state="attached")
    return notebook, outer


def cell_at(grid, row, column, rows=4, columns=3):
    """Where a cell of the outer grid is on the page; layer 0 at the bottom, columns q, k, up."""
    box = grid.tab_stop.bounding_box()
    return box["x"] + box["width"] * (column + 0.5) / columns, box["y"] + box["height"] * (rows - row - 0.5) / rows


def test_a_cell_opens_by_double_click_down_to_a_weight_and_back_returns_to_the_same_view(open_notebook):
    notebook, outer = show(open_notebook)
    x, y = cell_at(outer, 2, 0)
    notebook.page.mouse.dblclick(x, y)
    inner = notebook.grid(0, 1).wait_until_drawn()
    crumbs = inner.root.locator(".layergrid-crumbs")
    assert re.split(r"\s*\u203a\s*", crumbs.inner_text().strip()) == ["tiny.safetensors", "layer 2", "attn.q"]
    assert not outer.root.is_visible()
    inner.root.locator(".layergrid-title", has_text="model.layers.2.self_attn.q_proj.weight").wait_for()
    inner.tab_stop.click(position={"x": 250, "y": 90})
    place = inner.root.locator(".layergrid-details-place")
    wait_for_text(place, r"row \d+,.*\d+$")
    row, column = map(int, re.findall(r"\d+", place.inner_text())[:2])
    value = inner.root.locator(".layergrid-details-value")
    value.click()
    true = notebook.evaluate(f"float(weights['model.layers.2.self_attn.q_proj.weight'][{row}, {column}])")
    assert abs(float(value.inner_text().replace("\u2212", "-")) - true) < 1e-6
    notebook.screenshot("opened")
    inner.tab_stop.focus()
    notebook.page.keyboard.press("Escape")  # lets the selection go
    notebook.page.keyboard.press("Escape")  # goes back
    inner.root.wait_for(state="detached")
    assert outer.root.is_visible()
    wait_for_text(outer.root.locator(".layergrid-details-place"), "layer 2")
    notebook.wait_for_python("not grid._inners._open")


def test_a_large_tensor_opens_by_key_and_its_windows_arrive(open_notebook):
    notebook, outer = show(open_notebook)
    x, y = cell_at(outer, 3, 2)
    notebook.page.mouse.click(x, y)
    outer.root.locator(".layergrid-details-place", has_text="layer 3").wait_for()
    notebook.page.keyboard.press("o")
    inner = notebook.grid(0, 1).wait_until_drawn()
    notebook.page.wait_for_function(
        "(bar) => bar.hidden", arg=inner.root.locator(".layergrid-progress").element_handle()
    )
    notebook.page.keyboard.press("End")
    wait_for_text(inner.live, "1099")
    notebook.page.keyboard.press("Enter")
    value = inner.root.locator(".layergrid-details-value")
    value.click()
    true = notebook.evaluate("float(weights['model.layers.3.mlp.up_proj.weight'][0, 1099])")
    assert abs(float(value.inner_text().replace("\u2212", "-")) - true) < 1e-6
    entry = inner.root.locator(".layergrid-entry").first
    entry.wait_for()
    notebook.screenshot("opened-large")
    entry.click()
    weight = "weights['model.layers.3.mlp.up_proj.weight']"
    row, column = notebook.evaluate(f"tuple(map(int, divmod(abs({weight}).argmax(), 1100)))")
    wait_for_text(inner.root.locator(".layergrid-details-place"), f"row {row}, column {column}$")
    inner.root.locator(".layergrid-back").click()
    inner.root.wait_for(state="detached")


SLOW = """
from layergrid.behind import BehindOne
go, begun, fast = threading.Event(), threading.Event(), BehindOne.open
def slow(self, cell, position, side):
    begun.set()
    go.wait(60)
    return fast(self, cell, position, side)
BehindOne.open = slow
"""


def test_opening_that_takes_long_says_so_and_can_be_stopped(open_notebook):
    notebook, outer = show(open_notebook, SLOW)
    x, y = cell_at(outer, 1, 1)
    notebook.page.mouse.click(x, y)
    outer.root.locator(".layergrid-details .layergrid-link", has_text="open").click()
    opening = outer.root.locator(".layergrid-opening")
    wait_for_text(opening, "opening attn.k of layer 1")
    notebook.wait_for_python("begun.is_set()")
    opening.locator("button").click()
    opening.wait_for(state="hidden")
    notebook.wait_for_python("not grid._inners._opening")
    notebook.evaluate("go.set()")
    assert notebook.page.locator(".layergrid-crumbs").count() == 0
    outer.root.locator(".layergrid-details .layergrid-link", has_text="open").click()
    notebook.grid(0, 1).wait_until_drawn()


def test_without_a_kernel_opening_says_so(open_notebook):
    notebook, outer = show(open_notebook)
    notebook.shut_down_kernel()
    x, y = cell_at(outer, 1, 1)
    notebook.page.mouse.dblclick(x, y)
    page = notebook.page
    page.wait_for_function(
        "(root) => /kernel/.test(root.querySelector('.layergrid-opening').innerText"
        " + root.querySelector('.layergrid-notice').innerText)",
        arg=outer.root.element_handle(),
    )
    assert outer.root.is_visible()


def test_singular_values_come_on_request_and_norms_stand_along_the_picture(open_notebook):
    notebook, outer = show(open_notebook)
    notebook.page.mouse.dblclick(*cell_at(outer, 2, 1))
    inner = notebook.grid(0, 1).wait_until_drawn()
    along = inner.root.locator(".layergrid-margin-rows")
    along.wait_for()
    assert along.bounding_box()["height"] == inner.cells.bounding_box()["height"]
    bars = canvas_pixels(along)[:, :, 3] > 0
    weight = "weights['model.layers.2.self_attn.k_proj.weight']"
    norms = np.array(notebook.evaluate(f"np.linalg.norm({weight}, axis=1).tolist()"))
    lengths = bars.sum(1)
    found = lengths[(np.arange(32) * len(lengths) // 32) + 3]
    np.testing.assert_allclose(found, norms / norms.max() * found.max(), atol=1)
    inner.root.locator(".layergrid-tensor .layergrid-link", has_text="singular values").click()
    part = inner.root.locator(".layergrid-tensor-part", has_text="effective rank")
    true = notebook.evaluate(f"float(np.linalg.norm({weight}, 2))")
    wait_for_text(part, rf"largest{float(f'{true:.4g}'):g}stable rank")
    assert part.locator("path").get_attribute("d").startswith("M0.0 0.0")


HELD = """
import layergrid.tensor_spectrum as spectrum
begun, go, panel = threading.Event(), threading.Event(), spectrum._check
def held(stop):
    begun.set()
    go.wait(60)
    panel(stop)
spectrum._check = held
"""


def test_singular_values_that_take_long_can_be_stopped_and_asked_for_again(open_notebook):
    notebook, outer = show(open_notebook, HELD)
    notebook.page.mouse.dblclick(*cell_at(outer, 2, 1))
    inner = notebook.grid(0, 1).wait_until_drawn()
    asking = inner.root.locator(".layergrid-asking", has_text="singular values")
    link = asking.get_by_role("button", name="singular values")
    link.click()
    notebook.wait_for_python("begun.is_set()")
    wait_for_text(asking, "computing singular values")
    asking.get_by_role("button", name="stop").click()
    wait_for_text(asking, "It was stopped")
    notebook.evaluate("go.set()")
    link.click()
    inner.root.locator(".layergrid-tensor-part", has_text="effective rank").wait_for()
    wait_for_text(asking, "^(?!.*stopped)")


PAIR = """
tuned = {name: array + rng.uniform(0, 0.01, array.shape).astype("f4") for name, array in weights.items()}
tuned["model.layers.2.self_attn.k_proj.weight"][5, 7] += 3
grid = lg.LayerGrid(lg.compare(weights, tuned, progress=False), source=(weights, tuned))
"""


def test_a_cell_of_a_comparison_turns_between_both_tensors_and_their_difference_in_the_same_view(open_notebook):
    notebook, outer = show(open_notebook, PAIR)
    notebook.page.mouse.dblclick(*cell_at(outer, 2, 1))
    difference = notebook.grid(0, 1).wait_until_drawn()
    sides = difference.root.locator(".layergrid-sides")
    assert sides.locator("[aria-pressed=true]").inner_text() == "B \u2212 A"
    difference.root.locator(".layergrid-entry").first.click()
    wait_for_text(difference.root.locator(".layergrid-details-place"), "row 5, column 7$")
    difference.root.get_by_role("button", name="A", exact=True).click()
    base = notebook.grid(0, 2).wait_until_drawn()
    assert base.root.locator(".layergrid-sides [aria-pressed=true]").inner_text() == "A"
    assert not difference.root.is_visible()
    notebook.page.wait_for_function(  # 16 around [5, 7], as it was
        "(grid) => /: 22 rows by 24 columns$/.test(grid.getAttribute('aria-label'))", arg=base.tab_stop.element_handle()
    )
    base.root.get_by_role("button", name="B \u2212 A").click()
    difference.root.wait_for()
    assert not base.root.is_visible()
    assert notebook.evaluate("sorted(g.opened.compared.side for g, _ in grid._inners._open.values())") == [0, 2]
    difference.root.locator(".layergrid-back").click()
    difference.root.wait_for(state="detached")
    assert outer.root.is_visible()
    notebook.wait_for_python("not grid._inners._open")

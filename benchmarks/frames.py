"""Frames of large matrices in a real JupyterLab in headless Chromium.

One gesture in each animation frame, dispatched in the page: turns of the wheel that zoom, turns that pan, steps
of the high limit. Where the page runs at real-time priority, the kernel does not: its threads would hold both cores for
a tenth of a second at a time. Script is Chromium's own count of the time in JavaScript, mean of a frame; gaps are the
times between animation frames.

usage: python benchmarks/frames.py
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.browser.conftest import FLAGS
from tests.browser.notebook_page import NotebookPage
from tests.browser.server import jupyter_server

SIZES = ((1024, 1024), (4096, 4096), (4096, 14336))
MATRIX = """
import os
import numpy as np
import layergrid as lg
if hasattr(os, "sched_setscheduler"):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
values = np.random.default_rng(0).standard_normal(({rows}, {columns}), np.float32)
grid = lg.LayerGrid(values)
grid
"""
GESTURES = """async ([plot, kind, count]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const { x, y, width, height } = plot.getBoundingClientRect();
  const place = { clientX: x + 0.4 * width, clientY: y + 0.6 * height, bubbles: true, cancelable: true };
  const handle = plot.closest(".layergrid").querySelector(".layergrid-handle[data-end=high]");
  const gesture = {
    zoom: (at) => plot.dispatchEvent(
      new WheelEvent("wheel", { ...place, ctrlKey: true, deltaY: at < count / 2 ? -100 : 100 })),
    pan: (at) => plot.dispatchEvent(
      new WheelEvent("wheel", { ...place, shiftKey: true, altKey: at % 2 === 0, deltaY: at < count / 2 ? 100 : -100 })),
    limit: (at) => handle.dispatchEvent(
      new KeyboardEvent("keydown", { key: at < count / 2 ? "ArrowDown" : "ArrowUp", bubbles: true, cancelable: true })),
  }[kind];
  const gaps = [];
  let last = await frame();
  for (let at = 0; at < count; at++) {
    gesture(at);
    const now = await frame();
    gaps.push(now - last);
    last = now;
  }
  return gaps;
}"""


def show(open_page: Any, code: str) -> NotebookPage:
    notebook: NotebookPage = open_page(code)
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    grid.root.locator(".layergrid-toolbar *").first.wait_for(state="attached")
    return notebook


def measure_frames(notebook: NotebookPage, kind: str, count: int = 60) -> str:
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    devtools.send("Performance.enable")

    def script() -> float:
        found = devtools.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "ScriptDuration"))

    plot = notebook.grid(0).tab_stop.element_handle()
    notebook.page.evaluate(GESTURES, [plot, kind, 10])  # code that is new runs slowly
    before = script()
    gaps = notebook.page.evaluate(GESTURES, [plot, kind, count])
    spent = 1e3 * (script() - before) / count
    late = sum(gap > 33.4 for gap in gaps)
    return f"{kind} {spent:.1f} ms, gaps {statistics.median(gaps):.1f} / {max(gaps):.1f} ({late} of {count} above 33)"


def frames(open_page: Any) -> None:
    for rows, columns in SIZES:
        notebook = show(open_page, MATRIX.format(rows=rows, columns=columns))
        grid = notebook.grid(0)
        bar = grid.root.locator(".layergrid-progress").element_handle()
        notebook.page.wait_for_function("(bar) => bar.hidden", arg=bar, timeout=120_000)
        box = grid.cells.bounding_box()
        assert box is not None
        print(f"{rows} x {columns}, canvas {box['width']:.0f} x {box['height']:.0f}", flush=True)
        for kind in ("limit", "zoom", "pan"):
            if kind == "pan":
                for _ in range(6):
                    notebook.page.evaluate(GESTURES, [grid.tab_stop.element_handle(), "zoom", 1])
            print("  " + measure_frames(notebook, kind), flush=True)
        notebook.page.close()


def main() -> None:
    shots = Path(tempfile.mkdtemp())
    with jupyter_server("jupyterlab", Path(tempfile.mkdtemp())) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        numbers = iter(range(1000))

        def open_page(code: str) -> NotebookPage:
            context = browser.new_context(viewport={"width": 1240, "height": 1400})
            context.set_default_timeout(120_000)
            notebook = NotebookPage(context.new_page(), server, f"frames_{next(numbers)}.ipynb", shots)
            notebook.open([code])
            return notebook

        frames(open_page)
        browser.close()


if __name__ == "__main__":
    main()

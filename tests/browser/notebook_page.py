"""A notebook open in a browser, driven as its user would: cells are run, keys pressed, the mouse moved."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, Request
from playwright.sync_api import Error as PlaywrightError

from .expected import assert_color
from .patience import WAIT_MS, eventually
from .server import JupyterServer

_NOTEBOOK_READY = """(cells) => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  return panel?.content?.widgets?.length === cells
    && panel.sessionContext?.session?.kernel?.connectionStatus === "connected";
}"""
# The widget manager asks a new kernel for the widgets that it has: one made meanwhile is built twice, which fails.
_MANAGER_READY = """async () => {
  const { rendermime } = window.jupyterapp.shell.currentWidget.content;
  const renderer = rendermime.createRenderer("application/vnd.jupyter.widget-view+json");
  const manager = await Promise.race([renderer._manager.promise, null]);
  renderer.dispose();
  return manager?.restoredStatus === true;
}"""
_RUN = """(cell) => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.deselectAll();
  content.activeCellIndex = cell;
  return window.jupyterapp.commands.execute("notebook:run-cell");
}"""
_CELL_ERRORS = """(cell) => {
  const outputs = window.jupyterapp.shell.currentWidget.content.widgets[cell].model.outputs;
  const errors = outputs.toJSON().filter((output) => output.output_type === "error");
  return errors.map((output) => output.traceback.join("\\n"));
}"""
_EVALUATE = """async ([code, expression]) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const future = kernel.requestExecute({
    code, silent: false, store_history: false, user_expressions: { value: expression },
  });
  const { content } = await future.done;
  if (content.status !== "ok") return { error: content.traceback?.join("\\n") ?? content.evalue };
  const { value } = content.user_expressions;
  return value.status === "ok" ? { repr: value.data["text/plain"] } : { error: value.traceback.join("\\n") };
}"""
_PIXELS = """async (canvas) => {
  // Where a journey holds the clock, all is drawn that it has let happen, and no frame comes by itself.
  if (/native code/.test(requestAnimationFrame)) await new Promise(requestAnimationFrame);
  if (canvas.width * canvas.height === 0) return { width: 0, height: 0, base64: "" };
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
  return { width: canvas.width, height: canvas.height, base64: btoa(text) };
}"""
_PAINTED = """(canvas) => {
  if (canvas.width * canvas.height === 0) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) return true;
  return false;
}"""
# Where a cell lies in the picture, how wide that is, and which cell it says it is.
_PLACE = """(cell) => {
  const line = cell.closest("[role=row]");
  const picture = cell.closest("[role=grid]").querySelector("canvas.layergrid-cells").getBoundingClientRect();
  const { x, y, width, height } = cell.getBoundingClientRect();
  return {
    row: line.ariaRowIndex - 1,
    column: cell.ariaColIndex - 1,
    box: { x: x - picture.x, y: y - picture.y, width, height, of: picture.width },
  };
}"""
# The state of the kernel, and the text of each grid and of each output that is an error.
_STANDS = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  const shown = document.querySelectorAll(".layergrid, .jp-RenderedText[data-mime-type$=stderr]");
  return [
    `kernel: ${kernel ? `${kernel.status}, ${kernel.connectionStatus}` : "none"}; tab: ${document.visibilityState}`,
    ...[...shown].map((node) => `${node.className}: ${node.innerText.replace(/\\s*\\n\\s*/g, " | ")}`),
  ];
}"""
LAST_LINES = 30
REPORT_MS = 10_000
# What JupyterLab and ipywidgets say where a message has no kernel to go to.
_KERNEL_GONE = r"api/kernels/.* 404|Kernel is disposed|Canceled|Cannot send|Could not send widget sync message"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def canvas_pixels(canvas: Locator) -> np.ndarray:
    """What a canvas holds, as uint8 of shape (height, width, 4), in its own (device) pixels.

    Read after the next frame, in which all is drawn that has changed until now.
    """
    read = canvas.evaluate(_PIXELS)
    return np.frombuffer(base64.b64decode(read["base64"]), "u1").reshape(read["height"], read["width"], 4)


class PageLog:
    """What went wrong in a page: errors thrown or logged, and requests that left this machine."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._console: list[str] = []
        self.problems: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        page.on("pageerror", lambda error: self.problems.append(f"thrown: {error}"))
        page.on("console", self._hear)
        page.on("request", self._watch)

    def expect(self, pattern: str) -> None:
        """From here on, problems that match are part of the journey."""
        self._expected.append(re.compile(pattern))

    def unexpected(self) -> list[str]:
        return [text for text in self.problems if not any(found.search(text) for found in self._expected)]

    def report(self, picture: Path) -> str:
        """How the page stands, for whoever reads why a journey failed; a picture of it goes to a file."""
        said = [*self.problems, *self._console[-LAST_LINES:]]
        try:
            picture.parent.mkdir(exist_ok=True)
            self._page.screenshot(path=picture, timeout=REPORT_MS)
            stands = self._page.evaluate(_STANDS)
        except PlaywrightError as error:
            stands = [f"the page does not answer: {error.message}"]
        return "\n".join([f"{self._page.url} (picture: {picture})", *stands, *said])

    def _hear(self, message: ConsoleMessage) -> None:
        self._console.append(f"{message.type}: {message.text}")
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _watch(self, request: Request) -> None:
        if not re.match(r"(blob:|data:|file:|(http|ws)://127\.0\.0\.1[:/])", request.url):
            self.problems.append(f"network: {request.url}")


class NotebookPage:
    """One notebook with the given cells, open in JupyterLab or Notebook, with its own kernel."""

    def __init__(self, page: Page, server: JupyterServer, name: str, shots: Path) -> None:
        self.page = page
        self.server = server
        self.name = name
        self.log = PageLog(page)
        if server.kind == "notebook":  # Notebook 7.6 throws this by itself, while it loads
            self.log.expect(r"Cannot read properties of undefined \(reading 'schema'\)")
        self._shots = shots

    def open(self, cells: Sequence[str]) -> None:
        """Write the notebook and open it; the kernel is connected on return."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, self.path)
        self.reopen(len(cells))

    def reopen(self, cells: int) -> None:
        """Load the page anew from the file on disk."""
        self.page.goto(self.server.page_url(self.name))
        self.page.wait_for_function(_NOTEBOOK_READY, arg=cells, timeout=WAIT_MS)

        def manager_ready() -> None:
            assert self.page.evaluate(_MANAGER_READY), "the widget manager has not heard from the kernel"

        eventually(manager_ready)
        if self.server.kind == "jupyterlab":
            self.page.evaluate("jupyterapp.shell.collapseLeft()")
            self.page.evaluate("jupyterapp.shell.collapseRight()")

    @property
    def path(self) -> Path:
        return self.server.folder / self.name

    def run(self, cell: int) -> None:
        """Run a cell to its end; an error in it is an error here."""
        self.page.evaluate(_RUN, cell)
        errors = self.page.evaluate(_CELL_ERRORS, cell)
        if errors:
            raise AssertionError(f"cell {cell} of {self.name} failed:\n" + _ANSI.sub("", "\n".join(errors)))

    def start(self, cell: int) -> None:
        """Start a cell and come back at once."""
        self.page.evaluate(f"(cell) => void ({_RUN})(cell)", cell)

    def evaluate(self, expression: str, *, after: str = "") -> Any:
        """The value of a Python expression in the kernel, which must be idle; literals only."""
        answer = self.page.evaluate(_EVALUATE, [after, f"{expression}"])
        if "error" in answer:
            raise AssertionError(f"{after}\n{expression}\n" + _ANSI.sub("", answer["error"]))
        return ast.literal_eval(answer["repr"])

    def wait_for_python(self, expression: str) -> None:
        """Until a Python expression is true: asked again after each answer, so that no time is guessed.

        Not by `wait_for_function`, which does not await the promise that a question to the kernel is: it takes any.
        """

        def check() -> None:
            assert self.evaluate(f"bool({expression})"), f"not true in Python: {expression}"

        eventually(check)

    def grid(self, cell: int | None = None, nth: int = 0) -> Grid:
        """The grid shown by a cell, or the only one in the page."""
        scope: Page | Locator = self.page
        if cell is not None:
            scope = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)
        return Grid(self.page, scope.locator(".layergrid").nth(nth))

    def set_theme(self, name: str) -> None:
        """Switch the theme as the Settings menu does: "JupyterLab Dark" or "JupyterLab Light"."""
        self.page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")

    def save(self) -> None:
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save')")

    def shut_down_kernel(self) -> None:
        """End the kernel for good, as "Shut Down Kernel" does; that messages no longer reach it is then no problem."""
        self.log.expect(_KERNEL_GONE)
        self.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.wait_for_function("!jupyterapp.shell.currentWidget.sessionContext.session?.kernel")

    def screenshot(self, name: str, target: Locator | None = None) -> Path:
        """A picture for a human eye, in the folder that git ignores."""
        self._shots.mkdir(exist_ok=True)
        file = self._shots / f"{name}.png"
        (target or self.page).screenshot(path=file)
        return file


class Grid:
    """One layergrid on a page, known only by what its DOM promises."""

    def __init__(self, page: Page, root: Locator) -> None:
        self.page = page
        self.root = root
        self.cells = root.locator("canvas.layergrid-cells")
        self.marks = root.locator("canvas.layergrid-marks")
        self.tooltip = root.locator(".layergrid-tooltip")
        self.details = root.locator(".layergrid-details")
        self.notice = root.locator(".layergrid-notice")
        self.live = root.locator(".layergrid-live")
        self.tab_stop = root.locator("[role=grid]")

    def wait_until_drawn(self) -> Grid:
        """Until the picture is painted, and what stands around it is there."""
        self.wait_until_painted()
        self.root.locator("[role=grid][aria-activedescendant]").wait_for(state="attached")
        return self

    def wait_until_painted(self) -> Grid:
        """Until the picture holds pixels that are not transparent."""

        def check() -> None:
            assert self.cells.evaluate(_PAINTED), "nothing is painted"

        eventually(check)
        return self

    def pixels(self) -> np.ndarray:
        """The picture as it is now, uint8 of shape (height, width, 4), in device pixels."""
        return canvas_pixels(self.cells)

    def expect_pixels(self, expected: np.ndarray) -> None:
        """Until the picture is this one."""
        eventually(lambda: np.testing.assert_array_equal(self.pixels(), expected))

    def expect_other_pixels(self, before: np.ndarray) -> None:
        """Until the picture is another one."""

        def check() -> None:
            assert not np.array_equal(self.pixels(), before), "the picture is as it was"

        eventually(check)

    def chip(self, component: str) -> Locator:
        return self.root.locator(f'.layergrid-chip[data-component="{component}"]')

    def handle(self, end: str) -> Locator:
        return self.root.locator(f".layergrid-handle[role=slider][data-end={end}]")

    def expect_limit(self, end: str, value: float) -> None:
        """Until a handle stands there, in units of the values, but for rounding."""

        def check() -> None:
            now = float(self.handle(end).get_attribute("aria-valuenow") or "nan")
            assert abs(now - value) <= 1e-6 * abs(value), f"{end} stands at {now:g}, expected {value:g}"

        eventually(check)

    def active_cell(self) -> Locator:
        """The cell that the keyboard is on."""
        name = self.tab_stop.get_attribute("aria-activedescendant")
        assert name, "the grid names no active descendant"
        return self.root.locator(f"[role=gridcell][id='{name}']")

    def focus_first_cell(self) -> None:
        """Put the keyboard on the cell of the first column in the top row of the page."""
        self.tab_stop.focus()
        self.page.keyboard.press("Control+Home")

    def box(self, row: int, column: int) -> dict[str, float]:
        """The rectangle of a cell in CSS pixels of the picture; rows from its top, columns from its left.

        The keyboard goes there to ask: its cell is the one whose place is known.
        """

        def go() -> dict[str, Any]:
            self.focus_first_cell()
            for _ in range(row):
                self.page.keyboard.press("ArrowDown")
            for _ in range(column):
                self.page.keyboard.press("ArrowRight")
            place = self.active_cell().evaluate(_PLACE)
            assert (place["row"], place["column"]) == (row, column), f"the keyboard is at {place}"
            return dict(place["box"])

        return eventually(go)

    def middle(self, row: int, column: int) -> Any:
        """The middle of a cell, as a position in the picture."""
        box = self.box(row, column)
        return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}

    def cell_pixels(self, row: int, column: int) -> np.ndarray:
        """The device pixels of one cell; edges are on whole device pixels."""
        box = self.box(row, column)
        pixels = self.pixels()
        ratio = pixels.shape[1] / box["of"]
        left, top = round(box["x"] * ratio), round(box["y"] * ratio)
        right, bottom = round((box["x"] + box["width"]) * ratio), round((box["y"] + box["height"]) * ratio)
        return pixels[top:bottom, left:right]

    def color(self, row: int, column: int) -> tuple[int, int, int, int]:
        """The color of a cell as it is now: that of its upper left corner, where neither text nor mark is drawn."""
        red, green, blue, alpha = (int(channel) for channel in self.cell_pixels(row, column)[1, 1])
        return red, green, blue, alpha

    def expect_color(self, row: int, column: int, expected: np.ndarray, what: str = "cell") -> None:
        """Until a cell has a color, within the tolerance."""
        eventually(lambda: assert_color(self.color(row, column), expected, what))

    def expect_other_color(self, row: int, column: int, before: tuple[int, int, int, int]) -> None:
        """Until a cell has another color than it had."""

        def check() -> None:
            assert self.color(row, column) != before, f"the cell is still {before}"

        eventually(check)

    def click(self, row: int, column: int, *, modifiers: Sequence[Any] = ()) -> None:
        self.tab_stop.click(position=self.middle(row, column), modifiers=modifiers)

    def hover(self, row: int, column: int) -> None:
        self.tab_stop.hover(position=self.middle(row, column))

    def drag_handle(self, end: str, by_px: float) -> None:
        """Take a handle of the color bar and move it down (positive) or up in several moves."""
        drag(self.handle(end), 0, by_px)


def expect_accessible(page: Page, what: str = "") -> None:
    """Until axe finds nothing to object to in any grid of the page; it may look while a theme still arrives."""

    def check() -> None:
        found = Axe().run(page, context=".layergrid")
        assert found.violations_count == 0, f"{what}\n{found.generate_report()}"

    eventually(check)


def drag(target: Locator, x: float, y: float) -> None:
    """Take something by its middle, move it so far in several moves, and let go."""
    target.hover()
    box = target.bounding_box()
    assert box is not None
    left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = target.page.mouse
    mouse.move(left, top)
    mouse.down()
    mouse.move(left + x, top + y, steps=8)
    mouse.up()

"""One Chromium and one server of each kind for the session; a fresh page and a fresh kernel for each journey."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from .notebook_page import NotebookPage, PageLog
from .patience import WAIT_MS
from .server import JupyterServer, jupyter_server

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Names resolve to nothing: what would leave this machine fails, and is reported.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SHOTS = Path(__file__).parent / "shots"
expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a journey fails, its report says how each page stood."""
    report = yield
    if report.when == "call" and report.failed:
        for at, log in enumerate(getattr(item, "funcargs", {}).get("watched", [])):
            report.sections.append((f"page {at}", log.report(SHOTS / f"failed_{item.name}_{at}.png")))
    return report


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    named = os.environ.get("LAYERGRID_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise RuntimeError(
            "the browser tests need Chromium or Chrome: `make test` installs it, or name one in LAYERGRID_CHROMIUM"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=FLAGS, chromium_sandbox=hasattr(os, "geteuid") and os.geteuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with jupyter_server("jupyterlab", tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with jupyter_server("notebook", tmp_path_factory.mktemp("notebook7")) as server:
        yield server


_numbers = itertools.count()


@pytest.fixture
def open_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Fresh browser contexts: size and device pixel ratio are theirs; all are closed at the end."""
    contexts: list[BrowserContext] = []

    def open_one(*, width: int = 1200, height: int = 1000, ratio: float = 1, **more: object) -> BrowserContext:
        context = chromium.new_context(viewport={"width": width, "height": height}, device_scale_factor=ratio, **more)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def watched() -> Iterator[list[PageLog]]:
    """Logs of pages; an error that the journey did not expect fails it."""
    logs: list[PageLog] = []
    yield logs
    problems = [text for log in logs for text in log.unexpected()]
    assert not problems, "errors in the page:\n" + "\n".join(problems)


@pytest.fixture
def open_notebook(
    open_context: Callable[..., BrowserContext],
    watched: list[PageLog],
    request: pytest.FixtureRequest,
) -> Iterator[Callable[..., NotebookPage]]:
    """Open a notebook with the given cells, in JupyterLab unless another server is named."""
    opened: list[NotebookPage] = []

    def open_one(
        *cells: str, server: str = "lab", width: int = 1200, height: int = 1000, ratio: float = 1
    ) -> NotebookPage:
        jupyter: JupyterServer = request.getfixturevalue(server)
        page = open_context(width=width, height=height, ratio=ratio).new_page()
        notebook = NotebookPage(page, jupyter, f"journey_{next(_numbers)}.ipynb", SHOTS)
        watched.append(notebook.log)
        opened.append(notebook)
        notebook.open(cells)
        return notebook

    yield open_one
    for notebook in opened:
        notebook.page.close()
        notebook.server.forget_theme()
        for session in notebook.server.api("GET", "/api/sessions"):
            notebook.server.api("DELETE", f"/api/sessions/{session['id']}")

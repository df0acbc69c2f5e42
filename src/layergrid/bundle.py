"""The browser's half of the widget: one ES module, built from js/ when the package is built."""

from __future__ import annotations

import os
from pathlib import Path

PATH = Path(__file__).parent / "static" / "widget.js"


def module() -> str | Path:
    """The module's text; in development (ANYWIDGET_HMR set) its path, so that a rebuilt one redraws open notebooks.

    Text is what a release needs: a module read from a file keeps every widget alive (anywidget#929).

    Raises
    ------
    ImportError
        If the bundle has not been built.
    """
    if not PATH.exists():
        raise ImportError(
            f"the browser bundle {PATH.name} is missing; in a checkout run `pip install -e .`, "
            "or `npm ci && npm run build` in js/"
        )
    return PATH if os.environ.get("ANYWIDGET_HMR") else PATH.read_text(encoding="utf-8")

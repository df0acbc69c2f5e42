"""The browser's half of the widget: ES modules built from js/ when the package is built."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

_STATIC = Path(__file__).parent / "static"


def code() -> str:
    """The widget's code, as text of one ES module.

    Raises
    ------
    ImportError
        If the bundle has not been built.
    """
    return _built("widget.js").read_text(encoding="utf-8")


class Modules:
    """What goes with a grid as its module, and as the code that the module may need.

    The first grid of a kernel has all the code as its module: packed, it would be drawn 30 ms later. A page that has
    the code shares it, so that for later grids a loader of a few lines serves; the code goes with them packed (gzip),
    for pages that have it not. In development (ANYWIDGET_HMR set) the module is a path, so that a rebuilt one redraws
    open notebooks; a module read from a file keeps every widget alive (anywidget#929), so a release has text.

    Raises
    ------
    ImportError
        If the bundle has not been built.
    """

    def __init__(self) -> None:
        self._development = bool(os.environ.get("ANYWIDGET_HMR"))
        self._first: str | None = code()
        self._later = _built("loader.js").read_text(encoding="utf-8"), gzip.compress(self._first.encode(), 9, mtime=0)

    def next(self) -> tuple[str | Path, bytes]:
        """Module and packed code of the next grid."""
        if self._development:
            return _built("widget.js"), b""
        first, self._first = self._first, None
        return self._later if first is None else (first, b"")


def _built(name: str) -> Path:
    path = _STATIC / name
    if not path.exists():
        raise ImportError(
            f"the browser bundle {name} is missing; in a checkout run `pip install -e .`, "
            "or `npm ci && npm run build` in js/"
        )
    return path

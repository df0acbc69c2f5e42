"""The browser's half of the widget: ES modules built from js/ when the package is built."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

_STATIC = Path(__file__).parents[1] / "static"


def scripts() -> tuple[str, str]:
    """All the code, as texts of two modules: the surroundings of the picture, and the picture, which comes last.

    Raises
    ------
    ImportError
        If the bundles have not been built.
    """
    return _text("surroundings.js"), _text("picture.js")


class Modules:
    """The code that goes with a grid, as its traits.

    ``_esm`` is the module that the host imports for the grid, ``_picture_code`` and ``_surroundings_code`` are the
    bundles packed (gzip), to be read where they are needed. The first grid of a kernel has the bundle of the picture
    as its module: unpacked first, it would be drawn 30 ms later. A page that has the code shares it, so that for later
    grids a loader of a few lines serves; the bundles go with them for pages that have them not. In development
    (ANYWIDGET_HMR set) the module is a path, so that a rebuilt one redraws open notebooks; a module read from a file
    keeps every widget alive (anywidget#929), so a release has text.

    Raises
    ------
    ImportError
        If the bundles have not been built.
    """

    def __init__(self) -> None:
        surroundings, picture = scripts()
        self._surroundings = _packed(surroundings)
        self._later = _text("loader.js"), _packed(picture)
        self._first: str | None = picture
        self._development = bool(os.environ.get("ANYWIDGET_HMR"))

    def next(self) -> dict[str, str | Path | bytes]:
        """The traits of the next grid."""
        module: str | Path
        if self._development:
            module, picture = _STATIC / "picture.js", b""
        elif self._first is not None:
            module, picture = self._first, b""
            self._first = None
        else:
            module, picture = self._later
        return {"_esm": module, "_picture_code": picture, "_surroundings_code": self._surroundings}


def _packed(code: str) -> bytes:
    return gzip.compress(code.encode(), 9, mtime=0)


def _text(name: str) -> str:
    path = _STATIC / name
    if not path.exists():
        raise ImportError(
            f"the browser bundle {name} is missing; in a checkout run `pip install -e .`, "
            "or `npm ci && npm run build` in js/"
        )
    return path.read_text(encoding="utf-8")

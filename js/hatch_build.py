"""Build the browser bundle when the Python package is built, so that a stale one is never packaged.

The bundle carries the hash of the sources it was made from. Where that still agrees (a build from an
sdist, or right after ``npm run build``), Node is not needed; otherwise the bundle is built anew.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def source_hash(folder: Path) -> str:
    """One hash over everything a bundle is made from; twin of sourceHash in source_hash.mjs."""
    names = [path.relative_to(folder).as_posix() for path in (folder / "src").rglob("*") if path.is_file()]
    names += ["../src/layergrid/colormaps.json", "build.mjs", "package-lock.json", "tsconfig.json"]
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()


class BundleHook(BuildHookInterface):
    """Run ``npm ci && npm run build`` in js/ unless the bundle is already that of these sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that the bundle in src/layergrid/static/ is that of js/src."""
        js = Path(self.root) / "js"
        stamp = Path(self.root) / "src" / "layergrid" / "static" / "source-hash.txt"
        wanted = source_hash(js)
        if self._stamped(stamp) == wanted:
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "building layergrid from a checkout bundles its TypeScript, which needs Node 20 or newer with npm; "
                "install Node, or install layergrid from a wheel"
            )
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=js, check=True)
        subprocess.run([npm, "run", "build"], cwd=js, check=True)
        if self._stamped(stamp) != wanted:
            raise RuntimeError(f"the bundle's stamp {self._stamped(stamp)} is not the hash of js/src, {wanted}")

    @staticmethod
    def _stamped(stamp: Path) -> str:
        return stamp.read_text().strip() if stamp.exists() else ""

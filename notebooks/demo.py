"""Open JupyterLab on 01_first_grid.ipynb with every cell run and its grids drawn.

Works on a copy in build/demo, so that the notebook in the repository stays as it is. The copy is run first and keeps
the state of its widgets, so the grids are there as soon as it opens; run the cells again for callbacks. Where there is
no browser to open (LAYERGRID_DEMO_NO_BROWSER or CI is set), the server prints its address and runs on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
from nbformat.sign import NotebookNotary

HERE = Path(__file__).resolve().parent
COPY = HERE.parent / "build" / "demo"
NOTEBOOK = "01_first_grid.ipynb"
CELL_TIMEOUT_S = 240


def main() -> int:
    COPY.mkdir(parents=True, exist_ok=True)
    for name in (NOTEBOOK, "figure.csv"):
        shutil.copyfile(HERE / name, COPY / name)
    run(COPY / NOTEBOOK)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={COPY}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if os.environ.get("LAYERGRID_DEMO_NO_BROWSER") or os.environ.get("CI"):
        command.append("--no-browser")
    try:
        return subprocess.call([*command, str(COPY / NOTEBOOK)])
    except KeyboardInterrupt:
        return 0


def run(path: Path) -> None:
    """Run a notebook in place, with the state of its widgets, and trust it: it is ours, and was run here."""
    print("running the notebook; SmolLM2's 210 matrices take a minute", flush=True)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        store_widget_state=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    nbformat.write(notebook, path)
    NotebookNotary().sign(notebook)


if __name__ == "__main__":
    sys.exit(main())

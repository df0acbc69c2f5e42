import gc
import sys
import types
import weakref

import numpy as np
import pytest
from IPython.core.events import EventManager, available_events

from layergrid import LayerGrid
from layergrid.page import outputs


@pytest.fixture
def notebook(monkeypatch):
    """A stand-in for IPython that says which cell is running and what the notebook holds."""

    class Shell:
        def __init__(self):
            self.events = EventManager(self, available_events)
            self.run("", "")

        def get_parent(self):
            return self.parent_header

        def run(self, cell, message, **variables):
            self.parent_header = {"metadata": {"cellId": cell}, "header": {"msg_id": message}}
            self.user_ns = variables

        def ends(self):
            self.events.trigger("post_run_cell", None)

    shell = Shell()
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(outputs, "_runs", {})
    return shell


def made():
    return LayerGrid(np.eye(2))


def is_open(grid):
    return grid.comm is not None


def test_a_cell_run_again_closes_the_grid_that_nobody_holds(notebook):
    old, new = made(), made()
    notebook.run("cell", "first")
    old._repr_mimebundle_()
    notebook.run("cell", "second")
    new._repr_mimebundle_()
    assert is_open(old), "the page is not kept busy before the new one is drawn"
    notebook.ends()
    assert not is_open(old)
    assert is_open(new)


def test_a_grid_that_a_variable_holds_stays_open(notebook):
    old, new = made(), made()
    notebook.run("cell", "first")
    old._repr_mimebundle_()
    notebook.run("cell", "second", kept=old)
    new._repr_mimebundle_()
    notebook.ends()
    assert is_open(old)


def test_a_grid_shown_in_another_cell_stays_open(notebook):
    old, new = made(), made()
    notebook.run("cell", "first")
    old._repr_mimebundle_()
    notebook.run("other", "second")
    old._repr_mimebundle_()
    notebook.run("cell", "third")
    new._repr_mimebundle_()
    notebook.ends()
    assert is_open(old)


def test_two_grids_of_one_run_stay_open(notebook):
    one, other = made(), made()
    notebook.run("cell", "first")
    one._repr_mimebundle_()
    other._repr_mimebundle_()
    notebook.ends()
    assert is_open(one)
    assert is_open(other)


def test_a_closed_grid_opens_again_when_shown(notebook):
    grid = made()
    grid.close()
    notebook.run("cell", "first")
    data, _ = grid._repr_mimebundle_()
    assert is_open(grid)
    assert "application/vnd.jupyter.widget-view+json" in data


def test_outside_a_notebook_nothing_is_noted(notebook):
    made()._repr_mimebundle_()
    assert outputs._runs == {}


def test_200_runs_leave_one_grid_behind(notebook):
    seen = []
    for run in range(200):
        notebook.run("cell", f"run {run}")
        grid = made()
        seen.append(weakref.ref(grid))
        grid._repr_mimebundle_()
        notebook.ends()
    del grid
    gc.collect()
    assert sum(reference() is not None for reference in seen) == 1

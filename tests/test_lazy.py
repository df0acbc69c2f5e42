"""Pages that do not all travel: read one at a time, asked for by the page of the browser, answered once each."""

import json
import threading
from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from layergrid import LayerGrid
from layergrid.data import arranging, pages
from layergrid.page import packing

SHAPE = (5, 4, 3)  # steps, layers, components
VALUES = np.arange(60.0).reshape(SHAPE)
DIMS = ("step", "layer", "component")
MESSAGES = json.loads((Path(__file__).parent / "fixtures" / "messages.json").read_text())


class Counting:
    """An array that counts what is read of it, and fails where more than a page is read at once."""

    dtype = VALUES.dtype
    shape = SHAPE
    ndim = 3

    def __init__(self):
        self.read = []

    def __getitem__(self, key):
        part = VALUES[key]
        assert part.size <= VALUES[0].size, f"{part.size} numbers were read at once"
        if part.size:  # dask looks at an empty part for its type
            self.read.append(key)
        return part

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole was read")


class CountingFile(BackendArray):
    """The same behind xarray's lazy indexing, as an opened file is."""

    dtype = VALUES.dtype
    shape = SHAPE

    def __init__(self):
        self.source = Counting()

    def __getitem__(self, key):
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self.source.__getitem__
        )


@pytest.fixture
def nothing_fits(monkeypatch):
    """No pages are so few that all of them travel."""
    for module in (packing, arranging):
        monkeypatch.setattr(module, "MOST_TRAVELLING_BYTES", 0)


@pytest.fixture
def ask():
    """Ask a grid for something as the page of the browser does, and wait for the one reply."""
    grids = []

    def ask_one(grid, content):
        replies = []
        answered = threading.Event()

        def send(reply, buffers=None):
            replies.append((json.loads(json.dumps(reply)), buffers))
            answered.set()

        grid.send = send
        grids.append(grid)
        grid._handle_custom_msg(content, [])
        assert answered.wait(20)
        grid.close()  # what else would be sent has been begun, and is waited for
        assert len(replies) == 1
        return replies[0]

    return ask_one


def test_an_array_that_is_not_numpys_is_read_a_page_at_a_time():
    source = Counting()
    grid = LayerGrid(source, dims=DIMS)
    assert len(source.read) == 1
    grid.position = {"step": 3}
    assert grid.cell(1, "2").value == VALUES[3, 1, 2]
    assert len(source.read) == 2


def test_a_dask_array_is_computed_a_page_at_a_time():
    source = Counting()
    data = xarray.DataArray(dask.array.from_array(source, chunks=(1, 4, 3)), dims=DIMS)
    grid = LayerGrid(data)
    assert (len(source.read), grid._held) == (1, 0)
    grid.position = {"step": 4}
    assert grid.cell(3, "2").value == 59.0
    assert (len(source.read), grid._held) == (2, 4)


def test_what_lies_in_a_file_is_read_a_page_at_a_time(nothing_fits):
    file = CountingFile()
    data = xarray.DataArray(indexing.LazilyIndexedArray(file), dims=DIMS)
    grid = LayerGrid(data)
    assert len(file.source.read) == 1
    grid.position = {"step": 2}
    assert grid.cell(0, "0").value == VALUES[2, 0, 0]
    assert len(file.source.read) == 2


def test_few_pages_of_a_file_all_travel_and_are_read_one_by_one():
    file = CountingFile()
    grid = LayerGrid(xarray.DataArray(indexing.LazilyIndexedArray(file), dims=DIMS))
    assert grid._held == -1
    assert np.frombuffer(grid._values, grid._dtype).tolist() == VALUES.ravel().tolist()


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_an_opened_file_shows_each_page(kind, tmp_path, nothing_fits):
    whole = xarray.Dataset({"rms": (DIMS, VALUES), "rank": (DIMS, VALUES + 100)}, {"component": ["q", "k", "v"]})
    if kind == "zarr":
        whole.to_zarr(tmp_path / "run.zarr", zarr_format=2, consolidated=False)
        opened = xarray.open_zarr(tmp_path / "run.zarr", consolidated=False, chunks=None)
    else:
        whole.to_netcdf(tmp_path / "run.nc", engine="scipy")
        opened = xarray.open_dataset(tmp_path / "run.nc", engine="scipy")
    with opened:
        grid = LayerGrid(opened)
        grid.position = {"metric": "rank", "step": 3}
        assert grid.cell(2, "k").value == VALUES[3, 2, 1] + 100


def test_experts_of_a_lazy_array_all_have_their_columns():
    values = dask.array.from_array(np.zeros((2, 2, 3)), chunks=(1, 2, 3))
    grid = LayerGrid(xarray.DataArray(values, dims=("layer", "component", "expert")))
    assert len(grid.components) == 6


def test_the_last_pages_are_kept_up_to_a_size(monkeypatch):
    monkeypatch.setattr(pages, "MOST_KEPT_BYTES", 2 * VALUES[0].astype("f4").nbytes)
    source = Counting()
    grid = LayerGrid(source, dims=DIMS)
    for step in (1, 0, 2, 0, 1):
        grid.position = {"step": step}
    assert len(source.read) == 4


def test_over_all_pages_each_is_read_once_for_the_domain():
    source = Counting()
    grid = LayerGrid(source, dims=DIMS, scale_over="all")
    assert (grid.vmin, grid.vmax) == (0.0, 59.0)
    before = len(source.read)
    assert before == 5
    grid.position = {"step": 4}
    assert (grid.vmin, grid.vmax, len(source.read)) == (0.0, 59.0, before)


def test_a_page_set_from_python_goes_out_with_its_values(nothing_fits, monkeypatch):
    grid = LayerGrid(VALUES, dims=DIMS)
    sent = []
    monkeypatch.setattr(grid, "_send", lambda message, buffers=None: sent.append(set(message["state"])))
    grid.position = {"step": 2}
    assert len(sent) == 1
    assert {"position", "_held", "vmin"} <= sent[0]
    assert np.frombuffer(grid._values, grid._dtype).tolist() == VALUES[2].ravel().tolist()


def test_a_page_turned_in_the_browser_is_not_sent_back(nothing_fits, monkeypatch):
    grid = LayerGrid(VALUES, dims=DIMS)
    sent = []
    monkeypatch.setattr(grid, "_send", lambda message, buffers=None: sent.append(message))
    grid.set_state({"position": {"step": 2}, "vmin": 24.0, "vmax": 35.0, "center": 29.5, "_fitted": True})
    assert grid.cell(0, "0").value == 24.0
    assert not any("_held" in message.get("state", {}) for message in sent)


def test_the_page_can_put_the_scale_over_pages_that_it_does_not_have(nothing_fits):
    grid = LayerGrid(VALUES, dims=DIMS)
    grid.set_state({"scale_over": "all"})
    assert (grid.vmin, grid.vmax) == (0.0, 59.0)


def test_a_saved_file_holds_the_page_it_was_saved_with(nothing_fits, tmp_path):
    grid = LayerGrid(VALUES, dims=DIMS)
    grid.set_state({"position": {"step": 2}})
    text = grid.save(tmp_path / "page.html").read_text()
    state = json.loads(text.split('id="layergrid-state">')[1].split("</script>")[0])
    assert state["_held"] == 2
    assert state["position"] == {"step": 2}


# Requests.


def test_a_request_for_a_page_is_answered_with_its_values(nothing_fits, ask):
    grid = LayerGrid(np.array([[[1.0, 2.0]], [[3.0, np.nan]]]), dims=DIMS)
    reply, buffers = ask(grid, MESSAGES["page request"])
    assert reply == MESSAGES["page reply"]["content"]
    assert [np.frombuffer(buffers[0], "<f4").tolist()[0], buffers[1]] == [3.0, b""]


def test_over_all_pages_the_reply_has_the_domain_of_them(nothing_fits, ask):
    grid = LayerGrid(VALUES, dims=DIMS, scale_over="all")
    reply, _ = ask(grid, {"kind": "page", "id": 1, "page": 3})
    assert reply["domain"] == [0.0, 59.0, 29.5]


def test_a_page_that_cannot_be_read_is_answered_in_words(ask):
    source = Counting()
    grid = LayerGrid(source, dims=DIMS)

    def broken(key):
        raise OSError("disk on fire")

    source.__class__ = type("Broken", (Counting,), {"__getitem__": lambda self, key: broken(key)})
    reply, buffers = ask(grid, {"kind": "page", "id": 7, "page": 3})
    assert reply == MESSAGES["error reply"]
    assert buffers == []


@pytest.mark.parametrize("page", [5, -1, True, "1", None, 1.0])
def test_a_request_for_no_page_is_answered_by_an_error(page, ask):
    reply, _ = ask(LayerGrid(VALUES, dims=DIMS), {"kind": "page", "id": 7, "page": page})
    assert (reply["kind"], reply["id"]) == ("error", 7)
    assert "page of a request must be an int from 0 to 4" in reply["message"]


@pytest.mark.parametrize("id_", [None, True, "7", 1.5])
def test_a_request_without_an_id_has_nobody_to_answer(id_, caplog):
    grid = LayerGrid(VALUES, dims=DIMS)
    sent = []
    grid.send = lambda *reply: sent.append(reply)
    grid._handle_custom_msg({"kind": "page", "id": id_, "page": 1}, [])
    assert sent == []
    assert len(caplog.records) == 1


def test_a_slow_page_blocks_neither_other_messages_nor_python(monkeypatch):
    slow, waiting = threading.Event(), threading.Event()

    class Slow(Counting):
        def __getitem__(self, key):
            if key[0] == 3:
                waiting.set()
                assert slow.wait(20)
            return super().__getitem__(key)

    grid = LayerGrid(Slow(), dims=DIMS)
    answered = threading.Event()
    grid.send = lambda *_reply: answered.set()
    clicked = []
    grid.on_click(clicked.append)
    grid._handle_custom_msg({"kind": "page", "id": 1, "page": 3}, [])
    assert waiting.wait(20)
    grid._handle_custom_msg({"kind": "click", "row": 0, "column": 0}, [])
    grid.vmax = 99.0
    grid.position = {"step": 1}
    assert len(clicked) == 1
    assert not answered.is_set()
    slow.set()
    assert answered.wait(20)
    grid.close()


def test_a_closed_grid_lets_its_thread_end():
    others = set(threading.enumerate())
    grid = LayerGrid(VALUES, dims=DIMS)
    answered = threading.Event()
    grid.send = lambda *_reply: answered.set()
    grid._handle_custom_msg({"kind": "page", "id": 1, "page": 3}, [])
    assert answered.wait(20)
    working = [thread for thread in set(threading.enumerate()) - others if thread.name.startswith("layergrid")]
    assert working
    grid.close()
    for thread in working:
        thread.join(20)
        assert not thread.is_alive()

"""A grid too large to travel whole: overview, windows, cancelling, closing."""

import json
import logging
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from layergrid import LayerGrid
from layergrid.large.windows import Window
from layergrid.page.far import Far
from layergrid.page.messages import WindowRequest, read_request

MESSAGES = json.loads((Path(__file__).parent / "fixtures" / "messages.json").read_text())
ROWS, COLUMNS = 1500, 1100  # more than 4 MB
VALUES = np.arange(ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)


class Page:
    """The page's side of a grid: what it was sent, waited for."""

    def __init__(self, grid):
        self.grid = grid
        self.replies = {}
        self.arrived = threading.Condition()
        grid.send = self.hear

    def hear(self, content, buffers=None):
        with self.arrived:
            assert content["id"] not in self.replies, "a request gets exactly one reply"
            self.replies[content["id"]] = content, buffers or []
            self.arrived.notify_all()

    def ask(self, number=1, **changes):
        request = {
            **{"kind": "window", "id": number, "version": 0, "top": 0, "bottom": 2, "left": 0, "right": 3},
            **{"rowFactor": 1, "columnFactor": 1, "aggregate": "mean", "center": 0.0},
            **changes,
        }
        self.grid._receive(self.grid, request, [])

    def reply(self, number=1):
        with self.arrived:
            assert self.arrived.wait_for(lambda: number in self.replies, 30)
            return self.replies[number]


@pytest.fixture
def grid():
    made = LayerGrid(VALUES, still=False)
    yield made
    made.close()


def numbers(reply, shape):
    content, buffers = reply
    return np.frombuffer(buffers[0], np.dtype(f"<{content['dtype']}")).reshape(shape)


def test_the_state_of_a_large_grid_holds_the_overview_and_not_the_cells(grid):
    state = grid.get_state()
    far = state["_far"]
    blocks = -(-ROWS // far["rowFactor"]), -(-COLUMNS // far["columnFactor"])
    overview = np.frombuffer(state["_values"], "<f4").reshape(blocks)
    height, width = far["rowFactor"], far["columnFactor"]
    assert overview[0, 0] == pytest.approx(VALUES[:height, :width].mean())
    assert overview[-1, -1] == pytest.approx(VALUES[(blocks[0] - 1) * height :, (blocks[1] - 1) * width :].mean())
    assert far["whole"] == "f4"
    assert state["_shape"] == (ROWS, COLUMNS)
    assert len(state["_values"]) <= 1 << 22


def test_a_grid_that_fits_one_message_travels_whole():
    assert LayerGrid(np.zeros((1024, 1024), np.float32), still=False).get_state()["_far"] == {}


def test_the_page_asks_for_windows_where_it_may_hold_fewer_cells():
    grid = LayerGrid(VALUES, browser_cells=1000, still=False)
    assert grid.get_state()["_far"]["whole"] == ""
    grid.close()


def test_a_window_is_answered_in_blocks(grid):
    page = Page(grid)
    page.ask(top=4, bottom=8, left=2, right=6, rowFactor=2, columnFactor=4, aggregate="max")
    reply = page.reply()
    assert reply[0] == {"kind": "window", "id": 1, "dtype": "f4"}
    np.testing.assert_array_equal(numbers(reply, (2, 2)), VALUES[4:8, :8].reshape(2, 2, 2, 4).max(axis=(1, 3)))


def test_absent_cells_travel_as_bits():
    mask = np.zeros(VALUES.shape, bool)
    mask[0, 1] = True
    grid = LayerGrid(np.ma.array(VALUES, mask=mask), still=False)
    page = Page(grid)
    page.ask()
    content, (_, bits) = page.reply()
    assert content["kind"] == "window"
    assert bits == b"\x02"
    grid.close()


def test_float64_cells_arrive_whole():
    values = VALUES.astype(np.float64) + 1e-9
    grid = LayerGrid(values, still=False)
    assert grid.get_state()["_far"]["whole"] == "f8"
    page = Page(grid)
    page.ask()
    np.testing.assert_array_equal(numbers(page.reply(), (2, 3)), values[:2, :3])
    grid.close()


def test_the_recorded_window_request_is_read_and_answered_as_recorded():
    request = read_request(MESSAGES["window request"], (2, 3), 1)
    assert request == WindowRequest(10, 0, Window(0, 2, 0, 3, 2, 1), "max", 0.5)
    far = Far(np.array([[1, 2, 3], [3, 4, 5]], np.float32) - 1, None, 0, lambda version, traits: None)
    sent = []
    far.take(request, lambda work: work(), lambda *reply: sent.append(reply))
    [(reply, buffers)] = sent
    assert reply == MESSAGES["window reply"]["content"]
    np.testing.assert_array_equal(np.frombuffer(buffers[0], "<f4"), [2, 3, 4])
    far.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"top": -1},
        {"top": 2, "bottom": 1},
        {"right": COLUMNS + 1},
        {"rowFactor": 3},
        {"rowFactor": 0},
        {"bottom": ROWS, "right": COLUMNS},
        {"aggregate": "median"},
        {"aggregate": ["mean"]},
        {"center": float("nan")},
        {"center": "0"},
        {"center": True},
        {"version": None},
    ],
)
def test_a_window_that_makes_no_sense_is_refused_with_one_line_and_a_reply(grid, caplog, changes):
    page = Page(grid)
    with caplog.at_level(logging.WARNING):
        page.ask(**changes)
    assert page.reply()[0]["kind"] == "error"
    assert len(caplog.records) == 1


def test_a_window_of_values_that_were_replaced_is_refused(grid):
    grid.update(VALUES + 1)
    page = Page(grid)
    page.ask(version=0)
    assert "other values" in page.reply()[0]["message"]
    page.ask(2, version=1)
    np.testing.assert_array_equal(numbers(page.reply(2), (2, 3)), VALUES[:2, :3] + 1)


def test_a_cancelled_window_is_answered_by_an_error(grid):
    page = Page(grid)
    entered, released = threading.Event(), threading.Event()
    answer = grid._far_cells.pyramid.window

    def slow(*arguments, stop, **options):
        entered.set()
        assert released.wait(30)
        if stop.is_set():
            raise RuntimeError("given up")
        return answer(*arguments, stop=stop, **options)

    grid._far_cells.pyramid.window = slow
    page.ask()
    assert entered.wait(30)
    grid._receive(grid, {"kind": "cancel", "id": 1}, [])
    released.set()
    assert page.reply()[0] == {"kind": "error", "id": 1, "message": "RuntimeError: given up"}


def test_a_small_grid_refuses_windows_and_takes_no_notice_of_a_cancel():
    grid = LayerGrid(np.eye(3), still=False)
    page = Page(grid)
    page.ask()
    assert page.reply()[0]["kind"] == "error"
    grid._receive(grid, {"kind": "cancel", "id": 1}, [])


def test_a_large_grid_that_was_closed_answers_again_when_shown(grid):
    grid.close()
    page = Page(grid)
    page.ask()
    assert page.reply()[0]["kind"] == "error"
    grid._repr_mimebundle_()
    page.ask(2)
    np.testing.assert_array_equal(numbers(page.reply(2), (2, 3)), VALUES[:2, :3])


def test_closing_a_large_grid_ends_its_threads(grid):
    grid._far_cells.pyramid.wait(30)
    grid.close()
    deadline = time.monotonic() + 30
    while any(thread.name == "layergrid-levels" for thread in threading.enumerate()):
        assert time.monotonic() < deadline


class Slow:
    """An array that gives its upper half only when told to."""

    shape, dtype = (4096, 1024), np.dtype("f4")

    def __init__(self):
        self.told = threading.Event()

    def __getitem__(self, index):
        rows, columns = index
        if rows.stop > 2048:
            assert self.told.wait(30)
        return np.ones((rows.stop - rows.start, columns.stop - columns.start), np.float32)


def test_an_overview_shows_what_has_been_read_and_grows():
    source, seen = Slow(), []
    far = Far(source, None, 0, lambda _version, traits: seen.append(traits), threads=1)
    look = far.first_look()
    traits = look.traits()
    assert not look.complete
    unread = np.unpackbits(np.frombuffer(traits["_absent"], np.uint8), bitorder="little").astype(bool)
    values = np.frombuffer(traits["_values"], "<f4")
    assert (values[~unread[: values.size]] == 1).all()
    assert unread[-1024:].all()
    far.follow()
    assert not seen
    source.told.set()
    far.pyramid.wait(30)
    assert seen
    assert (np.frombuffer(seen[-1]["_values"], "<f4") == 1).all()
    assert seen[-1]["_absent"] == b""
    far.close()


def test_what_was_read_between_the_first_look_and_the_first_report_is_reported():
    source, seen = Slow(), []
    far = Far(source, None, 0, lambda _version, traits: seen.append(traits), threads=1)
    assert not far.first_look().complete
    source.told.set()
    far.pyramid.wait(30)
    assert not seen  # whoever listens has not taken in the first look yet
    far.follow()
    assert seen[-1]["_absent"] == b""
    far.close()


def test_a_single_cell_is_read_beside_the_overview(grid):
    assert grid._far_cells.value(1234, 56) == VALUES[1234, 56]
    assert grid.cell(1234, "56").value == VALUES[1234, 56]

"""A tensor that the page opens within a grid: one reply, messages to and fro, and memory back when it is left."""

import base64
import json
import logging
import threading
from pathlib import Path

import numpy as np
import pytest

from layergrid import LayerGrid
from layergrid.page.inner import MOST_OPEN
from layergrid.page.messages import (
    CloseMessage,
    InnerMessage,
    OpenRequest,
    inner_message,
    open_reply,
    read_request,
    summary_reply,
)
from layergrid.readable import Stopped, readable
from layergrid.tensors.opening import OpenTensor
from layergrid.tensors.summary import Entry, TensorSummary

MESSAGES = json.loads((Path(__file__).parent / "fixtures" / "messages.json").read_text())
LARGE = np.random.default_rng(1).standard_normal((1300, 1100)).astype("f4")
MODEL = {f"model.layers.{layer}.mlp.up_proj.weight": LARGE + layer for layer in (0, 1)}


class Page:
    """The page of the outer grid: all it was sent, waited for."""

    def __init__(self, grid):
        self.grid = grid
        self.heard = []
        self._arrived = threading.Condition()
        grid.send = self._hear

    def _hear(self, content, buffers=None):
        with self._arrived:
            self.heard.append((content, buffers or []))
            self._arrived.notify_all()

    def say(self, **content):
        self.grid._receive(self.grid, content, [])

    def wait_for(self, wanted):
        def found():
            return next((one for one in self.heard if wanted(one[0])), None)

        with self._arrived:
            assert self._arrived.wait_for(found, 30), self.heard
            return found()

    def open(self, number=1, row=1, column=0):
        self.say(kind="open", id=number, row=row, column=column)
        return self.wait_for(lambda content: content["id"] == number and content["kind"] in ("open", "error"))

    def inner(self, number, **content):
        self.say(kind="inner", id=number, content={"method": "custom", "content": content})


@pytest.fixture
def page():
    grid = LayerGrid(MODEL, still=False)
    yield Page(grid)
    grid.close()


WINDOW = {
    **{"kind": "window", "id": 5, "version": 0, "top": 3, "bottom": 5, "left": 7, "right": 10},
    **{"rowFactor": 1, "columnFactor": 1, "aggregate": "mean", "center": 0.0},
}


def test_the_reply_holds_what_the_inner_page_draws(page):
    reply, buffers = page.open()
    assert reply["steps"] == ["dict", "layer 1", "mlp.up"]
    state = reply["state"]
    assert state["title"] == "model.layers.1.mlp.up_proj.weight"
    assert (state["_shape"], state["_axes"], state["origin"]) == ((1300, 1100), ["row", "column"], "upper")
    assert "_esm" not in state
    by_name = {path[0]: buffer for path, buffer in zip(reply["paths"], buffers, strict=True)}
    far = state["_far"]
    shape = -(-1300 // far["rowFactor"]), -(-1100 // far["columnFactor"])
    overview = np.frombuffer(by_name["_values"], "<f4").reshape(shape)
    expected = MODEL[state["title"]][: far["rowFactor"], : far["columnFactor"]].mean()
    assert overview[0, 0] == pytest.approx(expected, rel=1e-5)


def test_the_page_opens_each_side_of_a_comparison():
    other = {name: values * 2 for name, values in MODEL.items()}
    page = Page(LayerGrid([[1.0], [2.0]], components=["mlp.up"], source=(MODEL, other)))
    sides = {}
    for number, side in enumerate([None, 0, 1, 2]):
        page.say(**{"kind": "open", "id": number, "row": 1, "column": 0}, **({} if side is None else {"side": side}))
        state, _ = page.wait_for(lambda content, number=number: content["id"] == number)
        sides[side] = state["state"]["_tensor"]["side"]
        assert state["steps"][0] == "dict to dict"
    assert sides == {None: 2, 0: 0, 1: 1, 2: 2}
    page.say(kind="open", id=9, row=1, column=0, side=3)
    assert "side of a comparison must be an int from 0 to 2" in page.heard[-1][0]["message"]


def test_windows_of_the_inner_grid_travel_within_the_messages_of_the_outer_one(page):
    page.open()
    page.inner(1, **WINDOW)
    content, buffers = page.wait_for(lambda content: content["kind"] == "inner")
    assert content["content"] == {"method": "custom", "content": {"kind": "window", "id": 5, "dtype": "f4"}}
    np.testing.assert_array_equal(np.frombuffer(buffers[0], "<f4").reshape(2, 3), LARGE[3:5, 7:10] + np.float32(1))


def test_changes_of_the_inner_page_are_checked_like_any(page, caplog):
    page.open()
    grid = next(iter(page.grid._answers._inners._open.values()))[0]
    page.say(kind="inner", id=1, content={"method": "update", "state": {"vmax": 9.0}})
    assert grid.vmax == 9
    with caplog.at_level(logging.WARNING):
        page.say(kind="inner", id=1, content={"method": "update", "state": {"vmin": float("inf"), "title": "x"}})
    assert grid.title != "x"
    assert grid.vmin < 0
    told, _ = page.wait_for(lambda content: content["kind"] == "inner")
    assert told["content"]["state"] == {"vmin": grid.vmin}


def test_the_page_is_told_what_the_tensor_holds(page):
    page.open()
    page.heard.clear()
    page.inner(1, kind="summary", id=9)
    content, buffers = page.wait_for(lambda content: content["content"].get("content", {}).get("kind") == "summary")
    told, values = content["content"]["content"], MODEL["model.layers.1.mlp.up_proj.weight"]
    row, column, value = told["largest"][0]
    assert value == values[row, column] == values.flat[np.abs(values).argmax()]
    assert sum(told["counts"]) == values.size
    assert dict(map(tuple, told["metrics"]))["rms"] == pytest.approx(np.sqrt((values.astype("f8") ** 2).mean()))
    assert dict(map(tuple, told["quantiles"]))[0.5] == pytest.approx(np.median(values))
    np.testing.assert_allclose(np.frombuffer(buffers[0], "<f4"), np.linalg.norm(values, axis=1), rtol=1e-5)
    assert len(buffers[1]) == 4 * values.shape[1]
    page.heard.clear()
    page.say(kind="summary", id=9)
    assert "not that of one tensor" in page.heard[0][0]["message"]


def test_the_recorded_summary_is_written_as_recorded():
    summary = TensorSummary(
        np.array([1, 0, 1]),
        -2.0,
        1.0,
        {0.5: np.nan},
        {"rms": 1.5},
        (Entry(0, 1, -np.inf), Entry(1, 0, -2.0)),
        np.array([1.0, 2.0]),
        np.array([1.0, 2.0]),
        0,
        1,
    )
    recorded = MESSAGES["summary reply"]
    content, buffers = summary_reply(read_request(MESSAGES["summary request"], (2, 3), 1), summary)
    assert content == recorded["content"]
    assert [base64.b64encode(buffer).decode() for buffer in buffers] == recorded["buffers"]


def test_what_cannot_be_opened_is_said_once(page, tmp_path):
    grid = LayerGrid([[1.0, 2.0]], source=tmp_path / "gone")
    page = Page(grid)
    reply, _ = page.open(row=0)
    assert reply["kind"] == "error"
    assert "gone" in reply["message"]
    assert len(page.heard) == 1


def test_the_page_knows_whether_cells_can_be_opened(page):
    assert page.grid.get_state()["_opens"] is True
    assert LayerGrid([[1.0]]).get_state()["_opens"] is False
    assert page.open()[0]["state"]["_opens"] is False


@pytest.mark.parametrize("farewell", ["close", "cancel"])
def test_left_it_is_closed(page, farewell):
    page.open()
    grid = next(iter(page.grid._answers._inners._open.values()))[0]
    page.say(kind=farewell, id=1)
    assert grid._far_cells is None
    assert grid.comm is None
    assert not page.grid._answers._inners._open
    page.inner(1, **WINDOW)
    content, _ = page.wait_for(lambda content: content["kind"] == "inner")
    assert "no longer open" in content["content"]["content"]["message"]


def test_opening_that_is_stopped_meanwhile_is_answered_and_closed(page, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    tensor = OpenTensor(readable(LARGE))

    def slow(self, cell, position, side):
        begun.set()
        assert go.wait(30)
        return tensor

    monkeypatch.setattr("layergrid.tensors.behind.BehindOne.open", slow)
    page.say(kind="open", id=3, row=0, column=0)
    assert begun.wait(30)
    page.say(kind="cancel", id=3)
    go.set()
    reply, _ = page.wait_for(lambda content: content["id"] == 3)
    assert (reply["kind"], reply["message"]) == ("error", "opening was stopped")
    with pytest.raises(Stopped):
        tensor.summary()  # it is closed


def test_the_oldest_gives_way_and_the_same_request_is_refused(page):
    page.open(1)
    first = next(iter(page.grid._answers._inners._open.values()))[0]
    page.say(kind="open", id=1, row=0, column=0)
    again, _ = page.wait_for(lambda content: content["kind"] == "error")
    assert again["id"] == 1
    for number in range(2, MOST_OPEN + 2):
        page.open(number)
    assert list(page.grid._answers._inners._open) == list(range(2, MOST_OPEN + 2))
    assert first._far_cells is None


def test_an_outer_grid_that_is_closed_closes_them(page):
    page.open()
    grid = next(iter(page.grid._answers._inners._open.values()))[0]
    page.grid.close()
    assert grid._far_cells is None


def test_the_recorded_messages_are_read_and_written():
    read = [read_request(MESSAGES[name], (2, 3), 1) for name in ("open request", "inner update", "inner message")]
    assert read[0] == OpenRequest(11, 1, 2)
    assert read[1] == InnerMessage(11, MESSAGES["inner update"]["content"])
    assert read[2] == InnerMessage(11, MESSAGES["inner message"]["content"])
    assert read_request(MESSAGES["close"], (2, 3), 1) == CloseMessage(11)
    said = MESSAGES["open reply"]["content"]
    assert open_reply(read[0], said["state"], said["paths"], said["steps"]) == said
    assert inner_message(11, read[2].content) == MESSAGES["inner message"]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "open", "id": 1, "row": 2, "column": 0},
        {"kind": "open", "id": 1, "row": 0},
        {"kind": "open", "row": 0, "column": 0},
        {"kind": "inner", "id": 1},
        {"kind": "inner", "id": 1, "content": {"method": "request_state"}},
        {"kind": "inner", "id": 1, "content": {"method": "update", "state": [1]}},
        {"kind": "inner", "id": 1, "content": {"method": "custom", "content": 3}},
        {"kind": "close", "id": -1},
    ],
)
def test_messages_that_make_no_sense_are_refused(content):
    with pytest.raises(ValueError, match=r"must be|not a message"):
        read_request(content, (2, 3), 1)

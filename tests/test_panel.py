"""The findings as the page shows them, and the kernel's answers to what the page asks."""

import json
import logging
import queue
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import layergrid as lg
from layergrid.data.matrix import Matrix
from layergrid.page import messages, panel

FIGURE = pd.read_csv(Path(__file__).parent / "fixtures" / "figure.csv", index_col="layer")
RECORDED = json.loads((Path(__file__).parent / "fixtures" / "messages.json").read_text())
WAIT_S = 60


@pytest.fixture
def replies(monkeypatch):
    """What grids made in the test send to their page."""
    sent = queue.Queue()
    monkeypatch.setattr(lg.LayerGrid, "send", lambda self, content, buffers=None: sent.put(content))
    return sent


class Clock:
    """A clock that stands still until it is set forward; in place of the module `time`."""

    def __init__(self):
        self._now = 0.0
        self._changed = threading.Condition()

    def monotonic(self):
        return self._now

    def sleep(self, seconds):
        with self._changed:
            until = self._now + seconds
            assert self._changed.wait_for(lambda: self._now >= until, WAIT_S)

    def advance(self, seconds):
        with self._changed:
            self._now += seconds
            self._changed.notify_all()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(panel, "time", clock)
    return clock


def ask(widget, **message):
    widget._handle_custom_msg(json.loads(json.dumps(message)), [])


def shown(widget, page=0):
    """What the state holds of a page; None where nothing is known yet."""
    return widget._findings["pages"].get(str(page))


def statements(widget):
    return [finding["statement"] for finding in shown(widget)["findings"]]


# When they are computed.


def test_nothing_is_computed_nor_scipy_imported_before_someone_asks():
    code = """
import sys
import numpy as np
import layergrid as lg
import layergrid.page.panel
layergrid.page.panel.QUIET_S = 3600.0
grid = lg.LayerGrid(np.eye(12))
grid._repr_mimebundle_()
grid.update(np.ones((12, 12)))
assert grid._findings == {"large": False, "pages": {}}, grid._findings
assert not {"scipy", "layergrid.findings"} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_request_fills_the_state_and_gets_one_reply(replies):
    grid = lg.LayerGrid(FIGURE)
    ask(grid, kind="findings", id=7)
    assert replies.get(timeout=WAIT_S) == {"id": 7, "kind": "findings"}
    assert shown(grid)["status"] == "ready"
    assert statements(grid) == [finding.statement for finding in lg.insights(FIGURE)]
    assert replies.empty()


def test_a_shown_grid_gets_its_findings_though_no_page_asks_and_one_that_was_closed_does_not(monkeypatch, clock):
    analysed = queue.Queue()
    monkeypatch.setattr(panel, "_analysed", lambda matrix: analysed.put(matrix.values[0, 0]) or empty(matrix))
    closed, open_, hidden = (lg.LayerGrid(np.full((2, 2), float(number))) for number in range(3))
    for grid in (closed, open_):
        grid._repr_mimebundle_()
    closed.close()
    assert analysed.empty()
    clock.advance(panel.QUIET_S)
    assert analysed.get(timeout=WAIT_S) == 1.0
    open_.update(np.full((2, 2), 7.0))
    clock.advance(panel.QUIET_S)
    assert analysed.get(timeout=WAIT_S) == 7.0
    assert analysed.empty()
    assert shown(hidden) is None


def test_a_grid_that_is_updated_all_the_time_is_analysed_once_it_rests(monkeypatch, clock):
    analysed = queue.Queue()
    monkeypatch.setattr(panel, "_analysed", lambda matrix: analysed.put(matrix.values[0, 0]) or empty(matrix))
    grid = lg.LayerGrid(np.zeros((2, 2)))
    grid._repr_mimebundle_()
    for number in range(20):
        clock.advance(panel.QUIET_S / 2)
        grid.update(np.full((2, 2), float(number)))
    assert analysed.empty()
    clock.advance(panel.QUIET_S)
    assert analysed.get(timeout=WAIT_S) == 19.0
    assert analysed.empty()


@pytest.mark.parametrize(
    "change",
    [
        lambda grid: setattr(grid, "vmax", 2.0),
        lambda grid: setattr(grid, "selection", [(0, "0")]),
        lambda grid: grid.set_state({"center": 0.1}),
    ],
    ids=["limit", "selection", "limit in the page"],
)
def test_a_change_of_a_grid_puts_its_analysis_off(clock, change):
    grid = lg.LayerGrid(np.eye(2))
    grid._repr_mimebundle_()
    clock.advance(panel.QUIET_S / 2)
    assert grid._panel.rest_s() == panel.QUIET_S / 2
    change(grid)
    assert grid._panel.rest_s() == panel.QUIET_S
    grid.close()
    clock.advance(panel.QUIET_S)  # lets the thread that waits for the rest end


def test_a_request_is_answered_on_another_thread_than_it_came_on(replies, monkeypatch):
    threads = []
    monkeypatch.setattr(panel, "_analysed", lambda matrix: threads.append(threading.current_thread()) or empty(matrix))
    ask(lg.LayerGrid(FIGURE), kind="findings", id=7)
    replies.get(timeout=WAIT_S)
    assert threads
    assert threads[0] is not threading.current_thread()


def test_insights_of_a_grid_are_those_of_its_data_and_fill_the_panel():
    grid = lg.LayerGrid(FIGURE)
    assert [f.statement for f in grid.insights] == [f.statement for f in lg.insights(FIGURE)]
    assert shown(grid)["status"] == "ready"
    assert grid.insights is grid.insights


def test_update_keeps_the_former_findings_as_such_until_the_new_ones_are_asked_for():
    grid = lg.LayerGrid(FIGURE)
    before = statements(grid) if grid.insights else []
    grid.update(FIGURE.to_numpy()[::-1])
    assert shown(grid)["status"] == "waiting"
    assert statements(grid) == before
    assert any(finding.direction == "falling" for finding in grid.insights)
    assert statements(grid) != before


def test_findings_of_values_that_were_replaced_meanwhile_are_not_shown(replies, monkeypatch):
    started, go_on = threading.Event(), threading.Event()

    def slow(matrix):
        started.set()
        assert go_on.wait(WAIT_S)
        return empty(matrix)

    monkeypatch.setattr(panel, "_analysed", slow)
    grid = lg.LayerGrid(FIGURE)
    ask(grid, kind="findings", id=1)
    assert started.wait(WAIT_S)
    grid.update(FIGURE.to_numpy() + 1)
    go_on.set()
    replies.get(timeout=WAIT_S)
    assert shown(grid) is None


def test_a_large_grid_is_analysed_on_request_only(replies, monkeypatch):
    monkeypatch.setattr(panel, "MOST_CELLS", 10)
    grid = lg.LayerGrid(FIGURE)
    assert grid._findings == {"large": True, "pages": {}}
    ask(grid, kind="findings", id=1)
    replies.get(timeout=WAIT_S)
    assert shown(grid)["status"] == "ready"


def test_without_insights_the_panel_is_off_and_requests_are_refused(replies):
    grid = lg.LayerGrid(FIGURE, insights=False)
    ask(grid, kind="findings", id=3)
    assert replies.get(timeout=WAIT_S)["kind"] == "error"
    assert len(grid.insights) > 0
    grid.update(FIGURE + 1)
    assert grid._findings == {}


def test_a_saved_page_holds_the_findings_though_nobody_asked(tmp_path):
    grid = lg.LayerGrid(FIGURE)
    page = grid.save(tmp_path / "grid.html").read_text()
    assert '"status":"ready"' in page
    assert json.dumps(statements(grid)[1])[1:-1].replace("<", "\\u003c") in page


# Pages.


def paged():
    """Two steps: attn.q rises in the first one and falls in the second."""
    rising = np.linspace(0, 1, 28)[:, None] + np.random.default_rng(0).normal(scale=0.05, size=(28, 3))
    return xr.DataArray(
        np.stack([rising, -rising]),
        dims=("step", "layer", "component"),
        coords={"step": [10, 20], "component": ["attn.q", "attn.k", "mlp.up"]},
    )


def test_findings_are_those_of_the_shown_page_and_stay_with_it():
    grid = lg.LayerGrid(paged())
    assert {finding.direction for finding in grid.insights if finding.kind == "trend"} == {"rising"}
    grid.position = {"step": 20}
    assert shown(grid, 1) is None
    assert {finding.direction for finding in grid.insights if finding.kind == "trend"} == {"falling"}
    assert {shown(grid, page)["status"] for page in (0, 1)} == {"ready"}
    assert shown(grid, 0) != shown(grid, 1)


def test_a_request_is_answered_for_the_page_that_was_turned_to(replies):
    grid = lg.LayerGrid(paged())
    grid.set_state({"position": {"step": 20}})
    ask(grid, kind="findings", id=1)
    replies.get(timeout=WAIT_S)
    assert shown(grid, 0) is None
    assert any("falls" in finding["statement"] for finding in shown(grid, 1)["findings"])


def test_new_values_make_the_findings_of_all_pages_old():
    grid = lg.LayerGrid(paged())
    for step in (20, 10):
        grid.position = {"step": step}
        assert len(grid.insights) > 0
    grid.update(paged() + 1)
    assert shown(grid, 0)["status"] == "waiting"
    assert shown(grid, 1) is None


def test_the_state_holds_the_last_pages_only(monkeypatch):
    monkeypatch.setattr(panel, "MOST_PAGES", 1)
    grid = lg.LayerGrid(paged())
    for step in (10, 20):
        grid.position = {"step": step}
        assert len(grid.insights) > 0
    assert list(grid._findings["pages"]) == ["1"]


# What cannot be done.


def test_without_scipy_the_panel_says_how_to_get_it(replies, monkeypatch, tmp_path):
    monkeypatch.setattr(panel, "_analysed", _analysed_without("scipy.special"))
    grid = lg.LayerGrid(FIGURE)
    ask(grid, kind="findings", id=3)
    assert replies.get(timeout=WAIT_S) == {"id": 3, "kind": "findings"}
    assert shown(grid) == {"status": "failed", "message": panel.NEEDS_SCIPY}
    with pytest.raises(ImportError, match=r"pip install layergrid\[findings\]"):
        _ = grid.insights
    assert grid.save(tmp_path / "grid.html").exists()


def _analysed_without(module):
    real = panel._analysed

    def analysed(matrix):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            return real(matrix)

    return analysed


def test_another_missing_module_is_named(replies):
    error = ModuleNotFoundError("No module named 'pandas'", name="pandas")
    assert panel._what_is_missing(error) == "No module named 'pandas'"


def test_an_analysis_that_fails_says_so_and_the_request_is_answered(replies, monkeypatch, caplog):
    def broken(matrix):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(panel, "_analysed", broken)
    grid = lg.LayerGrid(FIGURE)
    with caplog.at_level(logging.ERROR, logger="layergrid"):
        ask(grid, kind="findings", id=3)
        assert replies.get(timeout=WAIT_S) == {"id": 3, "kind": "findings"}
    assert shown(grid) == {"status": "failed", "message": "ZeroDivisionError: of all things"}
    assert "could not be computed" in caplog.text


def test_a_page_that_asks_without_end_is_refused(replies, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(panel, "_analysed", lambda matrix: (go_on.wait(WAIT_S), empty(matrix))[1])
    grid = lg.LayerGrid(FIGURE)
    for number in range(panel.MOST_UNANSWERED + 1):
        ask(grid, kind="findings", id=number)
    assert replies.get(timeout=WAIT_S) == {
        "id": panel.MOST_UNANSWERED,
        "kind": "error",
        "message": f"{panel.MOST_UNANSWERED} requests are waiting already",
    }
    go_on.set()
    answered = {replies.get(timeout=WAIT_S)["id"] for _ in range(panel.MOST_UNANSWERED)}
    assert answered == set(range(panel.MOST_UNANSWERED))


# Claims.


def test_a_claim_gets_its_verdict_words_and_cells(replies):
    grid = lg.LayerGrid(FIGURE)
    ask(grid, kind="claim", id=8, claim="attn.q and mlp.gate are inverse")
    reply = replies.get(timeout=WAIT_S)
    assert (reply["id"], reply["kind"], reply["verdict"]) == (8, "claim", "refuted")
    assert reply["statement"] == lg.check(FIGURE, "attn.q and mlp.gate are inverse").statement
    assert reply["boxes"] == [0, 27, 0, 0, 0, 27, 6, 6]


def test_a_claim_without_scipy_says_how_to_get_it(replies, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    ask(lg.LayerGrid(FIGURE), kind="claim", id=8, claim="attn.q rises")
    assert replies.get(timeout=WAIT_S) == {"id": 8, "kind": "error", "message": panel.NEEDS_SCIPY}


def test_a_claim_that_breaks_the_checker_gets_an_error(replies, monkeypatch, caplog):
    def broken(data, claim):
        raise RuntimeError("no idea")

    monkeypatch.setattr("layergrid.findings.check", broken)
    with caplog.at_level(logging.ERROR, logger="layergrid"):
        ask(lg.LayerGrid(FIGURE), kind="claim", id=8, claim="attn.q rises")
        assert replies.get(timeout=WAIT_S) == {"id": 8, "kind": "error", "message": "RuntimeError: no idea"}


# What travels.


@pytest.mark.parametrize("kind", ["click", "page", "findings", "claim"])
def test_every_recorded_message_of_the_page_is_read(kind):
    content = RECORDED["click" if kind == "click" else f"{kind} request"]
    read = messages.read_request(content, (2, 3), 2)
    assert {name: value for name, value in content.items() if name != "kind"} == vars(read)


def test_replies_are_written_as_recorded():
    recorded = RECORDED["claim reply"]
    request = messages.ClaimRequest(9, "q and gate are inverse")
    written = messages.claim_reply(request, recorded["verdict"], recorded["statement"], recorded["boxes"])
    assert written == recorded
    assert messages.findings_reply(messages.FindingsRequest(8)) == RECORDED["findings reply"]
    assert messages.error_reply(7, "OSError: disk on fire") == RECORDED["error reply"]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "findings"},
        {"kind": "findings", "id": True},
        {"kind": "findings", "id": -1},
        {"kind": "findings", "id": 2**53},
        {"kind": "claim", "id": "8", "claim": "q rises"},
    ],
)
def test_a_request_without_a_proper_id_is_refused_with_one_line_and_no_reply(content, replies, caplog):
    with caplog.at_level(logging.WARNING, logger="layergrid"):
        ask(lg.LayerGrid(FIGURE), **content)
    assert len(caplog.records) == 1
    assert replies.empty()


@pytest.mark.parametrize("claim", [None, 3, "", "x" * 1_000_000, ["q rises"]])
def test_a_claim_that_is_no_sentence_is_refused_with_one_line_and_an_error(claim, replies, caplog):
    with caplog.at_level(logging.WARNING, logger="layergrid"):
        ask(lg.LayerGrid(FIGURE), kind="claim", id=8, claim=claim)
    assert len(caplog.records) == 1
    assert len(caplog.text) < 500
    reply = replies.get_nowait()
    assert (reply["id"], reply["kind"]) == (8, "error")
    assert len(reply["message"]) < 200


cells = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 4)))


@settings(deadline=None)
@given(cells)
def test_boxes_hold_just_the_cells(chosen):
    matrix = Matrix(np.zeros((6, 5)), tuple("abcdef"), tuple("vwxyz"))
    labelled = [(matrix.layers[row], matrix.components[column]) for row, column in sorted(chosen)]
    edges = panel.boxes(labelled, matrix)
    held = [
        (row, column)
        for at in range(0, len(edges), 4)
        for row in range(edges[at], edges[at + 1] + 1)
        for column in range(edges[at + 2], edges[at + 3] + 1)
    ]
    assert len(held) == len(set(held))
    assert set(held) == chosen


def test_neighbouring_columns_with_the_same_rows_share_a_box():
    matrix = Matrix(np.zeros((28, 7)), tuple(range(28)), tuple("abcdefg"))
    everything = [(layer, component) for layer in matrix.layers for component in matrix.components]
    assert panel.boxes(everything, matrix) == [0, 27, 0, 6]


def test_the_state_lists_the_strongest_and_counts_the_rest(monkeypatch):
    monkeypatch.setattr(panel, "MOST_LISTED", 3)
    found = lg.insights(FIGURE)
    packed = panel.pack(found)
    assert [one["statement"] for one in packed["findings"]] == [one.statement for one in found[:3]]
    assert packed["more"] == len(found) - 3


def test_endless_and_broken_labels_travel_as_short_proper_text():
    values = np.column_stack([np.random.default_rng(0).normal(size=28), np.full(28, np.nan)])
    matrix = Matrix(values, tuple(range(28)), ("x" * 10_000, "lone \ud800 surrogate"))
    packed = panel.pack(lg.insights(matrix))
    sent = json.dumps(packed, ensure_ascii=False).encode("utf-8")
    assert len(sent) < 10_000
    assert "lone \ufffd surrogate" in sent.decode()


def empty(matrix):
    return lg.Insights((), 0.05, (), matrix)

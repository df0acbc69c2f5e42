"""What the page asks of a whole tensor: told with progress, given up where asked, and never left without a reply."""

import base64
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from layergrid import tensor_grid
from layergrid.page import questions as tensor_questions
from layergrid.page.messages import SpectrumRequest, SummaryRequest, progress_message, read_request, spectrum_reply
from layergrid.page.questions import MOST_AT_ONCE, TensorQuestions
from layergrid.readable import readable
from layergrid.tensors.spectrum import LONGEST_SIDE, TensorSpectrum, singular_values

MESSAGES = json.loads((Path(__file__).parent / "fixtures" / "messages.json").read_text())
MATRIX = np.random.default_rng(3).standard_normal((300, 200)).astype("f4")


class Heard:
    """What was sent, waited for."""

    def __init__(self):
        self.all = []
        self._arrived = threading.Condition()

    def __call__(self, content, buffers):
        with self._arrived:
            self.all.append((content, buffers))
            self._arrived.notify_all()

    def reply(self, number):
        def found():
            return next((one for one in self.all if one[0]["id"] == number and one[0]["kind"] != "progress"), None)

        with self._arrived:
            assert self._arrived.wait_for(found, 30), self.all
            return found()


class Held:
    """A matrix whose reading waits for a word."""

    def __init__(self, matrix):
        self._matrix = readable(matrix)
        self.begun, self.go = threading.Event(), threading.Event()
        self.reads = 0

    def __getattr__(self, name):
        return getattr(self._matrix, name)

    def read(self, rows, columns):
        self.reads += 1
        self.begun.set()
        assert self.go.wait(30)
        return self._matrix.read(rows, columns)


def test_the_recorded_messages_are_read_and_written_as_recorded():
    request = read_request(MESSAGES["spectrum request"], (2, 3), 1)
    assert request == SpectrumRequest(13)
    told = TensorSpectrum(np.array([2.0, 1.0]))
    recorded = MESSAGES["spectrum reply"]
    content, buffers = spectrum_reply(request, told)
    assert content | {"effectiveRank": "nan"} == recorded["content"]
    assert [base64.b64encode(buffer).decode() for buffer in buffers] == recorded["buffers"]
    assert progress_message(13, 0.25) == MESSAGES["progress"]


def test_singular_values_come_with_what_is_said_of_them():
    heard = Heard()
    TensorQuestions(readable(MATRIX), heard).take(SpectrumRequest(4))
    content, buffers = heard.reply(4)
    true = np.linalg.svd(MATRIX.astype("f8"), compute_uv=False)
    np.testing.assert_allclose(np.frombuffer(buffers[0], "<f8"), true, rtol=1e-6)
    assert content["largest"] == pytest.approx(true[0])
    assert content["stableRank"] == pytest.approx((true**2).sum() / true[0] ** 2)
    shares = true / true.sum()
    assert content["effectiveRank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


@pytest.mark.parametrize("values", [[0.0, 0.0], [np.nan, np.nan]])
def test_zeros_and_nan_have_no_rank(values):
    told = TensorSpectrum(np.array(values))
    assert np.isnan(told.stable_rank)
    assert np.isnan(told.effective_rank)


def test_a_matrix_whose_eigenvalues_would_take_hours_is_refused_before_it_is_read():
    huge = np.broadcast_to(np.float32(1), (LONGEST_SIDE + 1, LONGEST_SIDE + 2))
    with pytest.raises(ValueError, match=r"16385 x 16386 entries would take hours.*at most 16384"):
        singular_values(readable(huge))


def test_progress_is_told_while_it_is_read_and_rises(monkeypatch):
    monkeypatch.setattr(tensor_questions, "_REPORT_S", -1.0)
    heard = Heard()
    questions = TensorQuestions(readable(np.tile(MATRIX, (40, 1))), heard)
    for request in (SummaryRequest(1), SpectrumRequest(2)):
        questions.take(request)
        assert heard.reply(request.id)[0]["kind"] in ("summary", "spectrum")
        shares = [
            content["share"]
            for content, _ in heard.all
            if content == progress_message(request.id, content.get("share"))
        ]
        assert len(shares) > 2
        assert shares == sorted(shares)
        assert 0 <= shares[0] < shares[-1] <= 1


@pytest.mark.parametrize("request_", [SummaryRequest(5), SpectrumRequest(5)])
@pytest.mark.parametrize("way", ["cancel", "close"])
def test_given_up_it_is_answered_so_and_reads_no_further(request_, way):
    heard, matrix = Heard(), Held(MATRIX)
    questions = TensorQuestions(matrix, heard)
    questions.take(request_)
    assert matrix.begun.wait(30)
    if way == "cancel":
        questions.cancel(5)
    else:
        questions.close()
    matrix.go.set()
    content, _ = heard.reply(5)
    assert content["kind"] == "error"
    assert "no longer wanted" in content["message"]


def test_questions_beyond_the_most_at_once_and_repeated_ones_are_refused():
    heard, matrix = Heard(), Held(MATRIX)
    questions = TensorQuestions(matrix, heard)
    for number in range(MOST_AT_ONCE):
        questions.take(SpectrumRequest(number))
    questions.take(SpectrumRequest(0))
    questions.take(SpectrumRequest(99))
    assert [content["message"] for content, _ in heard.all] == [
        "that request is being answered",
        "4 questions are being answered already",
    ]
    questions.cancel(12345)  # of nobody
    matrix.go.set()
    assert heard.reply(MOST_AT_ONCE - 1)[0]["kind"] == "spectrum"


def test_who_asks_what_is_being_computed_waits_for_the_same_answer():
    heard, matrix = Heard(), Held(MATRIX)
    questions = TensorQuestions(matrix, heard)
    questions.take(SpectrumRequest(1))
    assert matrix.begun.wait(30)
    questions.take(SpectrumRequest(2))
    questions.take(SpectrumRequest(3))
    questions.cancel(1)
    assert "stopped" in heard.reply(1)[0]["message"]  # at once, though others still wait
    matrix.go.set()
    assert heard.reply(2)[1] == heard.reply(3)[1]
    assert heard.reply(3)[0]["kind"] == "spectrum"
    assert len([content for content, _ in heard.all if content["kind"] == "spectrum"]) == 2
    assert matrix.reads == 1


def test_once_all_have_given_up_a_question_is_begun_anew():
    heard, matrix = Heard(), Held(MATRIX)
    questions = TensorQuestions(matrix, heard)
    questions.take(SpectrumRequest(1))
    assert matrix.begun.wait(30)
    questions.cancel(1)
    questions.take(SpectrumRequest(2))
    matrix.go.set()
    assert heard.reply(2)[0]["kind"] == "spectrum"
    assert [content["kind"] for content, _ in heard.all if content["id"] == 1] == ["error"]


def test_what_reading_raises_is_said():
    class Broken:
        shape, dtype = (3, 4), np.dtype("f4")

        def __getitem__(self, _part):
            raise OSError("disk on fire")

    heard = Heard()
    TensorQuestions(readable(Broken()), heard).take(SpectrumRequest(6))
    assert heard.reply(6)[0]["message"] == "OSError: disk on fire"


def test_a_grid_of_a_tensor_hands_questions_and_cancels_on():
    heard, matrix = Heard(), Held(MATRIX)
    matrix.go.set()
    grid = tensor_grid(MATRIX)
    grid._questions._matrix = matrix
    grid.send = heard
    grid._receive(grid, {"kind": "spectrum", "id": 1}, [])
    assert heard.reply(1)[0]["kind"] == "spectrum"
    matrix.go.clear()
    matrix.begun.clear()
    grid._receive(grid, {"kind": "summary", "id": 2}, [])
    assert matrix.begun.wait(30)
    grid._receive(grid, {"kind": "cancel", "id": 2}, [])
    matrix.go.set()
    assert "no longer wanted" in heard.reply(2)[0]["message"]

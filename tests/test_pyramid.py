"""Pyramids: every window is what its cells give, whatever it is made of, at any time, from any thread."""

from __future__ import annotations

import gc
import logging
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import dask.array
import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
import zarr
from hypothesis import given, settings

from layergrid import readable
from layergrid.large import levels, pyramid
from layergrid.large.kept_levels import KeptLevels
from layergrid.large.levels import Level, plan_levels
from layergrid.large.pyramid import MOST_BYTES, Closed, Pyramid
from layergrid.large.sharing import side_by_side
from layergrid.large.windows import AGGREGATES, Window, reduce_cells
from layergrid.readable import Stopped
from layergrid.tensor import Tensor, as_tensor


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Everything that depends on size happens with small matrices."""
    monkeypatch.setattr(levels, "OVERVIEW", 16)
    monkeypatch.setattr(levels, "_COARSEST", 8)
    monkeypatch.setattr(levels, "_LONG", 300)
    monkeypatch.setattr(levels, "_FINEST_LONG", 8)
    monkeypatch.setattr(levels, "_SKEWED", 4)
    for module in (readable, pyramid):
        monkeypatch.setattr(module, "PIECE", 256)


def matrix(rows, columns, special=0):
    chance = np.random.default_rng(rows * 1000 + columns)
    cells = chance.standard_normal((rows, columns)).astype(np.float32)
    places = chance.integers(0, cells.size, special)
    cells.reshape(-1)[places] = chance.choice([np.nan, np.inf, -np.inf], special)
    return cells


def direct(cells, window, aggregate, center=0.0, absent=None):
    cells = np.ascontiguousarray(cells)
    blocks = reduce_cells(cells, "F32", window.row_factor, window.column_factor, absent=absent)
    return blocks[window.blocks(cells.shape)].aggregate(aggregate, center)


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, equal_nan=True)


class Held:
    """A matrix that gives no rows until it is let go."""

    def __init__(self, cells):
        self.cells, self.shape, self.dtype = cells, cells.shape, cells.dtype
        self.free = threading.Event()
        self.asked = 0

    def __getitem__(self, part):
        self.asked += 1
        if not self.free.wait(60):
            raise TimeoutError("nobody let it go")
        return self.cells[part]


SHAPES = [(1, 1), (1, 997), (997, 1), (61, 37), (128, 64), (700, 12), (13, 900)]


@st.composite
def windows(draw, shape):
    top, left = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
    bottom, right = draw(st.integers(top, shape[0] + 3)), draw(st.integers(left, shape[1] + 3))
    factors = st.sampled_from([1, 2, 4, 8, 32, 128])
    return Window(top, bottom, left, right, draw(factors), draw(factors))


@settings(deadline=None, max_examples=25)
@given(st.data(), st.sampled_from(SHAPES), st.sampled_from([0, 7]), st.booleans())
def test_every_window_of_every_level_is_what_its_cells_give(data, shape, special, hidden):
    cells = matrix(*shape, special)
    absent = (np.arange(cells.size).reshape(shape) % 3 == 0) if hidden else None
    cells = cells if absent is None else np.where(absent, np.float32(np.nan), cells)
    with Pyramid(cells, absent=absent) as made:
        made.wait()
        for aggregate in AGGREGATES:
            window = data.draw(windows(shape))
            found = made.window(window, aggregate, 0.1)
            assert_same(found.values, direct(cells, window, aggregate, 0.1, absent))
            if absent is not None:
                blocks = reduce_cells(cells, "F32", window.row_factor, window.column_factor, absent=absent)
                assert np.array_equal(found.absent, blocks.absent[window.blocks(shape)])


def test_windows_are_right_before_the_levels_are_there():
    cells = matrix(200, 90, 5)
    with Pyramid(cells) as made:
        window = Window(3, 150, 10, 80, 8, 4)
        assert_same(made.window(window, "extreme").values, direct(cells, window, "extreme"))
        assert not made.ready


def test_a_window_of_many_cells_waits_for_the_levels(monkeypatch):
    monkeypatch.setattr(pyramid, "_MOST_READ", 1000)
    held = Held(matrix(100, 80))
    held.free.set()
    with Pyramid(held) as made:
        window = Window(0, 100, 0, 80, 8, 8)
        assert_same(made.window(window).values, direct(held.cells, window, "mean"))
        assert made.ready


@pytest.mark.parametrize(
    "wrap",
    [
        np.asfortranarray,
        lambda cells: cells.astype(">f4"),
        lambda cells: cells[::2, ::3],
        lambda cells: zarr.create_array({}, data=cells, chunks=(50, 30)),
        lambda cells: dask.array.from_array(cells, chunks=(50, 30)),
        lambda cells: as_tensor(cells, "w"),
        lambda cells: cells.astype(ml_dtypes.bfloat16),
        lambda cells: cells.astype(ml_dtypes.float8_e4m3fn),
        lambda cells: as_tensor(cells.astype(ml_dtypes.bfloat16), "w"),
        lambda cells: cells.astype(np.float16),
        lambda cells: (100 * cells).astype(np.int8),
    ],
)
def test_whatever_holds_the_numbers_gives_the_same_windows(wrap):
    source = wrap(matrix(203, 151))
    array = np.asarray(source.read(0, source.size)).reshape(source.shape) if isinstance(source, Tensor) else source
    if isinstance(source, Tensor) and source.dtype == "BF16":
        array = array.view(ml_dtypes.bfloat16)
    cells = np.asarray(array[:, :]).astype(np.float32)
    with Pyramid(source) as made:
        assert made.shape == cells.shape
        for ready in (False, True):
            if ready:
                made.wait()
            for window in (Window(7, 180, 3, 140, 8, 4), Window(20, 30, 70, 75), Window(0, 999, 0, 999, 64, 64)):
                assert_same(made.window(window).values, direct(cells, window, "mean"))


def test_float64_and_wide_integers_keep_their_range():
    cells = np.full((40, 40), 1e300)
    with Pyramid(cells) as made:
        assert made.wait()
        assert made.window(Window(0, 40, 0, 40, 8, 8)).values.tolist() == np.full((5, 5), 1e300).tolist()


def test_a_tensor_stored_by_inputs_is_shown_by_outputs():
    stored = matrix(64, 200)
    with Pyramid(readable.readable(as_tensor(stored, "w"), transposed=True)) as made:
        made.wait()
        assert made.shape == (200, 64)
        window = Window(5, 190, 4, 60, 8, 4)
        found = made.window(window, "max")
        assert_same(found.values, direct(stored.T, window, "max"))
        assert found.window == window
        assert made.overview().values.shape == (13, 16)


def test_a_tensor_of_one_axis_is_a_row_and_one_of_three_has_the_rows_of_its_first():
    assert Pyramid(as_tensor(np.zeros(7), "w")).shape == (1, 7)
    assert Pyramid(as_tensor(np.zeros((3, 2, 5)), "w")).shape == (3, 10)


def test_parts_of_wide_rows_are_read_without_the_rest(monkeypatch):
    monkeypatch.setattr(readable, "_GAP_BYTES", 100)
    cells, read = matrix(50, 90), []

    def reads(start, stop):
        read.append(stop - start)
        return cells.reshape(-1)[start:stop]

    with Pyramid(Tensor("w", cells.shape, "F32", reads)) as made:
        read.clear()
        assert_same(made.window(Window(10, 20, 30, 40)).values, cells[10:20, 30:40])
        assert sum(read) == 100


class Chunked:
    """A matrix kept in chunks, as Zarr and dask keep theirs, that counts how often each is read."""

    def __init__(self, cells, chunks):
        self.cells, self.shape, self.dtype, self.chunks = cells, cells.shape, cells.dtype, chunks
        self.reads = np.zeros(-(-cells.shape[0] // 32), int)

    def __getitem__(self, part):
        self.reads[part[0].start // 32 : -(-part[0].stop // 32)] += 1
        return self.cells[part]


@pytest.mark.parametrize("chunks", [(32, 50), ((32, 32, 32, 32), (50, 50))])
def test_chunks_are_read_once_or_twice(chunks):
    source = Chunked(matrix(128, 100), chunks)
    with Pyramid(source) as made:
        source.reads[:] = 0
        made.wait()
        assert source.reads.max() <= 2
        assert_same(
            made.window(Window(0, 128, 0, 100, 8, 8)).values, direct(source.cells, Window(0, 128, 0, 100, 8, 8), "mean")
        )


def test_the_overview_shows_what_has_been_read_and_says_so():
    held = Held(matrix(64, 32))
    held.free.set()
    seen = []
    made = Pyramid(held, threads=1)
    before = made.overview()
    assert not before.read.any()
    assert np.isnan(before.values).all()

    def progress(rows, of):
        part = made.overview()
        seen.append((rows, of))
        whole = direct(held.cells, part.window, "mean")
        assert_same(part.values[part.read], whole[part.read])
        assert np.isnan(part.values[~part.read]).all()
        assert part.read.sum() * part.window.row_factor == rows

    made.start(progress)
    made.wait()
    assert seen[-1] == (64, 64)
    assert len(seen) > 2
    assert made.overview().read.all()
    made.close()


def test_what_a_progress_callback_raises_is_what_the_waiting_get():
    def refuse(rows, of):
        raise KeyError("not here")

    with Pyramid(matrix(64, 32)) as made:
        made.start(refuse)
        with pytest.raises(KeyError, match="not here"):
            made.wait()
        with pytest.raises(KeyError, match="not here"):
            made.window(Window(0, 1, 0, 1))
        assert not made.ready


def test_an_error_while_reading_reaches_whoever_waits():
    held = Held(matrix(64, 32))
    held.__class__ = type("Broken", (Held,), {"__getitem__": lambda self, part: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        Pyramid(held).wait()


def test_closing_stops_the_reading_and_answers_the_waiting():
    held = Held(matrix(300, 60))
    held.free.set()
    made = Pyramid(held)
    held.free.clear()
    asked = held.asked
    made.start()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(made.wait)
        closing = pool.submit(made.close)
        held.free.set()
        closing.result(60)
        with pytest.raises(Closed, match="the pyramid is closed"):
            waiting.result(60)
    assert held.asked <= asked + 4  # what each thread had begun
    for ask in (made.overview, made.wait, lambda: made.window(Window(0, 1, 0, 1))):
        with pytest.raises(Closed):
            ask()
    made.close()


def test_closing_gives_back_the_levels_and_the_source():
    cells = matrix(300, 60).view(type("Array", (np.ndarray,), {}))
    made = Pyramid(cells)
    made.wait()
    kept = made.window(Window(0, 300, 0, 60, 4, 4)), made.overview()
    memory = made._build.levels.buffer
    watched = weakref.ref(cells)
    made.close()
    gc.collect()
    memory.close()  # refused while any array lies in it
    del made, cells
    gc.collect()
    assert watched() is None
    assert kept[0].values.shape == (75, 15)


def test_a_pyramid_that_nobody_holds_stops_reading():
    held = Held(matrix(300, 60))
    held.free.set()
    made = Pyramid(held)
    held.free.clear()
    made.start()
    threads = made._build._threads
    threading.Timer(0.05, held.free.set).start()
    del made
    gc.collect()
    assert not any(thread.is_alive() for thread in threads)


def test_a_window_can_be_given_up(monkeypatch):
    monkeypatch.setattr(pyramid, "_MOST_READ", 1000)
    stop = threading.Event()
    stop.set()
    held = Held(matrix(100, 80))
    held.free.set()
    with Pyramid(held) as made:
        with pytest.raises(Stopped, match="no longer wanted"):
            made.window(Window(0, 100, 0, 80), stop=stop)
        held.free.clear()
        with pytest.raises(Stopped, match="no longer wanted"):
            made.window(Window(0, 100, 0, 80, 8, 8), stop=stop)
        held.free.set()


def test_many_threads_get_right_windows_while_the_levels_are_made():
    cells = matrix(500, 120, 9)
    wanted = [Window(3 * n, 3 * n + 150, n, n + 70, 2 ** (n % 5), 2 ** (n % 4)) for n in range(40)]
    with Pyramid(cells) as made, ThreadPoolExecutor(8) as pool:
        made.start()
        for window, found in zip(wanted, pool.map(made.window, wanted), strict=True):
            assert_same(found.values, direct(cells, window, "mean"))


def test_levels_take_at_most_a_third_of_the_matrix_and_no_more_than_is_allowed():
    for cells in ((4096, 14336), (152_064, 8192), (100_000, 300), (7, 5_000_000)):
        for budget in (cells[0] * cells[1] * 4 // 3, 20 << 20):
            with pytest.MonkeyPatch.context() as patch:
                for name, value in (("OVERVIEW", 1024), ("_COARSEST", 512), ("_LONG", 1 << 15), ("_FINEST_LONG", 64)):
                    patch.setattr(levels, name, value)
                plan = plan_levels(cells, 12, budget)
            assert levels.levels_bytes(cells, list(plan.sources), np.float32, False) <= budget + 64 * 40
            for level, source in plan.sources.items():
                assert source is None or source.divides(level)


def test_a_tall_matrix_has_levels_in_its_own_proportions():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "OVERVIEW", 1024)
        patch.setattr(levels, "_COARSEST", 512)
        plan = plan_levels((152_064, 8192), 12, MOST_BYTES)
        assert plan.overview == Level(256, 8)
        assert {Level(64, 2), Level(8, 8), Level(128, 1)} <= set(plan.from_cells)
        assert plan_levels((8192, 152_064), 12, MOST_BYTES).overview == Level(8, 256)
        assert Level(8, 16) not in plan_levels((4096, 14336), 12, MOST_BYTES).sources


def test_work_is_shared_and_the_first_error_ends_it():
    done = []
    side_by_side(done.append, range(100), threads=4)
    assert sorted(done) == list(range(100))
    side_by_side(done.append, [])
    tried = []

    def refuse(item):
        tried.append(item)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        side_by_side(refuse, range(100))
    assert len(tried) <= 2


def test_the_finest_level_is_4_by_4_where_there_is_room():
    with Pyramid(matrix(120, 90)) as made:
        assert made._plan.from_cells == [Level(4, 4)]
        assert made.size_bytes < 120 * 90 * 4 / 3
    assert Level(4, 4) not in Pyramid(matrix(120, 90), budget_bytes=5000)._plan.sources


@pytest.fixture
def mapped(tmp_path):
    path = tmp_path / "matrix.bin"
    matrix(200, 100).tofile(path)

    def open_again():
        return np.memmap(path, np.float32, "r", shape=(200, 100))

    return open_again


def test_levels_kept_on_disk_are_there_at_once_the_next_time(tmp_path, mapped):
    kept = KeptLevels(tmp_path)
    window = Window(0, 200, 0, 100, 4, 8)
    with Pyramid(mapped(), cache=kept) as first:
        assert not first.ready
        first.wait()
        expected = first.window(window, "min").values
    assert kept.size_bytes == first.size_bytes
    with Pyramid(mapped(), cache=kept) as again:
        assert again.ready
        assert again.overview().read.all()
        assert np.array_equal(again.window(window, "min").values, expected)
        kept.clear()
        assert np.array_equal(again.window(window, "min").values, expected)
    assert kept.size_bytes == 0


def test_levels_of_a_changed_file_or_another_part_of_it_are_made_anew(tmp_path, mapped):
    kept = KeptLevels(tmp_path)
    with Pyramid(mapped(), cache=kept) as made:
        made.wait()
    assert not Pyramid(mapped()[1:], cache=kept).ready
    assert Pyramid(mapped(), cache=kept).ready
    (tmp_path / "matrix.bin").write_bytes(matrix(200, 100)[::-1].tobytes() + b"more")
    assert not Pyramid(mapped(), cache=kept).ready


def test_levels_of_what_is_in_memory_are_never_kept(tmp_path):
    kept = KeptLevels(tmp_path)
    with Pyramid(matrix(200, 100), cache=kept) as made:
        made.wait()
    assert kept.size_bytes == 0


def test_the_least_recently_used_levels_make_room(tmp_path):
    kept = KeptLevels(tmp_path, limit_bytes=250)
    for key in "ab":
        kept.keep(key, bytes(100))
    for path in kept.folder.iterdir():
        os.utime(path, (1, 1))
    assert len(kept.find("a", 100)) == 100
    kept.keep("c", bytes(100))
    assert [kept.find(key, 100) is not None for key in "abc"] == [True, False, True]
    kept.keep("huge", bytes(300))
    assert kept.find("huge", 300) is None
    assert kept.size_bytes == 200


def test_kept_levels_of_the_wrong_size_are_not_used(tmp_path):
    kept = KeptLevels(tmp_path)
    kept.keep("a", bytes(100))
    assert kept.find("a", 101) is None


def test_a_full_disk_is_logged_and_takes_no_picture(tmp_path, mapped, monkeypatch, caplog):
    def full(_self, _key, _levels):
        raise OSError("no space left on device")

    monkeypatch.setattr(KeptLevels, "keep", full)
    with caplog.at_level(logging.WARNING), Pyramid(mapped(), cache=KeptLevels(tmp_path)) as made:
        assert made.wait()
        assert made.window(Window(0, 200, 0, 100, 4, 8)).values.shape == (50, 13)
    assert "could not be kept: no space left on device" in caplog.text


def test_levels_that_cannot_be_written_leave_nothing_behind(tmp_path):
    kept = KeptLevels(tmp_path)
    with pytest.raises(TypeError):
        kept.keep("a", ["no bytes"])
    assert list(kept.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([[1.0]], TypeError, "a list cannot be read in parts"),
        (np.zeros(3), ValueError, r"two axes, got shape \(3,\)"),
        (np.zeros((0, 3)), ValueError, "has no entries"),
        (as_tensor(np.zeros((2, 0)), "w"), ValueError, "'w' of shape .* has no entries"),
        (np.zeros((2, 2), complex), TypeError, "complex128"),
    ],
)
def test_what_is_no_matrix_is_refused_with_its_shape(source, error, message):
    with pytest.raises(error, match=message):
        Pyramid(source)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"absent has shape \(3, 2\), the matrix \(2, 3\)"):
        Pyramid(np.zeros((2, 3)), absent=np.zeros((3, 2), bool))

"""Windows and their blocks: held to the recorded specification, and to themselves."""

from __future__ import annotations

import json
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from layergrid.large.windows import AGGREGATES, Blocks, Window, level_factor, reduce_blocks, reduce_cells

CASES = json.loads((Path(__file__).parent / "fixtures" / "window_cases.json").read_text())
FACTORS = st.sampled_from([1, 2, 4, 8, 16, 64])
ODD = st.sampled_from([math.nan, math.inf, -math.inf, 3.4e38, -3.4e38, 0.0])


def numbers(recorded):
    return np.array([[math.nan if cell is None else float(cell) for cell in row] for row in recorded])


def same(found, expected, tolerance=0.0):
    with np.errstate(over="ignore", invalid="ignore"):
        close = (found == expected) | (np.abs(found - expected) <= tolerance)
    return np.all(close | (np.isnan(found) & np.isnan(expected)))


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_every_recorded_window_is_that_of_the_specification(aggregate):
    for case in CASES:
        cells = numbers(case["cells"]).astype(case["dtype"])
        gone = np.array([[cell is None for cell in row] for row in case["cells"]])
        largest = np.abs(cells[np.isfinite(cells)]).max(initial=0)
        unit, least = (1e-6, 1e-45) if case["dtype"] == "float32" else (1e-14, 0)
        for recorded in case["windows"]:
            window = Window(*recorded["window"], *recorded["factors"])
            rows, columns = window.blocks(cells.shape)
            dtype = "F32" if case["dtype"] == "float32" else "F64"
            blocks = reduce_cells(cells, dtype, *recorded["factors"], absent=gone if gone.any() else None)
            part = blocks[rows, columns]
            tolerance = largest * unit + least if aggregate == "mean" else 0
            assert same(part.aggregate(aggregate, case["center"]), numbers(recorded[aggregate]), tolerance), case
            absent = np.zeros(part.mean.shape, bool) if part.absent is None else part.absent
            assert np.array_equal(absent, [[cell is None for cell in row] for row in recorded[aggregate]])


@st.composite
def matrices(draw):
    """float32 cells, some of them special, and which are absent (or None)."""
    shape = draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    cells = np.random.default_rng(draw(st.integers(0, 99))).standard_normal(shape).astype(np.float32)
    for row, column, value in draw(
        st.lists(st.tuples(st.integers(0, shape[0] - 1), st.integers(0, shape[1] - 1), ODD), max_size=6)
    ):
        cells[row, column] = value
    absent = draw(st.none() | hnp.arrays(bool, shape))
    return (cells if absent is None else np.where(absent, np.float32(np.nan), cells)), absent


def directly(cells, absent, row_factor, column_factor):
    """What blocks must be, one by one."""
    planes = []
    for top in range(0, cells.shape[0], row_factor):
        for left in range(0, cells.shape[1], column_factor):
            part = (slice(top, top + row_factor), slice(left, left + column_factor))
            present = cells[part].astype(np.float64)[~absent[part] if absent is not None else ...]
            special = present[~np.isfinite(present)]
            if special.size or not present.size:
                with np.errstate(invalid="ignore"):
                    planes.append([special.sum() if present.size else math.nan] * 3)
            else:
                planes.append([present.mean(), present.min(), present.max()])
    shape = (-(-cells.shape[0] // row_factor), -(-cells.shape[1] // column_factor))
    return np.array(planes).reshape(*shape, 3).transpose(2, 0, 1)


def assert_blocks(blocks, cells, absent, row_factor, column_factor):
    mean, low, high = directly(cells, absent, row_factor, column_factor)
    magnitude, _, _ = directly(np.abs(np.where(np.isfinite(cells), cells, 0)), absent, row_factor, column_factor)
    assert same(blocks.mean, mean, 1e-6 * np.nan_to_num(magnitude) + 1e-45)
    assert same(blocks.min, low)
    assert same(blocks.max, high)


@settings(deadline=None, max_examples=40)
@given(matrices(), FACTORS, FACTORS)
def test_blocks_are_what_their_cells_give(matrix, row_factor, column_factor):
    cells, absent = matrix
    blocks = reduce_cells(cells, "F32", row_factor, column_factor, absent=absent)
    assert blocks.mean.dtype == np.float32
    assert_blocks(blocks, cells, absent, row_factor, column_factor)


@settings(deadline=None, max_examples=40)
@given(matrices(), FACTORS, FACTORS, FACTORS, FACTORS)
def test_an_aggregate_of_aggregates_is_the_aggregate_of_the_whole(matrix, row_factor, column_factor, taller, wider):
    cells, absent = matrix
    blocks = reduce_cells(cells, "F32", row_factor, column_factor, absent=absent)
    last_row, last_column = (cells.shape[0] - 1) % row_factor + 1, (cells.shape[1] - 1) % column_factor + 1
    coarser = reduce_blocks(blocks, taller, wider, last_row / row_factor, last_column / column_factor)
    assert_blocks(coarser, cells, absent, row_factor * taller, column_factor * wider)
    if absent is not None:
        assert coarser.counts.sum() == np.count_nonzero(~absent)


@settings(deadline=None, max_examples=40)
@given(matrices(), FACTORS, FACTORS)
def test_bfloat16_is_reduced_as_the_numbers_it_stands_for(matrix, row_factor, column_factor):
    codes = (matrix[0].view(np.uint32) >> 16).astype(np.uint16)
    cells = (codes.astype(np.uint32) << 16).view(np.float32)
    assert_blocks(reduce_cells(codes, "BF16", row_factor, column_factor), cells, None, row_factor, column_factor)


@pytest.mark.parametrize(("shape", "factors"), [((700, 300), (4, 2)), ((3, 200_001), (2, 8)), ((200_001, 3), (64, 1))])
def test_matrices_of_many_tiles_are_reduced_whole(shape, factors):
    cells = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    cells[2, 2] = np.nan
    assert_blocks(reduce_cells(cells, "F32", *factors), cells, None, *factors)


def test_the_mean_of_the_largest_numbers_is_finite():
    largest = np.finfo(np.float64).max
    blocks = reduce_cells(np.full((3, 3), largest), "F64", 4, 4)
    assert blocks.mean == largest


def test_the_extreme_is_as_far_as_float64_can_tell():
    blocks = reduce_cells(np.array([[1.0, 3.0]], np.float32), "F32", 1, 2)
    assert blocks.aggregate("extreme", 2.0) == 3.0
    assert blocks.aggregate("extreme", 2.0 + 1e-12) == 1.0


def test_an_unknown_aggregate_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown aggregate 'median'; known: mean, min, max, extreme"):
        Blocks({}).aggregate("median")


def test_a_window_touches_the_blocks_that_its_edges_cut():
    assert Window(3, 9, 4, 5, 4, 4).blocks((10, 10)) == (slice(0, 3), slice(1, 2))
    assert Window(8, 99, 0, 99, 4, 16).blocks((10, 10)) == (slice(2, 3), slice(0, 1))


def test_a_window_outside_touches_none():
    rows, columns = Window(10, 12, 0, 0, 4, 4).blocks((10, 10))
    assert rows.start == rows.stop
    assert columns.start == columns.stop


@pytest.mark.parametrize("edges", [(-1, 2, 0, 1), (2, 1, 0, 1), (0, 1, 3, 2), (0, 1.0, 0, 1), (True, 1, 0, 1)])
def test_a_window_with_impossible_edges_is_refused(edges):
    with pytest.raises(ValueError, match="a window needs 0 <= top <= bottom"):
        Window(*edges)


@pytest.mark.parametrize("factor", [0, 3, -2, 2.0])
def test_a_block_that_is_no_power_of_two_long_is_refused(factor):
    with pytest.raises(ValueError, match=f"a power of two long, got {factor!r}"):
        Window(0, 1, 0, 1, 1, factor)


def test_cells_are_put_together_only_where_there_are_more_than_pixels():
    assert [level_factor(cells, 480) for cells in (0, 480, 481, 961)] == [1, 1, 2, 4]
    assert level_factor(5, 0) == 8

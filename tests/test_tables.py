import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from layergrid.data.convert import as_dataarray, as_matrix

WIDE = {"layer": [3, 5], "attn.q": [1.0, 2.0], "attn.k": [3, 4], "on": [True, False]}
LONG = {
    "value": [1.0, 2.0, 3.5],
    "component": ["q", "k", "q"],
    "layer": [5, 3, 3],
    "parameter": ["h.5.q", "h.3.k", None],
    "shape": ["a", "b", "c"],
}
KINDS = pytest.mark.parametrize(
    "table",
    [pd.DataFrame, lambda d: pd.DataFrame(d).convert_dtypes(), pl.DataFrame, pa.table, dict],
    ids=["pandas", "pandas nullable", "polars", "pyarrow", "dict"],
)
# pandas can make NaN of null; the others, and nullable pandas, tell them apart.
NULLS = pytest.mark.parametrize(
    "table",
    [lambda d: pd.DataFrame(d, dtype="Float64"), pl.DataFrame, pa.table, dict],
    ids=["pandas nullable", "polars", "pyarrow", "dict"],
)


@KINDS
def test_a_wide_table_has_a_column_per_component(table):
    matrix = as_matrix(table(WIDE))
    assert matrix.layers == (3, 5)
    assert matrix.components == ("attn.q", "attn.k", "on")
    assert matrix.absent is None
    np.testing.assert_array_equal(matrix.values, [[1, 3, 1], [2, 4, 0]])


@KINDS
def test_a_long_table_lists_its_cells_in_any_order(table):
    matrix = as_matrix(table(LONG))
    assert matrix.layers == (3, 5)
    assert matrix.components == ("q", "k")
    np.testing.assert_array_equal(matrix.values, [[3.5, 2], [1, np.nan]])
    np.testing.assert_array_equal(matrix.absent, [[False, False], [False, True]])
    assert matrix.parameters.tolist() == [["", "h.3.k"], ["h.5.q", ""]]


@KINDS
def test_the_only_other_column_of_a_long_table_holds_its_numbers_and_names_them(table):
    matrix = as_matrix(table({"layer": [0, 1], "component": ["q", "q"], "rms": [1.5, 2.0]}))
    np.testing.assert_array_equal(matrix.values, [[1.5], [2.0]])
    assert (matrix.components, matrix.name) == (("q",), "rms")


@KINDS
def test_a_long_table_that_may_mean_several_columns_is_refused(table):
    with pytest.raises(ValueError, match=r"needs one of numbers, named 'value' .* got 'rms', 'norm'"):
        as_matrix(table({"layer": [0, 1], "component": ["q", "q"], "rms": [1.5, 2.0], "norm": [3.0, 4.0]}))


@NULLS
def test_null_is_absent(table):
    matrix = as_matrix(table({"q": [1.0, None], "k": [2.0, 3.0]}))
    np.testing.assert_array_equal(matrix.absent, [[False, False], [True, False]])


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_nan_is_a_value(table):
    matrix = as_matrix(table({"q": [1.0, float("nan")]}))
    assert matrix.absent is None
    assert np.isnan(matrix.values[1, 0])


@NULLS
def test_a_null_in_a_long_table_is_absent(table):
    table = table({"value": [1.0, None]})
    if isinstance(table, pd.DataFrame):
        table = table.assign(layer=[0, 0], component=["q", "k"])
    elif isinstance(table, pl.DataFrame):
        table = table.with_columns(layer=pl.Series([0, 0]), component=pl.Series(["q", "k"]))
    elif isinstance(table, pa.Table):
        table = table.append_column("layer", [[0, 0]]).append_column("component", [["q", "k"]])
    else:
        table |= {"layer": [0, 0], "component": ["q", "k"]}
    assert as_matrix(table).absent.tolist() == [[False, True]]


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"a": [True, None]}),
        pa.table({"a": [True, None]}),
        pa.table({"a": pa.array([1, None], pa.float16())}),
        pl.DataFrame({"a": [1.0, None]}).cast(pl.Float16),
        pl.DataFrame({"a": [1.0, None]}).cast(pl.Decimal(10, 2)),
        pd.DataFrame({"a": [True, None]}, dtype="boolean"),
        pd.DataFrame({"a": [1, None]}, dtype="UInt8"),
    ],
    ids=lambda table: f"{type(table).__module__}",
)
def test_any_real_type_may_hold_null(table):
    matrix = as_matrix(table)
    assert matrix.values.dtype == np.float32
    assert matrix.values[0, 0] == 1
    assert matrix.absent.tolist() == [[False], [True]]


def test_decimals_are_numbers():
    assert as_matrix(pl.DataFrame({"a": [0.25]}).cast(pl.Decimal(10, 2))).values.tolist() == [[0.25]]


def test_the_index_labels_the_layers():
    named = pd.DataFrame({"q": [1, 2]}, index=pd.Index(["encoder.0", "encoder.1"], name="layer"))
    assert as_matrix(named).layers == ("encoder.0", "encoder.1")
    filtered = pd.DataFrame({"q": [1, 2, 3]})[1:]
    assert as_matrix(filtered).layers == (1, 2)


def test_a_pivoted_table_may_lie_on_its_side():
    long = pd.DataFrame(LONG)
    upright = as_matrix(long.pivot(index="layer", columns="component", values="value"))
    lying = as_matrix(long.pivot(index="component", columns="layer", values="value"))
    assert lying.layers == upright.layers == (3, 5)
    assert lying.components == upright.components == ("k", "q")
    np.testing.assert_array_equal(lying.values, upright.values)


def test_columns_that_are_numbers_become_names():
    assert as_matrix(pd.DataFrame(np.zeros((1, 2)))).components == ("0", "1")


def test_layers_that_are_names_keep_the_order_they_came_in():
    table = pl.DataFrame({"layer": ["b", "a", "b"], "component": ["q", "q", "k"], "value": [1, 2, 3]})
    matrix = as_matrix(table.with_columns(pl.col("component").cast(pl.Categorical)))
    assert matrix.layers == ("b", "a")
    np.testing.assert_array_equal(matrix.values, [[1, 3], [2, np.nan]])


def test_whole_floats_label_layers():
    table = pd.DataFrame({"layer": [0.0, 1.0], "component": ["q", "q"], "value": [1, 2]})
    assert as_matrix(table).layers == (0, 1)


def test_what_is_absent_and_the_names_survive_the_data_array():
    array = as_dataarray(pl.DataFrame(LONG | {"parameter": ["h.5.q", "h.3.k", "h.3.q"]}))
    assert array["parameter"].sel(layer=5, component="k").item() == ""
    assert as_matrix(array).absent.tolist() == [[False, False], [False, True]]


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (
            pd.DataFrame({"a": [1], "b": ["x"]}),
            TypeError,
            "column 'b' must hold real numbers, got String; cast",
        ),
        (pl.DataFrame({"a": [1], "b": ["x"]}), TypeError, "column 'b' must hold real numbers, got String"),
        (pd.DataFrame({"a": [1j]}), TypeError, "column 'a' must be real numbers, got complex"),
        (
            pd.DataFrame({"a": [object()]}),
            TypeError,
            "column 'a' must be real numbers, got an array of objects",
        ),
        (pd.DataFrame({"a": pd.to_datetime(["2026-01-01"])}), TypeError, "column 'a' .*dates or durations"),
        (pa.table({"a": [[1.0]]}), TypeError, "column 'a' must hold real numbers, got List"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "columns .* differ .*'a', 'a'"),
        (pd.DataFrame({("a", "b"): [1]}), TypeError, r"got \('a', 'b'\) of type tuple"),
        (pd.DataFrame({"a": [1, 2]}, index=[0, 0]), ValueError, r"index \(x.reset_index\(drop=True\)"),
        (pl.LazyFrame({"a": [1]}), TypeError, "polars LazyFrame that is not yet computed; pass x.collect"),
        (pd.Series([1, 2]), TypeError, "pandas Series of 2 values is one column; pass x.to_frame"),
        (pl.Series([1, 2]), TypeError, "polars Series of 2 values"),
        (pa.record_batch({"a": [1]}), TypeError, "pyarrow RecordBatch is not read as a table"),
        (pa.chunked_array([[1, 2]]), ValueError, r"got \(2,\)"),
        (pd.DataFrame(), ValueError, "got 0 rows and 0 columns"),
        (pl.DataFrame({"a": []}), ValueError, "got 0 rows and 1 columns"),
        (pl.DataFrame({"layer": [1, 2]}), ValueError, "got 2 rows and 0 columns"),
        (pl.DataFrame({"layer": [1, 1], "a": [1, 2]}), ValueError, "layers must differ .*: 1"),
        ({"layer": [1], "component": ["a"], "value": []}, ValueError, "same length, got .*'value': 0"),
        ({"layer": [], "component": [], "value": []}, ValueError, "got 0 rows"),
        (
            {"layer": [0, 0], "component": ["a", "a"], "value": [1, 2]},
            ValueError,
            r"\(0, 'a'\); keep one row",
        ),
        (
            {"layer": [0, 0], "component": ["a", "a"], "value": [1, 2], "metric": ["x", "y"]},
            ValueError,
            r"stand more often: \(0, 'a'\); choose one value of 'metric' first",
        ),
        (pl.DataFrame({"layer": [None], "component": ["a"], "value": [1]}), TypeError, "'layer' .*got None"),
        (
            pl.DataFrame({"layer": [0], "component": [None], "value": [1]}),
            TypeError,
            "'component' .*got None",
        ),
        (
            pl.DataFrame({"layer": [0], "component": ["a"], "value": ["1"]}),
            TypeError,
            "column 'value' must hold",
        ),
        ({"a": [1], "b": [1, 2]}, ValueError, "'a' has 1, 'b' has 2; put None"),
        ({"a": "xyz"}, TypeError, "column 'a' must be a list of numbers, got 'xyz'"),
        ({"a": ["x"]}, TypeError, "got 'x' of type str at place 0 of column 'a'"),
        ({"a": {"b": 1}}, TypeError, "column 'a' must be a list of numbers, got {'b': 1} of type dict"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_fix(table, error, message):
    with pytest.raises(error, match=message):
        as_matrix(table)

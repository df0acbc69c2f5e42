import numpy as np
import pytest
import xarray as xr

from layergrid.data.convert import as_dataarray, as_matrix, matrix_to_dataarray
from layergrid.data.matrix import Matrix

GRID = xr.DataArray(
    np.arange(6.0).reshape(2, 3),
    dims=("layer", "component"),
    coords={"layer": [1, 2], "component": ["q", "k", "v"]},
)


def assert_same(one, other):
    assert one.layers == other.layers
    assert [type(label) for label in one.layers] == [type(label) for label in other.layers]
    assert one.components == other.components
    assert one.values.dtype == other.values.dtype
    np.testing.assert_array_equal(one.values, other.values)
    for name in ("absent", "parameters"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            np.testing.assert_array_equal(left, right)
    assert (one.name, one.units, one.source) == (other.name, other.units, other.source)


@pytest.mark.parametrize("names", [None, [["a", ""], ["b", ""]], [["", "x"], ["b", "d"]]])
@pytest.mark.parametrize("absent", [None, [[False, True], [False, False]], [[False, True], [False, True]]])
def test_a_matrix_comes_back_from_its_data_array(names, absent):
    values = np.array([[np.nan, np.nan], [1.5, np.nan]], np.float32)
    parameters = None
    if names is not None:
        parameters = np.array(names, dtype=object)
        if absent is not None:
            parameters[np.array(absent)] = ""
    matrix = Matrix(
        values,
        ("encoder.0", 1),
        ("q", "\ud800"),
        None if absent is None else np.array(absent),
        parameters,
        name="Effective rank",
        units="bit",
        source="somewhere",
    )
    assert_same(as_matrix(matrix_to_dataarray(matrix)), matrix)


def test_labels_that_are_all_whole_numbers_stay_so_and_strings_stay_strings():
    assert as_dataarray([[1]], layers=[3])["layer"].dtype.kind == "i"
    assert as_matrix(as_dataarray([[1], [2]], layers=["3", 3])).layers == ("3", 3)


def test_the_data_array_owns_its_values():
    matrix = as_matrix([[1, 2]])
    array = matrix_to_dataarray(matrix)
    array[0, 0] = 9
    assert matrix.values[0, 0] == 1


def test_absent_is_told_by_the_parameter_alone_where_that_suffices():
    array = GRID.where(GRID != 4).assign_coords(parameter=(("layer", "component"), [["a", "b", "c"], ["d", "", "f"]]))
    assert as_matrix(array).absent.tolist() == [[False] * 3, [False, True, False]]
    assert "absent" not in as_dataarray(array).coords


def test_an_outer_join_adds_absent_cells():
    names = GRID.assign_coords(parameter=(("layer", "component"), np.full((2, 3), "w", dtype=object)))
    wider, _ = xr.align(names, GRID.assign_coords(layer=[2, 3]), join="outer")
    matrix = as_matrix(wider)
    assert matrix.layers == (1, 2, 3)
    assert matrix.absent.tolist() == [[False] * 3, [False] * 3, [True] * 3]
    assert matrix.parameters[2].tolist() == ["", "", ""]


def test_the_parameter_coordinate_may_lie_the_other_way():
    names = np.array([["a", "b", "c"], ["d", "e", "f"]])
    array = GRID.assign_coords(parameter=(("component", "layer"), names.T))
    assert as_matrix(array.T).parameters.tolist() == names.tolist()


def test_further_dims_of_size_one_are_dropped():
    assert as_matrix(GRID.expand_dims(metric=["rms"], step=[3])).components == ("q", "k", "v")
    one_layer = GRID[:1].expand_dims("metric")
    assert as_matrix(one_layer).values.tolist() == [[0, 1, 2]]
    unnamed = xr.DataArray(np.zeros((3, 2, 1)), dims=("component", "a", "b"))
    assert as_matrix(unnamed).values.shape == (2, 3)
    assert as_matrix(xr.DataArray(np.zeros((1, 1, 3)), dims=("layer", "a", "b"))).values.shape == (1, 3)


def test_dims_of_other_names_are_taken_in_their_order():
    assert as_matrix(GRID.rename(layer="depth", component="part")).layers == (1, 2)
    assert as_matrix(xr.DataArray(np.zeros((2, 3)))).components == ("0", "1", "2")
    assert as_matrix(GRID.rename(layer="depth").T).layers == (1, 2)


def test_a_dataset_of_one_variable_is_that_variable():
    assert as_matrix(GRID.to_dataset(name="rms")).name == "rms"


def test_the_long_name_is_preferred_to_the_name():
    array = GRID.rename("rms").assign_attrs(long_name="Root mean square", units=1)
    matrix = as_matrix(array)
    assert (matrix.name, matrix.units) == ("Root mean square", "1")


def test_labels_given_beside_a_data_array_choose_or_rename():
    assert as_matrix(GRID, components=["v", "q"]).values.tolist() == [[2, 0], [5, 3]]
    assert as_matrix(GRID, layers=["a", "b"]).layers == ("a", "b")
    assert as_matrix(GRID.drop_vars("layer"), layers=[1, 2]).layers == (1, 2)
    chosen = as_matrix(GRID, layers=[2])
    assert chosen.values.flags.c_contiguous
    assert not chosen.values.flags.writeable


def test_which_rows_of_a_fused_tensor_a_cell_stands_for_follows_the_chosen_labels():
    fused = GRID.assign_coords(rows=(("layer", "component"), [["0:2", "2:4", "4:6"]] * 2))
    assert as_matrix(fused, components=["v", "q"]).pieces.tolist() == [["4:6", "0:2"]] * 2


@pytest.mark.parametrize(
    ("array", "labels", "error", "message"),
    [
        (GRID, {"layers": [2, 3]}, ValueError, r"layers of its own \(1, 2\), not among them: 3; give some"),
        (GRID, {"components": ["a", "b"]}, ValueError, "components must be 3 labels"),
        (GRID, {"components": ["q", "q"]}, ValueError, "components must differ"),
        (
            xr.concat([GRID, GRID], xr.Variable("metric", ["rms", "std"])),
            {},
            ValueError,
            r"x.sel\(metric='rms'\)",
        ),
        (xr.concat([GRID, GRID], "step"), {}, ValueError, r"step: 2, .*x.isel\(step=0\)"),
        (GRID[0], {}, ValueError, r"got \(component: 3\); add one, as x.expand_dims\(layer=\['value'\]\)"),
        (GRID[:, 0], {}, ValueError, r"expand_dims\(component="),
        (GRID[:0], {}, ValueError, r"one of each or more, got \(layer: 0, component: 3\)"),
        (xr.DataArray(np.zeros((2, 3, 4))), {}, ValueError, "rename two of them, as x.rename"),
        (xr.DataArray(3.0), {}, ValueError, r"got \(\)"),
        (GRID.astype(str), {}, TypeError, "strings"),
        (
            GRID.assign_coords(layer=[0.5, 1]),
            {},
            TypeError,
            "labels of dim 'layer' must be an int or a string",
        ),
        (
            GRID.assign_coords(component=["q", "q", "v"]),
            {},
            ValueError,
            "labels of dim 'component' must differ",
        ),
        (GRID.assign_coords(parameter=("component", [1, 2, 3])), {}, TypeError, "must hold strings, got 1"),
        (xr.Dataset({"rms": GRID, "std": GRID}), {}, ValueError, r"2 variables: 'rms', 'std'; .*ds\['rms'\]"),
        (xr.Dataset(), {}, ValueError, "holds no variable"),
    ],
)
def test_a_data_array_that_is_no_grid_is_refused_with_the_fix(array, labels, error, message):
    with pytest.raises(error, match=message):
        as_matrix(array, **labels)

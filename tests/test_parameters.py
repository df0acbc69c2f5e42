import json

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from layergrid import LayerGrid, scan
from layergrid.data.matrix import Matrix
from layergrid.data.parameters import pack_parameters, unpack_parameters

PARTS = (
    *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
    *("mlp.up_proj", "mlp.gate_proj", "mlp.down_proj"),
)


def matrix_of(names, layers=None, absent=None):
    names = np.array(names, dtype=object)
    rows, columns = names.shape
    return Matrix(
        np.zeros(names.shape, np.float32),
        tuple(layers or range(rows)),
        tuple(map(str, range(columns))),
        absent=absent,
        parameters=names,
    )


def llama(layers=28):
    return matrix_of([[f"model.layers.{layer}.{part}.weight" for part in PARTS] for layer in range(layers)])


def test_the_names_of_a_decoder_are_one_template_per_component():
    packed = pack_parameters(llama())
    assert packed == {
        "templates": [f"model.layers.{{layer}}.{part}.weight" for part in PARTS],
        "exceptions": {},
    }
    assert len(json.dumps(packed)) < 400


def test_no_name_is_packed_as_nothing():
    assert pack_parameters(matrix_of([["", ""]])) == {}
    nameless = Matrix(np.zeros((1, 1), np.float32), (0,), ("a",))
    assert pack_parameters(nameless) == {}
    assert unpack_parameters({}, nameless).tolist() == [[""]]


def test_a_name_that_differs_is_an_exception():
    packed = pack_parameters(matrix_of([["first"], ["h.1.w"], ["h.2.w"], [""]]))
    assert packed == {"templates": ["h.{layer}.w"], "exceptions": {"0,0": "first", "3,0": ""}}


def test_the_number_of_the_layer_is_told_from_other_numbers():
    packed = pack_parameters(matrix_of([[f"s.1.h.{layer}.w1"] for layer in (1, 2)], layers=[1, 2]))
    assert packed == {"templates": ["s.1.h.{layer}.w1"], "exceptions": {}}


def test_a_layer_named_twice_in_one_name_is_replaced_twice():
    packed = pack_parameters(matrix_of([[f"h.{layer}.h{layer}"] for layer in (1, 12)], layers=[1, 12]))
    assert packed == {"templates": ["h.{layer}.h{layer}"], "exceptions": {}}


def test_a_component_without_names_has_no_template():
    packed = pack_parameters(matrix_of([["a", ""], ["a", ""]]))
    assert packed == {"templates": ["a", None], "exceptions": {}}


def test_a_brace_in_a_name_is_kept_as_it_is():
    matrix = matrix_of([["h.{layer}.w"], ["h.1.{layer}"]])
    packed = pack_parameters(matrix)
    assert unpack_parameters(packed, matrix).tolist() == matrix.parameters.tolist()


def test_an_absent_cell_stays_without_a_name():
    absent = np.array([[False], [True], [False]])
    matrix = matrix_of([["h.0.w"], [""], ["h.2.w"]], absent=absent)
    packed = pack_parameters(matrix)
    assert packed == {"templates": ["h.{layer}.w"], "exceptions": {}}
    assert unpack_parameters(packed, matrix).tolist() == [["h.0.w"], [""], ["h.2.w"]]


NAMES = st.one_of(
    st.text(max_size=8),
    st.lists(st.sampled_from(["h.", "0", "1", "{layer}", "{", "}", ".w", "\ud800", "12"])).map("".join),
)
LABELS = st.one_of(st.integers(0, 20), st.text(max_size=3), st.sampled_from(["{layer}", "layer"]))


@given(st.data())
def test_any_names_come_back(data):
    layers = data.draw(st.lists(LABELS, min_size=1, max_size=5, unique=True))
    rows, columns = len(layers), data.draw(st.integers(1, 3))
    flat = data.draw(st.lists(NAMES, min_size=rows * columns, max_size=rows * columns))
    names = np.array(flat, dtype=object).reshape(rows, columns)
    bits = data.draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    absent = np.array(bits).reshape(rows, columns)
    names[absent] = ""
    matrix = matrix_of(names, layers, absent)
    packed = json.loads(json.dumps(pack_parameters(matrix)))
    np.testing.assert_array_equal(unpack_parameters(packed, matrix), names)


def test_cells_of_fused_tensors_say_which_rows_they_stand_for():
    found = scan(
        {
            f"model.layers.{layer}.{part}.weight": np.ones(shape, np.float32)
            for layer in range(3)
            for part, shape in (("self_attn.qkv_proj", (24, 8)), ("self_attn.o_proj", (8, 8)))
        },
        progress=False,
    )
    grid = LayerGrid(found)
    assert grid.components == ["attn.q", "attn.k", "attn.v", "attn.o"]
    assert grid._parameters["rows"] == {"templates": ["0:8", "8:16", "16:24", None], "exceptions": {}}
    assert grid._parameters["templates"][0] == "model.layers.{layer}.self_attn.qkv_proj.weight"
    assert grid.data["rows"].sel(component="attn.k").values.tolist() == ["8:16"] * 3
    assert LayerGrid(found["rms"])._parameters == LayerGrid(grid.data)._parameters == grid._parameters


def test_a_dim_or_numbers_called_rows_are_no_parts_of_tensors():
    names = (("rows", "component"), np.array([["a.0"], ["a.1"]], dtype=object))
    table = xr.DataArray(np.ones((2, 1)), {"rows": ["0:8", "x"], "parameter": names}, ("rows", "component"))
    assert "rows" not in LayerGrid(table)._parameters
    numbered = xr.DataArray(
        np.ones((2, 1)),
        {"parameter": (("layer", "component"), names[1]), "rows": ("layer", [3, 4])},
        ("layer", "component"),
    )
    assert "rows" not in LayerGrid(numbered)._parameters

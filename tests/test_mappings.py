import numpy as np
import pytest

from layergrid.data.convert import as_matrix
from layergrid.data.mappings import ORDER
from layergrid.names import CORE

PARTS = {
    "attn.q": "self_attn.q_proj",
    "attn.k": "self_attn.k_proj",
    "attn.v": "self_attn.v_proj",
    "attn.o": "self_attn.o_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.gate": "mlp.gate_proj",
    "mlp.down": "mlp.down_proj",
}


def llama(layers=2, parts=PARTS):
    return {
        f"model.layers.{i}.{part}.weight": 10 * i + j for i in range(layers) for j, part in enumerate(parts.values())
    }


def test_the_columns_stand_in_the_order_of_the_vocabulary():
    backwards = dict(reversed(llama().items()))
    matrix = as_matrix(backwards)
    assert matrix.components == tuple(PARTS)
    assert matrix.layers == (0, 1)
    assert matrix.absent is None
    np.testing.assert_array_equal(matrix.values, [range(7), range(10, 17)])
    assert matrix.parameters[1, 2] == "model.layers.1.self_attn.v_proj.weight"
    assert matrix.source == "14 parameters"


def test_the_order_of_columns_covers_the_vocabulary():
    assert set(ORDER) == CORE
    assert len(ORDER) == len(CORE)


def test_biases_and_what_is_outside_the_blocks_are_left_out_and_counted():
    names = llama() | {"lm_head.weight": 1, "model.layers.0.self_attn.q_proj.bias": 5}
    matrix = as_matrix(names)
    assert matrix.components == tuple(PARTS)
    assert matrix.values[0, 0] == 0
    assert matrix.source == "14 parameters; left out: 1 bias, 1 parameter outside the blocks"


def test_nothing_but_biases_shows_the_biases():
    matrix = as_matrix({"h.0.mlp.c_fc.bias": 1.5, "h.1.mlp.c_fc.bias": 2.5, "wte": 3})
    assert matrix.components == ("mlp.up",)
    assert matrix.values.tolist() == [[1.5], [2.5]]
    assert matrix.source == "2 biases; left out: 1 parameter outside the blocks"


def test_a_layer_without_a_component_leaves_an_absent_cell():
    names = llama()
    del names["model.layers.1.mlp.up_proj.weight"]
    matrix = as_matrix(names)
    assert matrix.absent[1, 4]
    assert matrix.absent.sum() == 1
    assert matrix.parameters[1, 4] == ""


def test_nan_is_a_value_and_none_is_absent():
    matrix = as_matrix({"h.0.mlp.c_fc.weight": float("nan"), "h.1.mlp.c_fc.weight": None})
    assert matrix.absent.tolist() == [[False], [True]]
    assert matrix.parameters.tolist() == [["h.0.mlp.c_fc.weight"], [""]]


def test_experts_have_columns_of_their_own_in_numerical_order():
    experts = {f"model.layers.0.mlp.experts.{e}.up_proj.weight": e for e in (10, 9, 2)}
    experts["model.layers.0.mlp.shared_expert.up_proj.weight"] = 7
    experts["model.layers.1.mlp.up_proj.weight"] = 8
    matrix = as_matrix(experts)
    assert matrix.components == ("mlp.up", "mlp.up[2]", "mlp.up[9]", "mlp.up[10]", "mlp.up[shared]")
    np.testing.assert_array_equal(matrix.values, [[np.nan, 2, 9, 10, 7], [8, *4 * [np.nan]]])


def test_parameters_of_one_component_and_layer_are_told_apart_by_their_part():
    names = {f"model.layers.{i}.{norm}.weight": i for i in range(2) for norm in ("input_layernorm", "post_ln")}
    assert as_matrix(names).components == ("norm[input_layernorm]", "norm[post_ln]")


def test_adapters_do_not_mix_with_the_weight():
    stem = "base_model.model.model.layers.0.self_attn.q_proj."
    matrix = as_matrix({stem + "lora_A.weight": 1, stem + "lora_B.weight": 2, stem + "base_layer.weight": 3})
    assert matrix.components == ("attn.q", "attn.q[lora_A]", "attn.q[lora_B]")
    assert matrix.values.tolist() == [[3, 1, 2]]


def test_names_that_say_the_same_keep_a_column_each():
    names = {"model.layers.0.mlp.up_proj.weight": 1, "module.model.layers.0.mlp.up_proj.weight": 2}
    matrix = as_matrix(names)
    assert matrix.components == tuple(f"mlp.up[{name}]" for name in names)
    assert matrix.values.tolist() == [[1, 2]]


def test_the_layers_of_several_stacks_carry_its_name():
    matrix = as_matrix(
        {
            "encoder.block.1.layer.0.SelfAttention.q.weight": 1,
            "encoder.block.0.layer.0.SelfAttention.q.weight": 2,
            "decoder.block.0.layer.0.SelfAttention.q.weight": 3,
        }
    )
    assert matrix.layers == ("encoder.0", "encoder.1", "decoder.0")
    assert matrix.values.tolist() == [[2], [1], [3]]


def test_numbers_of_any_kind_are_taken():
    class Scalar:
        shape = ()

        def __float__(self):
            return 0.5

    names = [f"h.{i}.mlp.c_fc.weight" for i in range(4)]
    numbers = [np.float16(1), np.array(2.0), True, Scalar()]
    assert as_matrix(dict(zip(names, numbers, strict=True))).values.ravel().tolist() == [1, 2, 1, 0.5]


def test_labels_of_ones_own_choose_from_a_mapping():
    matrix = as_matrix(llama(3), components=["mlp.up", "attn.q"], layers=[2, 0])
    assert matrix.values.tolist() == [[24, 20], [4, 0]]
    assert matrix.parameters[0].tolist() == [
        "model.layers.2.mlp.up_proj.weight",
        "model.layers.2.self_attn.q_proj.weight",
    ]


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ({}, ValueError, "the mapping is empty"),
        ({"foo": 1, "bar": 2}, ValueError, "none of the 2 names says .*: 'foo', 'bar'; pass"),
        ({f"x{i}": 1 for i in range(9)}, ValueError, "'x4' and 4 more"),
        ({1: 1.0}, TypeError, "parameter names must be strings, got 1 of type int"),
        ({"a": [1], "b": 2}, ValueError, "not both: 'b' has a number, 'a' has a list"),
        (
            {"h.0.w": np.ones((2, 3))},
            ValueError,
            r"'h.0.w' has an array of shape \(2, 3\); measure them with layergrid",
        ),
        ({"h.0.mlp.c_fc.weight": 10**400}, ValueError, "'h.0.mlp.c_fc.weight' holds .*beyond float64"),
        (
            {"h.0.mlp.c_fc.weight": 1j},
            TypeError,
            "column 'h.0.mlp.c_fc.weight' must be a list of numbers, got 1j",
        ),
    ],
)
def test_a_mapping_that_cannot_be_placed_is_refused_with_the_fix(names, error, message):
    with pytest.raises(error, match=message):
        as_matrix(names)

"""Fused matrices taken apart: which rows are whose, and when that is not known."""

from types import SimpleNamespace

import numpy as np
import pytest

from layergrid.names import Piece, split_fused
from layergrid.scans.placement import place, split
from layergrid.scans.scanning import scan
from layergrid.tensor import as_tensor

from .sources.files import whole
from .sources.test_memory import FakeTensor

WIDTH = 12


def rows_of(shapes, config=None):
    """For each fused name, component -> the indices that are its own."""
    found = {}
    for name, pieces in split_fused(shapes, config).items():
        found[name] = {}
        for piece in pieces:
            length = shapes[name][piece.axis]
            own = [at for at in range(length) if piece.start <= at % piece.step < piece.start + piece.length]
            found[name][piece.component.partition(".")[2]] = own
    return found


def attention(qkv, rows=3 * WIDTH, o="o_proj", prefix="model.layers.0.self_attn", transposed=False, **more):
    shape = (WIDTH, rows) if transposed else (rows, WIDTH)
    return {f"{prefix}.{qkv}.weight": shape, f"{prefix}.{o}.weight": (WIDTH, WIDTH), **more}


def mlp(up, down, rows=16, prefix="model.layers.0.mlp"):
    return {f"{prefix}.{up}.weight": (rows, WIDTH), f"{prefix}.{down}.weight": (WIDTH, rows // 2)}


THIRDS = {"q": list(range(12)), "k": list(range(12, 24)), "v": list(range(24, 36))}


@pytest.mark.parametrize(
    "shapes",
    [
        attention("qkv_proj"),
        attention("Wqkv", o="out_proj"),
        attention("W_pack"),
        attention("att_proj", o="attn_out"),
        attention("qkv", o="proj", prefix="blocks.0.attn"),
        attention("c_attn", o="c_proj", prefix="h.0.attn"),
        attention("c_attn", o="c_proj", prefix="h.0.attn", transposed=True),
    ],
    ids=lambda shapes: next(iter(shapes)),
)
def test_three_equal_parts_as_wide_as_the_output_are_queries_keys_and_values(shapes):
    (found,) = rows_of(shapes).values()
    assert found == THIRDS


def test_columns_are_divided_where_the_matrix_is_stored_in_by_out():
    (pieces,) = split_fused(attention("c_attn", o="c_proj", prefix="h.0.attn", transposed=True)).values()
    assert pieces[1] == Piece("attn.k", axis=-1, start=12, length=12, step=36)
    assert pieces[1].ranges(36) == "12:24"


def test_fewer_heads_of_keys_need_the_config():
    shapes = attention("qkv_proj", rows=20)
    assert rows_of(shapes) == {}
    (found,) = rows_of(shapes, {"num_attention_heads": 6, "num_key_value_heads": 2}).values()
    assert {part: len(rows) for part, rows in found.items()} == {"q": 12, "k": 4, "v": 4}


@pytest.mark.parametrize(
    "config",
    [
        {"num_attention_heads": 6, "num_key_value_heads": 3},  # (6 + 2 x 3) heads do not divide 20 rows
        {"num_attention_heads": 3, "num_key_value_heads": 1},  # queries of 12 rows, keys of 4: fits
        {"num_attention_heads": 2, "num_key_value_heads": 1},  # queries of 10 rows, but the output takes 12
    ],
)
def test_a_config_that_disagrees_with_the_shapes_is_not_followed(config):
    found = rows_of(attention("qkv_proj", rows=20), config)
    assert bool(found) == (config["num_attention_heads"] == 3)


def test_megatrons_way_goes_by_the_heads_of_the_keys():
    shapes = attention("query_key_value", o="dense", prefix="gpt_neox.layers.0.attention")
    assert rows_of(shapes) == {}
    (each,) = rows_of(shapes, {"num_attention_heads": 3}).values()
    assert each == {
        "q": [0, 1, 2, 3, 12, 13, 14, 15, 24, 25, 26, 27],
        "k": [4, 5, 6, 7, 16, 17, 18, 19, 28, 29, 30, 31],
        "v": [8, 9, 10, 11, 20, 21, 22, 23, 32, 33, 34, 35],
    }
    (pieces,) = split_fused(shapes, {"num_attention_heads": 3}).values()
    assert pieces[2].ranges(36) == "8:12 of every 12"


def test_keys_and_values_are_halves_where_shapes_or_config_prove_that_they_are_two():
    shapes = attention("kv_proj", rows=24)
    (found,) = rows_of(shapes).values()
    assert found == {"k": list(range(12)), "v": list(range(12, 24))}
    fewer = attention("kv_proj", rows=8)
    assert rows_of(fewer) == {}  # it might be one vector that serves as key and value
    assert rows_of(fewer, {"num_attention_heads": 6, "num_key_value_heads": 4, "head_dim": 2}) == {}
    assert len(rows_of(fewer, {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 2})) == 1


def test_a_head_of_another_size_than_the_config_says_is_not_divided():
    shapes = {"model.layers.0.self_attn.qkv_proj.weight": (20, WIDTH)}
    heads = {"num_attention_heads": 6, "num_key_value_heads": 2}
    assert len(rows_of(shapes, {**heads, "head_dim": 2})) == 1
    assert rows_of(shapes, {**heads, "head_dim": 4}) == {}


FALCON = attention("query_key_value", rows=16, o="dense", prefix="transformer.h.0.self_attention")


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ({"multi_query": True, "num_kv_heads": 6}, [12, 13]),
        ({"multi_query": True, "num_kv_heads": 1, "new_decoder_architecture": True}, [12, 13]),
    ],
)
def test_falcons_config_says_whether_keys_are_shared(config, keys):
    (found,) = rows_of(FALCON, {"num_attention_heads": 6, **config}).values()
    assert found["k"] == keys


def test_the_same_word_is_laid_out_as_the_model_type_says():
    shapes = attention("wqkv", o="wo", rows=24, prefix="layers.0.attention")
    heads = {"num_attention_heads": 6, "num_key_value_heads": 3}
    assert rows_of(shapes, heads) == {}
    (stacked,) = rows_of(shapes, {**heads, "model_type": "moonvit"}).values()
    assert stacked["q"] == list(range(12))
    (grouped,) = rows_of(
        shapes, {"model_type": "internvl_chat", "llm_config": {**heads, "model_type": "internlm2"}}
    ).values()
    assert grouped["k"] == [4, 5, 12, 13, 20, 21]


def test_heads_are_found_where_configs_keep_them():
    shapes = attention("Wqkv", o="out_proj", rows=20, prefix="transformer.blocks.0.attn")
    assert len(rows_of(shapes, {"n_heads": 6, "attn_config": {"kv_n_heads": 2}})) == 1
    assert len(rows_of(shapes, {"thinker_config": {"text_config": {"n_heads": 6, "num_kv_heads": 2}}})) == 1


def test_a_model_in_memory_brings_its_config():
    config = SimpleNamespace(to_dict=lambda: {"num_attention_heads": 6, "num_key_value_heads": 2})
    parameters = {name: FakeTensor(counted(*shape)) for name, shape in attention("qkv_proj", rows=20).items()}
    module = SimpleNamespace(named_parameters=parameters.items, config=config)
    assert scan(module, progress=False).component.values.tolist() == ["attn.q", "attn.k", "attn.v", "attn.o"]


def test_a_lost_tensor_is_missing_in_each_of_its_parts():
    lost = "model.layers.1.self_attn.qkv_proj.weight"
    arrays = {name: as_tensor(counted(*shape), name) for name, shape in attention("qkv_proj").items()}
    placement = place(arrays, [lost])
    cells = [cell for cell in split(placement.cells, placement.pieces) if cell.layer == 1]
    assert [(cell.component, cell.tensor) for cell in cells] == [("attn.q", None), ("attn.k", None), ("attn.v", None)]


def test_codegen_has_four_shards_and_values_before_keys():
    shapes = attention("qkv_proj", o="out_proj", prefix="transformer.h.0.attn")
    assert rows_of(shapes) == {}
    (found,) = rows_of(shapes, {"model_type": "codegen", "n_head": 4}).values()
    assert found["v"] == [3, 4, 5, 12, 13, 14, 21, 22, 23, 30, 31, 32]
    assert found["k"] == [6, 7, 8, 15, 16, 17, 24, 25, 26, 33, 34, 35]


def test_a_gguf_header_is_a_config_too():
    config = {"general.architecture": "phi3", "phi3.attention.head_count": 6, "phi3.attention.head_count_kv": 2}
    shapes = {"blk.0.attn_qkv.weight": (20, WIDTH), "blk.0.attn_output.weight": (WIDTH, WIDTH)}
    (found,) = rows_of(shapes, config).values()
    assert found["v"] == [16, 17, 18, 19]


def test_each_stack_has_the_heads_of_its_own_config():
    text = attention("qkv_proj", rows=20, prefix="language_model.layers.0.self_attn")
    vision = attention("qkv", o="proj", rows=20, prefix="visual.blocks.0.attn")
    config = {"num_attention_heads": 6, "num_key_value_heads": 2}
    assert list(rows_of(text | vision, config)) == list(text)[:1]  # no word on the vision model's heads
    both = {"text_config": config, "vision_config": {"num_heads": 6, "num_kv_heads": 2}}
    assert len(rows_of(text | vision, both)) == 2


@pytest.mark.parametrize(
    ("shapes", "gate"),
    [
        (mlp("gate_up_proj", "down_proj"), range(8)),
        (mlp("Wi", "Wo"), range(8)),
        (mlp("dense_h_to_4h", "dense_4h_to_h"), range(8)),
        (mlp("net.0.proj", "net.2", prefix="transformer_blocks.0.ff"), range(8, 16)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_gate_and_up_are_halves_in_the_order_of_the_convention(shapes, gate):
    (found,) = rows_of(shapes).values()
    assert found["gate"] == list(gate)
    assert sorted(found["gate"] + found["up"]) == list(range(16))


def test_halves_that_do_not_fit_the_down_projection_are_left_whole():
    shapes = {"model.layers.0.mlp.gate_up_proj.weight": (16, WIDTH), "model.layers.0.mlp.down_proj.weight": (WIDTH, 6)}
    assert rows_of(shapes) == {}


def test_experts_stored_in_by_out_need_the_model_type():
    prefix = "model.layers.0.mlp.experts"
    shapes = {
        "model.layers.0.input_layernorm.weight": (WIDTH,),
        f"{prefix}.gate_up_proj": (4, WIDTH, 16),
        f"{prefix}.gate_up_proj_bias": (4, 16),
        f"{prefix}.down_proj": (4, 8, WIDTH),
    }
    assert rows_of(shapes) == {}
    assert rows_of(shapes, {"model_type": "llama4_text"})[f"{prefix}.gate_up_proj"]["gate"] == list(range(8))
    every_second = rows_of(shapes, {"model_type": "gpt_oss"})
    assert every_second[f"{prefix}.gate_up_proj"]["gate"] == list(range(0, 16, 2))
    assert every_second[f"{prefix}.gate_up_proj_bias"]["up"] == list(range(1, 16, 2))


def test_an_axis_over_the_parts_needs_no_config():
    shapes = {
        "layer_0/attn/qkv_einsum/w": (3, 4, WIDTH, 3),
        "layer_0/attn/attn_vec_einsum/w": (4, 3, WIDTH),
        "layer_0/mlp/gating_einsum/w": (2, WIDTH, 16),
        "layer_0/mlp/linear/w": (16, WIDTH),
    }
    assert rows_of(shapes) == {
        "layer_0/attn/qkv_einsum/w": {"q": [0], "k": [1], "v": [2]},
        "layer_0/mlp/gating_einsum/w": {"gate": [0], "up": [1]},
    }


@pytest.mark.parametrize(
    "shapes",
    [
        attention("flux_qkv"),
        attention("qkv", o="proj", prefix="stages.0.blocks.0.attn")
        | {"stages.0.blocks.0.attn.attention_biases": (3, 49)},
        attention("qkv", o="proj", prefix="stages.0.blocks.0.attn_block.attn"),
        attention("qkv", o="proj", prefix="stages.2.blocks.0.attn")
        | {"stages.2.blocks.0.attn.rel_pos.relative_position_bias_table": (729, 3)},
        {"model.layers.0.mlp.fc1.weight": (16, WIDTH), "model.layers.0.mlp.fc2.weight": (WIDTH, 8)},
        {"model.layers.0.self_attn.qkv_proj.weight": (36, WIDTH)},
        {"model.layers.0.self_attn.qkv_proj.weight": None},
        {"model.layers.0.self_attn.qkv_proj.weight": ()},
    ],
    ids=lambda shapes: next(iter(shapes)),
)
def test_what_is_not_known_is_left_whole(shapes):
    assert split_fused(shapes) == {}


def test_what_could_not_be_read_is_taken_apart_like_its_other_layers():
    lost = "model.layers.1.self_attn.qkv_proj.weight"
    found = split_fused(attention("qkv_proj") | {lost: None})
    assert found[lost] == found["model.layers.0.self_attn.qkv_proj.weight"]


# --- The cells of what is taken apart --------------------------------------------------------------------


def cells_of(arrays, config=None, include="matrices"):
    placement = place({name: as_tensor(array, name) for name, array in arrays.items()}, (), include, config)
    cells = split(placement.cells, placement.pieces)
    return {(cell.component, cell.expert): cell for cell in cells}


def counted(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


NEOX = "gpt_neox.layers.0.attention"


def test_a_cell_reads_its_rows_only():
    fused = counted(36, WIDTH)
    arrays = {f"{NEOX}.query_key_value.weight": fused, f"{NEOX}.dense.weight": counted(WIDTH, WIDTH)}
    cells = cells_of(arrays, {"num_attention_heads": 3})
    for at, part in enumerate("qkv"):
        cell = cells[f"attn.{part}", -1]
        expected = fused.reshape(3, 3, 4, WIDTH)[:, at].reshape(WIDTH, WIDTH)
        assert cell.tensor.shape == expected.shape
        np.testing.assert_array_equal(whole(cell.tensor), expected)
        assert cell.parameter == f"{NEOX}.query_key_value.weight"
        flat = expected.reshape(-1)
        for start, stop in [(0, 1), (47, 49), (5, 101), (143, 144), (10, 10)]:
            np.testing.assert_array_equal(cell.tensor.read(start, stop), flat[start:stop])


def test_long_blocks_are_read_one_by_one(monkeypatch):
    monkeypatch.setattr("layergrid.scans.placement._LONG_BLOCK", 1)
    test_a_cell_reads_its_rows_only()


def test_a_cell_reads_its_columns_only():
    fused = counted(WIDTH, 36)
    cells = cells_of({"h.0.attn.c_attn.weight": fused, "h.0.attn.c_proj.weight": counted(WIDTH, WIDTH)})
    np.testing.assert_array_equal(whole(cells["attn.v", -1].tensor), fused[:, 24:])
    assert cells["attn.v", -1].rows == "columns 24:36"
    assert cells["attn.v", -1].tensor.name == "h.0.attn.c_attn.weight[columns 24:36]"


def test_each_expert_is_taken_apart():
    prefix = "model.layers.0.mlp.experts"
    fused = counted(3, 8, WIDTH)
    cells = cells_of({f"{prefix}.gate_up_proj": fused, f"{prefix}.down_proj": counted(3, WIDTH, 4)})
    np.testing.assert_array_equal(whole(cells["mlp.up", 2].tensor), fused[2, 4:])
    assert ("mlp.gate_up", 2) not in cells


def test_a_bias_is_taken_apart_like_its_weight():
    arrays = {
        "h.0.attn.c_attn.weight": counted(WIDTH, 36),
        "h.0.attn.c_attn.bias": counted(36),
        "h.0.attn.c_proj.weight": counted(WIDTH, WIDTH),
    }
    cells = cells_of(arrays, include="all")
    assert whole(cells["attn.k.bias", -1].tensor).tolist() == list(range(12, 24))
    assert cells["attn.k.bias", -1].rows == "12:24"


def test_an_axis_over_the_parts_is_no_axis_of_the_part():
    fused = counted(2, WIDTH, 5)
    cells = cells_of({"layer_0/mlp/gating_einsum/w": fused, "layer_0/mlp/linear/w": counted(5, WIDTH)})
    np.testing.assert_array_equal(whole(cells["mlp.up", -1].tensor), fused[1])


def test_a_part_that_the_layer_has_already_leaves_the_fused_tensor_whole():
    arrays = {name: counted(*shape) for name, shape in attention("qkv_proj").items()}
    arrays["model.layers.0.self_attn.k_proj.weight"] = counted(WIDTH, WIDTH)
    assert {component for component, _ in cells_of(arrays)} == {"attn.qkv", "attn.k", "attn.o"}


def test_a_scan_has_a_cell_for_each_part_and_says_which_rows_it_is():
    arrays = {name: counted(*shape) for name, shape in attention("qkv_proj").items()}
    found = scan(arrays, ["max", "norm"], progress=False)
    assert found.component.values.tolist() == ["attn.q", "attn.k", "attn.v", "attn.o"]
    assert found["max"].sel(layer=0, component="attn.k").item() == 24 * WIDTH - 1
    assert found.rows.values.tolist() == [["0:12", "12:24", "24:36", ""]]
    assert found.parameter.sel(layer=0, component="attn.k").item() == "model.layers.0.self_attn.qkv_proj.weight"

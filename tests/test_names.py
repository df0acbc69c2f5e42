"""Reading parameter names."""

import pytest

from layergrid.names import Address, parse_name, parse_names


@pytest.mark.parametrize(
    ("name", "layer", "component", "expert"),
    [
        ("model.layers.3.self_attn.q_proj.weight", 3, "attn.q", None),
        ("model.layers.3.mlp.gate_proj.weight", 3, "mlp.gate", None),
        ("transformer.h.11.attn.c_attn.weight", 11, "attn.qkv", None),
        ("transformer.h.11.mlp.c_proj.weight", 11, "mlp.down", None),
        ("bert.encoder.layer.0.attention.output.dense.weight", 0, "attn.o", None),
        ("bert.encoder.layer.0.output.dense.weight", 0, "mlp.down", None),
        ("blk.29.attn_output.weight", 29, "attn.o", None),
        ("blk.29.ffn_gate.weight", 29, "mlp.gate", None),
        ("model.layers.2.block_sparse_moe.gate.weight", 2, "moe.router", None),
        ("model.layers.2.block_sparse_moe.experts.7.w2.weight", 2, "mlp.down", 7),
        ("model.layers.2.input_layernorm.weight", 2, "norm", None),
    ],
)
def test_the_usual_conventions_are_read(name, layer, component, expert):
    address = parse_name(name)
    assert address is not None
    assert (address.layer, address.component, address.expert) == (layer, component, expert)


@pytest.mark.parametrize(
    "name", ["model.embed_tokens.weight", "lm_head.weight", "model.norm.weight", "", "...", "7"]
)
def test_what_belongs_to_no_block_has_no_address(name):
    assert parse_name(name) is None


def test_a_part_without_a_rule_keeps_its_own_name():
    assert parse_name("model.layers.1.flux_capacitor.weight") == Address(
        layer=1, component="flux_capacitor", part="flux_capacitor"
    )


def test_a_whole_model_is_read_at_once():
    names = {"lm_head.weight": (8, 4), "model.layers.0.mlp.up_proj.weight": (8, 4)}
    assert [a and a.component for a in parse_names(names).values()] == [None, "mlp.up"]

"""Parameter names to addresses, on the names of 119 real model families and on names nobody has used."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from layergrid.names import CORE, Address, parse_name, parse_names

FIXTURES = Path(__file__).parent / "fixtures" / "names"

Truth = tuple[str, int, str, int | str | None, frozenset[str]]  # stack, layer, component, expert, flags


def variants(file: str) -> dict[str, tuple[dict[str, tuple[int, ...] | None], dict[str, Truth]]]:
    """Each model's shapes by name, and the addresses expected of the names that have one."""
    models: dict[str, tuple[dict[str, tuple[int, ...] | None], dict[str, Truth]]] = {}
    for line in (FIXTURES / file).read_text().splitlines():
        if line.startswith("@ "):
            shapes, truth = models[" ".join(line[2:].split(" / ")[:2])] = {}, {}
        elif line and not line.startswith("#"):
            name, size, *expected = line.split("\t")
            shape = None if size == "?" else tuple(map(int, size.split("x")))
            component, layers, stack, experts, flags = [*expected, *[""] * (5 - len(expected))]
            if not expected:
                shapes[name] = shape
            for layer in filter(None, layers.split(",")):
                for expert in experts.split(","):
                    full = name.replace("{L}", layer).replace("{E}", expert)
                    which = int(expert) if expert.isdecimal() else expert or None
                    shapes[full] = shape
                    truth[full] = (
                        stack,
                        int(layer),
                        component,
                        which,
                        frozenset(filter(None, flags.split(","))),
                    )
    return models


MODELS = variants("families.tsv")
UNSEEN = variants("unseen.tsv")


@pytest.mark.parametrize("model", MODELS)
def test_every_core_part_of_a_real_family_is_found(model):
    shapes, truth = MODELS[model]
    found = parse_names(shapes)
    wrong = {}
    for name, (_, layer, component, expert, _) in truth.items():
        address = found[name]
        got = address and (address.layer, address.component, address.expert)
        if component in CORE and got != (layer, component, expert):
            wrong[name] = got
    assert wrong == {}


@pytest.mark.parametrize("model", MODELS)
def test_no_other_part_of_a_real_family_is_taken_for_a_core_part(model):
    shapes, truth = MODELS[model]
    others = [name for name in shapes if name not in truth or truth[name][2] not in CORE]
    found = parse_names(shapes)
    assert {name for name in others if (address := found[name]) and address.component in CORE} == set()
    for name in others:
        if name in truth:  # a part without a word of the vocabulary has its layer all the same
            assert found[name] is not None
            assert found[name].layer == truth[name][1]


@pytest.mark.parametrize("model", MODELS)
def test_the_stacks_of_a_real_family_are_told_apart(model):
    shapes, truth = MODELS[model]
    found = parse_names(shapes)
    pairs = {(stack, found[name].stack) for name, (stack, *_) in truth.items()}
    assert len(pairs) == len({stack for stack, _ in pairs}) == len({label for _, label in pairs})


@pytest.mark.parametrize("model", MODELS)
def test_weight_and_bias_of_a_real_family_are_never_mixed(model):
    shapes, truth = MODELS[model]
    found = parse_names(shapes)
    for name, (_, _, component, _, flags) in truth.items():
        # TensorFlow calls a norm's bias beta.
        assert component not in CORE or ("bias" in found[name].flags) == ("bias" in flags or name.endswith("beta")), (
            name
        )


def test_orientation_fusion_and_stacking_of_real_families_are_flagged():
    told = {"fused", "stacked", "transposed", "up_first", "fused_gate", "second_cross", "lora_A", "lora_B"}
    wrong = defaultdict(list)
    for model, (shapes, truth) in MODELS.items():
        found = parse_names(shapes)
        for name, (_, _, component, _, flags) in truth.items():
            if component in CORE and found[name].flags & told != flags & told:
                wrong[model].append(name)
    # xlnet stores its heads apart, (width, heads, head), which the fixture does not call transposed.
    assert set(wrong) <= {"xlnet module"}


@pytest.mark.parametrize("model", ["llama module", "gpt2 module", "bert module", "mixtral saved"])
def test_one_name_alone_says_as_much_for_the_common_families(model):
    shapes, truth = MODELS[model]
    for name in shapes:
        address = parse_name(name)
        expected = truth[name][1:4] if name in truth else None
        assert (address and (address.layer, address.component, address.expert)) == expected


@pytest.mark.parametrize("model", UNSEEN)
def test_the_conventions_cover_families_that_they_were_not_made_from(model):
    shapes, truth = UNSEEN[model]
    found = parse_names(shapes)
    wrong = {}
    for name in shapes:
        _, layer, component, expert, _ = truth.get(name, ("", None, "", None, frozenset()))
        address = found[name]
        got = address and (address.layer, address.component, address.expert)
        if component in CORE:
            right = got == (layer, component, expert)
        else:
            right = (address and address.layer) == layer and (address is None or address.component not in CORE)
        if not right:
            wrong[name] = got
    assert wrong == {}


# --- Families that are not in the file -------------------------------------------------------------------


def components(*names: str, **shapes: tuple[int, ...]) -> dict[str, str | None]:
    found = parse_names({**dict.fromkeys(names), **shapes})
    return {name: address and address.component for name, address in found.items()}


@pytest.mark.parametrize(
    ("name", "layer", "component", "expert"),
    [
        # Wrappers and separators
        ("module.model.layers.3.self_attn.q_proj.weight", 3, "attn.q", None),
        ("_orig_mod.base_model.model.model.layers.3.mlp.up_proj.weight", 3, "mlp.up", None),
        ("model.layers.3.self_attn.q_proj.base_layer.weight", 3, "attn.q", None),
        ("params/encoderblock_4/MlpBlock_0/Dense_0/kernel", 4, "mlp.up", None),
        ("['params']['layers_2']['self_attention']['query']['kernel']", 2, "attn.q", None),
        ("tfm/encoder/layer_._5/attention/self/key/kernel:0", 5, "attn.k", None),
        # Attention
        ("layers.1.attention.wqkv.weight", 1, "attn.qkv", None),
        ("model.layers.1.self_attn.W_pack.weight", 1, "attn.qkv", None),
        ("transformer.blocks.1.att_proj.weight", 1, "attn.qkv", None),
        ("transformer.blocks.1.attn_out.weight", 1, "attn.o", None),
        ("model.layers.1.self_attn.linear_kv_up_proj.weight", 1, "attn.kv_b", None),
        ("transformer.blocks.1.norm_attn_norm.attn.Wqkv.weight", 1, "attn.qkv", None),
        ("decoder.layers.1.encoder_decoder_attention.k_proj.weight", 1, "cross_attn.k", None),
        ("model.cross_attn_layers.1.q_proj.weight", 1, "cross_attn.q", None),
        ("transformer_blocks.1.audio_to_video_attn.to_q.weight", 1, "cross_attn.q", None),
        # MLP
        ("transformer.h.1.mlp.c_fc_0.weight", 1, "mlp.gate", None),
        ("transformer.blocks.1.ff_proj.weight", 1, "mlp.up", None),
        ("backbone.blocks.1.ffn.proj_up_gate.weight", 1, "mlp.gate", None),
        # Experts
        ("model.layers.1.mlp.experts.12.down_proj.weight", 1, "mlp.down", 12),
        ("model.layers.1.mlp.experts.gate_up_proj", 1, "mlp.gate_up", "*"),
        ("model.layers.1.mlp.shared_expert.up_proj.weight", 1, "mlp.up", "shared"),
        ("model.layers.1.mlp.shared_expert_gate.weight", 1, "moe.shared_gate", None),
        ("model.layers.1.mlp.gate.wg.weight", 1, "moe.router", None),
        ("transformer.blocks.1.ffn.router.layer.weight", 1, "moe.router", None),
        ("blk.1.ffn_down_exps.weight", 1, "mlp.down", "*"),
        ("blk.1.ffn_up_shexp.weight", 1, "mlp.up", "shared"),
        ("blk.1.ffn_gate_inp.weight", 1, "moe.router", None),
        # State space
        ("backbone.layers.1.mixer.x_proj.weight", 1, "ssm.x", None),
        ("blk.1.ssm_out.weight", 1, "ssm.out", None),
        # Each part in a list of its own, and all layers in one tensor
        ("transformer.attentions.7.out_lin.weight", 7, "attn.o", None),
        ("transformer.layer_norm1.7.weight", 7, "norm", None),
        ("params/decoder/layers/mlp/wi_0/kernel", None, "mlp.gate", None),
        # A list under a name nobody listed
        ("audio_tower.conformer.3.attention.q_proj.weight", 3, "attn.q", None),
    ],
)
def test_conventions_are_read_whatever_the_family(name, layer, component, expert):
    address = parse_name(name)
    assert address is not None
    assert (address.layer, address.component, address.expert) == (layer, component, expert)


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_tokens.weight",
        "lm_head.weight",
        "model.norm.weight",
        "vision_tower.head.mlp.fc1.weight",
        "visual.merger.mlp.0.weight",
        "feature_extractor.conv_layers.3.conv.weight",
        "mask_decoder.output_hypernetworks_mlps.0.layers.1.weight",
        "bbox_predictor.layers.1.weight",
        "down_blocks.0.attentions.0.norm.weight",
        "layers.3",
        "layers..3",
        "",
        "...",
        "7",
        "\N{SNOWMAN}.1.\x00",
    ],
)
def test_what_belongs_to_no_block_has_no_address(name):
    assert parse_name(name) is None
    assert parse_names({name: (4, 4)}) == {name: None}


def test_a_part_without_a_rule_keeps_its_own_name():
    assert parse_name("model.layers.1.flux_capacitor.weight") == Address(
        layer=1, component="flux_capacitor", part="flux_capacitor"
    )


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.linear_attn.q_proj.weight",
        "rwkv.blocks.1.time_mix.key.weight",
        "encoder.layer.1.output.adapter_modules.en_XX.dense1.weight",
        "encoder.layer.1.bottleneck.input.dense.weight",
        "model.layers.1.mlp.gate.router_mlp.fc1.weight",
        "model.layers.1.input_layernorm.mlp.fc2.weight",
        "model.layers.1.self_attn.indexer.wk.weight",
        "model.layers.1.mlp.gate.e_score_correction_bias",
        "model.layers.1.per_layer_input_gate.weight",
        "model.layers.1.token_mixer.mixer.ssm.conv",
        "layers.0.blocks.1.attn.cpb_mlp.0.weight",
        "layers.0.blocks.1.attn.meta_mlp.fc1.weight",
        "blocks.1.attn.rel_pos.mlp.fc1.weight",
        "a.blk.1.ffn_scale.weight",
    ],
)
def test_the_parts_of_something_else_are_never_called_attention_or_mlp(name):
    address = parse_name(name)
    assert address is not None
    assert address.layer == 1
    assert address.component not in CORE


# --- What siblings and shapes say ------------------------------------------------------------------------


def in_layer(*parts: str) -> dict[str, str | None]:
    found = parse_names({f"model.layers.0.{part}.weight": None for part in parts})
    return {part: found[f"model.layers.0.{part}.weight"].component for part in parts}


@pytest.mark.parametrize(
    "expected",
    [
        {"mlp.w1": "mlp.gate", "mlp.w2": "mlp.down", "mlp.w3": "mlp.up"},
        {"mlp.w1": "mlp.up", "mlp.w2": "mlp.down"},
        {"mlp.w1": "mlp.up", "mlp.w2": "mlp.gate", "mlp.c_proj": "mlp.down"},
        {"mlp.w12": "mlp.gate_up", "mlp.w3": "mlp.down"},
        {"mlp.fc_1": "mlp.gate", "mlp.fc_2": "mlp.up", "mlp.proj": "mlp.down"},
        {"mlp.gate": "mlp.gate", "mlp.up": "mlp.up", "mlp.down": "mlp.down"},
        {"ff.fc1": "mlp.gate", "ff.fc2": "mlp.up", "ff.fc3": "mlp.down"},
        {"ff.linear_1": "mlp.gate", "ff.linear_2": "mlp.down", "ff.linear_3": "mlp.up"},
        {"ff.linear_1": "mlp.gate", "ff.linear_2": "mlp.up", "ff.out_projection": "mlp.down"},
        {"img_mlp.proj": "mlp.up", "img_mlp.gate_layer": "mlp.gate", "img_mlp.out": "mlp.down"},
        {"mlp.Dense_0": "mlp.up", "mlp.Dense_1": "mlp.down"},
        {"mlp.w0": "mlp.gate", "mlp.w1": "mlp.up", "mlp.w2": "mlp.down"},
        {"mlp.conv1": "mlp.up", "mlp.conv2": "mlp.conv2", "mlp.conv3": "mlp.down"},
        {"mlp.gate.norm": "norm", "mlp.gate.proj": "mlp.gate.proj"},
        {"mlp.router.norm": "norm", "mlp.router.proj": "moe.router"},
        {"attn.fc": "attn.fc"},
        {"attn.qkv": "attn.qkv", "attn.fc": "attn.o"},
        {"e_mhsa.q": "attn.q", "e_mhsa.proj": "attn.o"},
        {"mixer.in_proj": "ssm.in", "mixer.out_proj": "ssm.out"},
        {"mixer.Wqkv": "attn.qkv", "mixer.out_proj": "attn.o"},
        {"mlp.gate": "moe.router", "mlp.experts.0.up_proj": "mlp.up"},
        {"self_attn.q_proj": "linear_attn.q", "self_attn.q_conv1d": "linear_attn.q_conv1d"},
        {"self_attn.q_proj": "attn.q", "multihead_attn.q_proj": "cross_attn.q"},
        {"multihead_attn.q_proj": "attn.q"},
    ],
    ids=lambda expected: " ".join(expected),
)
def test_siblings_settle_what_a_word_means(expected):
    assert in_layer(*expected) == expected


def test_attention_beside_the_marks_of_a_linear_one_in_gguf_is_linear():
    names = ["attn_q", "attn_output", "ssm_beta"]
    found = parse_names({f"blk.0.{name}.weight": None for name in names})
    assert [address.component for address in found.values()] == ["linear_attn.q", "linear_attn.o", "ssm_beta"]
    hybrid = parse_names({"blk.0.attn_q.weight": None, "blk.0.ssm_in.weight": None})
    assert [address.component for address in hybrid.values()] == ["attn.q", "ssm.in"]


def test_shapes_tell_which_numbered_matrix_leads_back():
    shapes = {
        "blocks.0.mlp.w1.weight": (32, 8),
        "blocks.0.mlp.w2.weight": (32, 8),
        "blocks.0.mlp.w3.weight": (8, 32),
    }
    assert [address.component for address in parse_names(shapes).values()] == [
        "mlp.gate",
        "mlp.up",
        "mlp.down",
    ]


def test_two_matrices_of_a_sequence_are_up_and_down():
    shapes = {"h.0.mlp.0.weight": (32, 8), "h.0.mlp.0.bias": (32,), "h.0.mlp.3.weight": (8, 32)}
    assert [address.component for address in parse_names(shapes).values()] == ["mlp.up", "mlp.up", "mlp.down"]


def test_an_up_twice_as_wide_as_down_is_gate_and_up_in_one():
    wide = parse_names({"h.0.mlp.fc1.weight": (64, 8), "h.0.mlp.fc1.bias": (64,), "h.0.mlp.fc2.weight": (8, 32)})
    assert [address.component for address in wide.values()] == ["mlp.gate_up", "mlp.gate_up", "mlp.down"]
    assert wide["h.0.mlp.fc1.weight"].flags == {"fused"}
    assert wide["h.0.mlp.fc1.bias"].flags == {"bias"}
    plain = parse_names({"h.0.mlp.fc1.weight": (32, 8), "h.0.mlp.fc2.weight": (8, 32)})
    assert [address.component for address in plain.values()] == ["mlp.up", "mlp.down"]


def test_an_axis_over_gate_and_up_is_no_axis_over_experts():
    shapes = {"layer_0/mlp/ffw_up/w": (2, 8, 32), "layer_0/mlp/ffw_down/w": (32, 8)}
    assert [(found.component, found.expert) for found in parse_names(shapes).values()] == [
        ("mlp.gate_up", None),
        ("mlp.down", None),
    ]


def test_a_bias_says_which_side_of_a_matrix_is_its_output():
    shapes = {"h.0.mlp.fc1.weight": (512, 512), "h.0.mlp.fc2.weight": (256, 512), "h.0.mlp.fc2.bias": (256,)}
    assert next(address.component for address in parse_names(shapes).values()) == "mlp.up"


def test_a_vector_in_a_numbered_sequence_is_its_norm():
    shapes = {"blocks.0.ffn.0.weight": (8,), "blocks.0.ffn.1.weight": (32, 8), "blocks.0.ffn.3.weight": (8, 32)}
    assert [address.component for address in parse_names(shapes).values()] == ["norm", "mlp.up", "mlp.down"]


def test_three_dims_are_experts_and_a_convolution_is_not():
    assert parse_name("h.0.mlp.up_proj.weight", (4, 64, 32)).expert == "*"
    assert parse_name("h.0.mlp.up_proj.weight", (64, 32, 3)).expert is None


def test_a_single_stack_needs_no_name_and_several_get_the_shortest_that_differ():
    def stacks(*names):
        return [address.stack for address in parse_names(dict.fromkeys(names)).values()]

    q = "layers.0.self_attn.q_proj.weight"
    assert stacks(f"bert.encoder.{q}") == [""]
    assert stacks(f"encoder.{q}", f"decoder.{q}") == ["encoder", "decoder"]
    assert stacks(f"vision_model.{q}", f"language_model.{q}") == ["vision", "text"]
    assert stacks(f"vision.a.{q}", f"vision.b.{q}", f"model.{q}") == ["vision.a", "vision.b", "model"]
    assert stacks(f"local_{q}", f"global_{q}") == ["local_layers", "global"]
    assert stacks(q, f"vision_model.{q}") == ["main", "vision"]
    assert stacks(f"text_encoder.{q}", f"text_decoder.{q}") == ["encoder", "decoder"]


def test_a_list_is_known_for_one_by_what_other_layers_hold():
    names = [
        "encoder.conformers.0.self_attn.q_proj.weight",
        "encoder.conformers.1.final_scale",
        "encoder.convs.0.norm.weight",
    ]
    found = parse_names(dict.fromkeys(names))
    assert [address and (address.layer, address.component) for address in found.values()] == [
        (0, "attn.q"),
        (1, "final_scale"),
        None,
    ]
    assert parse_name(names[1]) is None  # by itself it may be anything


def test_a_list_without_attention_or_mlp_among_projectors_holds_no_blocks():
    norm, attention = "projector.layers.0.norm.weight", "projector.layers.0.self_attn.q_proj.weight"
    assert parse_names({norm: None}) == {norm: None}
    assert [address.component for address in parse_names({norm: None, attention: None}).values()] == [
        "norm",
        "attn.q",
    ]


def test_quantizers_companions_carry_a_flag_of_their_own():
    prefix = "model.layers.0.self_attn.q_proj"
    for suffix in (
        "qweight",
        "qzeros",
        "scales",
        "g_idx",
        "weight_packed",
        "weight_scale_inv",
        "weight.absmax",
    ):
        address = parse_name(f"{prefix}.{suffix}")
        assert address is not None
        assert address.component == "attn.q"
        assert any(flag == "packed" or flag.startswith("quant_") for flag in address.flags), suffix
    assert parse_name(f"{prefix}.lora_A.default.weight").flags == {"lora_A"}


def test_the_order_of_the_names_is_kept():
    names = ["lm_head.weight", "model.layers.1.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"]
    assert list(parse_names(dict.fromkeys(names))) == names


def test_the_fixture_holds_what_it_says():
    assert len({model.split()[0] for model in MODELS}) == 119
    words = Counter(component for _, truth in MODELS.values() for _, _, component, _, _ in truth.values())
    assert set(words) >= {"attn.q", "mlp.down", "moe.router", "ssm.A", "cross_attn.kv"} - {"cross_attn.kv"}
    assert not re.search(r"\{[LE]\}", "".join(name for shapes, _ in MODELS.values() for name in shapes))

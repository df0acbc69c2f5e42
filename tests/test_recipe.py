"""A selection to the formats of the tools that come next."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layergrid import LayerGrid
from layergrid.recipes import recipe

from .test_names import MODELS

# Selections and their patterns; read by the page's tests too.
PATTERNS = Path(__file__).parent / "fixtures" / "patterns.json"
LAYERS = 12
PARTS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.o_proj", "mlp.up_proj", "mlp.down_proj"]
ALL = [f"model.layers.{layer}.{part}.weight" for layer in range(LAYERS) for part in PARTS]


def chosen(layers, parts):
    return [f"model.layers.{layer}.{part}.weight" for layer in layers for part in parts]


def modules(names):
    return [name.removesuffix(".weight") for name in names]


class Table:
    """As much of a DataFrame as a recipe asks for."""

    columns = ("layer", "component", "value", "parameter")

    def __init__(self, names):
        self.names = names

    def __getitem__(self, column):
        assert column == "parameter"
        return np.array(self.names, dtype=object)


def grid(selected, everything=ALL):
    coordinate = SimpleNamespace(values=np.array(everything, dtype=object).reshape(1, -1))
    data = SimpleNamespace(coords={"parameter": coordinate})
    return SimpleNamespace(selected=Table(selected), data=data)


# --- What is selected ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [list, tuple, np.array, Table, grid])
def test_a_grid_a_table_and_names_say_the_same(wrap):
    names = chosen([3], PARTS[:2])
    assert recipe(wrap(names), "names") == modules(names)


def test_a_pandas_table_is_read():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert recipe(pandas.DataFrame({"parameter": chosen([3], PARTS[:1])}), "names") == [
        "model.layers.3.self_attn.q_proj"
    ]


def test_a_cell_may_hold_several_tensors():
    first, second = chosen([1, 2], PARTS[:1])
    assert recipe(Table([[first, second], second]), "names") == modules([first, second])


def test_weight_and_bias_of_a_module_name_it_once():
    assert recipe(["h.0.mlp.c_fc.weight", "h.0.mlp.c_fc.bias"], "names") == ["h.0.mlp.c_fc"]


@pytest.mark.parametrize("to", ["names", "regex", "peft", "freeze", "llama.cpp", "gptqmodel", "llm-compressor"])
def test_an_empty_selection_is_refused(to):
    with pytest.raises(ValueError, match="nothing is selected"):
        recipe([], to)


def test_cells_without_a_name_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="named data"):
        recipe(["a.weight", ""], "names")


def test_an_unknown_tool_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'peft'"):
        recipe(ALL, "pfet")


def test_one_name_alone_is_not_a_list_of_letters():
    with pytest.raises(TypeError, match=r"'model\.norm'"):
        recipe("model.norm", "names")


def test_numbers_are_no_names():
    with pytest.raises(TypeError, match="got 3 of type int"):
        recipe([3], "names")


# --- Patterns --------------------------------------------------------------------------------------------


def matched(pattern, names=ALL):
    return [name for name in modules(names) if re.search(pattern, name)]


@pytest.mark.parametrize(
    ("layers", "parts", "expected"),
    [
        ([3], PARTS[:1], r"^model\.layers\.3\.self_attn\.q_proj$"),
        (range(4), PARTS[:1], r"^model\.layers\.[0-3]\.self_attn\.q_proj$"),
        (range(8, 12), PARTS[:2], r"^model\.layers\.(?:[89]|1[01])\.self_attn\.(?:q_proj|k_proj)$"),
        ([1, 5], PARTS[3:], r"^model\.layers\.(?:1|5)\.mlp\.(?:up_proj|down_proj)$"),
    ],
)
def test_a_pattern_is_readable_and_hits_exactly_the_selected(layers, parts, expected):
    names = chosen(layers, parts)
    pattern = recipe(grid(names), "regex")
    assert pattern == expected
    assert matched(pattern) == modules(names)


@given(st.sets(st.sampled_from(ALL), min_size=1))
def test_any_selection_has_a_pattern_that_hits_exactly_it(selected):
    assert set(matched(recipe(grid(sorted(selected)), "regex"))) == set(modules(selected))


@given(st.sets(st.integers(0, 1300), min_size=1), st.sampled_from(["blocks.{}.w", "block_{}.w", "a.{}x.w"]))
def test_a_range_of_numbers_matches_no_other_number(numbers, template):
    pattern = re.compile(recipe([template.format(n) for n in numbers], "regex"))
    assert {n for n in range(1400) if pattern.search(template.format(n))} == numbers
    assert not pattern.search(template.format("01"))


def test_dots_and_brackets_in_names_stand_for_themselves():
    names = ["a.b(1)+[x]$|c", "a.b^{2}\\?"]
    pattern = recipe(names, "regex")
    assert all(re.search(pattern, name) for name in names)
    assert not re.search(pattern, "aXb(1)+[x]$|c")


def test_experts_of_some_layers_stay_few_alternatives():
    names = [f"layers.{layer}.mlp.experts.{e}.up_proj.weight" for layer in (1, 2) for e in range(64)]
    assert recipe(names, "regex") == r"^layers\.[12]\.mlp\.experts\.(?:[0-9]|[1-5][0-9]|6[0-3])\.up_proj$"


@pytest.mark.parametrize("case", json.loads(PATTERNS.read_text()), ids=lambda case: case["names"][0])
def test_python_writes_the_pattern_that_the_page_writes(case):
    assert recipe(case["names"], "regex") == case["regex"]


# --- Tools -----------------------------------------------------------------------------------------------


def test_peft_gets_one_text_for_the_whole_module_name():
    config = recipe(grid(chosen([0, 1], PARTS[:1])), "peft", rank=8)
    assert config == {"target_modules": r"model\.layers\.[01]\.self_attn\.q_proj", "r": 8}


def test_peft_gets_a_rank_for_each_component():
    config = recipe(chosen([0, 1], [PARTS[0], PARTS[3]]), "peft", rank={"attn.q": 4, "mlp.up": 16})
    assert config["rank_pattern"] == {
        r"model\.layers\.[01]\.self_attn\.q_proj": 4,
        r"model\.layers\.[01]\.mlp\.up_proj": 16,
    }
    with pytest.raises(ValueError, match=r"\['attn.v'\], but the selection has \['attn.q'\]"):
        recipe(chosen([0], PARTS[:1]), "peft", rank={"attn.v": 4})


def test_peft_gets_stacked_experts_as_parameters():
    stacked = "model.layers.0.mlp.experts.down_proj"
    assert recipe([stacked], "peft") == {"target_parameters": [stacked]}


def as_gptqmodel_reads(dynamic, module):
    """The rule for a module, as `dynamic_get` of GPTQModel and `get_dynamic_override` of vLLM find it."""
    for pattern, settings in dynamic.items():
        if pattern.startswith("-:"):
            if re.match(pattern.removeprefix("-:"), module):
                return False
        elif re.match(pattern.removeprefix("+:"), module):
            return settings
    return None


def test_gptqmodel_finds_a_rule_for_exactly_the_selected():
    names = chosen([1, 2, 10], PARTS[:2])
    for settings, expected in (({}, False), ({"bits": 8}, {"bits": 8})):
        dynamic = recipe(grid(names), "gptqmodel", **settings)
        found = {module: as_gptqmodel_reads(dynamic, module) for module in modules(ALL)}
        assert [module for module, rule in found.items() if rule is not None] == modules(names)
        assert all(rule in (None, expected) for rule in found.values())


def test_gptqmodel_skips_the_selected_or_sets_them_apart():
    names = chosen([0], PARTS[:1])
    assert recipe(names, "gptqmodel") == {r"-:^model\.layers\.0\.self_attn\.q_proj$": {}}
    assert recipe(names, "gptqmodel", bits=8, group_size=32) == {
        r"+:^model\.layers\.0\.self_attn\.q_proj$": {"bits": 8, "group_size": 32}
    }


def test_llm_compressor_ignores_by_pattern():
    (entry,) = recipe(grid(chosen(range(3), PARTS[3:])), "llm-compressor")
    assert entry.startswith("re:")
    # `_match_name` in utils/match.py of compressed-tensors, which the modifiers ask: `re.match` of what follows "re:".
    hit = [name for name in modules(ALL) if re.match(entry.removeprefix("re:"), name)]
    assert hit == modules(chosen(range(3), PARTS[3:]))


def test_llama_cpp_gets_its_own_tensor_names():
    names = chosen(range(2), ["self_attn.o_proj", "mlp.down_proj"])
    flag, value = recipe(grid(names), "llama.cpp", type="q6_k")
    pattern, _, kind = value.rpartition("=")
    assert (flag, kind) == ("--tensor-type", "q6_k")
    tensors = [f"blk.{n}.{part}.weight" for n in range(LAYERS) for part in ("attn_output", "ffn_down", "ffn_down_exps")]
    assert [name for name in tensors if re.search(pattern, name)] == [
        "blk.0.attn_output.weight",
        "blk.0.ffn_down.weight",
        "blk.1.attn_output.weight",
        "blk.1.ffn_down.weight",
    ]


def test_llama_cpp_keeps_the_names_of_a_gguf_file():
    assert recipe(["blk.3.attn_q.weight"], "llama.cpp") == ["--tensor-type", r"^blk\.3\.attn_q\.weight$=q8_0"]


def test_llama_cpp_cannot_tell_the_experts_of_a_layer_apart():
    experts = [f"model.layers.0.mlp.experts.{e}.up_proj.weight" for e in range(4)]
    assert recipe(experts, "llama.cpp")[1] == r"^blk\.0\.ffn_up_exps\.weight$=q8_0"
    with pytest.raises(ValueError, match="select all or none"):
        recipe(experts[:2], "llama.cpp", among=experts)


def test_llama_cpp_is_not_told_names_it_may_not_have():
    with pytest.raises(ValueError, match="is not known"):
        recipe(["model.layers.0.flux_capacitor.weight"], "llama.cpp")


@pytest.mark.parametrize(
    "name",
    [
        "blk.0.attn_norm.weight",
        "blk.0.attn_q.bias",
        "blk.0.ssm_conv1d.weight",
        "model.layers.0.mlp.gate.weight",
        "model.layers.0.self_attn.q_proj.bias",
    ],
)
def test_what_llama_cpp_never_quantizes_is_refused(name):
    experts = [f"model.layers.0.mlp.experts.{e}.up_proj.weight" for e in range(2)]  # make a router of the gate
    with pytest.raises(ValueError, match=r"llama-quantize never quantizes .*; leave it out"):
        recipe([name, *experts], "llama.cpp")


@pytest.mark.parametrize("name", ["blk.0.attn_Q.weight", "blk.0.a=b.weight"])
def test_what_llama_cpp_could_not_hear_is_refused(name):
    with pytest.raises(ValueError, match=r"cannot be told of .*lower case, up to the first '='"):
        recipe([name], "llama.cpp")


def as_llama_quantize_reads(arguments, tensors):
    """Which tensors get which type, as llama-quantize decides it.

    `parse_tensor_type` of tools/quantize/quantize.cpp ends the pattern at the first "=" and lower-cases it;
    `tensor_allows_quantization` of src/llama-quant.cpp passes over biases, norms, routers and small convolutions;
    `llama_tensor_get_type` there searches the rest of the names for the first pattern that occurs in them.
    """
    rules = []
    for flag, argument in zip(arguments[::2], arguments[1::2], strict=True):
        assert flag == "--tensor-type"
        pattern, _, kind = argument.partition("=")
        rules.append((re.compile(pattern.lower()), kind))
    kept = ("_norm.weight", "ffn_gate_inp.weight", "ssm_conv1d")
    quantized = [name for name in tensors if name.endswith("weight") and not any(part in name for part in kept)]
    found = {name: next((kind for rule, kind in rules if rule.search(name)), None) for name in quantized}
    return {name: kind for name, kind in found.items() if kind is not None}


def test_llama_cpp_gives_its_type_to_exactly_the_selected():
    parts = ("attn_q", "attn_k", "attn_output", "attn_norm", "ffn_up", "ffn_down", "ffn_gate_inp", "ffn_down_exps")
    tensors = [f"blk.{n}.{part}.{kind}" for n in range(LAYERS) for part in parts for kind in ("weight", "bias")]
    names = [*chosen([1, 10, 11], PARTS[:2]), *chosen([1], PARTS[4:])]
    expected = [f"blk.{n}.{part}.weight" for n in (1, 10, 11) for part in ("attn_q", "attn_k")]
    found = as_llama_quantize_reads(recipe(grid(names), "llama.cpp", type="q6_k"), tensors)
    assert found == dict.fromkeys([*expected, "blk.1.ffn_down.weight"], "q6_k")


def test_llama_cpp_finds_latent_keys_and_values_whole_or_in_the_halves_that_its_converter_makes():
    pattern = recipe(["model.layers.7.self_attn.kv_b_proj.weight"], "llama.cpp")[1].partition("=")[0]
    found = [
        part
        for part in ("k_b", "v_b", "kv_b", "q_b", "v", "kv_a_mqa")
        if re.search(pattern, f"blk.7.attn_{part}.weight")
    ]
    assert found == ["k_b", "v_b", "kv_b"]


# Models whose tensors llama.cpp's converter takes over one by one, with the name that it has for their architecture.
CONVERTED = {
    "bloom": "bloom",
    "cohere": "command-r",
    "deepseek_v2": "deepseek2",
    "exaone4": "exaone4",
    "gemma": "gemma",
    "gemma2": "gemma2",
    "glm4": "glm4",
    "gpt2": "gpt2",
    "gpt_neox": "gptneox",
    "granite": "granite",
    "jamba": "jamba",
    "llama": "llama",
    "mamba": "mamba",
    "mamba2": "mamba2",
    "mistral": "llama",
    "mixtral": "llama",
    "mpt": "mpt",
    "olmo2": "olmo2",
    "olmoe": "olmoe",
    "phi": "phi2",
    "phi3": "phi3",
    "qwen2": "qwen2",
    "qwen2_moe": "qwen2moe",
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe",
    "smollm3": "smollm3",
    "stablelm": "stablelm",
    "starcoder2": "starcoder2",
}


@pytest.mark.parametrize("family", CONVERTED)
def test_llama_cpp_finds_each_matrix_where_its_converter_put_it(family):
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    (architecture,) = (key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == CONVERTED[family])
    names = gguf.get_tensor_name_map(architecture, 100)
    shapes, truth = MODELS.get(f"{family} saved") or MODELS[f"{family} module"]
    wrong, known = {}, 0
    for name, (*_, expert, _) in truth.items():
        shape = shapes[name]
        merged = name if expert in (None, "shared", "*") else re.sub(r"\.experts\.\d+", ".experts", name)
        tensor = names.get_name(merged, (".weight", ".bias"))
        if tensor is None or shape is None or len(shape) < 2:
            continue
        try:
            (_, value) = recipe([name], "llama.cpp")
        except ValueError as error:
            if "never quantizes" not in str(error) and "is not known" not in str(error):
                raise
            continue
        known += 1
        if not re.search(value.partition("=")[0], tensor):
            wrong[name] = (value, tensor)
    assert wrong == {}
    assert known > 3


def test_an_option_of_another_tool_is_refused():
    with pytest.raises(TypeError, match="rank"):
        recipe(ALL, "names", rank=8)


# --- The real libraries ----------------------------------------------------------------------------------


def tiny_llama():
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: make test-tools does it")
    config = transformers.LlamaConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        num_key_value_heads=1,
        vocab_size=64,
    )
    return transformers.LlamaForCausalLM(config)


def test_freezing_a_torch_module_stops_exactly_the_selected():
    pytest.importorskip("torch", reason="torch is not installed: make test-tools does it")
    model = tiny_llama()
    names = chosen([2, 11], PARTS[:2])
    assert sorted(recipe(names, "freeze")(model)) == sorted(names)
    assert sorted(name for name, p in model.named_parameters() if not p.requires_grad) == sorted(names)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # transformers' own, while PEFT wraps the model
def test_peft_adapts_exactly_the_selected_modules():
    pytest.importorskip("torch", reason="torch is not installed: make test-tools does it")
    peft = pytest.importorskip("peft", reason="peft is not installed: make test-tools does it")
    model = tiny_llama()
    everything = [name for name, _ in model.named_parameters()]
    names = [*chosen([1, 2, 10, 11], PARTS[:1]), *chosen([1], PARTS[3:])]
    config = recipe(grid(names, everything), "peft", rank={"attn.q": 2, "mlp.up": 5})
    adapted = peft.get_peft_model(model, peft.LoraConfig(**config))
    ranks = {
        name.removeprefix("base_model.model.").removesuffix(".lora_A.default.weight"): parameter.shape[0]
        for name, parameter in adapted.named_parameters()
        if "lora_A" in name
    }
    assert sorted(ranks) == sorted(modules(names))
    assert ranks["model.layers.10.self_attn.q_proj"] == 2
    assert ranks["model.layers.1.mlp.up_proj"] == 5
    assert ranks["model.layers.1.mlp.down_proj"] == 8  # PEFT's default


@pytest.mark.filterwarnings("ignore")  # of the libraries' own
def test_a_cell_of_a_fused_matrix_stands_for_its_whole_module():
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: make test-tools does it")
    peft = pytest.importorskip("peft", reason="peft is not installed: make test-tools does it")
    config = transformers.GPT2Config(n_embd=16, n_layer=3, n_head=2, vocab_size=64)
    model = transformers.GPT2LMHeadModel(config)
    grid = LayerGrid(model)
    assert grid.components[:4] == ["attn.q", "attn.k", "attn.v", "attn.o"]
    grid.selection = [(1, "attn.q"), (1, "attn.v")]
    adapted = peft.get_peft_model(model, peft.LoraConfig(**recipe(grid, "peft", rank=2), fan_in_fan_out=True))
    halves = [name for name, _ in adapted.named_parameters() if "lora_A" in name]
    assert halves == ["base_model.model.transformer.h.1.attn.c_attn.lora_A.default.weight"]


@pytest.mark.filterwarnings("ignore")  # of the libraries' own
def test_llm_compressor_leaves_out_exactly_the_selected_modules():
    matching = pytest.importorskip(
        "compressed_tensors.utils.match", reason="compressed-tensors is not installed: make test-tools does it"
    )
    ignore = recipe(grid(chosen([1, 10, 11], PARTS[1:4])), "llm-compressor")
    linear = {name for name, _ in matching.match_named_modules(tiny_llama(), ["Linear"])} - {"lm_head"}
    kept = {name for name, _ in matching.match_named_modules(tiny_llama(), ["Linear"], ignore)} - {"lm_head"}
    assert linear - kept == set(modules(chosen([1, 10, 11], PARTS[1:4])))


class Parameter:
    requires_grad = True

    def requires_grad_(self, on):
        self.requires_grad = on


class Module:
    """As much of a torch module as freezing asks for."""

    def __init__(self, *names):
        self.parameters = {name: Parameter() for name in names}

    def named_parameters(self):
        return self.parameters.items()


def test_freezing_takes_parameters_and_modules_by_name():
    module = Module("a.weight", "a.bias", "ab.weight", "c.weight", "c.bias")
    assert recipe(["a.weight", "c"], "freeze")(module) == ["a.weight", "c.weight", "c.bias"]
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["a.bias", "ab.weight"]


def test_freezing_what_is_not_there_changes_nothing():
    module = Module("a.weight")
    with pytest.raises(ValueError, match=r"no parameter 'a\.wieght'; did you mean 'a\.weight'"):
        recipe(["a.weight", "a.wieght"], "freeze")(module)
    assert module.parameters["a.weight"].requires_grad

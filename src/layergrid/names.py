"""Parameter names to addresses: which stack, layer, component and expert a tensor belongs to.

The reading is a table of naming conventions, not a list of model families. A name is cut into words; the
first list that holds blocks (``layers.3``, ``h.3``, ``blk.3``) gives the layer; the words after it say the
place inside the block (attention, MLP, state space ...) and then the part of that place. What no row of the
tables knows stays under its own name. `docs/names.md` explains the vocabulary and how to add a convention.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Shape = Sequence[int] | None


@dataclass(frozen=True)
class Address:
    """Where in a network a tensor sits."""

    stack: str = ""
    """Which stack of layers: "encoder", "vision", "stage.2" ...; "" for the only one."""

    layer: int | None = None
    """Index of the layer in its stack, from 0; None where one tensor holds all layers."""

    component: str = ""
    """Word of the vocabulary ("attn.q", "mlp.down", "norm" ...), else the part's own name."""

    expert: int | str | None = None
    """Index of the expert; "shared" for a shared one; "*" where dimension 0 runs over the experts."""

    flags: frozenset[str] = frozenset()
    """What else the name says: "bias", "fused", "stacked", "transposed", "sub:1", "lora_A" ..."""

    part: str = ""
    """What the code calls it inside the layer: "self_attn.q_proj", "input_layernorm"."""


CORE = frozenset(
    {
        *("attn.q", "attn.k", "attn.v", "attn.o", "attn.qkv", "attn.kv"),
        *("attn.q_a", "attn.q_b", "attn.kv_a", "attn.kv_b", "attn.k_b", "attn.v_b"),
        *("cross_attn.q", "cross_attn.k", "cross_attn.v", "cross_attn.o", "cross_attn.kv"),
        *("mlp.up", "mlp.gate", "mlp.down", "mlp.gate_up", "moe.router", "moe.shared_gate"),
        *("ssm.in", "ssm.out", "ssm.x", "ssm.dt", "ssm.conv", "ssm.A", "ssm.D", "norm"),
    }
)
"""The words that mean the same in every model; every other component is some part's own name."""

# Words that wrappers put around a model's own names: DataParallel, torch.compile, PEFT, FSDP, checkpointing.
WRAPPERS = frozenset(
    {
        *("module", "_orig_mod", "base_model", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"),
        *("_forward_module", "base_layer", "params", "orig_module"),
    }
)

# A list of blocks, before the index. `layers.3`, `transformer_blocks.3`, `decoder_block_3`.
BLOCKS = re.compile(
    r"layers?|h|blocks?|blk|resblocks|(?:transformer|single_transformer|decoder|encoder|double|single)_(?:blocks?|layers?)"
    r"|albert_layer_groups|stages?"
)

# The kind of a tensor: its last word, where that is not a part of the network.
WEIGHT = re.compile(r"weight|kernel|w|embeddings?|scale|gamma|beta")
BIAS = re.compile(r"bias|b")
QUANT = re.compile(
    r"qweight|qzeros|scales|g_idx|weight_scale(?:_inv)?|input_scale|weight_zero_point|absmax|quant_map"
)

# Place: the words inside a block that say which sub-module this is. A later word overrides an earlier one,
# except that a plain attention word inside a more special attention changes nothing.
PLACES: tuple[tuple[str, str], ...] = (
    ("attn", r"(?:.*_)?(?:attn|attention|mha|msa|selfattention)\d?"),
    ("cross_attn", r"(?:.*_)?(?:cross|encoder|enc_dec)_(?:attn|attention)|crossattention|attn2"),
    ("mlp", r"(?:.*_)?(?:mlp|ffn|ff|ffw|feed_forward|feedforward|moe|dense_relu_dense)\d?"),
    ("ssm", r"mamba\d?|ssm|mixer"),
    ("linear_attn", r"(?:.*_)?linear_(?:attn|attention)|time_mix"),
    ("bottleneck", r"bottleneck"),
)


def _projection(words: str) -> str:
    """The pattern of a matrix called by one of the words, with the usual affixes."""
    return rf"(?:to_|linear_|proj_|c_|w)?(?:{words})(?:_proj|_projection|_lin|_linear|_layer)?"


# Part: (place, what is left of the name, component). A row further down is more special and wins.
# "attn" rows serve cross-attention too. "" stands for a direct child of the block.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("attn", r"(?:self\.)?" + _projection("q|query"), "q"),
    ("attn", r"(?:self\.)?" + _projection("k|key"), "k"),
    ("attn", r"(?:self\.)?" + _projection("v|value"), "v"),
    (
        "attn",
        r"proj|projection|dense|linear_proj|output\.dense|c_proj|to_out\.0|" + _projection("o|out|output"),
        "o",
    ),
    ("attn", r"c_attn|query_key_value|in_proj|" + _projection("qkv"), "qkv"),
    ("attn", r"key_value|" + _projection("kv"), "kv"),
    (
        "mlp",
        r"up_proj|up|c_fc|fc1|fc_in|dense_h_to_4h|lin1|wi|w3|fc11|net\.0\.proj|intermediate_dense|layer_1",
        "up",
    ),
    ("mlp", r"gate_proj|w1|wi_0|fc12|gating", "gate"),
    (
        "mlp",
        r"down_proj|down|c_proj|fc2|fc_out|dense_4h_to_h|lin2|wo|w2|net\.2|output_dense|layer_2|linear_fc2",
        "down",
    ),
    ("mlp", r"gate_up_proj|linear_fc1", "gate_up"),
    ("", r"ffn|fc1|linear1|intermediate\.dense", "mlp.up"),
    ("", r"ffn_output|fc2|linear2|output\.dense", "mlp.down"),
    ("mlp", r"router|gate|gate_inp", "moe.router"),
    ("ssm", r"in_proj|in", "in"),
    ("ssm", r"out_proj|out", "out"),
    ("ssm", r"x_proj|x", "x"),
    ("ssm", r"dt_proj|dt", "dt"),
    ("ssm", r"conv1d", "conv"),
    ("ssm", r"a_log|a", "A"),
    ("ssm", r"d", "D"),
)

NORM = re.compile(r"(?:.*_)?(?:norm|ln|layernorm|rmsnorm)(?:_?[0-9f])?|.*norm\d?")

_PLACES = tuple((place, re.compile(pattern)) for place, pattern in PLACES)
_PARTS = tuple((place, re.compile(pattern), part) for place, pattern, part in reversed(PARTS))
_COMPOUND = re.compile(r"(cross_attn|attn|attention|ffn|ffw|ssm)_(.+)")
_COMPOUND_PLACE = {"attention": "attn", "ffn": "mlp", "ffw": "mlp"}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STACKS = re.compile(r"encoder|decoder|enc|dec|text|vision|visual|audio|qformer")


def parse_name(name: str, shape: Shape = None) -> Address | None:
    """Address of one parameter; None where the name belongs to no block."""
    return _parse(name)


def parse_names(names: Mapping[str, Shape]) -> dict[str, Address | None]:
    """Address of every parameter of one model."""
    return {name: _parse(name) for name in names}


@lru_cache(maxsize=65536)
def _parse(name: str) -> Address | None:
    words = [word for word in re.split(r"[./]", name) if word not in WRAPPERS]
    words = [_CAMEL.sub("_", word).lower() for word in words]
    words = [piece for word in words for piece in _split_index(word)]
    for at in range(len(words) - 1):
        if words[at + 1].isdigit() and BLOCKS.fullmatch(words[at]):
            break
    else:
        return None
    stack = next((word for word in words[:at] for word in word.split("_") if _STACKS.fullmatch(word)), "")
    layer = int(words[at + 1])
    inner = words[at + 2 :]
    flags: set[str] = set()
    if len(inner) > 1 and inner[0] in ("layer", "albert_layers") and inner[1].isdigit():
        flags.add(f"sub:{inner[1]}")
        inner = inner[2:]
    inner = _cut_kind(inner, flags)
    expert: int | str | None = None
    kept: list[str] = []
    for word in inner:
        if word.isdigit() and kept and kept[-1] in ("experts", "expert", "local_experts"):
            expert = int(word)
            kept.pop()
        else:
            kept.append(word)
    if any(word in ("shared_expert", "shared_experts") for word in kept):
        expert = "shared"
    component = _component(
        [word for word in kept if not re.fullmatch(r"(?:shared_)?experts?|local_experts", word)], kept
    )
    return Address(stack, layer, component, expert, frozenset(flags), ".".join(inner))


def _split_index(word: str) -> list[str]:
    """``decoder_block_3`` is ``decoder_block`` and ``3``."""
    match = re.fullmatch(r"(.*?(?:block|layer|expert|h))_(\d+)", word)
    return [match[1], match[2]] if match and match[1] not in ("layer",) else [word]


def _cut_kind(inner: list[str], flags: set[str]) -> list[str]:
    """The path without its last word where that says weight, bias or a quantizer's companion."""
    for at, word in enumerate(inner):
        if word in ("lora_a", "lora_b"):
            flags.add(word[:-1] + word[-1].upper())
            return inner[:at]
    last = inner[-1] if inner else ""
    if BIAS.fullmatch(last):
        flags.add("bias")
    elif QUANT.fullmatch(last):
        flags.add(f"quant_{last}")
    elif not WEIGHT.fullmatch(last):
        for kind in ("_weight", "_bias"):
            if last.endswith(kind):
                if kind == "_bias":
                    flags.add("bias")
                return [*inner[:-1], last.removesuffix(kind)]
        return inner
    return inner[:-1]


def _component(words: list[str], raw: list[str]) -> str:
    own = ".".join(raw) or "other"
    if words and NORM.fullmatch(words[-1]):
        return "norm"
    place, rest = "", words
    for at, word in enumerate(words):
        for candidate, pattern in reversed(_PLACES):
            if pattern.fullmatch(word) and at < len(words) - 1:
                if not (candidate == "attn" and place in ("cross_attn", "linear_attn")):
                    place = candidate
                rest = words[at + 1 :]
                break
    if not place and len(words) == 1 and (match := _COMPOUND.fullmatch(words[0])):
        place, rest = _COMPOUND_PLACE.get(match[1], match[1]), [match[2]]
    tail = ".".join(rest)
    if (
        place == "mlp" and tail == "gate" and len(words) == 1
    ):  # GGUF: ffn_gate is the activation's, mlp.gate routes
        return "mlp.gate"
    rows = "attn" if place == "cross_attn" else place
    for row_place, pattern, part in _PARTS:
        if row_place == rows and pattern.fullmatch(tail):
            return part if "." in part else f"{place}.{part}"
    return own if own not in CORE else f"other.{own}"

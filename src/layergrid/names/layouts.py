"""The tables of how fused matrices are laid out, and of what configs call the heads. Only data; `fused` applies it.

A fused matrix holds its parts one after the other, once or in each of several groups: q | k | v over all heads, or
q, k, v of the first head, then those of the second. The names alone do not tell which, so the tables also ask for the
model's type. In each table a row further down is more special and wins over the rows above it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Groups = Literal["one", "kv_heads", "four", "each", "unknown"]
"""How often the parts repeat: once; for each head of the keys; four times; row by row."""


class LayoutRow(NamedTuple):
    """One convention of laying out the parts of a fused matrix."""

    name: str
    """What the whole name must match, from a separator on; case counts, for `Wqkv` is not `wqkv`."""

    model_type: str
    """What `model_type` in the config, of the model or of one of its parts, must match; "" asks for none."""

    order: tuple[str, ...]
    """The parts in the order of the rows."""

    groups: Groups

    flags: frozenset[str] = frozenset()
    """What the tensor's address must be flagged as."""


PARTS = {"qkv": ("q", "k", "v"), "kv": ("k", "v"), "gate_up": ("gate", "up")}
"""The parts of each fused component, and their usual order."""

_QKV, _KV, _GATED = PARTS["qkv"], PARTS["kv"], PARTS["gate_up"]
_UP_FIRST = ("up", "gate")

LAYOUTS: dict[str, tuple[LayoutRow, ...]] = {
    "qkv": (
        LayoutRow(r"(?:to_|fused_|fast_)?qkv(?:_proj|_linear|_packed|_einsum)?", "", _QKV, "one"),
        LayoutRow(r"(?:attn_|in_proj_)qkv|Wqkv|W_pack|att_proj|in_proj(?:_weight|_bias)?|c_attn", "", _QKV, "one"),
        LayoutRow(r"layernorm_qkv[./]1", "", _QKV, "one"),
        # Megatron's word and way: for each head of the keys its queries, its key, its value.
        LayoutRow(r"query_key_value|linear_qkv", "", _QKV, "kv_heads"),
        LayoutRow(r"encoder[./]layers[./]\d+[./]self_attention[./]query_key_value", "chatglm", _QKV, "one"),
        LayoutRow(r".*query_key_value", "cogvlm", _QKV, "one"),
        LayoutRow(r"vision[./].*query_key_value", "", _QKV, "one"),
        LayoutRow(r"self[./]in_proj", "", _QKV, "kv_heads"),  # DeBERTa
        # Meta's short form stacks the parts, InternLM's interleaves them.
        LayoutRow(r"wqkv", "", _QKV, "unknown"),
        LayoutRow(r"wqkv", r"(?!internlm2).+", _QKV, "one"),
        LayoutRow(r"wqkv", "internlm2", _QKV, "kv_heads"),
        LayoutRow(r"c_attn", "gpt_bigcode", _QKV, "kv_heads"),
        LayoutRow(r"attn_qkv", "persimmon", _QKV, "kv_heads"),  # other models' are put in order for GGUF
        LayoutRow(r"attn_(?:block|grid)[./]attn[./]qkv", "", _QKV, "unknown"),  # head by head in some MaxViTs
        # CodeGen keeps the four shards it was trained in, and values before keys. Others share its words.
        LayoutRow(r"h[./]\d+[./]attn[./]qkv_proj", "", _QKV, "unknown"),
        LayoutRow(r"h[./]\d+[./]attn[./]qkv_proj", "codegen", ("q", "v", "k"), "four"),
    ),
    "kv": (
        LayoutRow(r"(?:to_)?kv(?:_proj|_einsum)?", "", _KV, "one"),
        LayoutRow(r"key_value|linear_kv", "", _KV, "kv_heads"),
    ),
    "gate_up": (
        LayoutRow(r"(?:mlp_)?gate_up(?:_proj)?(?:_bias)?|up_gate_proj|fused_gate_up|w12|w13", "", _GATED, "one"),
        LayoutRow(r"input_linear|linear_fc1|dense_h_to_4h|Wi|gating_einsum|weights_in", "", _GATED, "one"),
        LayoutRow(r"ffn_up|ffn_gate_up_exps", "", _GATED, "one"),
        LayoutRow(r"net[./]0[./]proj|ff_proj", "", _UP_FIRST, "one"),
        # Experts stored (in, out) have their halves one after the other in Llama 4, column by column in gpt-oss.
        LayoutRow(r"gate_up_proj", "", _GATED, "unknown", frozenset({"stacked", "transposed"})),
        LayoutRow(r"gate_up_proj_bias", "", _GATED, "unknown"),
        LayoutRow(r"gate_up_proj(?:_bias)?", ".+", _GATED, "one"),
        LayoutRow(r"gate_up_proj(?:_bias)?", "gpt_oss", _GATED, "each"),
    ),
}
"""By the fused part: every row that is known. A name that no row matches is not taken apart."""

HEADS_FIRST = r".*\.attention_biases|(?:.*\.)?stage\.\d+\.(?:.*\.)?rel_pos\..*"
"""Stack and part of what only layers hold that go head by head, as LeViT and its like do, whose keys are narrower than
their values, and CoAtNet; such layers are left whole."""

HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention.head_count")
"""What configs call the number of heads of the queries."""

KV_HEADS = (
    *("num_key_value_heads", "num_kv_heads", "n_kv_heads", "n_head_kv", "kv_n_heads", "num_query_groups"),
    *("multi_query_group_num", "attention.head_count_kv"),
)
"""And of the keys and values, where they have fewer."""

HEAD_SIZE = ("head_dim", "kv_channels", "d_kv", "attention.key_length")
"""And how many numbers each head has, where they say so."""

SUB_CONFIGS = {
    "text": ("text_config", "llm_config", "language_config"),
    "vision": ("vision_config", "visual", "vit_config", "vision_tower_config"),
    "audio": ("audio_config", "speech_config"),
    "encoder": ("encoder", "encoder_config", "text_encoder"),
    "decoder": ("decoder", "decoder_config", "text_config"),
    "qformer": ("qformer_config",),
}
"""What configs call the part that describes a stack."""

"""The tables: what the words in parameter names mean. Only data; `reader` and `model` apply it.

Every pattern must match the whole of what it is held against, in lower case, with CamelCase already cut into
snake_case. In each table a row further down is more special and wins over the rows above it.
"""

from __future__ import annotations

# --- Around the model ------------------------------------------------------------------------------------

# Put around or between a model's own names by DataParallel, torch.compile, PEFT, FSDP, checkpointing, Flax.
WRAPPERS = (
    r"module|_orig_mod|orig_module|base_model|base_layer|_fsdp_wrapped_module|_checkpoint_wrapped_module"
    r"|_forward_module|params|target|parametrizations|original_module|_module"
)

# --- Lists of blocks -------------------------------------------------------------------------------------

# The word before the index: `layers.3`, `h.3`, `transformer_blocks.3`, `encoderblock_3`.
BLOCK_LISTS = r"(?:\w*_)?(?:layers?|blocks?|blk|resblocks|h|groups?|stages?)|encoderblock|decoderblock|transformer"

# Lists that look like blocks and are something else: convolution stems, U-Net stages, heads, norms by layer.
OTHER_LISTS = (
    r"\w*(?:conv|norm|embed|embedding|proj|projector|fc|mlp|ffn?|ffw|linear|adapter|pool|head|upsample|downsample|fpn"
    r"|hidden)"
    r"_(?:layers?|blocks?)|(?:down|mid|up)(?:_blocks?)?|\w*merger\w*"
)

# A list inside a block, `block.0.layer.1`, which numbers the block's own parts: (outer list, inner list).
SUB_LISTS = ((r"blocks?|layers", r"layer"), (r"\w*layer_groups", r"\w*layers"))

# Lists of stages, each of which lists its own blocks: `stages.0.blocks.1`, `layer1.0`, `block.0.1`.
STAGE_LISTS = r"(?:\w*_)?(?:stages?|blocks?|features|layer)"

# Any other list counts as one where such a place follows its index: `conformer.3.attention`.
BLOCK_PLACES = frozenset({"attn", "cross_attn", "mlp", "ssm", "linear_attn"})

# A list of cross-attention only, `cross_attn_layers.3.q_proj`.
CROSS_LISTS = r"(?:\w*_)?cross_(?:attn|attention)_\w+"

# In `layers.0.blocks.1` models the norms are counted by stage.
BY_STAGE = frozenset({"norm"})
BY_STAGE_LISTS = ("blocks",)

# One tensor for all layers, as `jax.lax.scan` wants them: `decoder/layers/mlp/wi_0/kernel`.
SCANNED_LISTS = r"layers|blocks|encoderblock|decoderblock|h"

# Models that list each part by itself: `attentions.3.q_lin`, `layer_norm1.3`.
PART_LISTS = r"attentions|ffns|layer_norm\d+|encoder_attns?"

# Before the list: around the blocks. A list in here holds blocks only if it has attention or MLPs.
OUTSIDE = (
    r"(?:\w*_)?(?:heads?|embed|embedder|embeddings?|projectors?|predictor|merger|stem|classifier)"
    r"|feature_extractor|\w*guidance\w*"
)

# --- Stacks ----------------------------------------------------------------------------------------------

# What a stack is called, from the words before its list; a stack no row knows takes its own words.
STACKS: tuple[tuple[str, str], ...] = (
    ("text", r"(?:\w*_)?(?:text|language|lm|llm|thinker)(?:_\w+)?"),
    ("vision", r"(?:\w*_)?(?:vision|visual|vit|image|vpm)(?:_\w+)?"),
    ("audio", r"(?:\w*_)?(?:audio|speech|acoustic)(?:_\w+)?"),
    ("encoder", r"(?:\w*_)?enc(?:oder)?(?:_\w+)?|encoderblock"),
    ("decoder", r"(?:\w*_)?dec(?:oder)?(?:_\w+)?"),
    ("qformer", r"q_?former"),
    ("global", r"global_\w+"),
)

# --- The last word: what kind of tensor this is ----------------------------------------------------------

# (flag, pattern); "" adds no flag. Matched against the last word, or against its end after an underscore
# where the whole word is itself no part (`gate_up_proj_bias`, `in_proj_weight`).
KINDS: tuple[tuple[str, str], ...] = (
    ("", r"weight|w|g|embeddings?|scale|gamma"),
    ("transposed", r"kernel"),
    ("bias", r"bias|b|beta|biases"),
    ("packed", r"weight_packed|blocks|q_weight|qweight_packed"),
    ("quant_qweight", r"qweight"),
    ("quant_qzeros", r"qzeros|weight_zero_point|zero_point|zeros"),
    (
        "quant_scales",
        r"scales|weight_scale|weight_scale_inv|scale_inv|weight_scales?_2|input_scale|output_scale|scb",
    ),
    ("quant_g_idx", r"g_idx|weight_g_idx|perm|q_perm|q_invperm|q_groups"),
    (
        "quant_state",
        r"absmax|quant_map|nested_absmax|nested_quant_map|quant_state|weight_shape|weight_format",
    ),
)

# What Flax NNX calls the array inside of a parameter: `kernel.value`.
INSIDE_PARAMETER = r"value|raw_value"

# Transformer Engine's grouped experts, `experts.linear_fc1.weight7`.
EXPERT_KINDS = r"(?P<kind>weight|bias)(?P<expert>\d+)"

# The same at the end of a parameter's own name: `gate_up_proj_bias`, `in_proj_weight`, `down_proj_scales`.
KIND_SUFFIXES = r"weight|bias|blocks|packed|scales|scale|scale_inv|zeros|zero_point"

LORA = r"lora_(?:embedding_)?(?P<which>a|b)"

# Components that hold several matrices.
FUSED = frozenset({"qkv", "kv", "gate_up"})

# --- Places: the words that name a sub-module of the block -----------------------------------------------

ATTENTION = r"(?:attns?|attentions?|mha|mhsa|msa|att)"

# (place, pattern). The last such word on the way down counts, except that plain attention or experts inside a
# more special attention leave it as it is (`crossattention.attention.query`, `self_attention.experts`).
PLACES: tuple[tuple[str, str], ...] = (
    ("attn", rf"(?!post_)(?:\w*_)?{ATTENTION}(?:_?(?:block|layer|module|cls))?_?\d?|temporal_block"),
    (
        "mlp",
        r"(?:\w*_)?(?:mlp|ffn|ff|ffw|feed_?forward|moe|dense_relu_dense|mlps|ffns)"
        r"(?:_?block|_layer|_module|_macaron|_in|_out|_start|_end|_?\d)?|mlp_?block_?\d",
    ),
    ("mlp", r"ffw_layer_(?:start|end)|mlp_(?:tokens?|channels?)|(?:\w*_)?transition"),
    ("mlp", r"dense_gated_act_dense|(?:\w*_)?experts?|mixture_of_experts|shared_mlp"),
    ("ssm", r"mamba_?\d?|ssm|mixer|mamba_mixer|mamba_block|temporal_block"),
    ("conv", r"(?:\w*_)?(?:conv|convolution|shortconv)(?:_?module|_?block)?|shortconv"),
    (
        "cross_attn",
        rf"(?:\w*_)?(?:cross|encoder|encoder_decoder|enc_dec|encdec|inter|src|context|x)_?{ATTENTION}(?:_\w+)?"
        rf"|\w+_to_\w+_{ATTENTION}|attn_?2",
    ),
    (
        "linear_attn",
        r"(?:\w*_)?(?:linear|lightning|gated_delta|delta)_?(?:attn|attention|net)"
        r"|(?:\w*_)?(?:retention|gla|kda|lru|rglru|rg_lru|mlstm|slstm|rwkv)(?:_(?:attn|attention|layer|block))?"
        r"|time_mix(?:er|ing)?|tmix",
    ),
    ("bottleneck", r"\w*bottleneck"),
    ("adapter", r"(?:\w*_)?adapters?(?:_\w+)?"),
    ("router", r"router|gate|wg"),
    ("rel_pos", r"(?:\w*_)?(?:cpb|bias|meta)_mlp|rel_pos"),
)

# Inside these nothing is another place any more: the MLP of an adapter, a router or a position bias is no block's.
CLOSED_PLACES = frozenset({"bottleneck", "adapter", "router", "rel_pos", "mod"})

# Norms are modules that hold no others; one that does is modulated by what it holds.
NORM_BLOCKS = r"norm_attn_norm"

# One word that holds place and part, as GGUF, Keras and OLMo write them: `attn_q`, `ffn_gate`, `att_proj`.
COMPOUNDS: tuple[tuple[str, str], ...] = (
    ("attn", r"(?:self_|_self_|img_|txt_)?(?:attn|attention|att)"),
    ("mlp", r"_?(?:ffn|ffw|ff|mlp|feed_?forward|channel_mix)"),
    ("ssm", r"ssm"),
    ("linear_attn", r"time_mix"),
    ("cross_attn", r"(?:cross_|enc_dec_)(?:attn|attention)"),
)


# Modules around another that say nothing of it: `layers.0.fn.to_q`.
THROUGH = frozenset({"fn", "wrap"})

# A module inside a matrix's own, `q_proj.linear`, `output.conv1d`: says nothing.
INSIDE_MATRIX = frozenset({"linear", "conv1d"})


def matrix(words: str) -> str:
    """The pattern of a matrix called by one of the words, with the affixes in use."""
    return (
        rf"(?:self\.|qkv_proj\.|output_projection\.)?_?(?:to_|w_?|c_|linear_|lin_|proj_|project_|projection_|x_)?(?:{words})"
        r"(?:_proj|_projection|_lin|_linear|_layer|_dense|_head|_einsum|_states|_w)?"
    )


# --- Parts: what a place consists of ---------------------------------------------------------------------

# (place, rest of the path below the place, component). "" stands for a direct child of the block. The rows of
# "attn" also serve the other kinds of attention, under those places' own names.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("attn", matrix("q|query|queries"), "q"),
    ("attn", r"input_linear|query\.proj", "q"),
    ("attn", r"key\.proj", "k"),
    ("attn", r"value\.proj", "v"),
    ("attn", matrix("k|key|keys"), "k"),
    ("attn", matrix("v|value|values"), "v"),
    ("attn", matrix("o|out|output|post|attn_vec|merge"), "o"),
    (
        "attn",
        r"proj|projection|projection_layer|dense|linear_proj|c_proj|proj_out|proj_final|fc|fc_out|final_linear|attn_?proj",
        "o",
    ),
    ("attn", r"(?:self_?)?output\.(?:dense|proj)|to_out\.0|(?:attn|attention)_out(?:put)?(?:_proj)?", "o"),
    (
        "attn",
        matrix("qkv|query_key_value|packed|pack|c_attn|qkv_packed|att|fused_qkv|queries_keys_values"),
        "qkv",
    ),
    ("attn", r"(?:self\.)?in_proj|c_attn|attn|attn_qkv|in_proj_qkv|layernorm_qkv(?:\.1)?", "qkv"),
    ("attn", r"layernorm_qkv\.(?:0|layer_norm)", "norm"),
    ("attn", matrix("kv|key_value|keys_values|k_v"), "kv"),
    ("attn", matrix("q_a|q_down"), "q_a"),
    ("attn", matrix("q_b|q_up"), "q_b"),
    ("attn", matrix("kv_a|kv_down|kv_a_proj_with_mqa|kv_a_mqa"), "kv_a"),
    ("attn", matrix("kv_b|kv_up"), "kv_b"),
    ("attn", matrix("k_b"), "k_b"),
    ("attn", matrix("v_b"), "v_b"),
    ("mlp", matrix("up|fc1|fc_1|fc_in|c_fc|lin1|lin_1|in|dense1|dense_1|dense_in|expand"), "up"),
    (
        "mlp",
        r"linear_?1|linear_in|fc|dense_h_to_4h|layer_?1|mlp1|wi(?:_1)?|w3|v1|fc11|fc1_x|c_fc_1|key|input|0",
        "up",
    ),
    (
        "mlp",
        r"net\.0\.proj|net\.0|intermediate(?:_dense)?|intermediate\.dense|dense\.dense|gating_2|inner",
        "up",
    ),
    ("mlp", r"w_in\.w_1|w_1|dense_0|conv_?1|proj_in|proj_1|input_linear|input_dense|linear_fc1", "up"),
    ("mlp", matrix("down|fc2|fc_2|fc_out|c_proj|lin2|lin_2|out|dense2|dense_2|dense_out|proj"), "down"),
    ("mlp", r"linear_?2|linear_out|linear_fc2|dense_4h_to_h|layer_?2|mlp2|wo|w2|value|output|linear", "down"),
    (
        "mlp",
        r"net\.2|net\.3|output(?:_dense)?|output\.dense|w_out|w_2|conv_?2|proj_out|proj_2|output_linear|2",
        "down",
    ),
    (
        "mlp",
        r"gate_proj|w1|wi_0|fc12|fc1_g|gating|c_fc_0|w_in\.w_0|linear_gate|proj_up_gate|gate_fc|gate_dense|proj_gate",
        "gate",
    ),
    (
        "mlp",
        r"(?:mlp_)?gate_up(?:_proj)?|up_gate_proj|up_gated_layer|gated_layers|w12|w13|fused_gate_up|gating_einsum|weights_in",
        "gate_up",
    ),
    ("mlp", r"weights_out", "down"),
    (
        "mlp",
        r"(?:router|gate|switch)(?:\.(?:layer|classifier|wg|linear|proj|gate|dense))?|wg|router_proj",
        "moe.router",
    ),
    ("mlp", r"shared_expert_gate", "moe.shared_gate"),
    ("router", r"layer|classifier|wg|linear|proj|gate|dense", "moe.router"),
    ("ssm", r"in_proj|in", "in"),
    ("ssm", r"out_proj|out|linear_out", "out"),
    ("ssm", r"x_proj|x|linear_x|bcdt_proj", "x"),
    ("ssm", r"dt_proj|dt", "dt"),
    ("ssm", r"conv_?1d", "conv"),
    ("ssm", r"a_log|a", "A"),
    ("ssm", r"d", "D"),
    ("ssm", r"dt_bias", "dt_bias"),
    ("ssm", r"w?qkv(?:_proj)?", "attn.qkv"),
    ("ssm", r"w?kv(?:_proj)?", "attn.kv"),
    ("ssm", r"wq", "attn.q"),
    ("ssm", r"q_proj", "attn.q"),
    ("ssm", r"k_proj", "attn.k"),
    ("ssm", r"v_proj", "attn.v"),
    ("ssm", r"o_proj", "attn.o"),
    ("ssm", r"up_proj", "mlp.up"),
    ("ssm", r"down_proj", "mlp.down"),
    ("ssm", r"gate", "moe.router"),
    ("", matrix("q|query"), "attn.q"),
    ("", matrix("k|key"), "attn.k"),
    ("", matrix("v|value"), "attn.v"),
    ("", r"o_proj|to_out(?:\.0)?", "attn.o"),
    ("", r"(?:to_)?qkv|qkv_proj|wqkv|query_key_value|queries_keys_values|token_mixer\.qkv", "attn.qkv"),
    ("", r"att_proj", "attn.qkv"),
    ("", r"queries", "attn.q"),
    ("", r"keys_values|(?:to_)?kv", "attn.kv"),
    ("", r"token_mixer\.proj", "attn.o"),
    (
        "",
        r"up_proj|ffn|fc1|fc_in|lin(?:ear)?_?1|intermediate(?:_\w+)?\.dense|dense_h_to_4h|c_fc|intermediate"
        r"|intermediate\.fc1|linear_up",
        "mlp.up",
    ),
    ("", r"down_proj|ffn_output|fc2|fc_out|lin(?:ear)?_?2|output(?:_\w+)?\.dense|dense_4h_to_h", "mlp.down"),
    ("", r"intermediate\.fc2|linear_down", "mlp.down"),
    ("", r"output", "mlp.down"),
    ("", r"post_attention", "attn.o"),
    ("", r"gate_proj", "mlp.gate"),
    ("", r"gate_up_proj", "mlp.gate_up"),
    ("", r"router(?:\.(?:layer|classifier|linear|proj))?", "moe.router"),
    ("", r"shared_expert_gate", "moe.shared_gate"),
)

# The second half of a compound word, where it differs from the same word in a path: (place, rest, component).
COMPOUND_PARTS: tuple[tuple[str, str, str], ...] = (
    ("attn", r"kv_a_mqa", "kv_a"),
    ("mlp", r"gate(?:_\d)?", "gate"),
    ("mlp", r"(?:up|in)(?:_\d)?", "up"),
    ("mlp", r"down(?:_\d)?|linear", "down"),
    ("mlp", r"gate_up", "gate_up"),
    ("mlp", r"gate_inp", "moe.router"),
    ("mlp", r"gate_inp_shexp", "moe.shared_gate"),
    ("mlp", r"proj", "up"),
)

# --- Norms and experts -----------------------------------------------------------------------------------

NORM = (
    r"(?:\w*_)?(?:\w*(?:layer|rms|group|batch|layr|qk)?norm|normalization|ln|bn)(?:_?\d+)?"
    r"|(?:norm|ln|layer_?norm|layernorm)_(?!\w*(?:proj|linear|emb|gate|qkv|mlp))\w+"
)

EXPERT_LISTS = r"(?:\w*_)?experts?|switch_mlp"
SHARED_EXPERTS = r"(?:shared?|share)_(?:experts?|mlp|expert_mlp)|shared_expert\w*"
EXPERT_SUFFIXES = (("_exps", "*"), ("_chexps", "*"), ("_shexp", "shared"))

# --- What one tensor's siblings say ----------------------------------------------------------------------

# A module that holds one of these is no softmax attention, whatever its projections are called.
LINEAR_ATTENTION_MARKS = (
    r"(?:\w+\.)?(?:a_log|dt_bias|\w*_?conv1d|time_decay|time_first|receptance|output_gate|f_a_proj|b_proj"
    r"|in_proj_(?:qkvz|ba|qkv|z|b|a))"
)

# GGUF puts the parts of a block side by side. What is called attention beside one of these is linear attention.
LINEAR_LAYER_MARKS = r"ssm_(?:alpha|beta|ba|f_a|f_b|g_a|g_b|conv1d_[qkv])"

# What matrices of one MLP mean together: (all these parts are there, none of these is, what they then are).
TOGETHER: tuple[tuple[frozenset[str], frozenset[str], dict[str, str]], ...] = (
    (frozenset({"w1", "w2"}), frozenset({"w3", "v1"}), {"w1": "mlp.up", "w2": "mlp.down"}),
    (frozenset({"w1", "w2", "c_proj"}), frozenset(), {"w1": "mlp.up", "w2": "mlp.gate"}),
    (frozenset({"w0", "w1", "w2"}), frozenset(), {"w0": "mlp.gate", "w1": "mlp.up", "w2": "mlp.down"}),
    (frozenset({"conv1", "conv2", "conv3"}), frozenset(), {"conv2": "mlp.conv2", "conv3": "mlp.down"}),
    (frozenset({"w12", "w3"}), frozenset(), {"w3": "mlp.down"}),
    (frozenset({"fc_1", "fc_2", "proj"}), frozenset(), {"fc_1": "mlp.gate", "fc_2": "mlp.up"}),
    (
        frozenset({"linear_1", "linear_2", "linear_3"}),
        frozenset(),
        {"linear_1": "mlp.gate", "linear_2": "mlp.down", "linear_3": "mlp.up"},
    ),
    (
        frozenset({"linear_1", "linear_2", "out_projection"}),
        frozenset(),
        {"linear_1": "mlp.gate", "linear_2": "mlp.up"},
    ),
    (frozenset({"proj", "gate_layer", "out"}), frozenset(), {"proj": "mlp.up", "gate_layer": "mlp.gate"}),
    (frozenset({"fc1", "fc2", "fc3"}), frozenset(), {"fc1": "mlp.gate", "fc2": "mlp.up", "fc3": "mlp.down"}),
    (frozenset({"l1", "l2", "l3"}), frozenset(), {"l1": "mlp.gate", "l2": "mlp.up", "l3": "mlp.down"}),
    (
        frozenset({"linear", "linear_v", "linear_1"}),
        frozenset(),
        {"linear": "mlp.gate", "linear_v": "mlp.up", "linear_1": "mlp.down"},
    ),
    (frozenset({"gate", "up", "down"}), frozenset(), {"gate": "mlp.gate"}),
    (frozenset({"gate", "up_proj", "down_proj"}), frozenset({"experts"}), {"gate": "mlp.gate"}),
)

# Gated halves of one matrix come as (gate, up), except where the code splits it the other way round.
UP_FIRST = r"net\.0\.proj"

# The parts that an expert has.
EXPERT_PARTS = frozenset({"mlp.up", "mlp.gate", "mlp.down", "mlp.gate_up"})
LARGEST_KERNEL = 16

# Which side of a matrix stored (out, in) is as wide as the layer: 1 for what reads from the layer, 0 for what
# writes to it.
WIDTH_SIDE = {
    **dict.fromkeys(("q", "k", "v", "qkv", "kv", "q_a", "kv_a", "up", "gate", "gate_up", "router"), 1),
    **dict.fromkeys(("o", "down"), 0),
}

"""Which rows of fused matrices are whose, held against the real classes.

Doubled queries and halved keys give the same scores, and values or ups four times as large with a quarter of the matrix
behind them the same output: to the last bit, as these are powers of two. Any wrong row changes the output.
"""

import copy

import pytest

from layergrid.names import parse_names, split_fused

torch = pytest.importorskip("torch", reason="torch is not installed: make test-tools does it")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: make test-tools does it")

SMALL = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 64},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
GROUPED = {**SMALL, "num_key_value_heads": 2}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2}
MODELS = {
    "gpt2": ("GPT2LMHeadModel", GPT2, "qkv"),
    "openai-gpt": ("OpenAIGPTLMHeadModel", GPT2, "qkv"),
    "gpt_bigcode, shared keys": ("GPTBigCodeForCausalLM", {**GPT2, "multi_query": True}, "qkv"),
    "gpt_bigcode": ("GPTBigCodeForCausalLM", {**GPT2, "multi_query": False}, "qkv"),
    "gpt_neox": ("GPTNeoXForCausalLM", SMALL, "qkv"),
    "gpt_neox_japanese": ("GPTNeoXJapaneseForCausalLM", {**SMALL, "intermediate_multiple_size": 2}, "qkv"),
    "bloom": ("BloomForCausalLM", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 64}, "qkv"),
    "falcon, shared keys": ("FalconForCausalLM", {**SMALL, "multi_query": True, "alibi": False}, "qkv"),
    "falcon, grouped keys": (
        "FalconForCausalLM",
        {**SMALL, "num_kv_heads": 2, "new_decoder_architecture": True},
        "qkv",
    ),
    "falcon": ("FalconForCausalLM", {**SMALL, "multi_query": False, "alibi": True}, "qkv"),
    "persimmon": ("PersimmonForCausalLM", {**SMALL, "qk_layernorm": False}, "qkv"),
    "codegen": ("CodeGenForCausalLM", {**GPT2, "n_embd": 64, "n_head": 8, "rotary_dim": 4, "n_positions": 64}, "qkv"),
    "phi3": ("Phi3ForCausalLM", GROUPED, "qkv up"),
    "mpt": ("MptForCausalLM", {"d_model": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 64}, "qkv"),
    "modernbert": ("ModernBertForMaskedLM", {**SMALL, "cls_token_id": 1, "sep_token_id": 2}, "qkv up"),
    "mixtral": ("MixtralForCausalLM", {**GROUPED, "num_local_experts": 4}, "up"),
    "granitemoe": ("GraniteMoeForCausalLM", {**GROUPED, "num_local_experts": 4}, "up"),
    "gpt_oss": ("GptOssForCausalLM", {**GROUPED, "num_local_experts": 4, "head_dim": 8}, "gate"),
    "llama4_text": (
        "Llama4ForCausalLM",
        {**GROUPED, "num_local_experts": 4, "head_dim": 8, "interleave_moe_layer_step": 1},
        "up",
    ),
}


@pytest.fixture(params=MODELS)
def model(request):
    name, options, parts = MODELS[request.param]
    cls = getattr(transformers, name)
    torch.manual_seed(0)
    made = cls(cls.config_class(**options)).eval()
    with torch.no_grad():
        for parameter_name, parameter in made.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (parameter.dim() == 1 and "norm" in parameter_name))
    return made, set(parts.split())


@pytest.mark.filterwarnings("ignore")  # of the libraries' own
def test_rows_are_whose_they_are_in_the_real_class(model):
    made, parts = model
    before = output(made)
    if "qkv" in parts:
        scaled_queries = scaled(made, {"attn.q": 2.0})
        assert not torch.equal(output(scaled_queries), before)
        assert torch.equal(output(scaled(scaled_queries, {"attn.k": 0.5})), before)
        assert torch.equal(output(scaled(made, {"attn.v": 4.0, "attn.o": 0.25})), before)
        assert not torch.equal(output(scaled(made, {"attn.o": 0.25})), before)
    if "up" in parts:
        assert torch.equal(output(scaled(made, {"mlp.up": 4.0, "mlp.down": 0.25})), before)
        assert not torch.equal(output(scaled(made, {"mlp.gate": 4.0, "mlp.down": 0.25})), before)
    if "gate" in parts:  # gpt-oss adds one to up, so that only a gate of zero ends the MLP
        nothing = output(scaled(made, {"mlp.down": 0.0}))
        assert torch.equal(output(scaled(made, {"mlp.gate": 0.0})), nothing)
        assert not torch.equal(output(scaled(made, {"mlp.up": 0.0})), nothing)


def output(model):
    with torch.no_grad():
        return model(input_ids=torch.arange(3, 21).reshape(2, 9)).logits


def scaled(model, factors):
    """A copy of the model, some components times a factor; biases of what comes last in a block stay."""
    copied = copy.deepcopy(model)
    shapes = {name: tuple(parameter.shape) for name, parameter in copied.named_parameters()}
    addresses = parse_names(shapes)
    pieces = split_fused(shapes, copied.config.to_dict(), addresses)
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            address = addresses[name]
            if address is None:
                continue
            if name not in pieces and not ("bias" in address.flags and address.component in ("attn.o", "mlp.down")):
                parameter *= factors.get(address.component, 1.0)
            for piece in pieces.get(name, ()):
                axis = parameter.dim() + piece.axis
                indices = range(parameter.shape[axis])
                own = [at for at in indices if piece.start <= at % piece.step < piece.start + piece.length]
                parameter[(slice(None),) * axis + (own,)] *= factors.get(piece.component, 1.0)
    return copied

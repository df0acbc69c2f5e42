"""Where in a network a tensor sits, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where in a network a tensor sits."""

    stack: str = ""
    """Which stack of layers: "encoder", "vision", "stage.2" ...; "" where there is only one."""

    layer: int | None = None
    """Index of the layer in its stack, from 0; None where one tensor holds all layers."""

    component: str = ""
    """A word of `CORE` ("attn.q", "mlp.down", "norm" ...), else the part's own name."""

    expert: int | str | None = None
    """Index of the expert; "shared" for a shared one; "*" where dimension 0 runs over the experts."""

    flags: frozenset[str] = frozenset()
    """What else is known: "bias", "fused", "stacked", "transposed", "sub:1", "lora_A", "quant_scales" ..."""

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
"""The components that mean the same in every model; any other component is some part's own name."""

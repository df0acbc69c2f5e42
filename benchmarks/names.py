"""Times `parse_names` on the names of one large model of each of three conventions.

usage: python benchmarks/names.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from layergrid import parse_names

Shape = tuple[int, ...]

ATTENTION = {"q": (64, 64), "k": (16, 64), "v": (16, 64), "o": (64, 64)}


def transformers_experts() -> Mapping[str, Shape]:
    """A mixture of experts as transformers names it."""
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (100, 64), "model.norm.weight": (64,)}
    for layer in range(26):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{part}_proj.weight": shape for part, shape in ATTENTION.items()}
        shapes[f"{at}.input_layernorm.weight"] = (64,)
        for expert in range(256):
            for part, shape in (("gate", (32, 64)), ("up", (32, 64)), ("down", (64, 32))):
                shapes[f"{at}.mlp.experts.{expert}.{part}_proj.weight"] = shape
    return shapes


def gguf_decoder() -> Mapping[str, Shape]:
    """A dense decoder as llama.cpp names it, very deep."""
    shapes: dict[str, Shape] = {}
    for layer in range(2200):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            shapes[f"blk.{layer}.{part}.weight"] = (64, 64)
        shapes[f"blk.{layer}.attn_norm.weight"] = shapes[f"blk.{layer}.ffn_norm.weight"] = (64,)
    return shapes


def fused_encoder() -> Mapping[str, Shape]:
    """A vision encoder with fused projections and biases, as timm names it."""
    shapes: dict[str, Shape] = {}
    for block in range(1700):
        for part, shape in (
            ("attn.qkv", (192, 64)),
            ("attn.proj", (64, 64)),
            ("mlp.fc1", (256, 64)),
            ("mlp.fc2", (64, 256)),
        ):
            shapes[f"blocks.{block}.{part}.weight"] = shape
            shapes[f"blocks.{block}.{part}.bias"] = shape[:1]
        for part in ("norm1", "norm2"):
            shapes[f"blocks.{block}.{part}.weight"] = shapes[f"blocks.{block}.{part}.bias"] = (64,)
    return shapes


def main() -> None:
    conventions: tuple[Callable[[], Mapping[str, Shape]], ...] = (transformers_experts, gguf_decoder, fused_encoder)
    for convention in conventions:
        shapes = convention()
        best = float("inf")
        for _ in range(3):
            begun = time.process_time()
            addresses = parse_names(shapes)
            best = min(best, time.process_time() - begun)
        placed = sum(address is not None for address in addresses.values())
        print(f"{convention.__name__}: {len(shapes)} names, {placed} in blocks, {best:.2f} s")


if __name__ == "__main__":
    main()

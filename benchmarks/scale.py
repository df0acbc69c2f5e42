"""Memory of a long scan, and the time to open a checkpoint of very many tensors; on sparse files that it makes.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/scale.py FOLDER
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ITEMSIZE = {"BF16": 2, "F32": 4}
METRICS = ["norm", "absmax"]

Shapes = Mapping[str, tuple[int, ...]]


def write_sparse(path: Path, dtype: str, shapes: Shapes) -> int:
    """A safetensors file of zeros, which takes no room on the disk; returns its length in bytes."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + math.prod(shape) * ITEMSIZE[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return 8 + len(text) + end


def write_large(folder: Path) -> None:
    """10 GB in one file: a decoder of hidden size 4096, and one tensor of 2 GB."""
    shapes: dict[str, tuple[int, ...]] = {"model.layers.0.mlp.experts.up_proj": (18, 4096, 14336)}
    for layer in range(34):
        for part in ("gate_proj", "up_proj"):
            shapes[f"model.layers.{layer}.mlp.{part}.weight"] = (14336, 4096)
    folder.mkdir(parents=True, exist_ok=True)
    size = write_sparse(folder / "model.safetensors", "BF16", shapes)
    print(f"{size / 1e9:.1f} GB in {len(shapes)} tensors", flush=True)


def write_many(folder: Path) -> None:
    """163 shards, 90,000 tensors and their index: the shape of a mixture of 256 experts in 58 layers."""
    names = [
        f"model.layers.{layer}.mlp.experts.{expert}.{part}.{kind}"
        for layer in range(3, 61)
        for expert in range(256)
        for part in ("gate_proj", "up_proj", "down_proj")
        for kind in ("weight", "weight_scale_inv")
    ]
    names += [f"model.layers.{layer}.self_attn.{part}.weight" for layer in range(61) for part in "qkvo"]
    folder.mkdir(parents=True, exist_ok=True)
    each = -(-len(names) // 163)
    weight_map = {}
    for shard in range(163):
        file = f"model-{shard + 1:05}-of-00163.safetensors"
        own = names[shard * each : (shard + 1) * each]
        write_sparse(folder / file, "F32", {name: (1, 1) if name.endswith("inv") else (128, 128) for name in own})
        weight_map |= dict.fromkeys(own, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    print(f"{len(names)} tensors in 163 shards", flush=True)


PEAK = """
import resource, sys
{statements}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_mb(statements: str) -> float:
    """Largest resident size of an interpreter that runs these statements, in MB."""
    script = PEAK.format(statements=statements)
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def main(folder: Path) -> None:
    write_large(folder / "large")
    scan = f"import layergrid; layergrid.scan({str(folder / 'large')!r}, {METRICS!r}, progress=False)"
    bare, imported = peak_mb(""), peak_mb("import layergrid, xarray; layergrid.scan")
    print(f"peak {peak_mb(scan):.0f} MB; interpreter {bare:.0f}, with what a scan imports {imported:.0f}", flush=True)
    write_many(folder / "many")
    from layergrid.scans.placement import place
    from layergrid.sources import open_source

    for _ in range(3):
        begun = time.perf_counter()
        source = open_source(folder / "many")
        opened = time.perf_counter()
        placement = place(source.tensors, source.missing, "matrices")
        placed = time.perf_counter()
        print(
            f"{len(source.tensors)} tensors opened in {opened - begun:.2f} s, "
            f"{len(placement.cells)} cells found in {placed - opened:.2f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

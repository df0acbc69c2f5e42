"""What the estimate in docs/scale.md is made of: rates of one core, of opening, of handing over, of the network.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=. python benchmarks/machines.py [--folder FOLDER]

Writes a few shards as those of a 671B checkpoint (F8_E4M3 weights with one factor per block of 128 x 128) and an
index of 163 shards and 90,000 tensors; needs 300 MB in the folder, and distributed. Rates of one core are bytes by the
processor time taken, so that what else runs on the machine shows little.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
from distributed import Client, LocalCluster
from tests.sources.server import serving

import layergrid as lg
from layergrid.metrics import measure
from layergrid.scans.tasks import Job, run_task
from layergrid.sources import open_source

SHARDS, TENSORS = 163, 90_000
EXPERT = (2048, 7168)


def write_shard(path: Path, tensors: dict[str, tuple[str, tuple[int, ...]]], codes: bytes | None) -> None:
    """A shard of the given names, dtypes and shapes; without `codes` the data are a hole in the file."""
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = int(np.prod(shape)) * {"F8_E4M3": 1, "F32": 4}[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if codes is None:
            file.truncate(8 + len(text) + end)
            return
        for dtype, shape in tensors.values():
            file.write(codes if dtype == "F8_E4M3" else np.full(shape, 2e-4, "<f4").tobytes())


def expert(layer: int, number: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    name = f"model.layers.{layer}.mlp.experts.{number}.up_proj.weight"
    blocks = tuple(-(-length // 128) for length in EXPERT)
    return {name: ("F8_E4M3", EXPERT), f"{name}_scale_inv": ("F32", blocks)}


def write_index(folder: Path) -> None:
    per_shard = TENSORS // SHARDS // 2
    weight_map = {}
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05d}-of-{SHARDS:06d}.safetensors"
        tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
        for number in range(per_shard):
            tensors |= expert(shard % 61, 1000 * shard + number)
        write_shard(folder / name, tensors, None)
        weight_map |= dict.fromkeys(tensors, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def core_seconds(call, times: int = 2) -> float:
    """Processor time of a call, the least of some."""
    took = []
    for _ in range(times):
        start = time.process_time()
        call()
        took.append(time.process_time() - start)
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", default=None)
    folder = Path(tempfile.mkdtemp(dir=parser.parse_args().folder))
    shard, index = folder / "shard", folder / "index"
    for path in (shard, index):
        path.mkdir()
    write_index(index)
    print(f"open {SHARDS} shards, {TENSORS} tensors     {core_seconds(lambda: open_source(index)):8.2f} s")

    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    for number in range(16):
        tensors |= expert(0, number)
    codes = (40 * np.random.default_rng(0).standard_normal(EXPERT)).astype(np.float32)
    write_shard(shard / "model.safetensors", tensors, codes.astype(ml_dtypes.float8_e4m3fn).tobytes())
    size_bytes = sum(tensor.nbytes for tensor in open_source(shard).tensors.values()) / 4  # codes: a byte each
    for metrics in (["rms"], ["rms", "max", "sparsity", "kurtosis"]):
        with ThreadPoolExecutor(1) as pool:
            took = core_seconds(lambda m=metrics, p=pool: lg.scan(shard, m, executor=p, progress=False))
        print(f"{len(metrics)} metrics, a core          {size_bytes / took / 1e9:8.2f} GB/s")

    tensor = next(iter(open_source(shard).tensors.values()))
    for metric in ("stable_rank", "effective_rank"):
        took = core_seconds(lambda m=metric: measure(tensor, [m]), 1)
        print(f"{metric} of {EXPERT[0]} x {EXPERT[1]}  {took:8.2f} s")

    with serving(shard) as server:
        took = core_seconds(lambda: lg.scan(f"{server.url}/model.safetensors", "rms", progress=False))
        requests = len(server.asked)
    print(f"rms over http, both ends       {size_bytes / took / 1e9:8.2f} GB/s, {requests // 2} requests")

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        task = [Job(number, (tensor,)) for number in range(5)]
        list(executor.map(nothing, range(200)))
        took = core_seconds(
            lambda: [f.result() for f in [executor.submit(run_task, nothing, task, False) for _ in range(500)]]
        )
        print(f"hand a task to a cluster         {1000 * took / 500:8.2f} ms")


def nothing(*_: object) -> dict[str, float]:
    """Work that takes no time."""
    return {}


if __name__ == "__main__":
    main()

"""Times metrics side by side with numpy and raw reading, one core; inputs by benchmarks/metrics_models.py.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/metrics.py FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from layergrid.metrics import measure
from layergrid.tensor import STORAGE, Tensor, widen

SIX = ["norm", "absmax", "abs_mean", "zeros", "kurtosis", "outlier_share(6)"]


def tensors(path: Path) -> list[Tensor]:
    mapped = np.memmap(path, np.uint8, "r")
    length = int(mapped[:8].view("<u8")[0])
    found = []
    for name, entry in json.loads(bytes(mapped[8 : 8 + length])).items():
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        flat = np.asarray(mapped[first:last]).view(STORAGE[entry["dtype"]])
        read: Callable[[int, int], np.ndarray] = lambda start, stop, flat=flat: flat[start:stop]  # noqa: E731
        found.append(Tensor(name, tuple(entry["shape"]), entry["dtype"], read))
    return found


def raw_read(path: Path) -> None:
    buffer = memoryview(bytearray(8 << 20))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def numpy_six(tensor: Tensor) -> None:
    """One numpy pass each over the whole tensor, as one would write it."""
    x = widen(tensor.read(0, tensor.size), tensor.dtype)
    np.sqrt((x**2).sum(dtype=np.float64))
    np.abs(x).max()
    np.abs(x).mean(dtype=np.float64)
    (x == 0).mean()
    centered = x - np.float32(x.mean(dtype=np.float64))
    variance = (centered**2).mean(dtype=np.float64)
    (centered**4).mean(dtype=np.float64) / variance**2
    (np.abs(centered) > 6 * np.sqrt(variance)).mean()


def seconds(work: Callable[[], object], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def main(folder: Path) -> None:
    for dtype in ("f32", "bf16", "f16"):
        path = folder / f"decoder.{dtype}.safetensors"
        all_tensors, size = tensors(path), path.stat().st_size
        raw = seconds(lambda path=path: raw_read(path), 3)
        norm = seconds(lambda t=all_tensors: [measure(x, ["norm"]) for x in t], 3)
        six = seconds(lambda t=all_tensors: [measure(x, SIX) for x in t], 2)
        naive = seconds(lambda t=all_tensors: [numpy_six(x) for x in t], 1)
        with ThreadPoolExecutor(2) as pool:
            each = partial(pool.map, lambda x: measure(x, SIX), all_tensors)
            two = seconds(lambda each=each: list(each()), 2)
        print(
            f"{dtype}: raw {size / raw / 1e9:.1f}; norm {size / norm / 1e9:.1f} GB/s = {raw / norm:.0%}; "
            f"six {size / six / 1e9:.2f} GB/s, numpy {size / naive / 1e9:.2f} GB/s = {naive / six:.1f} x; "
            f"two threads {six / two:.2f} x",
            flush=True,
        )
    for model in ("smollm2", "decoder"):
        matrices = tensors(folder / f"{model}.f32.safetensors")
        for metrics in (
            ["spectral_norm", "stable_rank"],
            ["spectral_norm", "stable_rank", "effective_rank", "alpha"],
        ):
            taken = seconds(lambda t=matrices, m=metrics: [measure(x, m) for x in t], 1)
            print(f"{model}: {len(matrices)} matrices, {' '.join(metrics)}: {taken:.3f} s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Times metrics side by side with numpy and raw reading, one core; inputs by benchmarks/metrics_models.py.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/metrics.py FOLDER [decoder.f32 ...]
"""

from __future__ import annotations

import json
import mmap
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from layergrid.metrics import measure
from layergrid.sources import open_source
from layergrid.tensor import STORAGE, Tensor, as_tensor, widen

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
    """The fastest way to read: a megabyte at a time, to the begin of a page."""
    with path.open("rb", buffering=0) as file, mmap.mmap(-1, 1 << 20) as buffer:
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


def forget(path: Path) -> None:
    """Drop the file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def alternating(rounds: int, **works: Callable[[], object]) -> dict[str, float]:
    """Seconds of each work, the median of several rounds in turn, so that what else runs disturbs all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in seconds.items()}


def entries(path: Path) -> None:
    size = path.stat().st_size
    read = list(open_source(path).tensors.values())
    cold = alternating(  # before anything is mapped: mapped pages cannot be forgotten
        3,
        forget=lambda: forget(path),
        raw=lambda: raw_read(path),
        again=lambda: forget(path),
        norm=lambda: [measure(x, ["norm"]) for x in read],
    )
    mapped = tensors(path)
    third, third_size = read[::3], sum(x.nbytes for x in read[::3])
    with ThreadPoolExecutor(2) as pool:
        warm = alternating(
            5,
            raw=lambda: raw_read(path),
            mapped=lambda: [measure(x, ["norm"]) for x in mapped],
            mapped_anew=lambda: [measure(x, ["norm"]) for x in tensors(path)],
            norm=lambda: [measure(x, ["norm"]) for x in read],
            norm_two=lambda: list(pool.map(lambda x: measure(x, ["norm"]), read)),
            six=lambda: [measure(x, SIX) for x in third],
            six_two=lambda: list(pool.map(lambda x: measure(x, SIX), third)),
        )
    naive = alternating(1, naive=lambda: [numpy_six(x) for x in third])["naive"]
    print(
        f"{path.name}: raw {size / warm['raw'] / 1e9:.1f} GB/s; norm {warm['raw'] / warm['norm']:.0%} of it, "
        f"from a new mapping {warm['raw'] / warm['mapped_anew']:.0%}, an old one {warm['raw'] / warm['mapped']:.0%}; "
        f"two threads {warm['norm'] / warm['norm_two']:.2f} x; "
        f"six {third_size / warm['six'] / 1e9:.2f} GB/s = {naive / warm['six']:.1f} x numpy, "
        f"two threads {warm['six'] / warm['six_two']:.2f} x; "
        f"cold raw {size / cold['raw'] / 1e9:.1f} GB/s, norm {cold['raw'] / cold['norm']:.0%} of it",
        flush=True,
    )


def spectra(path: Path) -> None:
    """In processor seconds, as metrics_weightwatcher.py gives them; from memory, as there."""
    matrices = [as_tensor(x.read(0, x.size).reshape(x.shape).copy(), x.name) for x in tensors(path)]
    measure(matrices[0], ["stable_rank"])  # imports scipy
    for metrics in (["spectral_norm", "stable_rank"], ["spectral_norm", "stable_rank", "effective_rank", "alpha"]):
        begun = time.process_time()
        for matrix in matrices:
            measure(matrix, metrics)
        print(
            f"{path.name}: {len(matrices)} matrices, {' '.join(metrics)}: {time.process_time() - begun:.2f} s",
            flush=True,
        )


def main(folder: Path, *chosen: str) -> None:
    for name in chosen or ("decoder.f32", "decoder.bf16", "decoder.f16"):
        entries(folder / f"{name}.safetensors")
    for model in () if chosen else ("smollm2", "decoder"):
        spectra(folder / f"{model}.f32.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

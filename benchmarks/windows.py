"""Times and memory of windows of large matrices in the kernel, without the page.

Each matrix is a bfloat16 tensor of a safetensors file made in FOLDER; the larger one is sparse, with every 500th row
written. Wall time is what a user waits for; CPU time, of all threads, tells how busy the machine was otherwise.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/windows.py FOLDER
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from layergrid.large.windows import Window, level_factor
from layergrid.tensors.opening import OpenTensor, open_tensor

MATRICES = {"4096 x 14336": (4096, 14336, 1), "152064 x 8192": (152_064, 8192, 500)}
PIXELS = (700, 1000)
WINDOWS = 200
RUNS = 3


def write(path: Path, rows: int, columns: int, every: int) -> None:
    """A safetensors file with one bfloat16 matrix of which every so many rows hold numbers, the others zeros."""
    entry = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, rows * columns * 2]}
    header = json.dumps({"weight": entry}).encode()
    chance = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        start = file.tell()
        file.truncate(start + rows * columns * 2)
        for row in range(0, rows, every):
            file.seek(start + row * columns * 2)
            numbers = chance.standard_normal(columns, dtype=np.float32)
            file.write((numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes())


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Peak:
    """The most memory that was resident while it ran, over what was at its beginning."""

    def __enter__(self) -> Peak:
        self.before = resident_mb()
        self.most = self.before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.most = max(self.most, resident_mb())

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def more_mb(self) -> float:
        return self.most - self.before


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU milliseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def open_and_see(path: Path) -> tuple[OpenTensor, list[float]]:
    """Open a tensor; ms to half of its overview, to the whole of it, and to all levels."""
    begun = time.perf_counter()
    marks: dict[str, float] = {}
    opened = open_tensor(path)

    def progress(rows: int, of: int) -> None:
        if rows >= of / 2:
            marks.setdefault("half", time.perf_counter())
        if rows == of:
            opened.pyramid.overview()
            marks["whole"] = time.perf_counter()

    opened.pyramid.start(progress)
    opened.pyramid.wait()
    marks["levels"] = time.perf_counter()
    return opened, [1e3 * (marks[key] - begun) for key in ("half", "whole", "levels")]


def random_window(chance: np.random.Generator, shape: tuple[int, int], alike: bool) -> Window:
    """One at any zoom; `alike` in both directions, or each on its own as where rows alone are chosen."""
    zoom = 2 ** chance.uniform(0, np.log2(shape))
    height, width = (
        max(1, int(length / by)) for length, by in zip(shape, zoom[[0, 0]] if alike else zoom, strict=True)
    )
    top, left = chance.integers(0, shape[0] - height + 1), chance.integers(0, shape[1] - width + 1)
    factors = level_factor(height, PIXELS[0]), level_factor(width, PIXELS[1])
    return Window(int(top), int(top) + height, int(left), int(left) + width, *factors)


def windows_ms(opened: OpenTensor, alike: bool) -> str:
    chance = np.random.default_rng(1)
    times = []
    for _ in range(WINDOWS):
        window = random_window(chance, opened.shape, alike)
        times.append(clocked(lambda window=window: opened.pyramid.window(window, "extreme")))
    wall, cpu = (
        " / ".join(f"{ms:.1f}" for ms in np.quantile(some, [0.5, 0.95, 1])) for some in zip(*times, strict=True)
    )
    return f"{wall} ms, CPU {cpu} ms"


def say(what: str, text: str) -> None:
    print(f"  {what}: {text}", flush=True)


def main(folder: Path) -> None:
    print(f"load at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, (rows, columns, every) in MATRICES.items():
        path = folder / f"{rows}x{columns}.safetensors"
        if not path.exists():
            write(path, rows, columns, every)
        print(f"{name} bf16, {rows * columns * 4 / 1e6:.0f} MB as float32", flush=True)
        runs = []
        for _ in range(RUNS):
            cpu = time.process_time()
            opened, marks = open_and_see(path)
            runs.append([*marks, 1e3 * (time.process_time() - cpu)])
            opened.close()
        half, whole, levels, cpu = np.median(runs, axis=0)
        best = np.min(runs, axis=0)[1]
        say(
            "overview",
            f"half {half:.0f}, whole {whole:.0f} (best {best:.0f}), levels {levels:.0f} ms, CPU {cpu:.0f} ms",
        )
        gc.collect()
        before = resident_mb()
        with Peak() as peak:
            opened, _ = open_and_see(path)
            size = opened.pyramid.size_bytes / 1e6
            say("windows of the matrix's proportions, median / 95 % / most", windows_ms(opened, True))
            say("windows of any proportions", windows_ms(opened, False))
        opened.close()
        del opened
        gc.collect()
        after = resident_mb() - before
        say("memory", f"levels {size:.0f} MB, {peak.more_mb:.0f} MB more than before, closed {after:+.0f} MB")
        if every == 1:
            with open_tensor(path) as opened, Peak() as peak:
                wall, cpu = clocked(opened.summary)
                say("summary", f"{wall:.0f} ms, CPU {cpu:.0f} ms, {peak.more_mb:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

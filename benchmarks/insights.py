"""How truthful the findings are: false findings in noise, recall of planted effects, and speed.

Run with ``python benchmarks/insights.py [grids of noise] [planted grids] [seed]``; prints the tables of
``insights.md``. The seed of its tables, the default, was not used while the method's constants were chosen.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from layergrid.data.matrix import Matrix
from layergrid.findings import Finding, insights

NAMES = ("attn.q", "attn.k", "attn.v", "attn.o", "mlp.up", "mlp.down", "mlp.gate")
TESTED = ("trend", "shape", "relation", "band", "contrast", "outlier")
SHAPES = ((28, 7), (12, 6), (80, 7))
NOISES = ("normal", "t3", "AR 0.3", "AR 0.6", "AR 0.9", "mixed")
UNSEEN = ((20, 7), (40, 12), (16, 4))
"""Shapes that no constant of the method was chosen on."""
UNSEEN_NOISES = ("normal", "Laplace", "t3", "AR 0.3", "AR 0.45", "AR 0.6", "AR 0.9", "mixed")
Right = Callable[[Finding], bool]


def noise(kind: str, layers: int, components: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of variance 1 (3 for t3, 2 for Laplace), shape (layers, components); AR(1) starts in its stationary state.

    In ``mixed`` noise each component has its own serial correlation, even from 0 to 0.9.
    """
    if kind == "t3":
        return rng.standard_t(3, (layers, components))
    if kind == "Laplace":
        return rng.laplace(size=(layers, components))
    y = rng.standard_normal((layers, components))
    rho: np.ndarray | float = float(kind[3:]) if kind.startswith("AR") else 0.0
    if kind == "mixed":
        rho = rng.uniform(0, 0.9, components)
    for row in range(1, layers):
        y[row] = rho * y[row - 1] + np.sqrt(1 - rho * rho) * y[row]
    return y


def grid(y: np.ndarray) -> Matrix:
    names = NAMES[: y.shape[1]] if y.shape[1] <= 7 else tuple(f"c{i}" for i in range(y.shape[1]))
    return Matrix(y, tuple(range(len(y))), names)


def near(finding: Finding, first: int, last: int, within: int) -> bool:
    low, high = finding.layers or (-99, -99)
    return abs(int(low) - first) <= within and abs(int(high) - last) <= within


def plant(what: str, size: float, y: np.ndarray, rng: np.random.Generator) -> Right:
    """Add one effect of a random place and sign to the noise, and give the test of a right finding."""
    layers = len(y)
    c = int(rng.integers(y.shape[1]))
    sign = int(rng.choice([-1, 1]))
    place = np.linspace(0, 1, layers)
    up = sign > 0
    if what == "trend":
        y[:, c] += sign * size * place
        return lambda f: (f.kind, f.components, f.direction) == ("trend", (NAMES[c],), "rising" if up else "falling")
    if what == "U":
        y[:, c] += sign * size * (2 * place - 1) ** 2
        return lambda f: (f.kind, f.components, f.direction) == ("shape", (NAMES[c],), "u" if up else "inverted-u")
    if what == "peak":
        first = int(rng.integers(2, layers - 9))
        y[first : first + 7, c] += sign * size
        way = "peak" if up else "dip"
        return lambda f: (f.components, f.direction) == ((NAMES[c],), way) and near(f, first, first + 6, 3)
    if what == "step":
        first = int(rng.integers(layers // 4, layers - layers // 4 + 1))
        y[first:, c] += sign * size
        way = "step-up" if up else "step-down"
        return lambda f: (f.components, f.direction) == ((NAMES[c],), way) and near(f, first - 1, first, 3)
    if what == "band":
        first = int(rng.integers(0, layers - 3))
        parts = sorted(rng.choice(y.shape[1], 4, replace=False))
        y[first : first + 4, parts] += sign * size
        names = tuple(NAMES[i] for i in parts)
        way = "high" if up else "low"
        return lambda f: (f.kind, f.components, f.direction) == ("band", names, way) and near(f, first, first + 3, 1)
    if what == "outlier":
        row = int(rng.integers(layers))
        y[row, c] += sign * size
        return lambda f: f.kind == "outlier" and f.cells == [(row, NAMES[c])]
    if what == "relation":
        one, two = sorted(rng.choice(y.shape[1], 2, replace=False))
        signal = size * rng.standard_normal(layers)
        y[:, one] += signal
        y[:, two] += sign * signal
        names = (NAMES[one], NAMES[two])
        way = "parallel" if up else "inverse"
        return lambda f: (f.kind, f.components, f.direction) == ("relation", names, way)
    if what == "dispersion":
        y[:, slice(0, 4) if up else slice(4, 7)] *= size
        way = "more-variable" if up else "less-variable"
        return lambda f: (f.kind, f.direction, f.groups) == ("contrast", way, ("attn", "mlp"))
    y[:, :4] += sign * size
    way = "higher" if up else "lower"
    return lambda f: (f.kind, f.direction, f.groups) == ("contrast", way, ("attn", "mlp"))


PLANTED = {
    "trend": 6.0,
    "U": 5.0,
    "peak": 4.0,
    "step": 4.0,
    "band": 3.5,
    "outlier": 9.0,
    "relation": 2.5,
    "dispersion": 3.0,
    "level": 2.0,
}


NULL_COLUMNS = ("any", "any but outliers", *TESTED)


def false_findings(kind: str, layers: int, components: int, count: int, seed: int) -> list[float]:
    """Share of grids of noise with any finding, with any but outliers, and with each kind of finding."""
    rng = np.random.default_rng([seed, layers, components, *kind.encode()])
    seen: Counter[str] = Counter()
    for _ in range(count):
        kinds = {f.kind for f in insights(grid(noise(kind, layers, components, rng)))} & set(TESTED)
        seen.update(kinds)
        seen["any"] += bool(kinds)
        seen["any but outliers"] += bool(kinds - {"outlier"})
    return [seen[column] / count for column in NULL_COLUMNS]


def null_table(count: int, shapes: Sequence[tuple[int, int]], kinds: Sequence[str], seed: int) -> None:
    print(f"\n| grid | noise | {' | '.join(NULL_COLUMNS)} |\n|{' --- |' * (2 + len(NULL_COLUMNS))}")
    for layers, components in shapes:
        for kind in kinds:
            shares = false_findings(kind, layers, components, count, seed)
            print(f"| {layers} x {components} | {kind} | {' | '.join(f'{s:.3f}' for s in shares)} |", flush=True)


def recall(what: str, size: float, kind: str, count: int, seed: int) -> tuple[float, float]:
    """Share of 28 x 7 grids whose planted effect is found right, and how many other findings a grid has."""
    rng = np.random.default_rng([seed, 7])
    hits, extra = 0, 0
    for _ in range(count):
        y = noise(kind, 28, 7, rng)
        right = plant(what, size, y, rng)
        each = [right(f) for f in insights(grid(y)) if f.kind in TESTED]
        hits += any(each)
        extra += len(each) - sum(each)
    return hits / count, extra / count


def recall_table(count: int, seed: int) -> None:
    parts = (0.5, 0.75, 1.0)
    heads = " | ".join(f"{part:g}" for part in parts)
    print(f"\n| planted (full size) | noise | {heads} | other findings a grid, full |\n|{' --- |' * (3 + len(parts))}")
    for what, size in PLANTED.items():
        for kind in ("normal", "AR 0.3"):
            # A ratio of spreads shrinks towards 1, everything else towards 0.
            sizes = [size**part if what == "dispersion" else size * part for part in parts]
            found = [recall(what, each, kind, count, seed) for each in sizes]
            cells = " | ".join(f"{share:.3f}" for share, _ in found)
            print(f"| {what} ({size:g}) | {kind} | {cells} | {found[-1][1]:.2f} |", flush=True)


def speed_table() -> None:
    print("\n| grid | median of 5, ms |\n| --- | --- |")
    rng = np.random.default_rng(0)
    for layers, components in ((28, 7), (61, 771), (1000, 7)):
        matrix = grid(noise("AR 0.3", layers, components, rng))
        insights(matrix)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            insights(matrix)
            times.append(time.perf_counter() - start)
        print(f"| {layers} x {components} | {1000 * float(np.median(times)):.0f} |", flush=True)


if __name__ == "__main__":
    grids, planted, start = (
        int(sys.argv[i]) if len(sys.argv) > i else usual for i, usual in ((1, 500), (2, 200), (3, 20261125))
    )
    null_table(grids, SHAPES, NOISES, start)
    recall_table(planted, start)
    null_table(grids, UNSEEN, UNSEEN_NOISES, start)
    speed_table()

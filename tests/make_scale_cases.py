"""Write tests/fixtures/scale_cases.json: what the color scale must answer, worked out one number at a time.

A slow specification that shares no code with scale.py or scale.ts; both are held to its answers.
Run ``python tests/make_scale_cases.py`` after a change of the specification.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

TARGET = Path(__file__).parent / "fixtures" / "scale_cases.json"
KNOTS = 1025


def transform(scale, value, low, high, shown):
    if scale == "linear":
        return value
    if scale == "log":
        return math.log10(value) if value > 0 else math.nan
    if scale == "symlog":
        width = max(abs(low), abs(high)) / 1000 or 1
        return math.copysign(math.log1p(abs(value) / width), value) if value else 0.0
    return rank(value, quantiles(sorted(v for v in shown if math.isfinite(v))))


def quantiles(ordered):
    if not ordered:
        return []
    made = []
    for k in range(KNOTS):
        at = k / (KNOTS - 1) * (len(ordered) - 1)
        before = math.floor(at)
        after = min(before + 1, len(ordered) - 1)
        made.append(ordered[before] + (at - before) * (ordered[after] - ordered[before]))
    return made


def rank(value, knots):
    if not knots:
        return 0.5
    equal = [k for k, knot in enumerate(knots) if knot == value]
    if equal:
        return (equal[0] + equal[-1]) / 2 / (len(knots) - 1)
    below = sum(knot < value for knot in knots)
    if below in (0, len(knots)):
        return below / len(knots)
    start, end = knots[below - 1], knots[below]
    return (below - 1 + (value - start) / (end - start)) / (len(knots) - 1)


def position(scale, low, high, center, diverging, shown, value):
    if math.isnan(value):
        return math.nan
    if scale == "log":
        high = high if high > 0 else 1.0
        if low <= 0:
            positive = [v for v in shown if v > 0 and math.isfinite(v)]
            low = min(positive) if positive and min(positive) <= high else high / 10
        if center <= 0:
            center = math.sqrt(low) * math.sqrt(high)
    at, start, middle, end = (transform(scale, v, low, high, shown) for v in (value, low, center, high))
    if math.isnan(at):
        return math.nan
    if not diverging:
        return (at - start) / (end - start) if end > start else 0.5
    if at < middle:
        return 0.5 * (1 - (middle - at) / (middle - start)) if middle > start else 0.5
    return 0.5 + 0.5 * (at - middle) / (end - middle) if end > middle else 0.5


def cases():
    usual = [0.11, 0.13, 0.13, 0.2, 0.5, 1.0, 7.5, 40.0]
    mixed = [-3.0, -0.5, 0.0, 0.0, 0.25, 2.0, 8.0, math.inf, math.nan]
    domains = [
        (usual, 0.11, 40.0, 0.35),
        (usual, 0.2, 7.5, 1.0),
        (usual, 0.2, 7.5, 0.05),  # center below the limits
        (usual, 0.2, 7.5, 30.0),  # center above them
        (usual, 1.0, 1.0, 1.0),  # no width
        (mixed, -3.0, 8.0, 0.0),
        (mixed, -1.0, 4.0, 0.5),
        ([1e-300, 1e-299, 3e-299], 1e-300, 3e-299, 1e-299),
        ([1e300, 2e300, 5e300], 1e300, 5e300, 2e300),
        ([-5.0, -2.0], -5.0, -2.0, -3.0),  # nothing that a log scale can place
        ([], 0.0, 1.0, 0.5),
    ]
    for shown, low, high, center in domains:
        for scale in ("linear", "log", "symlog", "quantile"):
            for diverging in (True, False):
                for value in [*shown[:6], low, high, center, (low + high) / 2, math.nan]:
                    answer = position(scale, low, high, center, diverging, shown, value)
                    yield {
                        "scale": scale,
                        "low": low,
                        "high": high,
                        "center": center,
                        "diverging": diverging,
                        "shown": [number(v) for v in shown],
                        "value": number(value),
                        "position": None if math.isnan(answer) else answer,
                    }


def number(value):
    return value if math.isfinite(value) else str(value)


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    TARGET.write_text(f"[\n{lines}\n]\n")

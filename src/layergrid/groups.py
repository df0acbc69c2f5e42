"""Groups of components, as their labels say them: twin of the same functions in js/src/labels.ts."""

from __future__ import annotations

from collections.abc import Sequence


def split_label(label: str) -> tuple[str, str]:
    """Group and part of a label.

    ``attn.q`` is part ``q`` of ``attn``, and ``mlp.up[3]`` part ``3`` of ``mlp.up``; a label without an inner point or
    a last bracket is in the group "".
    """
    bracket = label.rfind("[") if label.endswith("]") else -1
    if 0 < bracket < len(label) - 2:
        return label[:bracket], label[bracket + 1 : -1]
    point = label.find(".")
    return ("", label) if point <= 0 or point == len(label) - 1 else (label[:point], label[point + 1 :])


def group_runs(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """Neighbouring components of one group, as (group, start, end); `end` is not included."""
    runs: list[tuple[str, int, int]] = []
    for at, label in enumerate(labels):
        group = split_label(label)[0]
        if runs and runs[-1][0] == group:
            runs[-1] = (group, runs[-1][1], at + 1)
        else:
            runs.append((group, at, at + 1))
    return runs

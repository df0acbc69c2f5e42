"""What a finding is, and the sequence of findings of one grid."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from layergrid.data.matrix import Label, Matrix

if TYPE_CHECKING:
    import pandas as pd

KINDS = (
    "trend",
    "shape",
    "relation",
    "band",
    "contrast",
    "outlier",
    "region",
    "constant",
    "identical",
    "absent",
    "missing",
)
"""Every kind of finding. The first six are tested; the others describe, and have no p-value."""


@dataclass(frozen=True)
class Finding:
    """One thing that the numbers show, with the cells and the test that say so."""

    kind: str
    """One of `KINDS`."""

    components: tuple[str, ...]
    """The components it is about, in the order of the grid; for a contrast those of both groups."""

    layers: tuple[Label, Label] | None
    """First and last layer, inclusive, as the grid labels them; None where it is about no range."""

    direction: str | None
    """``rising``, ``u``, ``high``, ``inverse`` ...; None where the kind has none."""

    cells: list[tuple[Label, str]]
    """The cells that hold it, as (layer, component)."""

    effect: float
    """How large it is, in terms of `effect_name`."""

    effect_name: str

    p: float
    """Chance of such a finding in noise, corrected for all that was tried on this grid.

    NaN for what is plainly counted.
    """

    test: str
    """The test behind `p`; for what is counted, the rule."""

    statement: str
    """One sentence with the numbers in it."""

    groups: tuple[str, str] | None = None
    """The two groups of a contrast; `direction` speaks of the first."""

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain JSON values; NaN and infinity become None."""
        return {
            "kind": self.kind,
            "components": list(self.components),
            "layers": None if self.layers is None else list(self.layers),
            "direction": self.direction,
            "cells": [list(cell) for cell in self.cells],
            "effect": _json_number(self.effect),
            "effect_name": self.effect_name,
            "p": _json_number(self.p),
            "test": self.test,
            "statement": self.statement,
            "groups": None if self.groups is None else list(self.groups),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Insights(Sequence[Finding]):
    """The findings of one grid, strongest first; what could not be tried is in `notes`."""

    findings: tuple[Finding, ...]
    alpha: float
    """Chance of any tested finding in a grid of noise that was allowed."""

    notes: tuple[str, ...]
    """What was not tried, or done in another way, and why."""

    matrix: Matrix

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[index]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def for_cell(self, layer: Label, component: str) -> tuple[Finding, ...]:
        """The findings that hold this cell, strongest first.

        Raises
        ------
        KeyError
            If the grid has no such layer or component.
        """
        if component not in self.matrix.components:
            raise KeyError(f"no component {component!r}; this grid has {', '.join(self.matrix.components)}")
        if layer not in self.matrix.layers:
            raise KeyError(f"no layer {layer!r}; this grid has {self.matrix.layers[0]!r} to {self.matrix.layers[-1]!r}")
        return tuple(finding for finding in self.findings if (layer, component) in finding.cells)

    def to_json(self) -> list[dict[str, Any]]:
        """The findings as a list of plain objects.

        Kind, components, layers, direction, cells, effect, p, ...
        """
        return [finding.to_dict() for finding in self.findings]

    def to_frame(self) -> pd.DataFrame:
        """One row per finding; needs pandas. Columns are the fields of `Finding`."""
        import pandas as pd

        names = list(Finding.__dataclass_fields__)
        return pd.DataFrame([{name: getattr(f, name) for name in names} for f in self.findings], columns=names)

    def report(self) -> str:
        """A Markdown report: components, highest and lowest regions, groups, bands, relations.

        Outliers and gaps.
        """
        from layergrid.findings.report import markdown

        return markdown(self)

    def __repr__(self) -> str:
        rows, columns = self.matrix.values.shape
        head = f"{len(self)} findings in {rows} layers x {columns} components, alpha {self.alpha:g}"
        lines = [f"{finding.kind:9} {finding.statement}" for finding in self.findings]
        return "\n".join([head, *lines, *(f"note      {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(f.kind)}</td><td style='text-align:left'>{html.escape(f.statement)}</td>"
            f"<td>{number(f.effect)} {html.escape(f.effect_name)}</td><td>{_p_cell(f.p)}</td></tr>"
            for f in self.findings
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        head = "<tr><th>kind</th><th>statement</th><th>effect</th><th>p</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{notes}"

    def to_json_text(self) -> str:
        """`to_json` as JSON text."""
        return json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)


def number(value: float) -> str:
    """A number for a sentence: four significant digits."""
    return f"{value:.4g}"


def chance(p: float) -> str:
    """A p-value for a sentence: ``p = 0.012``, ``p < 1e-12``."""
    return f"p = {p:.2g}" if p >= 1e-12 else "p < 1e-12"


def layer_range(first: Label, last: Label) -> str:
    """``layer 3`` or ``layers 3-7``; named layers keep their names."""
    if first == last:
        return f"layer {first}"
    joint = "-" if isinstance(first, int) and isinstance(last, int) else " to "
    return f"layers {first}{joint}{last}"


def called(*components: str) -> str:
    """Components as a sentence names them: a bare number would pass for a count."""
    return listed([f"component {name}" if name.isdigit() else name for name in components])


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``; beyond eight, the first six and how many more."""
    if len(names) > 8:
        return f"{', '.join(names[:6])} and {len(names) - 6} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _json_number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _p_cell(p: float) -> str:
    return "counted" if math.isnan(p) else chance(p)

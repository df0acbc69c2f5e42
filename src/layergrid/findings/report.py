"""The findings of a grid as a Markdown report.

It says what the numbers show, and nothing of what the model does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from layergrid.findings.finding import Finding, Insights, called, chance
from layergrid.groups import split_label

_SECTIONS = (
    ("Highest and lowest regions", ("region",)),
    ("Groups", ("contrast",)),
    ("Bands of layers", ("band",)),
    ("Relations", ("relation", "identical")),
    ("Outliers", ("outlier",)),
    ("Absent and missing cells", ("absent", "missing")),
)
_OF_ONE = ("trend", "shape", "constant")
_DEEDS = {
    "rising": "rise",
    "falling": "fall",
    "u": "are U-shaped",
    "inverted-u": "are inverted Us",
    "peak": "peak",
    "dip": "dip",
    "step-up": "step up",
    "step-down": "step down",
    None: "are constant",
}
_MOST_NAMED = 8
_MOST_LISTED = 20
"""So many findings of one section are told one by one; of components, those of one group that do the same."""


def markdown(insights: Insights) -> str:
    """The report; sections without findings say so."""
    matrix = insights.matrix
    layers, components = matrix.values.shape
    title = matrix.name or "Findings"
    lines = [f"# {_text(title)}", "", f"{layers} layers x {components} components; alpha {insights.alpha:g}."]
    lines += [_text(note) for note in insights.notes]
    lines += ["", "## Components", ""]
    own = [f for name in matrix.components for f in insights if f.kind in _OF_ONE and f.components == (name,)]
    lines += [f"- {_text(said)}" for said in _of_components(own, matrix.components)]
    quiet = sorted({*matrix.components} - {f.components[0] for f in own}, key=matrix.components.index)
    if quiet:
        of_all = "any component" if len(quiet) == components else f"the other {len(quiet)} components"
        named = of_all if len(quiet) > _MOST_NAMED else called(*quiet)
        lines.append(f"- Neither trend nor shape was found in {_text(named)}.")
    for heading, kinds in _SECTIONS:
        chosen = [f for f in insights if f.kind in kinds]
        lines += ["", f"## {heading}", "", *(f"- {_text(f.statement)}" for f in chosen[:_MOST_LISTED])]
        if len(chosen) > _MOST_LISTED:
            lines.append(f"- {len(chosen) - _MOST_LISTED} more, less strong.")
        if not chosen:
            lines.append("None found.")
    return "\n".join(lines) + "\n"


def _of_components(findings: list[Finding], components: Sequence[str]) -> list[str]:
    """What each component does, in their order; many of one group that do the same in one sentence."""
    sizes = Counter(split_label(name)[0] for name in components)
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_deed(finding), []).append(finding)
    said = []
    for finding in findings:
        same = alike[_deed(finding)]
        if len(same) <= _MOST_LISTED:
            said.append(finding.statement)
        elif finding is same[0]:
            said.append(_of_many(*_deed(finding), same, sizes))
    return said


def _deed(finding: Finding) -> tuple[str, str]:
    """The group of a component, and what components that do the same do."""
    return split_label(finding.components[0])[0], _DEEDS[finding.direction]


def _of_many(group: str, deed: str, same: list[Finding], sizes: Counter[str]) -> str:
    effects = sorted(finding.effect for finding in same)
    chances = [finding.p for finding in same if not math.isnan(finding.p)]
    at_most = f", {chance(max(chances))} or less" if chances else ""
    return (
        f"{len(same)} of {sizes[group]} components{f' of {group}' if group else ''} {deed} "
        f"({same[0].effect_name} {effects[0]:.2g} to {effects[-1]:.2g}{at_most})."
    )


def _text(words: str) -> str:
    """Names come from files strangers made: no markup."""
    return "".join("\\" + c if c in "\\`*_[]<>#|" else c for c in words)

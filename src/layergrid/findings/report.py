"""The findings of a grid as a Markdown report.

It says what the numbers show, and nothing of what the model does.
"""

from __future__ import annotations

from layergrid.findings.finding import Finding, Insights, called

_SECTIONS = (
    ("Highest and lowest regions", ("region",)),
    ("Groups", ("contrast",)),
    ("Bands of layers", ("band",)),
    ("Relations", ("relation", "identical")),
    ("Outliers", ("outlier",)),
    ("Absent and missing cells", ("absent", "missing")),
)
_OF_ONE = ("trend", "shape", "constant")
_MOST_NAMED = 8


def markdown(insights: Insights) -> str:
    """The report; sections without findings say so."""
    matrix = insights.matrix
    layers, components = matrix.values.shape
    title = matrix.name or "Findings"
    lines = [f"# {_text(title)}", "", f"{layers} layers x {components} components; alpha {insights.alpha:g}."]
    lines += [_text(note) for note in insights.notes]
    lines += ["", "## Components", ""]
    quiet = []
    for name in matrix.components:
        own = [f.statement for f in insights if f.kind in _OF_ONE and f.components == (name,)]
        lines += [f"- {_text(statement)}" for statement in own]
        quiet += [] if own else [name]
    if quiet:
        of_all = "any component" if len(quiet) == components else f"the other {len(quiet)} components"
        named = of_all if len(quiet) > _MOST_NAMED else called(*quiet)
        lines.append(f"- Neither trend nor shape was found in {_text(named)}.")
    for heading, kinds in _SECTIONS:
        chosen: list[Finding] = [f for f in insights if f.kind in kinds]
        lines += ["", f"## {heading}", "", *(f"- {_text(f.statement)}" for f in chosen)]
        if not chosen:
            lines.append("None found.")
    return "\n".join(lines) + "\n"


def _text(words: str) -> str:
    """Names come from files strangers made: no markup."""
    return "".join("\\" + c if c in "\\`*_[]<>#|" else c for c in words)

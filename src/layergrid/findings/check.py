"""A claim held against the numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from layergrid.data.matrix import Label
from layergrid.findings.claim import FORMS, Claim
from layergrid.findings.engine import matrix_of
from layergrid.findings.finding import listed
from layergrid.findings.judge import Judge
from layergrid.findings.parse import parse
from layergrid.findings.sentence import Reading
from layergrid.findings.words import mentions

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """What the numbers say of a claim."""

    claim: Claim | None
    """The claim as it was understood; None where it was not."""

    verdict: str
    """``supported``, ``refuted``, ``undecided`` or ``not understood``."""

    statement: str
    """Why, with the numbers; where not understood, the nearest forms."""

    cells: list[tuple[Label, str]]
    """The cells it rests on."""


def check(data: Any, claim: Claim | str) -> Verdict:
    """Whether the numbers of a grid bear out a claim.

    Parameters
    ----------
    data : anything `as_dataarray` takes
    claim : a `Claim`, or one sentence in ordinary words, such as ``"attn.q rises with layer"``; where it is not
        understood, the statement lists the nearest forms that are

    Raises
    ------
    ValueError
        If a `Claim` is of an unknown kind, lacks what its kind needs, or names a component the grid does not have.
    """
    judge = Judge(matrix_of(data))
    if not isinstance(claim, str):
        return Verdict(claim, *judge.judge(claim))
    components = judge.series.matrix.components
    reading = parse(claim, components, judge.groups)
    if len(reading.claims) != 1 or reading.unclear:
        return Verdict(None, "not understood", _why_not(claim, reading, judge), [])
    return Verdict(reading.claims[0], *judge.judge(reading.claims[0]))


def check_text(data: Any, text: str) -> pd.DataFrame:
    """Every claim of a caption or report with its verdict, sentence by sentence; needs pandas.

    Returns
    -------
    table with columns sentence, claim (a `Claim`), verdict and numbers, one row for each claim; a sentence that states
    no checkable claim has one row without a claim and the verdict ``no checkable claim``. Of a long sentence those
    parts are checked of which every word is understood.
    """
    import pandas as pd

    judge = Judge(matrix_of(data))
    components = judge.series.matrix.components
    rows: list[tuple[str, Claim | None, str, str]] = []
    for sentence, context in _sentences(text, components):
        claims = parse(sentence, components, judge.groups, context).claims
        for claim in claims:
            verdict, why, _ = judge.judge(claim)
            rows.append((sentence, claim, verdict, why))
        if not claims:
            rows.append((sentence, None, "no checkable claim", ""))
    sentences, claimed, verdicts, numbers = zip(*rows, strict=True) if rows else ((), (), (), ())
    # As objects, or pandas would make NaN of None.
    claim_column = pd.Series(claimed, dtype=object)
    return pd.DataFrame({"sentence": sentences, "claim": claim_column, "verdict": verdicts, "numbers": numbers})


def _why_not(sentence: str, reading: Reading, judge: Judge) -> str:
    components = judge.series.matrix.components
    named = mentions(sentence.lower(), components, judge.groups)
    unclear = next((mention for mention in named if len(mention.meant) > 1), None)
    if unclear is not None:
        could = listed([name for meant in unclear.meant for name in meant])
        why = f"{sentence[unclear.start : unclear.end]!r} could be {could}; write the whole name."
    elif not named:
        why = f"It names no component of this grid, which has {listed(components)}."
    elif reading.unclear:
        why = f"Not understood in it: {listed([repr(word) for word in dict.fromkeys(reading.unclear)])}."
    elif reading.claims:
        why = f"It states {len(reading.claims)} claims; state one at a time."
    else:
        why = "No claim was recognised."
    near = get_close_matches(sentence.lower(), FORMS, n=3, cutoff=0.0)
    return f"{why} Forms that are understood: {'; '.join(near)}."


def _sentences(text: str, components: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Sentences with the components that their line begins with, which "it" and "the column" then mean."""
    out: list[tuple[str, tuple[str, ...]]] = []
    for line in text.splitlines():
        bare = re.sub(r"^\s*(?:[*#>-]+|\d+\.)\s+", "", line).strip()
        head = re.sub(r"[`*]", "", bare.lower()).split(":")[0]
        context = tuple(m.meant[0][0] for m in mentions(head, components, {})) if ":" in bare else ()
        context = context if len(context) == 1 else ()
        out += [(sentence, context) for sentence in _split(bare, components)]
    return out


def _split(line: str, components: tuple[str, ...]) -> list[str]:
    """Sentences of one line: a point ends one before a capital or a component, but not within ``attn. q``."""
    named = mentions(line.lower(), components, {})
    out, start = [], 0
    for gap in re.finditer(r"(?<=[.!?])(?<!vs\.)\s+", line):
        within = any(mention.start < gap.start() < mention.end for mention in named)
        begins = line[gap.end() : gap.end() + 1]
        if not within and (begins.isupper() or begins in "`*" or any(m.start == gap.end() for m in named)):
            out.append(line[start : gap.start()])
            start = gap.end()
    return [sentence for sentence in (*out, line[start:]) if sentence]

"""A claim held against the numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.findings.claim import FORMS, Claim, mentions, parse
from layergrid.findings.contrast import default_groups, dispersion_contrast, level_contrast
from layergrid.findings.curves import Curve, fit_curves
from layergrid.findings.engine import matrix_of
from layergrid.findings.finding import chance, layer_range, listed, number
from layergrid.findings.plain import NEGLIGIBLE, identical_groups
from layergrid.findings.relation import pairs
from layergrid.findings.series import Series, prepare
from layergrid.findings.shape import best_shape, direction
from layergrid.findings.trend import ends, tau
from layergrid.matrix import Label

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05
"""A claim is one question, asked before looking: its p-value needs no correction."""


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
    claim : a `Claim`, or one sentence in ordinary words, such as ``"attn.q rises with layer"``

    Raises
    ------
    ValueError
        If a `Claim` names a component the grid does not have.
    """
    return _Checker(data).check(claim)


def check_text(data: Any, text: str) -> pd.DataFrame:
    """Every claim of a caption or report with its verdict, sentence by sentence; needs pandas.

    Returns
    -------
    table with columns sentence, claim, verdict, numbers; a sentence that states no checkable claim has
    the verdict
    ``no checkable claim``
    """
    import pandas as pd

    checker = _Checker(data)
    rows: list[tuple[str, Claim | None, str, str]] = []
    for sentence, context in _sentences(text, checker.series.matrix.components):
        claims = parse(sentence, checker.series.matrix.components, checker.groups, context)
        for claim in claims:
            verdict = checker.check(claim)
            rows.append((sentence, claim, verdict.verdict, verdict.statement))
        if not claims:
            rows.append((sentence, None, "no checkable claim", ""))
    return pd.DataFrame(rows, columns=["sentence", "claim", "verdict", "numbers"])


def _sentences(text: str, components: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Sentences with the components that their line begins with, which "it" and "the column" then mean."""
    out: list[tuple[str, tuple[str, ...]]] = []
    for line in text.splitlines():
        bare = re.sub(r"^\s*(?:[*#>-]+|\d+\.)\s+", "", line).strip()
        head = re.sub(r"[`*]", "", bare.lower()).split(":")[0]
        context = tuple(name for _, name in mentions(head, components)) if ":" in bare else ()
        context = context if len(context) == 1 else ()
        out += [(s, context) for s in re.split(r"(?<=[.!?])(?<!vs\.)\s+(?=[A-Z`*])", bare) if s]
    return out


class _Checker:
    """One grid, made ready once for any number of claims."""

    def __init__(self, data: Any) -> None:
        self.series: Series = prepare(matrix_of(data))
        self.groups = default_groups(self.series.matrix.components)
        self.curves = fit_curves(self.series)

    def check(self, claim: Claim | str) -> Verdict:
        if isinstance(claim, str):
            claims = parse(claim, self.series.matrix.components, self.groups)
            if len(claims) != 1:
                return self._not_understood(claim, len(claims))
            claim = claims[0]
        for name in claim.subject + claim.other:
            if name not in self.series.matrix.components:
                raise ValueError(f"no component {name!r}; this grid has {', '.join(self.series.matrix.components)}")
        judge = {
            "trend": self._trend,
            "shape": self._shape,
            "constant": self._constant,
            "region": self._region,
            "contrast": self._contrast,
            "relation": self._relation,
            "identical": self._identical,
            "value": self._value,
        }[claim.kind]
        rows = self._rows(claim)
        columns = [self._column(name) for name in claim.subject + claim.other]
        cells = self.series.cells(rows, columns)
        if not cells:
            return Verdict(claim, "undecided", "No finite value lies there.", [])
        verdict, why = judge(claim, rows)
        return Verdict(claim, verdict, why, cells)

    def _not_understood(self, sentence: str, count: int) -> Verdict:
        near = get_close_matches(sentence.lower(), FORMS, n=3, cutoff=0.0)
        why = f"It states {count} claims; state one at a time" if count else "No claim was recognised"
        return Verdict(None, "not understood", f"{why}. Forms that are understood: {'; '.join(near)}.", [])

    def _column(self, name: str) -> int:
        return self.series.matrix.components.index(name)

    def _rows(self, claim: Claim) -> np.ndarray:
        labels = self.series.matrix.layers
        if claim.layers is None:
            return np.arange(len(labels))
        first, last = claim.layers
        if first in labels and last in labels:
            return np.arange(labels.index(first), labels.index(last) + 1)
        return np.array([r for r, x in enumerate(labels) if isinstance(x, int) and int(first) <= x <= int(last)], int)

    def _of(self, claim: Claim) -> tuple[int, dict[str, Curve] | None]:
        column = self._column(claim.subject[0])
        return column, self.curves.get(column)

    def _trend(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        column, curves = self._of(claim)
        name = claim.subject[0]
        if curves is None:
            return "undecided", f"Too few values, or no variation, in {name}."
        trend, shape = curves["trend"], best_shape(curves)
        way = "rising" if trend.sign > 0 else "falling"
        low, high = ends(self.series, column)
        numbers = f"{number(low)} to {number(high)}, tau {tau(self.series, column):.2f}, {chance(trend.p)}"
        if shape.p <= ALPHA and shape.criterion > trend.criterion and (way != claim.direction or trend.p > ALPHA):
            return "refuted", f"{name} is not monotone: {direction(shape)} describes it better ({numbers})."
        if trend.p > ALPHA:
            return "undecided", f"No trend in {name} is told from noise ({numbers})."
        return ("supported" if way == claim.direction else "refuted"), f"{name} is {way} ({numbers})."

    def _shape(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        _, curves = self._of(claim)
        name = claim.subject[0]
        if curves is None:
            return "undecided", f"Too few values, or no variation, in {name}."
        shape, trend = best_shape(curves), curves["trend"]
        way = direction(shape)
        labels = self.series.span(shape.first, shape.last)
        if shape.criterion <= trend.criterion and trend.p <= ALPHA:
            return "refuted", f"A monotone trend describes {name} better ({chance(trend.p)})."
        if shape.p > ALPHA:
            return "undecided", f"No shape of {name} is told from noise ({way}, {chance(shape.p)})."
        said = f"The shape of {name} is {way}, at {layer_range(*labels)} ({chance(shape.p)})."
        alike = next((pair for pair in (("u", "dip"), ("peak", "inverted-u")) if claim.direction in pair), ())
        if way != claim.direction and way not in alike:
            # The claim may be of a few layers within a larger shape.
            return ("undecided" if claim.layers else "refuted"), said
        if claim.layers is not None and (rows[-1] < shape.first or rows[0] > shape.last):
            return "refuted", said
        return "supported", said

    def _constant(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        column, curves = self._of(claim)
        values = self.series.values[rows, column]
        whole = float(np.nanstd(self.series.values))
        share = float(np.nanstd(values)) / whole if whole > 0 else 0.0
        said = f"The spread of {claim.subject[0]} is {100 * share:.2g} % of the whole grid's"
        if share <= NEGLIGIBLE:
            return "supported", f"{said}."
        moving = curves is not None and min(curves["trend"].p, best_shape(curves).p) <= ALPHA
        if share > 0.25 or (moving and share > 2 * NEGLIGIBLE):
            return "refuted", f"{said}{', and it has a trend or shape' if moving else ''}."
        return "undecided", f"{said}: small, not negligible."

    def _region(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        values = self.series.values
        finite = values[np.isfinite(values)]
        inside = values[rows, self._column(claim.subject[0])]
        middle = float(np.nanmedian(inside))
        below = float((finite < middle).mean())
        rank = below if claim.direction == "high" else 1 - below - float((finite == middle).mean())
        said = f"The median there is {number(middle)}, above {100 * below:.0f} % of the grid's cells."
        return ("supported" if rank >= 0.75 else "refuted" if rank <= 0.5 else "undecided"), said

    def _contrast(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        one, two = ([self._column(n) for n in names] for names in (claim.subject, claim.other))
        of_level = claim.direction in ("higher", "lower")
        series = self.series
        if claim.layers is not None:
            means = [float(np.nanmean(series.values[rows][:, c])) for c in (one, two)]
            apart = series.values[rows][:, one].mean(axis=1) - series.values[rows][:, two].mean(axis=1)
            always = bool((apart > 0).all() or (apart < 0).all())
            said = f"Means there: {number(means[0])} and {number(means[1])}."
            if not of_level or not always:
                return "undecided", said
            return ("supported" if (means[0] > means[1]) == (claim.direction == "higher") else "refuted"), said
        answer = (level_contrast if of_level else dispersion_contrast)(series, one, two)
        if answer is None:
            return "undecided", "Too few layers, or no variation, to compare them."
        p, sign = answer
        names = listed(claim.subject), listed(claim.other)
        if p > ALPHA:
            return "undecided", f"{names[0]} and {names[1]} are not told apart ({chance(p)})."
        claimed = 1 if claim.direction in ("higher", "more-variable") else -1
        word = ("higher" if of_level else "more variable") if sign > 0 else ("lower" if of_level else "less variable")
        return ("supported" if sign == claimed else "refuted"), f"{names[0]}: {word} than {names[1]} ({chance(p)})."

    def _relation(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        one, two = sorted(self._column(n) for n in claim.subject)
        for pair in pairs(self.series, set(), 1.0):
            if (pair.first, pair.second) == (one, two):
                way = "parallel" if pair.correlation > 0 else "inverse"
                numbers = f"correlation {pair.correlation:.2f}, {chance(pair.p)}"
                said = f"{claim.subject[0]} and {claim.subject[1]}: {numbers}"
                if pair.p > ALPHA:
                    return "undecided", f"{said}: not told from two unrelated smooth curves."
                return ("supported" if way == claim.direction else "refuted"), f"{said}: {way}."
        return "undecided", "Too few layers have both."

    def _identical(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        one, two = (self._column(n) for n in claim.subject)
        if any(one in group and two in group for group in identical_groups(self.series)):
            return "supported", "They are equal to rounding."
        apart = np.abs(self.series.values[:, one] - self.series.values[:, two])
        if not np.isfinite(apart).any():
            return "undecided", "They share no layer."
        return "refuted", f"They differ by up to {number(float(np.nanmax(apart)))}."

    def _value(self, claim: Claim, rows: np.ndarray) -> tuple[str, str]:
        assert claim.value is not None
        inside = self.series.values[rows, self._column(claim.subject[0])]
        middle = float(np.nanmedian(inside))
        low, high = claim.value
        lowest, highest = (number(float(bound(inside))) for bound in (np.nanmin, np.nanmax))
        said = f"The median there is {number(middle)}, from {lowest} to {highest}."
        if claim.direction == "above":
            off = low - middle
        elif claim.direction == "below":
            off = middle - high
        else:
            off = max(low - middle, middle - high)
        # "About 0.14" is 0.13 to 0.15: one in the last digit stated.
        return ("supported" if off <= claim.unit else "refuted" if off > 2 * claim.unit else "undecided"), said

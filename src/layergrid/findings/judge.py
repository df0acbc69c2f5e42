"""A claim held against the numbers: the verdict, and why."""

from __future__ import annotations

import numpy as np

from layergrid.data.matrix import Label, Matrix
from layergrid.findings import templates
from layergrid.findings.band import chances, window_chances
from layergrid.findings.claim import Claim
from layergrid.findings.contrast import default_groups, dispersion_contrast, level_contrast
from layergrid.findings.curves import fit_curves
from layergrid.findings.finding import chance, layer_range, listed, number
from layergrid.findings.outlier import residuals, tail_chances
from layergrid.findings.plain import EXTREME, NEGLIGIBLE, identical_groups
from layergrid.findings.relation import likeness
from layergrid.findings.series import FEWEST_LAYERS, Series, prepare
from layergrid.findings.shape import MARGIN, best_shape, direction
from layergrid.findings.trend import ends, tau

ALPHA = 0.05
"""A claim is one question, asked before looking: its p-value needs no correction."""

# A band's edges are told to within so many layers.
_EDGE = 3
_NEAR = 0.15
_ALIKE = {"u": "dip", "dip": "u", "peak": "inverted-u", "inverted-u": "peak"}
Answer = tuple[str, str]
"""The verdict, and why."""


class Judge:
    """One grid, made ready once for any number of claims."""

    def __init__(self, matrix: Matrix) -> None:
        self.series: Series = prepare(matrix)
        self.groups = default_groups(matrix.components)
        self.curves = fit_curves(self.series)

    def judge(self, claim: Claim) -> tuple[str, str, list[tuple[Label, str]]]:
        """The verdict, why, and the cells it rests on.

        Raises
        ------
        ValueError
            If the claim's kind is unknown, it lacks what its kind needs, or names a component the grid does not have.
        """
        matrix = self.series.matrix
        for name in claim.subject + claim.other:
            if name not in matrix.components:
                raise ValueError(f"no component {name!r}; this grid has {', '.join(matrix.components)}")
        judges = {
            "trend": self._trend,
            "shape": self._shape,
            "constant": self._constant,
            "region": self._region,
            "extreme": self._extreme,
            "band": self._band,
            "contrast": self._contrast,
            "relation": self._relation,
            "identical": self._identical,
            "outlier": self._outlier,
            "value": self._value,
        }
        _refuse_incomplete(claim, (*judges, "absent", "missing"))
        rows = self._rows(claim)
        columns = [matrix.components.index(name) for name in claim.subject + claim.other]
        if claim.kind in ("absent", "missing"):
            verdict, why = self._gap(claim, rows)
            return verdict, why, [(matrix.layers[r], matrix.components[c]) for c in columns for r in rows]
        if claim.layers is not None and self._beyond(claim.layers):
            return "undecided", f"The grid has {layer_range(matrix.layers[0], matrix.layers[-1])} only.", []
        cells = self.series.cells(rows, columns)
        if not cells:
            return "undecided", "No finite value lies there.", []
        verdict, why = judges[claim.kind](claim, rows)
        return verdict, why, cells

    def _column(self, name: str) -> int:
        return self.series.matrix.components.index(name)

    def _rows(self, claim: Claim) -> np.ndarray:
        labels = self.series.matrix.layers
        if claim.layers is None:
            return np.arange(len(labels))
        first, last = claim.layers
        if first in labels and last in labels:
            return np.arange(labels.index(first), labels.index(last) + 1)
        if isinstance(first, str) or isinstance(last, str):
            return np.array([], int)
        return np.array([r for r, x in enumerate(labels) if isinstance(x, int) and first <= x <= last], int)

    def _beyond(self, layers: tuple[Label, Label]) -> bool:
        """Whether numbered layers are claimed that lie before the first or after the last of the grid."""
        numbered = [label for label in self.series.matrix.layers if isinstance(label, int)]
        return bool(numbered) and any(
            isinstance(each, int) and not min(numbered) <= each <= max(numbered) for each in layers
        )

    def _within(self, rows: np.ndarray) -> Series:
        """The grid of these rows alone."""
        if len(rows) == len(self.series.values):
            return self.series
        matrix = self.series.matrix
        return prepare(Matrix(matrix.values[rows], tuple(matrix.layers[r] for r in rows), matrix.components))

    def _trend(self, claim: Claim, rows: np.ndarray) -> Answer:
        name, column = claim.subject[0], self._column(claim.subject[0])
        series = self._within(rows)
        curves = (self.curves if series is self.series else fit_curves(series)).get(column)
        if curves is None:
            return "undecided", f"{name} has fewer than {FEWEST_LAYERS} values there, or they do not vary."
        trend, shape = curves["trend"], best_shape(curves)
        way = "rising" if trend.sign > 0 else "falling"
        low, high = ends(series, column)
        numbers = f"{number(low)} to {number(high)}, tau {tau(series, column):.2f}, {chance(trend.p)}"
        bent = shape.p <= ALPHA and shape.criterion > trend.criterion + MARGIN
        if bent and (way != claim.direction or trend.p > ALPHA):
            return "refuted", f"{name} is not monotone: {direction(shape)} describes it better ({numbers})."
        if trend.p > ALPHA:
            return "undecided", f"No trend in {name} is told from noise ({numbers})."
        return ("supported" if way == claim.direction else "refuted"), f"{name} is {way} ({numbers})."

    def _shape(self, claim: Claim, rows: np.ndarray) -> Answer:
        curves = self.curves.get(self._column(claim.subject[0]))
        name = claim.subject[0]
        if curves is None:
            return "undecided", f"{name} has fewer than {FEWEST_LAYERS} values, or they do not vary."
        shape, trend = best_shape(curves), curves["trend"]
        if shape.criterion <= trend.criterion + MARGIN and trend.p <= ALPHA:
            return "refuted", f"A monotone trend describes {name} better ({chance(trend.p)})."
        way = direction(shape)
        if shape.p > ALPHA:
            return "undecided", f"No shape of {name} is told from noise ({way}, {chance(shape.p)})."
        said = f"The shape of {name} is {way}, at {layer_range(*self.series.span(shape.first, shape.last))}"
        said += f" ({chance(shape.p)})."
        if way not in (claim.direction, _ALIKE.get(str(claim.direction))):
            # The claim may be of a few layers within a larger shape.
            return ("undecided" if claim.layers else "refuted"), said
        if claim.layers is None:
            return "supported", said
        if rows[-1] < shape.first or rows[0] > shape.last:
            return "refuted", said
        middle = (shape.first + shape.last) / 2
        return ("supported" if rows[0] - 1 <= middle <= rows[-1] + 1 else "undecided"), said

    def _constant(self, claim: Claim, rows: np.ndarray) -> Answer:
        column = self._column(claim.subject[0])
        curves = self.curves.get(column)
        values = self.series.values
        # Squares of 1e300 overflow.
        size = float(np.nanmax(np.abs(values))) or 1.0
        whole = float(np.nanstd(values / size))
        share = float(np.nanstd(values[rows, column] / size)) / whole if whole > 0 else 0.0
        said = f"The spread of {claim.subject[0]} is {100 * share:.2g} % of the whole grid's"
        if share <= NEGLIGIBLE:
            return "supported", f"{said}."
        moving = curves is not None and min(curves["trend"].p, best_shape(curves).p) <= ALPHA
        if share > 0.25 or (moving and share > 2 * NEGLIGIBLE):
            return "refuted", f"{said}{', and it has a trend or shape' if moving else ''}."
        return "undecided", f"{said}: small, not negligible."

    def _region(self, claim: Claim, rows: np.ndarray) -> Answer:
        values, column = self.series.values, self._column(claim.subject[0])
        high = claim.direction in ("high", "highest")
        finite = values[np.isfinite(values)]
        middle = float(np.nanmedian(values[rows, column]))
        below = float((finite < middle).mean())
        rank = below if high else 1 - below - float((finite == middle).mean())
        said = f"The median there is {number(middle)}, above {100 * below:.0f} % of the grid's cells."
        if claim.direction in ("highest", "lowest") or claim.layers is None:
            away, said = self._from_extreme(rows, [column], list(range(values.shape[1])), high)
            far = claim.layers is not None and rank <= 0.5
            return ("supported" if away <= EXTREME else "refuted" if away > 2 * EXTREME or far else "undecided"), said
        return ("supported" if rank >= 0.75 else "refuted" if rank <= 0.5 else "undecided"), said

    def _extreme(self, claim: Claim, rows: np.ndarray) -> Answer:
        """Whether the largest or smallest value lies there: of the component itself, or of all that are named."""
        columns = [self._column(name) for name in claim.subject]
        among = sorted({*columns, *(self._column(name) for name in claim.other)})
        away, said = self._from_extreme(rows, columns, among, claim.direction == "maximum")
        return ("supported" if away == 0 else "refuted" if away > EXTREME else "undecided"), said

    def _from_extreme(self, rows: np.ndarray, columns: list[int], among: list[int], high: bool) -> tuple[float, str]:
        """How far the extreme of some cells is from that of all layers of some components, as a share of their range.

        And the sentence that says so.
        """
        terms = self.series.terms if high else -self.series.terms
        there, whole = terms[rows][:, columns], terms[:, among]
        spread = float(np.nanmax(whole) - np.nanmin(whole))
        away = float(np.nanmax(whole) - np.nanmax(there)) / spread if spread > 0 else 0.0
        own, best = (divmod(int(np.nanargmax(cells)), cells.shape[1]) for cells in (there, whole))
        word = "largest" if high else "smallest"
        return away, (
            f"The {word} value there is {self._said(int(rows[own[0]]), columns[own[1]])}, "
            f"the {word} of all {self._said(best[0], among[best[1]])}."
        )

    def _said(self, row: int, column: int) -> str:
        """One value and where it stands."""
        matrix, value = self.series.matrix, float(self.series.values[row, column])
        return f"{number(value)} (layer {matrix.layers[row]}, {matrix.components[column]})"

    def _band(self, claim: Claim, rows: np.ndarray) -> Answer:
        first, last = int(rows[0]), int(rows[-1])
        columns = [self._column(name) for name in claim.subject]
        high, low = window_chances(self.series, first, last)
        claimed, against = (high, low) if claim.direction == "high" else (low, high)
        opposed = min(columns, key=lambda column: against[column])
        if against[opposed] <= ALPHA:
            other = "low" if claim.direction == "high" else "high"
            name = self.series.matrix.components[opposed]
            return "refuted", f"{name} is {other} there, beside its own level and slope ({chance(against[opposed])})."
        p = float(claimed[columns].max())
        near = templates.bands(len(self.series.values)).near(first, last, _EDGE)
        if len(near.start):
            # All that take part must be far in the same window, whose edges may be a few layers from those claimed.
            up, down = chances(self.series, near, slice(0, len(near.start)))
            every = (up if claim.direction == "high" else down)[:, columns].max(axis=1)
            p = min(p, float(every.min()) * len(near.start))
        said = f"far enough there beside their own level and slope ({chance(min(p, 1.0))}, the weakest of them)"
        return ("supported", f"All are {said}.") if p <= ALPHA else ("undecided", f"Not all are {said}.")

    def _contrast(self, claim: Claim, rows: np.ndarray) -> Answer:
        one, two = ([self._column(n) for n in names] for names in (claim.subject, claim.other))
        of_level = claim.direction in ("higher", "lower")
        if of_level and claim.layers is not None:
            return self._ordered(claim, rows, one, two)
        answer = (level_contrast if of_level else dispersion_contrast)(self._within(rows), one, two)
        if answer is None:
            return "undecided", f"Fewer than {FEWEST_LAYERS} layers, or no variation, to compare them."
        p, sign = answer
        names = listed(claim.subject), listed(claim.other)
        if p > ALPHA:
            return "undecided", f"{names[0]} and {names[1]} are not told apart ({chance(p)})."
        claimed = 1 if claim.direction in ("higher", "more-variable") else -1
        word = ("higher" if of_level else "more variable") if sign > 0 else ("lower" if of_level else "less variable")
        return ("supported" if sign == claimed else "refuted"), f"{names[0]}: {word} than {names[1]} ({chance(p)})."

    def _ordered(self, claim: Claim, rows: np.ndarray, one: list[int], two: list[int]) -> Answer:
        """Whether one side lies above the other in every one of some layers."""
        values = self.series.values[rows]
        both = np.isfinite(values[:, one]).any(axis=1) & np.isfinite(values[:, two]).any(axis=1)
        if not both.any():
            return "undecided", "No layer there has both."
        means = [np.nanmean(values[both][:, columns], axis=1) for columns in (one, two)]
        above = int((means[0] > means[1]).sum())
        said = f"Means there: {number(float(means[0].mean()))} and {number(float(means[1].mean()))}; the former is"
        said += f" higher in {above} of {int(both.sum())} layers."
        if 0 < above < both.sum() or (means[0] == means[1]).any():
            return "undecided", said
        return ("supported" if (above > 0) == (claim.direction == "higher") else "refuted"), said

    def _relation(self, claim: Claim, rows: np.ndarray) -> Answer:
        one, two = (self._column(n) for n in claim.subject)
        if any(one in group and two in group for group in identical_groups(self.series)):
            return ("supported" if claim.direction == "parallel" else "refuted"), "They hold the same numbers."
        pair = likeness(self.series, one, two)
        if pair is None:
            return "undecided", f"Fewer than {FEWEST_LAYERS} layers have both, or they do not vary."
        way = "parallel" if pair.correlation > 0 else "inverse"
        said = f"{claim.subject[0]} and {claim.subject[1]}: correlation {pair.correlation:.2f}, {chance(pair.p)}"
        if pair.p > ALPHA:
            return "undecided", f"{said}: not told from two unrelated smooth curves."
        return ("supported" if way == claim.direction else "refuted"), f"{said}: {way}."

    def _identical(self, claim: Claim, rows: np.ndarray) -> Answer:
        one, two = (self._column(n) for n in claim.subject)
        if any(one in group and two in group for group in identical_groups(self.series)):
            return "supported", "They are equal to rounding."
        apart = np.abs(self.series.values[:, one] - self.series.values[:, two])
        if not np.isfinite(apart).any():
            return "undecided", "They share no layer."
        return "refuted", f"They differ by up to {number(float(np.nanmax(apart)))}."

    def _outlier(self, claim: Claim, rows: np.ndarray) -> Answer:
        z = residuals(self.series.terms)
        own = z[rows, self._column(claim.subject[0])]
        if not np.isfinite(own).any():
            return "undecided", "Too few values to know a pattern by."
        far = float(own[np.nanargmax(np.abs(own))])
        # Any cell could have been named, so it is asked of the most outlying of all.
        cells = z[np.isfinite(z)]
        p = min(1.0, float(tail_chances(cells, np.array([far]))[0]) * len(cells))
        said = f"It lies {abs(far):.3g} robust standard deviations from its pattern ({chance(p)}, of any cell)."
        return ("supported" if p <= ALPHA else "refuted" if abs(far) < 2 else "undecided"), said

    def _gap(self, claim: Claim, rows: np.ndarray) -> Answer:
        matrix, column = self.series.matrix, self._column(claim.subject[0])
        absent = np.zeros(matrix.values.shape, bool) if matrix.absent is None else matrix.absent
        gone = absent if claim.kind == "absent" else ~np.isfinite(matrix.values) & ~absent
        count = int(gone[rows, column].sum())
        said = f"{count} of {len(rows)} cells there are {claim.kind}."
        if not len(rows):
            return "undecided", "The grid has no such layer."
        return ("supported" if count == len(rows) else "refuted"), said

    def _value(self, claim: Claim, rows: np.ndarray) -> Answer:
        assert claim.value is not None
        inside = self.series.values[rows, self._column(claim.subject[0])]
        inside = inside[np.isfinite(inside)]
        middle = float(np.median(inside))
        low, high = claim.value
        said = (
            f"The median there is {number(middle)}, from {number(float(inside.min()))} to {number(float(inside.max()))}"
        )
        if claim.direction == "about":
            off, near = abs(middle - low), self._near(low, claim.unit)
            return ("supported" if off <= near else "refuted" if off > 2 * near else "undecided"), f"{said}."
        if claim.direction == "between":
            # Ends are rounded to the last digit stated.
            beyond = (inside >= low - claim.unit / 2) & (inside <= high + claim.unit / 2)
            said += f"; {int(beyond.sum())} of {len(inside)} are between {number(low)} and {number(high)}."
        else:
            beyond = inside >= low if claim.direction == "above" else inside <= high
            said += f"; {int(beyond.sum())} of {len(inside)} are {claim.direction} {number(low)}."
        share = float(beyond.mean())
        return ("supported" if share >= 0.9 else "refuted" if share <= 0.5 else "undecided"), said

    def _near(self, value: float, unit: float) -> float:
        """How far from a stated value is about there.

        One in the last digit, so that 0.14 is 0.13 to 0.15, but of a value of one digit less: 0.2 is not 0.11.
        """
        if value != 0:
            return min(unit, _NEAR * abs(value))
        # Of zero, which has no digits, what is negligible in this grid.
        return min(unit, NEGLIGIBLE * float(np.nanmax(np.abs(self.series.values))))


def _refuse_incomplete(claim: Claim, kinds: tuple[str, ...]) -> None:
    if claim.kind not in kinds:
        raise ValueError(f"a claim's kind must be one of {', '.join(kinds)}, got {claim.kind!r}")
    needed = 2 if claim.kind in ("relation", "identical") else 1
    if len(claim.subject) < needed:
        raise ValueError(
            f"a claim of kind {claim.kind!r} needs a subject of {needed} components, got {claim.subject!r}"
        )
    if claim.kind == "contrast" and not claim.other:
        raise ValueError("a claim of kind 'contrast' needs `other`, the components that the subject is compared with")
    if claim.kind == "value" and claim.value is None:
        raise ValueError("a claim of kind 'value' needs `value`, the lowest and highest value meant")
    if claim.kind == "band" and claim.layers is None:
        raise ValueError("a claim of kind 'band' needs `layers`, the first and last of the band")

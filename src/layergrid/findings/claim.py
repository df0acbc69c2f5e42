"""What a sentence claims about a grid: read from ordinary words, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from layergrid.findings.words import (
    Mention,
    layer_ranges,
    mentions,
    names_place_in_words,
    negated,
    stated_value,
)
from layergrid.matrix import Label

FORMS = (
    "attn.q rises with layer",
    "attn.q falls with layer",
    "attn.v is U-shaped",
    "attn.v is an inverted U",
    "attn.k peaks at layers 15-21",
    "attn.k dips at layers 3-6",
    "attn.k steps up at layer 12",
    "mlp.down is constant",
    "the highest values are in attn.k at layers 15-21",
    "the lowest values are in attn.q at layers 0-3",
    "attn.k and attn.o are high together at layers 15-18",
    "attn is more variable than mlp",
    "attn.q is higher than attn.k",
    "attn.q and mlp.gate are inverse",
    "attn.q and mlp.gate move together",
    "attn.q and attn.k are identical",
    "attn.k at layers 15-21 is about 0.16",
    "attn.k at layers 15-21 is above 0.15",
    "attn.q at layer 3 is an outlier",
    "attn.q is absent at layers 0-3",
    "attn.q is missing at layer 5",
)
"""One sentence of each form that is understood."""


@dataclass(frozen=True)
class Claim:
    """One statement that the numbers of a grid can bear out or contradict."""

    kind: str
    """A kind of `Finding`, or ``value``."""

    subject: tuple[str, ...]
    """The components it is about; for a relation both."""

    direction: str | None = None
    """As in a `Finding`; for a value ``about``, ``above`` or ``below``."""

    other: tuple[str, ...] = ()
    """The components that the subject is compared with, in a contrast."""

    layers: tuple[Label, Label] | None = None
    """First and last layer it speaks of, inclusive; None for all."""

    value: tuple[float, float] | None = None
    """Lowest and highest value meant, for a value."""

    unit: float = 0.0
    """One in the last digit of the value as it was stated."""


_ONE = (
    ("shape", "inverted-u", r"\binverted[- ]u\b|\barch(?:es|ed)?\b"),
    ("shape", "u", r"(?<!inverted[- ])\bu[- ]?shaped?\b|\bbimodal\b"),
    ("shape", "peak", r"\bpeak(?:s|ed|ing)?\b(?! values)"),
    ("shape", "dip", r"\bdip(?:s|ped|ping)?\b"),
    ("shape", "step-up", r"\b(?:steps?|jumps?)\s+up\b|\bstep-up\b"),
    ("shape", "step-down", r"\b(?:steps?|jumps?)\s+down\b|\bstep-down\b"),
    ("trend", "falling", r"\b(?:fall(?:s|ing)?|decreas\w*|declin\w*|downwards?|drops?|(?:goes|go|going) down)\b"),
    ("trend", "rising", r"\b(?:rise[sn]?|rising|increas\w*|grow(?:s|ing)?|upwards?|climbs?|(?:goes|go|going) up)\b"),
    ("constant", None, r"\b(?:constant|flat|uniform|consistent(?:ly)?|unchanged)\b"),
)
_HIGH = r"\bhigh(?:est)?\b|\bpeak values\b|\borange\b|\belevated\b"
_LOW = r"\blow(?:est)?\b|\bdark blue\b"
_TOGETHER = r"\btogether\b|\bsimultaneously\b|\bboth\b|\bat once\b"
_INVERSE = r"\binvers\w*|\bopposite\b|\bagainst each other\b|\banti-?(?:correlat\w*|parallel)"
_PARALLEL = r"\btogether\b|\bparallel\b|\bcorrelat\w*"


def parse(
    sentence: str, components: Sequence[str], groups: Mapping[str, Sequence[str]], context: tuple[str, ...] = ()
) -> list[Claim]:
    """The claims of one sentence; empty where it states none that is understood.

    A name that fits several components, a denial, and layers named by words alone ("the early layers") are not
    understood: to leave them out would test another claim than the one that was made.

    Parameters
    ----------
    context : components that the sentence is about where it names none itself
    """
    text = re.sub(r"[`*]", "", sentence.lower())
    text = re.sub(r"\bsimilar to [\w. ]+,", "", text)
    named = mentions(text, components, groups)
    if any(len(mention.meant) > 1 for mention in named):
        return []
    of_cells = _of_cells(text, named)
    if of_cells:
        return of_cells
    single = list(dict.fromkeys(mention.meant[0][0] for mention in named if not mention.group))
    if _compares(text):
        return _contrast(text, components, groups)
    if len(single) >= 2:
        related = _related(text, tuple(single))
        if related is not None:
            return [] if negated(text) else related
    subject = tuple(single) or context
    out: list[Claim] = []
    head, colon, _ = text.partition(":")
    for clause in _clauses(text):
        # A heading speaks of all that follows it: "Highest values: in attn.k at layers 15-21 and in attn.o at ...".
        if colon and not mentions(head, components, groups) and not clause.startswith(head) and layer_ranges(clause):
            clause = f"{head}: {clause}"
        here = tuple(m.meant[0][0] for m in mentions(clause, components, groups) if not m.group) or subject
        if here and not negated(clause) and not names_place_in_words(clause):
            out += _of_clause(clause, tuple(dict.fromkeys(here)))
    return list(dict.fromkeys(out))


def _of_cells(text: str, named: list[Mention]) -> list[Claim]:
    """Claims of cells that are absent, missing or outliers."""
    single = [mention.meant[0][0] for mention in named if not mention.group]
    for kind, pattern in (
        ("absent", r"\babsent\b|\b(?:has|have) no\b|\black(?:s|ing)?\b"),
        ("missing", r"\bmissing\b|\bnan\b|\binfinite\b"),
        ("outlier", r"\boutliers?\b|\bstands? out\b|\bspikes?\b"),
    ):
        found = re.search(pattern, text)
        if found is not None and single and not names_place_in_words(text):
            rest = text[: found.start()] + text[found.end() :]
            ranges: list[tuple[int, int] | None] = [*layer_ranges(text)]
            if negated(rest) or (kind == "outlier" and not ranges):
                return []
            return [Claim(kind, (name,), layers=each) for name in dict.fromkeys(single) for each in ranges or [None]]
    return []


def _compares(text: str) -> bool:
    return re.search(r"\bthan\b|\bcompared (?:to|with)\b", text) is not None and stated_value(text) is None


def _contrast(text: str, components: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[Claim]:
    # A heading names both sides in any order, and parentheses repeat what a group holds.
    body = text.split(":", 1)[-1]
    named = mentions(re.sub(r"\([^)]*\)", " ", body), components, groups)
    sides = list(dict.fromkeys(mention.meant[0] for mention in named))
    way, ranges = _comparison(body), layer_ranges(body)
    if way is None or len(sides) != 2 or len(ranges) > 1 or negated(body) or names_place_in_words(body):
        return []
    return [Claim("contrast", sides[0], way, other=sides[1], layers=ranges[0] if ranges else None)]


def _comparison(text: str) -> str | None:
    for way, pattern in (
        ("more-variable", r"more (?:variable|varied)|(?:higher|greater|larger|more) (?:variance|spread)|varies more"),
        ("less-variable", r"less (?:variable|varied)|(?:lower|smaller|less) (?:variance|spread)|varies less"),
        ("higher", r"\b(?:higher|greater|larger)\b"),
        ("lower", r"\b(?:lower|smaller|less)\b"),
    ):
        if re.search(pattern, text):
            return way
    return None


def _related(text: str, names: tuple[str, ...]) -> list[Claim] | None:
    """Claims of several components together; None where the sentence speaks of each by itself."""
    ranges = layer_ranges(text)
    for direction, pattern in (("high", _HIGH), ("low", _LOW)):
        if re.search(pattern, text) and re.search(_TOGETHER, text):
            return [Claim("band", names, direction, layers=each) for each in ranges]
    kind = next(
        (
            (kind, direction)
            for kind, direction, pattern in (
                ("relation", "inverse", _INVERSE),
                ("identical", None, r"\bidentical\b|\bthe same (?:numbers|values)\b"),
                ("relation", "parallel", _PARALLEL),
            )
            if re.search(pattern, text)
        ),
        None,
    )
    if kind is None:
        return None
    # Of three or of some layers only, it would be another claim.
    return [Claim(kind[0], names, kind[1])] if len(names) == 2 and not ranges else []


def _of_clause(clause: str, subject: tuple[str, ...]) -> list[Claim]:
    ranges: list[tuple[int, int] | None] = [*layer_ranges(clause)]
    value = stated_value(clause)
    forms = _forms(clause)
    out = []
    for name in subject:
        for each in ranges or [None]:
            base = Claim("", (name,), layers=each)
            out += [replace(base, kind=kind, direction=direction) for kind, direction in forms]
            if value is not None:
                out.append(replace(base, kind="value", direction=value[0], value=value[1], unit=value[2]))
                continue
            for direction, pattern, most in (("high", _HIGH, "highest"), ("low", _LOW, "lowest")):
                if re.search(pattern, clause) and (each is not None or most in clause):
                    out.append(replace(base, kind="region", direction=direction))
                    break
    return out


def _forms(clause: str) -> list[tuple[str, str | None]]:
    """Trend, shape or constancy that a clause states; a rise *to a peak* is that peak's."""
    found = [(kind, direction) for kind, direction, pattern in _ONE if re.search(pattern, clause)]
    shapes = [form for form in found if form[0] == "shape"]
    return shapes or found


def _clauses(text: str) -> list[str]:
    """Parts of a sentence that state one thing each; commas within parentheses or a list of layers do not part."""
    hidden = re.sub(r"\([^)]*\)", lambda m: m[0].replace(",", "\0"), text)
    hidden = re.sub(r"(\d),(?=\s*(?:and\s+)?\d)", "\\1\0", hidden)
    parts = re.split(
        r",\s|;|\bthen\b|\bbefore\b|\btransitions\b|\breturns\b|\band\b(?=[^,\d]*\b(?:rows?|layers?)\b)", hidden
    )
    out: list[str] = []
    for part in parts:
        for at, piece in enumerate(re.split(r"\b(?:and|while|whereas|but)\b", part)):
            if at and not (_forms(out[-1]) and _forms(piece)):
                out[-1] += " and " + piece
            else:
                out.append(piece)
    return [part.replace("\0", ",") for part in out if part.strip()]

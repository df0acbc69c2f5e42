"""What a sentence claims about a grid: read from ordinary words, never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from layergrid.findings.claim import Claim
from layergrid.findings.clause import HIGH, LOW, of_clauses
from layergrid.findings.sentence import Names, Reading, joined
from layergrid.findings.vocabulary import ALL_LAYERS, conditional, negated, without_opening
from layergrid.findings.words import layer_ranges, mentions

_TOGETHER = r"\btogether\b|\bsimultaneously\b|\bboth\b|\bat once\b"
_INVERSE = (
    r"\binverse(?:ly)?(?: (?:related|correlat\w*))?\b|\bcorrelat\w* (?:inverse|negative)ly\b|\bopposite\b|"
    r"\bagainst each other\b|\banti-?(?:correlat\w*|parallel)|\bnegative(?:ly)? correlat\w*"
)
_PARALLEL = r"\btogether\b|\bparallel\b|(?:\bpositive(?:ly)? )?\bcorrelat\w*(?: positively\b)?|\btracks?\b"
# "Layers 0-3 have no attn.q"; "attn.q has no trend" is another matter.
_WITHOUT = r"\b(?:has|have) no\b|\black(?:s|ing)?\b"
# Of one layer: several that stand out are a peak.
_ALONE = r"\bstands? out\b|\bspikes?\b"
_GAPS = (
    ("absent", r"\b(?:is|are) absent\b"),
    ("absent", _WITHOUT),
    ("missing", r"\b(?:is|are) (?:missing|nan|infinite)\b"),
    ("outlier", r"\b(?:is|are)(?: an)? outliers?\b"),
    ("outlier", _ALONE),
)


def parse(
    sentence: str, components: Sequence[str], groups: Mapping[str, Sequence[str]], context: tuple[str, ...] = ()
) -> Reading:
    """The claims of one sentence, each of a part of it whose every word is accounted for.

    A name that fits several components, a denial, a condition, a word of unknown meaning, and layers named by words
    alone ("the early layers") are not understood: to leave them out would test another claim than the one that was
    made.

    Parameters
    ----------
    context : components that the sentence is about where it names none itself
    """
    text = without_opening(re.sub(r"[`*\"“”]", "", sentence.lower()).strip())
    text = re.sub(r"(?<=\w)['’]s\b", "", text)
    text = re.sub(r"\bsimilar to [\w. ]+,", "", text)
    if any(len(mention.meant) > 1 for mention in mentions(text, components, groups)):
        return Reading(())
    doubt = conditional(text)
    if doubt:
        return Reading((), doubt)
    names = Names(components, groups)
    parts = [_of_part(part, names, context) for part in text.split(";") if part.strip()]
    return joined(parts)


def _of_part(text: str, names: Names, context: tuple[str, ...]) -> Reading:
    head, colon, body = text.partition(":")
    if not colon or (names.named(head) and not _compares(body)):
        head, body = "", text
    reading = _gap(body, names)
    if reading is None and _compares(body):
        reading = _contrast(body, names)
    if reading is None and len(names.single(body)) >= 2:
        reading = _related(body, names)
    return of_clauses(head, body, names, context) if reading is None else reading


def _gap(text: str, names: Names) -> Reading | None:
    """Claims of cells that are absent, missing or outliers; None where the text speaks of no such thing."""
    single, ranges = names.single(text), layer_ranges(text)
    for kind, pattern in _GAPS:
        found = re.search(pattern, text)
        if single and found and (pattern != _WITHOUT or names.named(text)[0].start > found.end()):
            left = names.left(text, pattern)
            several = pattern == _ALONE and any(first != last for first, last in ranges)
            if left or several or negated(re.sub(pattern, " ", text)) or (kind == "outlier" and not ranges):
                return Reading((), left)
            layers: list[tuple[int, int] | None] = [*ranges] or [None]
            return Reading(tuple(Claim(kind, (name,), layers=each) for name in single for each in layers))
    return None


# What stands before the second of two that are compared.
_BESIDE = r"\bthan\b|\bcompared (?:to|with)\b|\bexceed(?:s|ing)?\b"


def _compares(text: str) -> bool:
    return re.search(rf"(?:{_BESIDE})(?!\s*(?:about|around|roughly|approximately)?\s*[-~]?\.?\d)", text) is not None


_TESTED = frozenset({"significantly"})
_COMPARISONS = (
    (
        "more-variable",
        r"\bmore (?:variable|varied)\b|\b(?:higher|greater|larger|more) (?:variance|spread)\b|\bvar(?:ies|y) more\b|"
        r"\bmore extreme values\b",
    ),
    (
        "less-variable",
        r"\bless (?:variable|varied)\b|\b(?:lower|smaller|less) (?:variance|spread)\b|\bvar(?:ies|y) less\b",
    ),
    ("higher", r"\b(?:higher|greater|larger)\b|\bexceed(?:s|ing)?\b"),
    ("lower", r"\b(?:lower|smaller|less)\b"),
)


def _contrast(text: str, names: Names) -> Reading:
    # Parentheses repeat what a group holds; what follows ", which" is of one side alone.
    body = re.sub(r"\([^)]*\)|,\s+which\b.*", " ", text)
    sides = list(dict.fromkeys(mention.meant[0] for mention in names.named(body)))
    beside = re.search(_BESIDE, body)
    if beside is not None and len(sides) == 2 and names.named(body)[0].start > beside.end():
        sides.reverse()  # "compared to mlp, attn is ..."
    way = next(((way, pattern) for way, pattern in _COMPARISONS if re.search(pattern, body)), None)
    ranges = layer_ranges(body)
    if way is None or len(sides) != 2 or len(ranges) > 1 or negated(body):
        return Reading((), names.left(body))
    all_over = [] if way[0] in ("higher", "lower") else [ALL_LAYERS]
    left = names.left(body, way[1], _BESIDE, r"\bmuch\b", *all_over, also=frozenset() if ranges else _TESTED)
    if left:
        return Reading((), left)
    return Reading((Claim("contrast", sides[0], way[0], other=sides[1], layers=ranges[0] if ranges else None),))


def _related(text: str, names: Names) -> Reading | None:
    """Claims of several components together; None where the sentence speaks of each by itself."""
    single, ranges = names.single(text), layer_ranges(text)
    for direction, pattern in (("high", HIGH), ("low", LOW)):
        if re.search(pattern, text) and re.search(_TOGETHER, text):
            left = names.left(text, pattern, _TOGETHER)
            if left or negated(text):
                return Reading((), left)
            return Reading(tuple(Claim("band", single, direction, layers=each) for each in ranges))
    for kind, way, pattern in (
        ("relation", "inverse", _INVERSE),
        ("identical", None, r"\bidentical\b|\bthe same (?:numbers|values)\b"),
        ("relation", "parallel", _PARALLEL),
    ):
        if re.search(pattern, text):
            left = names.left(text, pattern, r"\bmoves?\b|\bdirections?\b", ALL_LAYERS, also=_TESTED)
            # Of three or of some layers only, it would be another claim.
            if left or negated(text) or len(single) != 2 or ranges:
                return Reading((), left)
            return Reading((Claim(kind, single, way),))
    return None

"""The claims of single components: a sentence in parts that state one thing each."""

from __future__ import annotations

import re
from dataclasses import replace

from layergrid.findings.claim import Claim
from layergrid.findings.sentence import Names, Reading, joined
from layergrid.findings.vocabulary import ALL_LAYERS, COLORS, COURSE, FOUND, LEVELS, NEARLY, RANKED, negated
from layergrid.findings.words import layer_ranges, names_place_in_words, stated_value

_ONE: tuple[tuple[str, str | None, str], ...] = (
    ("shape", "inverted-u", r"\binver(?:ted|sely|se)[- ]u\b(?:[- ]?shaped?\b)?|\barch(?:es|ed)?\b"),
    ("shape", "u", r"(?<!inverted[- ])(?<!inverse[- ])(?<!inversely[- ])\bu[- ]?shaped?\b|\bbimodal\b"),
    ("shape", "peak", r"\bpeak(?:s|ed|ing)?\b(?! values)"),
    ("shape", "dip", r"\bdip(?:s|ped|ping)?\b"),
    ("shape", "step-up", r"\b(?:steps?|jumps?)\s+up\b|\bstep-up\b"),
    ("shape", "step-down", r"\b(?:steps?|jumps?)\s+down\b|\bstep-down\b"),
    (
        "trend",
        "falling",
        r"\b(?:fall(?:s|ing)?|decreas\w*|declin\w*|(?:go(?:es|ing)? )?downwards?|drops?|go(?:es|ing)? down)\b",
    ),
    (
        "trend",
        "rising",
        r"\b(?:rise[sn]?|rising|increas\w*|grow(?:s|ing)?|climbs?|(?:go(?:es|ing)? )?upwards?|go(?:es|ing)? up)\b",
    ),
    ("constant", None, r"\b(?:constant|flat|uniform|unchanged)\b"),
)
HIGH = r"\bhigh\b|\bpeak values\b|\borange\b|\belevated\b"
LOW = r"\blow\b|\bdark blue\b|\bblue\b(?= \(low)"
# "It is highest there" and "the highest value of it" speak of its own; "the highest values are in it" of the grid's.
_MOST = r"(?:high|great|larg)est|maximum"
_LEAST = r"(?:low|small)est|minimum"
_OF_ITS_OWN = (
    r"\b(?:is|are|(?:has|reaches|attains|takes) its|(?:have|reach|attain|take) their)\s+({})\b(?:\s+value\b)?|"
    r"\b({})\s+(?:value\s+)?of\b"
)
# What values are said to do, beside being there; the second of two ends.
_LIE, _SPAN = r"\b(?:lies?|sits?|hovers?)\b", r"\b(?:ranges?|spans?|var(?:y|ies))(?: from)?\b"
# The largest or smallest of many values, and not what is typical of them.
_AS_FAR_AS = r"\bas (?:high|low|large|small|much|little) as\b"
_FORM_KINDS = ("trend", "shape", "constant")
_STAGES = re.compile(
    r"\b(?:then|first|before|after|afterwards?|until|later|finally|initially|eventually|subsequently|followed)\b"
)


def of_clauses(head: str, text: str, names: Names, context: tuple[str, ...]) -> Reading:
    """The claims of a sentence's parts, and what is unclear in them.

    Parameters
    ----------
    head : what stands before a colon, where that names no component; speaks of every part that names layers
    context : the components that a part is about where neither it nor one before names any
    """
    out: list[Reading] = []
    subject = context
    for clause in _clauses(text, names, headed=head != ""):
        said = clause
        if head and layer_ranges(clause):
            # A heading speaks of all that follows it: "Highest values: in attn.k at layers 15-21 and in ...".
            said = f"{head} {clause}"
        single = names.single(clause)
        of_group = any(mention.group for mention in names.named(clause))
        subject = single or subject
        if of_group or not subject or negated(clause) or names_place_in_words(clause):
            out.append(Reading((), names.left(clause)))
        else:
            out.append(_of_clause(said, subject, names))
    return _without_courses(joined(out), text)


def _without_courses(reading: Reading, text: str) -> Reading:
    """Without forms over all layers that are stages of one: "it falls and then rises" states neither of both."""
    told = _STAGES.findall(text)
    forms = [(claim.subject, claim.kind, claim.direction) for claim in reading.claims if claim.kind in _FORM_KINDS]
    kept = []
    for claim in reading.claims:
        whole = claim.kind in _FORM_KINDS and claim.layers is None
        others = [form for form in forms if form[0] == claim.subject and form[1:] != (claim.kind, claim.direction)]
        if whole and others:
            told.append(str(claim.direction or claim.kind))
        if not (whole and (others or _STAGES.search(text))):
            kept.append(claim)
    return Reading(tuple(kept), reading.unclear + (tuple(told) if len(kept) < len(reading.claims) else ()))


def _of_clause(clause: str, subject: tuple[str, ...], names: Names) -> Reading:
    ranges = layer_ranges(clause)
    layers: list[tuple[int, int] | None] = [*ranges] or [None]
    value, forms = stated_value(clause), _forms(clause)
    base: Claim | None = None
    left: tuple[str, ...] = ()
    if value is not None:
        also = COLORS | FOUND | {"predominantly", "dominate"} | (COURSE | LEVELS if ranges else frozenset())
        patterns = [value.pattern, _LIE, *([_SPAN] if value.way == "between" else []), *([RANKED] if ranges else [])]
        typical = frozenset({"throughout"}) if value.way in ("about", "between") else frozenset()
        left = names.left(clause, *patterns, also=also | typical) + tuple(re.findall(_AS_FAR_AS, clause))
        base = Claim("value", (), value.way, value=value.ends, unit=value.unit)
    elif forms:
        (kind, direction, _), patterns = forms[0], [pattern for *_, pattern in forms]
        alike = r"\bor\b" if len(subject) == 1 else r"$^"
        nearly = NEARLY if kind == "constant" else frozenset()
        left = names.left(clause, *patterns, alike, ALL_LAYERS, also=nearly | {"significantly", "throughout"})
        base = Claim(kind, (), direction)
        if len({form[:2] for form in forms}) > 1:
            said = tuple(match[0] for pattern in patterns for match in re.finditer(pattern, clause))
            return Reading((), names.left(clause, *patterns) or said)
    else:
        base, left = _place(clause, ranges, names)
    if base is None or left:
        return Reading((), left or names.left(clause))
    return Reading(tuple(replace(base, subject=(name,), layers=each) for name in subject for each in layers))


def _place(clause: str, ranges: list[tuple[int, int]], names: Names) -> tuple[Claim | None, tuple[str, ...]]:
    """A claim that some place is high, low, or where the largest or smallest value is; without its subject."""
    course = COURSE | FOUND if ranges else FOUND
    for words, most, plural in ((_MOST, "maximum", "highest"), (_LEAST, "minimum", "lowest")):
        own = _OF_ITS_OWN.format(words, words)
        if ranges and re.search(own, clause):
            return Claim("extreme", (), most), names.left(clause, own)
        if re.search(rf"\b(?:{words}) values\b", clause):
            return Claim("region", (), plural), names.left(clause, rf"\b(?:{words}) values\b", also=course)
        if re.search(rf"\b(?:{words})(?: value)\b", clause):
            left = names.left(clause, rf"\b(?:{words}) value\b", also=course)
            return Claim("extreme", (), most, other=tuple(names.components)), left
    for direction, pattern in (("high", HIGH), ("low", LOW)):
        if ranges and re.search(pattern, clause):
            return Claim("region", (), direction), names.left(clause, pattern, also=course | COLORS)
    return None, ()


def _forms(clause: str) -> list[tuple[str, str | None, str]]:
    """Trend, shape or constancy that a clause states, with its pattern; a rise *to a peak* is that peak's."""
    found = [form for form in _ONE if re.search(form[2], clause)]
    peaks = [form for form in found if form[1] == "peak"]
    return peaks if peaks and re.search(r"\bto (?:a|its) peak\b", clause) else found


def _states(text: str) -> bool:
    """Whether a part of a sentence says something of its own."""
    place = rf"{HIGH}|{LOW}|{_MOST}|{_LEAST}"
    return bool(_forms(text)) or stated_value(text) is not None or re.search(place, text) is not None


def _clauses(text: str, names: Names, *, headed: bool) -> list[str]:
    """Parts of a sentence that state one thing each.

    Commas within parentheses or a list of layers do not part. A part that states nothing belongs to the next, or at
    the end to the one before if it has a name, layers or a number; else it stands alone, and is understood by nobody.
    """
    hidden = re.sub(r"\([^)]*\)", lambda m: m[0].replace(",", "\0").replace(" and ", "\1"), text)
    hidden = re.sub(r"(\d),(?=\s*(?:and\s+)?\d)", "\\1\0", hidden)
    hidden = re.sub(r"\bbetween ([^,]*?) and (?=\S*\d)", "between \\1\1", hidden)
    pieces = re.split(r"(,\s|\b(?:and|while|whereas|but|then|before)\b)", hidden)
    out = [pieces[0]]
    for joint, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        between = joint if joint in ("then", "before", "but") else " "
        shown = piece.replace("\0", ",").replace("\1", " and ")
        tied = bool(names.named(shown) or re.search(r"\d", shown))
        both_placed = bool(layer_ranges(out[-1]) and layer_ranges(shown))
        if (_states(out[-1]) and (_states(shown) or both_placed or not tied)) or (headed and both_placed):
            out.append(f"{between} {piece}")
        else:
            out[-1] += f"{joint if joint != ', ' else ','} {piece}"
    return [part.replace("\0", ",").replace("\1", " and ").strip() for part in out if part.strip()]

"""The words of a sentence: which components, layers and values it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_LONG = {"q": "query", "k": "key", "v": "value", "o": "output"}
# Words that mean a way as often as a component.
_WAYS = ("up", "down", "out", "in")
_PROJECTION = r"[\s_-]?proj(?:ections?)?"
_GROUPS = {"attn": r"(?:self[\s_-]?)?(?:attn|attention)", "mlp": r"mlps?|ffns?|feed-?forward"}
_LAYER = r"(?:layers?|rows?|positions?|blocks?)"
RANGE_DASH = rf"\s*(?:-|–|—|to|through)\s*(?:{_LAYER}\s+)?"
_RANGE = rf"\d+(?:{RANGE_DASH}\d+)?(?![\d.]*\d)"
LAYERS = re.compile(rf"\b(between\s+)?{_LAYER}\s+\(?({_RANGE}(?:\s*(?:,\s*and|,|and|&)\s*(?:{_LAYER}\s+)?{_RANGE})*)")
_PLACE = re.compile(
    r"\b(?:first|last|early|earliest|late|latest|initial|final|middle|mid|deep|deeper|deepest|shallow|upper|lower|top|bottom)"
    r"(?:\s+\w+)?\s+(?:layers?|rows?|blocks?|half|third|quarter)\b"
)
_NUMBER = r"-?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?"
_ABOVE = r"above|over|exceed(?:s|ing)?|at least|(?:more|greater|higher|larger) than|>=?|≥"
_BELOW = r"below|under|at most|(?:less|lower|smaller) than|<=?|≤"
_ABOUT = r"about|around|approximately|roughly|near|between|within|equals?|equal to|~|≈|="
# A number is a value where a word says so, or it is written as none of a layer is.
_VALUE = re.compile(
    rf"(?:(?P<above>{_ABOVE})|(?P<below>{_BELOW})|(?P<about>{_ABOUT})|(?<![\w.-])(?=-?\d*\.\d|\d+e))\s*"
    rf"(?P<low>{_NUMBER})(?:\s*(?:-|–|—|to|and)\s*(?P<high>{_NUMBER}))?(?P<more>\+)?(?![\w.%]*[\w%])"
)

# A bare number alone may be a layer or a value.
_NUMBERED = re.compile(
    r"\b(?:components?|columns?)\s+(\d+(?:\s*(?:,\s*and|,|and|&)\s*(?:(?:component|column)\s+)?\d+)*)(?![\w.]*\w)"
)


@dataclass(frozen=True)
class Mention:
    """A component or group of components that a text names."""

    start: int
    end: int

    meant: tuple[tuple[str, ...], ...]
    """What it may mean, each one component or the components of a group; two or more where it is not clear."""

    group: bool


@lru_cache(maxsize=4096)
def _alias(component: str) -> re.Pattern[str]:
    """The ways in which people write a component: ``attn. q``, ``q_proj``, ``Q projection``, ``attention query``."""
    parts = component.lower().split(".")
    last = re.escape(parts[-1])
    whole = r"[\s._-]*".join(re.escape(part) for part in parts)
    ways = [rf"{'(?:self[_-]?)?' if parts[0] == 'attn' else ''}{whole}(?:{_PROJECTION})?", rf"{last}{_PROJECTION}"]
    word = _LONG.get(parts[-1])
    if word is not None and len(parts) > 1:
        ways += [rf"{word}[\s-]proj(?:ections?)?", rf"(?:self[\s-]?)?attention[\s-]{word}"]
    if parts[-1] not in _WAYS and (len(parts[-1]) > 2 or (len(parts) > 1 and parts[-1] in ("q", "k", "v"))):
        ways.append(last)
    return re.compile(rf"(?<![\w.])(?:{'|'.join(ways)})(?!\w)")


def _numbered(component: str, text: str) -> list[tuple[int, int]]:
    """Where a component that is a bare number is named as one: ``component 1``, ``components 1 and 2``."""
    return [
        (match.start(1) + number.start(), match.start(1) + number.end())
        for match in _NUMBERED.finditer(text)
        for number in re.finditer(rf"(?<!\d){component}(?!\d)", match[1])
    ]


def mentions(text: str, components: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[Mention]:
    """The components and groups named in lower-case text, in order; what lies within a longer name is none."""
    spans: dict[tuple[int, int, bool], list[tuple[str, ...]]] = {}
    for name in components:
        found = _numbered(name, text) if name.isdigit() else [match.span() for match in _alias(name).finditer(text)]
        for span in found:
            spans.setdefault((*span, False), []).append((name,))
    for label, names in groups.items():
        pattern = rf"(?<![\w.])(?:{_GROUPS.get(label, re.escape(label.lower()))})(?![\w.]*\w)"
        for match in re.finditer(pattern, text):
            spans.setdefault((*match.span(), True), []).append(tuple(names))
    widest = sorted(spans, key=lambda span: (span[0], -span[1], span[2]))
    out: list[Mention] = []
    for start, end, group in widest:
        if not out or start >= out[-1].end:
            out.append(Mention(start, end, tuple(spans[start, end, group]), group))
    return out


def layer_ranges(text: str) -> list[tuple[int, int]]:
    """The layers a text speaks of, as (first, last); empty for none, or where it names them by words alone."""
    match = LAYERS.search(text)
    if match is None:
        return []
    numbers = [tuple(int(n) for n in re.findall(r"\d+", part)) for part in re.findall(_RANGE, match[2])]
    if match[1] is not None and [len(n) for n in numbers] == [1, 1]:
        numbers = [(numbers[0][0], numbers[1][0])]
    ranges: list[tuple[int, int]] = []
    for first, last in ((min(n), max(n)) for n in numbers):
        # "Layers 15, 16 and 17" are one range.
        if ranges and first == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], last)
        else:
            ranges.append((first, last))
    return ranges


def names_place_in_words(text: str) -> bool:
    """Whether it speaks of layers that it does not number: ``in the first layers``, ``the upper half``."""
    return _PLACE.search(text) is not None and not layer_ranges(text)


@dataclass(frozen=True)
class Stated:
    """A value that a text states."""

    way: str
    """``about``, ``between``, ``above`` or ``below``."""

    ends: tuple[float, float]
    """Lowest and highest value meant."""

    unit: float
    """One in the last digit."""

    pattern: str
    """Matches the words that state it."""


def stated_value(text: str) -> Stated | None:
    """The first value that a text states; None where it states none."""
    match = _VALUE.search(LAYERS.sub(" ", text))
    if match is None:
        return None
    low, high = float(match["low"]), float(match["high"] or match["low"])
    two = match["high"] is not None
    if match["about"] == "within" and not two:
        return None  # of another value: "within 0.01 of attn.k"
    way = "above" if match["above"] or match["more"] else "below" if match["below"] else "between" if two else "about"
    return Stated(way, (min(low, high), max(low, high)), _last_digit(match["low"]), re.escape(match[0]))


def _last_digit(number: str) -> float:
    mantissa, _, exponent = number.partition("e")
    scale = 10.0 ** int(exponent or 0)
    if "." in mantissa:
        return scale * 10.0 ** -len(mantissa.split(".")[1])
    digits = mantissa.lstrip("-")
    return scale * 10.0 ** (len(digits) - len(digits.rstrip("0"))) if digits.strip("0") else scale

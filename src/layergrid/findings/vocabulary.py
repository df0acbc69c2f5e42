"""What the other words of a sentence do to its claim: nothing, or more than can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from layergrid.findings.words import LAYERS, RANGE_DASH, Mention


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONDITION = re.compile(
    r"\b(?:if|whether|unless|suppos\w*|assum\w*|would|could|should|may|might|can|perhaps|possibly|unclear)\b|\?"
)
_NEGATION = re.compile(r"\b(?:not|never|no|nor|neither|without|hardly|cannot)\b|n['’]t\b|\bun(?:correlated|related)\b")
# Words that change nothing of what a sentence states of the numbers.
_PLAIN = _words(
    """
    a an the this these it its their is are was were be been being has have having do does s show shows
    showing display displays displayed exhibit exhibits with in at of for over across along and to as
    while whereas but both around near within between trend trends trending pattern column columns
    component components value values level levels projection projections layer layers row rows depth
    index clear clearly distinct overall general generally roughly seem seems appear appears tend tends
    steadily consistently
    """
)
# Said where a sentence goes through the layers one part after another, each with its layers.
COURSE = _words(
    """
    then starts transitions returns begins ends found concentrated present gradually by band very
    """
)
# Said of values, beside their numbers or layers.
COLORS = _words(
    """
    orange blue white light dark darkest mid-range moderate mix high low highest lowest
    """
)
# Words about layers that are numbered: "at the very bottom (rows 0-3)", "in the middle-upper rows (15-21)".
_PLACED = re.compile(
    r"(?:\b(?:very|bottom|top|lower|upper|middle|mid|early|late|first|last)(?:-\w+)?\s+)*(?:\b(?:section|half|part)\s+)?\(?"
    + LAYERS.pattern
)


def negated(text: str) -> bool:
    """Whether a text denies something; what exactly, is not read."""
    return _NEGATION.search(text) is not None


def conditional(text: str) -> tuple[str, ...]:
    """The words by which a sentence asks, supposes or doubts, rather than states."""
    return tuple(_CONDITION.findall(text))


def unaccounted(
    text: str, named: Sequence[Mention], patterns: Sequence[str], also: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Words of a text that are no name, no layers, matched by no pattern and not in `_PLAIN` or `also`."""
    rest = list(text)
    for mention in named:
        rest[mention.start : mention.end] = " " * (mention.end - mention.start)
    # "From layer 3 to 9" names both ends; "from layer 3 on" does not.
    bare = re.sub(rf"\bfrom\s+(?=(?:layers?|rows?)\s+\d+{RANGE_DASH}\d)", " ", "".join(rest))
    # Of two places in one part it is not clear which name stands where.
    bare = _PLACED.sub(" ", bare, count=1)
    for pattern in patterns:
        bare = re.sub(pattern, " ", bare)
    words = (word.strip("-'’") for word in re.findall(r"\d+\.\d+|[^\s.,:()/~\[\]]+", bare))
    return tuple(word for word in words if word and word not in _PLAIN and word not in also)

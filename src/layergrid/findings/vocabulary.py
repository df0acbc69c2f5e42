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
    steadily consistently stay stays staying remain remains remaining follow follows form forms
    network model curve profile shape shaped weights block blocks module modules matrix
    """
)
# Said where a sentence goes through the layers one part after another, each with its layers; "starts at 0.12" alone
# speaks of a layer that it does not number.
COURSE = _words(
    """
    then starts transitions returns begins ends gradually by
    """
)
# Said of where values are.
FOUND = _words(
    """
    found concentrated present band very
    """
)
# Said of values, beside their numbers or layers.
COLORS = _words(
    """
    orange blue white light dark darkest mid-range moderate mix
    """
)
# Said of values where the layers are numbered; of a whole component they would speak of some of its cells.
LEVELS = _words(
    """
    high low
    """
)
# "(Lowest values, ~0.11)" says it of the values there; "the lowest values are about 0.11" of some of them.
RANKED = r"\b(?:highest|lowest) values(?=\s*[,(])"
# Of how constant a component is.
NEARLY = _words(
    """
    nearly almost essentially practically virtually basically relatively fairly largely approximately
    """
)
ALL_LAYERS = r"\b(?:all|every) (?:of )?(?:the )?(?:\d+ )?(?:layers?|rows?|blocks?)\b"
# Words about layers that are numbered: "at the very bottom (rows 0-3)", "in the middle-upper rows (15-21)".
_PLACED = re.compile(
    r"(?:\b(?:very|bottom|top|lower|upper|middle|mid|early|late|first|last)(?:-\w+)?\s+)*(?:\b(?:section|half|part)\s+)?\(?"
    + LAYERS.pattern
)
_OPENING = re.compile(
    r"^(?:(?:we|one can) (?:see|find|observe|note|notice) that|note that|notably|interestingly|overall|in particular|"
    r"here|moreover|furthermore|however|in contrast|by contrast|meanwhile|similarly|likewise|also),?\s+"
)


def without_opening(text: str) -> str:
    """A lower-case sentence without words that only lead to it, such as "we see that" or "in contrast,"."""
    return _OPENING.sub("", text)


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

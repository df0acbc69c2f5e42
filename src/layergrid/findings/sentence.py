"""What is understood of a sentence, and which names it can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layergrid.findings.claim import Claim
from layergrid.findings.vocabulary import unaccounted
from layergrid.findings.words import Mention, mentions


@dataclass(frozen=True)
class Reading:
    """What was understood of a sentence."""

    claims: tuple[Claim, ...]

    unclear: tuple[str, ...] = ()
    """Words that no claim accounts for; what they are part of is left out."""


@dataclass(frozen=True)
class Names:
    """The components and groups that a sentence can name."""

    components: Sequence[str]
    groups: Mapping[str, Sequence[str]]

    def named(self, text: str) -> list[Mention]:
        """The components and groups that a text names, in order."""
        return mentions(text, self.components, self.groups)

    def single(self, text: str) -> tuple[str, ...]:
        """Components named by themselves, each once."""
        return tuple(dict.fromkeys(m.meant[0][0] for m in self.named(text) if not m.group))

    def left(self, text: str, *patterns: str, also: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Words that are neither names, layers, nor matched by a pattern, nor without a meaning of their own."""
        return unaccounted(text, self.named(text), patterns, also)


def joined(readings: list[Reading]) -> Reading:
    """One reading of several, each claim once."""
    claims = dict.fromkeys(claim for reading in readings for claim in reading.claims)
    return Reading(tuple(claims), tuple(word for reading in readings for word in reading.unclear))

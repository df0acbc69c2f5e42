"""What a sentence claims about a grid: read from ordinary words, never guessed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from layergrid.matrix import Label

FORMS = (
    "attn.q rises with layer",
    "attn.q falls with layer",
    "attn.v is U-shaped",
    "attn.k peaks at layers 15-21",
    "mlp.down is constant",
    "the highest values are in attn.k at layers 15-21",
    "attn is more variable than mlp",
    "attn.q is higher than attn.k",
    "attn.q and mlp.gate are inverse",
    "attn.q and mlp.gate move together",
    "attn.k at layers 15-21 is about 0.16",
)
"""One sentence of each form that is understood."""


@dataclass(frozen=True)
class Claim:
    """One statement that the numbers of a grid can bear out or contradict."""

    kind: str
    """``trend``, ``shape``, ``constant``, ``region``, ``contrast``, ``relation``.

    ``identical`` or ``value``.
    """

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


_WORDS = {
    "q": "query",
    "k": "key",
    "o": "output",
    "up": "up",
    "down": "down",
    "gate": "gate",
}
_DASH = r"\s*(?:-|–|—|to)\s*"
_LAYERS = re.compile(rf"\b(?:layers?|rows?|positions?)\s+\(?(\d+)(?:{_DASH}(\d+))?")
_VALUE = re.compile(rf"(?<![\w.])~?\s*(-?\d+\.\d+|-?\d+e-?\d+)(?:{_DASH}(-?\d+\.\d+))?\+?(?![\w.]*\w)")
_ONE = (
    ("shape", "inverted-u", r"\binverted[- ]u\b|\barch\b"),
    ("shape", "u", r"\bu[- ]?shaped?\b|bimodal"),
    ("shape", "peak", r"\bpeak(?:s|ed)?\b"),
    ("shape", "dip", r"\bdip(?:s|ped)?\b"),
    ("trend", "falling", r"\b(?:fall(?:s|ing)?|decreas\w*|declin\w*|downwards?|drops?)\b"),
    ("trend", "rising", r"\b(?:rise[sn]?|rising|increas\w*|grow(?:s|ing)?|upwards?|climbs?)\b"),
    ("constant", None, r"\b(?:constant|flat|uniform|consistent(?:ly)?)\b"),
)


def aliases(component: str) -> str:
    """A pattern of the ways in which people write a component: ``attn. q``, ``q_proj``, ``Q projection``."""
    parts = component.lower().split(".")
    last = re.escape(parts[-1])
    ways = [r"[\s._-]*".join(re.escape(part) for part in parts)]
    ways.append(rf"{last}[\s_-]?proj(?:ection)?")
    word = _WORDS.get(parts[-1])
    if word is not None and len(parts) > 1:
        ways.append(rf"{word}[\s-]proj(?:ection)?")
    if len(parts[-1]) > 2 or (len(parts) > 1 and parts[-1] in ("q", "k", "v")):
        ways.append(last)
    return rf"(?<![\w.])(?:{'|'.join(ways)})(?![\w])"


def mentions(text: str, components: Sequence[str]) -> list[tuple[int, str]]:
    """(position, component) of each component named in lower-case text, in order, each once."""
    found = []
    for name in components:
        match = re.search(aliases(name), text)
        if match:
            found.append((match.start(), name))
    return sorted(found)


def parse(
    sentence: str, components: Sequence[str], groups: dict[str, list[str]], context: tuple[str, ...] = ()
) -> list[Claim]:
    """The claims of one sentence; empty where it states none that is understood.

    Parameters
    ----------
    context : components that the sentence is about where it names none itself
    """
    text = re.sub(r"[`*]", "", sentence.lower())
    text = re.sub(r"\bsimilar to [\w. ]+,", "", text)
    named = [name for _, name in mentions(text, components)]
    pair = _of_two(text, named, components, groups)
    if pair is not None:
        return [pair]
    subject = tuple(named) or context
    out: list[Claim] = []
    for clause in _clauses(text):
        here = tuple(name for _, name in mentions(clause, components)) or subject
        if here:
            out += _of_clause(clause, here)
    return list(dict.fromkeys(out))


def _of_two(text: str, named: list[str], components: Sequence[str], groups: dict[str, list[str]]) -> Claim | None:
    if len(named) == 2:
        two = (named[0], named[1])
        if re.search(r"\binvers\w*|\bopposite\b|against each other|anti-?correlat", text):
            return Claim("relation", two, "inverse")
        if re.search(r"\bidentical\b|\bthe same (?:numbers|values)\b", text):
            return Claim("identical", two)
        if re.search(r"\btogether\b|\bparallel\b|\bcorrelat", text):
            return Claim("relation", two, "parallel")
    way = _comparison(text)
    # A heading names both sides in any order.
    text = text.split(":", 1)[-1]
    if way is None:
        return None
    sides: list[tuple[int, tuple[str, ...]]] = [(at, (name,)) for at, name in mentions(text, components)]
    if len(sides) != 2:
        words = {"attn": r"\battn\b|\battention\b", "mlp": r"\bmlp\b|feed-?forward"}
        hits = [(re.search(words.get(g, re.escape(g.lower())), text), g) for g in groups]
        sides = sorted((hit.start(), tuple(groups[g])) for hit, g in hits if hit)
    if len(sides) != 2:
        return None
    return Claim("contrast", sides[0][1], way, other=sides[1][1], layers=_layers(text))


def _comparison(text: str) -> str | None:
    if not re.search(r"\bthan\b|compared (?:to|with)", text):
        return None
    for way, pattern in (
        (
            "more-variable",
            r"more (?:variable|varied)|(?:higher|greater|larger|more) (?:variance|spread)|varies more",
        ),
        ("less-variable", r"less (?:variable|varied)|(?:lower|smaller|less) (?:variance|spread)|varies less"),
        ("higher", r"\b(?:higher|greater|larger|above)\b"),
        ("lower", r"\b(?:lower|smaller|less|below)\b"),
    ):
        if re.search(pattern, text):
            return way
    return None


def _of_clause(clause: str, subject: tuple[str, ...]) -> list[Claim]:
    layers = _layers(clause)
    out = []
    for name in subject:
        base = Claim("", (name,), layers=layers)
        value = _value(clause)
        for kind, direction, pattern in _ONE:
            if re.search(pattern, clause) and not re.search(r"\b(?:not|never|no)\b", clause):
                # A dip or a rise at a few layers is a matter of those layers.
                out.append(replace(base, kind=kind, direction=direction, layers=layers if kind == "shape" else None))
                break
        if value is not None:
            way = "above" if re.search(r"\babove\b|\bover\b|\+", clause) else "below" if "below" in clause else "about"
            out.append(replace(base, kind="value", direction=way, value=value[0], unit=value[1]))
        elif layers is not None and re.search(r"\bhigh(?:est)?\b|\bpeak values\b|orange|elevated", clause):
            out.append(replace(base, kind="region", direction="high"))
        elif layers is not None and re.search(r"\blow(?:est)?\b|dark blue", clause):
            out.append(replace(base, kind="region", direction="low"))
        elif re.search(r"\bhighest\b", clause):
            out.append(replace(base, kind="region", direction="high"))
        elif re.search(r"\blowest\b", clause):
            out.append(replace(base, kind="region", direction="low"))
    return out


def _clauses(text: str) -> list[str]:
    """Parts of a sentence that state one thing each; commas within parentheses do not part."""
    hidden = re.sub(r"\([^)]*\)", lambda m: m[0].replace(",", "\0"), text)
    parts = re.split(
        r",\s|;|\bthen\b|\bbefore\b|\btransitions\b|\breturns\b|\band\b(?=[^,]*\b(?:rows?|layers?)\b)", hidden
    )
    return [part.replace("\0", ",") for part in parts if part.strip()]


def _layers(text: str) -> tuple[Label, Label] | None:
    match = _LAYERS.search(text)
    if match is None:
        return None
    return int(match[1]), int(match[2] or match[1])


def _value(text: str) -> tuple[tuple[float, float], float] | None:
    match = _VALUE.search(text)
    if match is None:
        return None
    low, high = float(match[1]), float(match[2] or match[1])
    decimals = len(match[1].split(".")[1]) if "." in match[1] else 0
    return (min(low, high), max(low, high)), 10.0**-decimals

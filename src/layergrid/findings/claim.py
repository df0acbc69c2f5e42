"""What a claim is: one statement that the numbers of a grid can bear out or contradict."""

from __future__ import annotations

from dataclasses import dataclass

from layergrid.data.matrix import Label

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
    "attn.k is highest at layer 17",
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
    """A kind of `Finding`, ``value`` or ``extreme``."""

    subject: tuple[str, ...]
    """The components it is about; for a relation both."""

    direction: str | None = None
    """As in a `Finding`; for a region also ``highest`` or ``lowest``.

    For a value ``about``, ``between``, ``above`` or ``below``; for an extreme ``maximum`` or ``minimum``.
    """

    other: tuple[str, ...] = ()
    """The components that the subject is compared with, in a contrast or for an extreme; for that none: its own."""

    layers: tuple[Label, Label] | None = None
    """First and last layer it speaks of, inclusive; None for all."""

    value: tuple[float, float] | None = None
    """Lowest and highest value meant, for a value."""

    unit: float = 0.0
    """One in the last digit of the value as it was stated."""

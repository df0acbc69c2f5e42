"""What every source yields: named tensors, and what is known about where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from layergrid.tensor import Tensor


class SourceError(ValueError):
    """A file, folder or model that cannot be read as what it claims to be.

    The message names the file, the tensor where there is one, and the remedy.
    """


@dataclass(frozen=True, eq=False)
class Source:
    """Named tensors, opened but not read: of a file, a folder, a URL or a model in memory."""

    label: str
    """Where the tensors come from, for titles: a path, a URL, a class name."""

    format: str
    """What it was taken for: "safetensors", "GGUF", "module" ..."""

    tensors: Mapping[str, Tensor]
    """The tensors by full name, in the source's own order."""

    config: Mapping[str, Any] = field(default_factory=dict)
    """The model's config.json, or the scalars of a GGUF header; empty where there is none."""

    identities: Mapping[str, str] = field(default_factory=dict)
    """By tensor name: what changes when the file behind it does, so that results can be kept; absent
    where nothing of the kind is known, as for arrays in memory."""

    skipped: Mapping[str, str] = field(default_factory=dict)
    """What could not be read, by file or tensor name, and why; empty unless skipping was asked for."""

    missing: tuple[str, ...] = ()
    """Names of the tensors that are known to be in what was skipped."""


def printable(name: object, limit: int = 200) -> str:
    """A name made by a stranger, as one line of printable text of bounded length, quoted."""
    text = str(name)
    shown = text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
    return ascii(shown) if not shown.isprintable() else repr(shown)

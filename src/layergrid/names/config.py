"""What a model's config says of its heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from layergrid.names.layouts import HEAD_SIZE, HEADS, KV_HEADS, SUB_CONFIGS


class Heads(NamedTuple):
    """The heads of attention."""

    queries: int
    keys: int
    """As many values have."""
    size: int | None
    """How many numbers a head has; None where the config does not say."""


def head_counts(config: Mapping[str, Any], stack: str = "") -> tuple[int, int] | None:
    """The numbers of heads of queries and of keys; None where the config does not say. See `heads_of`."""
    heads = heads_of(config, stack)
    return None if heads is None else (heads.queries, heads.keys)


def heads_of(config: Mapping[str, Any], stack: str = "") -> Heads | None:
    """The heads of a stack; None where the config does not say.

    Parameters
    ----------
    config : the model's config.json, or the scalars of a GGUF header
    stack : of the layers that are meant, as `Address` has it
    """
    part = _of_stack(config, stack)
    if part is None:
        return None
    if isinstance(architecture := part.get("general.architecture"), str):
        part = {key.removeprefix(f"{architecture}."): value for key, value in part.items()}
    if isinstance(attention := part.get("attn_config"), Mapping):
        part = {**attention, **part}
    queries = _count(part, HEADS)
    if queries is None:
        return None
    if "multi_query" in part and not part.get("new_decoder_architecture"):
        keys = 1 if part["multi_query"] else queries
    else:
        keys = _count(part, KV_HEADS) or queries
    return Heads(queries, keys, _count(part, HEAD_SIZE))


def _count(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    counts = (config.get(name) for name in names)
    return next((count for count in counts if type(count) is int and count > 0), None)


def _of_stack(config: Mapping[str, Any], stack: str) -> Mapping[str, Any] | None:
    """The part of the config that describes a stack; the whole where the config has no parts."""
    parts = dict(_nested(config))
    for word in stack.split("."):
        for name in SUB_CONFIGS.get(word, ()):
            if name in parts:
                return parts[name]
    if any(word in ("vision", "audio", "qformer") for word in stack.split(".")):
        return None  # the heads of the text model, which is what the rest of a config describes
    if _count(config, HEADS) is None:
        return next((parts[name] for name in SUB_CONFIGS["text"] if name in parts), config)
    return config


def _nested(config: Mapping[str, Any], depth: int = 3) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The configs inside a config, outer ones last."""
    for name, value in config.items():
        if isinstance(value, Mapping) and depth:
            yield from _nested(value, depth - 1)
            yield name, value


def model_types(config: Mapping[str, Any]) -> Iterator[str]:
    """What the model, and each of its parts that has a config, is called by the library that runs it."""
    for part in (config, *(part for _, part in _nested(config))):
        for key in ("model_type", "general.architecture"):
            if isinstance(part.get(key), str):
                yield part[key]

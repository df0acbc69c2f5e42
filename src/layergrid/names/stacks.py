"""The stacks of layers of a model: which lists hold blocks, and a name for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from layergrid.names import rules
from layergrid.names.reader import Reading, stack_words

# The words that lead to the list, those between nested lists, and the index in each outer list.
Stack = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]


def stack_of(reading: Reading) -> Stack:
    """The list of blocks that a name is in."""
    return reading.path, reading.nested if reading.stages else (), reading.stages


def without_blocks(readings: Iterable[Reading]) -> set[Stack]:
    """Lists among heads, projectors and embeddings that hold neither attention nor MLPs."""
    outside: dict[Stack, bool] = {}
    for reading in readings:
        if reading.outside:
            stack = stack_of(reading)
            outside[stack] = outside.get(stack, False) or reading.place in rules.BLOCK_PLACES
    return {stack for stack, has_blocks in outside.items() if not has_blocks}


def stack_labels(stacks: Iterable[Stack]) -> dict[Stack, str]:
    """A name for each stack: the shortest that tells them apart; "" for the only one."""
    stacks = list(dict.fromkeys(stacks))
    bases = _base_labels(list(dict.fromkeys(path for path, _, _ in stacks)))
    nested: dict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for path, inner, stages in stacks:
        if stages:
            nested[path].add(inner)
    labels = {}
    for path, inner, stages in stacks:
        words = [bases[path]] if bases[path] else []
        if path in nested:
            words += [f"stage.{stage}" for stage in stages] or ["stage"]
        if stages and len(nested[path]) > 1:
            words += inner
        labels[path, inner, stages] = ".".join(words)
    return labels


def _base_labels(paths: list[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    if len(paths) < 2:
        return dict.fromkeys(paths, "")
    known = {path: stack_words(path) for path in paths}
    shared = set.intersection(*map(set, paths))
    own = {path: ".".join(word for word in path if word not in shared) for path in paths}
    for labels in (
        {path: words[0] if words else own[path] or "main" for path, words in known.items()},
        {path: ".".join(words) or own[path] or "main" for path, words in known.items()},
        {path: own[path] or "main" for path in paths},
    ):
        if len(set(labels.values())) == len(paths):
            return labels
    return {path: ".".join(path) for path in paths}

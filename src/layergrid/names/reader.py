"""One parameter name, read by the tables of `rules`."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from layergrid.names import rules
from layergrid.names.address import CORE, Address


@dataclass(frozen=True, slots=True)
class Reading:
    """What one name says by itself, with what its siblings are needed for."""

    address: Address

    path: tuple[str, ...]
    """The words that lead to the (outermost) list of blocks, the list's own last: ("decoder", "layers")."""

    nested: tuple[str, ...]
    """The words from there to the list that counts the layers, where lists of blocks are nested."""

    stages: tuple[int, ...]
    """Index in each outer list, where lists of blocks are nested."""

    place: str
    """The sub-module by its row in `rules.PLACES`; "" for a direct child of the block."""

    module: tuple[str, ...]
    """Words from the block to the module that holds the part."""

    leaf: str
    """The rest: the part itself, as `rules.PARTS` sees it."""

    @property
    def outside(self) -> bool:
        """Whether the list stands among heads, projectors or embeddings, and may hold no blocks."""
        return any(map(_is_outside, self.path))


_SEPARATORS = re.compile(r"[./\[\]'\"]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# No model counts so far; int() refuses the longest, and is slow before.
_TOO_LONG_A_NUMBER = re.compile(r"\d{10}")
_GLUED_INDEX = re.compile(r"(.*?\D)_?(\d+)")
_WRAPPER = re.compile(rules.WRAPPERS)
_BLOCK_LIST = re.compile(rules.BLOCK_LISTS)
_OTHER_LIST = re.compile(rules.OTHER_LISTS)
_SUB_LISTS = [(re.compile(outer), re.compile(inner)) for outer, inner in rules.SUB_LISTS]
_PART_LIST = re.compile(rules.PART_LISTS)
_OUTSIDE = re.compile(rules.OUTSIDE)
_SCANNED = re.compile(rules.SCANNED_LISTS)
_LORA = re.compile(rules.LORA)
_NORM = re.compile(rules.NORM)
_NORM_BLOCK = re.compile(rules.NORM_BLOCKS)
_CROSS_LIST = re.compile(rules.CROSS_LISTS)
_EXPERTS = re.compile(rules.EXPERT_LISTS)
_SHARED = re.compile(rules.SHARED_EXPERTS)
_INSIDE_PARAMETER = re.compile(rules.INSIDE_PARAMETER)
_EXPERT_KIND = re.compile(rules.EXPERT_KINDS)
_KIND_SUFFIX = re.compile(rf"(?P<part>.+)_(?P<kind>{rules.KIND_SUFFIXES})")
_BIAS_PREFIX = re.compile(r"(?P<kind>b)_(?P<part>q|k|v|o|in|out)")

# Special rows stand last in the tables, so the tables are searched from the end.
_STACKS = [(label, re.compile(pattern)) for label, pattern in reversed(rules.STACKS)]
_KINDS = [(flag, re.compile(pattern)) for flag, pattern in reversed(rules.KINDS)]
_PLACES = [(place, re.compile(pattern)) for place, pattern in reversed(rules.PLACES)]
_PARTS = [(place, re.compile(pattern), part) for place, pattern, part in reversed(rules.PARTS)]
_COMPOUNDS = [(place, re.compile(rf"({pattern})_(.+)")) for place, pattern in reversed(rules.COMPOUNDS)]
_COMPOUND_PARTS = [(place, re.compile(pattern), part) for place, pattern, part in reversed(rules.COMPOUND_PARTS)]


def read(name: str, lists: Set[tuple[str, ...]] = frozenset()) -> Reading | None:
    """What the name says by itself; None where it belongs to no block.

    Parameters
    ----------
    lists : what leads to lists that hold blocks although they are not called so, as other names of the model show
    """
    if _TOO_LONG_A_NUMBER.search(name):
        return None
    words = [word for raw in _SEPARATORS.split(name.replace("_._", "_")) if (word := _word(raw))]
    block = _block(words, lists)
    if block is None:
        return None
    part = _part(block.inner)
    if part is None:
        return None
    layer, stages = block.layer, block.stages
    if layer is None and part.component not in CORE:
        return None
    flags = part.flags
    if (sub := part.sub if block.sub is None else block.sub) is not None and part.component != "norm":
        flags |= {f"sub:{sub}"}
    stack = [*stack_words(block.path), *(f"stage.{stage}" for stage in stages)]
    if part.component in rules.BY_STAGE and block.nested == rules.BY_STAGE_LISTS:
        stack, layer, stages = [*stack[:-1], "stage"], stages[-1], ()
    component = part.component
    if component.startswith("attn.") and _CROSS_LIST.fullmatch(block.path[-1]) and not part.name.startswith("self"):
        component = "cross_" + component
    address = Address(".".join(stack), layer, component, part.expert, flags, part.name)
    return Reading(address, block.path, block.nested, stages, part.place, part.module, part.leaf)


def stack_words(path: tuple[str, ...]) -> tuple[str, ...]:
    """What a stack is called by the words that lead to it: ("vision",), ("text", "decoder") or ()."""
    words: list[str] = []
    for at, word in enumerate(path):
        label = f"{path[at - 1]}.{word}" if at and word.isdecimal() else _stack_word(word)
        if label and label not in words:
            words.append(label)
    return tuple(words)


@lru_cache(maxsize=4096)
def _word(raw: str) -> str:
    """The word in snake_case without Keras' ``:0``; "" for what wrappers put in between."""
    word = _CAMEL.sub("_", raw.split(":", 1)[0]).lower()
    return "" if _WRAPPER.fullmatch(word) else word


@lru_cache(maxsize=4096)
def _stack_word(word: str) -> str:
    return next((label for label, pattern in _STACKS if pattern.fullmatch(word)), "")


@lru_cache(maxsize=4096)
def _is_outside(word: str) -> bool:
    return _OUTSIDE.fullmatch(word) is not None


def _is_attention(place: str) -> bool:
    return place in ("attn", "cross_attn")


@lru_cache(maxsize=4096)
def _is_block_list(word: str) -> bool:
    return _BLOCK_LIST.fullmatch(word) is not None and _OTHER_LIST.fullmatch(word) is None


@lru_cache(maxsize=4096)
def _glued(word: str) -> tuple[str, int] | None:
    """``decoder_block_3`` and ``layer1`` as list and index; None for a word that is no list's element."""
    match = _GLUED_INDEX.fullmatch(word)
    return (match[1], int(match[2])) if match and _is_block_list(match[1]) else None


@dataclass(frozen=True, slots=True)
class _Block:
    path: tuple[str, ...]
    nested: tuple[str, ...]
    stages: tuple[int, ...]
    layer: int | None
    sub: int | None
    inner: tuple[str, ...]


def _block(words: list[str], known: Set[tuple[str, ...]]) -> _Block | None:
    """The block that the words name, and the words inside it; None outside of all blocks."""
    lists = _lists(words, known)
    if not lists:
        return _part_list(words) or _scanned(words)
    name, layer, start, end = lists[0]
    path = (*words[:start], name)
    nested: tuple[str, ...] = ()
    stages: tuple[int, ...] = ()
    sub = None
    for inner_name, index, start, inner_end in lists[1:]:
        if start == end and _is_sub_list(name, inner_name):
            sub = index
        else:
            stages += (layer,)
            nested += (*words[end:start], inner_name or name)
            name, layer, sub = inner_name or name, index, None
        end = inner_end
    return _Block(path, nested, stages, layer, sub, tuple(words[end:]))


def _lists(words: list[str], known: Set[tuple[str, ...]]) -> list[tuple[str, int, int, int]]:
    """The lists of blocks on the way down: (list, index, where it starts, where what follows it starts)."""
    lists: list[tuple[str, int, int, int]] = []
    at = 0
    while at < len(words):
        word = words[at]
        if lists and (_place(word) or _is_norm(word)):
            break
        after = words[at + 1] if at + 1 < len(words) else ""
        if after.isdecimal() and _is_block_list(word):
            lists.append((word, int(after), at, at + 2))
            at += 2
        elif word.isdecimal() and lists and lists[-1][3] == at and after:
            lists.append(("", int(word), at, at + 1))
            at += 1
        elif after and (glued := _glued(word)) and (not lists or _is_stage(glued[0])):
            lists.append((*glued, at, at + 1))
            at += 1
        else:
            at += 1
    if not lists:
        for at in range(len(words) - 2):
            if words[at + 1].isdecimal() and (
                tuple(words[: at + 1]) in known
                or (_place(words[at + 2]) in rules.BLOCK_PLACES and _may_list(words[at]))
            ):
                return [(words[at], int(words[at + 1]), at, at + 2)]
    return lists


@lru_cache(maxsize=4096)
def _may_list(word: str) -> bool:
    return not (word.isdecimal() or _place(word) or _OTHER_LIST.fullmatch(word) or _PART_LIST.fullmatch(word))


@lru_cache(maxsize=4096)
def _is_norm(word: str) -> bool:
    return _NORM.fullmatch(word) is not None


def _is_stage(word: str) -> bool:
    return re.fullmatch(rules.STAGE_LISTS, word) is not None


def _is_sub_list(outer: str, inner: str) -> bool:
    if not inner:  # `block.0.1` is a stage's block, `layers.0.1` a part of the layer
        return not _is_stage(outer)
    return any(a.fullmatch(outer) and b.fullmatch(inner) for a, b in _SUB_LISTS)


def _part_list(words: list[str]) -> _Block | None:
    """`attentions.3.q_lin` and `layer_norm1.3`: the layer is the index in the part's own list."""
    if any(_OTHER_LIST.fullmatch(word) for word in words):
        return None
    for at, (word, after) in enumerate(pairwise(words)):
        if after.isdecimal() and _PART_LIST.fullmatch(word):
            inner = (word.removesuffix("s"), *words[at + 2 :])
            return _Block((*words[:at], ""), (), (), int(after), None, inner)
    return None


def _scanned(words: list[str]) -> _Block | None:
    """`layers/mlp/wi/kernel`: one tensor holds all layers."""
    for at, word in enumerate(words):
        if _SCANNED.fullmatch(word) and at + 1 < len(words) and _place(words[at + 1]):
            return _Block(tuple(words[: at + 1]), (), (), None, None, tuple(words[at + 1 :]))
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    component: str
    expert: int | str | None
    flags: frozenset[str]
    name: str
    place: str
    module: tuple[str, ...]
    leaf: str
    sub: int | None


@lru_cache(maxsize=65536)
def _part(inner: tuple[str, ...]) -> _Part | None:
    """The part that the words inside a block name; None where they name nothing."""
    words, flags = _cut_lora(inner)
    words, numbered = _cut_expert_kind(words)
    words, kind = _cut_kind(words)
    if not words:
        return None
    component, expert, place, leaf, sub, known = _component(words)
    expert = expert if numbered is None else numbered
    if not known and (match := _KIND_SUFFIX.fullmatch(words[-1]) or _BIAS_PREFIX.fullmatch(words[-1])):
        cut = (*words[:-1], match["part"])
        as_cut = _component(cut)
        # `ffn_scale` is no scale of a matrix `ffn`.
        if as_cut[0] in CORE and not (_place(match["part"]) and "scale" in match["kind"]):
            component, expert, place, leaf, sub, _ = as_cut
            words, kind = cut, _kind(match["kind"]) or kind
    if kind:
        flags |= {kind}
    if expert == "*":
        flags |= {"stacked"}
    if component.rpartition(".")[2] in rules.FUSED and component in CORE and "bias" not in flags:
        flags |= {"fused"}
    depth = len(words) - leaf.count(".") - 1
    return _Part(component, expert, flags, ".".join(words), place, words[:depth], leaf, sub)


def _cut_lora(words: tuple[str, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
    for at, word in enumerate(words):
        if match := _LORA.fullmatch(word):
            return words[:at], frozenset({"lora_" + match["which"].upper()})
    return words, frozenset()


def _cut_expert_kind(words: tuple[str, ...]) -> tuple[tuple[str, ...], int | None]:
    """The words with `weight` for the `weight7` of a part that every expert has, and the expert's index."""
    within = words[:-2]
    if words and (match := _EXPERT_KIND.fullmatch(words[-1])) and any(map(_EXPERTS.fullmatch, within)):
        return (*words[:-1], match["kind"]), int(match["expert"])
    return words, None


def _cut_kind(words: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The words without those that say what kind of tensor it is, and that kind's flag."""
    if len(words) > 1 and _INSIDE_PARAMETER.fullmatch(words[-1]) and _kind(words[-2]) is not None:
        words = words[:-1]
    if "weight" in words[:-1]:  # `weight.absmax`, `weight.original0`
        at = words.index("weight")
        return words[:at], _kind(words[at + 1]) or words[at + 1]
    if words and (flag := _kind(words[-1])) is not None:
        if words[-1] == "beta" and not (len(words) > 1 and _NORM.fullmatch(words[-2])):
            return words, ""
        return words[:-1], flag
    return words, ""


def _kind(word: str) -> str | None:
    """Flag of a last word: "" for the weight itself; None where the word is a part of the network."""
    return next((flag for flag, pattern in _KINDS if pattern.fullmatch(word)), None)


@lru_cache(maxsize=4096)
def _place(word: str) -> str:
    return next((place for place, pattern in _PLACES if pattern.fullmatch(word)), "")


def _component(
    words: tuple[str, ...],
) -> tuple[str, int | str | None, str, str, int | None, bool]:
    """(component, expert, place, rest of the path below it, sub-block, whether a row knew it)."""
    expert: int | str | None = None
    sub = None
    place = ""
    rest: list[str] = []
    for at, word in enumerate(words):
        last = at == len(words) - 1
        if word in rules.THROUGH and not last:
            continue
        if _SHARED.fullmatch(word) and not last:
            expert, place, rest = "shared", place or "mlp", []
        elif _EXPERTS.fullmatch(word) and not last:
            expert = expert or "*"
            place, rest = place or "mlp", []
        elif word.isdecimal() and not last and words[at - 1 : at] and _EXPERTS.fullmatch(words[at - 1]):
            expert = int(word)
        elif (glued := re.fullmatch(r"expert_?(\d+)", word)) and not last:
            expert, rest = int(glued[1]), []
        elif word.isdecimal() and not last and place and not rest:
            sub = int(word)
        elif not last and place not in rules.CLOSED_PLACES and (here := _place_in(place, word)):
            place, rest = here, []
        else:
            rest.append(word)
    if len(rest) > 1 and rest[-1] in rules.INSIDE_MATRIX:
        rest.pop()
    leaf = ".".join(rest)
    named = [word for word in words if not word.isdecimal()]
    if (
        place not in ("resnet",)
        and named
        and _NORM.fullmatch(named[-1])
        and not re.search(r"_(?:weight|bias)$", named[-1])
    ):
        return "norm", expert, place, leaf, sub, True
    component = _row(_PARTS, place, leaf)
    if component is None and len(rest) == 1:
        for compound, pattern in _COMPOUNDS:
            if place in ("", compound) and (match := pattern.fullmatch(leaf)):
                component = _row(_COMPOUND_PARTS, compound, match[2])
                if component is None:
                    tail, expert = _cut_expert(match[2], expert)
                    component = _row(_COMPOUND_PARTS, compound, tail) or _row(_PARTS, compound, tail)
                if component is not None:
                    place = compound
                break
    if component is None:
        own = f"{place}.{leaf}" if place and leaf else ".".join(words)
        return (f"other.{own}" if own in CORE else own), expert, place, leaf, sub, False
    return component, expert, place, leaf, sub, True


def _place_in(place: str, word: str) -> str:
    """The place that a word opens inside another; "" where it opens none."""
    if _is_norm(word) and not _NORM_BLOCK.fullmatch(word):
        return "mod"
    here = _place(word)
    if here == "attn" and place in ("cross_attn", "linear_attn"):
        return place
    if here == "router" and place in ("attn", "cross_attn", "linear_attn"):
        return ""
    return here


def _cut_expert(tail: str, expert: int | str | None) -> tuple[str, int | str | None]:
    """GGUF's `up_exps` and `up_shexp`: which experts, and the rest."""
    for suffix, which in rules.EXPERT_SUFFIXES:
        if tail.endswith(suffix):
            return tail.removesuffix(suffix), which
    return tail, expert


def _row(table: list[tuple[str, re.Pattern[str], str]], place: str, leaf: str) -> str | None:
    rows = "attn" if place in ("cross_attn", "linear_attn") else place
    for row_place, pattern, part in table:
        if row_place == rows and pattern.fullmatch(leaf):
            return part if "." in part or not place or part == "norm" else f"{place}.{part}"
    return None

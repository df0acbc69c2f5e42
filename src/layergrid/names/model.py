"""The names of a whole model, where siblings and shapes settle what one name leaves open."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from layergrid.names import rules
from layergrid.names.address import CORE, Address
from layergrid.names.reader import Reading, read, stack_words

Shape = Sequence[int] | None

_LINEAR_MARK = re.compile(rules.LINEAR_ATTENTION_MARKS)
_UP_FIRST = re.compile(rules.UP_FIRST)
_NUMBERED = re.compile(r"(.*?)(\d+)")


def parse_name(name: str, shape: Shape = None) -> Address | None:
    """Address of one parameter, as far as its own name and shape tell.

    A whole model says more: `parse_names` sees siblings, and drops the name of a stack that is the only one.

    Parameters
    ----------
    name : full parameter name, as a checkpoint or a framework writes it
    shape : the tensor's shape, or None where unknown

    Returns
    -------
    None where the name belongs to no block: embeddings, heads, final norms, stems, projectors
    """
    reading = read(name)
    if reading is None or (reading.outside and reading.place not in rules.BLOCK_PLACES):
        return None
    if shape is None:
        return reading.address
    tensor = _Tensor.of(reading, shape)
    _settle_layer([tensor])
    return tensor.address(reading.address.stack)


def parse_names(shapes: Mapping[str, Shape]) -> dict[str, Address | None]:
    """Address of every parameter of one model, in the order given.

    Parameters
    ----------
    shapes : full parameter name -> the tensor's shape, or None where unknown

    Returns
    -------
    name -> address; None where the name belongs to no block, such as embeddings and heads
    """
    readings = {name: read(name) for name in shapes}
    lists = {reading.path for reading in readings.values() if reading is not None}
    readings |= {name: read(name, lists) for name, reading in readings.items() if reading is None}
    tensors = {name: _Tensor.of(reading, shapes[name]) for name, reading in readings.items() if reading is not None}
    layers: dict[tuple[_Stack, int | None], list[_Tensor]] = defaultdict(list)
    for tensor in tensors.values():
        layers[_stack(tensor.reading), tensor.reading.address.layer].append(tensor)
    without = _without_blocks(tensors.values())
    layers = {key: members for key, members in layers.items() if key[0] not in without}
    for members in layers.values():
        _settle_layer(members)
    labels = _stack_labels(stack for stack, _ in layers)
    addresses: dict[str, Address | None] = dict.fromkeys(shapes)
    for name, tensor in tensors.items():
        if (stack := _stack(tensor.reading)) in labels:
            addresses[name] = tensor.address(labels[stack])
    return addresses


# --- Stacks ----------------------------------------------------------------------------------------------

# The words that lead to the list, those between nested lists, and the index in each outer list.
_Stack = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]


def _stack(reading: Reading) -> _Stack:
    return reading.path, reading.nested if reading.stages else (), reading.stages


def _without_blocks(tensors: Iterable[_Tensor]) -> set[_Stack]:
    """Lists among heads, projectors and embeddings that hold neither attention nor MLPs."""
    outside: dict[_Stack, bool] = {}
    for tensor in tensors:
        if tensor.reading.outside:
            stack = _stack(tensor.reading)
            outside[stack] = outside.get(stack, False) or tensor.reading.place in rules.BLOCK_PLACES
    return {stack for stack, has_blocks in outside.items() if not has_blocks}


def _stack_labels(stacks: Iterable[_Stack]) -> dict[_Stack, str]:
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


# --- One layer -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tensor:
    """A tensor's address while its siblings are still being asked."""

    reading: Reading
    shape: Shape
    component: str
    expert: int | str | None
    flags: set[str]

    @classmethod
    def of(cls, reading: Reading, shape: Shape) -> _Tensor:
        address = reading.address
        return cls(reading, shape, address.component, address.expert, set(address.flags))

    def address(self, stack: str) -> Address:
        read = self.reading.address
        same = self.component == read.component and self.expert == read.expert and self.flags == read.flags
        if same and stack == read.stack:
            return read
        return Address(stack, read.layer, self.component, self.expert, frozenset(self.flags), read.part)

    @property
    def matrix(self) -> tuple[int, int] | None:
        """The last two dims of a plain weight matrix, or of each expert's; None for anything else."""
        if self.shape is None or len(self.shape) != (3 if self.expert == "*" else 2):
            return None
        if any(flag == "bias" or flag.startswith(("quant_", "lora_", "packed")) for flag in self.flags):
            return None
        return self.shape[-2], self.shape[-1]


# Where a module is in its layer, what place it is, and which expert it belongs to.
_ModuleKey = tuple[tuple[str, ...], str, int | str | None]

# The parts of one module: what each is called there -> its tensors (weight, bias, companions).
_Module = dict[str, list[_Tensor]]


def _settle_layer(tensors: list[_Tensor]) -> None:
    """Bring the addresses of one layer's tensors in agreement with each other."""
    modules: dict[_ModuleKey, _Module] = {}
    for tensor in tensors:
        reading = tensor.reading
        module = modules.setdefault((reading.module, reading.place, tensor.expert), {})
        module.setdefault(reading.leaf, []).append(tensor)
    width = _width(tensors)
    for (path, place, expert), module in modules.items():
        if place in ("attn", "cross_attn"):
            _settle_heads(module, width)
        if place == "attn":
            if any(map(_LINEAR_MARK.fullmatch, module)):
                _rename_place(module, "linear_attn")
            elif path[-1:] == ("multihead_attn",) and ((*path[:-1], "self_attn"), place, expert) in modules:
                _rename_place(module, "cross_attn")
        elif place == "ssm":
            _settle_mixer(module)
        elif place == "mlp":
            _settle_together(module)
            _settle_numbered(module)
        if place in ("mlp", ""):
            _settle_experts(module)
            _settle_gated(module)
    _settle_second_cross(modules)
    _settle_orientation(modules.values(), width)


def _set(tensors: list[_Tensor], component: str) -> None:
    fused = component in CORE and component.rpartition(".")[2] in rules.FUSED
    for tensor in tensors:
        tensor.component = component
        if fused and "bias" not in tensor.flags:
            tensor.flags.add("fused")
        else:
            tensor.flags.discard("fused")


def _rename_place(module: _Module, place: str) -> None:
    for tensors in module.values():
        if tensors[0].component.startswith("attn."):
            _set(tensors, place + tensors[0].component.removeprefix("attn"))


def _settle_mixer(module: _Module) -> None:
    """A mixer that has queries is attention, and what it puts out goes through attention's output."""
    if any(tensors[0].component in ("attn.q", "attn.qkv") for tensors in module.values()):
        for tensors in module.values():
            if tensors[0].component == "ssm.out":
                _set(tensors, "attn.o")


def _settle_together(module: _Module) -> None:
    """Matrices whose names mean something only together, such as w1 and w2 without w3."""
    for present, absent, components in rules.TOGETHER:
        if present <= module.keys() and not absent & module.keys():
            for leaf, component in components.items():
                _set(module[leaf], component)
    ways = {leaf: sizes for leaf in ("w1", "w2", "w3") if (sizes := _sizes(module.get(leaf, [])))}
    if len(ways) == 3 and ways["w1"] == ways["w2"] == ways["w3"][::-1] != ways["w3"]:
        for leaf, component in (("w2", "mlp.up"), ("w3", "mlp.down")):  # w3 is the one that leads back
            _set(module[leaf], component)


def _settle_numbered(module: _Module) -> None:
    """Two matrices that differ in their number only, `0` and `3`, `dense_0` and `dense_1`: up, then down.

    A vector among them, the `0` of a sequence that begins with its norm, is a norm.
    """
    numbered: dict[str, list[int]] = defaultdict(list)
    for leaf, tensors in module.items():
        if not (match := _NUMBERED.fullmatch(leaf)):
            continue
        weights = [tensor for tensor in tensors if "bias" not in tensor.flags]
        if leaf.isdecimal() and any(tensor.shape is not None and len(tensor.shape) == 1 for tensor in weights):
            _set(tensors, "norm")
        elif _sizes(tensors) or any(tensor.shape is None for tensor in weights):
            numbered[match[1]].append(int(match[2]))
    for stem, numbers in numbered.items():
        pair = [module[f"{stem}{number}"] for number in sorted(numbers)]
        if len(pair) == 2 and not {"mlp.gate", "mlp.gate_up"} & {tensors[0].component for tensors in pair}:
            _set(pair[0], "mlp.up")
            _set(pair[1], "mlp.down")


def _settle_experts(module: _Module) -> None:
    """Matrices in three dimensions are one for each expert, where all matrices of the MLP are."""
    weights = [tensors for tensors in module.values() if tensors[0].component in rules.EXPERT_PARTS]
    if any(tensor.expert is None and tensor.matrix for tensors in weights for tensor in tensors):
        return  # Gemma keeps gate and up in one array, (2, width, inner), beside a plain down
    for tensors in module.values():
        if tensors[0].expert is not None or tensors[0].component not in rules.EXPERT_PARTS:
            continue
        if any(_is_stack_of_matrices(tensor) for tensor in tensors):
            for tensor in tensors:
                tensor.expert = "*"
                tensor.flags.add("stacked")


def _is_stack_of_matrices(tensor: _Tensor) -> bool:
    # A convolution's kernel has three dims too, of which the last is a handful.
    return tensor.shape is not None and len(tensor.shape) == 3 and min(tensor.shape[1:]) > rules.LARGEST_KERNEL


def _settle_gated(module: _Module) -> None:
    """An "up" that is twice as wide as what "down" takes is gate and up in one."""
    by_component = {tensors[0].component: leaf for leaf, tensors in module.items()}
    if "mlp.gate" in by_component or not {"mlp.up", "mlp.down"} <= by_component.keys():
        return
    tensors = module[by_component["mlp.up"]]
    up, down = _sizes(tensors), _sizes(module[by_component["mlp.down"]])
    biases = {tensor.shape for tensor in module[by_component["mlp.down"]] if "bias" in tensor.flags}
    if up is None and down is not None:  # an axis over the two halves
        halves = any(tensor.shape is not None and tuple(tensor.shape[:-2]) == (2,) for tensor in tensors)
    else:
        as_stored_out_in = up and down and up == (2 * down[1], down[0])
        as_stored_in_out = up and down and up == (down[1], 2 * down[0]) and not {(down[0],)} <= biases
        halves = bool(as_stored_out_in or as_stored_in_out)
    if halves:
        _set(tensors, "mlp.gate_up")
        if _UP_FIRST.fullmatch(by_component["mlp.up"]):
            for tensor in tensors:
                tensor.flags.add("up_first")


def _sizes(tensors: list[_Tensor]) -> tuple[int, int] | None:
    return next((tensor.matrix for tensor in tensors if tensor.matrix), None)


def _settle_heads(module: _Module, width: int | None) -> None:
    """Flag attention whose heads have an axis of their own, and queries that hold an output gate as well."""
    tensors = [tensor for part in module.values() for tensor in part]
    for tensor in tensors:
        side, shape = _side(tensor), tensor.shape
        # A convolution of width 1 has three dims too.
        if side is None or tensor.expert is not None or shape is None or len(shape) != 3 or shape[-1] == 1:
            continue
        tensor.flags.add("heads")
        if width in shape and (shape[-1] == width) == (side == 0):
            tensor.flags.add("transposed")
    queries = [tensor for tensor in tensors if tensor.component == "attn.q"]
    query_sizes, output_sizes = _sizes(queries), _sizes([t for t in tensors if t.component == "attn.o"])
    if query_sizes and output_sizes and query_sizes[0] == 2 * output_sizes[1]:
        for tensor in queries:
            tensor.flags.add("fused_gate")


def _settle_second_cross(modules: Mapping[_ModuleKey, _Module]) -> None:
    """Flag all but the first cross-attention of a layer, which share the first one's components."""
    crossing: dict[tuple[str, ...], list[_Tensor]] = defaultdict(list)
    for (path, _, _), module in modules.items():
        for tensors in module.values():
            if tensors[0].component.startswith("cross_attn."):
                crossing[path[:1]] += tensors
    for tensors in list(crossing.values())[1:]:
        for tensor in tensors:
            tensor.flags.add("second_cross")


def _width(tensors: list[_Tensor]) -> int | None:
    """The layer's width: the commonest length of its norms, the largest of several; None where unknown."""
    lengths = Counter(
        t.shape[0] for t in tensors if t.component == "norm" and t.shape is not None and len(t.shape) == 1
    )
    return max(lengths, key=lambda length: (lengths[length], length), default=None)


def _settle_orientation(modules: Iterable[_Module], width: int | None) -> None:
    """Flag the matrices stored (in, out), where a whole module agrees on it."""
    undecided = []
    layer_is_transposed = False
    for module in modules:
        matrices = [t for part in module.values() for t in part if _side(t) is not None and t.matrix]
        votes = [(_side(t), vote) for t in matrices if (vote := _is_transposed(t, width)) is not None]
        if not all(vote for _, vote in votes):
            continue
        sides = {side for side, _ in votes}
        if any(t.component == "mlp.down" for t in matrices):  # a square one goes with the others of its MLP
            sides |= {_side(t) for t in matrices if votes and _is_transposed(t, width) is None}
        if len(sides) == 2 or any(_is_wide_qkv(t) for t in matrices):
            for tensor in matrices:
                tensor.flags.add("transposed")
            layer_is_transposed |= any(tensor.expert != "*" for tensor in matrices)
        else:
            undecided += matrices
    if layer_is_transposed:
        for tensor in undecided:
            tensor.flags.add("transposed")


def _side(tensor: _Tensor) -> int | None:
    if tensor.component not in CORE:
        return None
    return rules.WIDTH_SIDE.get(tensor.component.rpartition(".")[2])


def _is_wide_qkv(tensor: _Tensor) -> bool:
    sizes = tensor.matrix
    return tensor.component == "attn.qkv" and sizes is not None and sizes[1] == 3 * sizes[0]


def _is_transposed(tensor: _Tensor, width: int | None) -> bool | None:
    """Whether a matrix is stored (in, out), by the side as wide as the layer; None if untold."""
    side, sizes = _side(tensor), tensor.matrix
    if _is_wide_qkv(tensor):
        return True
    if side is None or sizes is None or sizes[0] == sizes[1] or width not in sizes:
        return None
    return sizes[1 - side] == width

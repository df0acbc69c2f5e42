"""What the tensors of one layer say about each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from layergrid.names import rules
from layergrid.names.address import CORE
from layergrid.names.orientation import layer_width, settle_orientation, width_side
from layergrid.names.settling import Module, ModuleKey, Settling, matrix_sizes

_LINEAR_MARK = re.compile(rules.LINEAR_ATTENTION_MARKS)
_LINEAR_LAYER_MARK = re.compile(rules.LINEAR_LAYER_MARKS)
_UP_FIRST = re.compile(rules.UP_FIRST)
_NUMBERED = re.compile(r"(.*?)(\d+)")


def settle_layer(tensors: list[Settling]) -> None:
    """Bring the addresses of one layer's tensors in agreement with each other."""
    modules: dict[ModuleKey, Module] = {}
    for tensor in tensors:
        reading = tensor.reading
        module = modules.setdefault((reading.module, reading.place, tensor.expert), {})
        module.setdefault(reading.leaf, []).append(tensor)
    width = layer_width(tensors)
    for (path, place, expert), module in modules.items():
        if place in ("attn", "cross_attn"):
            _settle_heads(module, width)
        if place == "attn":
            _settle_squeezed(module)
            if any(map(_LINEAR_MARK.fullmatch, module)):
                _rename_place(module, "linear_attn")
            elif path[-1:] == ("multihead_attn",) and ((*path[:-1], "self_attn"), place, expert) in modules:
                _rename_place(module, "cross_attn")
        elif place == "router" and path[-1:] == ("gate",) and {"norm", "proj"} <= module.keys():
            _set(module["proj"], "mlp.gate.proj")  # gMLP's gate over the tokens, which has a norm of its own
        elif place == "ssm":
            _settle_mixer(module)
        elif place == "mlp":
            _settle_together(module)
            _settle_numbered(module)
        if place in ("mlp", ""):
            _settle_experts(module)
            _settle_gated(module)
        if not path and not place:
            _settle_parallel(module)
    if any(_LINEAR_LAYER_MARK.fullmatch(leaf) for module in modules.values() for leaf in module):
        for (path, place, _), module in modules.items():
            if place == "attn" and not path:
                _rename_place(module, "linear_attn")
    _settle_second_cross(modules)
    settle_orientation(modules.values(), width)


def _set(tensors: list[Settling], component: str) -> None:
    fused = component in CORE and component.rpartition(".")[2] in rules.FUSED
    for tensor in tensors:
        tensor.component = component
        if fused and "bias" not in tensor.flags:
            tensor.flags.add("fused")
        else:
            tensor.flags.discard("fused")


def _rename_place(module: Module, place: str) -> None:
    for tensors in module.values():
        if tensors[0].component.startswith("attn."):
            _set(tensors, place + tensors[0].component.removeprefix("attn"))


def _settle_squeezed(module: Module) -> None:
    """What calls itself attention and has but an `fc` weighs channels, as squeeze-and-excitation does."""
    if module.keys() == {"fc"}:
        _set(module["fc"], "attn.fc")


def _settle_mixer(module: Module) -> None:
    """A mixer that has queries is attention, and what it puts out goes through attention's output."""
    if any(tensors[0].component in ("attn.q", "attn.qkv") for tensors in module.values()):
        for tensors in module.values():
            if tensors[0].component == "ssm.out":
                _set(tensors, "attn.o")


def _settle_together(module: Module) -> None:
    """Matrices whose names mean something only together, such as w1 and w2 without w3."""
    for present, absent, components in rules.TOGETHER:
        if present <= module.keys() and not absent & module.keys():
            for leaf, component in components.items():
                _set(module[leaf], component)
    ways = {leaf: sizes for leaf in ("w1", "w2", "w3") if (sizes := matrix_sizes(module.get(leaf, [])))}
    if len(ways) == 3 and ways["w1"] == ways["w2"] == ways["w3"][::-1] != ways["w3"]:
        for leaf, component in (("w2", "mlp.up"), ("w3", "mlp.down")):  # w3 is the one that leads back
            _set(module[leaf], component)


def _settle_numbered(module: Module) -> None:
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
        elif matrix_sizes(tensors) or any(tensor.shape is None for tensor in weights):
            numbered[match[1]].append(int(match[2]))
    for stem, numbers in numbered.items():
        pair = [module[f"{stem}{number}"] for number in sorted(numbers)]
        if len(pair) == 2 and not {"mlp.gate", "mlp.gate_up"} & {tensors[0].component for tensors in pair}:
            _set(pair[0], "mlp.up")
            _set(pair[1], "mlp.down")


def _settle_experts(module: Module) -> None:
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


def _is_stack_of_matrices(tensor: Settling) -> bool:
    # A convolution's kernel has three dims too, of which the last is a handful.
    return tensor.shape is not None and len(tensor.shape) == 3 and min(tensor.shape[1:]) > rules.LARGEST_KERNEL


def _settle_gated(module: Module) -> None:
    """An "up" that is twice as wide as what "down" takes is gate and up in one."""
    by_component = {tensors[0].component: leaf for leaf, tensors in module.items()}
    if "mlp.gate" in by_component or not {"mlp.up", "mlp.down"} <= by_component.keys():
        return
    tensors = module[by_component["mlp.up"]]
    up, down = matrix_sizes(tensors), matrix_sizes(module[by_component["mlp.down"]])
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


def _settle_parallel(module: Module) -> None:
    """An "up" that makes queries, keys and values as well, beside a "down" that takes attention's output as well.

    Flux's single blocks run both at once; the two matrices keep their own names.
    """
    by_component = {tensors[0].component: leaf for leaf, tensors in module.items()}
    leaves = [by_component.get("mlp.up", ""), by_component.get("mlp.down", "")]
    up, down = (matrix_sizes(module.get(leaf, [])) for leaf in leaves)
    if up and down and up[1] == down[0]:
        inner = down[1] - up[1]
        if inner > 0 and up[0] - 3 * up[1] in (inner, 2 * inner):
            for leaf in leaves:
                _set(module[leaf], leaf)


def _settle_heads(module: Module, width: int | None) -> None:
    """Flag attention whose heads have an axis of their own, and queries that hold an output gate as well."""
    tensors = [tensor for part in module.values() for tensor in part]
    for tensor in tensors:
        side, shape = width_side(tensor), tensor.shape
        # A convolution of width 1 has three dims too.
        if side is None or tensor.expert is not None or shape is None or len(shape) != 3 or shape[-1] == 1:
            continue
        tensor.flags.add("heads")
        if width in shape and (shape[-1] == width) == (side == 0):
            tensor.flags.add("transposed")
    queries = [tensor for tensor in tensors if tensor.component == "attn.q"]
    query_sizes, output_sizes = matrix_sizes(queries), matrix_sizes([t for t in tensors if t.component == "attn.o"])
    if query_sizes and output_sizes and query_sizes[0] == 2 * output_sizes[1]:
        for tensor in queries:
            tensor.flags.add("fused_gate")


def _settle_second_cross(modules: Mapping[ModuleKey, Module]) -> None:
    """Flag all but the first cross-attention of a layer, which share the first one's components."""
    crossing: dict[tuple[str, ...], list[Settling]] = defaultdict(list)
    for (path, _, _), module in modules.items():
        for tensors in module.values():
            if tensors[0].component.startswith("cross_attn."):
                crossing[path[:1]] += tensors
    for tensors in list(crossing.values())[1:]:
        for tensor in tensors:
            tensor.flags.add("second_cross")

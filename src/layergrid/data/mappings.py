"""A mapping of parameter names to numbers, put in its place by what the names say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.data.labels import listing
from layergrid.data.matrix import Matrix
from layergrid.data.values import is_missing, is_number, number, owned_values

if TYPE_CHECKING:
    from layergrid.names import Address

# Columns in the order a block computes them; what is not listed follows in the order it came.
ORDER = (
    *("attn.q", "attn.k", "attn.v", "attn.o", "attn.qkv", "attn.kv", "attn.q_a", "attn.q_b"),
    *("attn.kv_a", "attn.kv_b", "attn.k_b", "attn.v_b"),
    *("cross_attn.q", "cross_attn.k", "cross_attn.v", "cross_attn.o", "cross_attn.kv"),
    *("mlp.up", "mlp.gate", "mlp.down", "mlp.gate_up", "moe.router", "moe.shared_gate"),
    *("ssm.in", "ssm.out", "ssm.x", "ssm.dt", "ssm.conv", "ssm.A", "ssm.D", "norm"),
)
_RANK = {component: rank for rank, component in enumerate(ORDER)}


def from_mapping(x: Mapping[Any, Any]) -> Matrix:
    """The matrix of {parameter name: number}, or of {component: one number per layer}.

    Raises
    ------
    TypeError
        If a value is neither a number nor a sequence of numbers, or a key is no string.
    ValueError
        If the mapping is empty, mixes the two forms, or no name says where it belongs.
    """
    if not x:
        raise ValueError("the mapping is empty; it needs a number for each parameter name")
    scalars = [key for key, value in x.items() if is_number(value)]
    tensor = next((key for key, value in x.items() if len(getattr(value, "shape", ())) > 1), None)
    if tensor is not None:
        raise ValueError(
            f"a mapping holds one number per parameter name, but {tensor!r} has an array of shape "
            f"{tuple(x[tensor].shape)}; measure them with layergrid.scan(x)"
        )
    if not scalars:
        from layergrid.data.tables import from_columns

        return from_columns(x)
    if len(scalars) < len(x):
        other = next(key for key, value in x.items() if not is_number(value))
        raise ValueError(
            f"a mapping holds one number per parameter name, or one sequence per component, not both: "
            f"{scalars[0]!r} has a number, {other!r} has a {type(x[other]).__name__}"
        )
    for name in scalars:
        if not isinstance(name, str):
            raise TypeError(f"parameter names must be strings, got {name!r} of type {type(name).__name__}")
    return _from_parameters(x)


@dataclass(frozen=True)
class _Tensor:
    """A parameter's name, and where it says it belongs."""

    name: str
    component: str
    expert: int | str | None

    row: tuple[str, int]
    """Stack and layer."""

    kind: str
    """What the tensor is beside the weight itself: "lora_A", "quant_scales"; "" for the weight."""

    part: str
    """What the code calls it inside the layer."""

    @classmethod
    def at(cls, name: str, address: Address, layer: int) -> _Tensor:
        kind = " ".join(sorted(flag for flag in address.flags if flag.startswith(("lora_", "quant_"))))
        return cls(name, address.component, address.expert, (address.stack, layer), kind, address.part)

    @property
    def key(self) -> tuple[str, int | str | None, str]:
        return self.component, self.expert, self.kind


def _from_parameters(x: Mapping[str, Any]) -> Matrix:
    tensors, source = _placed(x)
    if not tensors:
        raise ValueError(
            f"none of the {len(x)} names says which layer and component it belongs to: {listing(list(x))}; "
            "pass an array or a table with the labels instead"
        )
    labels = _column_labels(tensors)
    columns = {label: index for index, label in enumerate(dict.fromkeys(labels.values()))}
    rows = {row: index for index, row in enumerate(_rows(tensors))}
    values = np.full((len(rows), len(columns)), np.nan)
    parameters = np.full(values.shape, "", dtype=object)
    for tensor in tensors:
        if not is_missing(x[tensor.name]):
            cell = rows[tensor.row], columns[labels[tensor.name]]
            try:
                values[cell] = number(x[tensor.name])
            except OverflowError:
                raise ValueError(f"{tensor.name!r} holds an integer beyond float64; divide all of them") from None
            parameters[cell] = tensor.name
    absent = parameters == ""
    absent.flags.writeable = parameters.flags.writeable = False
    return Matrix(
        owned_values(values),
        tuple(f"{stack}.{layer}" if stack else layer for stack, layer in rows),
        tuple(columns),
        absent if absent.any() else None,
        parameters,
        source=source,
    )


def _placed(names: Iterable[str]) -> tuple[list[_Tensor], str]:
    """The weights with their places, and a few words on what was left out.

    Biases measure something else than weights and would double each column: they are shown only where there
    is nothing but biases.
    """
    from layergrid.names import parse_name

    weights: list[_Tensor] = []
    biases: list[_Tensor] = []
    outside = 0
    for name in names:
        address = parse_name(name)
        if address is None or address.layer is None:
            outside += 1
        else:
            (biases if "bias" in address.flags else weights).append(_Tensor.at(name, address, address.layer))
    left_out = []
    if weights and biases:
        left_out.append(_counted(len(biases), "bias", "biases"))
    if outside:
        left_out.append(_counted(outside, "parameter", "parameters") + " outside the blocks")
    without = f"; left out: {', '.join(left_out)}" if left_out else ""
    if weights:
        return weights, _counted(len(weights), "parameter", "parameters") + without
    return biases, _counted(len(biases), "bias", "biases") + without


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _rows(tensors: Sequence[_Tensor]) -> list[tuple[str, int]]:
    """(stack, layer) of each row: stacks as they came, layers counting up."""
    stacks = {stack: rank for rank, stack in enumerate(dict.fromkeys(tensor.row[0] for tensor in tensors))}
    return sorted({tensor.row for tensor in tensors}, key=lambda row: (stacks[row[0]], row[1]))


def _column_labels(tensors: Sequence[_Tensor]) -> dict[str, str]:
    """The column of each parameter, by its name; in the order of the columns.

    Experts have columns of their own, as ``mlp.up[3]``; so have adapters, as ``attn.q[lora_A]``, and the
    parameters that share a component in one layer, as ``norm[input_layernorm]``.
    """
    crowds = Counter((tensor.row, tensor.key) for tensor in tensors)
    crowded = {key for (_, key), count in crowds.items() if count > 1}
    parts = Counter((tensor.row, tensor.key, tensor.part) for tensor in tensors)
    same_part = {key for (_, key, _), count in parts.items() if count > 1}
    seen = {name: rank for rank, name in enumerate(dict.fromkeys(tensor.component for tensor in tensors))}

    def label(tensor: _Tensor) -> str:
        own = ""
        if tensor.key in crowded:  # the part tells them apart, or else nothing but the whole name does
            own = tensor.name if tensor.key in same_part else tensor.part
        expert = "" if tensor.expert is None else str(tensor.expert)
        inner = " ".join(filter(None, (expert, tensor.kind, own)))
        return f"{tensor.component}[{inner}]" if inner else tensor.component

    def position(tensor: _Tensor) -> tuple[int, int, str, bool, int]:
        component, expert, kind = tensor.key
        index = expert if isinstance(expert, int) else -1
        return _RANK.get(component, len(ORDER)), seen[component], kind, isinstance(expert, str), index

    return {tensor.name: label(tensor) for tensor in sorted(tensors, key=position)}

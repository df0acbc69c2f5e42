"""A live torch module: its parameters, or their gradients. torch itself is never imported.

A module is known by what it can do, `named_parameters`, and its tensors by `detach` and `numel`. The torch
that made them is already loaded, and found in `sys.modules`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import STORAGE, Tensor

_DTYPES = {
    "torch.float64": "F64",
    "torch.float32": "F32",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e5m2": "F8_E5M2",
    "torch.int64": "I64",
    "torch.int32": "I32",
    "torch.int16": "I16",
    "torch.int8": "I8",
    "torch.uint8": "U8",
    "torch.uint16": "U16",
    "torch.uint32": "U32",
    "torch.uint64": "U64",
    "torch.bool": "BOOL",
}
# What numpy lacks is handed over as the integer of the same width.
_CODES = {"BF16": "int16", "F8_E4M3": "uint8", "F8_E5M2": "uint8"}


def module_source(module: Any, what: Literal["weight", "grad"] = "weight", on_error: str = "raise") -> Source:
    """The parameters of a module by name, or their gradients.

    A parameter that several names share (tied weights) is listed once, under its first name. Values are
    read when they are measured, from whatever device they are on, a block at a time.

    Parameters
    ----------
    module : object with ``named_parameters``
    what : "grad" for the gradients; parameters that have none are left out

    Raises
    ------
    SourceError
        If a parameter is on the meta device, where tensors have no values; if gradients are asked for and
        there is none.
    """
    tensors: dict[str, Tensor] = {}
    skipped: dict[str, str] = {}
    for name, parameter in module.named_parameters():
        value = parameter if what == "weight" else parameter.grad
        if value is None:
            continue
        try:
            tensors[name] = torch_elements(name, value)
        except SourceError as error:
            if on_error == "raise":
                raise
            skipped[name] = str(error)
    if what == "grad" and not tensors:
        raise SourceError(f"no parameter of this {type(module).__name__} has a gradient; call backward() first")
    return Source(type(module).__name__, "module", tensors, _config(module), skipped=skipped, missing=tuple(skipped))


def _config(module: Any) -> Mapping[str, Any]:
    """The config that a transformers model carries; empty where there is none."""
    config = getattr(module, "config", None)
    if callable(to_dict := getattr(config, "to_dict", None)):
        config = to_dict()
    return config if isinstance(config, Mapping) else {}


def is_module(value: Any) -> bool:
    """Whether this can list its parameters as a torch module does."""
    return not isinstance(value, type) and callable(getattr(value, "named_parameters", None))


def is_torch_tensor(value: Any) -> bool:
    """Whether this is a torch tensor, or acts as one."""
    return all(hasattr(value, name) for name in ("detach", "numel", "is_meta", "dtype"))


def torch_elements(name: str, tensor: Any) -> Tensor:
    """A torch tensor as a `Tensor` that reads it block by block."""
    if tensor.is_meta:
        raise SourceError(f"{printable(name)} is on the meta device and has no values; load the weights first")
    dtype = _DTYPES.get(str(tensor.dtype))
    if dtype is None:
        raise SourceError(
            f"{printable(name)} has dtype {tensor.dtype}, which is not supported; supported: {', '.join(_DTYPES)}"
        )
    return Tensor(name, tuple(tensor.shape), dtype, TorchElements(tensor.detach(), dtype))


class TorchElements:
    """The elements of a torch tensor, as `Tensor.read` gives them."""

    def __init__(self, tensor: Any, dtype: str) -> None:
        self._tensor = tensor
        self._dtype = dtype

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat, copied to this machine's memory where they are elsewhere."""
        if start == stop:
            return np.empty(0, STORAGE[self._dtype])
        piece = self._piece(start, stop)
        if self._dtype in _CODES:
            piece = piece.view(getattr(sys.modules["torch"], _CODES[self._dtype]))
        array: np.ndarray = piece.cpu().numpy()
        return array.view(STORAGE[self._dtype])

    def _piece(self, start: int, stop: int) -> Any:
        tensor = self._tensor
        if getattr(tensor, "is_sparse", False):
            tensor = tensor.to_dense()
        if tensor.is_contiguous() or not tensor.shape:
            return tensor.reshape(-1)[start:stop]
        # Flattening would copy the whole tensor, at each block again.
        width = tensor.numel() // tensor.shape[0]
        first, last = start // width, -(-stop // width)
        return tensor[first:last].reshape(-1)[start - first * width : stop - first * width]

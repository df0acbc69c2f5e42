"""Arrays in memory by name: a state dict, a mapping, a tree of Flax, Equinox or JAX parameters."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from layergrid.sources.module import is_torch_tensor, torch_elements
from layergrid.sources.source import Source, SourceError, printable
from layergrid.sources.zarr import is_zarr_array, zarr_tensor
from layergrid.tensor import Tensor, as_tensor

MAX_DEPTH = 64
"""Of nested containers; a tree that contains itself is deeper."""


def arrays_source(tree: Any) -> Source:
    """The arrays of a tree, under their path: ``layers_0/attn/kernel``, ``layers/0/attn/kernel``.

    Parameters
    ----------
    tree : containers of arrays, numbers, torch tensors or anything with ``__array__``. Containers are mappings,
        lists and tuples that hold more than numbers, named tuples, dataclasses (of which the fields that hold
        no array are passed over) and modules of Flax NNX (of which the parameters are taken). Entries that
        are None are passed over.

    Raises
    ------
    TypeError
        If an entry is none of these.
    SourceError
        If two paths read alike, an array has a shape but no values, or the tree is nested more than 64 deep.
    """
    tensors: dict[str, Tensor] = {}
    _collect(tree, "", 0, tensors)
    return Source(type(tree).__name__, "arrays", tensors)


def is_tree(value: Any) -> bool:
    """Whether this is a container that may hold arrays."""
    return _children(value) is not None


def _collect(tree: Any, path: str, depth: int, tensors: dict[str, Tensor]) -> None:
    if depth > MAX_DEPTH:
        raise SourceError(f"{printable(path)} is nested more than {MAX_DEPTH} deep; does the tree contain itself?")
    children = _children(tree)
    if children is not None:
        for key, value in children:
            _collect(value, f"{path}/{key}" if path else str(key), depth + 1, tensors)
    elif tree is not None:
        if path in tensors:
            raise SourceError(f"two arrays are called {printable(path)}; give them different names")
        tensors[path] = _tensor(path, tree)


def _children(value: Any) -> Iterator[tuple[Any, Any]] | None:
    """Keys and entries of a container; None for anything else."""
    if isinstance(value, Mapping):
        return iter(value.items())
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(value, nnx.Module):
        return _children(nnx.to_pure_dict(nnx.state(value, nnx.Param)))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return zip(value._fields, value, strict=True)
    if isinstance(value, list | tuple):
        return None if _is_of_numbers(value) else iter(enumerate(value))
    if is_dataclass(value) and not isinstance(value, type) and not hasattr(value, "__array__"):
        entries = ((field.name, getattr(value, field.name, None)) for field in fields(value))
        return ((name, entry) for name, entry in entries if hasattr(entry, "__array__") or is_tree(entry))
    return None


def _is_of_numbers(values: Any, depth: int = 0) -> bool:
    if isinstance(values, list | tuple):
        return depth <= MAX_DEPTH and all(_is_of_numbers(value, depth + 1) for value in values)
    return isinstance(values, int | float | np.generic)


def _tensor(name: str, value: Any) -> Tensor:
    if is_torch_tensor(value):
        return torch_elements(name, value)
    if is_zarr_array(value):
        return zarr_tensor(name, value)
    if isinstance(value, str | bytes) or not (
        hasattr(value, "__array__") or isinstance(value, int | float | list | tuple)
    ):
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            raise SourceError(f"{printable(name)} has a shape but no values; load the weights first")
        raise TypeError(f"{printable(name)} is a {type(value).__name__}; expected an array or a container of arrays")
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever a library raises where its array is a key, deleted or elsewhere
        raise TypeError(
            f"{printable(name)}, a {type(value).__name__}, gives no values ({error}); leave it out of the tree"
        ) from error
    return as_tensor(array, name)

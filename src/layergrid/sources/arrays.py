"""Arrays in memory by name: a state dict, a mapping, a tree of Flax or JAX parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from layergrid.sources.module import is_torch_tensor, torch_elements
from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import Tensor, as_tensor

MAX_DEPTH = 64
"""Of nested mappings; a tree that contains itself is deeper."""


def arrays_source(tree: Mapping[Any, Any]) -> Source:
    """The arrays of a mapping, nested ones under their path: ``layers_0/attn/kernel``.

    Parameters
    ----------
    tree : arrays, numbers, torch tensors or anything with ``__array__``, and mappings of such; entries that
        are None are passed over

    Raises
    ------
    TypeError
        If an entry is none of these.
    SourceError
        If two paths read alike, or the tree is nested more than 64 deep.
    """
    tensors: dict[str, Tensor] = {}
    _collect(tree, "", 0, tensors)
    return Source(type(tree).__name__, "arrays", tensors)


def _collect(tree: Mapping[Any, Any], prefix: str, depth: int, tensors: dict[str, Tensor]) -> None:
    if depth > MAX_DEPTH:
        raise SourceError(f"{printable(prefix)} is nested more than {MAX_DEPTH} deep; does the tree contain itself?")
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            _collect(value, f"{name}/", depth + 1, tensors)
        elif value is not None:
            if name in tensors:
                raise SourceError(f"two arrays are called {printable(name)}; give them different names")
            tensors[name] = _tensor(name, value)


def _tensor(name: str, value: Any) -> Tensor:
    if is_torch_tensor(value):
        return torch_elements(name, value)
    if isinstance(value, str | bytes) or not (
        hasattr(value, "__array__") or isinstance(value, int | float | list | tuple)
    ):
        raise TypeError(f"{printable(name)} is a {type(value).__name__}; expected an array or a mapping of arrays")
    return as_tensor(np.asarray(value), name)

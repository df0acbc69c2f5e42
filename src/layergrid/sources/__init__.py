"""What a grid is made from: every source yields named tensors that are read in pieces.

`open_source` tells what it is given and opens it. No framework is imported, and nothing ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from layergrid.sources.arrays import arrays_source
from layergrid.sources.checkpoint import (
    LocalFolder,
    indexed_safetensors,
    safetensors_folder,
    single_safetensors,
)
from layergrid.sources.files import LocalFile, read_bytes
from layergrid.sources.gguf import MAGIC, gguf_file
from layergrid.sources.module import is_module, module_source
from layergrid.sources.npz import npz_file
from layergrid.sources.pickles import is_pickle, pickle_refusal
from layergrid.sources.source import Source, SourceError

__all__ = ["Source", "SourceError", "open_source"]


def open_source(
    source: Any, *, what: Literal["weight", "grad"] = "weight", on_error: Literal["raise", "skip"] = "raise"
) -> Source:
    """Open whatever holds named tensors; only headers are read.

    Parameters
    ----------
    source : path of a safetensors, GGUF or .npz file, of an index, of a folder with one of the first two; a
        torch module; a mapping of arrays, nested or not
    what : "grad" for the gradients of a module
    on_error : with "skip", what cannot be read is listed in `Source.skipped` instead of raising

    Raises
    ------
    SourceError
        If the file is damaged, pickled or of a format that is not read.
    TypeError
        If the object is none of these.
    """
    if isinstance(source, Source):
        return source
    if is_module(source):
        return module_source(source, what, on_error)
    if what != "weight":
        raise ValueError(f"what={what!r} needs a module with gradients, got {type(source).__name__}")
    if isinstance(source, str | os.PathLike):
        return _open_path(Path(source), on_error)
    if isinstance(source, Mapping):
        return arrays_source(source)
    raise TypeError(
        f"cannot read tensors from a {type(source).__name__}; expected a path, a module with "
        "named_parameters or a mapping of arrays"
    )


def _open_path(path: Path, on_error: Literal["raise", "skip"]) -> Source:
    folder = LocalFolder(path if path.is_dir() else path.parent)
    if path.is_dir():
        return _open_folder(folder, on_error)
    if path.name.endswith(".safetensors.index.json"):
        return indexed_safetensors(folder, path.name, on_error)
    if is_pickle(path.name):
        raise pickle_refusal(str(path))
    file = LocalFile(path)
    magic = read_bytes(file, 0, min(8, file.size))
    if magic[:4] == MAGIC:
        return gguf_file(file, folder)
    if path.suffix == ".npz":
        return npz_file(file)
    if path.suffix == ".safetensors" or magic[8:9] == b"{":
        return single_safetensors(file, folder, on_error)
    raise SourceError(f"{path} is no checkpoint that can be read; supported: .safetensors, .gguf and .npz")


def _open_folder(folder: LocalFolder, on_error: Literal["raise", "skip"]) -> Source:
    names = folder.names()
    ggufs = [name for name in names if name.endswith(".gguf")]
    if ggufs and not any(name.endswith(".safetensors") for name in names):
        return gguf_file(folder.open(ggufs[0]), folder)
    return safetensors_folder(folder, on_error)

"""What a grid is made from: every source yields named tensors that are read in pieces.

`open_source` tells what it is given and opens it. No framework is imported, and nothing ever unpickled.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from layergrid.sources.arrays import arrays_source, is_tree
from layergrid.sources.checkpoint import (
    Folder,
    LocalFolder,
    indexed_safetensors,
    parts_of,
    safetensors_folder,
    single_safetensors,
)
from layergrid.sources.files import ByteFile, LocalFile, read_bytes
from layergrid.sources.gguf import MAGIC, gguf_file
from layergrid.sources.module import is_module, module_source
from layergrid.sources.npz import npz_file
from layergrid.sources.pickles import is_pickle, pickle_refusal
from layergrid.sources.remote import RemoteFolder, is_url, open_remote, url_label
from layergrid.sources.source import Source, SourceError
from layergrid.sources.zarr import is_zarr_folder, is_zarr_group, open_zarr, zarr_source

__all__ = ["Source", "SourceError", "open_file", "open_source"]


def open_source(
    source: Any, *, what: Literal["weight", "grad"] = "weight", on_error: Literal["raise", "skip"] = "raise"
) -> Source:
    """Open whatever holds named tensors; only headers are read.

    Parameters
    ----------
    source : path or URL of a safetensors, GGUF or .npz file, of an index, of a folder with one of the first
        two, of a Zarr group; a torch module; a tree of arrays
    what : "grad" for the gradients of a module
    on_error : with "skip", what cannot be read is listed in `Source.skipped` instead of raising

    Raises
    ------
    SourceError
        If the file is damaged, pickled or of a format that is not read.
    TypeError
        If the object is none of these.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    if isinstance(source, Source):
        return source
    if is_module(source):
        return module_source(source, what, on_error)
    if what != "weight":
        raise ValueError(
            f"what={what!r} needs a torch module with gradients, got {type(source).__name__}; of JAX, pass the tree "
            "of gradients itself"
        )
    if is_url(source):
        return _open_url(source, on_error)
    if isinstance(source, str | os.PathLike):
        return _open_path(_local(source), on_error)
    if is_zarr_group(source):
        return zarr_source(source)
    if is_tree(source):
        return arrays_source(source)
    raise TypeError(
        f"cannot read tensors from a {type(source).__name__}; expected a path, a module with "
        "named_parameters, a Zarr group or a mapping of arrays"
    )


def open_file(path: str | os.PathLike[str]) -> ByteFile:
    """The file at a path or URL; `SourceError` where there is none."""
    if not is_url(path):
        return LocalFile(_local(path))
    location = open_remote(str(path))
    return location.file() if isinstance(location, RemoteFolder) else location


def _local(path: str | os.PathLike[str]) -> Path:
    """A path on this machine, ``~`` as a shell reads it."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"expected a path or URL, got {path!r} of type {type(path).__name__}")
    if not os.fspath(path):
        raise SourceError("the path is empty; name a file or folder, or '.' for this one")
    return Path(path).expanduser()


def _open_path(path: Path, on_error: Literal["raise", "skip"]) -> Source:
    if path.is_dir():
        return _open_folder(LocalFolder(path), on_error)
    folder = LocalFolder(path.parent)
    if path.name.endswith(".safetensors.index.json"):
        return indexed_safetensors(folder, path.name, on_error)
    if is_pickle(path.name):
        raise pickle_refusal(str(path))
    return _open_file(LocalFile(path), folder, on_error)


def _open_url(url: str, on_error: Literal["raise", "skip"]) -> Source:
    name = url_label(url).rpartition("/")[2]
    if is_pickle(name):
        raise pickle_refusal(name)
    location = open_remote(url)
    if isinstance(location, RemoteFolder):
        return _open_folder(location, on_error)
    if name.endswith(".safetensors.index.json"):
        return indexed_safetensors(location.folder(), name, on_error)
    return _open_file(location, location.folder(), on_error)


def _open_file(file: ByteFile, folder: Folder, on_error: Literal["raise", "skip"]) -> Source:
    magic = read_bytes(file, 0, min(9, file.size))
    if magic[:4] == MAGIC:
        return gguf_file(file, folder)
    if file.label.endswith(".npz"):
        return npz_file(file)
    if file.label.endswith(".safetensors") or magic[8:9] == b"{":
        return single_safetensors(file, folder, on_error)
    raise SourceError(
        f"{file.label} is no checkpoint that can be read; supported: .safetensors, .gguf and .npz; "
        "layergrid.read takes the logs and tables of other tools"
    )


def _open_folder(folder: LocalFolder | RemoteFolder, on_error: Literal["raise", "skip"]) -> Source:
    names = folder.names()
    if is_zarr_folder(names):
        return open_zarr(folder.location, folder.label)
    ggufs = [name for name in names if name.endswith(".gguf")]
    if ggufs and not any(name.endswith(".safetensors") for name in names):
        whole = dict.fromkeys(parts_of(name, ggufs)[0] for name in ggufs)
        if len(whole) > 1:
            raise SourceError(f"{folder.label} holds several models: {', '.join(whole)}; give the path of one of them")
        return gguf_file(folder.open(ggufs[0]), folder)
    return safetensors_folder(folder, on_error)

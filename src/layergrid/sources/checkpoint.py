"""A folder that holds a model: which of its files belong together, and that none is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from layergrid.sources.files import ByteFile, LocalFile, read_bytes
from layergrid.sources.float8 import scaled
from layergrid.sources.pickles import is_pickle, pickle_refusal
from layergrid.sources.safetensors import fetch_header, parse_json_object, parse_safetensors, read_safetensors
from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import Tensor

OnError = Literal["raise", "skip"]

MAX_JSON_BYTES = 100_000_000
"""Of an index or a config; the index of 90,000 tensors has 8 million."""

_OPENED_AT_ONCE = 8

# Missing parts are counted so far: a name alone can announce a million.
_COUNTED = 10_000

_INDEX = ".safetensors.index.json"
_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5,6})-of-(?P<count>\d{5,6})\.(?P<suffix>safetensors|gguf)")


class Folder(Protocol):
    """Files by name, on this machine or elsewhere."""

    @property
    def label(self) -> str:
        """Path or URL, for messages."""

    def names(self) -> Sequence[str]:
        """Names of the files and folders in it, sorted."""

    def open(self, name: str) -> ByteFile:
        """The file of that name; `SourceError` where it is missing or no regular file."""


class LocalFolder:
    """A folder on this machine."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def label(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def location(self) -> str:
        """The path."""
        return str(self.path)

    def names(self) -> list[str]:
        """Names of the files and folders in it, sorted."""
        try:
            return sorted(os.listdir(self.path))
        except OSError as error:
            raise SourceError(f"folder {self.path} cannot be listed: {error.strerror}") from error

    def open(self, name: str) -> LocalFile:
        """The file of that name."""
        return LocalFile(self.path / name)


def safetensors_folder(folder: Folder, on_error: OnError = "raise") -> Source:
    """The model in a folder of safetensors files: by its index, or all files where it has none.

    Parameters
    ----------
    on_error : with "skip", a damaged or missing shard and tensors of an unsupported dtype are left out and
        listed in `Source.skipped`; a wrong index or a tensor in two shards is always an error

    Raises
    ------
    SourceError
        If there is no safetensors file (for pickles with the line that converts them), more than one model,
        a shard missing or damaged, a tensor in two shards, or an index that points out of the folder.
    """
    names = folder.names()
    indices = [name for name in names if name.endswith(_INDEX)]
    if len(indices) > 1:
        raise SourceError(f"{folder.label} holds several models: {', '.join(indices)}; give the index of one of them")
    if indices:
        return indexed_safetensors(folder, indices[0], on_error)
    shards = [name for name in names if name.endswith(".safetensors")]
    if not shards:
        raise _nothing_to_read(folder, names)
    if on_error == "raise":
        for shard in shards:
            check_parts(folder, shard, shards)
    return _read_shards(folder, shards, None, on_error)


def indexed_safetensors(folder: Folder, index: str, on_error: OnError = "raise") -> Source:
    """The model that an index file, ``model.safetensors.index.json``, describes."""
    where = f"{folder.label}/{index}"
    weight_map = _read_json(folder, index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SourceError(f"{where} has no weight_map; is it the index of a sharded checkpoint?")
    checked: set[str] = set()  # a few hundred shards, of perhaps 90,000 tensors
    for tensor, shard in weight_map.items():
        if isinstance(shard, str) and shard in checked:
            continue
        if not isinstance(shard, str) or not _stays_inside(shard):
            raise SourceError(
                f"{where} places {printable(tensor)} in {printable(shard)}, outside of the folder; "
                "an index may only name files beside it"
            )
        checked.add(shard)
    return _read_shards(folder, sorted(set(weight_map.values())), weight_map, on_error)


def single_safetensors(file: ByteFile, folder: Folder | None, on_error: OnError = "raise") -> Source:
    """The tensors of one file, with the config.json beside it where there is one."""
    tensors, refused = read_safetensors(file, on_error)
    config = read_config(folder) if folder else {}
    identities = dict.fromkeys(tensors, file.identity) if file.identity else {}
    return scaled(Source(file.label, "safetensors", tensors, config, identities, refused, tuple(refused)))


def read_config(folder: Folder) -> dict[str, Any]:
    """The folder's config.json, for a LoRA adapter adapter_config.json; empty where it has neither."""
    names = folder.names()
    for name in ("config.json", "adapter_config.json"):
        if name in names:
            return _read_json(folder, name)
    return {}


def is_part(name: str) -> bool:
    """Whether a file's name has its number in a set, as ``model-00002-of-00003.gguf``."""
    return _PART.fullmatch(name) is not None


def parts_of(name: str, names: Collection[str]) -> list[str]:
    """All names of the set that ``model-00002-of-00003.gguf`` belongs to; itself, where it is of none."""
    return list(_parts(name, names))


def _parts(name: str, names: Collection[str]) -> Iterator[str]:
    """The same, one by one."""
    match = _PART.fullmatch(name)
    if match is None:
        yield name
        return
    stem, width, count, suffix = match["stem"], len(match["number"]), match["count"], match["suffix"]
    # Some writers count from 0.
    first = 0 if f"{stem}-{0:0{width}d}-of-{count}.{suffix}" in names else 1
    for part in range(int(count)):
        yield f"{stem}-{first + part:0{width}d}-of-{count}.{suffix}"


def _read_shards(
    folder: Folder, shards: Sequence[str], weight_map: Mapping[str, str] | None, on_error: OnError
) -> Source:
    tensors: dict[str, Tensor] = {}
    identities: dict[str, str] = {}
    skipped: dict[str, str] = {}
    unsupported: list[str] = []
    home: dict[str, str] = {}
    for shard, opened in zip(shards, _opened(folder, shards, on_error), strict=True):
        if isinstance(opened, SourceError):
            if on_error == "raise":
                raise opened
            skipped[shard] = str(opened)
            continue
        file, found, refused = opened
        skipped.update(refused)
        unsupported.extend(name for name in refused if name not in (weight_map or ()))
        identity = file.identity  # asks the system, and is the same for thousands of tensors
        for name, tensor in found.items():
            if name in home:
                raise SourceError(
                    f"{folder.label}: tensor {printable(name)} is in both {home[name]} and {shard}; "
                    "give the one file or index that is meant"
                )
            home[name] = shard
            tensors[name] = tensor
            if identity:
                identities[name] = identity
    if weight_map is not None:
        _check_index(folder, weight_map, home, skipped, on_error)
    missing = tuple(name for name in [*(weight_map or ()), *unsupported] if name not in home)
    return scaled(Source(folder.label, "safetensors", tensors, read_config(folder), identities, skipped, missing))


_Shard = tuple[ByteFile, dict[str, Tensor], dict[str, str]]


def _opened(folder: Folder, shards: Sequence[str], on_error: OnError) -> Iterator[_Shard | SourceError]:
    """Every shard with its tensors and the refused ones, or what is wrong with it, in order."""

    def fetched(shard: str) -> tuple[ByteFile, bytes] | SourceError:
        try:
            file = folder.open(shard)
            return file, fetch_header(file)
        except SourceError as error:
            return error

    # Several at a time, as files far away answer late; parsed here, as threads that compute get in each other's way.
    pool = ThreadPoolExecutor(_OPENED_AT_ONCE, "layergrid-open")
    try:
        for found in pool.map(fetched, shards):
            if isinstance(found, SourceError):
                yield found
                continue
            try:
                yield found[0], *parse_safetensors(*found, on_error)
            except SourceError as error:
                yield error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _check_index(
    folder: Folder,
    weight_map: Mapping[str, str],
    home: Mapping[str, str],
    skipped: dict[str, str],
    on_error: OnError,
) -> None:
    """Hold the index against what the shards really contain."""
    for name, shard in weight_map.items():
        if shard in skipped or name in skipped or home.get(name) == shard:
            continue
        found = f"it is in {home[name]}" if name in home else "it is in none of the shards"
        problem = f"{folder.label}: the index places {printable(name)} in {shard}, but {found}; download both again"
        if on_error == "raise" or name in home:
            raise SourceError(problem)
        skipped[name] = problem


def check_parts(folder: Folder, name: str, names: Collection[str]) -> None:
    """Refuse a folder in which the file has its own number in a set, but others of the set are missing."""
    present = set(names)
    parts = _parts(name, present)
    missing = next((part for part in parts if part not in present), None)
    if missing is not None:
        others = sum(part not in present for part in islice(parts, _COUNTED))
        more = f" and {others} more parts" if others else ""
        raise SourceError(f"{folder.label} lacks {missing}{more}; is the download complete?")


def _read_json(folder: Folder, name: str) -> dict[str, Any]:
    file = folder.open(name)
    if file.size > MAX_JSON_BYTES:
        raise SourceError(f"{file.label} has {file.size} bytes, at most {MAX_JSON_BYTES} are read; is it JSON?")
    return parse_json_object(read_bytes(file, 0, file.size), file.label)


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")


def _nothing_to_read(folder: Folder, names: Sequence[str]) -> SourceError:
    for name in names:
        if is_pickle(name):
            return pickle_refusal(f"{folder.label}/{name}")
    return SourceError(f"{folder.label} holds no checkpoint that can be read; looked for *.safetensors and *.gguf")

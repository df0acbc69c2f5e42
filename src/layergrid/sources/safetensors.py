"""The safetensors format: a JSON header of names, dtypes, shapes and offsets, then the bytes.

Strict, so that nothing half-written or hostile passes for a checkpoint: every byte of the file after the
header belongs to exactly one tensor, as the format's own description demands.

References
----------
https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any, Literal, NoReturn

from layergrid.sources.files import ByteFile, StoredElements, read_bytes
from layergrid.sources.source import SourceError, printable
from layergrid.tensor import STORAGE, Tensor

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""

MAX_AXES = 64
"""As many as numpy can have."""


def read_safetensors(
    file: ByteFile, on_error: Literal["raise", "skip"] = "raise"
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by name, in the order of their bytes, and the refused ones with the reason.

    Parameters
    ----------
    on_error : with "skip", a tensor of a dtype that is not supported is refused alone; a file whose header
        is wrong is always refused whole

    Raises
    ------
    SourceError
        If the header is truncated, too long, no JSON object or has a key twice; if offsets overlap, leave
        gaps or disagree with shape and dtype; if the file is shorter or longer than its header says.
    """
    return parse_safetensors(file, fetch_header(file), on_error)


def parse_safetensors(
    file: ByteFile, text: bytes, on_error: Literal["raise", "skip"] = "raise"
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The same, of a file whose header was fetched before, as `fetch_header` does."""
    header = parse_json_object(text, f"the header of {file.label}")
    data_start = 8 + len(text)
    header.pop("__metadata__", None)
    entries = {name: _Entry(file, name, fields) for name, fields in header.items()}
    tensors: dict[str, Tensor] = {}
    refused: dict[str, str] = {}
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != end:
            problem = "overlaps the tensor before it" if entry.begin < end else f"leaves a gap after byte {end}"
            entry.fail(f"starts at byte {entry.begin} and {problem}")
        end = entry.end
        if entry.dtype in STORAGE:
            read = StoredElements(file, data_start + entry.begin, entry.dtype, math.prod(entry.shape))
            tensors[entry.name] = Tensor(entry.name, entry.shape, entry.dtype, read)
            continue
        reason = (
            f"{file.label}: dtype {printable(entry.dtype)} of {printable(entry.name)} is not supported; "
            f"supported: {', '.join(STORAGE)}"
        )
        if on_error == "raise":
            raise SourceError(reason)
        refused[entry.name] = reason
    promised = data_start + end
    if promised != file.size:
        remedy = "is the download complete?" if promised > file.size else "write it again"
        raise SourceError(f"{file.label} has {file.size} bytes, but its header promises {promised}; {remedy}")
    return tensors, refused


def fetch_header(file: ByteFile) -> bytes:
    """The JSON text at the begin of the file; the data follow 8 bytes behind its end."""
    if file.size < 8:
        raise SourceError(f"{file.label} has {file.size} bytes, too few for a header; is the download complete?")
    length = int.from_bytes(read_bytes(file, 0, 8), "little")
    if length > MAX_HEADER_BYTES:
        raise SourceError(
            f"{file.label} announces a header of {length} bytes, more than the {MAX_HEADER_BYTES} the format "
            "allows; is it a safetensors file?"
        )
    if 8 + length > file.size:
        raise SourceError(
            f"{file.label} ends at byte {file.size}, inside its header of {length} bytes; is the download complete?"
        )
    return read_bytes(file, 8, length)


def parse_json_object(text: bytes, what: str) -> dict[str, Any]:
    """A JSON object in UTF-8; `SourceError` for anything else, keys given twice and NaN included.

    Parameters
    ----------
    what : begins the message: "the header of model.safetensors"
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise SourceError(f"{what} has the key {printable(twice)} twice; write the file again")
        return result

    def refuse(constant: str) -> NoReturn:
        raise SourceError(f"{what} contains {constant}, which is not JSON; write the file again")

    try:
        value = json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse)
    except SourceError:
        raise
    except RecursionError:
        raise SourceError(f"{what} is nested too deeply; the file is damaged or hostile") from None
    except ValueError as error:  # not JSON, not UTF-8, or an integer of thousands of digits
        raise SourceError(f"{what} is not valid JSON ({error}); is the file damaged?") from None
    if not isinstance(value, dict):
        raise SourceError(f"{what} is a JSON {type(value).__name__}, not an object; is the file damaged?")
    return value


class _Entry:
    """One tensor of the header, checked by itself."""

    def __init__(self, file: ByteFile, name: str, fields: Any) -> None:
        self.file = file
        self.name = name
        if not isinstance(fields, dict):
            self.fail("is not described by an object")
        dtype: Any = fields.get("dtype")
        shape: Any = fields.get("shape")
        offsets: Any = fields.get("data_offsets")
        if not isinstance(dtype, str):
            self.fail(f"has dtype {printable(dtype)}, not a text")
        if not _are_counts(shape) or len(shape) > MAX_AXES:
            self.fail(f"has shape {printable(shape)}, not a list of at most {MAX_AXES} lengths")
        if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            self.fail(f"has data_offsets {printable(offsets)}, not [begin, end] with begin <= end")
        self.dtype: str = dtype
        self.shape = tuple(shape)
        self.begin, self.end = offsets
        if dtype in STORAGE:
            size_bytes = math.prod(self.shape) * STORAGE[dtype].itemsize
            if size_bytes != self.end - self.begin:
                self.fail(
                    f"needs {size_bytes} bytes for {dtype} {list(self.shape)}, "
                    f"but its data_offsets give {self.end - self.begin}"
                )

    def fail(self, problem: str) -> NoReturn:
        raise SourceError(
            f"{self.file.label}: tensor {printable(self.name)} {problem}; "
            "the file is damaged, download or write it again"
        )


def _are_counts(values: Any) -> bool:
    """Whether this is a list of integers from 0 to 2**63; JSON's true and 1.0 are none."""
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)

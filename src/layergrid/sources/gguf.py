"""The GGUF format of llama.cpp: a typed header, then tensors, most of them quantised in blocks.

The header is read here and not by the ``gguf`` package, whose reader maps the whole file, builds an array
per element and loops as often as a count in the file says: a small hostile file keeps it busy for hours. Its
decoders of the quantised types are used, one run of blocks at a time.

References
----------
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from layergrid.sources.checkpoint import Folder, check_parts, is_part, parts_of
from layergrid.sources.files import ByteFile, StoredElements
from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import Tensor

MAGIC = b"GGUF"
MAX_AXES = 4
MAX_TEXT_BYTES = 1 << 16  # of a key or tensor name; the format allows 65535 and 64
_ARRAY, _STRING = 9, 8
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
# Numbers of the types that need no decoder -> the dtype they are stored in.
_PLAIN = {0: "F32", 1: "F16", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 30: "BF16"}

# Elements decoded at a time. A decoder needs some ten times the bytes it gives: 40 MB.
_DECODE_ELEMENTS = 1 << 20


def gguf_file(file: ByteFile, folder: Folder | None = None) -> Source:
    """The tensors of a GGUF file, and of all its parts where it is the part of a split one.

    Shapes are row-major, the outputs of a matrix first: the reverse of the order in the file.

    Raises
    ------
    SourceError
        If a count, length or offset is impossible, an array holds arrays, a type is unknown, tensors
        overlap or the file is too short; if a part is missing.
    ImportError
        If a tensor is quantised and the ``gguf`` package is not installed.
    """
    header = read_header(file)
    parts = [file]
    if header.config.get("split.count", 1) not in (0, 1):
        parts = _split_parts(file, folder)
    tensors: dict[str, Tensor] = {}
    identities: dict[str, str] = {}
    for part in parts:
        for name, tensor in (header if part is file else read_header(part)).tensors.items():
            if name in tensors:
                raise SourceError(f"{part.label}: tensor {printable(name)} is in another part too; download both again")
            tensors[name] = tensor
            if part.identity:
                identities[name] = part.identity
    return Source(file.label, "GGUF", tensors, header.config, identities)


def _split_parts(file: ByteFile, folder: Folder | None) -> list[ByteFile]:
    own = file.label.replace("\\", "/").rpartition("/")[2]
    names = folder.names() if folder else []
    if folder is None or not is_part(own):
        raise SourceError(
            f"{file.label} is one part of a model; keep the parts together, under the names they came with: "
            "...-00001-of-0000N.gguf"
        )
    check_parts(folder, own, names)
    return [file if name == own else folder.open(name) for name in parts_of(own, names)]


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself."""

    config: dict[str, Any]
    """Single numbers and texts by key; arrays, such as the vocabulary, are passed over."""
    tensors: dict[str, Tensor]


def read_header(file: ByteFile) -> Header:
    """Metadata and tensors of one file; errors as `gguf_file`."""
    cursor = _Cursor(file)
    if cursor.take(4) != MAGIC:
        raise SourceError(f"{file.label} does not begin with 'GGUF'; is it a GGUF file?")
    version = cursor.number("<I")
    if version not in (2, 3):
        swapped = version and version & 0xFFFF == 0
        kind = "a big-endian file" if swapped else f"version {version}"
        cursor.fail(f"is {kind}; versions 2 and 3, little-endian, are supported: convert the model again")
    tensor_count, key_count = cursor.number("<Q"), cursor.number("<Q")
    cursor.expect(tensor_count * 24, f"{tensor_count} tensors")  # name length, axes, type and offset of each
    cursor.expect(key_count * 13, f"{key_count} keys")  # key length, type and one byte of value
    config: dict[str, Any] = {}
    seen = set()
    for _ in range(key_count):
        key = cursor.text("a key")
        if key in seen:
            cursor.fail(f"has the key {printable(key)} twice; convert the model again")
        seen.add(key)
        value = cursor.value(key)
        if value is not None:
            config[key] = value
    infos = [_TensorInfo(cursor) for _ in range(tensor_count)]
    alignment = config.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 30 or alignment & (alignment - 1):
        cursor.fail(f"has general.alignment {printable(alignment)}, not a power of two")
    return Header(config, _place(cursor, infos, -(-cursor.position // alignment) * alignment))


class _TensorInfo:
    """A tensor as the header describes it: name, shape (row-major), type number, offset in the data."""

    def __init__(self, cursor: _Cursor) -> None:
        self.name = cursor.text("a tensor name")
        axes = cursor.number("<I")
        if axes > MAX_AXES:
            cursor.fail(f"gives tensor {printable(self.name)} {axes} axes, at most {MAX_AXES} are possible")
        self.shape = tuple(reversed([int(cursor.number("<Q")) for _ in range(axes)]))
        self.type = cursor.number("<I")
        self.offset = cursor.number("<Q")


def _place(cursor: _Cursor, infos: list[_TensorInfo], data_start: int) -> dict[str, Tensor]:
    """The tensors, each checked to lie in the file and on no other."""
    tensors: dict[str, Tensor] = {}
    end, before = 0, ""
    for info in sorted(infos, key=lambda info: info.offset):
        if info.name in tensors:
            cursor.fail(f"has the tensor {printable(info.name)} twice; convert the model again")
        size = math.prod(info.shape)
        stored: StoredElements | DecodedElements
        if info.type in _PLAIN:
            dtype = _PLAIN[info.type]
            stored = StoredElements(cursor.file, data_start + info.offset, dtype, size)
            size_bytes = Tensor(info.name, info.shape, dtype, stored).nbytes
        else:
            dtype = "F32"
            block_size, block_bytes, type_name = _block_of(cursor, info)
            if info.shape and info.shape[-1] % block_size:
                cursor.fail(
                    f"gives tensor {printable(info.name)} rows of {info.shape[-1]}, no multiple of the "
                    f"{block_size} elements of a {type_name} block"
                )
            stored = DecodedElements(cursor.file, data_start + info.offset, size, info.type, block_size, block_bytes)
            size_bytes = size // block_size * block_bytes
        if info.offset < end and size_bytes:
            cursor.fail(f"lets tensor {printable(info.name)} overlap {printable(before)}; convert the model again")
        if data_start + info.offset + size_bytes > cursor.file.size:
            raise SourceError(
                f"{cursor.file.label} ends at byte {cursor.file.size}, but tensor {printable(info.name)} "
                f"lies at bytes {data_start + info.offset} to {data_start + info.offset + size_bytes}; "
                "is the download complete?"
            )
        if size_bytes:
            end, before = info.offset + size_bytes, info.name
        tensors[info.name] = Tensor(info.name, info.shape, dtype, stored)
    # The order of the header, which is that of the model.
    return {info.name: tensors[info.name] for info in infos}


def _block_of(cursor: _Cursor, info: _TensorInfo) -> tuple[int, int, str]:
    """Elements and bytes of one block of the tensor's type, and the type's name."""
    constants = _gguf_package(cursor.file.label).constants
    try:
        quantization = constants.GGMLQuantizationType(info.type)
        block_size, block_bytes = constants.GGML_QUANT_SIZES[quantization]
    except (ValueError, KeyError):
        cursor.fail(
            f"stores tensor {printable(info.name)} as type {info.type}, which the installed gguf package "
            "does not know; update it (pip install -U gguf)"
        )
    return block_size, block_bytes, quantization.name


def _gguf_package(label: str) -> Any:
    try:
        import gguf
        import gguf.quants
    except ImportError as error:
        raise ImportError(f"{label} holds quantised tensors; to read them: pip install gguf") from error
    return gguf


@dataclass(frozen=True, eq=False)
class DecodedElements:
    """The elements of a quantised tensor, as `Tensor.read` gives them, in float32."""

    file: ByteFile
    offset: int
    size: int
    """Number of elements."""
    type: int
    """Number of the type in GGUF."""
    block_size: int
    """Elements in a block."""
    block_bytes: int

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat; at least the blocks they lie in are decoded."""
        values = np.empty(stop - start, np.float32)
        if not values.size:
            self._read(start // self.block_size, np.empty(0, np.uint8))
        step = max(1, _DECODE_ELEMENTS // self.block_size)
        blocks = range(start // self.block_size, -(-stop // self.block_size))
        for first in blocks[::step]:
            last = min(first + step, blocks.stop)
            decoded = self._decode(first, last)
            begin = first * self.block_size
            piece = slice(max(start, begin), min(stop, last * self.block_size))
            values[piece.start - start : piece.stop - start] = decoded[piece.start - begin : piece.stop - begin]
        return values

    def _decode(self, first: int, last: int) -> np.ndarray:
        package = _gguf_package(self.file.label)
        raw = np.empty((last - first) * self.block_bytes, np.uint8)
        self._read(first, raw)
        quantization = package.constants.GGMLQuantizationType(self.type)
        # A scale that is NaN or infinite gives NaN, which is what the weight then is.
        with np.errstate(all="ignore"):
            try:
                # As one row: the package goes through rows in Python, 16 at a time.
                decoded: np.ndarray = package.quants.dequantize(raw.reshape(1, -1), quantization)
            except NotImplementedError as error:
                raise SourceError(
                    f"{self.file.label}: the installed gguf package cannot decode {quantization.name}; "
                    "update it, or convert the model to another type"
                ) from error
        return decoded.reshape(-1)

    def _read(self, block: int, raw: np.ndarray) -> None:
        extent = (self.offset, self.offset + self.size // self.block_size * self.block_bytes)
        self.file.read_into(self.offset + block * self.block_bytes, raw, extent)


class _Cursor:
    """Reads a header from its start, a megabyte at a time, never beyond the end of the file."""

    def __init__(self, file: ByteFile) -> None:
        self.file = file
        self.position = 0
        self._window = b""
        self._window_start = 0

    def fail(self, problem: str) -> NoReturn:
        raise SourceError(f"{self.file.label} {problem}")

    def expect(self, size_bytes: int, what: str) -> None:
        """Refuse a count that the rest of the file cannot hold."""
        rest = self.file.size - self.position
        if size_bytes > rest:
            self.fail(
                f"announces {what} at byte {self.position}, but only {rest} bytes follow; is the download complete?"
            )

    def take(self, length: int) -> bytes:
        """The next bytes."""
        begin = self.position - self._window_start
        if begin + length > len(self._window):
            self.expect(length, f"{length} bytes")
            window = np.empty(min(max(length, 1 << 20), self.file.size - self.position), np.uint8)
            self.file.read_into(self.position, window)
            self._window, self._window_start, begin = window.tobytes(), self.position, 0
        self.position += length
        return self._window[begin : begin + length]

    def skip(self, length: int, what: str) -> None:
        self.expect(length, what)
        self.position += length
        if self.position > self._window_start + len(self._window):
            self._window, self._window_start = b"", self.position

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, what: str) -> str:
        length = self.number("<Q")
        if length > MAX_TEXT_BYTES:
            self.fail(f"announces {what} of {length} bytes at byte {self.position}, more than {MAX_TEXT_BYTES}")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            self.fail(f"has {what} at byte {self.position - length} that is not UTF-8")

    def value(self, key: str) -> int | float | bool | str | None:
        """The value of a key; None for an array and for a long text, which are passed over."""
        kind = self.number("<I")
        if kind in _SCALARS:
            number: int | float | bool = self.number(_SCALARS[kind])
            return number
        if kind == _STRING:
            length = self.number("<Q")
            if length > MAX_TEXT_BYTES:
                self.skip(length, f"a text of {length} bytes for {printable(key)}")
                return None
            return self.take(length).decode(errors="replace")
        if kind == _ARRAY:
            self._skip_array(key)
            return None
        self.fail(f"gives the key {printable(key)} a value of unknown type {kind}")

    def _skip_array(self, key: str) -> None:
        kind, count = self.number("<I"), self.number("<Q")
        what = f"an array of {count} for {printable(key)}"
        if kind in _SCALARS:
            self.skip(count * struct.calcsize(_SCALARS[kind]), what)
        elif kind == _STRING:
            self.expect(count * 8, what)
            for _ in range(count):
                self.skip(self.number("<Q"), f"a text in {what}")
        elif kind == _ARRAY:
            self.fail(f"holds an array of arrays for {printable(key)}, which is not supported")
        else:
            self.fail(f"holds an array of unknown type {kind} for {printable(key)}")

"""numpy's .npz archives, without pickles and without trusting the sizes they announce."""

from __future__ import annotations

import io
import math
import threading
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from layergrid.sources.files import ByteFile, StoredElements, read_bytes
from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import Tensor, as_tensor

MAX_COMPRESSED_BYTES = 1 << 30
"""Of all compressed arrays together, once unpacked: they are unpacked whole, as no part can be read alone."""

_MAX_HEADER_BYTES = 10_000  # numpy's own limit for a text that is evaluated, and a few bytes before it
_LOCAL_HEADER_BYTES = 30


def npz_file(file: ByteFile) -> Source:
    """The arrays of an .npz by name; uncompressed ones are read in pieces, compressed ones whole.

    Raises
    ------
    SourceError
        If the archive is damaged or encrypted, an array holds objects (pickles) or is of another size than it
        says, a name comes twice, or the compressed arrays would unpack to more than `MAX_COMPRESSED_BYTES`.
    """
    try:
        archive = zipfile.ZipFile(io.BufferedReader(_Bytes(file)))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise SourceError(f"{file.label} is no readable archive ({error}); is the download complete?") from error
    if sum(member.compress_size for member in members) > file.size:
        raise SourceError(f"{file.label} holds arrays that overlap each other; the file is damaged or hostile")
    unpacked = sum(member.file_size for member in members if member.compress_type != zipfile.ZIP_STORED)
    if unpacked > MAX_COMPRESSED_BYTES:
        raise SourceError(
            f"{file.label} has {file.size} bytes, but would unpack to {unpacked}, more than "
            f"{MAX_COMPRESSED_BYTES}; save it uncompressed, with numpy.savez"
        )
    tensors: dict[str, Tensor] = {}
    for member in members:
        tensor = _Member(file, archive, member).tensor()
        if tensor.name in tensors:
            raise SourceError(f"{file.label}: array {printable(tensor.name)} is there twice; save it again")
        tensors[tensor.name] = tensor
    identities = dict.fromkeys(tensors, file.identity) if file.identity else {}
    return Source(file.label, "npz", tensors, identities=identities)


@dataclass(eq=False)
class _Member:
    """One array of an archive."""

    file: ByteFile
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.info.filename.removesuffix(".npy")

    def tensor(self) -> Tensor:
        """The array, its header checked against the size the archive gives."""
        if self.info.flag_bits & 1:
            self.fail("is encrypted; save it without a password")
        shape, fortran, dtype, start = self._header()
        if dtype.hasobject:
            self.fail("holds pickled objects, which are never loaded; save plain arrays")
        size = math.prod(shape)
        if start + size * dtype.itemsize != self.info.file_size:
            self.fail(
                f"needs {size * dtype.itemsize} bytes for {dtype} {list(shape)}, "
                f"but has {self.info.file_size - start}; save it again"
            )
        try:
            form = as_tensor(np.empty(0, dtype), self.name).dtype
        except TypeError:
            self.fail(f"has dtype {dtype}, which is not supported")
        in_order = not fortran and dtype.newbyteorder("<") == dtype
        if self.info.compress_type == zipfile.ZIP_STORED and in_order:
            stored = StoredElements(self.file, self._data_offset() + start, form, size)
            return Tensor(self.name, shape, form, stored)
        if size * dtype.itemsize > MAX_COMPRESSED_BYTES:
            self.fail(f"is stored column by column, in {size * dtype.itemsize} bytes; save it in C order")
        return Tensor(self.name, shape, form, UnpackedElements(self, shape, fortran, dtype, start))

    def unpack(self, length: int) -> bytes:
        """The first bytes, unpacked."""
        try:
            with self.archive.open(self.info) as stream:
                return stream.read(length)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
            self.fail(f"cannot be unpacked ({error}); is the download complete?")

    def _header(self) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
        """Shape, whether in Fortran order, dtype, and the length of the header."""
        stream = io.BytesIO(self.unpack(_MAX_HEADER_BYTES + 16))
        try:
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, _MAX_HEADER_BYTES)
            elif version == (2, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream, _MAX_HEADER_BYTES)
            else:
                self.fail(f"is of npy version {version}; save it with numpy.savez")
        except SourceError:
            raise
        except Exception as error:  # numpy evaluates the header's text: almost any error is possible
            self.fail(f"is no readable array ({error}); save plain arrays with numpy.savez")
        if any(length < 0 for length in shape):
            self.fail(f"has shape {shape}; save it again")
        return shape, fortran, dtype, stream.tell()

    def _data_offset(self) -> int:
        if self.info.header_offset < 0:
            self.fail("begins before the start of the file; is the download complete?")
        local = read_bytes(self.file, self.info.header_offset, _LOCAL_HEADER_BYTES)
        lengths = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        offset = self.info.header_offset + _LOCAL_HEADER_BYTES + lengths
        if offset + self.info.file_size > self.file.size:
            self.fail("ends after the end of the file; is the download complete?")
        return offset

    def fail(self, problem: str) -> NoReturn:
        raise SourceError(f"{self.file.label}: array {printable(self.name)} {problem}")


class UnpackedElements:
    """The elements of a compressed array, as `Tensor.read` gives them; unpacked once, then kept."""

    def __init__(
        self, member: _Member, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any], start: int
    ) -> None:
        self._member: _Member | None = member
        self._shape, self._fortran, self._dtype, self._start = shape, fortran, dtype, start
        self._flat: np.ndarray | None = None
        self._lock = threading.Lock()

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat."""
        return self._elements()[start:stop]

    def _elements(self) -> np.ndarray:
        with self._lock:
            if self._flat is None:
                assert self._member is not None
                raw = self._member.unpack(self._member.info.file_size)[self._start :]
                order: Any = "F" if self._fortran else "C"
                array = np.frombuffer(raw, self._dtype).reshape(self._shape, order=order)
                tensor = as_tensor(array)
                self._flat = tensor.read(0, tensor.size)
            return self._flat

    def __getstate__(self) -> dict[str, Any]:
        return {"_flat": self._elements()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _member=None, _lock=threading.Lock())


class _Bytes(io.RawIOBase):
    """A `ByteFile` as a stream."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = offset + (0, self._position, self._file.size)[whence]
        if position < 0:  # as for any file; a damaged directory can ask for it
            raise ValueError(f"byte {position} is before the start")
        self._position = position
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        target = np.frombuffer(buffer, np.uint8)
        count = max(0, min(len(target), self._file.size - self._position))
        if count:
            self._file.read_into(self._position, target[:count])
        self._position += count
        return count

"""A named tensor that is read in pieces: where sources and metrics meet."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

STORAGE: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("f8"),
    "F32": np.dtype("f4"),
    "F16": np.dtype("f2"),
    "BF16": np.dtype("u2"),
    "F8_E4M3": np.dtype("u1"),
    "F8_E5M2": np.dtype("u1"),
    "I64": np.dtype("i8"),
    "I32": np.dtype("i4"),
    "I16": np.dtype("i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("u8"),
    "U32": np.dtype("u4"),
    "U16": np.dtype("u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
"""The numpy dtype in which each dtype is stored, in native byte order, by its safetensors name.

numpy has no bfloat16 and no 8-bit floats: those are held as unsigned integers, their *codes*.
"""

# What numpy (and the ml_dtypes package) call the same dtypes.
_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named tensor of which any run of elements can be read, without holding the whole.

    Raises
    ------
    ValueError
        If `dtype` is not one of `STORAGE`.
    """

    name: str
    """Full parameter name, as its source has it."""

    shape: tuple[int, ...]
    """Length of each axis; ``()`` for a single number; an axis of length 0 is allowed."""

    dtype: str
    """safetensors name of the element type, one of `STORAGE`."""

    read: Callable[[int, int], np.ndarray]
    """``read(start, stop)``: elements start..stop of the row-major order, flat, as stored (see `STORAGE`).

    Called from several threads at once. The array may be read-only, and a view of memory elsewhere. An empty
    run announces that reading will begin there: a file far away then starts to send. A reader that also has
    ``into(start, stop, room)`` can read into a `Room`.
    """

    def __post_init__(self) -> None:
        if self.dtype not in STORAGE:
            supported = ", ".join(STORAGE)
            raise ValueError(f"dtype {self.dtype} of {self.name!r} is not supported; supported: {supported}")

    @property
    def size(self) -> int:
        """Number of elements: 1 for shape (), 0 if any axis is empty."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes as stored."""
        return self.size * STORAGE[self.dtype].itemsize


_PAGE = 4096
_LINE = 64


def aligned(count: int, dtype: type[np.generic]) -> np.ndarray:
    """A flat array of undefined content that begins with a line of the processor's cache.

    Those of numpy begin 16 bytes behind one as a rule. Half of the loads of 32 bytes then touch two lines, and a dot
    product takes up to half as long again.
    """
    size_bytes = count * np.dtype(dtype).itemsize
    memory = np.empty(size_bytes + _LINE, np.uint8)
    first = -memory.ctypes.data % _LINE
    return memory[first : first + size_bytes].view(dtype)


class Room:
    """Memory into which blocks of tensors are read one after the other.

    New memory costs more than reading a warm file into it: the system clears each page when it is first touched.
    """

    def __init__(self) -> None:
        self._memory = aligned(0, np.uint8)
        self._address = 0

    def read(self, tensor: Tensor, start: int, stop: int) -> np.ndarray:
        """As ``tensor.read(start, stop)``; holds until the next is read."""
        into = getattr(tensor.read, "into", None)
        block: np.ndarray = tensor.read(start, stop) if into is None else into(start, stop, self)
        return block

    def take(self, size_bytes: int, offset: int) -> np.ndarray:
        """A flat uint8 array of undefined content for what lies at `offset` of a file; ends what was read before.

        It lies where in a page the bytes lie in the file, or up to 63 bytes before: AMD's Zen 3 copies at a fifth of
        its speed to a place a little behind (`rep movs`). It begins with a line of the cache.
        """
        if self._memory.size < size_bytes + _PAGE:
            self._memory = aligned(size_bytes + _PAGE, np.uint8)
            self._address = self._memory.ctypes.data
        shift = (offset - self._address) % _PAGE // _LINE * _LINE
        return self._memory[shift : shift + size_bytes]

    def holds(self, block: np.ndarray) -> bool:
        """Whether what was read lies in here, and not in memory that somebody else will want unchanged."""
        return block.base is self._memory.base


def as_tensor(array: np.ndarray, name: str = "") -> Tensor:
    """An array in memory as a `Tensor`; its elements are shared, not copied, where it is contiguous.

    Parameters
    ----------
    array : real array of any shape; bfloat16 and 8-bit floats as the ``ml_dtypes`` package has them

    Raises
    ------
    TypeError
        If the elements are no real numbers of a supported dtype (complex, object, text, longdouble).
    """
    array = np.asarray(array)
    dtype = _NAMES.get(array.dtype.name)
    if dtype is None:
        supported = ", ".join(_NAMES)
        raise TypeError(f"array {name!r} has dtype {array.dtype}; supported: {supported}")
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
    flat = np.ravel(native).view(STORAGE[dtype])
    return Tensor(name, array.shape, dtype, lambda start, stop: flat[start:stop])


def widen(codes: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers that stored elements stand for, as float32 where that holds each exactly, else float64.

    Exact, NaN and infinities included, but for I64 and U64: beyond 2**53 those are rounded to float64.

    Parameters
    ----------
    codes : array of any shape, in the storage form of `dtype` (see `STORAGE`)
    dtype : safetensors name

    Returns
    -------
    float32 or float64 array of the same shape; `codes` itself where it is one already
    """
    if dtype in ("F32", "F64"):
        return codes
    if dtype == "BF16":
        # bfloat16 is the upper half of a float32, so this widening is exact.
        bits = codes.astype(np.uint32)
        bits <<= 16
        return bits.view(np.float32)
    if dtype == "F16":
        return _widen_float16(codes)
    if dtype in ("F8_E4M3", "F8_E5M2"):
        values: np.ndarray = _float8_values(dtype)[codes]
        return values
    if dtype in ("I32", "U32", "I64", "U64"):
        return codes.astype(np.float64)
    return codes.astype(np.float32)


def _widen_float16(values: np.ndarray) -> np.ndarray:
    """float16 as float32, exact; by bits, as numpy's own cast goes element by element."""
    bits = values.view(np.int16).astype(np.int32)  # the sign is spread over the upper half
    special = bool(((bits & 0x7C00) == 0x7C00).any())
    bits <<= 13
    bits &= np.int32(-0x70002000)  # 0x8FFFE000: sign, five exponent bits and ten of the significand
    # The exponent's bias is 15 where float32 expects 127. The product mends that, subnormals included.
    wide = bits.view(np.float32)
    with np.errstate(under="ignore"):
        wide *= np.float32(2.0**112)
    if special:
        rest = ~np.isfinite(values)
        wide[rest] = values[rest]
    return wide


@cache
def _float8_values(dtype: str) -> np.ndarray:
    """The 256 values of an 8-bit float type, as float32.

    References
    ----------
    P. Micikevicius et al. (2022), "FP8 formats for deep learning", arXiv:2209.05433, table 1.
    """
    codes = np.arange(256, dtype=np.uint16)
    if dtype == "F8_E5M2":
        # The upper byte of a float16, NaN and infinities included.
        return (codes << 8).view(np.float16).astype(np.float32)
    exponent = (codes >> 3 & 15).astype(np.int32)
    fraction = (codes & 7).astype(np.float32) / 8
    magnitude = np.where(exponent == 0, np.ldexp(fraction, -6), np.ldexp(1 + fraction, exponent - 7))
    magnitude[(codes & 127) == 127] = np.nan  # the only NaN; there is no infinity
    values: np.ndarray = np.where(codes < 128, magnitude, -magnitude).astype(np.float32)
    return values

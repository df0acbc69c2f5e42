"""Stored 16-bit floats to float32, two from each 32-bit word: two to three times as fast as one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from layergrid.tensor import widen

_UPPER = 1 if sys.byteorder == "little" else 0
"""Which code of a pair is the upper half of their word."""


class Decoder:
    """Turns codes into numbers for sums that do not care about their order.

    Parameters
    ----------
    dtype : of the codes, one of `layergrid.tensor.STORAGE`
    words : int32 array to work in, half as long as the most codes that will come at once
    signed : False where magnitudes will do; faster for float16
    """

    def __init__(self, dtype: str, words: np.ndarray, signed: bool) -> None:
        self._dtype = dtype
        self._signed = signed
        self._paired = dtype in ("BF16", "F16")
        self._words = words

    def __call__(self, codes: np.ndarray, overwrite: bool = False) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Numbers, float32 or float64, and their codes; together all that are given.

        Both hold until the next are taken. The NaN and infinities of float16 come out as 65536 and more.

        Parameters
        ----------
        overwrite : whether the codes may be lost, which makes bfloat16 faster: less memory is gone through
        """
        if not self._paired:
            yield widen(codes, self._dtype), codes
            return
        even = codes.size // 2 * 2
        if even < codes.size:
            yield widen(codes[even:], self._dtype), codes[even:]
        if not even:
            return
        pairs = codes[:even]
        if not pairs.flags.c_contiguous or not pairs.view(np.int32).flags.aligned:
            pairs = pairs.copy()
        pairs = pairs.view(np.int32)
        words = self._words[: pairs.size]
        decode = _bfloat16 if self._dtype == "BF16" else _float16 if self._signed else _magnitude16
        for upper in (False, True):
            # The last step may take the place of the codes: of bfloat16, those in upper halves stay what they are.
            room = pairs if upper and overwrite and decode is _bfloat16 else words
            decode(pairs, upper, room)
            yield room.view(np.float32), codes[_UPPER if upper else 1 - _UPPER : even : 2]


def _bfloat16(pairs: np.ndarray, upper: bool, words: np.ndarray) -> None:
    """bfloat16 is the upper half of a float32."""
    if upper:
        np.bitwise_and(pairs, np.int32(-0x10000), out=words)
    else:
        np.left_shift(pairs, np.int32(16), out=words)


def _float16(pairs: np.ndarray, upper: bool, words: np.ndarray) -> None:
    if not upper:
        pairs = np.left_shift(pairs, np.int32(16), out=words)
    # Spreads the sign, and puts exponent and significand where float32 has them.
    np.right_shift(pairs, np.int32(3), out=words)
    _mend(words, -0x70002000)  # 0x8FFFE000


def _magnitude16(pairs: np.ndarray, upper: bool, words: np.ndarray) -> None:
    if upper:
        np.right_shift(pairs, np.int32(3), out=words)
    else:
        np.left_shift(pairs, np.int32(13), out=words)
    _mend(words, 0x0FFFE000)


def _mend(words: np.ndarray, mask: int) -> None:
    """Remove the bits of the other half, and turn the exponent's bias of 15 into float32's 127."""
    np.bitwise_and(words, np.int32(mask), out=words)
    numbers = words.view(np.float32)
    np.multiply(numbers, np.float32(2.0**112), out=numbers)

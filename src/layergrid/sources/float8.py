"""8-bit weights that come with scales: one for the whole tensor, one per row, or one per block.

DeepSeek's and other checkpoints keep ``weight`` in F8_E4M3 and beside it ``weight_scale_inv`` with one
factor per block of 128 x 128; compressed-tensors and vLLM call the factor ``weight_scale``. In all of them
the weight is code x factor.

References
----------
DeepSeek-AI (2024), "DeepSeek-V3 Technical Report", arXiv:2412.19437, section 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import Tensor, widen

_SCALES = ("_scale_inv", "_scale")

# Where no config tells. No other size is guessed: factors of 2 x 4 fit a weight of 100 x 100 in many ways.
_USUAL_BLOCK = (128, 128)


def scaled(source: Source) -> Source:
    """The source with every scaled 8-bit weight dequantised to F32 and its scale taken out of the list.

    An 8-bit tensor without a scale stays as it is.
    """
    tensors = dict(source.tensors)
    identities = dict(source.identities)
    block = _block_size(source.config)
    for name, tensor in source.tensors.items():
        if tensor.dtype not in ("F8_E4M3", "F8_E5M2"):
            continue
        for suffix in _SCALES:
            if name + suffix in tensors:
                scale = tensors.pop(name + suffix)
                tensors[name] = Tensor(name, tensor.shape, "F32", ScaledElements(tensor, scale, block))
                if name in identities:  # the scale may lie in another shard, and the block size in the config
                    identities[name] += f"+{identities[scale.name]}+{block}"
                break
    return replace(source, tensors=tensors, identities=identities)


def _block_size(config: Mapping[str, Any]) -> tuple[int, int] | None:
    quantization = config.get("quantization_config")
    size = quantization.get("weight_block_size") if isinstance(quantization, dict) else None
    if isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size):
        return size[0], size[1]
    return None


@dataclass(eq=False)
class ScaledElements:
    """code x factor of a weight, as `Tensor.read` gives it, in float32."""

    codes: Tensor
    scale: Tensor
    """Of shape (), (1,), (rows,), (rows, 1) or (blocks of rows, blocks of columns)."""
    block: tuple[int, int] | None
    """Rows and columns that share one factor, where the config says so."""
    _factors: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._rows_columns = self._rows_per_factor()

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat."""
        if start == stop:
            self.scale.read(0, 0)
            self.codes.read(start, stop)
            return np.empty(0, np.float32)
        rows_per_factor, columns_per_factor = self._rows_columns
        columns = max(1, self.codes.shape[-1]) if self.codes.shape else 1
        first, last = start // columns, -(-stop // columns)  # the rows touched, last excluded
        values = np.zeros((last - first) * columns, np.float32)
        wanted = slice(start - first * columns, stop - first * columns)
        values[wanted] = widen(self.codes.read(start, stop), self.codes.dtype)
        factors = self._read_factors()
        grid = values.reshape(last - first, columns)
        for block_row in range(first // rows_per_factor, -(-last // rows_per_factor)):
            rows = slice(max(0, block_row * rows_per_factor - first), (block_row + 1) * rows_per_factor - first)
            grid[rows] *= np.repeat(factors[block_row], columns_per_factor)[:columns]
        return values[wanted]

    def _read_factors(self) -> np.ndarray:
        """The factors as (blocks of rows, blocks of columns), read once."""
        if self._factors is None:
            factors = widen(self.scale.read(0, self.scale.size), self.scale.dtype).astype(np.float32, copy=False)
            shape = self.scale.shape
            self._factors = factors.reshape(shape if len(shape) == 2 else (-1, 1))
        return self._factors

    def _rows_per_factor(self) -> tuple[int, int]:
        shape, scale = self.codes.shape, self.scale.shape
        rows = self.codes.size // max(1, shape[-1]) if shape else 1
        columns = shape[-1] if shape else 1
        if self.scale.size == 1:
            return max(1, rows), max(1, columns)
        if scale in ((rows,), (rows, 1)):
            return 1, max(1, columns)
        if len(scale) == 2 and len(shape) == 2 and min(scale) > 0:
            block = self.block or _USUAL_BLOCK
            if scale == (-(-rows // block[0]), -(-columns // block[1])):
                return block
        raise SourceError(
            f"the factors {printable(self.scale.name)} of shape {scale} do not fit the weight "
            f"{printable(self.codes.name)} of shape {shape}; is its config.json beside it?"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_factors": None}

"""llama.cpp's importance matrix as GGUF: the squared activations that each weight matrix met.

Of each weight there are ``.in_sum2``, the sum of x² over all tokens for each input channel (and expert), and
``.counts``, the number of tokens (of each expert).

References
----------
https://github.com/ggml-org/llama.cpp, ``tools/imatrix``, whose ``--show-statistics`` calls the sum Σ(Act²).
"""

from __future__ import annotations

import numpy as np

from layergrid.logs.records import Records
from layergrid.sources.source import Source, SourceError, printable
from layergrid.tensor import Tensor, widen

FORMAT = "llama.cpp importance matrix"

_ABOUT = {
    "mean_square": {"long_name": "Mean squared activation", "units": ""},
    "sum_square": {"long_name": "Sum over channels of the mean squared activation", "units": ""},
    "max_square": {"long_name": "Largest mean squared activation of a channel", "units": ""},
    "tokens": {"long_name": "Tokens", "units": ""},
}
_SUMS, _COUNTS = ".in_sum2", ".counts"


def is_imatrix(source: Source) -> bool:
    """Whether a GGUF file holds an importance matrix, and no model."""
    return source.config.get("general.type") == "imatrix" or any(name.endswith(_SUMS) for name in source.tensors)


def imatrix_records(source: Source) -> Records:
    """Mean, sum and maximum over the channels, of each weight and expert; NaN for an expert that met no token.

    Raises
    ------
    SourceError
        If one of the pair is missing, or their shapes do not agree.
    """
    names = [name.removesuffix(_SUMS) for name in source.tensors if name.endswith(_SUMS)]
    if not names:
        raise SourceError(f"{source.label} was taken for a {FORMAT}, but holds no {_SUMS} tensor")
    numbers: dict[str, list[np.ndarray]] = {metric: [] for metric in _ABOUT}
    for name in names:
        counts = source.tensors.get(name + _COUNTS)
        sums = source.tensors[name + _SUMS]
        if counts is None or not counts.size or not sums.size or sums.size % counts.size:
            raise SourceError(
                f"{source.label}: {printable(name)} has sums of shape {sums.shape}, but counts of shape "
                f"{counts.shape if counts else None}; compute the importance matrix again"
            )
        tokens = _array(counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = np.where(tokens > 0, _array(sums).reshape(tokens.size, -1).T / tokens, np.nan)
        numbers["mean_square"].append(squares.mean(axis=0))
        numbers["sum_square"].append(squares.sum(axis=0))
        numbers["max_square"].append(squares.max(axis=0))
        numbers["tokens"].append(tokens)
    facts = {key.removeprefix("imatrix."): str(value) for key, value in source.config.items() if "imatrix." in key}
    return Records(FORMAT, names, numbers, dim="expert", about=_ABOUT, attrs=facts)


def _array(tensor: Tensor) -> np.ndarray:
    return widen(tensor.read(0, tensor.size), tensor.dtype).astype(np.float64)

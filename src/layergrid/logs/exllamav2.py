"""exllamav2's ``measurement.json``: how well each sublayer does under each way to quantize it.

References
----------
https://github.com/turboderp-org/exllamav2, ``exllamav2/conversion/measure.py``: accuracy is 1 minus the norm
of the sublayer's change of output over that of its output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from layergrid.logs.columns import as_number
from layergrid.logs.records import Records
from layergrid.sources.source import SourceError, printable

FORMAT = "exllamav2 measurement"

_ABOUT = {
    "error": {"long_name": "Output error at the fewest bits", "units": ""},
    "accuracy": {"long_name": "Accuracy, options by their bits", "units": ""},
    "total_bits": {"long_name": "Size, options by their bits", "units": "bit"},
}


def is_measurement(value: Any) -> bool:
    """Whether this is the content of a ``measurement.json``."""
    return isinstance(value, Mapping) and isinstance(value.get("measurement"), Mapping)


def exllamav2_records(value: Mapping[str, Any], label: str) -> Records:
    """The options of every sublayer, fewest bits first, and the error of the first.

    Raises
    ------
    SourceError
        If an option has no number for accuracy or bits.
    """
    names = []
    accuracy = []
    total_bits = []
    for name, options in _sublayers(value["measurement"]):
        pairs = [_pair(option, name, label) for option in options]
        bits, accuracies = np.array(sorted(pairs), np.float64).reshape(-1, 2).T
        names.append(name)
        accuracy.append(accuracies)
        total_bits.append(bits)
    if not any(map(len, accuracy)):
        raise SourceError(f"{label} was taken for an {FORMAT}, but holds no option; did the measurement end?")
    error = [1 - own[0] if own.size else float("nan") for own in accuracy]
    numbers: dict[str, Sequence[Any]] = {"error": error, "accuracy": accuracy, "total_bits": total_bits}
    return Records(FORMAT, names, numbers, dim="option", about=_ABOUT)


def _sublayers(measurement: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name, options in measurement.items():
        if isinstance(options, Mapping):  # attention and MLP side by side: {"attn": [...], "mlp": [...]}
            block = name.removesuffix(".parallel_decoder")
            for part, own in options.items():
                yield f"{block}.{'self_attn' if part == 'attn' else part}", own if isinstance(own, list) else []
        elif isinstance(options, list):  # null for what is not measured
            yield name, options


def _pair(option: Any, name: str, label: str) -> tuple[float, float]:
    """Bits and accuracy."""
    fields = option if isinstance(option, Mapping) else {}
    bits, accuracy = (as_number(fields.get(key)) for key in ("total_bits", "accuracy"))
    if bits is None or accuracy is None or math.isnan(bits + accuracy):
        raise SourceError(
            f"{label} was taken for an {FORMAT}, but an option of {printable(name)} has no number for "
            "total_bits and accuracy"
        )
    return bits, accuracy

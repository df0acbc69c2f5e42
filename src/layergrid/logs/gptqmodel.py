"""What GPTQModel writes while it quantizes: one row for each module, with its loss.

It comes in three forms: on the console, a Python dict a line, among other text; in the process log, JSON
objects after each other; and in ``quant_log.csv`` beside the weights.

References
----------
https://github.com/ModelCloud/GPTQModel, ``gptqmodel/looper/loop_processor.py`` and ``models/writer.py``.
"""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layergrid.logs.columns import as_number
from layergrid.logs.records import Records
from layergrid.sources.source import SourceError, printable

FORMAT = "GPTQModel quantization log"

_CSV_HEADER = ["layer", "module", "loss", "samples", "damp", "time"]
_ABOUT = {
    "loss": {"long_name": "GPTQ loss", "units": ""},
    "samples": {"long_name": "Calibration samples", "units": ""},
    "damp": {"long_name": "Damping", "units": ""},
    "time": {"long_name": "Time to quantize", "units": "s"},
    "fwd_time": {"long_name": "Time of the forward pass", "units": "s"},
}
_LONGEST_ROW = 10_000

# A dict, with at most one more inside: the module's own settings.
_DICT = re.compile(r"\{(?:[^{}]|\{[^{}]*\})*\}")


def console_rows(text: str) -> list[Mapping[str, Any]]:
    """The rows in the text of a console; none where it is of something else."""
    return list(_console_rows(text))


def _console_rows(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        if "'module'" not in line or len(line) > _LONGEST_ROW:
            continue
        for match in _DICT.finditer(line):
            try:
                row = ast.literal_eval(match[0])
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue  # of another program: GPTQModel prints literals
            if is_row(row):
                yield row


def csv_rows(text: str) -> list[Mapping[str, Any]] | None:
    """The rows of a ``quant_log.csv``; None where the text is another table.

    Its header promises ``samples``, but the rows of most versions go without: damp and time follow the loss.
    """
    if text.partition("\n")[0].strip().split(",") != _CSV_HEADER:
        return None
    lines = list(csv.reader(io.StringIO(text, newline="")))[1:]
    short = [name for name in _CSV_HEADER if name != "samples"]
    return [dict(zip(short if len(line) == len(short) else _CSV_HEADER, line, strict=False)) for line in lines if line]


def is_row(row: Any) -> bool:
    """Whether this says of which layer and module a loss is."""
    return isinstance(row, Mapping) and {"layer", "module", "loss"} <= row.keys()


def gptqmodel_records(rows: Sequence[Mapping[str, Any]], label: str) -> Records:
    """The rows, by module; what is no number, such as the loss of a module that fell back, is NaN and listed."""
    names = []
    for row in rows:
        layer, module = row["layer"], row["module"]
        if not (isinstance(module, str) and re.fullmatch(r"\d{1,9}", str(layer))):
            raise SourceError(
                f"{label} was taken for a {FORMAT}, but a row has layer {printable(layer)} and module "
                f"{printable(module)}; expected a number and a name"
            )
        names.append(f"layers.{int(layer)}.{module}")
    numbers: dict[str, list[float]] = {}
    unread = []
    for metric in _ABOUT:
        column = [as_number(row.get(metric)) for row in rows]
        if any(number == number for number in column if number is not None):
            numbers[metric] = [float("nan") if number is None else number for number in column]
        unread += [
            f"{name}: {metric} {printable(row[metric], 60)}"
            for name, row, number in zip(names, rows, column, strict=True)
            if number is None
        ]
    if not numbers:
        raise SourceError(f"{label} was taken for a {FORMAT}, but no row has a number")
    about = {metric: about for metric, about in _ABOUT.items() if metric in numbers}
    return Records(FORMAT, names, numbers, about=about, attrs={"not_numbers": "\n".join(unread)})

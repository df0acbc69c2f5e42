"""Tables and logs that other tools write, recognised by their content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from layergrid.logs.columns import csv_columns, json_values, parquet_columns
from layergrid.logs.exllamav2 import exllamav2_records, is_measurement
from layergrid.logs.gptqmodel import console_rows, csv_rows, gptqmodel_records, is_row
from layergrid.logs.imatrix import imatrix_records, is_imatrix
from layergrid.logs.records import records_dataset
from layergrid.logs.tables import mapping_columns, rows_columns, table_dataset
from layergrid.sources import open_file
from layergrid.sources.files import ByteFile, read_bytes
from layergrid.sources.gguf import MAGIC, gguf_file
from layergrid.sources.pickles import is_pickle, pickle_refusal
from layergrid.sources.source import SourceError

if TYPE_CHECKING:
    import xarray as xr

MAX_BYTES = 512 << 20
"""Of a log or table, which is read whole."""


def read(path: str | os.PathLike[str]) -> xr.Dataset:
    """The numbers in a log or table, each in its cell.

    Recognised by content, whatever the name: quantization logs of GPTQModel (console, process log or
    ``quant_log.csv``), importance matrices of llama.cpp as GGUF, ``measurement.json`` of exllamav2; and CSV, JSON,
    JSON lines and Parquet with rows of a parameter's or module's name, values and perhaps a step, or of
    layer, component and values, or with a column for each component.

    Parameters
    ----------
    path : file or URL

    Returns
    -------
    Dataset with one variable per kind of number, in the dims and coordinates of `scan`, and ``step`` last where
    there are steps. The attribute ``format`` says what the file was taken for, ``outside`` which names belong
    to no layer, ``left_out`` which columns hold no numbers.

    Raises
    ------
    SourceError
        If the file is damaged, nothing of the kind, a checkpoint, or holds no number of any layer.
    ImportError
        If it is a Parquet file and pyarrow is not installed.
    """
    file = open_file(path)
    if is_pickle(file.label):
        raise pickle_refusal(file.label)
    magic = read_bytes(file, 0, min(9, file.size))
    if magic[:4] == MAGIC:
        source = gguf_file(file)
        if not is_imatrix(source):
            raise _is_checkpoint(file)
        return records_dataset(imatrix_records(source), file.label)
    if magic[8:9] == b"{" or magic[:4] == b"PK\x03\x04":
        raise _is_checkpoint(file)
    if file.size > MAX_BYTES:
        raise SourceError(f"{file.label} has {file.size} bytes, at most {MAX_BYTES} of a log are read; cut it")
    content = read_bytes(file, 0, file.size)
    if magic[:4] == b"PAR1":
        return table_dataset(parquet_columns(content, file.label), "Parquet table", file.label)
    return _of_text(_decoded(content, file.label), file.label)


def _of_text(text: str, label: str) -> xr.Dataset:
    if text.lstrip()[:1] in ("{", "["):
        rows = console_rows(text)
        return records_dataset(gptqmodel_records(rows, label), label) if rows else _of_json(text, label)
    rows = csv_rows(text) or console_rows(text)
    if rows:
        return records_dataset(gptqmodel_records(rows, label), label)
    return table_dataset(csv_columns(text, label), "CSV table", label)


def _of_json(text: str, label: str) -> xr.Dataset:
    values: list[Any] = list(json_values(text, label))
    if all(map(is_row, values)):
        return records_dataset(gptqmodel_records(values, label), label)
    if len(values) > 1:
        return table_dataset(rows_columns(values, label), "JSON lines", label)
    value = values[0]
    if is_measurement(value):
        return records_dataset(exllamav2_records(value, label), label)
    if isinstance(value, list) and value and all(map(is_row, value)):
        return records_dataset(gptqmodel_records(value, label), label)
    columns = mapping_columns(value, label) if isinstance(value, dict) else rows_columns(value, label)
    return table_dataset(columns, "JSON table", label)


def _decoded(content: bytes, label: str) -> str:
    """The text, in UTF-8, or in UTF-16 with its mark, as PowerShell redirects a console."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = content.decode(encoding, errors="replace")
    if not text.strip():
        raise SourceError(f"{label} is empty; is the download complete?")
    if "\0" in text:
        raise SourceError(f"{label} is neither a text nor a file that is known; expected a log, CSV, JSON or Parquet")
    return text


def _is_checkpoint(file: ByteFile) -> SourceError:
    return SourceError(f"{file.label} is a checkpoint, not a log; measure it with layergrid.scan")

"""The layergrid command: a checkpoint in, a table, file or heatmap in the terminal out."""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, get_args

import numpy as np

from layergrid.metrics import METRICS, PAIR_METRICS
from layergrid.scans.placement import Include
from layergrid.terminal import print_heatmaps

if TYPE_CHECKING:
    import xarray as xr

_EXAMPLES = """examples:
  layergrid scan model/                                     # rms of every matrix, as a heatmap here
  layergrid scan https://host/model/ --metric rms           # only the bytes that are measured are fetched
  layergrid scan model.gguf --metric stable_rank --metric "sparsity(1e-3)"
  layergrid scan base/ --compare tuned/ --save change.csv   # how much each matrix changed
  layergrid scan model/ --json --quiet | jq '.cells[0]'

exit codes: 0 done; 1 the checkpoint cannot be read; 2 wrong arguments;
  3 done, but parts were skipped (--skip-errors); 130 interrupted; 141 nobody reads the output

The result goes to standard output, progress and errors to standard error."""

_INTERRUPTED = 130

_SAVED = (".csv", ".html", ".nc", ".pdf", ".png", ".svg")


def command() -> NoReturn:
    """Run the command that this process was started as, and end it."""
    code = main()
    if code == _INTERRUPTED:
        # Python would wait for the threads that measure, and none inside a decomposition can be stopped.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code.

    Parameters
    ----------
    arguments : what follows the command's name; None for those of this process
    """
    options = _parser().parse_args(arguments)
    if sys.stdout is None and options.save is None:
        print("layergrid: standard output is closed; open it, or name a file with --save", file=sys.stderr)
        return 1
    try:
        dataset = _measured(options)
        if options.save is not None:
            _save(dataset, options.save)
        if options.json:
            json.dump(as_json(dataset), sys.stdout)
            print()
        elif options.save is None:
            print_heatmaps(dataset, sys.stdout)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("layergrid: interrupted; with --cache a second run goes on from here", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough, as `head`; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"layergrid: {error}", file=sys.stderr)
        return 1
    if dataset.attrs["skipped"]:
        print(f"layergrid: skipped\n{dataset.attrs['skipped']}", file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="layergrid",
        description="One number per layer and component of a neural network.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    scan = commands.add_parser(
        "scan",
        help="measure the weights of a checkpoint",
        description="Measure the weights of a checkpoint, or the change from one to another, without loading it.",
        epilog=f"{_metric_names()}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scan.add_argument(
        "path",
        metavar="PATH",
        help="path or URL of a safetensors, GGUF or .npz file, of an index, of a folder with the first two, or of a "
        "Zarr group",
    )
    scan.add_argument(
        "--metric",
        action="append",
        metavar="NAME",
        help="what to measure, one of those below; may be repeated (default: rms; with --compare: relative_change)",
    )
    scan.add_argument(
        "--compare", metavar="OTHER", help="measure the change from PATH to OTHER, a checkpoint or a LoRA adapter"
    )
    scan.add_argument(
        "--include",
        choices=get_args(Include),
        default="matrices",
        help="matrices (default), weights: also vectors such as those of norms, all: also biases",
    )
    scan.add_argument(
        "--save",
        type=_target,
        metavar="FILE",
        help=f"write the result, in the format that the name ends in: {' '.join(_SAVED)}",
    )
    scan.add_argument("--json", action="store_true", help="print the result as JSON, a line")
    scan.add_argument("--cache", metavar="FOLDER", help="keep results there, and resume an interrupted scan")
    scan.add_argument("--skip-errors", action="store_true", help="leave damaged shards out instead of stopping")
    scan.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _metric_names() -> str:
    def listed(title: str, names: Iterable[str]) -> str:
        return textwrap.fill(f"{title}: {' '.join(names)}", 100, subsequent_indent="  ")

    note = '  with arguments: "sparsity(1e-3)"; by row, column or head: "rms per row", "stable_rank per head(9)"'
    return "\n".join([listed("metrics", METRICS), listed("with --compare", PAIR_METRICS), note])


def _target(text: str) -> Path:
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r} to write {path.name} into")
    if path.suffix not in _SAVED:
        raise argparse.ArgumentTypeError(f"{text!r} must end in one of {', '.join(_SAVED)}")
    return path


def _measured(options: argparse.Namespace) -> xr.Dataset:
    shared: dict[str, Any] = {
        "include": options.include,
        # A log that is written to a file has no use for a line that is drawn again and again.
        "progress": not options.quiet and sys.stderr is not None and sys.stderr.isatty(),
        "on_error": "skip" if options.skip_errors else "raise",
    }
    if options.compare is not None:
        from layergrid.scans.comparing import compare

        return compare(options.path, options.compare, options.metric or ["relative_change"], **shared)
    from layergrid.scans.scanning import scan

    return scan(options.path, options.metric or ["rms"], cache=options.cache, **shared)


def rows(dataset: xr.Dataset) -> Iterator[dict[str, Any]]:
    """The cells that are there: labels, parameter and which rows of it, numbers by metric, several as a list."""
    dims = dataset["parameter"].dims
    for place, parameter in np.ndenumerate(dataset["parameter"].values):
        if parameter == "":
            continue
        labels = {str(dim): dataset[dim].values[index].item() for dim, index in zip(dims, place, strict=True)}
        numbers = {str(name): variable.values[place].tolist() for name, variable in dataset.items()}
        part = {"rows": str(dataset["rows"].values[place])} if "rows" in dataset.coords else {}
        yield {**labels, "parameter": str(parameter), **part, **numbers}


def as_json(dataset: xr.Dataset) -> dict[str, Any]:
    """The dataset for JSON, which has no NaN and no infinities: "NaN", "Infinity", "-Infinity" as texts."""
    cells = [{key: _plain(value) for key, value in row.items()} for row in rows(dataset)]
    return {**dataset.attrs, "cells": cells}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _save(dataset: xr.Dataset, path: Path) -> None:
    """Write the result under its name once it is whole."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        _write(dataset, part)
        os.replace(part, path)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _write(dataset: xr.Dataset, path: Path) -> None:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            table = list(rows(dataset))
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows({key: _harmless(value) for key, value in row.items()} for row in table)
    elif path.suffix == ".nc":
        dataset.to_netcdf(path)
    else:
        import layergrid

        layergrid.LayerGrid(dataset).save(path)


def _harmless(value: Any) -> Any:
    """A name that a spreadsheet would take for a formula, marked as text."""
    if isinstance(value, str):
        text = value.encode(errors="backslashreplace").decode()
        return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text
    return value

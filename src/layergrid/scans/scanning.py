"""From a checkpoint or a model to a Dataset: every metric of every tensor, in its cell."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from layergrid.kept import KeptResults, default_folder
from layergrid.metrics import measure, metric_label, parse_request
from layergrid.scans.dataset import to_dataset
from layergrid.scans.heads import heads_of, is_per_head, measure_heads
from layergrid.scans.placement import Cell, Include, place, split
from layergrid.scans.tasks import Failure, Job, run_jobs
from layergrid.sources import Source, SourceError, open_source

if TYPE_CHECKING:
    import xarray as xr

Metric = str | Callable[..., float]

FIRST_LOOK = ("rms", "absmax", "kurtosis", "sparsity")
"""What is measured of a model that is drawn without saying what: one pass over the bytes gives them all."""

# Measured beside whatever is asked for, in the same pass, so that damaged weights do not go unnoticed.
_COUNTS = ("nan_count", "inf_count")


def scan(
    source: Any,
    metrics: Metric | Sequence[Metric] = ("rms",),
    *,
    what: Literal["weight", "grad"] = "weight",
    include: Include = "matrices",
    executor: Executor | None = None,
    progress: bool = True,
    cache: bool | str | os.PathLike[str] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> xr.Dataset:
    """Measure every weight matrix of a model, block by block, without holding it in memory.

    Parameters
    ----------
    source : path or URL of a safetensors, GGUF or .npz file, of an index, of a folder with one of the first
        two, of a Zarr group; a torch module; a tree of arrays, as a state dict, the parameters or gradients of
        JAX, a module of Flax NNX or Equinox. Nothing is ever unpickled. URLs are those
        of fsspec, as ``https://``, ``s3://`` and ``hf://``, with its configuration for credentials; only
        headers and the bytes of what is measured are fetched, again for a metric that needs another pass.
    metrics : names (``"rms"``, ``"stable_rank"``, ``"sparsity(1e-3)"``) or functions from an array to a
        number; one or several. ``"rms per head"`` takes the numbers of heads from the model's config
    what : "grad" for the gradients of a module instead of its weights
    include : "matrices", weights of two axes or more; "weights", also vectors such as those of norms; "all",
        also biases
    executor : any `concurrent.futures.Executor`: processes, ``distributed.Client(...).get_executor()``,
        ``mpi4py.futures`` ...; None for threads, one per core. Workers elsewhere must see the same paths, or be
        given a URL. What a worker had not finished when it died is done again.
    progress : shows a bar, where tqdm is installed
    cache : folder in which results are kept, by file and metric; True for the user's own cache folder. A file
        that has changed is measured again. Functions and what is in memory are always measured.
    on_error : with "skip", a damaged shard or tensor is left out: its cells are NaN, and the attribute
        ``skipped`` says why

    Returns
    -------
    Dataset with one variable per metric, float64, of dims (layer, component), with ``stack`` before them
    where the model has several stacks, ``expert`` after them where it has experts (-1 for what belongs to
    none), and a dim of the metric's own last where it gives several numbers. The coordinate ``parameter``
    holds the tensor's name, "" where the layer has no such component. Where a tensor holds several components
    (fused q, k and v, fused gate and up), and config or shapes tell which rows are whose, each has its own
    cell, and the coordinate ``rows`` says which rows those are; else the fused component stays. Attributes,
    a line for each tensor: ``outside`` (of no block), ``skipped`` and ``non_finite`` (with NaN or infinite
    entries, and how many); ``source`` and ``format``.

    Raises
    ------
    SourceError
        If the source is damaged, pickled or unknown, or has no tensor that belongs to a block. A ValueError.
    ValueError
        If a metric is unknown.
    """
    chosen = metric_list(metrics)
    for metric in chosen:
        if isinstance(metric, str):
            parse_request(metric)
    opened = open_source(source, what=what, on_error=on_error)
    placement = place(opened.tensors, opened.missing, include, opened.config)
    if not placement.cells:
        raise _no_cells(opened, placement.outside)
    cells = split(placement.cells, placement.pieces)
    asked: list[Metric] = [*chosen, *(count for count in _COUNTS if count not in chosen)]
    heads = heads_of(cells, opened.config) if any(map(is_per_head, chosen)) else None
    if heads == {}:
        raise _no_heads(opened, chosen)
    numbers, failures = _measured(opened, cells, heads, asked, executor, progress, cache, on_error == "skip")
    labels = {metric_label(metric): isinstance(metric, str) for metric in chosen}
    dataset = to_dataset(cells, numbers, labels)
    skipped = {**opened.skipped, **{cells[index].parameter: failures[index].reason for index in failures}}
    dataset.attrs = {
        "source": opened.label,
        "format": opened.format,
        "outside": "\n".join(placement.outside),
        "skipped": "\n".join(f"{name}: {reason}" for name, reason in skipped.items()),
        "non_finite": "\n".join(_non_finite(cells, numbers)),
    }
    for variable in dataset.data_vars.values():  # a metric taken alone still knows whose it is
        variable.attrs["source"] = opened.label
    return dataset


def metric_list(metrics: Metric | Sequence[Metric]) -> list[Metric]:
    """The metrics asked for, one or several, as a list without repetition."""
    chosen = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)
    if not chosen:
        raise ValueError("metrics is empty; name at least one, such as 'rms'")
    for metric in chosen:
        if not isinstance(metric, str) and not callable(metric):
            raise TypeError(f"a metric is a name or a function, got {metric!r} of type {type(metric).__name__}")
    return list(dict.fromkeys(chosen))


def _measured(
    opened: Source,
    cells: Sequence[Cell],
    heads: Mapping[str, str] | None,
    metrics: Sequence[Metric],
    executor: Executor | None,
    progress: bool,
    cache: bool | str | os.PathLike[str] | None,
    skip_errors: bool,
) -> tuple[dict[int, Mapping[str, Any]], dict[int, Failure]]:
    """The numbers of every cell that has a tensor, kept ones first, and the cells that failed."""
    jobs = {index: Job(index, (cell.tensor,)) for index, cell in enumerate(cells) if cell.tensor is not None}
    run = partial(
        run_jobs,
        partial(measure, metrics=metrics) if heads is None else partial(measure_heads, metrics=metrics, heads=heads),
        executor=executor,
        progress=progress,
        skip_errors=skip_errors,
    )
    numbers: dict[int, Mapping[str, Any]] = {}
    names = [metric for metric in metrics if isinstance(metric, str)]
    if not cache or len(names) < len(metrics):
        return numbers, run(jobs=list(jobs.values()), done=numbers.__setitem__)
    identities: dict[int, str] = {}
    by_file: dict[str, dict[str, int]] = defaultdict(dict)
    for index, job in jobs.items():
        name = job.tensors[0].name
        if identity := opened.identities.get(cells[index].parameter):
            if heads is not None:  # they come from the config, which is no part of the file
                identity += f"+{heads.get(name)}"
            identities[index] = identity
            by_file[identity][name] = index
    with KeptResults(default_folder() if cache is True else cache) as kept:
        for identity, places in by_file.items():
            for name, found in kept.find(identity, list(places), names).items():
                numbers[places[name]] = found

        def keep(index: int, found: Mapping[str, Any]) -> None:
            numbers[index] = found
            if identity := identities.get(index):
                kept.add(identity, jobs[index].tensors[0].name, found)

        failures = run(jobs=[job for index, job in jobs.items() if index not in numbers], done=keep)
    return numbers, failures


def _non_finite(cells: Sequence[Cell], numbers: Mapping[int, Mapping[str, Any]]) -> list[str]:
    """A line for each tensor with NaN or infinite entries, saying how many."""
    lines = []
    for index, found in sorted(numbers.items()):
        nan, inf = (int(found[count]) for count in _COUNTS)
        if nan or inf:
            lines.append(f"{cells[index].parameter}: {nan} NaN, {inf} infinite")
    return lines


def _no_heads(opened: Source, metrics: Sequence[Metric]) -> ValueError:
    asked = next(metric for metric in metrics if is_per_head(metric))
    return ValueError(
        f"{asked!r} needs the numbers of attention heads, and the config of {opened.label} gives none that divide its "
        f"matrices; write the number, as in '{asked}(9)', or name another metric"
    )


def _no_cells(opened: Source, outside: Sequence[str]) -> SourceError:
    if not opened.tensors:
        return SourceError(f"{opened.label} has no tensors; is it the model that was meant?")
    examples = ", ".join(map(ascii, outside[:3] or list(opened.tensors)[:3]))
    return SourceError(
        f"{opened.label} has {len(opened.tensors)} tensors, but no weight to measure in a numbered layer "
        f"(the first: {examples}); include='all' also takes vectors and biases"
    )

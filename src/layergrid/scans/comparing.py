"""Two models, tensor by tensor: matched by where a tensor sits, not by file, dtype, prefix or format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from layergrid.metrics import PAIR_METRICS, measure_pair, parse_request
from layergrid.names import Piece
from layergrid.scans.dataset import to_dataset
from layergrid.scans.placement import Cell, Include, Placement, place, split
from layergrid.scans.tasks import Job, run_jobs
from layergrid.sources import Source, SourceError, open_source
from layergrid.tensor import Tensor, widen

if TYPE_CHECKING:
    import xarray as xr

_Key = tuple[str, int, str, int]


def compare(
    base: Any,
    other: Any,
    metrics: str | Sequence[str] = ("relative_change",),
    *,
    include: Include = "matrices",
    executor: Executor | None = None,
    progress: bool = True,
    on_error: Literal["raise", "skip"] = "raise",
) -> xr.Dataset:
    """Measure the change from one model to another, tensor by tensor.

    Tensors are matched by stack, layer, component and expert, so that the two may differ in shards, dtype,
    prefix and format, and one may hold in a fused matrix what the other holds in several. A LoRA adapter as
    `other` is folded into the base: weight + scale x B A; what it does not adapt is left out, as unchanged.

    Parameters
    ----------
    base, other : whatever `layergrid.scans.scanning.scan` takes
    metrics : names of pair metrics, one or several: ``"relative_change"``, ``"cosine"``, ``"delta_rms"`` ...
    include, executor, progress, on_error : as for `scan`

    Returns
    -------
    Dataset as `scan` gives it, its parameters those of the base; a pair that cannot be compared is NaN.
    Attributes, a line for each tensor: ``only_in_base``, ``only_in_other``, ``differing_shapes`` and
    ``skipped``; ``source``, and ``base`` and ``other``, by which a `LayerGrid` finds the tensors of its cells.

    Raises
    ------
    SourceError
        If one cannot be read, or no tensor of one has its match in the other.
    ValueError
        If a metric is unknown.
    """
    chosen = list(dict.fromkeys([metrics] if isinstance(metrics, str) else metrics))
    if not chosen:
        raise ValueError("metrics is empty; name at least one, such as 'relative_change'")
    for metric in chosen:
        parse_request(metric, PAIR_METRICS)
    sources = [open_source(source, on_error=on_error) for source in (base, other)]
    found = matched(sources[0], sources[1], include)
    pairs = found.pairs
    jobs = []
    differing = []
    for index, (first, second) in enumerate(pairs):
        if first.tensor is None or second.tensor is None:
            continue
        if first.tensor.shape == second.tensor.shape:
            jobs.append(Job(index, (first.tensor, second.tensor)))
        else:
            differing.append(f"{first.parameter}: {first.tensor.shape} and {second.tensor.shape}")
    numbers: dict[int, Mapping[str, Any]] = {}
    failures = run_jobs(
        partial(_measure_pair, metrics=chosen),
        jobs,
        executor=executor,
        progress=progress,
        skip_errors=on_error == "skip",
        done=numbers.__setitem__,
    )
    skipped = [f"{name}: {reason}" for source in sources for name, reason in source.skipped.items()]
    skipped += [f"{pairs[index][0].parameter}: {failure.reason}" for index, failure in failures.items()]
    dataset = to_dataset([first for first, _ in pairs], numbers, dict.fromkeys(chosen, True))
    dataset.attrs = {
        "source": f"{sources[0].label} to {sources[1].label}",
        "base": sources[0].label,
        "other": sources[1].label,
        "only_in_base": "\n".join(found.only_in_base),
        "only_in_other": "\n".join(found.only_in_other),
        "differing_shapes": "\n".join(differing),
        "skipped": "\n".join(skipped),
    }
    for variable in dataset.values():
        variable.attrs |= {name: dataset.attrs[name] for name in ("source", "base", "other")}
    return dataset


@dataclass(frozen=True)
class Matched:
    """The cells of two models by where they sit."""

    pairs: tuple[tuple[Cell, Cell], ...]
    """In the order of the base; of an adapter, the base's tensors with its product added."""
    only_in_base: tuple[str, ...]
    """Names of tensors."""
    only_in_other: tuple[str, ...]


def matched(base: Source, other: Source, include: Include) -> Matched:
    """Match the tensors of two models, or of one and a LoRA adapter for it.

    Raises
    ------
    SourceError
        If no tensor of one has its match in the other, or the adapter is none for this model.
    """
    placements = [_placed(source, twin, include) for source, twin in ((base, other), (other, base))]
    cells, others = (_by_place(placement.cells) for placement in placements)
    if is_adapter(other):
        others, loose = folded(cells, others, other)
        cells, others = (_split(whole, placements[0].pieces) for whole in (cells, others))
    else:
        whole = _split_by_one(cells, others, *placements)
        cells, others = (
            _split(own, {name: pieces for name, pieces in placement.pieces.items() if name not in whole})
            for own, placement in zip((cells, others), placements, strict=True)
        )
        loose = [cell.parameter for key, cell in others.items() if key not in cells]
    pairs = tuple((cell, others[key]) for key, cell in cells.items() if key in others)
    if not pairs:
        raise SourceError(f"no tensor of {other.label} has the place of one of {base.label}; are they the same model?")
    missing = tuple(cell.parameter for key, cell in cells.items() if key not in others)
    return Matched(pairs, missing, tuple(loose))


def is_adapter(source: Source) -> bool:
    """Whether the tensors are those of a LoRA adapter, as PEFT saves it."""
    return source.config.get("peft_type") == "LORA" or any(".lora_A" in name for name in source.tensors)


def folded(
    cells: Mapping[_Key, Cell], halves: Mapping[_Key, Cell], adapter: Source
) -> tuple[dict[_Key, Cell], list[str]]:
    """The adapted tensors of the base with the adapter's product added, and the halves that fit none.

    References
    ----------
    E. Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685; the factor
    alpha / sqrt(rank) of rsLoRA: D. Kalajdzievski (2023), arXiv:2312.03732.
    """
    if adapter.config.get("use_dora"):
        raise SourceError(f"{adapter.label} is a DoRA adapter, no plain sum; merge it with PEFT first")
    found: dict[_Key, Cell] = {}
    loose = []
    for (stack, layer, component, expert), down in halves.items():
        if not component.endswith(".lora_A"):
            continue
        key = (stack, layer, component.removesuffix(".lora_A"), expert)
        up = halves.get((stack, layer, f"{key[2]}.lora_B", expert))
        cell = cells.get(key)
        if cell is None or up is None or cell.tensor is None or down.tensor is None or up.tensor is None:
            loose.append(down.parameter)
            continue
        rank = down.tensor.shape[0]
        shape = (up.tensor.shape[0], down.tensor.shape[-1])
        transposed = bool(adapter.config.get("fan_in_fan_out"))
        if cell.tensor.shape != (shape[::-1] if transposed else shape):
            raise SourceError(
                f"{adapter.label}: {down.parameter} makes a change of shape {shape}, but {cell.parameter} "
                f"has {cell.tensor.shape}; is this the adapter's base model?"
            )
        scale = _scale(adapter.config, down.parameter, rank)
        read = FoldedElements(cell.tensor, down.tensor, up.tensor, scale, transposed)
        found[key] = replace(cell, tensor=replace(cell.tensor, dtype="F32", read=read))
    return found, loose


@dataclass(frozen=True, eq=False)
class FoldedElements:
    """The elements of weight + scale x B A, as `Tensor.read` gives them, in float32."""

    base: Tensor
    down: Tensor
    """A, of shape (rank, inputs)."""
    up: Tensor
    """B, of shape (outputs, rank)."""
    scale: float
    transposed: bool
    """The weight is stored as (inputs, outputs)."""

    def __call__(self, start: int, stop: int) -> np.ndarray:
        """Elements start..stop, flat; of the product, only the rows they lie in are made."""
        columns = self.base.shape[-1]
        first, last = start // columns, -(-stop // columns)
        down, up = (_array(half) for half in (self.down, self.up))
        left, right = (down.T, up.T) if self.transposed else (up, down)
        change = (left[first:last] @ right).reshape(-1)[start - first * columns : stop - first * columns]
        weight = widen(self.base.read(start, stop), self.base.dtype)
        total: np.ndarray = (weight + self.scale * change).astype(np.float32)
        return total


def _array(tensor: Tensor) -> np.ndarray:
    values = widen(tensor.read(0, tensor.size), tensor.dtype)
    return values.reshape(tensor.shape).astype(np.float64)


def _scale(config: Mapping[str, Any], parameter: str, rank: int) -> float:
    alpha = config.get("lora_alpha")
    module = parameter.partition(".lora_A")[0]
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            alpha = own
            break
    if not isinstance(alpha, int | float) or rank == 0:
        raise SourceError(
            f"{parameter} has rank {rank} and lora_alpha {alpha!r}; is adapter_config.json beside the adapter?"
        )
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _placed(source: Source, twin: Source, include: Include) -> Placement:
    """Where the tensors of one model are; a config that one of the two lacks is the other's."""
    return place(source.tensors, source.missing, include, source.config or twin.config)


def _by_place(cells: Sequence[Cell]) -> dict[_Key, Cell]:
    """The cells by where they are; a model of one stack has the stack ""."""
    if len({cell.stack for cell in cells}) == 1:
        cells = [replace(cell, stack="") for cell in cells]
    return {(cell.stack, cell.layer, cell.component, cell.expert): cell for cell in cells}


def _split(cells: Mapping[_Key, Cell], pieces: Mapping[str, Sequence[Piece]]) -> dict[_Key, Cell]:
    parts = split(tuple(cells.values()), pieces)
    return {(cell.stack, cell.layer, cell.component, cell.expert): cell for cell in parts}


def _split_by_one(
    cells: Mapping[_Key, Cell], others: Mapping[_Key, Cell], base: Placement, other: Placement
) -> set[str]:
    """Names of the fused tensors that both have, and only one can take apart; they are compared whole."""
    pairs = [(cell.parameter, others[key].parameter) for key, cell in cells.items() if key in others]
    uneven = (pair for pair in pairs if (pair[0] in base.pieces) != (pair[1] in other.pieces))
    return {name for pair in uneven for name in pair}


def _measure_pair(base: Tensor, other: Tensor, metrics: Sequence[str]) -> dict[str, float]:
    return measure_pair(base, other, metrics)

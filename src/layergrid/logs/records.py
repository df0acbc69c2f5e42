"""Numbers by parameter or module name, put in their cells by what the names say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from layergrid.scans.dataset import to_dataset
from layergrid.scans.placement import EXPERT_NONE, place
from layergrid.sources.source import SourceError, printable
from layergrid.tensor import Tensor, as_tensor

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Records:
    """Rows of a log: what each is of, and its numbers."""

    format: str
    """What the file was taken for: "GPTQModel quantization log"."""

    names: Sequence[str]
    """Of the parameter or module, row by row."""

    numbers: Mapping[str, Sequence[Any] | np.ndarray]
    """By metric, row by row: a float each, or an array along `dim`; NaN where there is none."""

    steps: Sequence[Any] | None = None
    """Of each row; None where rows are no steps."""

    dim: str = ""
    """Of the metrics that give an array: "option"; "expert" where its entries are experts."""

    about: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """``long_name`` and ``units`` by metric, where known."""

    attrs: Mapping[str, str] = field(default_factory=dict)
    """Further facts for the Dataset's attributes."""


def records_dataset(records: Records, label: str) -> xr.Dataset:
    """One float64 variable per metric, in the dims and coordinates of `layergrid.scan`.

    Parameters
    ----------
    label : path or URL, for messages

    Raises
    ------
    SourceError
        If no name belongs to a numbered layer, or one has different numbers twice in the same step.
    """
    steps = list(dict.fromkeys(records.steps)) if records.steps is not None else []
    if all(isinstance(step, int | float) for step in steps):
        steps.sort()
    found = _by_name(records, {step: index for index, step in enumerate(steps)}, label)
    experts = {name: _expert_count(numbers) for name, numbers in found.items()} if records.dim == "expert" else {}
    stacked = {name: _stand_in(name, count) for name, count in experts.items() if count > 1}
    placement = place(stacked, [name for name in found if name not in stacked], "all")
    if not placement.cells:
        examples = ", ".join(printable(name, 60) for name in list(found)[:3])
        raise SourceError(
            f"{label} was taken for a {records.format}, but none of its {len(found)} names says which layer it "
            f"belongs to (the first: {examples}); names look like 'model.layers.3.mlp.up_proj'"
        )
    cells = placement.cells
    numbers = {}
    for index, cell in enumerate(cells):
        own = found[cell.parameter]
        if cell.parameter in stacked and cell.expert != EXPERT_NONE:
            own = {metric: values[cell.expert] for metric, values in own.items()}
        elif cell.parameter in experts:
            own = {metric: np.ravel(values)[0] for metric, values in own.items()}
        numbers[index] = own
    along = ("step", steps) if steps else (records.dim, []) if records.dim else None
    dataset = to_dataset(cells, numbers, dict.fromkeys(records.numbers, False), along)
    for metric, about in records.about.items():
        dataset[metric].attrs.update(about)
    outside = "\n".join(placement.outside)
    dataset.attrs = {"source": label, "format": records.format, "outside": outside, **records.attrs}
    return dataset


def _by_name(records: Records, places: Mapping[Any, int], label: str) -> dict[str, dict[str, Any]]:
    """The numbers of each name by metric; along the steps, where there are any."""
    found: dict[str, dict[str, Any]] = {}
    seen: dict[tuple[str, Any], int] = {}
    for row, name in enumerate(records.names):
        step = records.steps[row] if records.steps is not None else None
        before = seen.setdefault((name, step), row)
        own = found.setdefault(name, {})
        for metric, values in records.numbers.items():
            if before != row and not np.array_equal(values[row], values[before], equal_nan=True):
                again = f" in step {step}" if records.steps is not None else ""
                raise SourceError(
                    f"{label} gives {printable(name)} two different values of {metric}{again}: {values[before]} "
                    f"and {values[row]}; keep one row of each, or add a column 'step'"
                )
            if not places:
                own[metric] = values[row]
                continue
            if metric not in own:
                own[metric] = np.full(len(places), np.nan)
            own[metric][places[step]] = values[row]
    return found


def _expert_count(numbers: Mapping[str, Any]) -> int:
    return max(int(np.size(values)) for values in numbers.values())


def _stand_in(name: str, experts: int) -> Tensor:
    """A tensor of the shape that stacked experts have, for its place alone."""
    return as_tensor(np.empty((experts, 1, 1), np.bool_), name)

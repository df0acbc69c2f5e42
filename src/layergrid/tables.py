"""Tables, wide and long, from columns of numbers and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from layergrid.labels import component_labels, layer_labels
from layergrid.matrix import Matrix
from layergrid.values import nested_values, owned_mask, owned_values


def from_columns(columns: Mapping[Any, Any]) -> Matrix:
    """The matrix of a wide table: one sequence over the layers per component; "layer" holds the labels."""
    numbers = {name: column for name, column in columns.items() if name != "layer"}
    names = component_labels(numbers, len(numbers))
    values = nested_values(list(numbers.values())).T
    labels = layer_labels(columns.get("layer"), len(values))
    absent = None
    if isinstance(values, np.ma.MaskedArray):
        absent = owned_mask(np.ma.getmaskarray(values))
        values = np.ma.getdata(values)
    return Matrix(owned_values(np.asarray(values), absent), labels, names, absent)

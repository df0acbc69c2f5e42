"""Parameter names in the compact form in which they travel to the browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from layergrid.data.matrix import Label, Matrix

PLACE = "{layer}"


def pack_parameters(matrix: Matrix) -> dict[str, Any]:
    """The names of all cells as one template per component, with exceptions.

    A model's names differ from layer to layer in the layer's number alone, so that 28 x 7 names are seven
    templates.

    Returns
    -------
    ``{"templates": [str or None, ...], "exceptions": {"row,column": name}}``; {} where no name is known. Where some
    cells stand for a part of their tensor, the same of those parts under ``"rows"``.
    ``template.replace("{layer}", str(layer))`` is the name of each cell that is there, but for
    the exceptions. None says that the names of a component are unknown, as "" does for a
    cell. Absent cells have no name.
    """
    if matrix.parameters is None or not (matrix.parameters != "").any():
        return {}
    packed = _pack(matrix, matrix.parameters)
    return packed if matrix.pieces is None else {**packed, "rows": _pack(matrix, matrix.pieces)}


def _pack(matrix: Matrix, names: np.ndarray) -> dict[str, Any]:
    templates: list[str | None] = []
    exceptions: dict[str, str] = {}
    for column in range(len(matrix.components)):
        present = _present(matrix, column)
        cells = [(row, matrix.layers[row], str(names[row, column])) for row in present]
        template = _best_template(cells)
        templates.append(template)
        exceptions |= {f"{row},{column}": name for row, layer, name in cells if _filled(template, layer) != name}
    return {"templates": templates, "exceptions": exceptions}


def unpack_parameters(packed: dict[str, Any], matrix: Matrix) -> np.ndarray:
    """The names that `pack_parameters` packed, as objects of shape (layers, components); "" where unknown."""
    names = np.full(matrix.values.shape, "", dtype=object)
    for column, template in enumerate(packed.get("templates", [])):
        for row in _present(matrix, column):
            names[row, column] = _filled(template, matrix.layers[row])
    for cell, name in packed.get("exceptions", {}).items():
        row, column = map(int, cell.split(","))
        names[row, column] = name
    return names


def _present(matrix: Matrix, column: int) -> list[int]:
    rows = range(len(matrix.layers))
    return [row for row in rows if matrix.absent is None or not matrix.absent[row, column]]


def _filled(template: str | None, layer: Label) -> str:
    return "" if template is None else template.replace(PLACE, str(layer))


def _best_template(cells: list[tuple[int, Label, str]]) -> str | None:
    """Of the templates of the first few names, the one with the fewest exceptions; None where none helps.

    A few, because the first layer of a model may be named unlike the others.
    """
    best, fewest = None, sum(name != "" for _, _, name in cells)
    named = [(layer, name) for _, layer, name in cells if name]
    for layer, name in named[:3]:
        for template in _templates(name, str(layer)):
            exceptions = sum(_filled(template, other) != text for _, other, text in cells)
            if exceptions == 0:
                return template
            if exceptions < fewest:
                best, fewest = template, exceptions
    return best


def _templates(name: str, layer: str) -> Iterator[str]:
    """The name with a place for the layer where its number stands by itself: at each spot, all, none."""
    number = re.compile(rf"(?<!\d){re.escape(layer)}(?!\d)")
    spots = [match.span() for match in number.finditer(name)] if layer else []
    for start, end in spots[:4]:
        yield name[:start] + PLACE + name[end:]
    if len(spots) > 1:
        yield number.sub(PLACE, name)
    yield name

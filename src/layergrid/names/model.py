"""The names of a whole model, where siblings and shapes settle what one name leaves open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from layergrid.names import rules
from layergrid.names.address import Address
from layergrid.names.reader import read
from layergrid.names.settling import Settling, Shape
from layergrid.names.siblings import settle_layer
from layergrid.names.stacks import Stack, stack_labels, stack_of, without_blocks


def parse_name(name: str, shape: Shape = None) -> Address | None:
    """Address of one parameter, as far as its own name and shape tell.

    A whole model says more: `parse_names` sees siblings, and drops the name of a stack that is the only one.

    Parameters
    ----------
    name : full parameter name, as a checkpoint or a framework writes it
    shape : the tensor's shape, or None where unknown

    Returns
    -------
    None where the name belongs to no block: embeddings, heads, final norms, stems, projectors
    """
    reading = read(name)
    if reading is None or (reading.outside and reading.place not in rules.BLOCK_PLACES):
        return None
    if shape is None:
        return reading.address
    tensor = Settling.of(reading, shape)
    settle_layer([tensor])
    return tensor.address(reading.address.stack)


def parse_names(shapes: Mapping[str, Shape]) -> dict[str, Address | None]:
    """Address of every parameter of one model, in the order given.

    Parameters
    ----------
    shapes : full parameter name -> the tensor's shape, or None where unknown

    Returns
    -------
    name -> address; None where the name belongs to no block, such as embeddings and heads
    """
    readings = {name: read(name) for name in shapes}
    lists = {reading.path for reading in readings.values() if reading is not None}
    readings |= {name: read(name, lists) for name, reading in readings.items() if reading is None}
    tensors = {name: Settling.of(reading, shapes[name]) for name, reading in readings.items() if reading is not None}
    layers: dict[tuple[Stack, int | None], list[Settling]] = defaultdict(list)
    for tensor in tensors.values():
        layers[stack_of(tensor.reading), tensor.reading.address.layer].append(tensor)
    without = without_blocks(tensor.reading for tensor in tensors.values())
    layers = {key: members for key, members in layers.items() if key[0] not in without}
    for members in layers.values():
        settle_layer(members)
    labels = stack_labels(stack for stack, _ in layers)
    addresses: dict[str, Address | None] = dict.fromkeys(shapes)
    for name, tensor in tensors.items():
        if (stack := stack_of(tensor.reading)) in labels:
            addresses[name] = tensor.address(labels[stack])
    return addresses

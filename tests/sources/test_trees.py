from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from layergrid.scans.scanning import scan
from layergrid.sources import SourceError, open_source

from .files import whole

VALUES = np.arange(6.0, dtype=np.float32).reshape(2, 3)


class Pair(NamedTuple):
    q: Any
    k: Any


@dataclass
class Block:
    """As Equinox has them: arrays, further modules, and what is neither."""

    q: Any
    mlp: Any = None
    activation: Any = abs
    name: str = "block"
    size: int = 3


def names(tree):
    return list(open_source(tree).tensors)


def test_lists_and_tuples_are_counted_and_fields_named():
    tree = {"layers": [{"attn": Pair(VALUES, VALUES + 1)}, {"attn": Pair(VALUES, VALUES)}], "out": (VALUES, None)}
    assert names(tree) == ["layers/0/attn/q", "layers/0/attn/k", "layers/1/attn/q", "layers/1/attn/k", "out/0"]
    assert np.array_equal(whole(open_source(tree).tensors["layers/0/attn/k"]), VALUES + 1)


def test_the_arrays_of_dataclasses_are_taken_and_their_settings_are_not():
    assert names([Block(VALUES, Block(VALUES, {"up": [VALUES]})), Block(VALUES)]) == [
        "0/q",
        "0/mlp/q",
        "0/mlp/mlp/up/0",
        "1/q",
    ]


def test_numbers_in_nested_lists_are_one_array():
    assert open_source({"a": [[1, 2], [3, 4.5]], "b": 2}).tensors["a"].shape == (2, 2)


def test_a_tree_is_scanned_by_its_paths():
    found = scan({"layers": [Block(VALUES), Block(2 * VALUES)]}, "max", progress=False)
    assert found["max"].values.ravel().tolist() == [5, 10]


def test_what_has_a_shape_but_no_values_is_refused():
    class Abstract:
        shape, dtype = (2, 3), "float32"

    with pytest.raises(SourceError, match="'a/0' has a shape but no values; load the weights first"):
        names({"a": [Abstract()]})


def test_an_array_that_gives_no_values_is_named():
    class Deleted:
        def __array__(self, *_, **__):
            raise RuntimeError("it has been deleted")

    with pytest.raises(TypeError, match=r"'a', a Deleted, gives no values \(it has been deleted\)"):
        names({"a": Deleted()})


def test_gradients_of_a_tree_are_asked_for_as_such():
    with pytest.raises(ValueError, match="of JAX, pass the tree of gradients itself"):
        open_source({"a": VALUES}, what="grad")


def test_endless_nesting_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(SourceError, match="does the tree contain itself"):
        names(endless)
    with pytest.raises(SourceError, match="does the tree contain itself"):
        names({"a": [endless]})

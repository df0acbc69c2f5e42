from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

from layergrid.sources import SourceError, open_source
from layergrid.tensor import widen

from .files import whole


class FakeTensor:
    """Acts as a torch tensor as far as layergrid looks."""

    def __init__(self, array, dtype="float32", meta=False, grad=None):
        self.array, self.dtype, self.is_meta, self.grad = array, f"torch.{dtype}", meta, grad
        self.shape = array.shape

    def numel(self):
        return self.array.size

    def is_contiguous(self):
        return self.array.flags.c_contiguous

    def detach(self):
        return self

    def reshape(self, _):
        assert self.is_contiguous() or len(self.array) < 1000, "copies too much"
        return FakeTensor(self.array.reshape(-1), self.dtype[6:])

    def __getitem__(self, piece):
        return FakeTensor(self.array[piece], self.dtype[6:])

    def view(self, dtype):
        return FakeTensor(self.array.view(dtype))

    def cpu(self):
        return self

    def numpy(self):
        assert self.dtype != "torch.bfloat16", "numpy has no bfloat16"
        return self.array


def module(**parameters):
    return SimpleNamespace(named_parameters=lambda: parameters.items())


VALUES = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def test_a_module_is_read_by_its_parameters():
    source = open_source(module(a=FakeTensor(VALUES)))
    assert source.format == "module"
    assert np.array_equal(whole(source.tensors["a"]), VALUES)


def test_bfloat16_of_a_module_is_exact(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", SimpleNamespace(int16=np.int16))
    values = VALUES.astype(ml_dtypes.bfloat16)
    tensor = open_source(module(a=FakeTensor(values, "bfloat16"))).tensors["a"]
    assert np.array_equal(widen(whole(tensor), tensor.dtype), VALUES)


def test_gradients_are_read_where_present():
    source = open_source(module(a=FakeTensor(VALUES, grad=FakeTensor(-VALUES)), b=FakeTensor(VALUES)), what="grad")
    assert list(source.tensors) == ["a"]
    assert np.array_equal(whole(source.tensors["a"]), -VALUES)


def test_a_module_without_gradients_says_what_to_do():
    with pytest.raises(SourceError, match=r"call backward\(\) first"):
        open_source(module(a=FakeTensor(VALUES)), what="grad")
    with pytest.raises(ValueError, match="needs a torch module with gradients, got dict"):
        open_source({"a": VALUES}, what="grad")


def test_a_transposed_tensor_is_copied_by_rows():
    values = np.arange(3000.0, dtype=np.float32).reshape(2, 1500).T
    tensor = open_source({"a": FakeTensor(values)}).tensors["a"]
    assert [tensor.read(i, i + 99).tolist() for i in (0, 1, 2500)] == [
        values.ravel()[i : i + 99].tolist() for i in (0, 1, 2500)
    ]


def test_meta_parameters_are_refused_or_skipped():
    model = module(a=FakeTensor(VALUES), b=FakeTensor(VALUES, meta=True))
    with pytest.raises(SourceError, match="'b' is on the meta device"):
        open_source(model)
    source = open_source(model, on_error="skip")
    assert (list(source.tensors), source.missing) == (["a"], ("b",))


def test_an_unknown_torch_dtype_is_refused_by_name():
    with pytest.raises(SourceError, match=r"dtype torch\.complex64"):
        open_source(module(a=FakeTensor(VALUES, "complex64")))


def test_a_state_dict_and_a_nested_tree_are_read():
    source = open_source({"a": FakeTensor(VALUES), "layers_0": {"kernel": VALUES + 1, "none": None}, "s": 2.5})
    assert list(source.tensors) == ["a", "layers_0/kernel", "s"]
    assert np.array_equal(whole(source.tensors["layers_0/kernel"]), VALUES + 1)


def test_what_is_no_tree_of_arrays_is_refused():
    with pytest.raises(TypeError, match="'a' is a str; expected an array or a container of arrays"):
        open_source({"a": "text"})
    with pytest.raises(SourceError, match="two arrays are called 'a/b'"):
        open_source({"a": {"b": VALUES}, "a/b": VALUES})
    endless: dict = {}
    endless["a"] = endless
    with pytest.raises(SourceError, match="does the tree contain itself"):
        open_source(endless)
    with pytest.raises(TypeError, match="cannot read tensors from a int"):
        open_source(3)


def test_an_unknown_file_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("hello, no checkpoint")
    with pytest.raises(SourceError, match="is no checkpoint that can be read"):
        open_source(tmp_path / "a.txt")

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from layergrid.data.convert import as_dataarray, as_matrix

VALUES = np.arange(6.0).reshape(2, 3)  # 2 x 3, so that a swapped axis shows


def test_an_array_gets_numbers_as_labels():
    matrix = as_matrix(VALUES)
    assert matrix.layers == (0, 1)
    assert matrix.components == ("0", "1", "2")
    assert matrix.absent is None
    assert matrix.parameters is None
    np.testing.assert_array_equal(matrix.values, VALUES)


def test_given_labels_are_kept():
    matrix = as_matrix(VALUES, layers=np.array([3, 7]), components=["q", "k", 5])
    assert matrix.layers == (3, 7)
    assert type(matrix.layers[0]) is int
    assert matrix.components == ("q", "k", "5")


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "f2", "f4", ">f4", ">f8", "i4", "u8", "i8", "g"])
def test_any_real_dtype_that_float32_holds_becomes_float32(dtype):
    values = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
    matrix = as_matrix(values)
    assert matrix.values.dtype == np.dtype("<f4")
    assert matrix.values.flags.c_contiguous
    np.testing.assert_array_equal(matrix.values, values.astype(np.float32))


def test_values_beyond_float32_stay_float64():
    assert as_matrix(np.array([[1.0, 0.1]])).values.dtype == np.dtype("<f8")
    assert as_matrix(np.array([[1.0, 1e300]])).values[0, 1] == 1e300
    assert as_matrix(np.array([[2**53 + 2, 1]])).values.tolist() == [[2.0**53 + 2, 1.0]]


def test_nan_infinities_and_the_sign_of_zero_are_kept():
    matrix = as_matrix(np.array([[np.nan, np.inf], [-np.inf, -0.0]]))
    assert matrix.values.dtype == np.float32
    assert matrix.absent is None
    np.testing.assert_array_equal(matrix.values, [[np.nan, np.inf], [-np.inf, 0.0]])
    assert np.signbit(matrix.values[1, 1])


def test_the_bits_of_float32_are_kept():
    bits = np.array([[0x7FC00001, 0x80000000], [0x00000001, 0xFF800000]], np.uint32)
    np.testing.assert_array_equal(as_matrix(bits.view(np.float32)).values.view(np.uint32), bits)


def test_masked_cells_are_absent_and_their_numbers_do_not_count():
    masked = np.ma.MaskedArray([[1, 2**60 + 1], [3, 4]], mask=[[False, True], [False, False]])
    matrix = as_matrix(masked)
    assert matrix.values.dtype == np.float32
    np.testing.assert_array_equal(matrix.absent, [[False, True], [False, False]])
    np.testing.assert_array_equal(matrix.values, [[1, np.nan], [3, 4]])


def test_none_in_a_list_is_absent_and_nan_is_not():
    matrix = as_matrix([[1, None], [float("nan"), 4]])
    np.testing.assert_array_equal(matrix.absent, [[False, True], [False, False]])


def test_the_array_is_neither_kept_nor_changed():
    values = np.array([[1.0, 2.0]], np.float32)
    matrix = as_matrix(values)
    assert not np.shares_memory(matrix.values, values)
    assert not matrix.values.flags.writeable
    values[0, 0] = 9
    assert matrix.values[0, 0] == 1
    gone = weakref.ref(values)
    del values
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros(3), ValueError, r"got \(3,\); x\[:, None\] has one component"),
        (np.zeros((2, 3, 4)), ValueError, r"got \(2, 3, 4\); choose"),
        (np.float64(3), ValueError, r"got \(\); \[\[x\]\] has one layer"),
        (np.zeros((0, 3)), ValueError, r"one of each or more, got \(0, 3\)"),
        (np.zeros((3, 0)), ValueError, r"got \(3, 0\)"),
        (np.zeros((2, 2), complex), TypeError, "complex numbers .*np.abs"),
        (np.array([["a", "b"]]), TypeError, "strings .*astype"),
        (np.array([[object(), 1]]), TypeError, "array of objects, such as <object"),
        (np.array([["2026-01-01"]], "M8[D]"), TypeError, "dates or durations"),
        (np.zeros((2, 2), [("a", "f4"), ("b", "f4")]), TypeError, "fields a, b"),
        ([], ValueError, "empty list"),
        ([1, 2, 3], ValueError, r"got \(3,\); write \[x\]"),
        ([[1, 2], [3]], ValueError, "row 0 has 2, row 1 has 1"),
        ([["a", "b"]], TypeError, "got 'a' of type str at place 0 of row 0"),
        ([[1, [2]]], TypeError, r"got \[2\] of type list at place 1 of row 0"),
        ([[1, 2j]], TypeError, "got 2j of type complex"),
        (["ab", "cd"], TypeError, "row 0 must be a list of numbers, got 'ab'"),
        ([[1, 10**400]], ValueError, "row 0 holds an integer beyond float64"),
        ("abc", TypeError, "cannot read values from builtins.str; pass a 2-D array"),
        (None, TypeError, "cannot read values from builtins.NoneType"),
        ({1, 2}, TypeError, "builtins.set"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_fix(values, error, message):
    with pytest.raises(error, match=message):
        as_matrix(values)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ({"layers": [0, 0]}, ValueError, "layers must differ .* twice or more: 0"),
        ({"layers": [0]}, ValueError, "layers must be 2 labels, one for each, got 1: 0"),
        ({"layers": [0, 1.5]}, TypeError, "an int or a string, got 1.5 of type float"),
        ({"layers": [True, False]}, TypeError, "got True of type bool"),
        ({"layers": 2}, TypeError, "layers must be a sequence of labels, got 2"),
        ({"components": "qkv"}, TypeError, r"got the single string 'qkv'; write \['qkv'\]"),
        ({"components": ["q", "k", "q"]}, ValueError, "components must differ .*: 'q'"),
        ({"components": [1, "1", 2]}, ValueError, "'1'"),
        ({"components": ["q", None, "v"]}, TypeError, "got None of type NoneType"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        as_matrix(VALUES, **labels)


def test_the_data_array_has_the_labels_as_coordinates():
    array = as_dataarray(VALUES, layers=["a", 3], components=["q", "k", "v"])
    assert array.dims == ("layer", "component")
    assert array.sel(layer=3, component="k").item() == 4.0
    assert "parameter" not in array.coords


def test_a_data_array_is_read_in_either_order_of_its_dims():
    array = xarray.DataArray(
        VALUES.T,
        dims=("component", "layer"),
        coords={"component": ["q", "k", "v"]},
        attrs={"units": "bit"},
        name="rms",
    )
    matrix = as_matrix(array)
    np.testing.assert_array_equal(matrix.values, VALUES)
    assert matrix.components == ("q", "k", "v")
    assert (matrix.name, matrix.units, matrix.source) == ("rms", "bit", "")


@pytest.mark.parametrize("x", ["np.eye(2)", "[[1, 2], [3, 4]]", "{'q': [1, 2]}"])
def test_plain_input_is_drawn_without_importing_what_would_delay_it(x):
    slow = {"pandas", "xarray", "narwhals", "polars", "scipy", "matplotlib", "numpy.ma"}
    code = (
        f"import sys, numpy as np; from layergrid import LayerGrid; LayerGrid({x})._repr_mimebundle_(); "
        f"print(sorted({slow} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


DTYPES = st.sampled_from(["?", "i1", "u2", "i4", "i8", "u8", "f2", "f4", "f8", ">f4", ">f8", ">i2", "g"])


@given(st.data(), DTYPES)
def test_any_real_array_keeps_its_values(data, dtype):
    shape = data.draw(npst.array_shapes(min_dims=2, max_dims=2, max_side=6))
    values = data.draw(npst.arrays(dtype, shape))
    for axis in (0, 1):
        values = np.flip(values, axis) if data.draw(st.booleans()) else values
    values = (values.T if data.draw(st.booleans()) else values)[:: data.draw(st.sampled_from([1, 2]))]
    with np.errstate(all="ignore"):
        expected = values.astype(np.float64)
    if (np.isinf(expected) & ~np.isinf(values)).any():
        with pytest.raises(ValueError, match="beyond float64"):
            as_matrix(values)
        return
    matrix = as_matrix(values)
    np.testing.assert_array_equal(matrix.values.astype(np.float64), expected)
    if np.dtype(dtype).newbyteorder("=") == np.float32:
        bits = np.ascontiguousarray(values).astype("f4")
        np.testing.assert_array_equal(matrix.values.view(np.uint32), bits.view(np.uint32))
    assert not np.shares_memory(matrix.values, values)


@given(st.lists(st.text(), min_size=1, max_size=4, unique=True))
def test_any_text_may_be_a_label(labels):
    matrix = as_matrix(np.zeros((len(labels), len(labels))), layers=labels, components=labels)
    assert matrix.layers == matrix.components == tuple(labels)


class Tensor:
    """What matters of a torch tensor: no array while it needs a gradient, nor of bfloat16."""

    def __init__(self, values, *, gradient=False, bfloat16=False):
        self.values, self.gradient, self.is_bfloat16 = values, gradient, bfloat16

    def detach(self):
        return Tensor(self.values, bfloat16=self.is_bfloat16)

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.values, gradient=self.gradient)

    def __array__(self, dtype=None, copy=None):
        if self.gradient:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.is_bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


@pytest.mark.parametrize("kind", [{}, {"gradient": True}, {"bfloat16": True}, {"gradient": True, "bfloat16": True}])
def test_a_tensor_is_detached_and_widened(kind):
    np.testing.assert_array_equal(as_matrix(Tensor(VALUES, **kind)).values, VALUES)

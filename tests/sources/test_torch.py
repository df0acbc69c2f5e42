"""What torch itself makes of modules, gradients and dtypes; see test_memory.py for the same without torch."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from layergrid.scans.scanning import scan
from layergrid.sources import SourceError, open_source
from layergrid.tensor import widen

from .files import whole

torch = pytest.importorskip("torch", exc_type=ImportError)


class Model(torch.nn.Module):
    """Two blocks in bfloat16 between an embedding, whose gradient is sparse, and the head tied to it."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(10, 8, sparse=True)
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict({"q_proj": torch.nn.Linear(8, 8, bias=False, dtype=torch.bfloat16)}) for _ in range(2)
        )
        self.head = torch.nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        x = self.embed(tokens).bfloat16()
        for layer in self.layers:
            x = layer["q_proj"](x)
        return x


def test_a_tied_weight_is_listed_once():
    assert list(open_source(Model()).tensors) == ["embed.weight", "layers.0.q_proj.weight", "layers.1.q_proj.weight"]


def test_gradients_are_those_of_torch():
    model = Model()
    model(torch.tensor([1, 2])).float().square().sum().backward()
    found = scan(model, what="grad", progress=False)
    expected = [layer["q_proj"].weight.grad.double().square().mean().sqrt().item() for layer in model.layers]
    assert found.rms.values.ravel() == pytest.approx(expected, rel=1e-6)
    source = open_source(model, what="grad")
    assert np.array_equal(whole(source.tensors["embed.weight"]), model.embed.weight.grad.to_dense().numpy())


def test_a_module_without_gradients_and_one_without_values_are_refused():
    with pytest.raises(SourceError, match=r"no parameter of this Model has a gradient; call backward\(\) first"):
        scan(Model(), what="grad")
    with torch.device("meta"):
        model = Model()
    with pytest.raises(SourceError, match="is on the meta device and has no values"):
        scan(model)
    with pytest.raises(TypeError, match="cannot read tensors from a type"):
        scan(Model)


@pytest.mark.parametrize(
    "dtype",
    [
        *("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32", "int16"),
        *("int8", "uint8", "uint16", "uint32", "uint64", "bool"),
    ],
)
def test_every_supported_dtype_is_read_exactly(dtype):
    values = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 0.0]]).to(getattr(torch, dtype))
    (tensor,) = open_source({"a": values}).tensors.values()
    assert np.array_equal(widen(whole(tensor), tensor.dtype), values.double().numpy())


def test_a_transposed_tensor_is_read_as_fast_as_a_straight_one():
    values = torch.randn(2048, 2048).T
    seconds = []
    for given in (values.contiguous(), values):
        (tensor,) = open_source({"a": given}).tensors.values()
        start = time.perf_counter()
        blocks = [tensor.read(begin, begin + 4096) for begin in range(0, tensor.size, 4096)]
        seconds.append(time.perf_counter() - start)
        assert np.array_equal(np.concatenate(blocks), given.reshape(-1).numpy())
    assert seconds[1] < 50 * seconds[0]  # 3 x; copying it all for each block takes 1000 x


def test_a_module_can_be_measured_in_another_process():
    model = Model()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert scan(model, executor=executor, progress=False).identical(scan(model, progress=False))

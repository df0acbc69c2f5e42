"""The same scan on threads, on processes and on a Dask cluster, with workers that die in the middle."""

import os
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from layergrid.scans.comparing import compare
from layergrid.scans.scanning import scan
from layergrid.sources import SourceError, open_source

from .sources.files import write_safetensors, write_sharded
from .sources.server import serving

RNG = np.random.default_rng(0)
METRICS = ["rms", "quantiles(0.5)", "stable_rank", "rms per row"]


def block(layer):
    return {
        f"model.layers.{layer}.self_attn.q_proj.weight": RNG.standard_normal((8, 6)).astype(ml_dtypes.bfloat16),
        f"model.layers.{layer}.mlp.experts.{layer}.up_proj.weight": RNG.standard_normal((5, 6)).astype(np.float32),
    }


SHARDS = [block(layer) for layer in range(6)]


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    """A task for each tensor, so that a lost worker leaves work for the others."""
    monkeypatch.setattr("layergrid.scans.tasks._TASK_JOBS", 1)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request):
    if request.param == "threads":
        made = ThreadPoolExecutor(3)
    elif request.param == "processes":
        made = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    else:
        made = request.getfixturevalue("cluster").get_executor()
    with made as executor:
        yield executor


@pytest.fixture
def folder(tmp_path):
    return write_sharded(tmp_path / "m", SHARDS)


def test_every_executor_gives_the_same(folder, executor):
    assert scan(folder, METRICS, executor=executor, progress=False).identical(scan(folder, METRICS, progress=False))


def test_every_executor_compares_the_same(folder, executor, tmp_path):
    other = {name: (values * 1.5).astype(values.dtype) for shard in SHARDS for name, values in shard.items()}
    path = write_safetensors(tmp_path / "o.safetensors", other)
    found = compare(folder, path, executor=executor, progress=False)
    assert found.identical(compare(folder, path, progress=False))


def test_every_executor_reads_what_is_behind_a_url(folder, executor):
    pytest.importorskip("aiohttp")
    with serving(folder) as server:
        found = scan(server.url, METRICS, executor=executor, progress=False)
        assert found.identical(scan(server.url, METRICS, progress=False))


def test_every_executor_notices_a_file_that_has_changed(folder, executor):
    source = open_source(folder)
    os.utime(folder / "model-00006-of-00006.safetensors", ns=(1, 1))
    found = scan(source, executor=executor, progress=False, on_error="skip")
    assert np.isfinite(found.rms.values).sum() == 10
    assert found.attrs["skipped"].count("changed while being read") == 2
    with pytest.raises(SourceError, match="changed while being read"):
        scan(source, executor=executor, progress=False)


class Fatal:
    """A metric that kills its process, `times` times in all."""

    def __init__(self, folder, times):
        self.folder, self.times = folder, times

    def __call__(self, array):
        try:
            for number in range(self.times):
                if not (self.folder / str(number)).exists():
                    (self.folder / str(number)).touch(exist_ok=False)
                    os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            return self(array)  # another was faster
        return float(array.astype(np.float64).sum())


def deaths(folder: Path) -> int:
    return len(list(folder.iterdir()))


@pytest.fixture
def grave(tmp_path):
    folder = tmp_path / "deaths"
    folder.mkdir()
    return folder


def sums(folder):
    return scan(folder, Fatal(folder, 0), progress=False)


def test_a_killed_process_costs_a_retry_and_not_the_scan(folder, grave):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        found = scan(folder, Fatal(grave, 1), executor=executor, progress=False)
        assert deaths(grave) == 1
        # A pool that is broken from the beginning is replaced too.
        again = scan(folder, Fatal(grave, 1), executor=executor, progress=False)
    assert found.identical(sums(folder))
    assert again.identical(found)


def test_processes_that_keep_dying_end_the_scan_in_words(folder, grave):
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor,
        pytest.raises(BrokenExecutor, match=r"died twice, and \d+ tensors are left, 'model\.layers"),
    ):
        scan(folder, Fatal(grave, 99), executor=executor, progress=False)
    assert 2 <= deaths(grave) < 99


def test_a_killed_worker_of_a_cluster_costs_a_retry_and_not_the_scan(folder, grave, cluster):
    with cluster.get_executor() as executor:
        found = scan(folder, Fatal(grave, 1), executor=executor, progress=False)
    assert deaths(grave) == 1
    assert found.identical(sums(folder))

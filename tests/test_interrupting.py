"""A scan that is stopped by Ctrl-C, and one that goes on from there."""

import signal
import threading
import time

import numpy as np
import pytest

from layergrid.kept import KeptResults
from layergrid.scans.scanning import scan
from layergrid.sources.files import LocalFile

from .sources.files import write_safetensors

LAYERS = 12
WEIGHTS = {f"model.layers.{layer}.mlp.up_proj.weight": np.full((4, 4), 1.0, np.float32) for layer in range(LAYERS)}
DATA_BYTES = 64
HANG_S = 60


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts deaf to it
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr("layergrid.scans.tasks._TASK_JOBS", 1)
    monkeypatch.setattr("layergrid.scans.tasks._usable_cores", lambda: 2)
    return write_safetensors(tmp_path / "model.safetensors", WEIGHTS)


class Reads:
    """Sends Ctrl-C as the fifth tensor is read, once `ready` is set; that read and later ones hang until `go_on`."""

    def __init__(self, monkeypatch):
        self.times, self.ready, self.go_on = [], threading.Event(), threading.Event()
        read = LocalFile.read_into

        def reading(file, offset, target, *rest):
            if target.size == DATA_BYTES:
                self.times.append(time.monotonic())
                if len(self.times) == 5:
                    assert self.ready.wait(HANG_S)
                    self.times[4] = time.monotonic()
                    signal.raise_signal(signal.SIGINT)
                if len(self.times) >= 5:
                    self.go_on.wait(HANG_S)
            read(file, offset, target, *rest)

        monkeypatch.setattr(LocalFile, "read_into", reading)


def test_ctrl_c_ends_a_scan_though_its_reads_hang(path, monkeypatch):
    reads = Reads(monkeypatch)
    reads.ready.set()
    try:
        with pytest.raises(KeyboardInterrupt):
            scan(path, progress=False)
        assert time.monotonic() - reads.times[4] < HANG_S / 2
    finally:
        reads.go_on.set()
    assert len(reads.times) < LAYERS


def test_a_scan_goes_on_where_ctrl_c_ended_it(path, tmp_path, monkeypatch):
    reads, kept, add = Reads(monkeypatch), [], KeptResults.add

    def adding(*arguments):
        add(*arguments)
        kept.append(arguments)
        if len(kept) == 4:  # all that were read: the signal comes between two entries, never within one
            reads.ready.set()

    monkeypatch.setattr(KeptResults, "add", adding)
    with pytest.raises(KeyboardInterrupt):
        scan(path, cache=tmp_path / "kept", progress=False)
    reads.go_on.set()
    done, before = len(kept), len(reads.times)
    found = scan(path, cache=tmp_path / "kept", progress=False)
    assert found.rms.values.tolist() == [[1.0]] * LAYERS
    assert len(reads.times) - before == LAYERS - done
    scan(path, cache=tmp_path / "kept", progress=False)
    assert len(reads.times) - before == LAYERS - done

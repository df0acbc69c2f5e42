import gzip
from pathlib import Path

import numpy as np
import pytest

from layergrid import LayerGrid, bundle


def test_the_first_grid_brings_the_code_and_later_ones_a_loader_with_the_code_packed(monkeypatch):
    monkeypatch.delenv("ANYWIDGET_HMR", raising=False)
    modules = bundle.Modules()
    assert modules.next() == (bundle.code(), b"")
    for _ in range(2):
        loader, packed = modules.next()
        assert gzip.decompress(packed).decode() == bundle.code()
        assert len(packed) < 60_000
        assert len(str(loader)) < 2000


def test_code_and_loader_meet_under_the_same_name():
    modules = bundle.Modules()
    name = bundle.code().rsplit('Symbol.for("', 1)[1].split('"')[0]
    assert name.startswith("layergrid ")
    assert all(name in str(modules.next()[0]) for _ in range(2))


def test_in_development_the_module_is_a_file_that_may_be_rebuilt(monkeypatch):
    monkeypatch.setenv("ANYWIDGET_HMR", "1")
    path, packed = bundle.Modules().next()
    assert isinstance(path, Path)
    assert path.exists()
    assert packed == b""


def test_a_missing_bundle_is_told_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "_STATIC", tmp_path)
    with pytest.raises(ImportError, match=r"widget\.js is missing.*npm run build"):
        bundle.code()


def test_the_code_is_held_once_however_many_grids_there_are():
    LayerGrid(np.eye(2))
    one, other = LayerGrid(np.eye(2)), LayerGrid(np.eye(2))
    assert one._code is other._code
    assert one._esm is other._esm

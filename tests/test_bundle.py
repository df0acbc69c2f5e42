import gzip
from pathlib import Path

import numpy as np
import pytest

from layergrid import LayerGrid
from layergrid.page import bundle

OTHER_BYTES = 18_500  # of a first display of 28 x 7 besides the code: still picture, state, values, the host's messages


def unpacked(code: bytes) -> str:
    return gzip.decompress(code).decode()


@pytest.fixture
def modules(monkeypatch) -> bundle.Modules:
    monkeypatch.delenv("ANYWIDGET_HMR", raising=False)
    return bundle.Modules()


def test_the_first_grid_brings_the_picture_unpacked_and_the_surroundings_packed(modules):
    surroundings, picture = bundle.scripts()
    first = modules.next()
    assert first["_esm"] == picture
    assert first["_picture_code"] == b""
    assert unpacked(first["_surroundings_code"]) == surroundings


def test_later_grids_bring_a_loader_with_all_code_packed(modules):
    surroundings, picture = bundle.scripts()
    modules.next()
    for _ in range(2):
        later = modules.next()
        assert len(later["_esm"]) < 2000
        assert unpacked(later["_picture_code"]) == picture
        assert unpacked(later["_surroundings_code"]) == surroundings


def test_a_first_display_takes_100_kilobytes_and_four_bytes_a_cell(modules):
    first, later = modules.next(), modules.next()
    for traits in (first, later):
        assert sum(len(code) for code in traits.values()) <= 100_000 + 4.2 * 28 * 7 - OTHER_BYTES


def test_all_code_meets_under_the_same_name(modules):
    name = bundle.scripts()[1].rsplit('Symbol.for("', 1)[1].split('"')[0]
    assert name.startswith("layergrid ")
    modules.next()
    assert all(f'"{name}"' in code for code in (*bundle.scripts(), modules.next()["_esm"]))


def test_in_development_the_module_is_a_file_that_may_be_rebuilt(monkeypatch):
    monkeypatch.setenv("ANYWIDGET_HMR", "1")
    modules = bundle.Modules()
    for _ in range(2):
        traits = modules.next()
        assert isinstance(traits["_esm"], Path)
        assert traits["_esm"].exists()
        assert unpacked(traits["_surroundings_code"]) == bundle.scripts()[0]


def test_a_missing_bundle_is_told_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "_STATIC", tmp_path)
    with pytest.raises(ImportError, match=r"surroundings\.js is missing.*npm run build"):
        bundle.scripts()


def test_the_code_is_held_once_however_many_grids_there_are():
    LayerGrid(np.eye(2))
    one, other = LayerGrid(np.eye(2)), LayerGrid(np.eye(2))
    assert one._picture_code is other._picture_code
    assert one._surroundings_code is other._surroundings_code
    assert one._esm is other._esm

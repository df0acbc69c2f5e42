"""What is built for release: a wheel and an sdist that hold the bundle, and never a stale one."""

import gzip
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIMIT_BYTES = 60_000
STAMP = "layergrid/static/source-hash.txt"
BUNDLES = ("picture", "surroundings", "loader")


def load_hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "js" / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hash_by_node(folder: Path) -> str:
    script = (
        "const [module, folder] = process.argv.slice(1); const { sourceHash } = await import(module);"
        "process.stdout.write(sourceHash(folder))"
    )
    module = (ROOT / "js" / "source_hash.mjs").as_uri()
    command = ["node", "--input-type=module", "--eval", script, module, str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder with a wheel and an sdist of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder),
        "--sdist",
        "--wheel",
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_holds_the_bundle_of_these_sources(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        assert wheel.read(STAMP).decode().strip() == hash_by_node(ROOT / "js")
        bundle = [name for name in wheel.namelist() if name.startswith("layergrid/static/") and name != STAMP]
        assert set(bundle) == {f"layergrid/static/{name}.js" for name in BUNDLES}
        assert sum(len(gzip.compress(wheel.read(name), 9)) for name in bundle) <= LIMIT_BYTES


def test_the_sdist_holds_the_bundle_and_what_it_is_made_from(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        f"src/{STAMP}",
        *(f"src/layergrid/static/{name}.js" for name in BUNDLES),
        "js/src/index.ts",
        "js/package-lock.json",
    } <= names
    assert not any("node_modules" in name for name in names)


def test_python_and_node_agree_on_the_hash_of_the_sources(tmp_path):
    package = tmp_path / "src" / "layergrid"
    shutil.copytree(ROOT / "js", tmp_path / "js", ignore=shutil.ignore_patterns("node_modules", "build"))
    package.mkdir(parents=True)
    shutil.copy(ROOT / "src" / "layergrid" / "colormaps.json", package)
    before = load_hook().source_hash(tmp_path / "js")
    assert before == hash_by_node(tmp_path / "js")
    with (tmp_path / "js" / "src" / "index.ts").open("a") as source:
        source.write("// changed\n")
    assert load_hook().source_hash(tmp_path / "js") == hash_by_node(tmp_path / "js") != before


def test_a_grid_of_an_array_imports_neither_tables_nor_figures():
    script = (
        "import sys, numpy as np, layergrid; layergrid.LayerGrid(np.eye(3)); "
        "print(*sorted({'pandas', 'xarray', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []

import pickle
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from layergrid.metrics import measure
from layergrid.scans.scanning import scan
from layergrid.sources import SourceError, open_source, ranges
from layergrid.sources.remote import is_url

from .files import safetensors_bytes, whole, write_sharded
from .server import serving
from .test_gguf import DATA, F32, gguf_bytes

for package in ("fsspec", "aiohttp"):
    pytest.importorskip(package)

RNG = np.random.default_rng(0)
EMBED = "model.embed_tokens.weight"


def block(layer):
    return {f"model.layers.{layer}.mlp.up_proj.weight": RNG.standard_normal((64, 50)).astype(np.float32)}


SHARDS = [{EMBED: np.ones((64, 50), np.float32), **block(0), **block(1)}, {**block(2), **block(3)}]
TWO = "model-00002-of-00002.safetensors"


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Small pieces, and no pause before another attempt."""
    monkeypatch.setattr(ranges, "PIECE_BYTES", 5000)
    monkeypatch.setattr(ranges, "FIRST_PAUSE_S", 0)


@pytest.fixture
def server(tmp_path):
    folder = write_sharded(tmp_path / "m", SHARDS)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    with serving(folder) as server:
        yield server


def numbers(source, **options):
    found = scan(source, ["rms", "quantiles(0.5)"], progress=False, **options)
    return found.drop_attrs()


def test_a_checkpoint_behind_a_url_is_read_as_on_disk(server):
    found = scan(server.url, ["rms", "quantiles(0.5)"], progress=False)
    assert found.attrs["source"] == server.url
    assert found.drop_attrs().identical(numbers(server.folder))
    assert open_source(server.url).config == {"model_type": "llama"}


@pytest.mark.parametrize("lists", [False, True])
def test_the_files_of_a_folder_are_found_whether_the_server_lists_it_or_not(server, lists):
    server.lists = lists
    assert list(open_source(f"{server.url}/").tensors) == [name for shard in SHARDS for name in shard]


def test_the_header_comes_first_and_then_each_needed_byte_once(server):
    scan(server.url, progress=False)
    content = (server.folder / "model-00001-of-00002.safetensors").read_bytes()
    header_end = 8 + int.from_bytes(content[:8], "little")
    asked = server.asked_of("model-00001-of-00002.safetensors")
    assert asked[:2] == [(0, 8), (8, header_end)]
    embedding = next(iter(SHARDS[0].values())).nbytes
    wanted = sorted(asked[2:])
    assert wanted[0][0] == header_end + embedding  # which is measured by nobody
    assert [begin for begin, _ in wanted[1:]] == [end for _, end in wanted[:-1]]
    assert wanted[-1][1] == len(content)


def test_several_ranges_are_in_flight(server):
    name, values = list(SHARDS[0].items())[1]
    tensor = open_source(server.url).tensors[name]
    pieces = -(-tensor.nbytes // ranges.PIECE_BYTES)
    assert pieces > 1
    together = threading.Barrier(pieces)

    def fault(request, number):
        together.wait(60)  # none is answered before all have come
        return False

    server.fault = fault
    assert np.array_equal(whole(tensor), values)
    assert not together.broken


def test_the_tensors_of_a_task_are_asked_for_together(server, monkeypatch):
    monkeypatch.setattr(ranges, "PIECE_BYTES", 1 << 20)
    source = open_source(server.url)
    together = threading.Barrier(4)  # the four matrices

    def fault(request, number):
        together.wait(60)
        return False

    server.fault = fault
    scan(source, progress=False)
    assert not together.broken


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_failed_request_is_tried_again(server, status):
    server.fault = lambda request, number: number % 3 == 0 and request.send_status(status)
    assert numbers(server.url).identical(numbers(server.folder))


def test_a_connection_that_breaks_off_is_tried_again(server):
    server.fault = lambda request, number: number % 3 == 0 and request.send_half()
    assert numbers(server.url).identical(numbers(server.folder))


def test_an_answer_of_another_length_is_tried_again(server):
    server.fault = lambda request, number: number % 3 == 0 and (request.send(206, b"few") or True)
    assert numbers(server.url).identical(numbers(server.folder))


def test_a_server_that_hangs_is_asked_again(server, monkeypatch):
    monkeypatch.setattr(ranges, "TIMEOUT_S", 1.5)
    over = threading.Event()
    server.fault = lambda request, number: number == 8 and over.wait(30)
    assert numbers(server.url).identical(numbers(server.folder))
    over.set()


def test_a_server_that_stays_broken_is_given_up_on_in_words(server):
    source = open_source(server.url)
    server.fault = lambda request, number: request.send_status(503)
    asked = len(server.asked)
    with pytest.raises(SourceError, match=r"bytes \d+ to \d+ of .* could not be had in 5 attempts") as caught:
        whole(list(source.tensors.values())[-1])
    assert "HTTP status 503" in str(caught.value)
    assert len(server.asked) - asked <= 5 * 3  # pieces


def test_a_server_that_is_down_is_told(server):
    address = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(SourceError, match="could not be had in 5 attempts"):
        open_source(address)


def test_what_is_not_there_is_asked_for_once(server):
    with pytest.raises(SourceError, match=r"/none\.safetensors does not exist; check the address"):
        open_source(f"{server.url}/none.safetensors")
    assert server.paths.count("/none.safetensors") == 2  # HEAD, then GET for servers that know no HEAD
    with pytest.raises(SourceError, match="holds no checkpoint that can be read"):
        open_source(f"{server.url}/none")


def test_a_forbidden_file_is_not_asked_for_again(server):
    tensor = next(iter(open_source(server.url).tensors.values()))
    server.fault = lambda request, number: request.send_status(403)
    asked = len(server.asked)
    with pytest.raises(SourceError, match="may not be read; check the credentials"):
        whole(tensor)
    assert len(server.asked) - asked <= 3
    server.fault = lambda request, number: request.send_status(416)
    with pytest.raises(SourceError, match=r"refused by the server \(HTTP status 416\)"):
        whole(next(iter(open_source(f"{server.url}/{TWO}").tensors.values())))


def test_a_server_without_ranges_is_refused_before_it_sends_the_file(server):
    server.ranges = False
    with pytest.raises(SourceError, match="sends whole files only, no ranges; download it first"):
        open_source(f"{server.url}/{TWO}")


def test_secrets_of_a_url_reach_the_server_and_no_label(server):
    url = f"{server.url}/{TWO}?signature=secret".replace("http://", "http://me:password@")
    found = scan(url, progress=False)
    assert found.attrs["source"] == f"{server.url}/{TWO}"
    assert any(path == f"/{TWO}?signature=secret" for path in server.paths)
    server.fault = lambda request, number: request.send_status(503)
    with pytest.raises(SourceError) as caught:
        open_source(url)
    assert "secret" not in str(caught.value)
    assert "password" not in str(caught.value)


def test_a_folder_with_a_query_keeps_it(server):
    assert len(open_source(f"{server.url}/?token=1").tensors) == 5
    assert all(path.endswith("?token=1") for path in server.paths)


def test_every_format_is_read_behind_a_url(server):
    np.savez(server.folder / "m.npz", a=np.arange(6.0))
    (server.folder / "m.gguf").write_bytes(gguf_bytes((), [F32], DATA))
    (server.folder / "q.gguf").write_bytes(gguf_bytes((), [(b"q", (32,), 8, 0)], bytes(34)))
    assert whole(open_source(f"{server.url}/m.npz").tensors["a"]).tolist() == [0, 1, 2, 3, 4, 5]
    assert whole(open_source(f"{server.url}/m.gguf").tensors["blk.0.ffn_up.weight"]).tolist() == [[0, 1, 2], [3, 4, 5]]
    quantised = open_source(f"{server.url}/q.gguf").tensors["q"]
    assert quantised.read(0, 0).size == 0
    assert whole(quantised).tolist() == [0] * 32
    assert len(open_source(f"{server.url}/model.safetensors.index.json").tensors) == 5
    (server.folder / "other.json").write_text("[1, 2, 3]")
    with pytest.raises(SourceError, match="is no checkpoint that can be read"):
        open_source(f"{server.url}/other.json")


def test_a_pickle_is_refused_without_a_request(server):
    with pytest.raises(SourceError, match="is a pickle"):
        open_source(f"{server.url}/pytorch_model.bin")
    assert server.paths == []


def test_a_damaged_shard_can_be_skipped(server):
    (server.folder / TWO).write_bytes(b"\x10")
    with pytest.raises(SourceError, match="has 1 bytes, too few"):
        open_source(server.url)
    assert TWO in open_source(server.url, on_error="skip").skipped


def test_little_room_costs_requests_and_not_values(server, monkeypatch):
    monkeypatch.setattr(ranges, "KEPT_BYTES", 6000)
    assert numbers(server.url).identical(numbers(server.folder))


def test_processes_fetch_for_themselves(server):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert numbers(server.url, executor=executor).identical(numbers(server.folder))
    tensor = next(iter(open_source(server.url).tensors.values()))
    tensor.read(0, 1)
    assert whole(pickle.loads(pickle.dumps(tensor))).sum() == 64 * 50


def test_results_are_kept_while_the_server_vouches_for_the_file(server, tmp_path, monkeypatch):
    measured = []

    def counted(tensor, metrics):
        measured.append(tensor.name)
        return measure(tensor, metrics)

    monkeypatch.setattr("layergrid.scans.scanning.measure", counted)

    def count():
        measured.clear()
        scan(f"{server.url}/{TWO}", cache=tmp_path / "kept", progress=False)
        return len(measured)

    assert [count(), count()] == [2, 0]
    server.etag = '"2"'
    assert [count(), count()] == [2, 0]
    server.etag = ""
    assert [count(), count()] == [2, 2]


@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_other_filesystems_are_read_too(tmp_path, protocol):
    import fsspec

    root = f"file://{tmp_path}" if protocol == "file" else f"memory://{tmp_path.name}"
    content = safetensors_bytes(SHARDS[1])
    with fsspec.open(f"{root}/m/model.safetensors", "wb", auto_mkdir=True) as file:
        file.write(content)
    for url in (f"{root}/m", f"{root}/m/model.safetensors"):
        source = open_source(url)
        assert [np.array_equal(whole(source.tensors[name]), SHARDS[1][name]) for name in SHARDS[1]] == [True, True]
    with pytest.raises(SourceError, match="does not exist"):
        open_source(f"{root}/none")


def test_a_folder_called_like_a_file_is_refused(tmp_path):
    (tmp_path / "m.safetensors").mkdir()
    with pytest.raises(SourceError, match="is a folder, not a file"):
        open_source(f"file://{tmp_path}/m.safetensors")


def test_an_unknown_protocol_is_refused():
    with pytest.raises(SourceError, match="nonsense://a/b cannot be opened: Protocol not known"):
        open_source("nonsense://a/b")


def test_without_fsspec_a_url_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r"pip install 'layergrid\[remote\]'"):
        open_source("https://example.org/model.safetensors")


def test_a_url_is_no_path(tmp_path):
    assert is_url("s3://bucket/model")
    assert not is_url(r"C:\models")
    assert not is_url(tmp_path)

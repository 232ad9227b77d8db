"""Stores at URLs: the same store as in a folder, with locks that a dead process does not hold."""

import json
import threading

import numpy as np
import pytest
from helpers.numpy_source import spec_of

from lidjax import open_results, run_sweep
from lidjax.errors import InputError
from lidjax.runs import lock_backends as lock_backends
from lidjax.runs.location import LocalFolder, RemoteFolder, open_location
from lidjax.runs.lock import RunLock, Shard, is_held
from lidjax.status import CellStatus

fsspec = pytest.importorskip("fsspec", reason="stores at URLs need fsspec")

SPEC = spec_of(n=(10, 20, 30), seed=(0, 1), tile_seconds=1e-9)
MORE = spec_of(n=(10, 15, 20, 30), seed=(0, 1, 2), tile_seconds=1e-9)
COUNT = iter(range(1000))


@pytest.fixture(autouse=True)
def _fast_beats(monkeypatch):
    monkeypatch.setattr(lock_backends, "HEARTBEAT_SECONDS", 0.05)


@pytest.fixture
def url():
    return f"memory://bucket{next(COUNT)}/run"


def make_extend_and_damage(url, sources):
    """The life of a store: made in two goes, extended, damaged, mended; returns its results."""

    def progress(stage, waiting, *, done=0):
        for index, tile in enumerate(waiting):
            if index == 2:
                raise KeyboardInterrupt
            yield tile

    with pytest.raises(KeyboardInterrupt):
        run_sweep(SPEC, out=url, progress=progress)
    assert (open_results(url)["status"] == CellStatus.OK).sum() == 2
    run_sweep(SPEC, out=url)
    assert len(sources[-1].tiles) == 4
    run_sweep(MORE, out=url)
    assert len(sources[-1].tiles) == 6
    place = open_location(url)
    path = next(p for p in place.fs.find(f"{place.path}/results.zarr/failure/c"))
    content = bytearray(place.fs.cat_file(path))
    content[5] ^= 16
    place.fs.pipe_file(path, bytes(content))
    with pytest.raises(InputError, match="1 chunks are damaged"):
        open_results(url)
    data = run_sweep(MORE, out=url).load()
    assert len(sources[-1].tiles) == 1
    with pytest.raises(InputError, match=r"grid\.seed"):
        run_sweep(SPEC, out=url)
    assert not place.names(".lock")
    return data


def test_a_url_is_a_folder_is_memory(sources, url, tmp_path):
    there, here = make_extend_and_damage(url, sources), run_sweep(MORE, out=tmp_path / "out")
    for name in ("n", "seed", "lgen", "failure", "status"):
        np.testing.assert_array_equal(there[name], here[name])
    run_sweep(SPEC, out=url, resume=False)
    assert open_results(url).sizes["n"] == 3


def test_a_file_url_is_a_path(sources, tmp_path):
    assert isinstance(open_location(f"file://{tmp_path}/out"), LocalFolder)
    run_sweep(SPEC, out=f"file://{tmp_path}/out")
    assert (
        open_results(tmp_path / "out")["status"].size
        == open_results(f"file://{tmp_path}/out/results.zarr")["status"].size
    )


def test_the_store_inside_names_its_place(tmp_path):
    assert (
        open_location(tmp_path / "out" / "results.zarr").store_name
        == open_location(tmp_path / "out").store_name
    )
    assert open_location("memory://a/b/results.zarr").store_name == open_location("memory://a/b/").store_name


@pytest.mark.parametrize("bad", ["nosuch://x/y", "s3nope://bucket/run"])
def test_an_unknown_kind_of_url_is_refused_in_words(sources, bad):
    with pytest.raises(InputError, match=bad):
        run_sweep(SPEC, out=bad)


def test_nothing_at_a_url_says_what_makes_it(url):
    with pytest.raises(InputError, match="no results there"):
        open_results(url)


def test_a_living_lock_refuses_and_a_dead_one_does_not(sources, url):
    place = open_location(url)
    first = RunLock(place, None)
    first.acquire()
    for share in (None, Shard(0, 2)):
        with pytest.raises(InputError, match="another run is using"):
            run_sweep(SPEC, out=url, shard=share)
    stale = json.loads(place.read(".lock"))
    first.release()
    place.write(".lock", json.dumps(stale | {"host": "elsewhere"}).encode())  # of a machine that died
    assert (run_sweep(SPEC, out=url)["status"] == CellStatus.OK).all()
    place.write(
        ".lock", json.dumps(stale | {"pid": 2**22 + 1}).encode()
    )  # of a process of this machine that died
    run_sweep(SPEC, out=url)
    place.write(".lock", b"not JSON")
    run_sweep(SPEC, out=url)


def test_a_run_whose_lock_was_taken_stops(sources, url):
    place = open_location(url)

    def progress(stage, waiting, *, done=0):
        for index, tile in enumerate(waiting):
            if index == 2:
                place.write(".lock", b'{"token": "another"}')
                threading.Event().wait(0.3)
            yield tile

    with pytest.raises(InputError, match="did not renew its lock in time"):
        run_sweep(SPEC, out=url, progress=progress)
    assert (open_results(url)["status"] == CellStatus.OK).sum() == 2


def test_shares_at_a_url(sources, url):
    place = open_location(url)
    other = RunLock(place, Shard(1, 2))
    other.acquire()
    assert is_held(place, Shard(1, 2))
    assert not is_held(place, Shard(0, 2))
    run_sweep(SPEC, out=url, shard=Shard(0, 2))
    with pytest.raises(InputError, match="another run is using"):
        run_sweep(SPEC, out=url)
    with pytest.raises(InputError, match="while other shards are computing"):
        run_sweep(MORE, out=url, shard=Shard(0, 2))
    other.release()
    data = run_sweep(SPEC, out=url, shard=Shard(1, 2))
    assert (data["status"] == CellStatus.OK).all()


@pytest.fixture(scope="module")
def s3_url():
    """A bucket of moto's S3 server on the loopback interface."""
    reason = "s3:// is tested where `s3fs` and `moto[server]` are installed (half a minute to install)"
    pytest.importorskip("s3fs", reason=reason)
    server_module = pytest.importorskip("moto.server", reason=reason)
    import os

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    names = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names | {"AWS_DEFAULT_REGION": "us-east-1"})
    try:
        import s3fs

        s3fs.S3FileSystem().mkdir("bucket")
        yield "s3://bucket/some/run"
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def test_s3(s3_url, sources, tmp_path):
    there, here = make_extend_and_damage(s3_url, sources), run_sweep(MORE, out=tmp_path / "out")
    np.testing.assert_array_equal(there["failure"], here["failure"])
    assert isinstance(open_location(s3_url), RemoteFolder)
    with pytest.raises(InputError, match=r"cannot be (reached|written)"):
        run_sweep(SPEC, out="s3://no-such-bucket/run")

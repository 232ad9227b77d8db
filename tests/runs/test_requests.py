"""What a store costs where every read and write is a request: counted at the interface between Zarr and the store."""

import collections

import pytest
from helpers.numpy_source import spec_of
from zarr.storage import FsspecStore

from lidjax import run_sweep
from lidjax.runs import Shard


@pytest.fixture
def requests(monkeypatch):
    """Counts of the keys that are read and written, without the numbers of chunks."""
    counts = collections.Counter()
    for name in ("get", "set"):
        original = getattr(FsspecStore, name)

        async def counted(self, key, *arguments, _original=original, _name=name, **options):
            counts[_name, key.split("/c/")[0] if "/c/" in key else "metadata"] += 1
            return await _original(self, key, *arguments, **options)

        monkeypatch.setattr(FsspecStore, name, counted)
    return counts


def spec(tiles):
    return spec_of(n=(10,), seed=tuple(range(tiles)), tile_seconds=1e-9)


def test_a_tile_is_written_once_and_nothing_is_read_with_it(sources, tmp_path, requests):
    seen = []

    def progress(stage, steps, *, done=0):
        requests.clear()
        yield from steps
        seen.append(dict(requests))

    run_sweep(spec(20), out=f"memory://{tmp_path.name}/tiles", progress=progress)
    (counts,) = seen
    metadata = {key: count for key, count in counts.items() if key[1] == "metadata"}
    chunks = {key: count for key, count in counts.items() if key[1] != "metadata"}
    assert chunks == {("set", "lgen"): 20, ("set", "failure"): 20, ("set", "status"): 20}
    assert sum(metadata.values()) <= 6  # each of three arrays is opened once


def test_a_worker_reads_the_status_of_its_own_tiles_alone(sources, tmp_path, requests):
    out = f"memory://{tmp_path.name}/shards"
    run_sweep(spec(40), out=out)
    requests.clear()
    first = {}

    def progress(stage, steps, *, done=0):
        first.update(requests)
        return steps

    run_sweep(spec(40), out=out, shard=Shard(1, 8), progress=progress)
    # its five tiles are looked at for damage, and then for what is pending
    assert first["get", "status"] == 10
    assert first["get", "lgen"] == first["get", "failure"] == 5

"""Who else touches a store: other users, other runs, older versions, jumping clocks, stores from elsewhere."""

import os
import random
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.numpy_source import SPEC, contents, spec_of
from helpers.stores import open_store, store_path

from lidjax import open_results, run_sweep
from lidjax.errors import InputError
from lidjax.runs.location import open_location
from lidjax.runs.lock import RunLock, Shard
from lidjax.status import CellStatus


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user, whom only root can become")
@pytest.mark.parametrize("where", ["parent", "folder", "store", "array"])
def test_a_folder_of_somebody_else_is_refused_in_words(sources, tmp_path, where):
    out = tmp_path / "out"
    run_sweep(SPEC, out=out)
    for folder in (tmp_path, *tmp_path.parents[:3]):  # pytest's own, one more of them in parallel
        if folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    more = spec_of(n=(10, 20, 30, 40), seed=tuple(range(7)), tile_seconds=1e-9)
    targets = {"parent": tmp_path / "new" / "out", "folder": out, "store": out, "array": out}
    if where in ("store", "array"):
        out.chmod(0o777)
        (out / ".lock").chmod(0o666)
        (out / ".lock-setup").chmod(0o666)
    if where == "array":
        for path in [store_path(out), *(p for p in store_path(out).rglob("*") if p.name != "c")]:
            if "c" not in path.relative_to(store_path(out)).parts:
                path.chmod(0o777)
    before = contents(out)
    os.seteuid(65534)
    try:
        if where == "array":
            with pytest.raises(PermissionError):  # the command line puts it in words
                run_sweep(more, out=targets[where])
        else:
            with pytest.raises(InputError, match=r"cannot be (written|locked)"):
                run_sweep(more, out=targets[where])
    finally:
        os.seteuid(0)
    after = contents(out)
    assert {name: after[name] for name in before if "/c/" in name} == {
        name: content for name, content in before.items() if "/c/" in name
    }
    assert (run_sweep(more, out=out)["status"] == CellStatus.OK).all()


def test_the_second_of_two_runs_is_refused_while_the_first_lives(sources, tmp_path):
    seen = []

    def progress(stage, waiting, *, done=0):
        for tile in waiting:
            if not seen:
                for share in (None, Shard(0, 2)):
                    with pytest.raises(InputError, match="another run is using") as error:
                        run_sweep(SPEC, out=tmp_path / "out", shard=share)
                    seen.append(str(error.value))
            yield tile

    run_sweep(SPEC, out=tmp_path / "out", progress=progress)
    assert f"process {os.getpid()} on" in seen[0]
    run_sweep(SPEC, out=tmp_path / "out")  # and the lock is free again


def test_clocks_that_jump_change_nothing(sources, tmp_path, monkeypatch):
    whole = run_sweep(SPEC, out=tmp_path / "whole").load()
    out = tmp_path / "out"
    clock = random.Random(5)

    def progress(stage, waiting, *, done=0):
        for index, tile in enumerate(waiting):
            if index == 5:
                raise KeyboardInterrupt
            yield tile

    monkeypatch.setattr(time, "time", lambda: clock.uniform(-1e9, 4e9))
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SPEC, out=out, progress=progress)
    for path in out.rglob("*"):
        os.utime(path, (0, clock.uniform(0, 4e9)))
    data = run_sweep(SPEC, out=out)
    assert len(sources[-1].tiles) == 19
    np.testing.assert_array_equal(data["failure"], whole["failure"])


def test_a_store_of_an_older_version_is_read_and_not_continued(sources, tmp_path):
    out = tmp_path / "out"
    run_sweep(SPEC, out=out)
    store = open_store(store_path(out))
    old = {key: store.manifest[key] for key in ("tile", "spec", "kind", "versions", "device", "git_commit")}
    old["law"] = store.manifest["identity"]
    store.group.attrs.put({"format": "lidjax sweep 1", **old})
    before = contents(out)
    assert (open_results(out)["status"] == CellStatus.OK).all()
    with pytest.raises(InputError, match="older version"):
        run_sweep(SPEC, out=out)
    store.group.attrs["format"] = "lidjax sweep 9"
    with pytest.raises(InputError, match="made by another version"):
        open_results(out)
    store.group.attrs["format"] = "lidjax sweep 1"
    assert contents(out).keys() == before.keys()


def test_a_store_with_other_random_streams_is_not_continued(sources, tmp_path):
    out = tmp_path / "out"
    run_sweep(SPEC, out=out)
    attrs = open_store(store_path(out)).group.attrs
    attrs["identity"] = {key: x for key, x in attrs["identity"].items() if key != "random_streams"}
    with pytest.raises(InputError, match="random_streams: the store has nothing"):
        run_sweep(SPEC, out=out)


@pytest.mark.parametrize("what", ["chunks", "array", "store"])
def test_a_link_in_a_store_leads_nowhere(sources, tmp_path, what):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    run_sweep(SPEC, out=out)
    path = {
        "store": store_path(out),
        "array": store_path(out) / "lgen",
        "chunks": store_path(out) / "lgen" / "c",
    }[what]
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = sorted((p, p.read_bytes()) for p in elsewhere.rglob("*") if p.is_file())
    with pytest.raises(InputError, match="symbolic link"):
        run_sweep(SPEC, out=out, resume=False)
    with pytest.raises(InputError, match="symbolic link"):
        run_sweep(spec_of(n=(10, 20, 30, 40, 50), seed=tuple(range(6)), tile_seconds=1e-9), out=out)
    assert sorted((p, p.read_bytes()) for p in elsewhere.rglob("*") if p.is_file()) == before


def test_a_lock_that_is_a_link_is_not_followed(sources, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_text("thesis")
    (tmp_path / "out" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match="cannot be locked"):
        run_sweep(SPEC, out=tmp_path / "out")
    assert (tmp_path / "precious").read_text() == "thesis"


HOSTILE = [
    {"axes": {"../../x": [1]}},
    {"axes": {"n": ["10"]}},
    {"axes": None},
    {"order": {"n": [0, 0]}},
    {"order": {"n": [5]}},
    {"order": {"../x": [0]}},
    {"tile": {"n": -1}},
    {"dims": {"k": {"values": []}}},
    {"dims": {"../k": {"values": [1]}}},
    {"arrays": {"lgen": "../lgen"}},
    {"identity": []},
    {"format": "lidjax sweep 2"},
    {"format": "lidjax sweep 2", "k": {"values": []}, "law": {}},
    {"format": ["lidjax sweep 2"]},
    {"format": None},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=str)
def test_a_hostile_manifest_is_refused(sources, tmp_path, changes):
    out = tmp_path / "out"
    run_sweep(SPEC, out=out)
    store = open_store(store_path(out))
    store.group.attrs.update(changes)
    before = contents(out)
    for read in (lambda: open_results(out), lambda: run_sweep(SPEC, out=out)):
        with pytest.raises(InputError):
            read()
    assert contents(out) == before


def test_shares_make_one_store(sources, tmp_path):
    """Three shares one after the other, as tasks of a job array; an unshared run finds nothing left."""
    out, whole = tmp_path / "out", run_sweep(SPEC, out=tmp_path / "whole").load()
    for index in (2, 0, 1):
        data = run_sweep(SPEC, out=out, shard=Shard(index, 3))
        assert len(sources[-1].tiles) == 8
    np.testing.assert_array_equal(data["failure"], whole["failure"])
    run_sweep(SPEC, out=out)
    assert sources[-1].tiles == []


def test_shares_work_side_by_side_and_one_share_only_once(sources, tmp_path):
    out = tmp_path / "out"
    errors = []

    def run(share):
        try:
            run_sweep(SPEC, out=out, shard=share)
        except InputError as error:
            errors.append(error)

    def progress(stage, waiting, *, done=0):
        for index, tile in enumerate(waiting):
            if index == 2:
                threads = [threading.Thread(target=run, args=(Shard(i, 3),)) for i in (0, 1, 2)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            yield tile

    run_sweep(SPEC, out=out, progress=progress, shard=Shard(0, 3))
    assert len(errors) == 1
    assert (open_results(out)["status"] == CellStatus.OK).all()


def test_a_store_is_not_extended_under_shares_at_work(sources, tmp_path):
    out, more = tmp_path / "out", spec_of(n=(10, 20, 30, 40), seed=tuple(range(9)), tile_seconds=1e-9)
    run_sweep(SPEC, out=out)
    lock = RunLock(open_location(out), Shard(0, 2))
    lock.acquire()
    with pytest.raises(InputError, match="cannot extend the store while other shards are computing"):
        run_sweep(more, out=out, shard=Shard(1, 2))
    lock.release()
    run_sweep(more, out=out, shard=Shard(1, 2))

"""How far a run is, asked from outside while it goes on, in folders and at URLs."""

import json
import math
import os
import threading

import numpy as np
import pytest
from helpers.numpy_source import SPEC, contents, spec_of

from lidjax import InputError, run_status, run_sweep
from lidjax.cli import main
from lidjax.runs import Shard, lock_backends, open_location
from lidjax.runs.watch import PAUSE, chunk_rate
from lidjax.status import PENDING


@pytest.fixture(autouse=True)
def _quick_heartbeat(monkeypatch):
    monkeypatch.setattr(lock_backends, "HEARTBEAT_SECONDS", 0.1)


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_a_run_is_watched_from_outside(sources, tmp_path, where):
    out = str(tmp_path / "out") if where == "folder" else f"memory://{tmp_path.name}/run"
    seen = []

    def progress(stage, steps, *, done=0):
        for index, step in enumerate(steps):
            if index in (0, 7):
                seen.append(run_status(out))
            yield step

    run_sweep(SPEC, out=out, progress=progress)
    first, later = seen
    assert (first.tiles_done, first.tiles, first.cells_done, first.cells) == (0, 24, 0, 24)
    assert (later.tiles_done, later.cells_done, later.failed) == (7, 7, {})
    assert math.isnan(first.seconds_left)  # nothing was written yet
    for status in seen:
        (worker,) = status.running
        assert worker.shard == ""
        assert f"process {os.getpid()} " in worker.holder
    if (
        where == "folder"
    ):  # the file system in memory tells when an object was created, in whole seconds on some versions
        assert 0 < later.seconds_left < 3600
    after = run_status(out)
    assert (after.tiles_done, after.running, after.seconds_left) == (24, (), 0.0)


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_each_shard_at_work_is_named(sources, tmp_path, where):
    out = str(tmp_path / "out") if where == "folder" else f"memory://{tmp_path.name}/shards"
    ready, done, failures = threading.Barrier(3), threading.Event(), []

    def work(index):
        def progress(stage, steps, *, done=0):
            ready.wait(20)
            asked.wait(20)
            return steps

        try:
            run_sweep(SPEC, out=out, progress=progress, shard=Shard(index, 3))
        except BaseException as error:
            failures.append(error)
            ready.abort()

    asked = done
    threads = [threading.Thread(target=work, args=(index,)) for index in (0, 2)]
    for thread in threads:
        thread.start()
    ready.wait(20)
    try:
        status = run_status(out)
    finally:
        asked.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert [worker.shard for worker in status.running] == ["1/3", "3/3"]
    assert status.tiles_done == 0
    after = run_status(out)
    assert after.running == ()
    assert 0 < after.tiles_done < 24
    assert math.isnan(after.seconds_left)


def test_asking_changes_no_byte(sources, tmp_path):
    out = tmp_path / "out"
    run_sweep(SPEC, out=out, shard=Shard(0, 2))
    before, names = contents(out), sorted(path.name for path in out.iterdir())
    run_status(out)
    assert contents(out) == before
    assert sorted(path.name for path in out.iterdir()) == names


def test_a_lock_that_nobody_renews_is_no_process(sources, tmp_path):
    out = f"memory://{tmp_path.name}/dead"
    run_sweep(SPEC, out=out, shard=Shard(0, 2))
    open_location(out).write(
        ".lock-2-of-2", json.dumps({"token": "x", "beat": 3, "holder": "elsewhere"}).encode()
    )
    assert run_status(out).running == ()


def test_failed_cells_are_counted_by_reason(sources, tmp_path):
    out = tmp_path / "out"
    run_sweep(spec_of(), out=out)
    import zarr

    status = zarr.open_group(out / "results.zarr", mode="r+")["status"]
    values = np.asarray(status[...])
    values.ravel()[:3] = [1, 1, PENDING]
    status[...] = values
    found = run_status(out)
    assert found.failed == {"LGEN_NOT_FINITE": 2}
    assert (found.cells_done, found.cells) == (5, 6)


def test_the_rate_is_of_the_time_since_the_last_pause():
    steady = np.arange(20) * 2.0
    assert chunk_rate(steady) == pytest.approx(0.5)
    resumed = np.concatenate([np.arange(20) * 2.0, 40 + 2 * PAUSE * 3 + np.arange(10) * 4.0])
    assert chunk_rate(resumed) == pytest.approx(0.25)
    assert math.isnan(chunk_rate([]))
    assert math.isnan(chunk_rate([5.0]))
    assert math.isnan(chunk_rate([5.0, 5.0]))


def test_the_command_speaks_and_counts(sources, tmp_path, capsys):
    out = tmp_path / "out"
    run_sweep(SPEC, out=out, shard=Shard(0, 2))
    assert main(["status", str(out)]) == 0
    printed = " ".join(capsys.readouterr().out.split())  # however wide the terminal is
    assert "x: 12 of 24 tiles done (12 of 24 cells)" in printed
    assert f"no process is at work; `lidjax run SPEC.toml --out {out}` with the same spec goes on" in printed
    assert main(["status", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["command"], record["tiles_done"], record["running"], record["seconds_left"]) == (
        "status",
        12,
        [],
        None,
    )
    run_sweep(SPEC, out=out)
    assert main(["status", str(out)]) == 0
    assert f"finished: `lidjax show {out}`" in " ".join(capsys.readouterr().out.split())


def test_what_is_no_run_is_said(tmp_path, capsys):
    assert main(["status", str(tmp_path / "none")]) == 2
    assert "no results there" in capsys.readouterr().err
    (tmp_path / "results.zarr").mkdir()
    (tmp_path / "results.zarr" / "zarr.json").write_text(
        '{"zarr_format": 3, "node_type": "group", "attributes": {}}'
    )
    with pytest.raises(InputError, match="not a store of this program"):
        run_status(tmp_path)

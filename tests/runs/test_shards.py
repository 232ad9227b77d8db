"""Shares of a sweep over processes: how they are said, and real processes on the loopback interface."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lidjax import open_results, run_sweep
from lidjax.cli import main
from lidjax.cli import run as run_command_module
from lidjax.errors import InputError
from lidjax.runs.lock import Shard
from lidjax.runs.session import tiles_of
from lidjax.runs.shards import array_shard, parse_shard
from lidjax.status import CellStatus

ROOT = Path(__file__).resolve().parents[2]
ARRAY = {"SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "6", "SLURM_ARRAY_TASK_COUNT": "4"}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_every_tile_is_of_one_share_and_shares_are_even(count):
    owned = np.array([tiles_of(Shard(index, count), 30) for index in range(count)])
    assert (owned.sum(axis=0) == 1).all()
    assert np.ptp(owned.sum(axis=1)) <= 1


def test_shares_are_even_along_every_axis():
    """Tiles of a (10, 2) grid whose second column costs all: dealt out in order, one of two shares would have it."""
    owned = tiles_of(Shard(0, 2), 20).reshape(10, 2)
    assert 3 <= owned[:, 1].sum() <= 7


def test_a_share_is_read_from_the_command_line():
    assert parse_shard("2/8") == Shard(1, 8)
    for text in ("0/8", "9/8", "8", "a/b", "1/0", "-1/2", "1/2/3", ""):
        with pytest.raises(InputError, match="--shard"):
            parse_shard(text)


def test_a_share_is_read_from_a_job_array():
    assert array_shard({}) is None
    assert array_shard(ARRAY | {"SLURM_ARRAY_TASK_ID": "5"}) == Shard(2, 4)
    with pytest.raises(InputError, match="without gaps"):
        array_shard(ARRAY | {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "2"})
    with pytest.raises(InputError, match="job array"):
        array_shard(ARRAY | {"SLURM_ARRAY_TASK_ID": "x"})


SPEC = """
name = "x"
[model]
[grid]
n = [10, 20, 30, 40]
k = [1, 10, 100]
beta = 2.5
dim = 8
ridge = 1e-2
sigma_eta = 0.1
delta = 0.05
seed = { range = [0, SEEDS] }
[run]
tile_seconds = 1e-9
[fit]
window = [1, 100]
"""


def test_a_job_array_fills_one_store_and_its_last_task_sums_up(sources, tmp_path, monkeypatch, capsys):
    spec = tmp_path / "x.toml"
    spec.write_text(SPEC.replace("SEEDS", "6"))
    monkeypatch.setattr(run_command_module, "print_summary", lambda *_, **__: print("summary"))
    for name, value in ARRAY.items():
        monkeypatch.setenv(name, value)
    for task in (4, 3, 6, 5):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        assert main(["run", str(spec), "--distributed", "--no-plot", "--out", str(tmp_path / "out")]) == 0
        printed = capsys.readouterr()
        assert f"shard {task - 2}/4 done" in printed.err
        assert (printed.out == "summary\n") == (task == 5)
        assert len(sources[-1].tiles) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard", "1/2", "--distributed"], "exclude each other"),
        (["--shard", "1/2", "--no-resume"], "--no-resume"),
        (["--shard", "3/2"], "I is from 1 to 2"),
    ],
)
def test_what_makes_no_sense_together_is_refused(tmp_path, words, message, capsys):
    spec = tmp_path / "x.toml"
    spec.write_text(SPEC.replace("SEEDS", "6"))
    assert main(["run", str(spec), "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_processes(count, spec, out, extra=()):
    """`lidjax run --distributed` in `count` processes that meet on the loopback interface."""
    address = f"127.0.0.1:{free_port()}"
    common = os.environ | {
        "PYTHONPATH": str(ROOT),
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_COORDINATOR_BIND_ADDRESS": address,
        "JAX_NUM_PROCESSES": str(count),
    }
    code = "import sys; from lidjax.cli import main; sys.exit(main())"
    command = [
        sys.executable,
        "-c",
        code,
        "run",
        str(spec),
        "--distributed",
        "--no-plot",
        "--out",
        str(out),
        *extra,
    ]
    return [
        subprocess.Popen(
            command,
            env=common | {"JAX_PROCESS_ID": str(i)},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]


def chunks_done(out):
    return sum(
        p.is_file() and p.suffix != ".partial" for p in (out / "results.zarr" / "status" / "c").rglob("*")
    )


def finish(processes):
    ends = [process.communicate(timeout=280) for process in processes]
    return (
        [process.returncode for process in processes],
        [error for _, error in ends],
        [text for text, _ in ends],
    )


@pytest.mark.slow
@pytest.mark.parametrize(("count", "victim"), [(2, 1), (3, 0), (3, 2)])
def test_processes_share_a_sweep_and_one_may_die(tmp_path, count, victim):
    """One is killed in the middle: the others end with their own tiles done, and the same command does the rest."""
    spec, out = tmp_path / "x.toml", tmp_path / "out"
    spec.write_text(SPEC.replace("SEEDS", "100"))
    processes = start_processes(count, spec, out)
    until = time.monotonic() + 280
    lock = out / f".lock-{victim + 1}-of-{count}"
    while not (lock.exists() and chunks_done(out) >= 15 * count):
        assert time.monotonic() < until
        assert processes[victim].poll() is None
        time.sleep(0.01)
    processes[victim].send_signal(signal.SIGKILL)
    codes, errors, _ = finish(processes)
    part = open_results(out)["status"].values.ravel()
    missing = int((part == CellStatus.PENDING).sum())
    assert 0 < missing <= tiles_of(Shard(victim, count), 400).sum()
    assert codes[victim] == -signal.SIGKILL
    survivors = [code for index, code in enumerate(codes) if index != victim]
    assert survivors == ([1] if victim else [0]) + [0] * (len(survivors) - 1)
    if victim:
        assert f"{missing} cells are missing" in " ".join(errors[0].split())

    codes, errors, printed = finish(start_processes(count, spec, out))
    assert codes == [0] * count
    own = int(tiles_of(Shard(0, count), 400).sum())
    there = own - (0 if victim else missing)
    said = f"{there} of {own} cells of shard 1/{count} are in the store already"
    assert said in " ".join(errors[0].split())
    assert "β_eff, median (95 %)" in printed[0]
    assert not any(printed[1:])
    data, whole = open_results(out), run_sweep(spec)
    assert (data["status"] == CellStatus.OK).all()
    np.testing.assert_allclose(data["failure"], whole["failure"], rtol=1e-7)
    print(f"{count} processes, process {victim} killed: {missing} cells missing, exit codes {codes}")


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small file system needs root")
def test_a_real_disk_that_fills_up(tmp_path):
    """A tmpfs of 2 MiB: a message, a readable store, and the same bits once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        spec = tmp_path / "x.toml"
        spec.write_text(SPEC.replace("SEEDS", "100"))
        code = "import sys, lidjax.runs.session as s; s.check_resources = lambda *_: None\n"
        code += "from lidjax.cli import main; sys.exit(main())"
        words = [sys.executable, "-c", code, "run", str(spec), "--no-plot", "--out", str(disk / "out")]
        ended = subprocess.run(
            words, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert ended.returncode == 1
        assert "the disk is full" in ended.stderr
        assert "Traceback" not in ended.stderr
        done = int((open_results(disk / "out")["status"] != CellStatus.PENDING).sum())
        assert 10 < done < 400
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        data = run_sweep(spec, out=disk / "out").load()
        np.testing.assert_array_equal(data["failure"], run_sweep(spec, out=tmp_path / "whole")["failure"])
    finally:
        subprocess.run(["umount", str(disk)], check=False)


@pytest.mark.slow
def test_fifty_kills(tmp_path):
    spec = tmp_path / "x.toml"
    spec.write_text(SPEC.replace("SEEDS", "15"))
    script = ROOT / "tests" / "helpers" / "kill_runs.py"
    ended = subprocess.run(
        [sys.executable, script, spec, tmp_path, "50", "1"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(ended.stdout.splitlines()[-1])
    assert result["in_the_middle"] >= 25
    assert (result["differ"], result["resume_failed"]) == (0, 0)
    assert result["most_tiles_lost"] <= 1

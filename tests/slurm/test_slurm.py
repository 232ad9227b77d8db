"""Submission to a real SLURM of two nodes, which `start_slurm.sh` starts on this machine.

It wants to be root, Debian's slurm-wlm and munge, and submitit (`pip install "lidjax[slurm]"`); elsewhere they skip
and say what is missing.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lidjax import open_results, run_status

HERE = Path(__file__).parent
SPEC = """
name = "cluster"
[model]
failure = "quadrature"
[grid]
n = { logspace = [4, 4000, 12] }
k = { logspace = [1, 1000, 13] }
beta = [2.5, 5.0]
dim = 8
ridge = 1e-2
seed = { range = [0, 12] }
[fit]
window = [5, 500]
[run]
tile_seconds = 1e-9
"""
"""288 tiles of a cell: about ten seconds of work for one process, nearly all of it writing."""
LIDJAX = (sys.executable, "-c", "from lidjax.cli import main; raise SystemExit(main())")
PATIENCE = 200  # seconds until a job of this size must be done, beside other work


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Environment of programs that see the cluster."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'lidjax[slurm]'")
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run(
        ["bash", HERE / "start_slurm.sh", folder], capture_output=True, text=True, timeout=60
    )
    if started.returncode:
        subprocess.run(["bash", HERE / "stop_slurm.sh", folder], timeout=60)
        pytest.skip(f"SLURM cannot be started here: {started.stdout.strip() or started.stderr.strip()}")
    python_path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    yield os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PYTHONPATH": python_path}
    subprocess.run(["bash", HERE / "stop_slurm.sh", folder], timeout=60)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("spec") / "cluster.toml"
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def plain(slurm, spec):
    """Results of a run in one process."""
    out = spec.parent / "plain"
    lidjax(slurm, "run", spec, "--out", out, "--no-plot")
    return open_results(out).load()


def lidjax(environment, *words, code=0):
    """Standard output of a command."""
    done = subprocess.run(
        [*LIDJAX, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def submit(environment, spec, out, tasks, *more):
    words = ("run", spec, "--out", out, "--slurm", tasks, "--time", "10m", "--json", *more)
    return json.loads(lidjax(environment, *words))["job"]


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {PATIENCE} s for {what}")


def status_of(out):
    return run_status(out) if (out / "results.zarr" / "status" / "zarr.json").exists() else None


def queue(environment, job):
    """States of the tasks of a job."""
    words = ["squeue", "-h", "-r", "-j", job, "-o", "%T"]
    return subprocess.run(words, env=environment, capture_output=True, text=True).stdout.split()


def require_same(out, plain):
    found = open_results(out).load()
    assert found.attrs["tiles_done"] == found.attrs["tiles"]
    for name in plain.data_vars:
        assert found[name].values.tobytes() == plain[name].values.tobytes(), name


@pytest.mark.slow
def test_a_killed_task_is_requeued_and_the_results_are_the_same(slurm, spec, plain, tmp_path):
    out = tmp_path / "array"
    job = submit(slurm, spec, out, 3)

    def victim():
        status = status_of(out)
        return status and status.tiles_done > 4 and len(status.running) > 1 and status.running[0]

    worker = wait_for(victim, "two tasks at work")
    os.kill(int(re.search(r"process (\d+)", worker.holder)[1]), signal.SIGKILL)
    wait_for(lambda: not queue(slurm, job), "the end of the job")
    missing = run_status(out)
    assert missing.tiles_done < missing.tiles
    assert not missing.running
    task = int(worker.shard.split("/")[0]) - 1  # tasks of the array are numbered from 0
    subprocess.run(["scontrol", "requeue", f"{job}_{task}"], env=slurm, check=True)
    wait_for(lambda: status_of(out).tiles_done == missing.tiles, "the last tile")
    wait_for(lambda: not queue(slurm, job), "the end of the job")
    require_same(out, plain)


@pytest.mark.slow
def test_tasks_survive_preemption(slurm, spec, plain, tmp_path):
    out = tmp_path / "preempted"
    job = submit(slurm, spec, out, 2, "--partition", "low")
    wait_for(lambda: (found := status_of(out)) and found.tiles_done > 4, "some tiles")
    first = subprocess.Popen(
        ["srun", "-p", "high", "-N", "2", "--exclusive", "sleep", "3"], env=slurm, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: "PENDING" in queue(slurm, job), "preemption")
    assert run_status(out).tiles_done < run_status(out).tiles
    assert first.wait(PATIENCE) == 0
    wait_for(lambda: not queue(slurm, job), "the end of the job")
    require_same(out, plain)


@pytest.mark.slow
def test_the_login_node_finishes_what_is_missing(slurm, spec, plain, tmp_path):
    out = tmp_path / "cancelled"
    job = submit(slurm, spec, out, 2)
    wait_for(lambda: (found := status_of(out)) and found.tiles_done > 4, "some tiles")
    subprocess.run(["scancel", job], env=slurm, check=True)
    wait_for(lambda: not queue(slurm, job), "the end of the job")
    wait_for(lambda: not run_status(out).running, "the end of the processes")
    assert 4 < run_status(out).tiles_done < run_status(out).tiles
    lidjax(slurm, "run", spec, "--out", out)
    require_same(out, plain)
    assert (out / "figures").is_dir()


@pytest.mark.slow
def test_two_processes_of_srun_meet_and_divide_the_tiles(slurm, spec, plain, tmp_path):
    out = tmp_path / "together"
    words = [
        "srun",
        "-N",
        "2",
        "-n",
        "2",
        *LIDJAX,
        "run",
        spec,
        "--out",
        out,
    ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # the names of the two nodes are made up, so process 0 could not be found by the name of its node
    environment = slurm | {"JAX_COORDINATOR_ADDRESS": address}
    done = subprocess.run(
        [*map(str, words), "--distributed", "--no-plot"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "shard 1/2" in done.stderr
    assert "shard 2/2" in done.stderr
    require_same(out, plain)


@pytest.mark.slow
def test_a_job_that_sbatch_refuses_is_said_in_words(slurm, spec, tmp_path):
    words = [
        *LIDJAX,
        "run",
        spec,
        "--out",
        tmp_path / "x",
        "--slurm",
        "2",
    ]
    done = subprocess.run(
        [*map(str, words), "--partition", "nowhere"],
        env=slurm,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert "sbatch refused the job" in done.stderr
    assert "invalid partition" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_scripts_say_what_is_missing(tmp_path):
    """Without the programs the start script ends with code 3 and names one."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "realpath"):
        (tools / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        ["bash", HERE / "start_slurm.sh", tmp_path], env={"PATH": str(tools)}, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "munged is not installed" in done.stdout

"""Kill runs of a sweep at random moments, resume each, compare every file with those of an undisturbed run.

    python tests/helpers/kill_runs.py SPEC.toml FOLDER COUNT SEED

Each run is a process of its own, forked before JAX starts. Prints a JSON line after each: how many kills, how many of
them hit a run that was neither untouched nor done, tiles lost at most, stores that differ.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import jax

import lidjax.runs.session
from lidjax import run_sweep
from lidjax.sweep.sources.synthetic.source import SyntheticSource

jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
spec, folder, count, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
jax.config.update("jax_compilation_cache_dir", str(folder / "cache"))
assert lidjax.runs.session
assert SyntheticSource


def start(out: Path) -> int:
    """A run in a forked process, which writes a line for every tile that it begins."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with (folder / "begun").open("a") as log:

            def progress(stage, waiting, *, done=0):
                for tile in waiting:
                    log.write("tile\n")
                    log.flush()
                    yield tile

            run_sweep(spec, out=out, progress=progress)
        code = 0
    finally:
        os._exit(code)


def begun() -> int:
    path = folder / "begun"
    return path.read_text().count("tile") if path.exists() else 0


def contents(out: Path) -> dict[str, bytes]:
    """Every file of the store but the manifest, which also says in what state the checkout was."""
    files = (p for p in sorted((out / "results.zarr").rglob("*")) if p.is_file())
    return {str(p.relative_to(out)): p.read_bytes() for p in files if p.parent.name != "results.zarr"}


def chunks_done(out: Path) -> int:
    return sum(
        p.is_file() and p.suffix != ".partial" for p in (out / "results.zarr" / "status" / "c").rglob("*")
    )


start_time = time.perf_counter()
assert os.waitpid(start(folder / "whole"), 0)[1] == 0
(folder / "begun").unlink()
began = time.perf_counter()
assert os.waitpid(start(folder / "timed"), 0)[1] == 0
run_seconds = time.perf_counter() - began
whole = contents(folder / "whole")
total = chunks_done(folder / "whole")
moments = random.Random(seed)
result = {
    "kills": 0,
    "in_the_middle": 0,
    "differ": 0,
    "resume_failed": 0,
    "most_tiles_lost": 0,
    "partial_files": 0,
}
while result["kills"] < count:
    out = folder / "killed"
    (folder / "begun").unlink(missing_ok=True)
    pid = start(out)
    moment = moments.randrange(total)  # while this tile is computed or written, or the store is made
    while begun() < moment or not (out / ".lock").exists():
        time.sleep(0.001)
    time.sleep(moments.uniform(0, run_seconds / total))
    os.kill(pid, signal.SIGKILL)
    killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    result["kills"] += killed
    done = chunks_done(out)
    result["in_the_middle"] += killed and 0 < done < total
    result["most_tiles_lost"] = max(result["most_tiles_lost"], begun() - done)
    result["partial_files"] += sum(1 for _ in out.rglob("*.partial"))
    result["resume_failed"] += os.waitpid(start(out), 0)[1] != 0
    result["differ"] += contents(out) != whole
    shutil.rmtree(out)
    result |= {
        "tiles": total,
        "run_seconds": round(run_seconds, 2),
        "seconds": round(time.perf_counter() - start_time),
    }
    print(json.dumps(result), flush=True)

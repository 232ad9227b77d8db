"""Which shard of a run this process computes: given by the user, by a SLURM job array, or by `jax.distributed`.

Processes do not communicate while they compute. They meet once, at the start, to be numbered; at the end the first one
reads from the store and its locks whether the others have finished.
"""

import os
import time
from collections.abc import Mapping

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.runs.location import Location
from lidjax.runs.lock import Shard, is_held
from lidjax.runs.store import open_group
from lidjax.status import PENDING

START_TIMEOUT = 300  # seconds to wait for a process that does not start
START_GRACE = 15  # seconds that another process has to take its lock, after this one has finished


def parse_shard(text: str) -> Shard:
    """`2/8` is the second of eight."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise InputError(f"--shard {text!r}: must be I/N, such as 2/8 for the second of eight")
    if not 1 <= int(index) <= int(count):
        raise InputError(f"--shard {text!r}: I is from 1 to {count}")
    return Shard(int(index) - 1, int(count))


def array_shard(environment: Mapping[str, str] = os.environ) -> Shard | None:
    """The shard of a task of a SLURM job array (`sbatch --array=1-8`); None outside of one."""
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_COUNT")
    if names[0] not in environment:
        return None
    try:
        task, first, last, count = (int(environment[name]) for name in names)
    except (KeyError, ValueError):
        raise InputError(f"a SLURM job array sets {', '.join(names)} to numbers; here one is not") from None
    if last - first + 1 != count:
        raise InputError(
            f"the job array has {count} tasks between {first} and {last}: number them without gaps, --array={first}-"
            f"{first + count - 1}"
        )
    return Shard(task - first, count)


def join_processes(environment: Mapping[str, str] = os.environ) -> Shard:
    """Meet the other processes of a job through `jax.distributed` and return the shard with this process's number.

    SLURM, Open MPI, GKE and TPU pods tell JAX what it needs; elsewhere JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and
    JAX_PROCESS_ID do.
    """
    count, number = (_number(environment, name) for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"))
    try:
        jax.distributed.initialize(
            num_processes=count,
            process_id=number,
            initialization_timeout=START_TIMEOUT,
        )
        shard = Shard(jax.process_index(), jax.process_count())
        # Disconnect at once: nothing more is exchanged, and JAX's coordinator would end every process that is still
        # connected when one of them dies.
        jax.distributed.shutdown()
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            f"--distributed: the processes did not meet: {str(error).splitlines()[0]}\n"
            "under SLURM start them with srun; elsewhere set JAX_COORDINATOR_ADDRESS (host:port of process 0), "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID for each; or use --shard I/N, which needs no coordinator"
        ) from None
    return shard


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if text is not None and not text.isdecimal():
        raise InputError(f"{name} = {text!r}: must be a number")
    return None if text is None else int(text)


def wait_for_others(location: Location, shard: Shard) -> int:
    """Wait until the other shards are complete or their processes have ended; returns how many cells are missing.

    Only the store and its locks are read: no process has to answer.
    """
    others = [Shard(index, shard.count) for index in range(shard.count) if index != shard.index]
    deadline = time.monotonic() + START_GRACE
    while True:
        at_work = [other for other in others if is_held(location, other)]
        missing = missing_cells(location)
        if not missing or (not at_work and time.monotonic() > deadline):
            return missing
        while any(is_held(location, other) for other in at_work):
            time.sleep(0.5)
        time.sleep(0.5)


def missing_cells(location: Location) -> int:
    """How many cells of the store are not computed yet."""
    group, _ = open_group(location.zarr_store(), location.store_name)
    return int((np.asarray(group["status"][...]) == PENDING).sum())  # type: ignore[index]  # an array, not a group

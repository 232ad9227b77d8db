"""Which share of a sweep this process has: said by the user, by a SLURM job array, or by `jax.distributed`.

Shares need no talk while they work: processes meet when they start, to be numbered, and the first looks at the store
and its locks to see that the others have ended.
"""

import os
import time
from collections.abc import Mapping

import jax

from lidjax.errors import InputError
from lidjax.runs.location import Place
from lidjax.runs.lock import Share, is_held
from lidjax.runs.store import SweepStore

START_TIMEOUT = 300  # seconds until a process that does not come is given up
START_GRACE = 15  # seconds that a process has for its first sign of work, after this one has ended its own


def parse_share(text: str) -> Share:
    """`2/8` is the second of eight."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise InputError(f"--shard {text!r}: must be I/N, such as 2/8 for the second of eight")
    if not 1 <= int(index) <= int(count):
        raise InputError(f"--shard {text!r}: I is from 1 to {count}")
    return Share(int(index) - 1, int(count))


def array_share(environment: Mapping[str, str] = os.environ) -> Share | None:
    """The share of a task of a SLURM job array (`sbatch --array=1-8`); None outside of one."""
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
    return Share(task - first, count)


def join_processes(environment: Mapping[str, str] = os.environ) -> Share:
    """Meet the other processes of a job (`jax.distributed.initialize`) and take the share of this one's number.

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
        share = Share(jax.process_index(), jax.process_count())
        # Parted at once: nothing is left to say, and a process that dies later takes no other with it, whereas
        # JAX's coordinator ends all that are still connected.
        jax.distributed.shutdown()
    except (ValueError, RuntimeError, TypeError) as error:
        raise InputError(
            f"--distributed: the processes did not meet: {str(error).splitlines()[0]}\n"
            "under SLURM start them with srun; elsewhere set JAX_COORDINATOR_ADDRESS (host:port of process 0), "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID for each; or use --shard I/N, which needs no coordinator"
        ) from None
    return share


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if text is not None and not text.isdecimal():
        raise InputError(f"{name} = {text!r}: must be a number")
    return None if text is None else int(text)


def wait_for_others(place: Place, share: Share) -> int:
    """Wait until the other shares are done or their processes are gone; returns how many cells are missing.

    What the store and its locks say is all that is asked: no process has to answer.
    """
    others = [Share(index, share.count) for index in range(share.count) if index != share.index]
    patience = time.monotonic() + START_GRACE
    while True:
        at_work = [other for other in others if is_held(place, other)]
        missing = missing_cells(place)
        if not missing or (not at_work and time.monotonic() > patience):
            return missing
        while any(is_held(place, other) for other in at_work):
            time.sleep(0.5)
        time.sleep(0.5)


def missing_cells(place: Place) -> int:
    """How many cells of the place's store are not computed yet, by any share."""
    return int(SweepStore.open(place.zarr_store(), place.store_name).pending().sum())

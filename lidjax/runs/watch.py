"""How far a run is, from its store and its locks alone. Any machine that sees the store can ask; nothing is written."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

from lidjax.errors import InputError
from lidjax.runs import lock_backends
from lidjax.runs.location import STORE, LocalFolder, RemoteFolder, open_location
from lidjax.runs.lock import WHOLE_RUN
from lidjax.runs.lock_backends import EXPIRY, HeartbeatLock, file_lock_holder
from lidjax.runs.manifest import READABLE, RESUMABLE
from lidjax.runs.store import open_group
from lidjax.runs.tiles import TileGrid
from lidjax.status import OK, PENDING

RECENT = (
    50  # chunks whose times give the rate: enough for 15 %, few enough to follow a change of the machines
)
PAUSE = 20.0  # a gap so many times longer than the median one is a pause between two runs; a heuristic
MOST_CHUNKS = 100_000  # beyond, listing the store takes longer than people wait, and no rate is given


class Worker(NamedTuple):
    """A process that is computing."""

    shard: str
    """Its part of the tiles, such as "2/8"; "" for a process that computes all of them."""
    holder: str
    """Process and machine, as the process itself wrote it."""


class RunStatus(NamedTuple):
    """How far a run is."""

    name: str
    """Name of the spec."""
    kind: str
    """Kind of the sweep, or "distill" with the backend of its models."""
    tiles_done: int
    """Number of tiles that are complete."""
    tiles: int
    """Number of tiles."""
    cells_done: int
    """Number of cells that are computed, whether they have a result or failed."""
    cells: int
    """Number of cells."""
    failed: dict[str, int]
    """Name of each status code of cells that failed, and how many these are."""
    running: tuple[Worker, ...]
    """The processes at work."""
    seconds_left: float
    """Time until the last tile at the recent rate; 0 if all are done, NaN where nothing runs or no rate is known."""


def run_status(location: str | Path) -> RunStatus:
    """How far a run is: tiles done, processes at work, cells that failed, and the time left.

    Only the store and its locks are read, so it works from any machine that sees them, while the run goes on. A lock
    in a folder is one of the kernel and is known at once. A lock at a URL is an object that its holder keeps rewriting:
    to see whether it changes takes five seconds, and fifteen if it does not.

    Args:
        location: Output folder or URL of a run, or the `results.zarr` in it.

    Returns:
        The state of the run. The time left comes from the times at which the last 50 chunks were written, so it is
        NaN until two are.

    Raises:
        InputError: If there are no results, or they were written by another program.

    Example:
        >>> import lidjax, tempfile
        >>> spec = {"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 100]}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = lidjax.run_sweep(spec, out=folder)
        ...     status = lidjax.run_status(folder)
        >>> status.cells_done, status.running, status.seconds_left
        (2, (), 0.0)
    """
    place = open_location(location)
    if not place.has_store():
        raise InputError(f"{location}: no results there; `lidjax run SPEC.toml --out {location}` makes them")
    group, manifest = open_group(place.zarr_store(read_only=True), place.store_name, mode="r")
    if manifest.get("format") not in READABLE:
        raise InputError(f"{location}: not a store of this program (format {manifest.get('format')!r})")
    array = group["status"]
    assert isinstance(array, zarr.Array)
    status = np.asarray(array[...])
    pending = status == PENDING
    if manifest["format"] in RESUMABLE:
        lengths = {name: len(values) for name, values in manifest["axes"].items()}
        left = TileGrid(lengths, manifest["tile"]).any_per_tile(pending)
    else:  # stores of the first format do not say how they were cut
        left = pending.ravel()
    attributes: dict[str, Any] = {**array.attrs}
    names = dict(zip(attributes["flag_values"], attributes["flag_meanings"], strict=True))
    codes, counts = np.unique(status[~pending & (status != OK)], return_counts=True)
    workers = at_work(place)
    chunks = math.prod(-(-n // size) for n, size in zip(status.shape, array.chunks, strict=True))
    seconds = 0.0 if not left.any() else float("nan")
    if left.any() and workers and chunks <= MOST_CHUNKS:
        share = pending.sum() / pending.size
        seconds = share * chunks / chunk_rate(place.written(f"{STORE}/status/c"))
    return RunStatus(
        name=str(manifest.get("spec", {}).get("name", "")),
        kind=str(manifest.get("kind", "")),
        tiles_done=int((~left).sum()),
        tiles=left.size,
        cells_done=int((~pending).sum()),
        cells=pending.size,
        failed={
            str(names.get(code, code)): count
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
        },
        running=workers,
        seconds_left=float(seconds),
    )


def chunk_rate(times: Sequence[float]) -> float:
    """Chunks a second, from the times in seconds at which the last of them were written; NaN if there is no pair.

    Times before a pause, when nothing ran, do not count. They are compared with one another only: the clock is that
    of the file system.
    """
    recent = np.sort(np.asarray(times, dtype=float))[-RECENT:]
    gaps = np.diff(recent)
    if len(gaps) > 1:
        pauses = np.flatnonzero(gaps > PAUSE * max(float(np.median(gaps)), 1.0))
        if len(pauses):
            gaps = gaps[pauses[-1] + 1 :]
    return len(gaps) / float(gaps.sum()) if gaps.sum() > 0 else float("nan")


def at_work(location: LocalFolder | RemoteFolder) -> tuple[Worker, ...]:
    """The processes that hold a lock of the run."""
    names = [
        name for name in location.names(WHOLE_RUN) if name == WHOLE_RUN or "-of-" in name
    ]  # not the locks that are held for an instant
    if isinstance(location, LocalFolder):
        held = {name: file_lock_holder(location, name) for name in names}
        shards = any(holder for name, holder in held.items() if name != WHOLE_RUN)
        if shards:  # each process of a shard shares the lock of the whole run
            held.pop(WHOLE_RUN, None)
    else:
        held = _beating(location, names)
    numbered = sorted((_shard_of(name), holder) for name, holder in held.items() if holder)
    return tuple(Worker(f"{i}/{n}" if n else "", holder) for (n, i), holder in numbered)


def _shard_of(name: str) -> tuple[int, int]:
    """(number of shards, number of this one) of a lock; zeros for that of the whole run."""
    index, found, count = name.removeprefix(f"{WHOLE_RUN}-").partition("-of-")
    return (int(count), int(index)) if found else (0, 0)


def _beating(location: RemoteFolder, names: Sequence[str]) -> dict[str, str]:
    """Holder of each lock whose content changes within the time after which it would have expired."""
    locks = {name: HeartbeatLock(location, name) for name in names}
    before = {name: lock.content() for name, lock in locks.items()}
    waiting = {name for name, content in before.items() if content}
    held: dict[str, str] = {}
    until = time.monotonic() + EXPIRY * lock_backends.HEARTBEAT_SECONDS
    while waiting and time.monotonic() < until:
        time.sleep(lock_backends.HEARTBEAT_SECONDS / 5)
        for name in sorted(waiting):
            now = locks[name].content()
            if now != before[name]:
                waiting.discard(name)
                if now:
                    held[name] = str(now.get("holder", "holder unknown"))
    return held

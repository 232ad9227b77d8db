"""A store opened for one run: locked, created or extended as the job asks, and checked for damage."""

import logging
import math
import shlex
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from zarr.storage import MemoryStore

from lidjax.errors import InputError
from lidjax.runs.location import LocalFolder, Location
from lidjax.runs.lock import RunLock, Shard, setup_lock
from lidjax.runs.manifest import Contents, check_identity, is_same_run, storage_axes
from lidjax.runs.schema import Schema
from lidjax.runs.store import Store
from lidjax.runs.tiles import TileGrid, TileList

logger = logging.getLogger(__name__)
Grid = TypeVar("Grid", bound=TileGrid)


class Extension(NamedTuple):
    """The store that a run adds grid values to: its chunk shape, and the length of each axis so far."""

    chunk: Mapping[str, int]
    lengths: Mapping[str, int]


class Job(Protocol[Grid]):
    """What a session needs to know of a run: what its store holds, and how its grid is cut into tiles."""

    @property
    def name(self) -> str:
        """The name of the spec."""
        ...

    @property
    def axes(self) -> dict[str, np.ndarray]:
        """The cell axes. The session puts them into storage order, so that tiles and store agree."""
        ...

    @axes.setter
    def axes(self, axes: dict[str, np.ndarray]) -> None: ...

    @property
    def schema(self) -> Schema:
        """The variables of a cell."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that decides the numbers of a cell: a store is resumed only where it agrees."""
        ...

    def contents(self, tile: Mapping[str, int]) -> Contents:
        """What the store holds, for the present `axes` and a tile shape."""
        ...

    def cut(self, *, tile: Mapping[str, int] | None = None, extension: Extension | None = None) -> Grid:
        """Cut the present `axes` into tiles: of a given shape, or made of whole chunks of a store."""
        ...

    def check_resources(self, grid: Grid, location: Location | None) -> None:
        """Raise InputError if memory or disk do not suffice."""
        ...


def remove_figures(location: Location) -> None:
    """Remove the figures of a store that is about to change: each is a PDF and a PNG of one name, beside it."""
    folder = location.figures
    if not folder.is_dir():
        return
    stale = [path for path in sorted(folder.glob("*.png")) if path.with_suffix(".pdf").exists()]
    try:
        for path in stale:
            path.unlink(missing_ok=True)
            path.with_suffix(".pdf").unlink(missing_ok=True)
    except OSError:  # they may be somebody else's; the results do not depend on them
        return
    if stale:
        names = ", ".join(path.stem for path in stale)
        logger.info("figures of the store as it was are removed: %s", names)


class Session(Generic[Grid]):
    """A store, its tiles, and the right to write those of one shard."""

    def __init__(self, store: Store, grid: Grid, shard: Shard | None, lock: RunLock | None, is_new: bool):
        self.store, self.grid, self.lock = store, grid, lock
        self.is_new = is_new
        """Whether the store was created by this session."""
        self.own = np.ones(grid.num_tiles, bool) if shard is None else tiles_of(shard, grid.num_tiles)

    @cached_property
    def pending(self) -> np.ndarray:
        """Boolean over the cells: of this shard, and not computed when the session began."""
        if self.own.all():
            return self.store.pending()
        return self.store.pending(TileList(self.grid, np.flatnonzero(self.own)))

    @cached_property
    def own_cells(self) -> int:
        """Number of cells of this shard."""
        if self.own.all():
            return self.grid.num_cells
        return sum(
            math.prod(part.stop - part.start for part in tile.values())
            for tile in TileList(self.grid, np.flatnonzero(self.own))
        )

    def pending_tiles(self) -> TileList:
        """The tiles of this shard with a cell that is not computed yet."""
        return TileList(self.grid, np.flatnonzero(self.grid.any_per_tile(self.pending) & self.own))

    def check(self) -> None:
        """Raise InputError if another run took over the store."""
        if self.lock is not None:
            self.lock.check()


def tiles_of(shard: Shard, num_tiles: int) -> np.ndarray:
    """Which tiles belong to a shard. They are shuffled once, because cost varies systematically along the axes."""
    shuffled = np.random.default_rng(0).permutation(num_tiles)
    own = np.zeros(num_tiles, bool)
    own[shuffled[shard.index :: shard.count]] = True
    return own


@contextmanager
def open_session(
    job: Job[Grid], location: Location | None, resume: bool, shard: Shard | None
) -> Generator[Session[Grid]]:
    """Lock the location and have its store ready. Without a location the store is in memory."""
    if location is None:
        grid = job.cut()
        job.check_resources(grid, None)
        store = Store.create(MemoryStore(), job.schema, job.contents(grid.tile))
        yield Session(store, grid, shard, None, is_new=True)
        return
    if not location.has_store():  # fail before a lock creates the folder
        job.check_resources(job.cut(), location)
    location.prepare()
    lock = RunLock(location, shard)
    try:
        with setup_lock(location):
            lock.acquire()
            is_new = not location.has_store() or not resume
            store, grid = _prepared(job, location, resume, lock)
            session = Session(store, grid, shard, lock, is_new)
            if shard is None:
                location.remove_partial_files()
        _discard_damaged(session)
        yield session
    finally:
        lock.release()


def _prepared(job: Job[Grid], location: Location, resume: bool, lock: RunLock) -> tuple[Store, Grid]:
    """Open the store of the location to resume or extend it, or create one."""
    if location.has_store():
        location.check_inside()
    if location.has_store() and not resume:
        # remove a store of this run, never anything else
        old = Store.open(location.zarr_store(), job.schema, location.store_name)
        _require_alone(lock, location, "start the store anew")
        if not is_same_run(old.manifest, job.identity, job.name):
            raise InputError(
                f"{location.store_name}: {_difference(old, job)}\n--no-resume starts the same run anew and does not "
                f"replace another one: name another --out, or {_removal(location)}"
            )
        location.remove_store()
    if not location.has_store():
        grid = job.cut()
        return Store.create(location.zarr_store(), job.schema, job.contents(grid.tile)), grid
    store = Store.open(location.zarr_store(), job.schema, location.store_name)
    try:
        store.check_identity(job.identity)
    except InputError as error:
        same = is_same_run(store.manifest, job.identity, job.name)
        raise InputError(
            f"{location.store_name}: {error}\nname another --out, or "
            + ("start anew with --no-resume" if same else _removal(location))
        ) from None
    store.lay_out()  # completes what a run was doing that was killed while it created or extended the store
    wanted = job.axes
    job.axes = storage_axes(store.manifest, wanted)
    before = {name: len(values) for name, values in store.manifest["axes"].items()}
    if all(len(values) == before[name] for name, values in job.axes.items()):
        return store, job.cut(tile=store.tile)
    _require_alone(lock, location, "extend the store")
    grid = job.cut(extension=Extension(store.chunk, before))
    job.check_resources(grid, location)
    store.extend(job.contents(grid.tile), wanted)
    return store, grid


def _difference(store: Store, job: Job[Grid]) -> str:
    """How the store of another run differs from that of a job, for people."""
    try:
        check_identity(store.manifest, job.identity)
    except InputError as error:
        return str(error)
    return f"the store holds the run {store.manifest.get('spec', {}).get('name')!r}, not {job.name!r}"


def _removal(location: Location) -> str:
    """What to do to replace a store."""
    if isinstance(location, LocalFolder):
        return f"remove the store first:\n  rm -r {shlex.quote(location.store_name)}"
    return "remove the store first"


def _require_alone(lock: RunLock, location: Location, what: str) -> None:
    if not lock.alone():
        raise InputError(
            f"{location}: cannot {what} while other shards are computing; wait until they have finished"
        )


def _discard_damaged(session: Session[Grid]) -> None:
    """Mark damaged chunks of this shard as pending, so that they are computed again."""
    damaged = 0
    for index in np.flatnonzero(session.own).tolist():
        for chunk in session.store.chunks(session.grid.tile_at(index)):
            if session.store.is_damaged(chunk):
                session.store.discard(chunk)
                damaged += 1
    if damaged:
        logger.warning("%s damaged chunks were found and are computed again", f"{damaged:,}")

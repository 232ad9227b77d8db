"""What a run would find at its location: cells that are computed already, cells that remain, or a reason to refuse."""

from dataclasses import dataclass, replace

import numpy as np

from lidjax.errors import InputError
from lidjax.runs.location import Location
from lidjax.runs.manifest import storage_axes
from lidjax.runs.session import Extension
from lidjax.runs.store import Store
from lidjax.sweep.job import SweepJob
from lidjax.sweep.plan import Plan


@dataclass(frozen=True)
class StoredCells:
    """The store that a run would resume or extend."""

    computed: int
    """Cells of the grid that are computed already."""
    remaining: int
    """Cells of the grid that a run would compute."""
    refused: str | None
    """Why a run would be refused, with what to do; None if it would not."""


def plan_at(job: SweepJob, location: Location | None) -> Plan:
    """The plan of a run at a location: of what remains to be computed where a store is there. Writes nothing."""
    if location is None or not location.has_store():
        return job.cut()
    try:
        store = Store.open(location.zarr_store(), job.schema, location.store_name)
        store.check_identity(job.identity)
    except InputError as error:
        reason = f"{location.store_name}: {error}\nname another --out, or start anew with --no-resume"
        plan = job.cut()
        return replace(plan, stored=StoredCells(0, plan.num_cells, reason))
    job.axes = storage_axes(store.manifest, job.axes)
    pending = np.ones([len(values) for values in job.axes.values()], bool)
    before = store.pending()
    pending[tuple(slice(length) for length in before.shape)] = before
    if pending.shape == before.shape:
        plan = job.cut(tile=store.tile)
    else:
        lengths = dict(zip(job.axes, before.shape, strict=True))
        plan = job.cut(extension=Extension(store.chunk, lengths))
    tiles = int(plan.any_per_tile(pending).sum())
    remaining = int(pending.sum())
    return replace(
        plan,
        stored=StoredCells(pending.size - remaining, remaining, None),
        seconds=plan.seconds * tiles / plan.num_tiles,
        compile_seconds=plan.compile_seconds if tiles else 0.0,
        tiles_to_run=tiles,
    )

"""A store held for one run: locked, made or extended as the spec asks, looked through for damage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from zarr.storage import MemoryStore

from lidjax.errors import InputError
from lidjax.runs.location import Place
from lidjax.runs.lock import RunLock, Share, setup_lock
from lidjax.runs.manifest import Layout, extended, storage_axes
from lidjax.runs.provenance import provenance_of
from lidjax.runs.store import SweepStore
from lidjax.sweep.plan import Extends, Plan, check_resources, make_plan
from lidjax.sweep.source import Source
from lidjax.sweep.spec import Spec
from lidjax.sweep.spec_file import law_of

Say = Callable[[str], None]


class Session:
    """A store, its plan, and the right to write the tiles of one share. `source.axes` are in the store's order."""

    def __init__(self, store: SweepStore, plan: Plan, share: Share | None, lock: RunLock | None):
        self.store, self.plan, self.lock = store, plan, lock
        self.mine = np.ones(plan.num_tiles, bool) if share is None else owned_tiles(plan.num_tiles, share)

    def check(self) -> None:
        """InputError if the store is no longer this run's."""
        if self.lock is not None:
            self.lock.check()


def owned_tiles(num_tiles: int, share: Share) -> np.ndarray:
    """Which tiles are of a share: dealt out from one fixed shuffle, for cost often has a rhythm along an axis."""
    dealt = np.random.default_rng(0).permutation(num_tiles)
    owned = np.zeros(num_tiles, bool)
    owned[dealt[share.index :: share.count]] = True
    return owned


@contextmanager
def open_session(
    spec: Spec, source: Source, place: Place | None, resume: bool, share: Share | None, say: Say
) -> Iterator[Session]:
    """Lock the place and have its store ready; without a place the store is in memory and nobody else's."""
    law = law_of(spec) | source.provenance()
    if place is None:
        plan = make_plan(source, spec.run)
        check_resources(plan, None)
        yield Session(_create(MemoryStore(), spec, source, plan, law), plan, share, None)
        return
    if not place.has_store():  # before a lock makes a folder that nobody wanted
        check_resources(make_plan(source, spec.run), place)
    place.prepare()
    lock = RunLock(place, share)
    try:
        with setup_lock(place):
            lock.acquire()
            store, plan = _store_and_plan(spec, source, place, resume, law, lock)
            session = Session(store, plan, share, lock)
            if share is None:
                place.remove_partial_files()
        _discard_damaged(session, say)
        yield session
    finally:
        lock.release()


def _store_and_plan(
    spec: Spec, source: Source, place: Place, resume: bool, law: dict, lock: RunLock
) -> tuple[SweepStore, Plan]:
    """Go on with the store of the place, extend it, or make one."""
    if place.has_store():
        place.check_inside()
    if place.has_store() and not resume:
        SweepStore.open(place.zarr_store(), place.store_name)  # what is removed is a store and nothing else
        _require_alone(lock, place, "start the store anew")
        place.remove_store()
    if not place.has_store():
        plan = make_plan(source, spec.run)
        return _create(place.zarr_store(), spec, source, plan, law), plan
    store = SweepStore.open(place.zarr_store(), place.store_name)
    try:
        store.check_law(law)
    except InputError as error:
        raise InputError(
            f"{place.store_name}: {error}\nname another --out, or start anew with --no-resume"
        ) from None
    store.lay_out()  # of a run that was killed while it made or extended the store
    wanted = source.axes
    source.axes = storage_axes(store.manifest, wanted)
    if all(len(values) == len(store.manifest["axes"][name]) for name, values in source.axes.items()):
        return store, make_plan(source, spec.run, tile=store.tile)
    _require_alone(lock, place, "extend the store")
    before = {name: len(values) for name, values in store.manifest["axes"].items()}
    plan = make_plan(source, spec.run, extends=Extends(store.chunk, before))
    check_resources(plan, place)
    store.update(
        extended(
            store.manifest,
            layout=Layout(source.axes, plan.tile),
            wanted=wanted,
            coordinates=source.coordinates(),
            law=law,
            provenance=provenance_of(spec) | source.description(),
        )
    )
    return store, plan


def _create(location, spec: Spec, source: Source, plan: Plan, law: dict) -> SweepStore:
    return SweepStore.create(
        location,
        axes=source.axes,
        k=source.k,
        coordinates=source.coordinates(),
        tile=plan.tile,
        law=law,
        provenance=provenance_of(spec) | source.description(),
    )


def _require_alone(lock: RunLock, place: Place, what: str) -> None:
    if not lock.alone():
        raise InputError(
            f"{place}: other shares are at work on this store, which is no time to {what}; wait for them"
        )


def _discard_damaged(session: Session, say: Say) -> None:
    """Look through the chunks of this share and forget what is damaged, so that it is computed again."""
    damaged = 0
    for index in np.flatnonzero(session.mine).tolist():
        for chunk in session.store.chunks(session.plan.tile_at(index)):
            if session.store.damaged(chunk):
                session.store.discard(chunk)
                damaged += 1
    if damaged:
        say(f"{damaged:,} damaged chunks: computed again")

"""One call from a spec to a labelled Dataset: plan, compute what is missing, store, read back."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lidjax.runs.interrupt import stop_after_tile
from lidjax.runs.location import place_of
from lidjax.runs.lock import Share
from lidjax.sweep.compute import TileComputer
from lidjax.sweep.plan import Plan, make_plan
from lidjax.sweep.source import Source
from lidjax.sweep.spec import FrontierSpec, Spec, SyntheticSpec
from lidjax.sweep.spec_file import load_spec

if TYPE_CHECKING:
    import xarray as xr

Track = Callable[["Waiting", Plan, int], Iterable[Any]]
"""Wraps the pending tiles, given the plan and how many cells are done already, to show progress."""


class Waiting:
    """The tiles to compute, by number; made one at a time."""

    def __init__(self, plan: Plan, numbers: np.ndarray):
        self.plan, self.numbers = plan, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[dict[str, slice]]:
        return (self.plan.tile_at(number) for number in self.numbers)


def open_source(spec: Spec) -> Source:
    """The cells a spec describes; reads and checks the feature file if there is one."""
    if isinstance(spec, SyntheticSpec):
        from lidjax.sweep.sources.synthetic import SyntheticSource

        return SyntheticSource(spec)
    if isinstance(spec, FrontierSpec):
        from lidjax.sweep.sources.frontier import ZipfSource

        return ZipfSource(spec)
    from lidjax.sweep.sources.features import FeaturesSource

    return FeaturesSource(spec)


@contextmanager
def precision_of(spec: Spec) -> Iterator[None]:
    """float64 for the length of a run that asks for it, whatever the session's setting."""
    with jax.enable_x64(spec.run.dtype == "float64"):
        yield


def plan_sweep(spec_or_path: Spec | str | Path) -> Plan:
    """The plan of a sweep: cells, tiles, work, memory and an estimate of time. Runs no cell."""
    spec = spec_or_path if isinstance(spec_or_path, Spec) else load_spec(spec_or_path)
    with precision_of(spec):
        return make_plan(open_source(spec), spec.run)


def run_sweep(
    spec_or_path: Spec | str | Path,
    *,
    out: str | Path | None = None,
    resume: bool = True,
    track: Track | None = None,
    share: Share | None = None,
) -> "xr.Dataset":
    """Run a sweep, or go on with one, and return its results.

    `spec_or_path` is a spec or a TOML file. With `out`, a folder or any URL that fsspec knows, results go tile by
    tile to `out/results.zarr`; a run that was interrupted goes on where it was and ends with the same numbers bit for
    bit. A spec with more grid values than the store computes the new cells and leaves the old ones as they are.
    `resume=False` starts the store anew. Without `out` they stay in memory. With `share` this process computes its
    part of the tiles only, and others may be at work on the same store.

    The Dataset has the spec's axes as dims, and variables `lgen`, `failure` (L_inf, over k too) and
    `status` (see `lidjax.status`). `failure` is the mean over fresh test instances for one training set;
    averaging over `seed` is the reader's choice. On a terminal a bar shows progress; `track` replaces it.

    Raises InputError for a spec, feature file or folder that cannot be used, or that another run is at work on; a
    cell that fails numerically raises nothing and carries its code in `status`. KeyboardInterrupt (once) ends after
    the tile in hand.
    """
    from lidjax.sweep.session import open_session

    spec = spec_or_path if isinstance(spec_or_path, Spec) else load_spec(spec_or_path)
    place = place_of(out) if out is not None else None
    with (
        precision_of(spec),
        stop_after_tile() as stop,
        open_session(spec, source := open_source(spec), place, resume, share, _say) as session,
    ):
        plan, store = session.plan, session.store
        compute = TileComputer(source, plan, _say)
        pending = store.pending()
        done = int(pending.size - pending.sum())
        waiting = Waiting(plan, np.flatnonzero(plan.any_per_tile(pending) & session.mine))
        for tile in (track or _default_track())(waiting, plan, done):
            stop.check()
            session.check()
            store.write(tile, compute(tile), pending[tuple(tile.values())])
        stop.check()
    return store.dataset()


def _say(text: str) -> None:
    print(f"lidjax: {text}", file=sys.stderr, flush=True)


def _default_track() -> Track:
    """A progress bar where a person is looking, nothing elsewhere."""
    from rich.console import Console

    from lidjax.runs.progress import tracker

    console = Console(stderr=True)
    if console.is_terminal or console.is_jupyter:
        return tracker(console)
    return lambda waiting, plan, done: waiting

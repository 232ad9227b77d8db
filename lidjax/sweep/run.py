"""From a spec to labelled results: plan, compute what is missing, store, read back."""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from lidjax.progress import Progress, no_progress
from lidjax.runs.interrupt import StopRequest
from lidjax.runs.location import Location, open_location
from lidjax.runs.lock import Shard
from lidjax.sweep.compute import TileComputer
from lidjax.sweep.kinds import kind_of_spec
from lidjax.sweep.measure import Measurement, measure
from lidjax.sweep.plan import Plan, check_resources, make_plan
from lidjax.sweep.source import Source
from lidjax.sweep.spec import Spec, check_window_on_grid
from lidjax.sweep.spec_file import load_spec, spec_from_dict

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)
SpecLike = Spec | str | Path | Mapping[str, Any]
"""A spec, a TOML file, or nested dicts."""


def as_spec(spec: SpecLike) -> Spec:
    """The spec that is meant: itself, that of a TOML file, or that of nested dicts."""
    if isinstance(spec, str | Path):
        return load_spec(spec)
    return spec_from_dict(spec) if isinstance(spec, Mapping) else spec


def open_source(spec: Spec) -> Source:
    """The cells that a spec describes. Reads and checks the feature file if there is one."""
    return kind_of_spec(spec).source(spec)


@contextmanager
def precision_of(spec: Spec) -> Generator[None]:
    """float64 for the length of a run that asks for it, whatever the session's setting."""
    with jax.enable_x64(spec.run.dtype == "float64"):
        yield


def plan_sweep(spec: SpecLike, *, out: str | Path | None = None) -> Plan:
    """The plan of a sweep: cells, tiles, work, memory and a rough estimate of time. Computes no cell, writes nothing.

    Args:
        spec: A spec, the path of a TOML file, or nested dicts.
        out: Folder or URL of the results. If it holds results, the plan is that of what remains to be computed, and
            `stored` says how much that is, or why a run would be refused. Its free space is checked.

    Returns:
        The plan; see `Plan` for its fields.

    Raises:
        InputError: If the spec is not valid, or memory or disk do not suffice.

    Example:
        >>> import lidjax
        >>> grid = {"n": {"logspace": [16, 1024, 4]}, "k": [1, 10, 100], "seed": {"range": [0, 8]}}
        >>> lidjax.plan_sweep({"model": {}, "grid": grid}).num_cells
        32
    """
    spec = as_spec(spec)
    with precision_of(spec):
        location = open_location(out) if out is not None else None
        plan = _plan_at(spec, open_source(spec), location)
        if plan.stored is None or plan.stored.refused is None:
            check_resources(plan, location)
        return plan


def check_fit(spec: SpecLike) -> None:
    """Check that a sweep can be summarised: its grid has at least three k in `fit.window`. Computes nothing.

    `lidjax run` and `lidjax plan` check it before they compute anything.

    Args:
        spec: A spec, the path of a TOML file, or nested dicts.

    Returns:
        None.

    Raises:
        InputError: If the window contains fewer values; the message has both.

    Example:
        >>> import lidjax
        >>> grid = {"n": 20, "k": [1, 2, 4, 8]}
        >>> lidjax.check_fit({"model": {}, "grid": grid, "fit": {"window": [1, 8]}})
        >>> try:
        ...     lidjax.check_fit({"model": {}, "grid": grid, "fit": {"window": [10, 1000]}})
        ... except lidjax.InputError as error:
        ...     print(str(error).split(";")[0])
        fit.window = [10, 1000]: contains 0 of the sweep's values of k (from 1 to 8)
    """
    spec = as_spec(spec)
    axis = kind_of_spec(spec).window_axis
    values = getattr(spec.grid, axis, None) if axis else None
    if values is not None:
        check_window_on_grid(spec.fit.window, values, axis)


def _plan_at(spec: Spec, source: Source, location: Location | None) -> Plan:
    if location is None or not location.has_store():
        return make_plan(source, spec.run)  # without xarray and Zarr, which take a second to import
    from lidjax.sweep.job import SweepJob
    from lidjax.sweep.stored import plan_at

    return plan_at(SweepJob(spec, source), location)


def measure_sweep(
    spec: SpecLike,
    *,
    out: str | Path | None = None,
    seconds: float | None = None,
    progress: Progress = no_progress,
) -> Measurement:
    """Time and memory that a sweep will take on this machine, measured on a few of its tiles.

    Args:
        spec: A spec, the path of a TOML file, or nested dicts.
        out: Folder or URL of the results; if it holds some, the measurement is of what remains to be computed.
        seconds: Time in seconds after which no further tile is measured, 10 by default. One is measured at least,
            however long that takes.
        progress: Shows progress, such as `lidjax.show_progress`; by default nothing is shown.

    Returns:
        Seconds of computing and of compiling, peak memory, and how many tiles were measured.

    Raises:
        InputError: If the spec is not valid, or a tile does not fit in memory.

    Example:
        >>> import lidjax
        >>> spec = {"frontier": {"vocabulary": 100}, "grid": {"samples": [10, 100]}}
        >>> lidjax.measure_sweep(spec).tiles
        1
    """
    spec = as_spec(spec)
    with precision_of(spec):
        source = open_source(spec)
        location = open_location(out) if out is not None else None
        return measure(source, _plan_at(spec, source, location), seconds, progress)


def run_sweep(
    spec_or_path: SpecLike,
    *,
    out: str | Path | None = None,
    resume: bool = True,
    progress: Progress = no_progress,
    stop: StopRequest | None = None,
    shard: Shard | None = None,
) -> "xr.Dataset":
    """Run a sweep, or resume one, and return its results.

    With `out` the results are written tile by tile to `out/results.zarr`. A run that was interrupted is resumed, and on
    the same device with the same versions it ends with the same bits; elsewhere, or cut into other tiles, a cell agrees
    to rounding. If the spec has more grid values than the store, only the new cells are computed. The function prints
    nothing and installs no signal handler: pass `progress` and `stop` for that.

    Args:
        spec_or_path: A spec, the path of a TOML file, or nested dicts.
        out: Folder, or any URL that fsspec knows, for the results; without it they stay in memory.
        resume: False starts the store anew. It does not replace the store of another sweep: one with another name, or
            that differs in more than its grid.
        progress: Shows progress, such as `lidjax.show_progress`; by default nothing is shown.
        stop: Request that ends the run after the current tile; see `lidjax.stop_on_signals`.
        shard: Compute this part of the tiles only. Other processes may compute other shards of the same store.

    Returns:
        A Dataset with the spec's axes as dimensions. For the LID model its variables are `lgen`, `failure` (L_inf,
        also over k) and `status` (see `lidjax.CellStatus`). `failure` is the mean over fresh test instances for one
        training set; averaging over `seed` is left to the reader. Spec and provenance are in `attrs`.

    Raises:
        InputError: If the spec, the feature file or the location cannot be used, or another run is using the store.
            A cell that fails numerically raises nothing; its code is in `status`.
        Stopped: If `stop` asked for it; completed tiles are kept.

    Example:
        >>> import lidjax
        >>> grid = {"n": [20, 80], "k": [1, 10, 100], "dim": 8, "ridge": 0.0, "seed": {"range": [0, 4]}}
        >>> data = lidjax.run_sweep({"model": {}, "grid": grid})
        >>> dict(data.failure.squeeze().sizes)
        {'n': 2, 'seed': 4, 'k': 3}
        >>> bool(data.failure.isel(n=1).median() < data.failure.isel(n=0).median())
        True
    """
    from lidjax.runs.session import open_session, remove_figures
    from lidjax.sweep.job import SweepJob

    spec = as_spec(spec_or_path)
    location = open_location(out) if out is not None else None
    stop = stop or StopRequest()
    with precision_of(spec):
        source = open_source(spec)
        with open_session(SweepJob(spec, source), location, resume, shard) as session:
            compute = TileComputer(source, session.grid)
            tiles = session.pending_tiles()
            done = int(session.own.sum()) - len(tiles)
            cells = session.own_cells - int(session.pending.sum())
            if cells:
                logger.info("%s of %s cells are in the store already", f"{cells:,}", f"{session.own_cells:,}")
            if location is not None and len(tiles):
                remove_figures(location)
            for tile in progress("tiles", tiles, done=done):
                stop.check()
                session.check()
                session.store.write(tile, compute(tile), session.pending[tuple(tile.values())])
            stop.check()
            return kind_of_spec(spec).derived(session.store.dataset())

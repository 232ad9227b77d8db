"""One call from a spec to a labelled Dataset: plan, compute what is missing, store, read back."""

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.sweep.plan import Plan, check_resources, describe_device, make_plan
from lidjax.sweep.source import Source, TileResult
from lidjax.sweep.spec import FeaturesSpec, FrontierSpec, Spec, SyntheticSpec
from lidjax.sweep.spec_file import law_of, load_spec, spec_to_dict

if TYPE_CHECKING:
    import xarray as xr

    from lidjax.sweep.store import SweepStore

Track = Callable[[Iterable[Any], Plan, int], Iterable[Any]]
"""Wraps the pending tiles, given the plan and how many cells are done already, to show progress."""


def open_source(spec: Spec) -> Source:
    """The cells a spec describes; reads and checks the feature file if there is one."""
    if isinstance(spec, SyntheticSpec):
        from lidjax.sweep.synthetic import SyntheticSource

        return SyntheticSource(spec)
    if isinstance(spec, FrontierSpec):
        from lidjax.sweep.zipf import ZipfSource

        return ZipfSource(spec)
    from lidjax.sweep.features import FeaturesSource

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
) -> "xr.Dataset":
    """Run a sweep and return its results.

    `spec_or_path` is a TOML file or a spec from `lidjax.sweep.spec`. With `out`, results go tile by tile to
    `out/results.zarr`; a run that was interrupted goes on where it was and ends with the same numbers bit
    for bit. `resume=False` starts the store anew. Without `out` they stay in memory.

    The Dataset has the spec's axes as dims, and variables `lgen`, `failure` (L_inf, over k too) and
    `status` (see `lidjax.status`). `failure` is the mean over fresh test instances for one training set;
    averaging over `seed` is the reader's choice. On a terminal a bar shows progress; `track` replaces it.

    Raises InputError for a spec, feature file or folder that cannot be used; a cell that fails numerically
    raises nothing and carries its code in `status`.
    """
    spec = spec_or_path if isinstance(spec_or_path, Spec) else load_spec(spec_or_path)
    with precision_of(spec):
        source = open_source(spec)
        store, plan = _open_store(spec, source, Path(out) if out is not None else None, resume)
        pending = store.pending()
        waiting = [tile for tile in plan.tiles() if pending[tuple(tile.values())].any()]
        done = int(pending.size - pending.sum())
        for tile in (track or _default_track())(waiting, plan, done):
            store.write(tile, compute_tile(source, plan, tile))
    return store.dataset()


def _default_track() -> Track:
    """A progress bar where a person is looking, nothing elsewhere."""
    from rich.console import Console

    from lidjax.sweep.progress import tracker

    console = Console(stderr=True)
    if console.is_terminal or console.is_jupyter:
        return tracker(console)
    return lambda waiting, plan, done: waiting


def compute_tile(source: Source, plan: Plan, tile: dict[str, slice]) -> TileResult:
    """Evaluate one tile. A tile at the far edge of the grid is padded to full size by repeating its last
    values, so that every tile runs the same compiled program."""
    coords, keep = {}, []
    for name, part in tile.items():
        values = source.axes[name][part]
        keep.append(slice(0, len(values)))
        coords[name] = np.pad(values, (0, plan.tile[name] - len(values)), mode="edge")
    lgen, failure, status = source.evaluate(coords)
    where = tuple(keep)
    return TileResult(lgen[where], failure[where], status[where])


def _open_store(spec: Spec, source: Source, out: Path | None, resume: bool) -> tuple["SweepStore", Plan]:
    from zarr.storage import MemoryStore

    from lidjax.sweep.store import SweepStore, store_path

    law = law_of(spec) | source.provenance()
    location: Any = MemoryStore() if out is None else store_path(out)
    if out is not None and location.exists():
        if not resume:
            SweepStore.open(location)  # what is removed is a store and nothing else
            shutil.rmtree(location)
        else:
            store = SweepStore.open(location)
            try:
                store.check_law(law)
            except InputError as error:
                raise InputError(
                    f"{location}: {error}\nname another --out, or start anew with --no-resume"
                ) from None
            return store, make_plan(source, spec.run, tile=store.tile)
    plan = make_plan(source, spec.run)
    check_resources(plan, out)
    if out is not None:
        _make_folder(out)
    store = SweepStore.create(
        location,
        axes=source.axes,
        k=source.k,
        coordinates=source.coordinates(),
        tile=plan.tile,
        law=law,
        provenance=_provenance(spec) | source.description(),
    )
    return store, plan


def _make_folder(out: Path) -> None:
    """An output folder that is new, empty, or a run's own (it then has a spec's store and is not made here)."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        foreign = [p.name for p in out.iterdir() if p.name not in ("results.zarr", "figures")]
        probe = out / ".writable"
        if foreign:
            raise InputError(
                f"{out}: holds files that are not a run's ({', '.join(sorted(foreign)[:3])}); name a new --out"
            )
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}; name another --out") from None


def _provenance(spec: Spec) -> dict[str, Any]:
    import xarray
    import zarr

    from lidjax import __version__

    packages = {"lidjax": __version__, "jax": jax.__version__, "numpy": np.__version__}
    packages |= {"xarray": xarray.__version__, "zarr": zarr.__version__, "python": platform.python_version()}
    return {
        "spec": spec_to_dict(spec),
        "kind": {FeaturesSpec: "features", FrontierSpec: "frontier"}.get(type(spec), "synthetic"),
        "versions": packages,
        "device": describe_device(),
        "git_commit": _git_commit(),
    }


def _git_commit() -> str:
    """Commit of the package's own checkout; `unknown` for an installed copy, `+dirty` where it is changed."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return "unknown"
    try:
        run = ["git", "-C", str(here)]
        head = subprocess.run(
            [*run, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
        changed = subprocess.run(
            [*run, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=10
        )
        return head.stdout.strip() + ("+dirty" if changed.stdout.strip() else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"

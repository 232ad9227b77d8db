"""From a source of cells to tiles that fit: how many, how large, how long, before anything runs."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.runs.location import Location
from lidjax.runs.provenance import describe_device
from lidjax.runs.session import Extension
from lidjax.runs.tiles import TileGrid
from lidjax.sweep.calibrate import Rates, calibrate
from lidjax.sweep.cost import Cost
from lidjax.sweep.devices import TileSharding, choose_sharding, usable_devices
from lidjax.sweep.source import PricedSource, Source
from lidjax.sweep.spec import Run

if TYPE_CHECKING:
    from lidjax.sweep.stored import StoredCells

GIB = 2**30


MOST_RECOMPUTED = 0.05
"""Cells of an extended store that may share a tile with new ones, as a fraction of the new ones; a heuristic. They are
computed again and discarded."""


COMPILE_SECONDS = 4.0
"""Time that a source's program is taken to need for compiling, if it does not say: a heuristic, right to a factor of
two on the two cores looked at."""
MOST_MEASURING, MOST_MEASURING_SECONDS = 0.1, 10.0
"""Most time to spend on measuring a run, as a share of its own, and in seconds."""


@dataclass(frozen=True)
class Plan(TileGrid):
    """A sweep cut into tiles, with its estimated cost."""

    num_k: int
    """Number of values of k at which every cell is evaluated; 1 for a kind without k."""
    work: Cost
    """Work of all cells."""
    tile_bytes: float
    """Memory of the most expensive tile."""
    store_bytes: float
    """Size of the results, uncompressed."""
    seconds: float
    """Rough estimate of the time of computing, without compilation."""
    compile_seconds: float
    """Rough estimate of the time of compiling, where no program is cached."""
    device: str
    """Kind and number of the devices."""
    warnings: tuple[str, ...] = ()
    """What a person should know before running, a sentence each."""
    sharding: TileSharding | None = None
    """How a tile is divided among the devices of this host; None on one device."""
    tile_compile_seconds: float = 0.0
    """Rough estimate of the time of compiling what the middle tile needs, where no program is cached."""
    tiles_to_run: int | None = None
    """Tiles that a run would compute, of a store that holds some cells already; None for all."""
    stored: "StoredCells | None" = None
    """What is there already, where the results would be written; None if nothing is."""

    @property
    def total_seconds(self) -> float:
        """Rough estimate of the time of a run in which every program has to be compiled."""
        return self.seconds + self.compile_seconds

    @property
    def measuring_pays(self) -> bool:
        """Whether one tile can be measured in a tenth of the time of the run, and in ten seconds."""
        tile = self.tile_compile_seconds + 2 * self.seconds / max(self.tiles_to_run or self.num_tiles, 1)
        return tile <= self.measuring_seconds

    @property
    def measuring_seconds(self) -> float:
        """Most time to spend on measuring: a tenth of the estimated time of the run, at most ten seconds."""
        return min(MOST_MEASURING * self.total_seconds, MOST_MEASURING_SECONDS)

    @property
    def bytes_per_device(self) -> float:
        """Memory that a tile takes on each device."""
        return self.tile_bytes / (self.sharding.parts if self.sharding else 1)


def make_plan(
    source: Source,
    run: Run,
    *,
    rates: Rates | None = None,
    tile: Mapping[str, int] | None = None,
    extension: Extension | None = None,
    devices: list[Any] | None = None,
) -> Plan:
    """Cut the grid of `source` into tiles within the memory (on each device) and time that `run` allows one.

    `tile` overrides the cut (a store that is continued keeps its own); with `extension`, tiles are
    made of whole chunks of that store and hold few of its cells. Raises InputError where a single cell does not fit.
    """
    rates = rates or calibrate(run.dtype)
    devices = usable_devices() if devices is None else devices
    parallel = len(devices) if devices[0].platform != "cpu" else min(len(devices), os.cpu_count() or 1)
    rates = rates.times(parallel if source.shardable else 1)
    budget = run.memory_gib * GIB * (len(devices) if source.shardable else 1)
    lengths = {name: len(values) for name, values in source.axes.items()}
    if tile is None and extension is not None:
        tile = _grow(source, run, lengths, rates, budget, extension)
    elif tile is None:
        tile = _cut(source, run, lengths, rates, budget)
    tile_cost = source.tile_cost(tile)
    sharding = choose_sharding(source.shardable, tile, devices)
    if tile_cost.bytes > run.memory_gib * GIB * (sharding.parts if sharding else 1):
        smaller = (
            "grid.dim, grid.width or grid.k"
            if "width" in tile
            else "grid.dim, grid.k or the number of instances"
        )
        raise InputError(
            f"run.memory_gib = {run.memory_gib:g}: the smallest tile, {_describe(tile)}, takes about "
            f"{size_in_words(tile_cost.bytes)}; allow more memory or make {smaller} smaller"
        )
    work = source.total_cost()
    compiling, compiling_tile = COMPILE_SECONDS, COMPILE_SECONDS
    if isinstance(source, PricedSource):
        middle = tile_values(source, TileGrid(lengths, tile))
        compiling, compiling_tile = source.compile_seconds(source.axes), source.compile_seconds(middle)
    cells = math.prod(lengths.values())
    return Plan(
        lengths=lengths,
        tile=dict(tile),
        num_k=len(source.dims.get("k", ())) or 1,
        work=work,
        tile_bytes=tile_cost.bytes,
        store_bytes=cells * bytes_per_cell(source, run),
        seconds=rates.seconds(source.run_cost(tile) if isinstance(source, PricedSource) else work),
        compile_seconds=compiling,
        tile_compile_seconds=compiling_tile,
        device=describe_device(),
        warnings=tuple(source.warnings()),
        sharding=sharding,
    )


def tile_values(source: Source, grid: TileGrid) -> dict[str, np.ndarray]:
    """The axis values of the tile in the middle of a grid, the first that is measured."""
    tile = grid.tile_at(grid.num_tiles // 2)
    return {name: source.axes[name][part] for name, part in tile.items()}


def check_resources(plan: Plan, location: Location | None) -> None:
    """Raise InputError if a tile does not fit in memory, or what a run adds to the store on the disk."""
    available = available_memory()
    needed = plan.bytes_per_device + (plan.store_bytes if location is None else 0)
    if available is not None and needed > available:
        raise InputError(
            f"the sweep needs about {size_in_words(needed)} of memory and {size_in_words(available)} are free; "
            "lower run.memory_gib" + (" or name an output folder" if location is None else "")
        )
    free = location.free_bytes() if location is not None else None
    share = plan.stored.remaining / plan.num_cells if plan.stored else 1.0
    if free is not None and plan.store_bytes * share > free:
        raise InputError(
            f"the store of {plan.num_cells:,} cells and {plan.num_k} values of k takes up to "
            f"{size_in_words(plan.store_bytes)} and {location} has {size_in_words(free)} free; "
            "name another --out or make the grid smaller"
        )


def size_in_words(size: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1023.5:
            return f"{size:.{3 if size < 999.5 else 4}g} {unit}"
        size /= 1024
    return f"{size:,.3g} TiB"


def available_memory() -> int | None:
    """Free memory of a device in bytes; of a CPU, what is available without swapping. None where it is not known."""
    stats = jax.local_devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            table = dict(line.split(":", 1) for line in lines)
        return int(table["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        try:
            return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):
            return None


def bytes_per_cell(source: Source, run: Run) -> int:
    """Size of one cell in the store: every variable and the status."""
    lengths = {name: len(values) for name, values in source.dims.items()}
    return 1 + sum(
        math.prod(lengths[name] for name in variable.dims) * np.dtype(variable.dtype or run.dtype).itemsize
        for variable in source.schema.variables
    )


def _cut(source: Source, run: Run, lengths: Mapping[str, int], rates: Rates, budget: float) -> dict[str, int]:
    """Halve axes, in the source's order, until a tile fits both in memory and in time."""
    tile = {**lengths, **source.fixed_tile}
    for name in source.halving_order:
        while tile[name] > 1 and name not in source.fixed_tile:
            cost = source.tile_cost(tile)
            if cost.bytes <= budget and rates.seconds(cost) <= run.tile_seconds:
                return tile
            tile[name] = -(-tile[name] // 2)
    return tile


def _grow(
    source: Source, run: Run, lengths: Mapping[str, int], rates: Rates, budget: float, extension: Extension
) -> dict[str, int]:
    """Double axes, the last to be cut first, from one chunk for as long as a tile fits and holds few old cells: what
    shares a tile with new cells is computed again and thrown away."""
    tile = {name: min(extension.chunk[name], length) for name, length in lengths.items()} | source.fixed_tile
    for name in reversed(source.halving_order):
        old, new = extension.lengths[name], lengths[name] - extension.lengths[name]
        while tile[name] < lengths[name] and name not in source.fixed_tile:
            larger = {**tile, name: min(2 * tile[name], lengths[name])}
            mixed = old % larger[name] if new else 0
            cost = source.tile_cost(larger)
            if cost.bytes > budget or rates.seconds(cost) > run.tile_seconds:
                return tile
            if mixed > max(MOST_RECOMPUTED * new, old % tile[name]):
                break
            tile = larger
    return tile


def _describe(tile: Mapping[str, int]) -> str:
    return " x ".join(f"{length} {name}" for name, length in tile.items())

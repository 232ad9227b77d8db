"""From a source of cells to tiles that fit: how many, how large, how long, before anything runs."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from lidjax.errors import InputError
from lidjax.runs.location import Place
from lidjax.sweep.calibrate import Rates, calibrate
from lidjax.sweep.devices import Split, choose_split, usable_devices
from lidjax.sweep.source import Cost, Source
from lidjax.sweep.spec import Run

GIB = 2**30


MIXED = 0.05  # old values that may share a tile with new ones, as a part of the new; a heuristic


class Extends(NamedTuple):
    """The store that a plan adds to: its chunk, and its lengths so far."""

    chunk: Mapping[str, int]
    lengths: Mapping[str, int]


@dataclass(frozen=True)
class Plan:
    """A sweep cut into tiles, with its estimated cost."""

    lengths: Mapping[str, int]
    """Length of each cell axis, in storage order."""
    tile: Mapping[str, int]
    """Length of a tile along each axis; tiles at the far edge may be shorter."""
    num_k: int
    work: Cost
    tile_bytes: float
    store_bytes: float
    seconds: float
    device: str
    warnings: tuple[str, ...] = ()
    split: Split | None = None
    """How a tile is cut over the devices of this host; None on one device."""

    @property
    def num_cells(self) -> int:
        return math.prod(self.lengths.values())

    @property
    def tile_counts(self) -> dict[str, int]:
        return {name: -(-length // self.tile[name]) for name, length in self.lengths.items()}

    @property
    def num_tiles(self) -> int:
        return math.prod(self.tile_counts.values())

    @property
    def bytes_per_device(self) -> float:
        return self.tile_bytes / (self.split.parts if self.split else 1)

    def tile_at(self, index: int) -> dict[str, slice]:
        """The slices of tile number `index`, in storage order."""
        where = np.unravel_index(index, tuple(self.tile_counts.values()))
        return {
            name: slice(i * self.tile[name], min((i + 1) * self.tile[name], self.lengths[name]))
            for name, i in zip(self.lengths, map(int, where), strict=True)
        }

    def tiles(self) -> Iterator[dict[str, slice]]:
        """The slices of every tile, in storage order; made one at a time."""
        return (self.tile_at(index) for index in range(self.num_tiles))

    def any_per_tile(self, cells: np.ndarray) -> np.ndarray:
        """Whether any cell of each tile is marked: booleans over the cell axes to booleans over tile numbers."""
        for axis, (name, length) in enumerate(self.lengths.items()):
            cells = np.logical_or.reduceat(cells, np.arange(0, length, self.tile[name]), axis=axis)
        return cells.ravel()


def make_plan(
    source: Source,
    run: Run,
    *,
    rates: Rates | None = None,
    tile: Mapping[str, int] | None = None,
    extends: Extends | None = None,
    devices: list[Any] | None = None,
) -> Plan:
    """Cut the grid of `source` into tiles within the memory (on each device) and time that `run` allows one.

    `tile` overrides the cut (a store that is continued keeps its own); with `extends`, tiles are made of whole chunks
    of that store and keep its old cells apart from the new. Raises InputError where a single cell does not fit.
    """
    rates = rates or calibrate(run.dtype)
    devices = usable_devices() if devices is None else devices
    parallel = len(devices) if devices[0].platform != "cpu" else min(len(devices), os.cpu_count() or 1)
    rates = rates.times(parallel if source.shardable else 1)
    budget = run.memory_gib * GIB * (len(devices) if source.shardable else 1)
    lengths = {name: len(values) for name, values in source.axes.items()}
    if tile is None and extends is not None:
        tile = _grow(source, run, lengths, rates, budget, extends)
    elif tile is None:
        tile = _cut(source, run, lengths, rates, budget)
    tile_cost = source.tile_cost(tile)
    split = choose_split(source.shardable, tile, devices)
    if tile_cost.bytes > run.memory_gib * GIB * (split.parts if split else 1):
        raise InputError(
            f"run.memory_gib = {run.memory_gib:g}: the smallest tile, {_describe(tile)}, takes about "
            f"{tile_cost.bytes / GIB:.2g} GiB; allow more memory or make grid.dim, grid.k or the number of "
            "instances smaller"
        )
    work = source.total_cost()
    cells = math.prod(lengths.values())
    return Plan(
        lengths=lengths,
        tile=dict(tile),
        num_k=len(source.k),
        work=work,
        tile_bytes=tile_cost.bytes,
        store_bytes=cells * ((len(source.k) + 1) * source.k.itemsize + 1),
        seconds=rates.seconds(work),
        device=describe_device(),
        warnings=tuple(source.warnings()),
        split=split,
    )


def check_resources(plan: Plan, place: Place | None) -> None:
    """Raise InputError if a tile does not fit in memory or the store does not fit on the disk."""
    available = available_memory()
    needed = plan.bytes_per_device + (plan.store_bytes if place is None else 0)
    if available is not None and needed > available:
        raise InputError(
            f"the sweep needs about {needed / GIB:.2g} GiB of memory and {available / GIB:.2g} GiB are free; "
            "lower run.memory_gib" + (" or name an output folder" if place is None else "")
        )
    free = place.free_bytes() if place is not None else None
    if free is not None and plan.store_bytes > free:
        raise InputError(
            f"the store of {plan.num_cells:,} cells and {plan.num_k} values of k takes up to "
            f"{plan.store_bytes / GIB:.3g} GiB and {place} has {free / GIB:.3g} GiB free; "
            "name another --out or make the grid smaller"
        )


def available_memory() -> int | None:
    """Bytes that a device has free: of an accelerator its own, of a CPU what can be had without swapping; None where
    nobody tells."""
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


def describe_device() -> str:
    """Kind and number of the devices JAX will use."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"


def _cut(source: Source, run: Run, lengths: Mapping[str, int], rates: Rates, budget: float) -> dict[str, int]:
    """Halve axes, in the source's order, until a tile fits both in memory and in time."""
    tile = {**lengths, **source.fixed_tile}
    for name in source.split_order:
        while tile[name] > 1 and name not in source.fixed_tile:
            cost = source.tile_cost(tile)
            if cost.bytes <= budget and rates.seconds(cost) <= run.tile_seconds:
                return tile
            tile[name] = -(-tile[name] // 2)
    return tile


def _grow(
    source: Source, run: Run, lengths: Mapping[str, int], rates: Rates, budget: float, extends: Extends
) -> dict[str, int]:
    """Double axes, the last to be cut first, from one chunk for as long as a tile fits and holds few old cells: what
    shares a tile with new cells is computed again and thrown away."""
    tile = {name: min(extends.chunk[name], length) for name, length in lengths.items()} | source.fixed_tile
    for name in reversed(source.split_order):
        old, new = extends.lengths[name], lengths[name] - extends.lengths[name]
        while tile[name] < lengths[name] and name not in source.fixed_tile:
            larger = {**tile, name: min(2 * tile[name], lengths[name])}
            mixed = old % larger[name] if new else 0
            cost = source.tile_cost(larger)
            if cost.bytes > budget or rates.seconds(cost) > run.tile_seconds:
                return tile
            if mixed > max(MIXED * new, old % tile[name]):
                break
            tile = larger
    return tile


def _describe(tile: Mapping[str, int]) -> str:
    return " x ".join(f"{length} {name}" for name, length in tile.items())

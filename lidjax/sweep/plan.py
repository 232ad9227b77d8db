"""From a source of cells to tiles that fit: how many, how large, how long, before anything runs."""

import functools
import itertools
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp

from lidjax.errors import InputError
from lidjax.sweep.source import Cost, Source
from lidjax.sweep.spec import Run

GIB = 2**30


@dataclass(frozen=True)
class Rates:
    """What this device does in a second."""

    flops: float
    draws: float
    evaluations: float

    def seconds(self, cost: Cost) -> float:
        return cost.flops / self.flops + cost.draws / self.draws + cost.evaluations / self.evaluations


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

    @property
    def num_cells(self) -> int:
        return math.prod(self.lengths.values())

    @property
    def tile_counts(self) -> dict[str, int]:
        return {name: -(-length // self.tile[name]) for name, length in self.lengths.items()}

    @property
    def num_tiles(self) -> int:
        return math.prod(self.tile_counts.values())

    def tiles(self) -> Iterator[dict[str, slice]]:
        """The slices of every tile, in storage order; made one at a time."""
        for index in itertools.product(*(range(count) for count in self.tile_counts.values())):
            yield {
                name: slice(i * self.tile[name], min((i + 1) * self.tile[name], self.lengths[name]))
                for name, i in zip(self.lengths, index, strict=True)
            }


def make_plan(
    source: Source, run: Run, *, rates: Rates | None = None, tile: Mapping[str, int] | None = None
) -> Plan:
    """Cut the grid of `source` into tiles within the memory and time that `run` allows one.

    `tile` overrides the cut (a store that is continued keeps its own). Raises InputError where a single
    cell does not fit.
    """
    rates = rates or calibrate(run.dtype)
    lengths = {name: len(values) for name, values in source.axes.items()}
    if tile is None:
        tile = _cut(source, run, lengths, rates)
    tile_cost = source.tile_cost(tile)
    if tile_cost.bytes > run.memory_gib * GIB:
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
    )


def check_resources(plan: Plan, folder: Path | None) -> None:
    """Raise InputError if a tile does not fit in memory or the store does not fit on the disk."""
    available = available_memory()
    needed = plan.tile_bytes + (plan.store_bytes if folder is None else 0)
    if available is not None and needed > available:
        raise InputError(
            f"the sweep needs about {needed / GIB:.2g} GiB of memory and {available / GIB:.2g} GiB are free; "
            "lower run.memory_gib" + (" or name an output folder" if folder is None else "")
        )
    if folder is not None:
        place = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(place).free
        if plan.store_bytes > free:
            raise InputError(
                f"the store of {plan.num_cells:,} cells and {plan.num_k} values of k takes up to "
                f"{plan.store_bytes / GIB:.3g} GiB and {place} has {free / GIB:.3g} GiB free; "
                "name another --out or make the grid smaller"
            )


def available_memory() -> int | None:
    """Bytes of main memory that can be had without swapping; None where the system does not tell."""
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


@functools.cache
def calibrate(dtype: str, repeats: int = 3) -> Rates:
    """Time three small kernels, a fraction of a second in all: good for a factor of about two."""
    key = jax.random.key(0, impl="threefry2x32")
    with jax.enable_x64(dtype == "float64"):
        square = jnp.ones((512, 512), dtype)
        wide = jnp.linspace(0.1, 1.0, 200_000, dtype=dtype)
        matmul = _best_time(lambda a: jnp.matmul(a, a, precision="highest"), square, repeats=repeats)
        draw = _best_time(lambda a: jax.random.normal(key, a.shape, a.dtype) + a, wide, repeats=repeats)
        power = _best_time(lambda a: jnp.sum(jnp.exp(10 * jnp.log1p(-a / 2))), wide, repeats=repeats)
    # factorisations reach about a third of the rate of a matrix product on the CPUs looked at
    return Rates(flops=2 * 512**3 / matmul / 3, draws=wide.size / draw, evaluations=wide.size / power)


def _best_time(function, argument, *, repeats: int) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(argument))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(argument))
        times.append(time.perf_counter() - start)
    return max(min(times), 1e-7)


def _cut(source: Source, run: Run, lengths: Mapping[str, int], rates: Rates) -> dict[str, int]:
    """Halve axes, in the source's order, until a tile fits both in memory and in time."""
    tile = {**lengths, **source.fixed_tile}
    for name in source.split_order:
        while tile[name] > 1 and name not in source.fixed_tile:
            cost = source.tile_cost(tile)
            if cost.bytes <= run.memory_gib * GIB and rates.seconds(cost) <= run.tile_seconds:
                return tile
            tile[name] = -(-tile[name] // 2)
    return tile


def _describe(tile: Mapping[str, int]) -> str:
    return " x ".join(f"{length} {name}" for name, length in tile.items())

"""Time and memory of a run, from a few of its own tiles: computed, timed and thrown away."""

import resource
import sys
import time
from typing import NamedTuple

import jax
import numpy as np

from lidjax.sweep.compute import TileComputer
from lidjax.sweep.plan import Plan
from lidjax.sweep.source import Source

BUDGET_SECONDS = 6.0  # of computing, after which no further tile is begun
SAMPLES = 9


class Forecast(NamedTuple):
    """What a run will come to on this machine."""

    seconds: float
    """Of computing, once programs are compiled."""
    compile_seconds: float
    """Of compiling, where no compiled program is kept from before: what the first of two equal tiles took longer."""
    peak_bytes: int
    """Of the process, or of one accelerator."""
    tiles: int
    """How many were measured."""


def forecast(source: Source, plan: Plan) -> Forecast:
    """Compute tiles spread over the grid, each twice, until the budget is spent; the mean stands for the others."""
    import lidjax.sweep.session  # noqa: F401  # Zarr and xarray, which a run has in memory too

    compute = TileComputer(source, plan)
    spread = np.unique(np.linspace(0, plan.num_tiles - 1, SAMPLES).round().astype(int)).tolist()
    middle_first = spread[len(spread) // 2 :: -1] + spread[len(spread) // 2 + 1 :]
    order = middle_first[::2] + middle_first[1::2]
    times, compiling = [], 0.0
    for index in order:
        tile = plan.tile_at(index)
        first, second = _seconds(compute, tile), _seconds(compute, tile)
        times.append(second)
        compiling += max(first - second, 0.0)
        if sum(times) > BUDGET_SECONDS:
            break
    return Forecast(float(np.mean(times)) * plan.num_tiles, compiling, peak_memory(), len(times))


def peak_memory() -> int:
    """Bytes: the most that an accelerator of this process held, or the process itself where there is none."""
    if jax.default_backend() != "cpu":
        stats = [device.memory_stats() or {} for device in jax.local_devices()]
        return max(s.get("peak_bytes_in_use", 0) for s in stats)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _seconds(compute: TileComputer, tile: dict[str, slice]) -> float:
    start = time.perf_counter()
    compute(tile)
    return time.perf_counter() - start

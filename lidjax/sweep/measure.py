"""Time and memory that a run will take, measured on a few of its own tiles. Their results are discarded."""

import importlib
import resource
import sys
import time
from typing import NamedTuple

import jax
import numpy as np

from lidjax.progress import Progress, no_progress
from lidjax.sweep.compute import TileComputer
from lidjax.sweep.plan import Plan
from lidjax.sweep.source import Source

BUDGET_SECONDS = 10.0
"""Time of measuring after which no more tile is started, with compilation."""
SAMPLES = 9


class Measurement(NamedTuple):
    """What a run will take on this machine, measured on some of its tiles."""

    seconds: float
    """Time of computing, once the programs are compiled."""
    compile_seconds: float
    """Time of compilation, if no compiled program is cached: of each tile, the first time minus the second."""
    peak_bytes: int
    """Peak memory of the process, or of one accelerator."""
    tiles: int
    """How many tiles were measured."""


def measure(
    source: Source, plan: Plan, seconds: float | None = None, progress: Progress = no_progress
) -> Measurement:
    """Compute tiles spread over the grid, each twice, and extrapolate their mean to all tiles that a run would compute.

    After `seconds` no further tile is started; one is measured at least.
    """
    limit = BUDGET_SECONDS if seconds is None else seconds
    importlib.import_module("lidjax.runs.session")  # Zarr and xarray, which a run has in memory too

    compute = TileComputer(source, plan)
    spread = np.unique(np.linspace(0, plan.num_tiles - 1, SAMPLES).round().astype(int)).tolist()
    middle_first = spread[len(spread) // 2 :: -1] + spread[len(spread) // 2 + 1 :]
    order = middle_first[::2] + middle_first[1::2]
    times: list[float] = []
    compiling, begin = 0.0, time.perf_counter()
    for index in progress("tiles to measure", order):
        tile = plan.tile_at(index)
        first, second = _seconds(compute, tile), _seconds(compute, tile)
        times.append(second)
        compiling += max(first - second, 0.0)
        if time.perf_counter() - begin > limit:
            break
    tiles = plan.num_tiles if plan.tiles_to_run is None else plan.tiles_to_run
    return Measurement(float(np.mean(times)) * tiles, compiling, peak_memory(), len(times))


def peak_memory() -> int:
    """Peak memory in bytes of an accelerator of this process, or of the process itself if there is none."""
    if jax.default_backend() != "cpu":
        stats = [device.memory_stats() or {} for device in jax.local_devices()]
        return max(s.get("peak_bytes_in_use", 0) for s in stats)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _seconds(compute: TileComputer, tile: dict[str, slice]) -> float:
    start = time.perf_counter()
    compute(tile)
    return time.perf_counter() - start

"""Dividing a tile among the devices of this host.

Only devices that this process owns are used: processes of a cluster never share a tile and need no collectives.
"""

import math
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from lidjax.sweep.compiler import Effort, compiler_options

AXIS = "cells"
SAFE_FLAG = "--xla_cpu_multi_thread_eigen=false"


class TileSharding(NamedTuple):
    """How a tile is divided among devices: into equal parts along one of its axes."""

    axis: str
    mesh: Mesh

    @property
    def parts(self) -> int:
        return self.mesh.size

    def padded(self, length: int) -> int:
        """The smallest multiple of the number of devices that holds `length`."""
        return -(-length // self.parts) * self.parts


def usable_devices() -> list[Any]:
    """The devices that a tile is divided among.

    Several CPU devices share XLA's thread pool, which can then deadlock: in 9 of 17 runs of a batched Cholesky on two
    of them, in none of 10 with `--xla_cpu_multi_thread_eigen=false`. Without that flag, which has to be set before JAX
    starts, one device is used and a warning says so. The command line sets it.
    """
    devices = jax.local_devices()
    if (
        len(devices) > 1
        and devices[0].platform == "cpu"
        and not eigen_is_safe(os.environ.get("XLA_FLAGS", ""))
    ):
        warnings.warn(
            f"one of {len(devices)} CPU devices is used: with several XLA can deadlock unless XLA_FLAGS contains "
            f"{SAFE_FLAG} before JAX starts",
            RuntimeWarning,
            stacklevel=2,
        )
        return devices[:1]
    return devices


def eigen_is_safe(flags: str) -> bool:
    """Whether XLA_FLAGS turn multi-threaded Eigen off; of several settings the last counts."""
    settings = [flag for flag in flags.split() if flag.startswith("--xla_cpu_multi_thread_eigen")]
    return bool(settings) and settings[-1] == SAFE_FLAG


def choose_sharding(
    shardable: tuple[str, ...], tile: Mapping[str, int], devices: list[Any]
) -> TileSharding | None:
    """Divide along the axis that needs the least padding; None for one device, or where no axis can be divided."""
    parts = len(devices)
    wide = [name for name in shardable if tile[name] > 1]
    if parts < 2 or not wide:
        return None
    axis = min(wide, key=lambda name: math.ceil(tile[name] / parts) * parts / tile[name])
    return TileSharding(axis, Mesh(np.asarray(devices), (AXIS,)))


def on_mesh(
    tile: Callable[..., Any],
    sharding: TileSharding | None,
    arguments: tuple[tuple[str, ...] | None, ...],
    result: tuple[str, ...],
    effort: Effort,
) -> Callable[..., Any]:
    """`tile` jitted, each device computing its part along `sharding.axis`.

    `arguments` names the axes of each argument in order: a tuple for an array; None for one that every device gets
    whole. The first argument is a dict of axes by name, each divided if it is the sharded one. `result` names the
    result's axes. `tile` receives the lengths of one part. `effort` is what the compiler may spend on it.
    """
    if sharding is None:
        return jax.jit(tile, compiler_options=compiler_options(effort))

    def spec(names: tuple[str, ...] | None) -> P:
        return P(*(AXIS if name == sharding.axis else None for name in names or ()))

    def sharded(axes: Mapping[str, Any], *rest: Any) -> Any:
        first = {name: P(AXIS) if name == sharding.axis else P() for name in axes}
        run = jax.shard_map(
            tile,
            mesh=sharding.mesh,
            in_specs=(first, *map(spec, arguments)),
            out_specs=spec(result),
            check_vma=False,  # keys and loops over them have no varying type yet
        )
        return run(axes, *rest)

    return jax.jit(sharded, compiler_options=compiler_options(effort))


def part_lengths(lengths: Mapping[str, int], sharding: TileSharding | None) -> dict[str, int]:
    """Lengths of the axes as one device sees them."""
    return {
        name: length // sharding.parts if sharding and name == sharding.axis else length
        for name, length in lengths.items()
    }

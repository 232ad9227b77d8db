"""How fast this machine is, measured with three small kernels: enough to choose the size of a tile."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from lidjax.sweep.cost import Cost


@dataclass(frozen=True)
class Rates:
    """Work that this device does in a second, in the units of `Cost`."""

    flops: float
    draws: float
    evaluations: float

    def seconds(self, cost: Cost) -> float:
        return cost.flops / self.flops + cost.draws / self.draws + cost.evaluations / self.evaluations

    def times(self, devices: int) -> "Rates":
        """The rates of several such devices at once."""
        return Rates(self.flops * devices, self.draws * devices, self.evaluations * devices)


@functools.cache
def calibrate(dtype: str, repeats: int = 3) -> Rates:
    """Time three small kernels, a fraction of a second in all. The rates are right to a factor of about two."""
    key = jax.random.key(0, impl="threefry2x32")
    with jax.enable_x64(dtype == "float64"):
        square = jnp.ones((512, 512), dtype)
        wide = jnp.linspace(0.1, 1.0, 200_000, dtype=dtype)
        matmul = _best_time(lambda a: jnp.matmul(a, a, precision="highest"), square, repeats=repeats)
        draw = _best_time(lambda a: jax.random.normal(key, a.shape, a.dtype) + a, wide, repeats=repeats)
        power = _best_time(lambda a: jnp.sum(jnp.exp(10 * jnp.log1p(-a / 2))), wide, repeats=repeats)
    # factorisations reach about a third of the rate of a matrix product on the CPUs looked at
    return Rates(flops=2 * 512**3 / matmul / 3, draws=wide.size / draw, evaluations=wide.size / power)


def _best_time(function: Callable[[jax.Array], jax.Array], argument: jax.Array, *, repeats: int) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(argument))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(argument))
        times.append(time.perf_counter() - start)
    return max(min(times), 1e-7)

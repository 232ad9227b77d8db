"""`python -m pytest -o addopts= benchmarks` runs these; `--benchmark-json FILE` keeps the measurements.

Without `-o addopts=` the run-time checks of the tests would be timed too."""

import jax
import jax.numpy as jnp
import pytest

jax.config.update("jax_enable_x64", True)


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    return jnp.dtype(request.param)


@pytest.fixture
def seconds(benchmark):
    """Time a compiled function of no arguments; returns its shortest time."""

    def measure(function, rounds: int = 7) -> float:
        jax.block_until_ready(function())
        benchmark.pedantic(lambda: jax.block_until_ready(function()), rounds=rounds, iterations=1)
        return benchmark.stats.stats.min

    return measure

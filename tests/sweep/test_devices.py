"""Tiles cut over several devices: the same numbers on 1, 2, 4 and 8, and no way into XLA's deadlock on CPUs.

Fake devices have to be there before JAX starts, so runs on them are processes of their own, each with a watchdog.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from lidjax.sweep import devices as mesh
from lidjax.sweep.devices import choose_sharding, eigen_is_safe, usable_devices

ROOT = Path(__file__).resolve().parents[2]
FLAGS = os.environ.get("XLA_FLAGS", "")  # those of the other tests: what compiles fast


def on_devices(count, code, *, flags=mesh.SAFE_FLAG, timeout=240):
    """Standard output of `code`, run on `count` fake CPU devices in float64."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": f"{FLAGS} --xla_force_host_platform_device_count={count} {flags}",
    }
    environment.pop("JAX_NUM_CPU_DEVICES", None)
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=timeout
    )


SWEEPS = """
import dataclasses, json, sys
import numpy as np
import jax
from lidjax.sweep.calibrate import Rates
from lidjax.sweep.compute import compute_tile
from lidjax.sweep.plan import make_plan
from lidjax.sweep.run import open_source
from lidjax.sweep import (Correlated, CorrelatedGrid, CorrelatedSpec, Frontier, FrontierGrid, FrontierSpec, Model,
                          RandomFeaturesGrid, RandomFeaturesSpec, SgdGrid, SgdSpec, SyntheticGrid, SyntheticSpec)

def grid(n, seeds):
    return SyntheticGrid(n=n, k=(1.0, 10.0), dim=(6,), ridge=(1e-2,), beta=(2.5, 4.0), sigma_eta=(0.1,), delta=(0.05,),
                         seed=tuple(range(seeds)))

specs = {
    "seeds": SyntheticSpec(grid=grid((4, 9, 40), 8)),
    "padded seeds": SyntheticSpec(grid=grid((20,), 7)),
    "sizes": SyntheticSpec(grid=grid((3, 4, 5, 9, 20, 40, 80), 1)),
    "instances": SyntheticSpec(grid=grid((9, 40), 5), model=Model(failure="instances", num_instances=50)),
    "sgd": SgdSpec(grid=SgdGrid(steps=(3, 20), k=(1.0, 10.0), dim=(6,), beta=(2.5, 4.0), learning_rate=(0.1, 0.3),
                                seed=tuple(range(5)))),
    "rates": SgdSpec(grid=SgdGrid(steps=(3, 20), k=(1.0, 10.0), dim=(6,), learning_rate=(0.1, 0.2, 0.3))),
    "widths": RandomFeaturesSpec(grid=RandomFeaturesGrid(n=(4, 9), width=(3, 5, 20), k=(1.0, 10.0), dim=(6,),
                                                         sigma_eta=(0.1,), delta=(0.05,), seed=tuple(range(5)))),
    "correlated": CorrelatedSpec(grid=CorrelatedGrid(n=(20,), k=(1.0, 10.0), dim=(6,), correlation=(-0.5, 0.5),
                                                     sigma_eta=(0.1,), delta=(0.05,), seed=tuple(range(5))),
                                 correlated=Correlated(num_instances=50)),
    "zipf": FrontierSpec(grid=FrontierGrid(samples=(10, 100), seed=tuple(range(6))), frontier=Frontier(vocabulary=50)),
}
RATES = Rates(1e10, 1e8, 1e8)
results = {}
jax.config.update("jax_enable_x64", True)
for name in sys.argv[1:] or specs:
    source = open_source(specs[name])
    for devices in (jax.devices(), jax.devices()[:1]):
        plan = make_plan(source, specs[name].run, rates=RATES, devices=devices)
        (tile,) = plan.tiles()
        result = compute_tile(source, plan, tile)
        axis = plan.sharding.axis if plan.sharding else None
        results[f"{name} {len(devices)}"] = [axis, *(result[v].ravel().tolist() for v in result)]
print(json.dumps(results))
"""


def check_the_same(results, count, name, axis):
    found, one = results[f"{name} {count}"], results[f"{name} 1"]
    assert (found[0], one[0]) == (axis, None)
    for ours, theirs in zip(found[1:], one[1:], strict=True):
        assert np.isfinite(theirs).all()
        assert len(set(theirs)) > len(theirs) // 4  # no cell stands in for another
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_a_tile_over_four_devices_has_the_numbers_of_one():
    """Six seeds on four devices: two places are padding. (The cheapest to compile; the other sources are slow.)"""
    results = json.loads(on_devices(4, "import sys; sys.argv[1:] = ['zipf']\n" + SWEEPS).stdout)
    check_the_same(results, 4, "zipf", "seed")


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4, 8])
def test_every_source_has_the_same_numbers_on_any_number_of_devices(count):
    results = json.loads(on_devices(count, SWEEPS).stdout)
    check_the_same(results, count, "seeds", "seed")
    check_the_same(results, count, "padded seeds", "seed")
    check_the_same(results, count, "sizes", "n")
    check_the_same(results, count, "instances", "n" if count == 2 else "seed")
    check_the_same(results, count, "widths", "n" if count == 2 else "seed")
    check_the_same(results, count, "correlated", "seed")
    check_the_same(results, count, "zipf", "seed")
    check_the_same(results, count, "sgd", "learning_rate" if count == 2 else "seed")
    check_the_same(results, count, "rates", "learning_rate")


class Fake:
    def __init__(self, platform="gpu"):
        self.platform = platform


def test_the_axis_with_the_least_padding_is_cut():
    devices = jax.devices() * 4  # choose_sharding looks at their number; no program is made
    for tile, axis in (
        ({"seed": 8, "n": 30}, "seed"),
        ({"seed": 5, "n": 12}, "n"),
        ({"seed": 1, "n": 30}, "n"),
        ({"seed": 3, "n": 1}, "seed"),
    ):
        sharding = choose_sharding(("seed", "n"), tile, [*devices])
        assert sharding is not None
        assert sharding.axis == axis
    assert choose_sharding(("seed", "n"), {"seed": 1, "n": 1}, [*devices]) is None
    assert choose_sharding((), {"seed": 8}, [*devices]) is None
    assert choose_sharding(("seed",), {"seed": 8}, devices[:1]) is None


@pytest.mark.parametrize(
    ("flags", "safe"),
    [
        ("", False),
        ("--xla_cpu_multi_thread_eigen=false", True),
        ("--xla_cpu_multi_thread_eigen=true", False),
        ("--xla_cpu_multi_thread_eigen=false --xla_cpu_multi_thread_eigen=true", False),
        ("--xla_cpu_multi_thread_eigen=true --x --xla_cpu_multi_thread_eigen=false", True),
    ],
)
def test_which_flags_keep_clear_of_the_deadlock(flags, safe, monkeypatch):
    """Without them several CPU devices are one, and a warning tells; several GPUs are several."""
    assert eigen_is_safe(flags) is safe
    monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.setattr(jax, "local_devices", lambda: [Fake("cpu"), Fake("cpu")])
    if safe:
        assert len(usable_devices()) == 2
    else:
        with pytest.warns(RuntimeWarning, match="deadlock"):
            assert len(usable_devices()) == 1
    monkeypatch.setattr(jax, "local_devices", lambda: [Fake("gpu"), Fake("gpu")])
    assert len(usable_devices()) == 2


@pytest.mark.parametrize("flags", ["", "--xla_cpu_multi_thread_eigen=true"])
@pytest.mark.parametrize("variable", ["XLA_FLAGS", "JAX_NUM_CPU_DEVICES"])
def test_the_command_line_sets_the_flag_whatever_the_user_did(monkeypatch, flags, variable):
    from lidjax.cli.main import _prepare_jax

    monkeypatch.setenv(
        "XLA_FLAGS", f"{flags} --xla_force_host_platform_device_count=4" if variable == "XLA_FLAGS" else flags
    )
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1" if variable == "XLA_FLAGS" else "4")
    _prepare_jax()
    assert eigen_is_safe(os.environ["XLA_FLAGS"])


@pytest.mark.slow
@pytest.mark.timeout(2500)
def test_twenty_runs_on_two_devices_all_end():
    """The batched Cholesky that hung in 9 of 17 runs with default flags (d = 512), with the command line's settings."""
    code = """
import os, jax
from lidjax.cli.main import _prepare_jax
_prepare_jax()
from lidjax.sweep import Run, SyntheticGrid, SyntheticSpec
from lidjax import run_sweep
grid = SyntheticGrid(n=(1024,), k=(1.0, 10.0), dim=(512,), ridge=(1e-3,), seed=tuple(range(8)))
run_sweep(SyntheticSpec(grid=grid, run=Run(tile_seconds=100.0)))
print(len(jax.devices()))
"""
    for _ in range(20):
        assert (
            on_devices(2, code, flags="--xla_cpu_multi_thread_eigen=true", timeout=120).stdout.strip() == "2"
        )

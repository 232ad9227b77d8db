"""The measurement of a run: from tiles of its own, spread over the grid."""

import time

import numpy as np
import pytest
from helpers.numpy_source import NumpySource, spec_of

from lidjax.sweep import measure as measure_module
from lidjax.sweep.calibrate import Rates
from lidjax.sweep.measure import measure
from lidjax.sweep.plan import make_plan

SLOW = Rates(1e3, 1e3, 1e3)  # cuts to single cells


class TimedSource(NumpySource):
    """A cell takes 1 ms for N = 10 and 3 ms for N = 20; the first tile of an N is compiled, 20 ms."""

    def __init__(self, spec):
        super().__init__(spec)
        self.compiled = set()

    def evaluate(self, coords, sharding=None):
        (n,) = coords["n"].tolist()
        time.sleep({10: 0.001, 20: 0.003}[n] + 0.02 * (n not in self.compiled))
        self.compiled.add(n)
        return super().evaluate(coords)


def test_time_is_that_of_tiles_over_the_whole_grid():
    """80 tiles, 160 ms by construction; asked for within a factor of 2, sleeps being longer than asked for."""
    spec = spec_of(n=(10, 20), seed=tuple(range(40)))
    source = TimedSource(spec)
    plan = make_plan(source, spec.run, rates=SLOW)
    start = time.perf_counter()
    for tile in plan.tiles():
        source.evaluate({name: source.axes[name][part] for name, part in tile.items()})
    real = time.perf_counter() - start - 0.04
    source.compiled.clear()
    found = measure(source, plan)
    assert found.tiles == 9
    assert real / 2 < found.seconds < 2 * real
    assert 0.03 < found.compile_seconds < 0.2
    assert 50 * 2**20 < found.peak_bytes < 2**40


@pytest.mark.parametrize("budget", [0.0, 1e9])
def test_a_budget_ends_it_and_no_tile_is_measured_twice(monkeypatch, budget):
    monkeypatch.setattr(measure_module, "BUDGET_SECONDS", budget)
    spec = spec_of(n=(10, 20, 30), seed=(0, 1, 2, 3, 4))
    source = NumpySource(spec)
    found = measure(source, make_plan(source, spec.run, rates=SLOW))
    assert found.tiles == (1 if budget == 0 else 9)
    assert len(source.tiles) == 2 * found.tiles
    cells = [(tile["n"].item(), tile["seed"].item()) for tile in source.tiles[::2]]
    assert len(set(cells)) == found.tiles
    if budget:
        assert np.ptp([n for n, _ in cells]) == 20

"""Plans: tiles cover every cell once, fit the budget, and large grids are never enumerated."""

import dataclasses
import itertools
import shutil

import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.runs.location import open_location
from lidjax.sweep import Run, SyntheticGrid, SyntheticSpec
from lidjax.sweep import plan as plan_module
from lidjax.sweep.calibrate import Rates, calibrate
from lidjax.sweep.plan import check_resources, make_plan
from lidjax.sweep.sources.synthetic.source import SyntheticSource

RATES = Rates(flops=1e10, draws=1e8, evaluations=1e8)


def plan_of(spec, **run):
    spec = dataclasses.replace(spec, run=dataclasses.replace(spec.run, **run))
    return make_plan(SyntheticSource(spec), spec.run, rates=RATES)


@pytest.mark.parametrize("tile_seconds", [1e3, 1e-2, 1e-4, 1e-9])
def test_tiles_cover_every_cell_once(small_spec, tile_seconds):
    plan = plan_of(small_spec, tile_seconds=tile_seconds)
    count = np.zeros(tuple(plan.lengths.values()), int)
    for tile in plan.tiles():
        count[tuple(tile.values())] += 1
    assert (count == 1).all()
    assert len(list(plan.tiles())) == plan.num_tiles
    assert plan.num_cells == 24


def test_smaller_budgets_make_smaller_tiles_within_them(small_spec):
    source = SyntheticSource(small_spec)
    whole = plan_of(small_spec)
    cut = plan_of(small_spec, memory_gib=whole.tile_bytes / 2**30 / 4)
    assert cut.num_tiles > whole.num_tiles == 1
    assert source.tile_cost(cut.tile).bytes <= whole.tile_bytes / 4


def test_a_tile_never_mixes_dimensions():
    spec = SyntheticSpec(grid=SyntheticGrid(n=(10, 40), k=(1.0, 2.0, 4.0), dim=(4, 8, 16)))
    plan = plan_of(spec)
    assert plan.tile["dim"] == 1
    assert plan.num_tiles == 3


def test_ten_million_cells_are_planned_without_listing_them():
    grid = SyntheticGrid(n=tuple(range(10, 1010)), k=(1.0, 10.0, 100.0), seed=tuple(range(10_000)), dim=(8,))
    plan = plan_of(SyntheticSpec(grid=grid))
    assert plan.num_cells == 10**7
    assert plan.num_tiles > 1
    first, second = itertools.islice(plan.tiles(), 2)
    assert first["n"] == slice(0, plan.tile["n"])
    assert (second["n"], second["seed"]) != (first["n"], first["seed"])


def test_a_cell_that_does_not_fit_is_refused_with_the_number(small_spec):
    with pytest.raises(InputError, match=r"run.memory_gib = 1e-09: the smallest tile.* takes about \S+ KiB"):
        plan_of(small_spec, memory_gib=1e-9)


def test_more_memory_than_the_machine_has_is_refused_with_the_number(small_spec, monkeypatch):
    monkeypatch.setattr(plan_module, "available_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"KiB of memory and 1000 bytes are free"):
        check_resources(plan_of(small_spec), None)


def test_more_disk_than_there_is_is_refused_with_the_number(small_spec, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(InputError, match="24 cells and 13 values of k takes up to"):
        check_resources(plan_of(small_spec), open_location(tmp_path / "new" / "folder"))


def test_work_grows_with_the_grid(small_spec):
    twice = dataclasses.replace(small_spec, grid=dataclasses.replace(small_spec.grid, seed=tuple(range(6))))
    assert plan_of(twice).work.flops == pytest.approx(2 * plan_of(small_spec).work.flops)
    assert plan_of(twice).seconds > plan_of(small_spec).seconds


def test_calibration_measures_positive_rates():
    rates = calibrate(Run().dtype, repeats=1)
    assert min(rates.flops, rates.draws, rates.evaluations) > 1e4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n": (2, 16), "dim": (16,), "ridge": (0.0,)}, "next to grid.dim = 16"),
        (
            {
                "n": (64,),
                "dim": (16,),
                "k": (1.0, 1e12),
                "beta": (4.0,),
                "delta": (0.1,),
                "sigma_eta": (0.1,),
            },
            "1e-38",
        ),
        ({"n": (64,), "dim": (16,)}, None),
    ],
)
def test_float32_is_warned_of_where_it_does_not_do(changes, words):
    spec = SyntheticSpec(grid=SyntheticGrid(**{"k": (1.0, 2.0, 4.0), **changes}))
    assert plan_of(spec).warnings == ()
    warnings = plan_of(spec, dtype="float32").warnings
    assert len(warnings) == (words is not None)
    if words:
        assert words in warnings[0]


def test_a_tile_is_priced_with_every_kernel_that_runs_on_it(small_spec):
    """N below and above d want two kernels: in one tile both run on all N, in tiles of their own on theirs."""
    together = SyntheticSource(small_spec)
    whole = {name: len(values) for name, values in together.axes.items()}
    apart = together.run_cost(whole | {"n": 2})
    both = together.run_cost(whole)
    kernels = {together.method_of(**_hardest(together), n=n) for n in together.axes["n"].tolist()}
    assert len(kernels) == 2
    assert both.draws > 1.5 * apart.draws
    assert both.flops > 1.5 * apart.flops
    assert together.compile_seconds(together.axes) > together.compile_seconds(
        together.axes | {"n": together.axes["n"][:1]}
    )


def _hardest(source):
    axes = source.axes
    values = {name: axes[name][0].item() for name in ("alpha", "ridge", "dim")}
    return values | {"beta": axes["beta"].max().item(), "sigma_eta": axes["sigma_eta"].min().item()}


def test_gamma_draws_of_test_instances_have_their_price(small_spec):
    """A Gamma variate costs some twenty normal ones, which a bounded precision does without."""

    def draws(**model):
        spec = dataclasses.replace(small_spec, model=dataclasses.replace(small_spec.model, **model))
        return SyntheticSource(spec).total_cost().draws

    instances = {"failure": "instances", "num_instances": 100_000}
    gamma, power = draws(**instances), draws(**instances, difficulty="power")
    assert gamma > 5 * power
    assert draws(**instances | {"failure": "draws"}) > 1.5 * gamma
    assert gamma > 20 * 24 * 100_000


@pytest.mark.parametrize(
    ("seconds", "compiling", "tiles", "pays"),
    [(20, 10, 10, False), (3600, 8, 3600, True), (3600, 20, 3600, False)],
)
def test_measuring_takes_a_tenth_of_a_run_and_ten_seconds_at_most(
    small_spec, seconds, compiling, tiles, pays
):
    plan = dataclasses.replace(
        plan_of(small_spec),
        seconds=float(seconds),
        compile_seconds=float(compiling),
        tile_compile_seconds=float(compiling),
        tiles_to_run=tiles,
    )
    assert plan.measuring_pays == pays
    assert plan.measuring_seconds == min(10.0, 0.1 * (seconds + compiling))

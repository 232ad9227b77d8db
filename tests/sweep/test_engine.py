"""The engine: the numbers of a cell depend on the cell alone, whatever tile, order or grid it runs in."""

import dataclasses

import jax
import numpy as np
import pytest
from helpers.sweep_fixtures import K

from lidjax import run_sweep
from lidjax.generalization import lgen_cell
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.passk import pass_at_k_failure
from lidjax.status import CellStatus
from lidjax.sweep import Model, SyntheticGrid, SyntheticSpec
from lidjax.sweep.calibrate import Rates
from lidjax.sweep.compute import compute_tile
from lidjax.sweep.plan import make_plan
from lidjax.sweep.sources.synthetic.programs import TRACES, TrainingSize, cell_keys
from lidjax.sweep.sources.synthetic.source import SyntheticSource

SLOW = Rates(flops=1e3, draws=1e3, evaluations=1e3)  # makes the plan cut to single cells


def change_grid(spec, **axes):
    return dataclasses.replace(spec, grid=dataclasses.replace(spec.grid, **axes))


def test_results_are_labelled_and_complete(small_spec):
    data = run_sweep(small_spec)
    assert data["lgen"].dims == ("beta", "alpha", "dim", "ridge", "sigma_eta", "delta", "n", "seed")
    assert data["failure"].dims == (*data["lgen"].dims, "k")
    assert data["failure"].shape == (2, 1, 1, 1, 1, 1, 4, 3, 13)
    assert (data["status"] == CellStatus.OK).all()
    assert (data["lgen"] > 0).all()
    assert ((data["failure"] >= 0) & (data["failure"] <= 1)).all()
    assert (data["failure"].diff("k") < 0).all()
    assert data["lgen"].attrs["units"] == "squared units of y"
    assert data.attrs["spec"]["grid"]["beta"] == [2.5, 5.0]
    assert data.sel(beta=2.5, n=20, seed=5)["lgen"].size == 1


def test_a_cell_equals_its_kernels_called_alone(small_spec):
    """The slow twin of planning, padding, nesting vmaps and storing: one cell, one call."""
    data = run_sweep(small_spec)
    model = {"eigenvalues": power_law_spectrum(8, 1.0), "theta": power_law_teacher(8)}
    kernel = jax.jit(lgen_cell, static_argnames="method")
    for n, method in ((7, "dual"), (100, "bartlett")):
        size = TrainingSize(np.float64(n), np.array([0, n], np.uint32))
        key = cell_keys(jax.random.key(3), 8, size, np.uint32(5))[0]
        alone = kernel(key, n, **model, beta=5.0, sigma_eta=0.1, ridge=1e-2, method=method)
        cell = data.sel(beta=5.0, n=n, seed=5)
        np.testing.assert_allclose(cell["lgen"].item(), alone, rtol=1e-9)
        other = data["lgen"].sel(beta=5.0, n=n, seed=1).item()
        assert abs(other - alone) > 1e-6 * alone  # a wrong seed would be seen
        failure = pass_at_k_failure(data["k"].values, alone, beta=5.0, delta=0.05, sigma_eta=0.1)
        np.testing.assert_allclose(cell["failure"].values.ravel(), failure, rtol=1e-6)


def test_a_grid_over_ridges_takes_the_cheapest_identity_of_each_cell(small_spec):
    """ "krylov" where few directions matter, beside other laws in the same tile; each cell as if alone."""
    ridges = (0.0, 0.3, 1.0)
    spec = change_grid(small_spec, n=(200, 10**6), beta=(2.5,), seed=(0, 4), dim=(48,), ridge=ridges)
    source, data = SyntheticSource(spec), run_sweep(spec)
    eigenvalues, theta = power_law_spectrum(48, 1.0), power_law_teacher(48)
    known = {"beta": 2.5, "sigma_eta": 0.1}
    methods = [source.method_of(alpha=1.0, dim=48, ridge=r, n=10**6, **known) for r in ridges]
    assert methods == ["scalar", "krylov", "krylov"]
    for ridge, method in zip(ridges, methods, strict=True):
        size = TrainingSize(np.float64(10**6), np.array([0, 10**6], np.uint32))
        key = cell_keys(jax.random.key(3), 48, size, np.uint32(4))[0]
        alone = lgen_cell(
            key, 10**6, eigenvalues=eigenvalues, theta=theta, ridge=ridge, method=method, **known
        )
        np.testing.assert_allclose(data["lgen"].sel(ridge=ridge, n=10**6, seed=4).item(), alone, rtol=1e-9)


def test_tiles_of_any_size_give_the_same_cells(small_spec):
    source = SyntheticSource(small_spec)
    whole = make_plan(source, small_spec.run, tile={name: len(v) for name, v in source.axes.items()})
    single = make_plan(source, small_spec.run, rates=SLOW)
    assert (whole.num_tiles, single.num_tiles) == (1, 24)
    (tile,) = whole.tiles()
    together = compute_tile(source, whole, tile)
    for tile in single.tiles():
        alone = compute_tile(source, single, tile)
        where = tuple(tile.values())
        np.testing.assert_allclose(alone["lgen"], together["lgen"][where], rtol=1e-9)
        np.testing.assert_allclose(alone["failure"], together["failure"][where], rtol=1e-7)


def test_new_grid_values_change_no_old_cell(small_spec):
    small = run_sweep(change_grid(small_spec, n=(20, 100)))
    large = run_sweep(change_grid(small_spec, n=(11, 20, 100, 300), seed=(5, 0, 9, 1), beta=(1.5, 2.5, 5.0)))
    shared = large.sel(n=small["n"], seed=small["seed"], beta=small["beta"])
    np.testing.assert_allclose(shared["lgen"], small["lgen"], rtol=1e-9)
    np.testing.assert_allclose(shared["failure"], small["failure"], rtol=1e-7)


def test_one_trace_serves_every_tile_of_a_shape(small_spec):
    spec = change_grid(small_spec, n=(20, 40, 80, 160, 320), seed=tuple(range(5)))
    source = SyntheticSource(spec)
    tile = dict.fromkeys(source.axes, 1) | {"n": 2, "seed": 3}  # both axes end in a part tile
    plan = make_plan(source, spec.run, tile=tile)
    before = sum(TRACES.values())
    for part in plan.tiles():
        compute_tile(source, plan, part)
    assert plan.num_tiles == 2 * 3 * 2
    assert sum(TRACES.values()) == before + 1
    run_sweep(spec)
    after = sum(TRACES.values())
    run_sweep(change_grid(spec, beta=(1.7, 3.3), ridge=(2e-2,)))  # other numbers, the same program
    assert sum(TRACES.values()) == after


def test_cells_that_differ_in_beta_share_their_random_numbers(small_spec):
    """σ_η scales the noise and nothing else: with OLS, L_gen is proportional to σ_η² cell by cell."""
    spec = change_grid(small_spec, n=(20, 100), ridge=(0.0,), sigma_eta=(0.1, 0.3))
    lgen = run_sweep(spec)["lgen"]
    np.testing.assert_allclose(lgen.sel(sigma_eta=0.3), 9 * lgen.sel(sigma_eta=0.1), rtol=1e-9)


def test_a_cell_that_fails_carries_a_code_and_the_rest_stands():
    """With ridge 0 and N = d = 1 everything is regular; an overflowing noise (β = 0.002) is not."""
    grid = SyntheticGrid(n=(30,), k=K, beta=(0.002, 3.0), dim=(4,), seed=tuple(range(8)))
    data = run_sweep(SyntheticSpec(grid=grid))
    good = data["status"] == CellStatus.OK
    assert good.sel(beta=3.0).all()
    assert not good.sel(beta=0.002).all()
    bad = data["status"].where(~good, drop=True)
    assert set(np.unique(bad.values[np.isfinite(bad.values)])) <= {
        CellStatus.LGEN_NOT_FINITE,
        CellStatus.FAILURE_NOT_FINITE,
    }


@pytest.mark.parametrize("method", ["simulate", "exact"])
def test_methods_agree_in_law(method):
    """OLS at N = 10 d, β = 6: the mean of 400 cells against σ² E[1/τ] d/(N-d-1); false-alarm rate 1e-5 (4.4 SE)."""
    grid = SyntheticGrid(
        n=(80,),
        k=K,
        beta=(6.0,),
        dim=(8,),
        ridge=(0.0,),
        sigma_eta=(1.0,),
        delta=(0.5,),
        seed=tuple(range(400)),
    )
    lgen = run_sweep(SyntheticSpec(model=Model(method=method), grid=grid))["lgen"].values.ravel()
    expected = 2 / (6 - 2) * 8 / (80 - 8 - 1)
    assert abs(lgen.mean() - expected) < 4.4 * lgen.std(ddof=1) / 20


@pytest.mark.parametrize("failure", ["instances", pytest.param("draws", marks=pytest.mark.slow)])
def test_instance_routes_agree_with_the_population_integral(small_spec, failure):
    """L_inf(k) of every cell within 5 binomial standard errors of the integral: 12 cells x 3 k, rate 2e-5."""
    spec = change_grid(small_spec, n=(20, 100))
    sampling = dataclasses.replace(spec, model=Model(failure=failure, num_instances=2000))
    at = {"k": [1.0, 10.0, 100.0], "method": "nearest"}
    exact, sampled = (run_sweep(x).sel(**at) for x in (spec, sampling))
    np.testing.assert_allclose(sampled["lgen"], exact["lgen"], rtol=1e-9)
    spread = np.sqrt(exact["failure"] * (1 - exact["failure"]) / 2000) + 1 / 2000
    assert (abs(sampled["failure"] - exact["failure"]) < 5 * spread).all()
    # terms of at most 1: the mean rests on at least as many instances as their sum, on as many where all are 0 or 1
    assert "low_ess" not in exact
    least = 2000 * sampled["failure"]
    assert (sampled["effective_sample_size"] >= least * (1 - 1e-6)).all()
    assert (sampled["effective_sample_size"] <= 2000).all()
    if failure == "draws":
        np.testing.assert_allclose(sampled["effective_sample_size"], least, rtol=1e-6)
    np.testing.assert_array_equal(sampled["low_ess"], sampled["effective_sample_size"] < 30)
    assert 0 < int(sampled["low_ess"].sum()) < sampled["low_ess"].size


def test_float32_runs_in_float32(small_spec):
    spec = dataclasses.replace(small_spec, run=dataclasses.replace(small_spec.run, dtype="float32"))
    spec = change_grid(spec, n=(20, 100), ridge=(1e-3,))
    data = run_sweep(spec)
    assert data["lgen"].dtype == data["failure"].dtype == np.float32
    assert (data["status"] == CellStatus.OK).all()


def test_many_ridges_share_a_decomposition_and_change_no_number(small_spec):
    ridges = tuple(np.geomspace(1e-6, 1e-2, 20).tolist())
    grid = dataclasses.replace(small_spec.grid, n=(8, 24), dim=(12,), seed=(0,), beta=(2.5,), ridge=ridges)
    many = run_sweep(dataclasses.replace(small_spec, grid=grid))
    few = run_sweep(dataclasses.replace(small_spec, grid=dataclasses.replace(grid, ridge=ridges[3:5])))
    np.testing.assert_allclose(many.lgen.sel(ridge=list(ridges[3:5])), few.lgen, rtol=1e-9)

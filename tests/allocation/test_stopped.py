"""Attempts that stop at the first success: the optimum against every whole N, and what is said about it."""

import math

import jax
import numpy as np
import pytest
from helpers.allocation_twin import SPECTRA, Setting, random_settings, stopped_line
from helpers.made_curves import K, exact_curves

from lidjax import expected_attempts, pass_at_k_failure, power_law_spectrum, power_law_teacher
from lidjax.allocation import allocate, allocate_sweep, phase_map, surface_exact, surface_sweep
from lidjax.allocation.measured_attempts import affordable, attempt_grid, attempts_on_grid
from lidjax.errors import InputError

DIM = SPECTRA[1][0]
MODES = {"eigenvalues": power_law_spectrum(*SPECTRA[1]), "theta": power_law_teacher(DIM)}
MODEL = {**MODES, "beta": 2.5, "sigma_eta": 0.1, "delta": 0.05, "ridge": 1e-9}
COSTS = {"cost_train": 1, "cost_infer": 1, "stop_at_success": True}


def excess(settings: list[Setting]) -> np.ndarray:
    """Relative excess of the loss found over the twin's least, one call a spectrum; N and k are the twin's too."""
    found = np.full(len(settings), np.nan)
    for spectrum in {x.spectrum for x in settings}:
        mine = [i for i, x in enumerate(settings) if x.spectrum == spectrum]
        eigenvalues, theta = settings[mine[0]].modes
        columns = {
            name: np.array([getattr(settings[i], name) for i in mine]) for name in Setting._fields[1:-1]
        }
        split = allocate(**columns, eigenvalues=eigenvalues, theta=theta, rules=(), stop_at_success=True)
        found[mine] = split.loss
    return found / np.array([stopped_line(x)[0] for x in settings]) - 1


def small(seed: int, count: int, size: str, most: int) -> list[Setting]:
    """Random settings in which at most `most` instances can be paid."""
    settings = random_settings(seed, count * 8, size)
    return [x for x in settings if x.budget / x.cost_train < most][:count]


def test_against_every_whole_n():
    """The sums of the twin are good to 1e-5."""
    settings = [x._replace(spectrum=1) for x in small(5, 2, "few", 400)]
    assert np.abs(excess(settings)).max() < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_1000_random_settings(part):
    """100 a part: up to 600 instances, of which every N is tried, or more, of which 600 over all decades are."""
    settings = [*small(10 + part, 60, "few", 600), *small(20 + part, 20, "some", 600)]
    assert len(settings) == 80
    off = excess(settings)
    assert np.abs(off).max() < 5e-5, settings[int(np.argmax(np.abs(off)))]
    off = excess(random_settings(30 + part, 20, "many"))
    assert off.max() < 5e-5


def test_the_budget_is_spent_and_one_attempt_more_is_not_paid():
    budget = np.array([30.0, 3000.0])
    found = allocate(budget, weight=10.0, queries=3, rules=("eq24", "saturated"), **COSTS, **MODEL)
    model = {"beta": 2.5, "delta": 0.05, "sigma_eta": 0.1}
    spent = found.n + 3 * np.asarray(expected_attempts(found.k.astype(float), found.lgen, **model))
    more = found.n + 3 * np.asarray(expected_attempts(found.k.astype(float) + 1, found.lgen, **model))
    assert np.all(spent <= budget * (1 + 1e-9))
    assert np.all((more > budget * (1 - 1e-9)) | (found.k >= 1e9))
    np.testing.assert_allclose(found.expected_attempts, (spent - found.n) / 3, rtol=1e-8)
    failure = pass_at_k_failure(found.k.astype(float), found.lgen, **model)
    np.testing.assert_allclose(found.failure, failure, rtol=1e-8)
    np.testing.assert_allclose(found.loss, 10 * found.lgen + found.failure, rtol=1e-12)
    assert np.all((found.n_low <= found.n) & (found.n <= found.n_high))
    assert all(np.all(regret >= 0) for regret in found.regret.values())


def test_stopping_never_costs_more_than_making_every_attempt():
    """Each split that pays for k attempts pays for k that stop; so no optimum is worse, and one with k = 1 is equal."""
    question = {"budget": np.array([8.0, 300.0]), "weight": np.array([[1e-3], [1e5]])}
    stopped = allocate(**question, rules=(), **COSTS, **MODEL)
    paid = allocate(**question, rules=(), **{**COSTS, "stop_at_success": False}, **MODEL)
    assert np.all(stopped.loss <= paid.loss * (1 + 1e-9))
    assert np.any(stopped.loss < 0.1 * paid.loss)
    np.testing.assert_array_equal(paid.expected_attempts, paid.k)
    one = (paid.k == 1) & (stopped.k == 1)
    np.testing.assert_allclose(stopped.loss[one], paid.loss[one], rtol=1e-9)


def test_attempts_go_on_for_ever_where_that_can_be_paid():
    """With the bounded prior and L_gen ≤ σ² the mean E[1/S] is finite; with the gamma prior k ends at 1e30."""
    model = {**MODEL, "beta": 3.0, "ridge": 1e-3}
    endless = allocate(3000, weight=1.0, rules=(), difficulty="power", **COSTS, **model)
    assert math.isinf(endless.k)
    assert endless.failure == 0
    assert endless.loss == pytest.approx(endless.lgen, rel=1e-12)
    mean = float(
        expected_attempts(np.inf, endless.lgen, beta=3.0, delta=0.05, sigma_eta=0.1, difficulty="power")
    )
    assert endless.expected_attempts == pytest.approx(mean, rel=1e-9)
    assert endless.n + mean <= 3000 * (1 + 1e-12)
    assert allocate(3000, weight=1.0, rules=(), **COSTS, **model).k == 10**30


@pytest.mark.slow
def test_a_batch_is_its_cells():
    rules = ("eq24",)
    batch = allocate(
        np.array([40.0, 4000.0])[:, None],
        weight=0.1,
        rules=rules,
        **COSTS,
        **{**MODEL, "beta": np.array([2.5, 5.0])},
    )
    one = allocate(4000.0, weight=0.1, rules=rules, **COSTS, **{**MODEL, "beta": 5.0})
    assert batch.loss.shape == batch.regret["eq24"].shape == (2, 2)
    assert one.n == batch.n[1, 1]
    assert one.loss == pytest.approx(batch.loss[1, 1], rel=1e-9)
    assert one.regret["eq24"] == pytest.approx(batch.regret["eq24"][1, 1], rel=1e-6, abs=1e-8)
    with jax.enable_x64(False):
        single = allocate(np.float32(4000), weight=0.1, rules=(), **COSTS, **{**MODEL, "beta": 5.0})
    assert (single.n, single.k) == (one.n, one.k)


def test_the_phase_map_and_figure_2_are_in_the_same_currency():
    budgets, weights = np.array([20.0, 3e3]), np.array([1.0, 1e4])
    mapped = phase_map(budgets, weight=weights, **COSTS, **MODEL)
    found = allocate(budgets[:, None], weight=weights, rules=(), **COSTS, **MODEL)
    np.testing.assert_array_equal(mapped.kind, found.kind)
    np.testing.assert_allclose(mapped.training_share, found.n / budgets[:, None])
    surface = surface_exact(3000, weight=weights, **COSTS, **MODEL)
    np.testing.assert_allclose(surface.n + surface.expected_attempts, 3000)
    step = np.diff(surface.n).max()
    assert np.all(np.abs(surface.finite_n.best_n - found.n[1]) < 1.5 * step)
    assert np.all(surface.k >= surface.expected_attempts * (1 - 1e-6))
    np.testing.assert_allclose(10 ** surface.finite_n.log10_total.min(axis=1), found.loss[1], rtol=0.05)


def test_sums_of_a_measured_power_law():
    """Σ_{j<k} j^-p against the sum itself, and its inverse."""
    grid = attempt_grid(np.log(1e6))
    terms = np.arange(1.0, 1e6)
    for p in (0.3, 1.0, 2.5):
        sums = attempts_on_grid(grid, -p * np.log(grid)[None, :])
        exact = 1 + np.concatenate([[0], np.cumsum(terms**-p)])
        whole = np.rint(grid).astype(int)
        near = np.abs(grid - whole) < 1e-9
        np.testing.assert_allclose(sums[0, near], exact[whole[near] - 1], rtol=1e-4)
        paid = np.array([1.0, 2.5, exact[200], exact[70_000], 1e9])
        rows = np.repeat(sums, 5, axis=0), np.repeat(-p * np.log(grid)[None, :], 5, axis=0)
        log_k, log_failure = affordable(grid, *rows, paid)
        np.testing.assert_allclose(log_failure, -p * log_k, atol=1e-9)
        assert log_k[0] == 0
        assert log_k[-1] == pytest.approx(np.log(1e6))
        if p < 2:  # at p = 2.5 the sum hardly grows, and 1e-4 of it is worth any k
            np.testing.assert_allclose(np.exp(log_k[2:4]), [201, 70_001], rtol=2e-3)


@pytest.mark.slow
def test_a_sweep_of_the_exact_curves_has_the_exact_optimum():
    question = {
        "cost_train": 2.0,
        "cost_infer": 50.0,
        "weight": np.array([0.1, 1e4]),
        "rules": (),
        "stop_at_success": True,
    }
    budget = np.array([[300.0], [3000.0]])
    found = allocate_sweep(exact_curves(), budget, bootstrap=0, **question)
    truth = allocate(budget, **question, **MODEL)
    inside = (truth.k < K[-1]) & (truth.n >= 8)  # the sweep's largest k and smallest N
    assert inside.any()
    np.testing.assert_allclose(found.loss[inside], truth.loss[inside], rtol=0.05)
    np.testing.assert_allclose(found.n[inside], truth.n[inside], rtol=0.1)
    assert np.all(found.limited[found.k >= K[-1] - 1] == "largest k")
    assert np.all(found.n * 2 + 50 * found.expected_attempts <= budget * (1 + 1e-6))
    del question["rules"]
    surface = surface_sweep(exact_curves(), 3000, **question)
    step = np.diff(surface.n).max()
    assert np.all(np.abs(surface.finite_n.best_n - found.n[1]) < 4 * step)
    with pytest.raises(InputError, match="the store's smallest k is 10: attempts that stop"):
        allocate_sweep(exact_curves().sel(k=K[K > 9]), 3000, **question)


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"queries": 0.5}, r"queries=0\.5 must be at least 1"),
        ({"budget": 1.5}, r"budget=1\.5 leaves no attempt after one training instance: 2 is the least"),
    ],
)
def test_bad_input_is_named(options, words, stop):
    given = {"budget": 10.0, "weight": 1.0, **COSTS, **MODEL, "stop_at_success": stop, **options}
    with pytest.raises(InputError, match=words):
        allocate(**given)

"""Forecasts of the default model: exact posteriors of the rates, coverage of the intervals, extremes."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lidjax.errors import InputError
from lidjax.evals.forecast import forecast_pass_at_k, forecast_run, forecast_sums
from lidjax.evals.rates.draws import draw_rates
from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.importance import POINTS
from lidjax.evals.rates.posterior import draw_parameters, sample_posterior
from lidjax.evals.rates.prior import Prior, log_preference
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.passk import pass_at_k_from_counts

PROBLEMS, N, TOTAL, K = 64, 50, 1000, 1000


def draw_population(rng, prior, problems=PROBLEMS):
    """Rates of problems of one population whose parameters are drawn from `prior`, by rejection."""
    drawn = rng.normal(prior.mean, prior.scale, (POINTS, 5))
    accepted = log_preference(drawn, prior, COARSE_GRID) > np.log(rng.random(POINTS) * (1 + prior.floor))
    params = drawn[np.argmax(accepted)]
    density = np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(params), COARSE_GRID)))
    mass = np.cumsum(density * COARSE_GRID.weights)
    return special.expit(np.interp(rng.random(problems) * mass[-1], mass, COARSE_GRID.nodes))


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    c = rng.binomial(N, rng.beta(0.4, 4, PROBLEMS))
    return np.full(PROBLEMS, N), c


def test_rates_follow_their_exact_posterior(example):
    """Given the population, the mean rate of a problem; 2000 draws, within five standard errors of direct
    quadrature."""
    rows = count_rows(*example, COARSE_GRID)
    params = np.array([-3.0, -1.0, 1.5, 0.0, -1.5])
    rates = draw_rates(np.random.default_rng(0), np.tile(params, (2000, 1)), rows)
    x = np.linspace(-40, 12, 40_001)
    density = np.interp(
        x, COARSE_GRID.nodes, np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(params), COARSE_GRID)))
    )
    for problem in (int(np.argmin(example[1])), int(np.argmax(example[1]))):
        weight = density * stats.binom.pmf(example[1][problem], N, special.expit(x))
        expected = np.sum(weight * special.expit(x)) / np.sum(weight)
        drawn = rates[:, problem]
        # the midpoints of 16 parts a cell add an error of their own, below half a per cent
        assert drawn.mean() == pytest.approx(expected, abs=5 * drawn.std() / np.sqrt(2000) + 5e-3 * expected)


def test_after_sampling_that_stopped_the_forecast_is_of_new_runs():
    """pass@10 of problems that were tried in batches of 8 until a success, 48 attempts at most.

    The plug-in value is too high over the 20 files. The 90 % interval holds the true value in 14 or more, where the
    chance of fewer is 2e-3.
    """
    inside, excess = 0, []
    for repeat in range(20):
        rng = np.random.default_rng(repeat)
        rates = rng.beta(0.4, 8, 128)
        batches = np.minimum(rng.geometric(1 - (1 - rates) ** 8), 6)
        n = 8 * batches
        c = np.array([last_batch(rng, p, b) for p, b in zip(rates, batches.tolist(), strict=True)])
        true = -np.expm1(10 * np.log1p(-rates)).mean()
        found = forecast_pass_at_k(n, c, [10])
        excess.append(1 - ((1 - c / n) ** 10).mean() - true)
        assert found.lower[0] < found.prediction[0] < found.upper[0]
        assert (
            found.latent_lower[0] >= found.lower[0] - 0.02
        )  # a run adds chance to the rates' own uncertainty
        inside += found.latent_lower[0] <= true <= found.latent_upper[0]
    assert inside >= 14
    assert np.mean(excess) > 4 * np.std(excess, ddof=1) / math.sqrt(20)


def last_batch(rng, rate, batches):
    """Successes of 8 attempts, given that there is one unless this is the sixth batch."""
    while True:
        count = rng.binomial(8, rate)
        if count or batches == 6:
            return count


def test_a_run_that_is_already_made_is_forecast_exactly(example):
    n, c = example
    rates = np.random.default_rng(0).random((5, PROBLEMS))
    found = forecast_run(np.random.default_rng(0), rates, n, c, [1, 10, 50], 50)
    exact = pass_at_k_from_counts(n[:, None], c[:, None], np.array([1, 10, 50])[None, :]).mean(axis=0)
    for value in (found.prediction, found.lower, found.upper):
        np.testing.assert_allclose(value, exact, rtol=1e-12)


def covered(prior_of_truth, prior, repeats):
    """How many of `repeats` 90 % intervals hold the pass@K of a run of TOTAL attempts that is then made."""
    hits = 0
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        rates = draw_population(rng, prior_of_truth)
        first, rest = rng.binomial(N, rates), rng.binomial(TOTAL - N, rates)
        n = np.full(PROBLEMS, N)
        rows = count_rows(n, first, COARSE_GRID)
        posterior = sample_posterior(rows, prior=prior, seed=seed)
        drawn = draw_rates(rng, draw_parameters(posterior, 200, rng), rows)
        found = forecast_run(rng, drawn, n, first, K, TOTAL)
        truth = pass_at_k_from_counts(np.full(PROBLEMS, TOTAL), first + rest, K).mean()
        hits += found.lower[0] <= truth <= found.upper[0]
    return hits


def test_intervals_cover_where_the_prior_is_right_and_not_where_it_is_wrong():
    """60 populations from the prior: fewer than 47 or more than 60 of the intervals cover with probability 0.002.
    The control has a prior that is sure of a light tail."""
    assert 47 <= covered(Prior(), Prior(), 60) <= 60
    wrong = Prior(mean=(-4.0, 1.0, 1.5, 0.0, 2.0), scale=(3.0, 0.1, 0.5, 0.4, 0.1))
    assert covered(Prior(), wrong, 30) < 20


@pytest.mark.parametrize("c", [np.zeros(20, int), np.full(20, N)], ids=["none solved", "all solved"])
def test_extremes_give_one_sided_answers(c):
    n = np.full(20, N)
    rows = count_rows(n, c, COARSE_GRID)
    rng = np.random.default_rng(0)
    rates = draw_rates(rng, draw_parameters(sample_posterior(rows), 200, rng), rows)
    found = forecast_run(rng, rates, n, c, [100, 10_000])
    assert np.all((found.lower >= 0) & (found.upper <= 1))
    if c[0] == 0:
        assert found.lower[0] == 0
        assert found.upper[0] < 0.3
    else:
        assert np.all(found.prediction == 1)


def test_sums_of_many_problems_have_the_distribution_of_the_draws(example):
    """The normal sums of large groups against drawing each problem: 2000 draws of a population that is known.

    Means within five standard errors (two-sided, 6e-7 each), standard deviations within 10 % (six standard errors).
    """
    n, c = (np.tile(values, 8) for values in example)
    rows = count_rows(n, c, COARSE_GRID)
    params = np.tile([-3.0, -1.0, 1.5, 0.0, -1.5], (2000, 1))
    k = np.array([10, 50, 100, 1000])
    rng = np.random.default_rng(0)
    slow = forecast_run(rng, draw_rates(rng, params, rows), n, c, k, level=0.6827)
    fast = forecast_sums(rng, params, rows, k, level=0.6827)
    exact = pass_at_k_from_counts(n, c, 10).mean()
    assert fast.prediction[0] == pytest.approx(exact, abs=1e-12)
    assert fast.lower[0] == fast.upper[0]
    pairs = [
        ("latent", "latent_lower", "latent_upper", slice(None)),
        ("prediction", "lower", "upper", slice(2, None)),
    ]
    for middle, lower, upper, used in pairs:
        spread = (getattr(slow, upper) - getattr(slow, lower))[used] / 2
        found = (getattr(fast, upper) - getattr(fast, lower))[used] / 2
        # the median's standard error is 1.25 times that of the mean, and there are two of them
        allowed = 5 * 1.25 * np.sqrt(2 / 2000) * spread + 1 / len(n) ** 2
        assert np.all(np.abs(getattr(fast, middle) - getattr(slow, middle))[used] < allowed), middle
        np.testing.assert_allclose(found, spread, rtol=0.2)


def test_too_many_distinct_pairs_are_refused():
    n = np.arange(1, 20_001)
    with pytest.raises(InputError, match="20,000 distinct pairs"):
        forecast_pass_at_k(n, np.zeros_like(n), [10])
    with pytest.raises(InputError, match="at most 2"):
        forecast_pass_at_k([10, 10], [1, 2], np.array([1e30]))

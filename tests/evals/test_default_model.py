"""The default model: importance sampling against plain Monte Carlo, forecasts against exact posteriors, coverage."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lidjax.evals.forecast import draw_rates, forecast_run
from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.importance import POINTS
from lidjax.evals.rates.likelihood import pad_rows
from lidjax.evals.rates.pooling import pool_shapes
from lidjax.evals.rates.population import log_likelihood, resample, sample_posterior
from lidjax.evals.rates.prior import Prior, curvature, log_preference
from lidjax.evals.rates.quadrature import COARSE, count_rows
from lidjax.passk import pass_at_k_from_counts

PROBLEMS, N, TOTAL, K = 64, 50, 1000, 1000


def draw_population(rng, prior, problems=PROBLEMS):
    """Rates of problems of one population whose parameters are drawn from `prior`, by rejection."""
    drawn = rng.normal(prior.mean, prior.scale, (POINTS, 5))
    accepted = log_preference(drawn, prior, COARSE) > np.log(rng.random(POINTS) * (1 + prior.floor))
    params = drawn[np.argmax(accepted)]
    density = np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(params), COARSE)))
    mass = np.cumsum(density * COARSE.weights)
    return special.expit(np.interp(rng.random(problems) * mass[-1], mass, COARSE.nodes))


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    c = rng.binomial(N, rng.beta(0.4, 4, PROBLEMS))
    return np.full(PROBLEMS, N), c


def test_the_posterior_is_that_of_plain_monte_carlo(example):
    """65,536 draws from the prior, weighted by the likelihood; both means and the evidence within five standard
    errors."""
    rows = count_rows(*example, COARSE)
    found = sample_posterior(rows)
    assert found.converged
    prior = Prior()
    drawn = np.random.default_rng(0).normal(prior.mean, prior.scale, (64, POINTS, 5))
    preference = np.concatenate([log_preference(part, prior, COARSE) for part in drawn])
    logs = preference + np.concatenate([log_likelihood(part, pad_rows(rows), COARSE) for part in drawn])
    weights = np.exp(logs - logs.max())
    effective = weights.sum() ** 2 / np.sum(weights**2)
    assert effective > 300
    mass = np.log(np.mean(np.exp(preference)))
    evidence = np.log(weights.mean()) + logs.max() - mass + np.sum(rows.multiplicity * rows.log_scale)
    assert found.log_evidence == pytest.approx(evidence, abs=5 / np.sqrt(effective))
    points, weights = drawn.reshape(-1, 5), weights / weights.sum()
    mean = weights @ points
    spread = np.sqrt(weights @ (points - mean) ** 2)
    error = spread * np.sqrt(1 / effective + 1 / found.effective)
    assert np.all(np.abs(found.weights @ found.params - mean) < 5 * error)


def test_the_curvature_is_that_of_the_curve():
    """A beta distribution, whose pass@k is closed, and the same number from sums in NumPy on a finer grid."""
    a, b = 0.4, 6.0
    params = np.array([[0.0, np.log(a), np.log(b), 0.0, -40.0], [-5.0, -1.0, 2.0, 0.4, -1.0]])
    found = np.asarray(curvature(jnp.asarray(params), COARSE))
    k = np.array([1, 100, 10_000])
    solved = -np.expm1(special.betaln(a, b + k) - special.betaln(a, b))
    assert found[0] == pytest.approx(np.diff(np.log(-np.log(solved)), 2)[0], abs=2e-3)
    x = np.linspace(-60, 20, 80_001)
    z = x + 5
    lower, upper, sharp, share = np.exp(-1.0), np.exp(2.0), np.exp(0.4), special.expit(-1.0)
    bend = share * lower / 5 * np.logaddexp(0, -z) ** 2 / 2
    straight = (1 - share) * lower
    log_density = straight * z - (straight + upper) / sharp * np.logaddexp(0, sharp * z) - bend
    density = np.exp(log_density - log_density.max())
    solved = -np.expm1(-k[:, None] * np.logaddexp(0, x)) @ density / density.sum()
    assert found[1] == pytest.approx(np.diff(np.log(-np.log(solved)), 2)[0], abs=2e-3)


def test_rates_follow_their_exact_posterior(example):
    """Given the population, the mean rate of a problem; 2000 draws, within five standard errors of direct
    quadrature."""
    rows = count_rows(*example, COARSE)
    params = np.array([-3.0, -1.0, 1.5, 0.0, -1.5])
    rates = draw_rates(np.random.default_rng(0), np.tile(params, (2000, 1)), rows)
    x = np.linspace(-40, 12, 40_001)
    density = np.interp(
        x, COARSE.nodes, np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(params), COARSE)))
    )
    for problem in (int(np.argmin(example[1])), int(np.argmax(example[1]))):
        weight = density * stats.binom.pmf(example[1][problem], N, special.expit(x))
        expected = np.sum(weight * special.expit(x)) / np.sum(weight)
        drawn = rates[:, problem]
        # the midpoints of 16 parts a cell add an error of their own, below half a per cent
        assert drawn.mean() == pytest.approx(expected, abs=5 * drawn.std() / np.sqrt(2000) + 5e-3 * expected)


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
        rows = count_rows(n, first, COARSE)
        posterior = sample_posterior(rows, prior=prior, seed=seed)
        drawn = draw_rates(rng, resample(posterior, 200, rng), rows)
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
    rows = count_rows(n, c, COARSE)
    rng = np.random.default_rng(0)
    rates = draw_rates(rng, resample(sample_posterior(rows), 200, rng), rows)
    found = forecast_run(rng, rates, n, c, [100, 10_000])
    assert np.all((found.lower >= 0) & (found.upper <= 1))
    if c[0] == 0:
        assert found.lower[0] == 0
        assert found.upper[0] < 0.3
    else:
        assert np.all(found.prediction == 1)


def test_pooling_brings_groups_of_one_shape_together():
    """Eight groups of one population: the pooled posterior of the lower slope is narrower, and the groups agree
    more."""
    alone = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        c = rng.binomial(N, rng.beta(0.4, 8, PROBLEMS))
        alone.append(sample_posterior(count_rows(np.full(PROBLEMS, N), c, COARSE), seed=seed))
    pooled = pool_shapes(alone)

    def moments(posteriors):
        means = np.array([p.weights @ p.params[:, 1] for p in posteriors])
        spread = np.array(
            [p.weights @ (p.params[:, 1] - m) ** 2 for p, m in zip(posteriors, means, strict=True)]
        )
        return means.std(), np.sqrt(spread.mean())

    (apart, wide), (together, narrow) = moments(alone), moments(pooled)
    assert together < apart
    assert narrow < wide

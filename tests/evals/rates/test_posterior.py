"""Adaptive importance sampling against plain Monte Carlo."""

import numpy as np
import pytest

from lidjax.evals.rates.importance import POINTS
from lidjax.evals.rates.likelihood import pad_rows
from lidjax.evals.rates.posterior import log_likelihood, sample_posterior
from lidjax.evals.rates.prior import Prior, log_preference
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows

PROBLEMS, N = 64, 50


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    c = rng.binomial(N, rng.beta(0.4, 4, PROBLEMS))
    return np.full(PROBLEMS, N), c


def test_the_posterior_is_that_of_plain_monte_carlo(example):
    """65,536 draws from the prior, weighted by the likelihood; both means and the evidence within five standard
    errors."""
    rows = count_rows(*example, COARSE_GRID)
    found = sample_posterior(rows)
    assert found.converged
    prior = Prior()
    drawn = np.random.default_rng(0).normal(prior.mean, prior.scale, (64, POINTS, 5))
    preference = np.concatenate([log_preference(part, prior, COARSE_GRID) for part in drawn])
    logs = preference + np.concatenate([log_likelihood(part, pad_rows(rows), COARSE_GRID) for part in drawn])
    weights = np.exp(logs - logs.max())
    effective = weights.sum() ** 2 / np.sum(weights**2)
    assert effective > 300
    mass = np.log(np.mean(np.exp(preference)))
    evidence = np.log(weights.mean()) + logs.max() - mass + np.sum(rows.multiplicity * rows.log_scale)
    assert found.log_evidence == pytest.approx(evidence, abs=5 / np.sqrt(effective))
    points, weights = drawn.reshape(-1, 5), weights / weights.sum()
    mean = weights @ points
    spread = np.sqrt(weights @ (points - mean) ** 2)
    error = spread * np.sqrt(1 / effective + 1 / found.effective_sample_size)
    assert np.all(np.abs(found.weights @ found.params - mean) < 5 * error)

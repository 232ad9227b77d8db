"""Correlated τ and x: the leading-order loss against simulated least squares."""

import math

import numpy as np
import pytest
from scipy import stats

import lidjax
from lidjax.errors import InputError

BETA, DIM, N = 6.0, 3, 300


def simulated_ratio(rho, dependence, difficulty, draws=4000):
    """Mean and standard error of L_gen over σ² E[1/τ] d/(N-d-1), its mean for independent τ."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(draws, N, DIM))
    score = z[..., 1] if dependence == "direction" else stats.norm.ppf(stats.chi2.cdf((z**2).sum(-1), DIM))
    t = rho * score + math.sqrt(1 - rho**2) * rng.normal(size=(draws, N))
    if difficulty == "power":
        tau = np.exp(stats.norm.logcdf(t) * 2 / BETA)
    else:
        tau = stats.gamma.ppf(stats.norm.cdf(t), BETA / 2)
    eta = rng.normal(size=(draws, N)) / np.sqrt(tau)
    gram = np.einsum("bni,bnj->bij", z, z)
    estimate = np.linalg.solve(gram, np.einsum("bni,bn->bi", z, eta)[..., None])[..., 0]
    lgen = (estimate**2).sum(-1)
    mean = float(lidjax.mean_inverse_precision(BETA, difficulty)) * DIM / (N - DIM - 1)
    return lgen.mean() / mean, lgen.std() / math.sqrt(draws) / mean


@pytest.mark.parametrize(
    ("dependence", "rho", "difficulty"),
    [("norm", 0.7, "gamma"), ("norm", -0.7, "power"), ("direction", 0.9, "gamma")],
)
def test_against_simulated_least_squares(dependence, rho, difficulty):
    """Within 4.9 standard errors (false-alarm rate 1e-6) and 1 % for the next order in 1/N; 1 lies outside."""
    found, error = simulated_ratio(rho, dependence, difficulty)
    law = float(
        lidjax.correlated_lgen_factor(rho, beta=BETA, dim=DIM, dependence=dependence, difficulty=difficulty)
    )
    assert abs(found - law) < 4.9 * error + 0.01
    assert abs(found - 1) > 4.9 * error + 0.01


def test_limits():
    for dependence in ("direction", "norm"):
        for difficulty in ("gamma", "power"):
            factor = lidjax.correlated_lgen_factor(
                0.0, beta=2.5, dim=7, dependence=dependence, difficulty=difficulty
            )
            assert abs(float(factor) - 1) < 1e-9
    away = [1 - float(lidjax.correlated_lgen_factor(0.5, beta=4.0, dim=d)) for d in (10, 1000)]
    assert 8 < away[0] / away[1] < 12  # 1/√d


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"correlation": 1.0}, "correlation = 1: must be from -0.95 to 0.95"),
        ({"beta": 2.0}, "beta = 2: must be from 2.2 to 100"),
        ({"dim": 0}, "dim = 0: must be at least 1"),
        ({"dependence": "nrom"}, "'nrom' is not known .did you mean 'norm'"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(InputError, match=words):
        lidjax.correlated_lgen_factor(**{"correlation": 0.5, "beta": 4.0, "dim": 3, **arguments})

"""The law of the single-trial success against adaptive quadrature with root finding, L_inf and its own derivative."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erf, erfc, erfinv, ndtr
from scipy.stats import gamma

from lidjax.difficulty import sample_precision
from lidjax.passk import pass_at_k_failure, success_distribution, success_probability

CASES = [  # s, v, β, δ/σ
    (1e-3, 0.1, 2.5, 0.5),
    (0.1, 0.1, 2.5, 0.5),
    (0.3, 0.1, 2.5, 0.5),
    (0.7, 0.02, 2.5, 2.0),
    (1e-4, 1.0, 4.0, 0.2),
    (0.6, 3.0, 0.5, 1.5),
]


def law(s, v, beta, eps, difficulty="gamma", **options):
    """At σ = 3, so that the scaling with σ is under test."""
    return success_distribution(
        jnp.asarray(s), 9 * v, beta=beta, delta=3 * eps, sigma_eta=3.0, difficulty=difficulty, **options
    )


def twin(s, v, beta, eps, difficulty):
    """(cdf, survival) by scipy: the a at which s is reached by root finding, then quad over √(τ - τ_s)."""
    start = (np.sqrt(2) * erfinv(s) / eps) ** 2
    prior = gamma(beta / 2)
    if difficulty == "gamma":
        density, below, length = prior.pdf, prior.cdf(start), 200.0
    else:
        density, below, length = lambda tau: beta / 2 * tau ** (beta / 2 - 1), start ** (beta / 2), 1 - start

    def z(tau):
        h = eps * np.sqrt(tau)

        def gap(a):
            return ndtr(a + h) - ndtr(a - h) - s

        a = brentq(gap, 0, 60 + h, xtol=1e-15, rtol=1e-14) if gap(0) > 0 else 0.0
        return a / np.sqrt(2 * v * tau)

    def integral(part):
        ends = np.concatenate([[0], np.geomspace(1e-6, 1, 20)]) * np.sqrt(length)
        pieces = itertools.pairwise(ends)
        tau = start.__add__
        return sum(
            quad(
                lambda u: 2 * u * density(tau(u * u)) * part(z(tau(u * u))),
                *piece,
                epsabs=1e-19,
                epsrel=1e-11,
            )[0]
            for piece in pieces
        )

    return below + integral(erfc), integral(erf)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_both_tails_against_adaptive_quadrature(difficulty):
    cases = [c for c in CASES if difficulty == "gamma" or (np.sqrt(2) * erfinv(c[0]) / c[3]) ** 2 < 1]
    assert len(cases) >= 5
    measured = law(*(jnp.array(column) for column in zip(*cases, strict=True)), difficulty)
    exact = np.array([twin(*case, difficulty) for case in cases]).T
    np.testing.assert_allclose(np.exp(measured.log_cdf), exact[0], rtol=1e-9)
    np.testing.assert_allclose(np.exp(measured.log_survival), exact[1], rtol=1e-9)


@pytest.mark.parametrize("v", [1e-6, 0.1, 1e4])
def test_density_is_the_derivative_and_the_tails_add_up(v):
    s = np.array([1e-30, 1e-12, 1e-4, 0.05, 0.3, 0.9])
    step = 1e-3
    scale = np.minimum(s, 1 - s)
    points = s[:, None] + scale[:, None] * step * np.array([-2, -1, 0, 1, 2])[None, :]
    result = law(points, v, 2.5, 0.5)
    log_cdf = np.asarray(result.log_cdf)
    slope = log_cdf @ np.array([1, -8, 0, 8, -1]) / (12 * step * scale)
    np.testing.assert_allclose(result.log_density[:, 2] - log_cdf[:, 2], np.log(slope), atol=1e-7)
    np.testing.assert_allclose(np.exp(log_cdf) + np.exp(result.log_survival), 1, rtol=1e-13)


@pytest.mark.parametrize("k", [1, 30, 1000])
def test_its_moments_are_the_population_failure(k):
    nodes, weights = np.polynomial.legendre.leggauss(400)
    log_s = 20 * (nodes - 1)
    s = np.exp(log_s)
    result = law(s, 0.1, 2.5, 0.5)
    exact = pass_at_k_failure(k, 0.1, beta=2.5, delta=0.5, sigma_eta=1.0)
    by_cdf = np.sum(20 * weights * s * k * (1 - s) ** (k - 1) * np.exp(result.log_cdf))
    by_density = np.sum(20 * weights * s * (1 - s) ** k * np.exp(result.log_density))
    assert abs(by_cdf / exact - 1) < 1e-9
    assert abs(by_density / exact - 1) < 1e-9
    wrong = np.sum(20 * weights * s * (1 - s) ** k * np.exp(law(s, 0.102, 2.5, 0.5).log_density))
    assert abs(wrong / exact - 1) > 1e-4  # control: 2 % of v is seen


def test_simulated_instances_have_this_law():
    """Kolmogorov's distance of 2e5 draws at six points; a false alarm in 1e4 for the largest of six."""
    keys = jax.random.split(jax.random.key(4))
    size = 200_000
    tau = sample_precision(keys[0], jnp.array(2.5), (size,))
    bias = jnp.sqrt(0.3) * jax.random.normal(keys[1], (size,))
    drawn = success_probability(bias, tau, delta=0.5, sigma_eta=1.0)
    s = jnp.array([1e-4, 1e-2, 0.1, 0.3, 0.5, 0.8])
    cdf = np.exp(law(s, 0.3, 2.5, 0.5).log_cdf)
    share = np.mean(np.asarray(drawn)[:, None] <= np.asarray(s)[None, :], axis=0)
    z = (share - cdf) / np.sqrt(cdf * (1 - cdf) / size)
    assert np.abs(z).max() < 4.3


def test_upper_tail_by_the_complement():
    near, far = law(1e-3, 0.1, 2.5, 0.5, complement=True), law(1 - 1e-3, 0.1, 2.5, 0.5)
    np.testing.assert_allclose(near.log_survival, far.log_survival, rtol=1e-9)
    misses = jnp.array([1e-3, 1e-10, 1e-30])
    survival = law(misses, 0.1, 2.5, 0.5, complement=True).log_survival
    assert jnp.all(jnp.diff(survival) < 0)
    assert jnp.all(jnp.isfinite(survival))


def test_the_power_prior_has_an_upper_end():
    end = success_probability(0.0, 1.0, delta=0.5, sigma_eta=1.0)
    inside, beyond = (
        law(s, 0.1, 2.5, 0.5, "power") for s in (end * (1 - 1e-6), jnp.array([end * (1 + 1e-6), 0.9]))
    )
    assert inside.log_survival < -10
    assert np.isfinite(inside.log_survival)
    np.testing.assert_array_equal(beyond.log_survival, -np.inf)
    np.testing.assert_array_equal(beyond.log_cdf, 0)


def test_outside_its_range_is_nan_and_scalars_stay_scalars():
    for value in law(jnp.array([0.0, 1.0, -0.1, 1.5, jnp.nan]), 0.1, 2.5, 0.5):
        assert jnp.all(jnp.isnan(value))
    assert law(0.3, 0.1, 2.5, 0.5).log_cdf.shape == ()

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
from lidjax.passk.distribution import SuccessDistribution

CASES = [  # s, v, β, δ/σ
    (1e-3, 0.1, 2.5, 0.5),
    (0.1, 0.1, 2.5, 0.5),
    (0.3, 0.1, 2.5, 0.5),
    (0.7, 0.02, 2.5, 2.0),
    (1e-4, 1.0, 4.0, 0.2),
    (0.6, 3.0, 0.5, 1.5),
]


SLOTS = 32


def law(s, v, beta, eps, difficulty="gamma", **options):
    """At σ = 3, so that the scaling with σ is under test; in calls of 32 points, so that one program serves all."""
    points = np.broadcast_arrays(*(np.asarray(x, float) for x in (s, v, beta, eps)))
    shape, size = points[0].shape, points[0].size
    flat = [np.pad(x.ravel(), (0, -size % SLOTS), mode="edge").reshape(-1, SLOTS) for x in points]
    parts = [
        success_distribution(
            s, 9 * v, beta=beta, delta=3 * eps, sigma_eta=3.0, difficulty=difficulty, **options
        )
        for s, v, beta, eps in zip(*flat, strict=True)
    ]
    columns = (np.concatenate(x)[:size].reshape(shape) for x in zip(*parts, strict=True))
    return SuccessDistribution(*columns)


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
    measured = law(*zip(*cases, strict=True), difficulty)
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


def test_its_moments_are_the_population_failure():
    nodes, weights = np.polynomial.legendre.leggauss(400)
    s, k = np.exp(20 * (nodes - 1)), np.array([1.0, 30.0, 1000.0])[:, None]
    result = law(s, 0.1, 2.5, 0.5)
    exact = pass_at_k_failure(k[:, 0], 0.1, beta=2.5, delta=0.5, sigma_eta=1.0)
    by_cdf = np.sum(20 * weights * s * k * (1 - s) ** (k - 1) * np.exp(result.log_cdf), axis=1)
    by_density = np.sum(20 * weights * s * (1 - s) ** k * np.exp(result.log_density), axis=1)
    np.testing.assert_allclose(by_cdf, exact, rtol=1e-9)
    np.testing.assert_allclose(by_density, exact, rtol=1e-9)
    density = np.exp(law(s, 0.102, 2.5, 0.5).log_density)
    wrong = np.sum(20 * weights * s * (1 - s) ** k * density, axis=1)
    assert np.all(np.abs(wrong / exact - 1) > 1e-4)  # control: 2 % of v is seen


def test_simulated_instances_have_this_law():
    """Kolmogorov's distance of 2e5 draws at six points; a false alarm in 1e4 for the largest of six."""
    keys = jax.random.split(jax.random.key(4))
    size = 200_000
    tau = sample_precision(keys[0], jnp.array(2.5), (size,))
    bias = jnp.sqrt(0.3) * jax.random.normal(keys[1], (size,))
    drawn = success_probability(bias, tau, delta=0.5, sigma_eta=1.0)
    s = np.array([1e-4, 1e-2, 0.1, 0.3, 0.5, 0.8])
    cdf = np.exp(law(s, 0.3, 2.5, 0.5).log_cdf)
    share = np.mean(np.asarray(drawn)[:, None] <= s[None, :], axis=0)
    z = (share - cdf) / np.sqrt(cdf * (1 - cdf) / size)
    assert np.abs(z).max() < 4.3


def test_upper_tail_by_the_complement():
    near, far = law(1e-3, 0.1, 2.5, 0.5, complement=True), law(1 - 1e-3, 0.1, 2.5, 0.5)
    np.testing.assert_allclose(near.log_survival, far.log_survival, rtol=1e-9)
    misses = np.array([1e-3, 1e-10, 1e-30])
    survival = law(misses, 0.1, 2.5, 0.5, complement=True).log_survival
    assert jnp.all(jnp.diff(survival) < 0)
    assert jnp.all(jnp.isfinite(survival))


def test_the_power_prior_has_an_upper_end():
    end = success_probability(0.0, 1.0, delta=0.5, sigma_eta=1.0)
    inside, beyond = (law(s, 0.1, 2.5, 0.5, "power") for s in (end * (1 - 1e-6), [end * (1 + 1e-6), 0.9]))
    assert inside.log_survival < -10
    assert np.isfinite(inside.log_survival)
    np.testing.assert_array_equal(beyond.log_survival, -np.inf)
    np.testing.assert_array_equal(beyond.log_cdf, 0)


def test_outside_its_range_is_nan_and_scalars_stay_scalars():
    for value in law([0.0, 1.0, np.nan, np.nan, np.nan], 0.1, 2.5, 0.5):
        assert np.all(np.isnan(value))
    scalars = jax.eval_shape(lambda s: success_distribution(s, 0.1, beta=2.5, delta=0.5, sigma_eta=1.0), 0.3)
    assert {x.shape for x in scalars} == {()}

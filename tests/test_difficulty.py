"""Priors on the precision and the label noise they make, against scipy, mpmath and each other.

A Kolmogorov-Smirnov test passes at p > 1e-4: with fixed keys it fails never or always; over fresh keys
each would raise a false alarm once in 10,000. The controls must fail at p < 1e-6.
"""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from lidjax.difficulty import (
    check_difficulty,
    log_precision_cdf,
    log_precision_density,
    mean_inverse_precision,
    sample_label_noise,
    sample_precision,
)

PRIORS = ("gamma", "power")
DRAWS = 40_000


def law(beta, difficulty):
    """The prior as a frozen scipy distribution."""
    return stats.gamma(beta / 2) if difficulty == "gamma" else stats.beta(beta / 2, 1)


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("beta", [0.3, 2.5, 8.0])
def test_density_of_log_tau_agrees_with_scipy(beta, difficulty):
    tau = np.array([1e-30, 1e-6, 0.01, 0.3, 0.999, 1.5, 20.0])
    expected = law(beta, difficulty).pdf(tau) * tau
    got = jnp.exp(log_precision_density(np.log(tau), beta, difficulty))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    total, _ = integrate.quad(
        lambda t: float(jnp.exp(log_precision_density(t, beta, difficulty))),
        -200 / beta,
        5,
        limit=400,
        points=[0],
    )
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("beta", [0.1, 2.5, 20.0])
def test_distribution_function_keeps_relative_precision(beta):
    a = mpmath.mpf(beta) / 2
    for tau in (1e-60, 1e-8, 0.099, 0.1, 1.0, 30.0):
        lower = float(mpmath.gammainc(a, 0, tau, regularized=True))
        assert float(jnp.exp(log_precision_cdf(np.log(tau), beta))) == pytest.approx(lower, rel=1e-11)
        assert float(jnp.exp(log_precision_cdf(np.log(tau), beta, "power"))) == pytest.approx(
            min(float(mpmath.mpf(tau) ** a), 1), rel=1e-11
        )
    assert float(log_precision_cdf(np.log(2.0), beta, "power")) == 0
    deep = float(a * -4000 - mpmath.loggamma(a + 1))  # a τ where P(τ' ≤ τ) is below the smallest float
    assert float(log_precision_cdf(-4000.0, beta)) == pytest.approx(deep, rel=1e-13)


@pytest.mark.parametrize("difficulty", PRIORS)
def test_near_zero_index_is_half_beta(difficulty):
    beta = 2.5
    high, low = (log_precision_cdf(np.log(tau), beta, difficulty) for tau in (1e-20, 1e-24))
    assert float(high - low) / np.log(1e4) == pytest.approx(beta / 2, rel=1e-10)


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("beta", [0.3, 2.5, 8.0])
def test_precision_draws_have_their_law(beta, difficulty):
    tau = np.asarray(sample_precision(jax.random.key(0), beta, (DRAWS,), difficulty))
    assert stats.kstest(tau, law(beta, difficulty).cdf).pvalue > 1e-4
    assert stats.kstest(tau, law(1.15 * beta, difficulty).cdf).pvalue < 1e-6  # control: β off by 15 %


def test_gamma_draws_reach_the_deep_tail_that_small_beta_needs():
    tau = np.asarray(sample_precision(jax.random.key(1), 0.05, (DRAWS,)))
    share = np.mean(tau < 1e-30)
    expected = float(jnp.exp(log_precision_cdf(np.log(1e-30), 0.05)))
    assert abs(share - expected) < 4.5 * np.sqrt(expected * (1 - expected) / DRAWS)  # false alarm 7e-6
    assert tau[tau > 0].min() < 1e-150  # 40000 · 1e-150^0.025 = 7 such draws are expected


@pytest.mark.parametrize("beta", [0.7, 2.5, 8.0])
def test_gamma_label_noise_is_student_t(beta):
    sigma = 0.3
    noise = np.asarray(sample_label_noise(jax.random.key(2), beta, sigma, (DRAWS,)))
    assert stats.kstest(noise, stats.t(beta, scale=sigma * np.sqrt(2 / beta)).cdf).pvalue > 1e-4
    assert stats.kstest(noise, stats.t(1.3 * beta, scale=sigma * np.sqrt(2 / (1.3 * beta))).cdf).pvalue < 1e-6


@pytest.mark.parametrize("difficulty", PRIORS)
def test_label_noise_has_the_law_of_its_two_steps(difficulty):
    """The slow twin: draw τ, then η | τ ~ N(0, σ²/τ)."""
    beta, sigma = 2.5, 0.3
    tau_key, z_key = jax.random.split(jax.random.key(3))
    tau = sample_precision(tau_key, beta, (DRAWS,), difficulty)
    twin = sigma / jnp.sqrt(tau) * jax.random.normal(z_key, (DRAWS,))
    noise = sample_label_noise(jax.random.key(4), beta, sigma, (DRAWS,), difficulty)
    assert stats.ks_2samp(noise, twin).pvalue > 1e-4
    other = sample_label_noise(jax.random.key(4), beta, sigma, (DRAWS,), PRIORS[difficulty == "gamma"])
    assert stats.ks_2samp(other, twin).pvalue < 1e-6  # control: the other prior's noise


@pytest.mark.parametrize("difficulty", PRIORS)
def test_far_tail_of_the_noise_is_not_clipped(difficulty):
    """P(|η| > x) beyond the reach of 32-bit uniforms: 4 million draws, x at probability 1e-4 and 1e-5."""
    beta, draws = 2.5, 4_000_000
    noise = np.abs(np.asarray(sample_label_noise(jax.random.key(5), beta, 1.0, (draws,), difficulty)))
    for p in (1e-4, 1e-5):
        x = stats.t(beta).isf(p / 2) * np.sqrt(2 / beta)
        if difficulty == "power":
            t = np.linspace(0, 60, 60_001)  # t = -log u, τ = u^(2/β)
            expected = integrate.trapezoid(np.exp(-t) * 2 * stats.norm.sf(x * np.exp(-t / beta)), t)
        else:
            expected = p
        z = (np.sum(noise > x) - draws * expected) / np.sqrt(draws * expected)
        assert abs(z) < 4.5  # false alarm 7e-6 each


def test_one_key_serves_every_beta():
    """The same uniforms whatever β: cells that differ in β alone are compared with common random numbers."""
    low, high = (sample_label_noise(jax.random.key(6), b, 1.0, (1000,)) for b in (2.5, 4.0))
    assert np.all(np.sign(low) == np.sign(high))
    assert np.all(np.abs(low) > np.abs(high))


@pytest.mark.parametrize("difficulty", PRIORS)
def test_mean_inverse_precision(difficulty):
    for beta in (2.2, 3.0, 8.0):
        t = np.linspace(-80 / (beta - 2), 5 if difficulty == "gamma" else 0, 200_001)  # t = log τ
        expected = integrate.simpson(np.exp(np.asarray(log_precision_density(t, beta, difficulty)) - t), x=t)
        assert float(mean_inverse_precision(beta, difficulty)) == pytest.approx(expected, rel=1e-9)
    assert np.isinf(mean_inverse_precision(jnp.array([2.0, 1.0]), difficulty)).all()
    grad = jax.grad(lambda b: mean_inverse_precision(b, difficulty))(3.0)
    assert float(grad) == pytest.approx(-2.0, rel=1e-12)  # -2/(β-2)² for both priors


@pytest.mark.parametrize("difficulty", PRIORS)
def test_dtype_follows_beta(difficulty):
    def dtype(f, *args):
        return jax.eval_shape(lambda *a: f(*a, difficulty), *args).dtype

    def precision(beta, difficulty):
        return sample_precision(jax.random.key(0), beta, (3,), difficulty)

    def noise(beta, sigma, difficulty):
        return sample_label_noise(jax.random.key(0), beta, sigma, (3,), difficulty)

    beta = jnp.float32(2.5)
    assert dtype(precision, beta) == jnp.float32
    assert dtype(noise, beta, jnp.float32(0.1)) == jnp.float32
    assert dtype(mean_inverse_precision, beta) == jnp.float32
    for f in (log_precision_density, log_precision_cdf):
        assert dtype(f, jnp.float32(0.5), beta) == jnp.float32
    assert dtype(precision, 4) == jnp.float64  # an integer β is a number too


def test_unknown_prior_is_refused_by_name():
    with pytest.raises(ValueError, match=r"difficulty = 'cauchy' is not known; allowed: gamma, power"):
        check_difficulty("cauchy")

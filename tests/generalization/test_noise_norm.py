"""‖η‖² of N labels: the fixed-cost split against exact sums, limit theorems and inverted characteristic functions."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special, stats

from lidjax.difficulty import mean_inverse_precision, sample_label_noise
from lidjax.generalization import noise_norm
from lidjax.generalization.noise_norm import EXACT_LABELS, noise_norm_squared, split_norm_squared, sum_of_many
from lidjax.generalization.truncated_moments import gamma_moments, log_absolute_moment, power_moments

ALARM = 1e-3  # false-alarm rate of a test, split over its cases
BETAS = (0.5, 1.5, 2.0, 2.5, 4.0, 6.0, 20.0)
PRIORS = ("gamma", "power")


@functools.partial(jax.jit, static_argnums=(3, 4))
def norms(keys, n, beta, difficulty, function):
    return jax.vmap(lambda key: function(key, n, beta, difficulty))(keys)


def draw(function, n, beta, difficulty, size, seed=0, dtype=jnp.float64):
    keys = jax.random.split(jax.random.key(seed), size)
    return np.asarray(
        norms(keys, jnp.asarray(n, dtype), jnp.asarray(beta, dtype), difficulty, function), float
    )


def exact_sum(key, n, beta, difficulty):
    """All labels at once, from the public sampler."""
    noise = sample_label_noise(key, beta, jnp.ones((), beta.dtype), (EXACT_LABELS,), difficulty)
    return jnp.sum(jnp.square(noise))


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("beta", BETAS)
def test_split_against_the_exact_sum_at_the_largest_exact_size(beta, difficulty):
    exact = draw(exact_sum, EXACT_LABELS, beta, difficulty, 4000, seed=1)
    split = draw(split_norm_squared, EXACT_LABELS, beta, difficulty, 40_000, seed=2)
    assert stats.ks_2samp(exact, split).pvalue > ALARM / (len(BETAS) * len(PRIORS))


@pytest.mark.parametrize("difficulty", PRIORS)
def test_a_wrong_tail_index_is_caught(difficulty):
    exact = draw(exact_sum, EXACT_LABELS, 2.5, difficulty, 4000, seed=1)
    split = draw(split_norm_squared, EXACT_LABELS, 2.6, difficulty, 40_000, seed=2)
    assert stats.ks_2samp(exact, split).pvalue < 1e-6


@pytest.mark.parametrize("difficulty", PRIORS)
def test_small_sums_are_the_labels_themselves(difficulty):
    """n below one block, and n that ends inside a block: as many terms as labels, each of the right law."""
    for n, size in ((1, 20_000), (300, 5_000)):
        streamed = draw(noise_norm.streamed_norm_squared, n, 3.0, difficulty, size, seed=3)
        labels = sample_label_noise(
            jax.random.key(4), jnp.asarray(3.0), jnp.asarray(1.0), (size, n), difficulty
        )
        direct = np.sum(np.square(np.asarray(labels)), axis=1)
        assert stats.ks_2samp(streamed, direct).pvalue > ALARM / 4


@pytest.mark.parametrize("n", [2e3, 1e6, 1e15])
@pytest.mark.parametrize("difficulty", PRIORS)
def test_mean_where_it_exists(n, difficulty):
    """E‖η‖² = n E[1/τ] at β = 5, within 4 standard errors (false alarm 6e-5 a case)."""
    draws = draw(split_norm_squared, n, 5.0, difficulty, 50_000, seed=5) / n
    expected = float(mean_inverse_precision(jnp.asarray(5.0), difficulty))
    assert abs(draws.mean() - expected) < 4 * draws.std() / np.sqrt(draws.size) + 1e-12


@pytest.mark.parametrize("difficulty", PRIORS)
def test_infinite_mean_follows_the_stable_law(difficulty):
    """β = 1: P(η² > w) ~ c w^(-1/2), so n⁻² Σ η² → Lévy with scale π c²/2; at n = 1e15 the limit is reached."""
    c = 2 / np.pi * np.sqrt(2) if difficulty == "gamma" else np.sqrt(2 / np.pi)
    draws = draw(split_norm_squared, 1e15, 1.0, difficulty, 50_000, seed=6) / 1e30
    assert stats.kstest(draws, stats.levy(scale=np.pi * c**2 / 2).cdf).pvalue > ALARM / 2


@pytest.mark.parametrize("beta", [0.5, 2.5, 8.0])
def test_kolmogorov_distance_to_the_exact_law(beta):
    """Inverted characteristic functions at the smallest split sum: the bound of the docstring, not seen by draws."""
    assert kolmogorov_distance(EXACT_LABELS, beta) < 1e-5


def test_kolmogorov_distance_sees_a_plain_normal_bulk(monkeypatch):
    def plain(z, count, moments):
        mean = moments[1] / moments[0]
        variance = moments[2] / moments[0] - mean**2
        return count * mean + jnp.sqrt(count * variance) * z

    monkeypatch.setitem(globals(), "sum_of_many", plain)
    assert kolmogorov_distance(EXACT_LABELS, 8.0) > 1e-3


def kolmogorov_distance(n, beta):
    """sup |F_exact - F_split| over a grid, for Σ of n beta-prime(1/2, β/2) variables (gamma prior)."""
    a = beta / 2
    log_x = min(np.log(noise_norm.EXCEEDANCES * a * special.beta(a, 0.5) / n) / a, np.log(0.25))
    threshold = np.expm1(-log_x)
    moments = np.asarray(gamma_moments(jnp.asarray(a), jnp.asarray(log_x)))
    tail = 1 - moments[0]
    mean, std = threshold * moments[1], threshold * np.sqrt(n * moments[2])

    # density of w = sinh² s is 2 cosh^(-2a) s / B(½, a)
    s, weight = panels(0, np.arcsinh(np.sqrt(threshold)), 40)
    bulk_mass = weight * 2 * np.cosh(s) ** (-2 * a) / special.beta(a, 0.5)
    bulk = np.sinh(s) ** 2
    log_t, log_weight = panels(np.log(1e-5), np.log(9.6), 20)
    t, weight_t = np.exp(log_t) / std, log_weight  # dt/t
    one = np.array([cf_beta_prime(a, f) for f in t])
    exceed = one - np.array([np.sum(bulk_mass * np.exp(1j * f * bulk)) for f in t])

    k = np.arange(80)
    log_binomial = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    z, mass = np.polynomial.hermite_e.hermegauss(80)
    split = 0
    for j in k:
        below = np.asarray(sum_of_many(jnp.asarray(z), float(n - j), jnp.asarray(moments))) * threshold
        bulk_sum = np.exp(1j * t[:, None] * below[None, :]) @ (mass / mass.sum())
        split = split + np.exp(log_binomial[j] + (n - j) * np.log1p(-tail)) * exceed**j * bulk_sum
    difference = np.exp(n * np.log(one)) - split
    centre = n * mean
    grid = centre + np.concatenate([np.linspace(-6, 12, 181) * std, threshold * np.geomspace(0.1, 50, 60)])
    return max(abs(np.sum(weight_t * np.imag(np.exp(-1j * t * x) * difference)) / np.pi) for x in grid)


def cf_beta_prime(a, t):
    """E exp(itw) = Γ(a+½)/Γ(a) U(½, 1-a, -it)."""
    return complex(mpmath.gamma(a + 0.5) / mpmath.gamma(a) * mpmath.hyperu(0.5, 1 - a, -1j * mpmath.mpf(t)))


def panels(low, high, count, order=12):
    node, weight = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(low, high, count + 1)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * node).ravel(), (half * weight).ravel()


def public_norm(key, n, beta, difficulty):
    return noise_norm_squared(key, n, beta=beta, sigma_eta=2.0, difficulty=difficulty) / 4


def test_one_key_serves_every_beta():
    """Common uniforms: heavier tails from the same key give a larger norm, whichever way it is summed."""
    for n in (100.0, 1e6):
        norms_at = [draw(public_norm, n, beta, "gamma", 50) for beta in (1.0, 1.5, 4.0, 6.0)]
        assert np.all(np.diff(norms_at, axis=0) < 0)


def test_size_chooses_the_way():
    """The public function sums up to EXACT_LABELS and splits above; the two are independent draws."""
    small_key, large_key = jax.random.split(jax.random.key(5))
    few, many = jnp.asarray(1.0 * EXACT_LABELS), jnp.asarray(EXACT_LABELS + 1.0)
    beta = jnp.asarray(2.5)
    at = jax.jit(lambda n: public_norm(jax.random.key(5), n, beta, "gamma"))
    assert float(at(few)) == pytest.approx(
        float(noise_norm.streamed_norm_squared(small_key, few, beta)), rel=1e-12
    )
    assert float(at(many)) == pytest.approx(float(split_norm_squared(large_key, many, beta)), rel=1e-12)


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("beta", [1.0, 2.5, 6.0])
def test_float32_in_law(beta, difficulty):
    single = draw(split_norm_squared, 5e3, beta, difficulty, 20_000, seed=7, dtype=jnp.float32)
    double = draw(split_norm_squared, 5e3, beta, difficulty, 20_000, seed=8)
    assert stats.ks_2samp(single, double).pvalue > ALARM / 6


@pytest.mark.parametrize("a", [0.1, 1.0, 1.25, 2.0, 2.0000001, 3.99999, 4.0, 10.0])
def test_truncated_moments_against_quadrature(a):
    """Worst relative error seen: 1e-13 (gamma), 3e-11 (power, at a = 2.00001)."""
    for log_x in (np.log(0.25), -2.0, -12.0):
        threshold = np.expm1(-log_x)
        s, weight = panels(0, np.arcsinh(np.sqrt(threshold)), 60)
        density = weight * 2 * np.cosh(s) ** (-2 * a) / special.beta(a, 0.5)
        reference = [np.sum(density * (np.sinh(s) ** 2 / threshold) ** r) for r in range(5)]
        np.testing.assert_allclose(gamma_moments(jnp.asarray(a), jnp.asarray(log_x)), reference, rtol=1e-11)
    for t in (90.0, 1e9):
        # E[w^r; w ≤ t] = a m(a) ∫ w^(r-a-1) P(χ²_{2a+1} ≤ w) dw, here in log w
        u, weight = panels(np.log(1e-30), np.log(t), 400)
        log_density = np.log(a) + float(log_absolute_moment(jnp.asarray(a))) - a * u
        cdf = special.gammainc(a + 0.5, np.exp(u) / 2)
        seen = cdf > 0  # elsewhere the density has underflowed, and its inverse power overflowed
        density = weight * np.exp(np.where(seen, log_density, 0)) * cdf
        reference = [np.sum(density * np.exp(r * (u - np.log(t)))) for r in range(5)]
        np.testing.assert_allclose(
            power_moments(jnp.asarray(a), jnp.asarray(np.log(t))), reference, rtol=1e-9
        )

"""‖η‖² of N labels: the fixed-cost sum against exact sums, limit theorems and inverted characteristic functions."""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special, stats

from lidjax.difficulty import mean_inverse_precision, sample_label_noise
from lidjax.generalization import noise_norm
from lidjax.generalization.noise_norm import (
    EXACT_LABELS,
    LIGHT_TAIL,
    mean_exceedances,
    noise_norm_squared,
    power_floor,
    sum_of_many,
    tail_and_bulk_norm_squared,
)
from lidjax.generalization.truncated_moments import (
    full_gamma_moments,
    full_power_moments,
    gamma_moments,
    log_absolute_moment,
    power_moments,
)

ALARM = 1e-3  # false-alarm rate of a test, split over its cases
BETAS = (0.2, 0.5, 1.5, 2.0, 2.5, 4.0, 6.0, 20.0)
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
def test_tail_and_bulk_against_the_exact_sum_at_the_largest_exact_size(beta, difficulty):
    exact = draw(exact_sum, EXACT_LABELS, beta, difficulty, 4000, seed=1)
    approximate = draw(tail_and_bulk_norm_squared, EXACT_LABELS, beta, difficulty, 40_000, seed=2)
    assert stats.ks_2samp(exact, approximate).pvalue > ALARM / (len(BETAS) * len(PRIORS))


@pytest.mark.parametrize("difficulty", PRIORS)
def test_a_wrong_tail_index_is_caught(difficulty):
    exact = draw(exact_sum, EXACT_LABELS, 2.5, difficulty, 4000, seed=1)
    approximate = draw(tail_and_bulk_norm_squared, EXACT_LABELS, 2.6, difficulty, 40_000, seed=2)
    assert stats.ks_2samp(exact, approximate).pvalue < 1e-6


@pytest.mark.parametrize("difficulty", PRIORS)
def test_small_sums_are_the_labels_themselves(difficulty):
    """n below one block, and n that ends inside a block: as many terms as labels, each of the right law."""
    for n, size in ((1, 20_000), (300, 5_000)):
        streamed = draw(noise_norm.direct_norm_squared, n, 3.0, difficulty, size, seed=3)
        labels = sample_label_noise(
            jax.random.key(4), jnp.asarray(3.0), jnp.asarray(1.0), (size, n), difficulty
        )
        direct = np.sum(np.square(np.asarray(labels)), axis=1)
        assert stats.ks_2samp(streamed, direct).pvalue > ALARM / 4


@pytest.mark.parametrize("n", [2e3, 1e6, 1e15])
@pytest.mark.parametrize("difficulty", PRIORS)
def test_mean_where_it_exists(n, difficulty):
    """E‖η‖² = n E[1/τ] at β = 5, within 4 standard errors (false alarm 6e-5 a case)."""
    draws = draw(tail_and_bulk_norm_squared, n, 5.0, difficulty, 50_000, seed=5) / n
    expected = float(mean_inverse_precision(jnp.asarray(5.0), difficulty))
    assert abs(draws.mean() - expected) < 4 * draws.std() / np.sqrt(draws.size) + 1e-12


@pytest.mark.parametrize("difficulty", PRIORS)
def test_infinite_mean_follows_the_stable_law(difficulty):
    """β = 1: P(η² > w) ~ c w^(-1/2), so n⁻² Σ η² → Lévy with scale π c²/2; at n = 1e15 the limit is reached."""
    c = 2 / np.pi * np.sqrt(2) if difficulty == "gamma" else np.sqrt(2 / np.pi)
    draws = draw(tail_and_bulk_norm_squared, 1e15, 1.0, difficulty, 50_000, seed=6) / 1e30
    assert stats.kstest(draws, stats.levy(scale=np.pi * c**2 / 2).cdf).pvalue > ALARM / 2


KOLMOGOROV_CASES = [(1024, b, p) for b in (0.2, 2.0, 20.0) for p in PRIORS] + [
    (1e5, 2.0, "power"),
    *((1024, b, "power") for b in (49.9, 50.0, 1e3)),  # on both sides of `LIGHT_TAIL`, and far beyond
    *((1024, b, "gamma") for b in (199.9, 200.0, 1e6)),
]


@pytest.mark.parametrize(("n", "beta", "difficulty"), KOLMOGOROV_CASES)
def test_kolmogorov_distance_to_the_exact_law(n, beta, difficulty):
    """Inverted characteristic functions: the bound of the docstring, which draws do not see. Worst here 2.1e-6."""
    assert kolmogorov_distance(n, beta, difficulty) < (3e-7 if beta > 2 else 2.2e-6)


@pytest.mark.parametrize("difficulty", PRIORS)
def test_kolmogorov_distance_sees_what_is_left_out(difficulty, monkeypatch):
    """A plain normal bulk, and one without the sixth cumulant only."""
    whole = sum_of_many

    def plain(z, count, moments):
        mean = moments[1] / moments[0]
        variance = moments[2] / moments[0] - mean**2
        return count * mean + jnp.sqrt(count * variance) * z

    def without_sixth_moment(z, count, moments):
        return whole(z, count, moments.at[6].set(0.0))

    monkeypatch.setitem(globals(), "sum_of_many", plain)
    assert kolmogorov_distance(EXACT_LABELS, 8.0, difficulty) > 1e-3
    monkeypatch.setitem(globals(), "sum_of_many", without_sixth_moment)
    assert kolmogorov_distance(EXACT_LABELS, 2.0, difficulty) > 1e-5


def kolmogorov_distance(n, beta, difficulty):
    """sup |F_exact - F_approximate| over a grid, for Σ w of n labels (w as in `truncated_moments`)."""
    a = beta / 2
    exceedances = float(mean_exceedances(jnp.asarray(a)))
    if a >= LIGHT_TAIL[difficulty]:
        whole = full_gamma_moments if difficulty == "gamma" else full_power_moments
        threshold, moments, exceedances = 1 / a if difficulty == "gamma" else 1.0, whole(jnp.asarray(a)), 0.0
    elif difficulty == "gamma":
        log_x = min(np.log(exceedances * a * special.beta(a, 0.5) / n) / a, np.log(0.25))
        threshold = np.expm1(-log_x)
        moments = gamma_moments(jnp.asarray(a), jnp.asarray(log_x))
    else:
        log_tail = float(log_absolute_moment(jnp.asarray(a)))
        log_t = max((log_tail + np.log(n / exceedances)) / a, float(jnp.log(power_floor(n))))
        threshold = np.exp(log_t)
        moments = power_moments(jnp.asarray(a), jnp.asarray(log_t))
    tail = 1 - float(moments[0])
    mean, std = threshold * float(moments[1]), threshold * np.sqrt(n * float(moments[2]))

    log_t, weight = panels(np.log(1e-6), np.log(12), 34)  # of dt/t
    t = np.exp(log_t) / std
    one = characteristic(a, t, 0.0, difficulty)
    exceed = characteristic(a, t, threshold, difficulty) if exceedances else 0.0
    z = np.linspace(-9, 9, 401)
    mass = stats.norm.pdf(z) * (z[1] - z[0])
    approximate = 0
    for j in range(12 + 3 * int(np.ceil(exceedances)) if exceedances else 1):
        below = np.asarray(sum_of_many(jnp.asarray(z), float(n - j), moments)) * threshold - n * mean
        bulk_sum = np.exp(1j * t[:, None] * below) @ mass
        log_binomial = -special.betaln(n - j + 1, j + 1) - np.log(n + 1)
        approximate = approximate + np.exp(log_binomial + (n - j) * np.log1p(-tail)) * exceed**j * bulk_sum
    difference = np.exp(n * np.log(one) - 1j * t * n * mean) - approximate
    grid = np.concatenate([np.linspace(-6, 12, 181) * std, threshold * np.geomspace(0.1, 50, 60)])
    return max(abs(np.sum(weight * np.imag(np.exp(-1j * t * x) * difference)) / np.pi) for x in grid)


def characteristic(a, t, low, difficulty):
    """E[exp(itw); w > low], on the path w = low + iy/t where the integrand decays; low > 0 is past the threshold."""
    if difficulty == "power" and low == 0:  # U first: z² has (1 - 2it U^(-1/a))^(-1/2)
        log_inverse, weight = panels(0, 60, 200)
        return (1 - 2j * t[:, None] * np.exp(log_inverse / a)) ** -0.5 @ (weight * np.exp(-log_inverse))
    if difficulty == "gamma" and low == 0 and a > 50:  # that path would turn too fast; the real axis does not
        s, weight = panels(0, np.sqrt(100 / a), 60)
        density = weight * 2 * np.cosh(s) ** (-2 * a) / special.beta(a, 0.5)
        return np.exp(1j * t[:, None] * np.sinh(s) ** 2) @ density
    log_y, weight = panels(-90, 4.2, 120)
    y = np.exp(log_y)
    w = low + 1j * y / t[:, None]
    if difficulty == "gamma":
        density = w**-0.5 * (1 + w) ** (-a - 0.5) / special.beta(a, 0.5)
    else:
        density = a * np.exp(float(log_absolute_moment(jnp.asarray(a)))) * w ** (-a - 1)
    return np.exp(1j * t * low) * 1j / t * (density @ (weight * y * np.exp(-y)))


@pytest.mark.parametrize("a", [0.25, 1.0, 4.0])
def test_characteristic_function_against_its_closed_form(a):
    """E exp(itw) = Γ(a+½)/Γ(a) U(½, 1-a, -it) for the gamma prior."""
    t = np.array([1e-4, 0.1, 3.0])
    closed = [
        mpmath.gamma(a + 0.5) / mpmath.gamma(a) * mpmath.hyperu(0.5, 1 - a, -1j * mpmath.mpf(x)) for x in t
    ]
    np.testing.assert_allclose(characteristic(a, t, 0.0, "gamma"), np.array(closed, complex), rtol=1e-11)


def panels(low, high, count, order=12):
    node, weight = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(low, high, count + 1)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * node).ravel(), (half * weight).ravel()


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("beta", [60.0, 100.0, 250.0, 1e5, 1e8, 1e300])
def test_large_beta_is_a_sum_of_nearly_equal_precisions(beta, difficulty):
    """‖η‖²/(n E[1/τ]) → χ²_n/n. Mean, variance and the least draw at the ends of the range that is not summed label by
    label; 10,000 draws, z-scores of 5 (false alarm 6e-7 each)."""
    for n in (EXACT_LABELS + 1.0, 1e4, 1e12):
        scaled = draw(public_norm, n, beta, difficulty, 10_000, seed=9)
        scaled = (
            scaled / (2 / (beta - 2) if difficulty == "gamma" else beta / (beta - 2)) / n - 1
        ) * np.sqrt(n / 2)
        kurtosis = 3 * (beta - 2) / (beta - 4)  # of a label
        if difficulty == "power":
            kurtosis = 3 * (1 - 2 / beta) ** 2 / (1 - 4 / beta)
        variance = (kurtosis - 1) / 2
        assert np.all(np.isfinite(scaled))
        assert scaled.min() > -6
        assert abs(scaled.mean()) < 5 * np.sqrt(variance / scaled.size) + 1e-15 * np.sqrt(n)
        assert abs(scaled.var() / variance - 1) < 5 * np.sqrt(2.2 / scaled.size)


@pytest.mark.parametrize("difficulty", PRIORS)
def test_moments_of_all_labels(difficulty):
    """Against the truncated ones where these are right, and against their limit."""
    a = LIGHT_TAIL[difficulty]
    whole = (full_gamma_moments if difficulty == "gamma" else full_power_moments)(jnp.asarray(a))
    if difficulty == "gamma":
        truncated = gamma_moments(jnp.asarray(a), jnp.log(jnp.asarray(0.25))) * (3 * a) ** np.arange(7)
        limit = [special.poch(0.5, r) for r in range(7)]
        np.testing.assert_allclose(full_gamma_moments(jnp.asarray(1e300)), limit, rtol=1e-14)
    else:
        truncated = power_moments(jnp.asarray(a), jnp.log(jnp.asarray(60.0))) * 60.0 ** np.arange(7)
        np.testing.assert_allclose(
            full_power_moments(jnp.asarray(1e300)), [1, 1, 3, 15, 105, 945, 10395], rtol=1e-14
        )
    np.testing.assert_allclose(whole, truncated, rtol=1e-9 if difficulty == "gamma" else 1e-5)


@pytest.mark.parametrize("difficulty", PRIORS)
def test_no_noise_scale_is_no_noise_and_overflow_is_infinite(difficulty):
    """β = 0.02: labels reach beyond the largest float64. Their norm is infinite, never NaN, and 0 at σ_η = 0."""
    for n in (1000.0, 1e6):
        keys = jax.random.split(jax.random.key(0), 50)

        def one(key, sigma, n=n):
            return noise_norm_squared(key, n, beta=jnp.asarray(0.02), sigma_eta=sigma, difficulty=difficulty)

        nothing, much = (jax.vmap(one, (0, None))(keys, sigma) for sigma in (0.0, 1.0))
        assert np.all(np.asarray(nothing) == 0)
        assert not np.isnan(much).any()
        assert np.isinf(much).any()


def surplus_effect(a, proposals, size=100_000):
    """Kolmogorov distance made by leaving out all but the largest `proposals` exceedances: P(there are more) times
    the distance given that, by simulation of Poisson points with a normal rest."""
    rng = np.random.default_rng(0)
    mean = float(mean_exceedances(jnp.asarray(a)))
    counts = np.arange(proposals + 1, 60)
    chance = stats.poisson.pmf(counts, mean)
    count = rng.choice(counts, size, p=chance / chance.sum())
    points = np.sort(np.where(np.arange(60) < count[:, None], rng.random((size, 60)), np.inf))
    terms = points ** (-1 / a)
    rest = np.sqrt(a * mean / (2 - a)) * rng.standard_normal(size)
    return chance.sum() * stats.ks_2samp(terms.sum(1) + rest, terms[:, :proposals].sum(1) + rest).statistic


def test_exceedances_past_the_last_proposal_do_not_matter():
    """At β < 2 they are many and small beside the first; at β ≥ 2 there are none, in all but 3e-8 of the draws."""
    for a in (0.1, 0.25, 0.5):
        assert surplus_effect(a, noise_norm.PROPOSALS) < 1e-6
    assert surplus_effect(0.5, 5) > 1e-4
    for a in (1.0, 8.0):  # thinning of the gamma prior makes up to 1/√(1-¼) times as many proposals
        mean = float(mean_exceedances(jnp.asarray(a))) / np.sqrt(0.75)
        assert stats.poisson.sf(noise_norm.PROPOSALS, mean) < 3e-8


def public_norm(key, n, beta, difficulty):
    return noise_norm_squared(key, n, beta=beta, sigma_eta=2.0, difficulty=difficulty) / 4


def test_one_key_serves_every_beta():
    """Common uniforms: heavier tails from the same key give a larger norm, whichever way it is summed."""
    for n in (100.0, 1e6):
        norms_at = [draw(public_norm, n, beta, "gamma", 50) for beta in (1.0, 1.5, 4.0, 6.0)]
        assert np.all(np.diff(norms_at, axis=0) < 0)


def test_size_chooses_the_way():
    """The public function sums the labels up to EXACT_LABELS, and takes tail and bulk above."""
    few, many = 1.0 * EXACT_LABELS, EXACT_LABELS + 1.0
    for n, way in ((few, noise_norm.direct_norm_squared), (many, tail_and_bulk_norm_squared)):
        np.testing.assert_allclose(
            draw(public_norm, n, 2.5, "gamma", 3), draw(way, n, 2.5, "gamma", 3), rtol=1e-12
        )


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("beta", [1.0, 2.5, 6.0])
def test_float32_in_law(beta, difficulty):
    single = draw(tail_and_bulk_norm_squared, 5e3, beta, difficulty, 20_000, seed=7, dtype=jnp.float32)
    double = draw(tail_and_bulk_norm_squared, 5e3, beta, difficulty, 20_000, seed=8)
    assert stats.ks_2samp(single, double).pvalue > ALARM / 6


@pytest.mark.parametrize("difficulty", PRIORS)
def test_float32_and_float64_share_their_variates(difficulty):
    """One key, two precisions: the same draw to rounding, but for labels that rounding moves across the threshold."""
    single = draw(tail_and_bulk_norm_squared, 5e3, 2.5, difficulty, 20_000, seed=8, dtype=jnp.float32)
    double = draw(tail_and_bulk_norm_squared, 5e3, 2.5, difficulty, 20_000, seed=8)
    assert np.mean(np.abs(single / double - 1) > 1e-5) < 1e-3


@pytest.mark.parametrize("a", [0.1, 1.0, 1.25, 2.0, 2.0000001, 3.99999, 4.0, 10.0])
def test_truncated_moments_against_quadrature(a):
    """Worst relative error seen: 1e-13 (gamma), 3e-11 (power, at a = 2.00001)."""
    for log_x in (np.log(0.25), -2.0, -12.0):
        threshold = np.expm1(-log_x)
        s, weight = panels(0, np.arcsinh(np.sqrt(threshold)), 60)
        density = weight * 2 * np.cosh(s) ** (-2 * a) / special.beta(a, 0.5)
        reference = [np.sum(density * (np.sinh(s) ** 2 / threshold) ** r) for r in range(7)]
        np.testing.assert_allclose(gamma_moments(jnp.asarray(a), jnp.asarray(log_x)), reference, rtol=1e-11)
    # at 42, the least threshold, P(z² > t) = 9e-11 is what the closed form leaves out
    for t, left_out in ((42.0, 2e-10), (1e9, 0.0)):
        # E[w^r; w ≤ t] = a m(a) ∫ w^(r-a-1) P(χ²_{2a+1} ≤ w) dw, here in log w
        u, weight = panels(np.log(1e-24), np.log(t), 400)
        log_density = np.log(a) + float(log_absolute_moment(jnp.asarray(a))) - a * u
        density = weight * np.exp(log_density) * special.gammainc(a + 0.5, np.exp(u) / 2)
        reference = [np.sum(density * np.exp(r * (u - np.log(t)))) for r in range(7)]
        np.testing.assert_allclose(
            power_moments(jnp.asarray(a), jnp.asarray(np.log(t))), reference, rtol=1e-9, atol=left_out
        )

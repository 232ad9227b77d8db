"""Draws of L_gen of random-feature models against training sets drawn and fitted one by one in NumPy.

Two-sample Kolmogorov tests with fixed keys; `ALARM` is the chance that a right program fails a test at all, split over
its cases.
"""

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers.random_features_twin import simulate_lgen
from scipy import stats

from lidjax.errors import InputError
from lidjax.generalization import deterministic_lgen, random_features, sample_lgen
from lidjax.generalization.noise_norm import EXACT_LABELS, add_gaussian_part, noise_norm_squared
from lidjax.generalization.random_features import (
    draw_random_features_lgen,
    narrow_map,
    random_features_quadratic,
    wide_map,
)
from lidjax.model import power_law_spectrum, power_law_teacher

ALARM = 1e-3
DIM = 20
EIGENVALUES, THETA = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM, 0.7)
MODEL = {"eigenvalues": EIGENVALUES, "theta": THETA}
SIZES = ((10, 15), (15, 10), (12, 12), (60, 12), (12, 60), (40, 25), (25, 40), (25, 20))
"""(N, P) on both sides of N = P and of P = d, and on the two lines."""
CASES = [
    (n, width, ridge, beta, prior)
    for n, width in SIZES
    for ridge in (0.0, 1e-3)
    for beta in (1.5, 2.5, 5.0)
    for prior in ("gamma", "power")
    if not (ridge == 0 and n == width)
]
FAST = [
    *((10, 15, 0.0, 1.5, "gamma"), (60, 12, 1e-3, 5.0, "gamma"), (12, 12, 1e-3, 2.5, "gamma")),
    *((12, 60, 0.0, 2.5, "power"), (40, 25, 1e-3, 1.5, "power"), (25, 20, 1e-3, 5.0, "power")),
]


def draws(n, width, ridge, beta, difficulty="gamma", *, seed=2, size=3000, method="exact", dtype=jnp.float64):
    model = {name: values.astype(dtype) for name, values in MODEL.items()}
    noise = {"beta": beta, "sigma_eta": 0.3, "ridge": ridge, "difficulty": difficulty}
    key = jax.random.key(seed)
    return np.asarray(
        sample_lgen(key, n, **model, **noise, width=width, num_samples=size, method=method), float
    )


@functools.cache
def simulated(n, width, ridge, beta, difficulty, size=3000):
    noise = {"beta": beta, "sigma_eta": 0.3, "ridge": ridge, "difficulty": difficulty}
    return simulate_lgen(np.random.default_rng([n, width or 0]), n, width, num_samples=size, **MODEL, **noise)


@pytest.mark.parametrize(("n", "width", "ridge", "beta", "prior"), FAST)
def test_exact_against_simulation(n, width, ridge, beta, prior):
    case = n, width, ridge, beta, prior
    assert stats.ks_2samp(simulated(*case), draws(*case)).pvalue > ALARM / len(FAST)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "width", "ridge", "beta", "prior"), CASES)
def test_exact_against_simulation_on_the_whole_grid(n, width, ridge, beta, prior):
    case = n, width, ridge, beta, prior
    p_value = stats.ks_2samp(simulated(*case, size=6000), draws(*case, size=6000)).pvalue
    print(f"{n},{width},{ridge:g},{beta:g},{prior},{p_value:.3f}")
    assert p_value > ALARM / len(CASES)


@pytest.mark.slow
def test_the_simulation_of_the_library_has_the_same_law():
    case = 15, 10, 1e-3, 2.5
    assert stats.ks_2samp(simulated(*case, "gamma"), draws(*case, method="simulate")).pvalue > ALARM


def test_what_the_features_miss_is_noise_too(monkeypatch):
    """A control: without the Gaussian part of the labels the law is another one, and the test sees it."""
    monkeypatch.setattr(random_features, "add_gaussian_part", lambda key, norm, n, variance: norm)
    size, count, ridge, beta, sigma = (jnp.asarray(x, float) for x in (60, 12, 1e-3, 5.0, 0.3))

    def one(key):
        noise = {"beta": beta, "sigma_eta": sigma, "ridge": ridge, "difficulty": "gamma"}
        return draw_random_features_lgen(key, size, count, **MODEL, **noise, most=16, narrow=True)

    wrong = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(2), 3000)))
    assert stats.ks_2samp(simulated(60, 12, 1e-3, 5.0, "gamma"), wrong).pvalue < 1e-6


@functools.partial(jax.jit, static_argnums=3)
def norms(keys, n, variance, prior):
    def one(key):
        first, second = jax.random.split(key)
        labels = noise_norm_squared(first, n, beta=jnp.asarray(2.5), sigma_eta=0.5, difficulty=prior)
        return add_gaussian_part(second, labels, n, variance)

    return jax.vmap(one)(keys)


def direct_norms(n, variance, prior, size):
    rng = np.random.default_rng(n)
    tau = rng.gamma(1.25, size=(size, n)) if prior == "gamma" else rng.random((size, n)) ** (2 / 2.5)
    noise = 0.5 / np.sqrt(tau) * rng.normal(size=(size, n)) + np.sqrt(variance) * rng.normal(size=(size, n))
    return np.sum(noise**2, axis=1)


@pytest.mark.parametrize("prior", ["gamma", pytest.param("power", marks=pytest.mark.slow)])
def test_norm_of_labels_with_a_gaussian_part(prior):
    """N = 1, N of a few, and N past `EXACT_LABELS`; a part that is added as if it were orthogonal is the control."""
    sizes, size = (1, 3, EXACT_LABELS + 1), 4000
    for n in sizes:
        found = np.asarray(norms(jax.random.split(jax.random.key(n), size), float(n), 2.0, prior))
        assert stats.ks_2samp(direct_norms(n, 2.0, prior, size), found).pvalue > ALARM / (2 * len(sizes))
    rng = np.random.default_rng(1)
    apart = direct_norms(3, 0.0, prior, 20_000) + 2.0 * rng.chisquare(3, size=20_000)
    assert stats.ks_2samp(direct_norms(3, 2.0, prior, 20_000), apart).pvalue < 1e-6


def test_given_the_labels_the_norm_is_a_noncentral_chi_square():
    """Exactly: 50,000 draws against scipy's distribution function (false alarm 1e-3), N = 1 among them; the limits of
    no Gaussian part and of infinite labels; and as a control one instance more."""
    added = jax.jit(jax.vmap(add_gaussian_part, (0, None, None, None)))
    keys, norm, variance = jax.random.split(jax.random.key(3), 50_000), jnp.asarray(5.0), jnp.asarray(2.0)
    for n in (1.0, 2.0, 50.0):
        found = np.asarray(added(keys, norm, jnp.asarray(n), variance)) / 2.0
        assert stats.kstest(found, stats.ncx2(n, 2.5).cdf).pvalue > ALARM / 3
        assert stats.kstest(found, stats.ncx2(n + 1, 2.5).cdf).pvalue < 1e-6
    n = jnp.asarray(7.0)
    np.testing.assert_allclose(added(keys, norm, n, jnp.asarray(0.0)), 5.0, rtol=1e-15)
    assert np.all(np.isinf(added(keys, jnp.asarray(np.inf), n, variance)))


ALGEBRA = [
    (6, 4, 1e-3),
    (6, 4, 0.0),
    (5, 8, 1e-9),
    (9, 9, 1e-6),
    (9, 30, 1e-3),
    (14, 30, 0.0),
    (200, 11, 1e-9),
]


@functools.cache
def coefficients_program(narrow):
    def coefficients(n, width, ridge, eigenvalues, theta):
        model, dim = {"eigenvalues": eigenvalues, "theta": theta}, theta.shape[0]
        keys = jax.random.split(jax.random.key(1))
        features = (
            narrow_map(keys[0], width, **model, most=dim) if narrow else wide_map(keys[0], width, **model)
        )
        found = random_features_quadratic(keys[1], n, features, ridge, dim)
        return found, features, *random_features._design(keys[1], n, features.rank, dim, dim)

    return jax.jit(coefficients)


def coefficients(n, width, ridge, eigenvalues, theta):
    """The quadratic, and the arrays F, R̃ and u that it was made from."""
    narrow = width < theta.shape[0]
    return coefficients_program(narrow)(*map(jnp.asarray, (n, width, ridge)), eigenvalues, theta)


@pytest.mark.parametrize("alpha", [pytest.param(0.5, marks=pytest.mark.slow), 3.0])
def test_coefficients_against_the_normal_equations_in_60_digits(alpha):
    """From the arrays that were drawn: R̃, A and t; worst relative error seen 2e-11 (N = P = r, α = 3)."""
    dim = 12
    model = {"eigenvalues": power_law_spectrum(dim, alpha), "theta": power_law_teacher(dim, 0.7)}
    for n, width, ridge in ALGEBRA:
        found, features, triangle, direction = coefficients(float(n), float(width), ridge, **model)
        rank = int(features.rank)
        with mpmath.workdps(60):
            root = mpmath.matrix(np.asarray(features.root)[:rank, :rank].tolist())
            design = mpmath.matrix(np.asarray(triangle)[: min(n, rank), :rank].tolist()) * root
            rows = design.rows
            target = mpmath.matrix(np.asarray(features.target)[:rank].tolist())
            seen = mpmath.matrix(np.asarray(triangle)[:rows, :rank].tolist()) * target
            gram = design * design.T + mpmath.mpf(ridge) * mpmath.eye(rows)
            answers = [
                root * (design.T * mpmath.lu_solve(gram, right))
                for right in (mpmath.matrix(np.asarray(direction)[:rows].tolist()), seen)
            ]
            noise, lost = answers[0], target - answers[1]
            pairs = ((noise, noise), (noise, lost), (lost, lost))
            exact = [float(sum(a * b for a, b in zip(*pair, strict=True))) for pair in pairs]
        least = exact[2] + 1e-28  # 0 for ordinary least squares
        scale = [exact[0], np.sqrt(exact[0] * least), least]
        assert np.all(np.abs(np.asarray(found) - exact) <= 1e-9 * np.asarray(scale)), (n, width, ridge)


@pytest.mark.slow
def test_draws_do_not_depend_on_the_size_of_the_arrays():
    @functools.partial(jax.jit, static_argnums=0)
    def coefficients(most):
        features = narrow_map(jax.random.key(5), jnp.asarray(5.0), **MODEL, most=most)
        ridge = jnp.asarray(1e-3)
        return *random_features_quadratic(
            jax.random.key(6), jnp.asarray(7.0), features, ridge, DIM
        ), features.missed

    np.testing.assert_allclose(coefficients(5), coefficients(20), rtol=1e-11)


def test_fewer_features_are_the_first_of_more():
    """One decomposition serves all P: the map of 5 features is a part of that of 9, and misses more of the teacher."""
    few, more = (narrow_map(jax.random.key(5), jnp.asarray(p), **MODEL, most=16) for p in (5.0, 9.0))
    np.testing.assert_allclose(few.root[:5, :5] * np.sqrt(5), more.root[:5, :5] * np.sqrt(9), rtol=1e-12)
    assert float(few.missed) > float(more.missed) > 0
    whole = jnp.sum(jnp.square(few.target)) + few.missed
    assert float(whole) == pytest.approx(float(jnp.sum(EIGENVALUES * THETA**2)), rel=1e-12)


def test_limits():
    """P → ∞ is the model of all features in law; N → ∞ without a ridge leaves what P features miss."""
    whole = simulated(60, None, 0.1, 2.5, "power")
    assert stats.ks_2samp(whole, draws(60, 10**15, 0.1, 2.5, "power")).pvalue > ALARM
    assert (
        stats.ks_2samp(whole, draws(60, 20, 0.1, 2.5, "power")).pvalue < 1e-3
    )  # a control: P = d is another law
    found = draws(10**14, 12, 0.0, 5.0)
    expected = float(deterministic_lgen(1e14, **MODEL, noise_variance=0.03, ridge=0.0, width=12))
    assert found.mean() == pytest.approx(expected, rel=0.1)  # the equivalent is 6 % low at d = 20
    assert found.min() > 0


def one_key(n, ridge, sigma_eta, scale):
    model = {"eigenvalues": EIGENVALUES * scale, "theta": THETA}
    noise = {"beta": 2.5, "sigma_eta": sigma_eta, "ridge": ridge}
    return sample_lgen(jax.random.key(4), n, **model, **noise, width=12, num_samples=2)


@pytest.mark.slow
def test_one_program_serves_every_size_and_gives_the_plain_draws():
    traced = jax.jit(one_key)
    for n in (7, 12, 30, 5000):
        np.testing.assert_allclose(traced(n, 1e-3, 0.3, 1.0), one_key(n, 1e-3, 0.3, 1.0), rtol=1e-9)
    assert traced._cache_size() == 1
    assert np.all(np.isnan(traced(0, 1e-3, 0.3, 1.0)))
    assert np.all(np.isnan(traced(7, -1.0, 0.3, 1.0)))


@pytest.mark.slow
def test_derivatives_are_those_of_the_draws():
    """Forward and reverse, against central differences at one key."""
    point = 1e-3, 0.3, 1.0
    slopes = jax.jacfwd(lambda *args: one_key(9, *args), argnums=(0, 1, 2))(*point)
    reverse = jax.grad(lambda *args: jnp.sum(one_key(9, *args)), argnums=(0, 1, 2))(*point)
    for i in range(3):
        up, down = (np.array(point) * (1 + 1e-6 * sign * np.eye(3)[i]) for sign in (1, -1))
        difference = (one_key(9, *up) - one_key(9, *down)) / (2e-6 * point[i])
        np.testing.assert_allclose(slopes[i], difference, rtol=1e-6)
        assert float(reverse[i]) == pytest.approx(float(jnp.sum(slopes[i])), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "width", "ridge"), [(15, 10, 1e-3), (12, 60, 1e-3), (1000, 12, 0.0), (10**12, 40, 1e-6)]
)
def test_float32_in_law(n, width, ridge):
    single = draws(n, width, ridge, 2.5, seed=6, dtype=jnp.float32, size=6000)
    assert stats.ks_2samp(single, draws(n, width, ridge, 2.5, seed=7, size=6000)).pvalue > ALARM / 4


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"width": 0}, r"width = 0: must be at least 1"),
        ({"width": 10**16}, r"width = 10000000000000000: must be at most 1e15"),
        ({"width": 5, "method": "bartlett"}, r"method \(with a width\) = 'bartlett' is not known.*simulate"),
        ({"width": 5, "n": 0}, r"n = 0: must be"),
    ],
)
def test_what_cannot_be_drawn_is_refused(how, words):
    arguments = {"n": 7, "method": "exact", **how}
    with pytest.raises(InputError, match=words):
        sample_lgen(
            jax.random.key(0), **MODEL, beta=2.5, sigma_eta=0.3, ridge=0.1, num_samples=2, **arguments
        )


def test_simulation_wants_a_known_size():
    def lgen(n):
        noise = {"beta": 2.5, "sigma_eta": 0.3, "ridge": 0.1}
        return sample_lgen(jax.random.key(0), n, **MODEL, **noise, width=5, num_samples=2, method="simulate")

    with pytest.raises(InputError, match="n must not be traced"):
        jax.jit(lgen)(7)

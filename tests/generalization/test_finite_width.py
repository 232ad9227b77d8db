"""The deterministic equivalent at a finite width: mpmath, simulated means, limits, symmetry, derivatives."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from helpers.random_features_twin import simulate_lgen

from lidjax.errors import InputError
from lidjax.generalization import deterministic_lgen
from lidjax.generalization.finite_width import effective_shrinkage
from lidjax.model import power_law_spectrum, power_law_teacher

DIM = 12
CASES = [
    (n, width, ridge)
    for ridge in (0.0, 1e-12, 1e-3, 10.0)
    for n, width in ((3, 7), (7, 3), (5, 5), (5, 5.0001), (11.9, 12), (30, 8), (8, 30), (40, 60), (25, 25))
    if not (ridge == 0 and (n == width or min(n, width) >= DIM))
]

SIMULATED = [(120, 150, 1e-3), (20, 90, 1e-6), (90, 20, 1e-2), (59, 60, 1e-1), (200, 120, 0.0)]


def published_form(n, width, eigenvalues, theta, noise, ridge):
    """(κ, L_gen) with 60 digits, in the form with Υ and χ of the literature, κ found by bisection."""
    with mpmath.workdps(60):
        modes = [mpmath.mpf(float(v)) for v in eigenvalues]
        squares = [mpmath.mpf(float(t)) ** 2 * v for t, v in zip(theta, modes, strict=True)]
        n, width, ridge = mpmath.mpf(n), mpmath.mpf(width), mpmath.mpf(ridge)

        def df(q, kappa):
            return sum((v / (v + kappa)) ** q for v in modes)

        def too_small(kappa):
            first = df(1, kappa)
            return first > min(n, width) or kappa * (1 - first / n) * (1 - first / width) < ridge

        low, high = mpmath.mpf(-200), mpmath.log(ridge + sum(modes) * (1 / n + 1 / width)) + 1
        for _ in range(160):
            middle = (low + high) / 2
            low, high = (middle, high) if too_small(mpmath.exp(middle)) else (low, middle)
        kappa = mpmath.exp(high)
        df1, df2 = df(1, kappa), df(2, kappa)
        upsilon = width / n * ((df1 / width) ** 2 + (1 - df1 / width) ** 2 * df2 / (width - df2))
        chi = sum(v / (v + kappa) ** 2 for v in modes) / (width - df2)
        bias = sum(b / (v + kappa) ** 2 for b, v in zip(squares, modes, strict=True))
        missed = sum(b * v / (v + kappa) ** 2 for b, v in zip(squares, modes, strict=True))
        lgen = (kappa**2 * (bias + chi * missed) + noise * upsilon) / (1 - upsilon)
        return kappa, lgen


@pytest.mark.parametrize("alpha", [pytest.param(0.5, marks=pytest.mark.slow), 3.0])
def test_kappa_and_value_against_mpmath(alpha):
    """Worst relative error seen: 1e-15 in κ, 2e-15 in L_gen; without noise and with it, teacher not isotropic."""
    eigenvalues, theta = power_law_spectrum(DIM, alpha), power_law_teacher(DIM, 0.7)
    sizes, widths, ridges = (jnp.asarray(x, float) for x in zip(*CASES, strict=True))
    model = {"eigenvalues": eigenvalues, "theta": theta, "ridge": ridges, "width": widths}
    found = [np.asarray(deterministic_lgen(sizes, noise_variance=s, **model)) for s in (0.0, 0.1)]
    kappa = jax.vmap(effective_shrinkage, (0, 0, None, None, 0))(
        sizes, 1 / widths, eigenvalues, jnp.ones(DIM), ridges
    ).kappa
    for i, (n, width, ridge) in enumerate(CASES):
        for noise, values in zip((0.0, 0.1), found, strict=True):
            exact, lgen = published_form(n, width, eigenvalues, theta, noise, ridge)
            assert float(kappa[i]) == pytest.approx(float(exact), rel=1e-12)
            assert values[i] == pytest.approx(float(lgen), rel=1e-11), (n, width, ridge)


def value(n, width, *, ridge=1e-3, noise=0.1, alpha=0.5, decay=0.7):
    model = {"eigenvalues": power_law_spectrum(DIM, alpha), "theta": power_law_teacher(DIM, decay)}
    return deterministic_lgen(n, noise_variance=noise, ridge=ridge, width=width, **model)


@pytest.mark.parametrize("ridge", [0.0, 1e-9, 1e-3, 1.0])
def test_an_unlimited_width_is_the_model_of_all_features(ridge):
    """Worst relative difference seen: 7e-16 at infinity, 4e-14 at 1e15."""
    sizes = jnp.asarray([1.0, 5.0, 11.0, 13.0, 100.0, 1e9])
    eigenvalues, theta = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM, 0.7)
    whole = deterministic_lgen(sizes, eigenvalues=eigenvalues, theta=theta, noise_variance=0.1, ridge=ridge)
    np.testing.assert_allclose(value(sizes, jnp.inf, ridge=ridge), whole, rtol=1e-14)
    np.testing.assert_allclose(value(sizes, 1e15, ridge=ridge), whole, rtol=1e-10)


def test_limits():
    eigenvalues, theta = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM, 0.7)
    # N → ∞ without a ridge: what P features miss, κ Σ λθ²/(λ+κ) with df₁(κ) = P
    kappa = effective_shrinkage(
        jnp.asarray(1e15), jnp.asarray(1 / 5.0), eigenvalues, jnp.ones(DIM), jnp.asarray(0.0)
    ).kappa
    assert float(jnp.sum(eigenvalues / (eigenvalues + kappa))) == pytest.approx(5, rel=1e-12)
    missed = kappa * jnp.sum(eigenvalues * theta**2 / (eigenvalues + kappa))
    assert float(value(1e15, 5.0, ridge=0.0)) == pytest.approx(float(missed), rel=1e-12)
    # P ≥ d without a ridge: ordinary least squares, whatever P is
    np.testing.assert_allclose(
        value(40.0, jnp.asarray([12.0, 13, 1e6]), ridge=0.0), 0.1 * DIM / (40 - DIM), rtol=1e-13
    )
    # the peak at N = P, through a tiny ridge and without one
    assert float(value(6.0, 6.0, ridge=0.0)) == np.inf
    peak = np.asarray(value(6.0, 6.0, ridge=jnp.asarray([1e-4, 1e-8, 1e-12])))
    assert peak[1] / peak[0] > 30
    assert peak[2] / peak[1] == pytest.approx(100, rel=1e-2)  # ~ ρ^(-1/2)
    # a ridge so large that nothing is learned
    nothing = float(jnp.sum(eigenvalues * theta**2))
    assert float(value(6.0, 9.0, ridge=1e30)) == pytest.approx(nothing, rel=1e-9)


def test_kappa_and_bias_are_symmetric_in_instances_and_width():
    """The bias only for θ*² equal in all directions: with a teacher that decays it differs by 4 to 25 %."""
    pairs = jnp.asarray([(3.0, 9.0), (5.0, 40.0), (11.0, 13.0), (20.0, 60.0)])
    n, width = pairs.T
    eigenvalues = power_law_spectrum(DIM, 0.5)
    solve = jax.vmap(effective_shrinkage, (0, 0, None, None, None))
    kappa, swapped = (
        solve(a, 1 / b, eigenvalues, jnp.ones(DIM), jnp.asarray(1e-3)).kappa
        for a, b in ((n, width), (width, n))
    )
    np.testing.assert_allclose(kappa, swapped, rtol=1e-13)
    for ridge in (1e-9, 1e-3, 1.0):
        bias, other = (value(a, b, noise=0.0, decay=0.0, ridge=ridge) for a, b in ((n, width), (width, n)))
        np.testing.assert_allclose(bias, other, rtol=1e-12)
    bias, other = (value(a, b, noise=0.0, decay=0.7) for a, b in ((n, width), (width, n)))
    assert np.all(np.abs(np.asarray(bias / other) - 1) > 0.04)


@pytest.mark.parametrize(
    ("n", "width", "ridge"),
    [
        (5.0, 5.0, 1e-3),
        (5.0, 9.0, 0.0),
        pytest.param(5.0, 9.0, 1e-3, marks=pytest.mark.slow),
        pytest.param(9.0, 5.0, 0.0, marks=pytest.mark.slow),
    ],
)
def test_derivatives_against_differences_of_60_digits(n, width, ridge):
    """In N, P, the ridge, an eigenvalue and a coefficient of the teacher, N = P among them; one second derivative."""
    eigenvalues, theta = power_law_spectrum(DIM, 0.5), power_law_teacher(DIM, 0.7)

    def lgen(n, width, ridge, v3, t3):
        return deterministic_lgen(
            n,
            eigenvalues=eigenvalues.at[3].set(v3),
            theta=theta.at[3].set(t3),
            noise_variance=0.1,
            ridge=ridge,
            width=width,
        )

    def exact(n, width, ridge, v3, t3):
        values, teacher = np.array(eigenvalues), np.array(theta)
        values[3], teacher[3] = v3, t3
        return published_form(n, width, values, teacher, 0.1, ridge)[1]

    point = [n, width, ridge, float(eigenvalues[3]), float(theta[3])]
    gradient = jax.grad(lgen, argnums=(0, 1, 2, 3, 4))(*point)
    for i, slope in enumerate(gradient):
        step = 1e-6 * point[i] or 1e-9
        up, down = list(point), list(point)
        up[i], down[i] = up[i] + step, max(down[i] - step, 0.0)
        difference = (exact(*up) - exact(*down)) / (mpmath.mpf(up[i]) - mpmath.mpf(down[i]))
        assert float(slope) == pytest.approx(float(difference), rel=1e-5)
    if n == width:
        mixed = jax.grad(jax.grad(lgen, argnums=0), argnums=1)(*point)
        h = 1e-3
        corners = [(a, b, exact(n + a * h, width + b * h, *point[2:])) for a in (-1, 1) for b in (-1, 1)]
        assert float(mixed) == pytest.approx(
            float(sum(a * b * v for a, b, v in corners) / (4 * h**2)), rel=1e-4
        )


@pytest.mark.parametrize(
    ("n", "width", "ridge"),
    [(30, 45, 1e-3), (120, 30, 1e-6), *(pytest.param(*c, marks=pytest.mark.slow) for c in SIMULATED)],
)
def test_against_simulated_means(n, width, ridge):
    """d = 60, β = 6, a decaying teacher: within 3 %, plus 4 standard errors of 500 draws (false alarm 6e-5 a case)."""
    model = {"eigenvalues": power_law_spectrum(60, 0.5), "theta": power_law_teacher(60, 0.7), "ridge": ridge}
    draws = simulate_lgen(
        np.random.default_rng(n), n, width, beta=6.0, sigma_eta=0.3, num_samples=500, **model
    )
    expected = float(deterministic_lgen(n, width=width, noise_variance=0.3**2 / 2, **model))
    assert abs(draws.mean() - expected) < 0.03 * expected + 4 * draws.std() / np.sqrt(500)


def test_shapes_and_ranges():
    grid = value(jnp.asarray([3.0, 30.0])[:, None], jnp.asarray([5.0, 12.0, 50.0]))
    assert grid.shape == (2, 3)
    assert float(grid[1, 0]) == pytest.approx(float(value(30, 5)), rel=1e-14)
    with pytest.raises(InputError, match=r"width = 0: must be greater than 0"):
        value(3, 0)
    assert bool(jnp.isnan(jax.jit(value)(3.0, -1.0)))


def test_single_precision():
    """Worst relative error seen: 3e-7."""
    model = {"eigenvalues": power_law_spectrum(64, 1.0), "theta": power_law_teacher(64)}
    n, width, ridge = jnp.asarray([(20, 40, 1e-6), (40, 20, 1e-6), (500, 80, 1e-3), (1e9, 30, 0.0)]).T
    wide = deterministic_lgen(n, noise_variance=0.1, ridge=ridge, width=width, **model)
    narrow = deterministic_lgen(
        n,
        noise_variance=0.1,
        ridge=ridge,
        width=width,
        **{name: array.astype(jnp.float32) for name, array in model.items()},
    )
    assert narrow.dtype == jnp.float32
    np.testing.assert_allclose(narrow, wide, rtol=1e-5)

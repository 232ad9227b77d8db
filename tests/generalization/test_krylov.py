"""Conjugate gradients on a Wishart matrix drawn on the way: the algebra exactly, the law against Bartlett's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lidjax.generalization import chi_square, lgen_cell, resolve_method, sample_lgen
from lidjax.generalization.krylov import MAX_STEPS, TOLERANCE, krylov_quadratic, krylov_steps, wishart_solve
from lidjax.model import power_law_spectrum, power_law_teacher

DIM = 128
EIGENVALUES, THETA = power_law_spectrum(DIM, 1.0), power_law_teacher(DIM)
NUMBER = {"eigenvalues": EIGENVALUES, "theta": THETA, "beta": 2.5, "sigma_eta": 0.3}
ALARM = 1e-4  # chance that a right program fails a test here, split over its cases
CASES = [(40, 0.1), (100, 0.03), (140, 0.03), (512, 1e-2), (6400, 1e-3), (10**12, 1e-6)]


@functools.partial(jax.jit, static_argnums=1)
def solve(key, dtype, n, ridge):
    rhs = jnp.stack([jax.random.normal(key, (DIM,), dtype), THETA.astype(dtype)])
    shift = jnp.asarray(ridge, dtype) / EIGENVALUES.astype(dtype)
    n = jnp.asarray(n).astype(dtype)
    return rhs, wishart_solve(key, n - 1, rhs, shift, scale=n)


@pytest.mark.parametrize(("n", "ridge"), CASES)
def test_solution_for_any_wishart_matrix_that_begins_like_the_one_drawn(n, ridge):
    """W is completed on the orthogonal complement by an arbitrary factor and the system solved by LAPACK."""
    rhs, (x, converged, basis, images) = solve(jax.random.key(3), "float64", float(n), ridge)
    rows = int(np.count_nonzero(np.any(np.asarray(basis), axis=1)))
    basis, images = np.asarray(basis)[:rows], np.asarray(images)[:rows]
    assert converged
    assert 0 < rows <= min(2 * MAX_STEPS, n - 1)
    np.testing.assert_allclose(basis @ basis.T, np.eye(rows), atol=1e-12)
    np.testing.assert_allclose(np.tril(images @ basis.T, -1), 0, atol=1e-12)
    complement = np.linalg.svd(basis)[2][rows:]
    rest = np.random.default_rng(0).standard_normal((DIM, DIM - rows)) @ complement
    matrix = images.T @ images + rest.T @ rest + np.diag(ridge / np.asarray(EIGENVALUES))
    expected = np.linalg.solve(matrix, np.asarray(rhs).T).T
    error = np.linalg.norm(x - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() < 20 * TOLERANCE["float64"]
    wrong = np.linalg.solve(matrix + 1e-3 * np.outer(images[0], images[0]), np.asarray(rhs).T).T
    assert np.linalg.norm(x - wrong) > 100 * np.linalg.norm(x - expected)


def test_rows_are_those_of_a_bartlett_factor():
    """Row j has length χ_{N-j} along its own direction and is standard normal across the later ones."""
    n, factors = 200.0, []
    for key in jax.random.split(jax.random.key(4), 800):
        _, (_, _, basis, images) = solve(key, "float64", n, 1e-2)
        factors.append(np.asarray(images)[:16] @ np.asarray(basis)[:16].T * np.sqrt(n))
    factor = np.stack(factors)
    for row in (0, 1, 6, 11):
        square, across = factor[:, row, row] ** 2, factor[:, row, row + 1]
        assert stats.kstest(square, stats.chi2(n - 1 - row).cdf).pvalue > ALARM / 8
        assert stats.kstest(across, stats.norm.cdf).pvalue > ALARM / 8
        assert stats.kstest(square, stats.chi2(n + 6 - row).cdf).pvalue < 1e-6


def draws(method, n, ridge, *, seed, size=1000, dtype="float64"):
    number = {**NUMBER, "eigenvalues": EIGENVALUES.astype(dtype), "theta": THETA.astype(dtype)}
    values = sample_lgen(jax.random.key(seed), n, ridge=ridge, method=method, num_samples=size, **number)
    assert jnp.all(jnp.isfinite(values))
    return np.asarray(values)


@pytest.mark.parametrize(("n", "ridge"), CASES)
def test_law(n, ridge):
    other = "dual" if n < DIM else "bartlett"
    first, second = draws("krylov", n, ridge, seed=1), draws(other, n, ridge, seed=2)
    assert stats.ks_2samp(first, second).pvalue > ALARM / len(CASES)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ridge"), CASES[:-1])
def test_law_against_simulation(n, ridge):
    other = "simulate_dual" if n < DIM else "simulate_primal"
    first = draws("krylov", n, ridge, seed=1, size=10_000)
    second = draws(other, n, ridge, seed=2, size=10_000)
    assert stats.ks_2samp(first, second).pvalue > ALARM / len(CASES)


def test_a_wrong_law_is_caught(monkeypatch):
    """Rows that are 14 % too long."""
    n, ridge = 140, 0.03
    right = chi_square.chi_square
    monkeypatch.setattr(chi_square, "chi_square", lambda dof, *variates: 1.3 * right(dof, *variates))

    def wrong(key):
        return lgen_cell(key, n, ridge=ridge, method="krylov", **NUMBER)

    values = np.asarray(jax.lax.map(wrong, jax.random.split(jax.random.key(1), 1000)))
    assert stats.ks_2samp(values, draws("bartlett", n, ridge, seed=2)).pvalue < ALARM / 100


def test_float32():
    n, ridge = 512, 1e-2
    single = draws("krylov", n, ridge, seed=5, dtype="float32")
    assert single.dtype == np.float32
    assert stats.ks_2samp(single, draws("krylov", n, ridge, seed=6)).pvalue > ALARM


def test_without_a_teacher_and_without_convergence():
    """A teacher of zeros leaves the noise; what has not converged is NaN."""

    @jax.jit
    def quadratic(theta, n, ridge):
        return krylov_quadratic(jax.random.key(0), n, eigenvalues=EIGENVALUES, theta=theta, ridge=ridge)

    nothing = quadratic(0 * THETA, 512.0, 1e-2)
    assert nothing.bias == nothing.cross == 0
    assert nothing.variance == pytest.approx(float(quadratic(THETA, 512.0, 1e-2).variance), rel=0.05)
    assert np.isnan(quadratic(THETA, 129.0, 1e-9).variance)


def test_forward_derivative():
    def variance(ridge):
        number = {"eigenvalues": EIGENVALUES, "theta": THETA, "ridge": ridge}
        return krylov_quadratic(jax.random.key(0), jnp.asarray(6400.0), **number).variance

    value, slope = jax.jit(lambda ridge: jax.jvp(variance, (ridge,), (1.0,)))(1e-2)
    nearby = jax.jit(variance)
    assert value == pytest.approx(float(nearby(1e-2)), rel=1e-9)
    assert slope == pytest.approx(float(nearby(1.0001e-2) - nearby(0.9999e-2)) / 2e-6, rel=1e-5)


def test_reverse_derivative_in_the_scalars():
    """In n and the ridge it is the forward one; in the teacher JAX refuses a loop of unknown length."""

    def variance(n, ridge, theta):
        return krylov_quadratic(jax.random.key(0), n, eigenvalues=EIGENVALUES, theta=theta, ridge=ridge).bias

    point = jnp.asarray(6400.0), jnp.asarray(1e-2), THETA
    reverse = jax.jit(jax.grad(variance, (0, 1)))(*point)
    _, forward = jax.jit(
        lambda *x: jax.jvp(lambda n, r: variance(n, r, x[2]), x[:2], (jnp.ones(()), jnp.asarray(1e-3)))
    )(*point)
    assert float(reverse[0] + 1e-3 * reverse[1]) == pytest.approx(float(forward), rel=1e-9)
    with pytest.raises(ValueError, match="while_loop"):
        jax.grad(variance, 2)(*point)


def test_nearby_ridges_share_their_randomness():
    """One key at two ridges: the difference of log L_gen scatters as with one Bartlett factor for both."""
    scatter = {}
    for method in ("krylov", "bartlett"):
        one, other = (draws(method, 512, ridge, seed=7) for ridge in (1e-2, 2e-2))
        scatter[method] = np.std(np.log(one / other)), np.std(np.log(one))
    assert scatter["krylov"][0] < 1.2 * scatter["bartlett"][0]
    assert scatter["krylov"][0] < 0.5 * scatter["krylov"][1]


def test_steps_and_the_choice_of_method():
    spectrum = np.arange(1, 513.0) ** -2
    assert krylov_steps(100, spectrum, 0.0) == np.inf
    steps = [krylov_steps(n, spectrum, 1e-3) for n in (256, 2048, 2**20, 10**12)]
    assert steps == sorted(steps, reverse=True)
    known = {"eigenvalues": spectrum, "theta": np.ones(512), "beta": 2.5, "sigma_eta": 0.1}
    assert resolve_method("auto", 256, 512, 1e-3, **known) == "krylov"
    assert resolve_method("auto", 2048, 512, 1e-3, **known) == "krylov"
    assert resolve_method("auto", 64, 512, 1e-9, **known) == "dual"
    assert resolve_method("auto", 520, 512, 1e-9, **known) == "bartlett"
    assert resolve_method("auto", 2048, 512, 1e-3) == "bartlett"
    with pytest.raises(ValueError, match="df₁"):
        resolve_method("krylov", 64, 512, 1e-9, **known)
    with pytest.raises(ValueError, match="needs eigenvalues"):
        resolve_method("krylov", 2048, 512, 1e-3)

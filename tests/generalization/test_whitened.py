"""The whitened solve is ridge regression: given one training set, both give the same L_gen to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.generalization.design import Design, lower_triangle, tall_design, wide_design
from lidjax.generalization.whitened import tall_quadratic, wide_quadratic
from lidjax.model import power_law_spectrum, power_law_teacher
from lidjax.ridge import ridge_fit

DIM = 12


def training_set(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, DIM)), 0.3 * rng.standard_t(2.5, n)


def design_of(z, noise):
    """The design that a training set has: R and Qᵀη/‖η‖ of Z = QR, laid out as the samplers do."""
    n = len(z)
    q, r = np.linalg.qr(z)
    direction = q.T @ noise / np.linalg.norm(noise)
    if n >= DIM:
        return Design(jnp.asarray(r.T / np.sqrt(n)), jnp.asarray(direction))
    triangle, padded = np.zeros((DIM, DIM)), np.zeros(DIM)
    triangle[DIM - n :] = r[::-1, ::-1] / np.sqrt(n)
    padded[DIM - n :] = direction[::-1]
    return Design(jnp.asarray(triangle), jnp.asarray(padded))


@pytest.mark.parametrize("solver", ["cholesky", "eigh"])
@pytest.mark.parametrize("ridge", [0.0, 1e-9, 1e-3, 10.0])
@pytest.mark.parametrize("n", [1, 5, 11, 12, 13, 30])
def test_equals_ridge_regression_on_the_same_data(n, ridge, solver):
    eigenvalues, theta = power_law_spectrum(DIM, 0.7), power_law_teacher(DIM, 0.5)
    z, noise = training_set(n)
    x = jnp.asarray(z) * jnp.sqrt(eigenvalues)[None, :]
    estimate = ridge_fit(x, x @ theta + noise, ridge)
    expected = float(jnp.sum(eigenvalues * (estimate - theta) ** 2))
    solve = tall_quadratic if n >= DIM else wide_quadratic
    coefficients = solve(
        design_of(z, noise), eigenvalues=eigenvalues, theta=theta, ridge=ridge, solver=solver
    )
    actual = float(coefficients.lgen(np.linalg.norm(noise) / np.sqrt(n)))
    assert actual == pytest.approx(expected, rel=1e-7)  # the worst, n = d with ridge = 0, is ill conditioned


def test_one_decomposition_serves_every_ridge():
    eigenvalues, theta = power_law_spectrum(DIM, 0.7), power_law_teacher(DIM)
    ridges = jnp.asarray([0.0, 1e-9, 1e-3, 1.0])
    for n, draw, solve in ((30.0, tall_design, tall_quadratic), (7.0, wide_design, wide_quadratic)):
        design = draw(jax.random.key(0), jnp.asarray(n), DIM)

        def over_ridges(solver, design=design, solve=solve):
            return jax.vmap(
                lambda r: solve(design, eigenvalues=eigenvalues, theta=theta, ridge=r, solver=solver)
            )(ridges)

        for fast, slow in zip(over_ridges("eigh"), over_ridges("cholesky"), strict=True):
            np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-15)
        jaxpr = jax.make_jaxpr(lambda over_ridges=over_ridges: over_ridges("eigh"))()
        (line,) = [line for line in str(jaxpr).splitlines() if "= eigh[" in line]
        assert f"f64[{DIM},{DIM}]" in line
        assert f"f64[{len(ridges)}," not in line


def test_triangle_entries_are_independent_standard_normal():
    """Every pair of entries below the diagonal is uncorrelated: no number drawn is used twice.

    The largest of 91·45 correlations of 20 000 draws passes 5.5/√20000 with chance 2e-4.
    """
    size = 20_000
    for dim in (13, 14):
        keys = jax.random.split(jax.random.key(dim), size)
        drawn = np.asarray(jax.vmap(lambda key, dim=dim: lower_triangle(key, jnp.full(dim, 7.0)))(keys))
        assert np.all(drawn[:, np.arange(dim), np.arange(dim)] == 7)
        assert np.all(drawn[:, *np.triu_indices(dim, 1)] == 0)
        entries = drawn[:, *np.tril_indices(dim, -1)]
        correlation = np.corrcoef(entries.T) - np.eye(entries.shape[1])
        assert np.max(np.abs(correlation)) < 5.5 / np.sqrt(size)
        assert np.max(np.abs(entries.mean(axis=0))) < 5 / np.sqrt(size)
        assert np.max(np.abs(entries.var(axis=0) - 1)) < 5 * np.sqrt(2 / size)


@pytest.mark.parametrize("n", [4.0, 12.0, 40.0, 1e15])
def test_wishart_mean_and_direction_length(n):
    """E[RᵀR]/N = I (tall) or E[R Rᵀ]/N = (d/N) I (wide); E‖u‖² = min(1, d/N). Within 5 standard errors."""
    size = 4000
    keys = jax.random.split(jax.random.key(3), size)
    draw = tall_design if n >= DIM else wide_design
    triangles, directions = jax.vmap(lambda key: draw(key, jnp.asarray(n), DIM))(keys)
    gram = np.asarray(jnp.einsum("sij,skj->sik", triangles, triangles))
    present = np.arange(DIM)[::-1] < n
    expected = np.eye(DIM) if n >= DIM else np.diag(np.where(present, DIM / n, 0.0))
    if n < DIM:  # rows of R are instances in QR coordinates: only the trace is rotation free
        gram, expected = np.trace(gram, axis1=1, axis2=2), np.trace(expected)
    error = gram.std(axis=0) / np.sqrt(size)
    assert np.all(np.abs(gram.mean(axis=0) - expected) <= 5 * error + 1e-12)
    length = np.sum(np.square(np.asarray(directions)), axis=1)
    assert abs(length.mean() - min(1, DIM / n)) <= 5 * length.std() / np.sqrt(size) + 1e-12

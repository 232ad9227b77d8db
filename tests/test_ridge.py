"""Closed-form ridge against NumPy's least squares, in both forms and in both precisions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lidjax.ridge import dual_ridge, primal_ridge, ridge_fit, solve_shifted

SHAPES = [(40, 12), (12, 12), (5, 12), (1, 12), (7, 1)]


def problem(n, d, labels=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.arange(1, d + 1) ** -0.75
    return x, rng.normal(size=(n, labels))


def augmented_least_squares(x, y, ridge):
    """The slow twin: ridge is least squares with √(Nρ) I appended, solved by SVD, no normal equations."""
    n, d = x.shape
    rows = np.concatenate([x, np.sqrt(n * ridge) * np.eye(d)])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros((d, y.shape[1]))]), rcond=None)[0]


@pytest.mark.parametrize("ridge", [1.0, 1e-3])
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_agrees_with_augmented_least_squares(n, d, ridge):
    x, y = problem(n, d)
    expected = augmented_least_squares(x, y, ridge)
    for form in (ridge_fit, primal_ridge, dual_ridge):
        np.testing.assert_allclose(
            form(jnp.asarray(x), jnp.asarray(y), ridge), expected, rtol=1e-9, atol=1e-12
        )
    wrong = augmented_least_squares(x, y, ridge / n)  # control: a penalty on the sum instead of the mean
    if n > 1:
        assert np.abs(wrong - expected).max() > 1e-4 * np.abs(expected).max()


def test_without_ridge_it_interpolates_or_is_least_squares():
    x, y = problem(5, 12)
    theta = ridge_fit(jnp.asarray(x), jnp.asarray(y), 0.0)
    np.testing.assert_allclose(x @ theta, y, rtol=1e-10)
    np.testing.assert_allclose(theta, np.linalg.pinv(x) @ y, rtol=1e-9)  # the one of least norm
    x, y = problem(40, 12)
    np.testing.assert_allclose(
        ridge_fit(jnp.asarray(x), jnp.asarray(y), 0.0), np.linalg.pinv(x) @ y, rtol=1e-9
    )


def test_columns_are_separate_problems():
    x, y = map(jnp.asarray, problem(20, 6))
    together = ridge_fit(x, y, 1e-2)
    apart = jnp.stack([ridge_fit(x, y[:, j], 1e-2) for j in range(3)], axis=1)
    assert apart.shape == (6, 3)
    np.testing.assert_allclose(together, apart, rtol=1e-12)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40)])
def test_takes_the_smaller_system(shape):
    program = str(jax.make_jaxpr(ridge_fit)(jnp.ones(shape), jnp.ones(shape[0]), 1.0))
    assert "cholesky" in program
    assert "[12,12]" in program
    assert "[40,40]" not in program


def test_a_singular_system_is_nan_not_an_exception():
    x = jnp.ones((10, 3))  # rank one
    assert np.isnan(ridge_fit(x, jnp.ones(10), 0.0)).all()
    fine = jnp.asarray(problem(10, 3)[0])
    both = jax.vmap(lambda x, ridge: ridge_fit(x, jnp.ones(10), ridge))(
        jnp.stack([x, fine]), jnp.array([-1.0, 0.1])
    )
    assert np.isnan(both[0]).all()
    assert np.isfinite(both[1]).all()  # its neighbour under vmap stands


def test_float32_keeps_its_dtype_and_six_digits():
    x, y = problem(200, 12)
    single = ridge_fit(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), jnp.float32(1e-2))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, augmented_least_squares(x, y, 1e-2), rtol=2e-5, atol=2e-6)


def test_derivatives_are_those_of_the_solution():
    x, y = map(jnp.asarray, problem(8, 4))
    check_grads(lambda x, y, ridge: ridge_fit(x, y, ridge), (x, y, 0.1), order=1, rtol=1e-5)


def test_solve_shifted_reads_a_symmetric_matrix():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 9))
    matrix, rhs = root @ root.T, rng.normal(size=6)
    expected = np.linalg.solve(matrix + 0.3 * np.eye(6), rhs)
    np.testing.assert_allclose(
        solve_shifted(jnp.asarray(matrix), jnp.asarray(rhs), 0.3), expected, rtol=1e-11
    )

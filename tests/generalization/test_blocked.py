"""Blocked solve with A Aᵀ + diag(s) against LAPACK."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.generalization import blocked
from lidjax.generalization.blocked import gram_solve, inverse_cholesky


def problem(dim, dtype=np.float64):
    rng = np.random.default_rng(dim)
    lower = np.tril(rng.standard_normal((dim, dim)) / np.sqrt(2 * dim) + np.eye(dim))
    shift, rhs = rng.uniform(0, 1, dim), rng.standard_normal((3, dim))
    return tuple(jnp.asarray(a, dtype) for a in (lower, shift, rhs))


@pytest.mark.parametrize(("dim", "max_blocks"), [(1, 8), (33, 8), (64, 8), (65, 8), (200, 8), (200, 2)])
def test_against_lapack(dim, max_blocks, monkeypatch):
    """One block, one and a bit, several; and blocks made larger so that there are no more than `max_blocks`."""
    monkeypatch.setattr(blocked, "MAX_BLOCKS", max_blocks)
    lower, shift, rhs = problem(dim)
    expected = np.linalg.solve(np.asarray(lower @ lower.T + jnp.diag(shift)), np.asarray(rhs).T).T
    np.testing.assert_allclose(jax.jit(gram_solve)(lower, shift, rhs), expected, rtol=1e-11, atol=1e-12)


def test_float32_stays_float32():
    lower, shift, rhs = problem(100, np.float32)
    solution = jax.jit(gram_solve)(lower, shift, rhs)
    assert solution.dtype == jnp.float32
    residual = solution @ (lower @ lower.T + jnp.diag(shift)) - rhs
    assert float(jnp.max(jnp.abs(residual))) < 1e-4


def test_not_positive_definite_gives_nan():
    lower, shift, rhs = problem(100)
    assert bool(jnp.all(jnp.isnan(jax.jit(gram_solve)(lower, shift.at[40].set(-50.0), rhs))))


@pytest.mark.parametrize("size", [5, 100])
def test_inverse_cholesky(size):
    lower, shift, _ = problem(size)
    matrix = lower @ lower.T + jnp.diag(shift)
    inverse = jax.jit(inverse_cholesky)(matrix)
    np.testing.assert_allclose(inverse @ matrix @ inverse.T, np.eye(size), atol=1e-12)
    assert bool(jnp.all(jnp.triu(inverse, 1) == 0))

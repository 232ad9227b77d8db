"""Fixed-cost chi-square draws against scipy's distribution functions.

Kolmogorov tests on fixed keys; `ALARM` is the false-alarm rate of a whole test, split over its cases.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lidjax.generalization.chi_square import ROUNDS, chi_square, log_acceptance

ALARM = 1e-3
DRAWS = 100_000
DOFS = (1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 40.0, 511.0, 1e5, 1e10, 1e15)


@functools.cache
def draws(dtype):
    """{degrees of freedom: draws}, from one compiled call."""
    dof = jnp.broadcast_to(jnp.asarray(DOFS, dtype)[:, None], (len(DOFS), DRAWS))
    result = jax.jit(chi_square)(jax.random.key(0), dof)
    assert result.dtype == dtype
    assert bool(jnp.all(jnp.isfinite(result) & (result > 0)))
    return dict(zip(DOFS, np.asarray(result, float), strict=True))


@pytest.mark.parametrize("dof", DOFS)
def test_float64_law(dof):
    assert stats.kstest(draws(jnp.float64)[dof], stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


@pytest.mark.parametrize("dof", [d for d in DOFS if d < 1e6])
def test_float32_law(dof):
    assert stats.kstest(draws(jnp.float32)[dof], stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


def test_float32_keeps_what_float32_can_hold_at_large_dof():
    assert np.all(np.abs(draws(jnp.float32)[1e15] / 1e15 - 1) < 4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dof", [1.0, 2.0, 40.0])
def test_one_degree_of_freedom_more_is_caught(dof):
    assert stats.kstest(draws(jnp.float64)[dof], stats.chi2(dof + 1).cdf).pvalue < 1e-10


def test_failure_chance_of_a_proposal_is_what_the_docstring_says():
    """Numerical integral of the acceptance chance at the shapes named there."""
    z = np.linspace(-12, 12, 20_001)
    for shape, stated in ((1.5, 0.027), (5.0, 0.0062)):
        delta = shape - 1 / 3
        s = z / np.sqrt(9 * delta)
        log_accept = np.where(s > -1, log_acceptance(jnp.asarray(s), jnp.asarray(delta)), -np.inf)
        chance = np.trapezoid(stats.norm.pdf(z) * np.exp(np.minimum(log_accept, 0)), z)
        assert 1 - chance == pytest.approx(stated, rel=0.02)
    assert 0.027**ROUNDS < 6e-7

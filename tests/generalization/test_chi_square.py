"""Fixed-cost chi-square draws against scipy's distribution functions.

Kolmogorov tests on fixed keys; `ALARM` is the false-alarm rate of a whole test, split over its cases.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lidjax.generalization.chi_square import chi_square

ALARM = 1e-3
DRAWS = 200_000
DOFS = (1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 40.0, 511.0, 1e5, 1e10, 1e15)


def draw(dof, dtype, seed=0, size=DRAWS):
    return np.asarray(chi_square(jax.random.key(seed), jnp.full((size,), dof, dtype)), float)


@pytest.mark.parametrize("dof", DOFS)
def test_float64_law(dof):
    assert stats.kstest(draw(dof, jnp.float64), stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


@pytest.mark.parametrize("dof", [d for d in DOFS if d < 1e6])
def test_float32_law(dof):
    assert stats.kstest(draw(dof, jnp.float32), stats.chi2(dof).cdf).pvalue > ALARM / len(DOFS)


def test_float32_keeps_what_float32_can_hold_at_large_dof():
    draws = draw(1e15, jnp.float32)
    assert np.all(np.abs(draws / 1e15 - 1) < 4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dof", [1.0, 2.0, 40.0])
def test_one_degree_of_freedom_more_is_caught(dof):
    assert stats.kstest(draw(dof, jnp.float64), stats.chi2(dof + 1).cdf).pvalue < 1e-10


def test_dtype_shape_and_finiteness():
    for dtype in (jnp.float32, jnp.float64):
        draws = chi_square(jax.random.key(1), jnp.geomspace(1e-2, 1e15, 1000, dtype=dtype))
        assert draws.dtype == dtype
        assert draws.shape == (1000,)
        assert bool(jnp.all(jnp.isfinite(draws) & (draws >= 0)))


def test_failure_chance_of_a_proposal_is_what_the_docstring_says():
    """Numerical integral of the acceptance chance at the shapes named there."""
    from lidjax.generalization.chi_square import ROUNDS, log_acceptance

    z = np.linspace(-12, 12, 20001)
    for shape, stated in ((1.5, 0.027), (5.0, 0.0062)):
        delta = shape - 1 / 3
        s = z / np.sqrt(9 * delta)
        log_accept = np.where(s > -1, log_acceptance(jnp.asarray(s), jnp.asarray(delta)), -np.inf)
        chance = np.trapezoid(stats.norm.pdf(z) * np.exp(np.minimum(log_accept, 0)), z)
        assert 1 - chance == pytest.approx(stated, rel=0.02)
    assert 0.027**ROUNDS < 6e-7

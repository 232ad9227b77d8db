"""The curvature in the prior, against a closed form and sums on a finer grid."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from lidjax.evals.rates.prior import curvature
from lidjax.evals.rates.quadrature import COARSE_GRID


def test_the_curvature_is_that_of_the_curve():
    """A beta distribution, whose pass@k is closed, and the same number from sums in NumPy on a finer grid."""
    a, b = 0.4, 6.0
    params = np.array([[0.0, np.log(a), np.log(b), 0.0, -40.0], [-5.0, -1.0, 2.0, 0.4, -1.0]])
    found = np.asarray(curvature(jnp.asarray(params), COARSE_GRID))
    k = np.array([1, 100, 10_000])
    solved = -np.expm1(special.betaln(a, b + k) - special.betaln(a, b))
    assert found[0] == pytest.approx(np.diff(np.log(-np.log(solved)), 2)[0], abs=2e-3)
    x = np.linspace(-60, 20, 80_001)
    z = x + 5
    lower, upper, sharp, share = np.exp(-1.0), np.exp(2.0), np.exp(0.4), special.expit(-1.0)
    bend = share * lower / 5 * np.logaddexp(0, -z) ** 2 / 2
    straight = (1 - share) * lower
    log_density = straight * z - (straight + upper) / sharp * np.logaddexp(0, sharp * z) - bend
    density = np.exp(log_density - log_density.max())
    solved = -np.expm1(-k[:, None] * np.logaddexp(0, x)) @ density / density.sum()
    assert found[1] == pytest.approx(np.diff(np.log(-np.log(solved)), 2)[0], abs=2e-3)

"""The worth of further attempts against direct quadrature."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from lidjax.evals.next_attempts import next_attempts
from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows


def test_the_gain_is_the_expected_fall_of_the_variance():
    """One fixed population; the gain of a problem against direct quadrature."""
    n, c = np.array([20, 20, 20, 20]), np.array([0, 1, 20, 5])
    rows = count_rows(n, c, COARSE_GRID)
    params = np.array([-3.0, -0.7, 1.0, 0.0, -1.5])
    posterior = Posterior(params[None, :], np.ones(1), 1000.0, 0.0)
    k, more = 200, 16
    found = next_attempts(posterior, rows, k, attempts_each=more, chosen=2)
    gain = dict(zip(found.order.tolist(), found.gain.tolist(), strict=True))
    assert gain[2] < 1e-8  # solved every time: nothing to learn
    assert found.sd_after < found.sd_before
    x = np.linspace(-40, 12, 8001)
    density = np.interp(
        x, COARSE_GRID.nodes, np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(params), COARSE_GRID)))
    )
    rate = special.expit(x)
    solved = -np.expm1(k * np.log1p(-rate))
    weight = density * stats.binom.pmf(0, 20, rate)
    weight /= weight.sum()
    drawn = stats.binom.pmf(np.arange(more + 1)[:, None], more, rate) * weight
    mass = drawn.sum(axis=1)
    later = np.sum(drawn @ solved**2 - (drawn @ solved) ** 2 / mass)
    now = weight @ solved**2 - (weight @ solved) ** 2
    assert gain[0] == pytest.approx((now - later) / 16, rel=0.02)

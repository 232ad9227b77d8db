"""Saturation of the effective exponent with training size (Eq. 20 = Eq. 57)."""

import jax
import jax.numpy as jnp

from lidjax.arrays import broadcast_floats


def saturating_exponent(n, beta, delta, c, nu):
    """β_eff(N) = β - Δ/(1 + c N^ν), Eq. 20, for N > 0 and β, Δ, c, ν > 0. Arguments broadcast.

    An empirical summary over a fixed k-window, not a limit law: it rises from β - Δ to β around
    N₀ = c^(-1/ν). In log N it is a logistic curve of slope ν, evaluated as one so that no power overflows.
    """
    n, beta, delta, c, nu = broadcast_floats(n, beta, delta, c, nu)
    return beta - delta * jax.nn.sigmoid(-(jnp.log(c) + nu * jnp.log(n)))

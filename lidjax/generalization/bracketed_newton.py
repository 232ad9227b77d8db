"""The root of a rising function, by Newton steps that a bracket keeps in bounds; for the equations of κ in log κ."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

MAX_STEPS = 100
"""Enough to bisect any bracket of floats; Newton's method usually takes about ten."""

NewtonState = tuple[Array, Array, Array, Array, int | Array]
"""Ends of the bracket, the point, its last change, and the number of steps."""


def bracketed_newton(
    function: Callable[[Array], tuple[Array, Array]], low: Float[Array, ""], high: Float[Array, ""]
) -> Float[Array, ""]:
    """The root between `low` and `high` of a rising function that returns its value and slope; starts at `high`."""
    eps = jnp.finfo(high.dtype).eps

    def step(state: NewtonState) -> NewtonState:
        low, high, t, _, count = state
        value, slope = function(t)
        low, high = jnp.where(value < 0, t, low), jnp.where(value < 0, high, t)
        newton = t - value / slope
        following = jnp.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        return low, high, following, jnp.abs(following - t), count + 1

    def unfinished(state: NewtonState) -> Array:
        low, high, t, moved, count = state
        resolution = 2 * eps * jnp.maximum(jnp.abs(t), 1.0)
        return (moved > resolution) & (high - low > resolution) & (count < MAX_STEPS)

    return jax.lax.while_loop(unfinished, step, (low, high, high, jnp.full_like(high, jnp.inf), 0))[2]

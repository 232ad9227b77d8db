"""Newton's method in a box for a few parameters, one problem at a time; vmap it over starts and data sets.

Each step solves with |H|, the Hessian with its eigenvalues made positive, plus a damping that falls on success and grows on
failure; parameters that a bound holds stay. Reference: Nocedal and Wright, Numerical Optimization (2006), sec. 3.4 and 16.7.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Optimum(NamedTuple):
    """Parameters, value, Hessian there, which bounds hold, and whether the projected gradient vanished."""

    params: Float[Array, " p"]
    value: Float[Array, ""]
    hessian: Float[Array, "p p"]
    held: Bool[Array, " p"]
    converged: Bool[Array, ""]


def minimise(
    objective: Callable[[Array], Array],
    start,
    low,
    high,
    *,
    derivatives: Callable[[Array], tuple[Array, Array]] | None = None,
    max_steps: int = 60,
    tolerance: float = 1e-5,
) -> Optimum:
    """Minimise a smooth `objective` of (p,) inside low ≤ x ≤ high. No step moves a parameter by more than 2.

    `derivatives` gives the gradient and a matrix in the Hessian's place; without it both are found exactly, by
    differentiating. Converged means that no free component of the gradient exceeds `tolerance` (1 + |objective|/1000).
    """
    if derivatives is None:
        gradient_of, hessian_of = jax.grad(objective), jax.hessian(objective)

        def derivatives(params):
            return gradient_of(params), hessian_of(params)

    def blocked(params, slope):
        return ((params <= low) & (slope > 0)) | ((params >= high) & (slope < 0))

    def done(params, value, slope):
        free = jnp.where(blocked(params, slope), 0.0, slope)
        return jnp.max(jnp.abs(free)) <= tolerance * (1 + jnp.abs(value) / 1000)

    def body(state):
        params, value, slope, matrix, damping, steps, _ = state
        free = ~blocked(params, slope)
        matrix_free = jnp.where(free[:, None] & free[None, :], matrix, jnp.eye(len(params), dtype=params.dtype))
        curvature, axes = jnp.linalg.eigh(matrix_free)
        along = jnp.matmul(axes.T, jnp.where(free, slope, 0.0), precision="highest")
        step = -jnp.matmul(axes, along / (jnp.maximum(jnp.abs(curvature), 1e-6) + damping), precision="highest")
        trial = jnp.clip(params + jnp.clip(step, -2.0, 2.0), low, high)
        trial_value = objective(trial)
        better = trial_value < value
        params = jnp.where(better, trial, params)
        value = jnp.where(better, trial_value, value)
        slope, matrix = derivatives(params)
        damping = jnp.where(better, jnp.where(damping > 1e-8, damping / 8, 0.0), jnp.maximum(damping * 6, 1e-3))
        return params, value, slope, matrix, damping, steps + 1, done(params, value, slope) | (damping > 1e10)

    start = jnp.clip(start, low, high)
    value = objective(start)
    first = (start, value, *derivatives(start), jnp.ones_like(value), jnp.asarray(0), jnp.asarray(False))
    params, value, slope, matrix, _, _, _ = jax.lax.while_loop(lambda s: ~s[6] & (s[5] < max_steps), body, first)
    converged = done(params, value, slope) & jnp.isfinite(value)
    return Optimum(params, value, matrix, blocked(params, slope), converged)

"""Damped least squares in a box (Levenberg-Marquardt), one small problem at a time; vmap it over starts and cells.

Minimises C(p) = ½‖r(p)‖² over low ≤ p ≤ high. Each step solves (JᵀJ + μ diag JᵀJ) δ = -Jᵀr on the parameters
that no bound holds, clips to the box, and keeps the step only when C falls; μ shrinks by 10 on success and
grows by 4 on failure. References: Moré, Lecture Notes in Mathematics 630 (1978) 105; Kelley,
Iterative Methods for Optimization (1999), ch. 5 for the projection.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Minimum(NamedTuple):
    """A stationary point: parameters, residuals and their Jacobian there, C, whether it converged, steps taken."""

    params: Float[Array, " p"]
    residual: Float[Array, " m"]
    jacobian: Float[Array, "m p"]
    cost: Float[Array, ""]
    converged: Bool[Array, ""]
    num_steps: Int[Array, ""]


def damped_step(gradient, hessian, free, damping):
    """δ of one damped step; parameters that are not `free` stay. Scaled to a unit diagonal before solving."""
    diagonal = jnp.diagonal(hessian)
    scale = jnp.where(free & (diagonal > 0), jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 0.0)
    scaled = hessian * scale[:, None] * scale[None, :]
    identity = jnp.eye(gradient.shape[0], dtype=gradient.dtype)
    matrix = jnp.where(identity > 0, 1.0 + damping, scaled)
    return -scale * jnp.linalg.solve(matrix, scale * gradient)


def least_squares(residual, start, low, high, *, max_steps: int = 200) -> Minimum:
    """Minimise ½‖residual(p)‖² from `start` inside [low, high]; `residual` maps (p,) to (m,).

    Converged means: a step was accepted or proposed that changes neither the cost by more than 1e-14 of itself nor
    any parameter by more than 1e-9 (scaled by machine precision for float32).
    """
    start = jnp.clip(start, low, high)
    eps = jnp.finfo(start.dtype).eps
    jacobian = jax.jacfwd(residual)

    def evaluate(params):
        r = residual(params)
        j = jacobian(params)
        return r, j, 0.5 * jnp.sum(r * r)

    def body(state):
        params, r, j, cost, damping, _, steps = state
        gradient = jnp.matmul(j.T, r, precision="highest")
        hessian = jnp.matmul(j.T, j, precision="highest")
        held = ((params <= low) & (gradient > 0)) | ((params >= high) & (gradient < 0))
        step = damped_step(gradient, hessian, ~held, damping)
        trial = jnp.clip(params + step, low, high)
        trial_r, trial_j, trial_cost = evaluate(trial)
        better = trial_cost < cost
        small_step = jnp.all(jnp.abs(trial - params) <= jnp.sqrt(eps) / 10 * (1 + jnp.abs(params)))
        flat = jnp.abs(trial_cost - cost) <= 50 * eps * cost
        done = (small_step & (damping <= 1)) | (flat & better) | (damping > 1e12)
        state = jax.tree.map(
            lambda new, old: jnp.where(better, new, old),
            (trial, trial_r, trial_j, trial_cost),
            (params, r, j, cost),
        )
        return *state, jnp.where(better, jnp.maximum(damping / 10, 1e-12), damping * 4), done, steps + 1

    def unfinished(state):
        return ~state[5] & (state[6] < max_steps)

    first = (start, *evaluate(start), jnp.asarray(1e-2, start.dtype), jnp.asarray(False), jnp.asarray(0))
    params, r, j, cost, _, done, steps = jax.lax.while_loop(unfinished, body, first)
    return Minimum(params, r, j, cost, done & jnp.isfinite(cost), steps)


def best_of(residual, starts: Float[Array, "s p"], low, high, *, max_steps: int = 200) -> Minimum:
    """The lowest of the minima reached from several starts."""
    minima = jax.vmap(lambda start: least_squares(residual, start, low, high, max_steps=max_steps))(starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(minima.cost), minima.cost, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], minima)

"""Damped least squares in a box (Levenberg-Marquardt), one small problem; vmap it over starts and cells.

Minimises C(p) = ½‖r(p)‖² over low ≤ p ≤ high. Each step solves (JᵀJ + μ diag JᵀJ) δ = -Jᵀr on the
parameters that no bound holds, clips to the box, and is kept only when C falls; μ shrinks by 10 on
success and grows by 4 on failure. A parameter is fixed by low = high.
References: Moré, Lecture Notes in Mathematics 630 (1978) 105, for the damping scaled by diag JᵀJ and the
cosine test; Kelley, Iterative Methods for Optimization (1999), ch. 5, for the projection.

Why not L-BFGS: on 1000 fits of Eq. 20 from 12 starts (2 cores, float64) `optax.lbfgs` reached the same minima
to 1e-8 in 54 s, this in 0.7 s: with four parameters the Gauss-Newton matrix is nearly free and worth having.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Array, Bool, Float, Int


class Minimum(NamedTuple):
    """A stationary point: parameters, residual and its Jacobian there, cost C, whether it converged."""

    params: Float[Array, " p"]
    residual: Float[Array, " m"]
    jacobian: Float[Array, "m p"]
    cost: Float[Array, ""]
    converged: Bool[Array, ""]
    num_steps: Int[Array, ""]


def damped_step(gradient, hessian, free, damping):
    """δ of one damped step; parameters that are not `free` stay. Solved in units where diag JᵀJ = 1.

    A matrix that is not numerically positive definite gives NaN, which the caller takes for a bad step.
    """
    diagonal = jnp.diagonal(hessian)
    movable = free & (diagonal > 0)
    scale = jnp.where(movable, jax.lax.rsqrt(jnp.where(movable, diagonal, 1.0)), 0.0)
    scaled = hessian * scale[:, None] * scale[None, :]
    identity = jnp.eye(gradient.shape[0], dtype=bool)
    matrix = jnp.where(identity, 1.0 + damping, scaled)
    return -scale * cho_solve(cho_factor(matrix, lower=True), scale * gradient)


def stationary(jacobian, residual, held, tolerance):
    """Whether every free column of J is orthogonal to r: |cos(J_i, r)| ≤ tolerance."""
    size = jnp.linalg.norm(jacobian, axis=0) * jnp.linalg.norm(residual)
    slope = jnp.abs(jnp.matmul(jacobian.T, residual, precision="highest"))
    return jnp.all(held | (slope <= tolerance * size))


def least_squares(residual, start, low, high, *, max_steps: int = 200) -> Minimum:
    """Minimise ½‖residual(p)‖² from `start` inside [low, high]; `residual` maps (p,) to (m,).

    Stops on a step below 1e-9 (float64) in every parameter, on a relative fall of C below 1e-14, or when no step
    helps. Converged means: a small enough step, or a residual orthogonal to the free columns of J.
    """
    start = jnp.clip(start, low, high)
    eps = jnp.finfo(start.dtype).eps
    jacobian = jax.jacfwd(residual)

    def evaluate(params):
        r = residual(params)
        return params, r, jacobian(params), 0.5 * jnp.sum(r * r)

    def held_by_bounds(params, gradient):
        return ((params <= low) & (gradient > 0)) | ((params >= high) & (gradient < 0)) | (low >= high)

    def body(state):
        point, damping, _, steps, settled = state
        params, r, j, cost = point
        gradient = jnp.matmul(j.T, r, precision="highest")
        hessian = jnp.matmul(j.T, j, precision="highest")
        step = damped_step(gradient, hessian, ~held_by_bounds(params, gradient), damping)
        new = evaluate(jnp.clip(params + step, low, high))
        better = new[3] < cost
        small = jnp.all(jnp.abs(new[0] - params) <= jnp.sqrt(eps) / 10 * (1 + jnp.abs(params))) & (damping <= 1)
        flat = better & (cost - new[3] <= 50 * eps * cost)
        point = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, point)
        damping = jnp.where(better, jnp.maximum(damping / 10, 1e-12), damping * 4)
        return point, damping, small | flat | (damping > 1e12), steps + 1, settled | small

    first = (evaluate(start), jnp.asarray(1e-2, start.dtype), jnp.asarray(False), 0, jnp.asarray(False))
    point, _, _, steps, settled = jax.lax.while_loop(lambda s: ~s[2] & (s[3] < max_steps), body, first)
    params, r, j, cost = point
    held = held_by_bounds(params, jnp.matmul(j.T, r, precision="highest"))
    converged = settled | stationary(j, r, held, jnp.maximum(1e-6, jnp.sqrt(eps)))
    return Minimum(params, r, j, cost, converged & jnp.isfinite(cost), jnp.asarray(steps))


def best_of(residual, starts: Float[Array, "s p"], low, high, *, max_steps: int = 200) -> Minimum:
    """The lowest of the minima reached from several starts."""
    minima = jax.vmap(lambda start: least_squares(residual, start, low, high, max_steps=max_steps))(starts)
    best = jnp.argmin(jnp.where(jnp.isfinite(minima.cost), minima.cost, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], minima)

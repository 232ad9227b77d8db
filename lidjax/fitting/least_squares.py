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


class Point(NamedTuple):
    """What a step needs to know of a place. Not r and J themselves: under vmap carrying them is most of the cost."""

    params: Float[Array, " p"]
    gradient: Float[Array, " p"]
    hessian: Float[Array, "p p"]
    cost: Float[Array, ""]


class Minimum(NamedTuple):
    """Where a descent ended: the point with its derivatives, whether it converged, steps taken."""

    point: Point
    converged: Bool[Array, ""]
    num_steps: Int[Array, ""]


class Descent(NamedTuple):
    """The best point so far, and how the descent goes on."""

    point: Point
    damping: Float[Array, ""]
    done: Bool[Array, ""]
    settled: Bool[Array, ""]
    num_steps: Int[Array, ""]


def begin(start) -> Descent:
    """A descent that has not looked yet: infinite cost, so that the first step evaluates the start and keeps it."""
    size, dtype = start.shape[0], start.dtype
    point = Point(start, jnp.zeros(size, dtype), jnp.zeros((size, size), dtype), jnp.asarray(jnp.inf, dtype))
    no = jnp.asarray(False)
    return Descent(point, jnp.asarray(1e-2, dtype), no, no, jnp.asarray(0))


def evaluate(residual, params) -> Point:
    r, j = residual(params), jax.jacfwd(residual)(params)
    gradient = jnp.matmul(j.T, r, precision="highest")
    return Point(params, gradient, jnp.matmul(j.T, j, precision="highest"), 0.5 * jnp.sum(r * r))


def held_by_bounds(params, gradient, low, high):
    return ((params <= low) & (gradient > 0)) | ((params >= high) & (gradient < 0)) | (low >= high)


def descend(residual, state: Descent, low, high, *, enough=0.0) -> Descent:
    """One damped step. Done when C falls by less than `enough` or 1e-14 C, or a step below 1e-9 gains nothing."""
    old = state.point
    eps = jnp.finfo(old.params.dtype).eps
    free = ~held_by_bounds(old.params, old.gradient, low, high)
    step = damped_step(old.gradient, old.hessian, free, state.damping)
    new = evaluate(residual, jnp.clip(old.params + step, low, high))

    better = new.cost < old.cost
    looked = jnp.isfinite(old.cost)
    moved = jnp.abs(new.params - old.params) > jnp.sqrt(eps) / 10 * (1 + jnp.abs(old.params))
    whole = looked & (state.damping <= 1e-2)  # a near Gauss-Newton step: a short damped one proves nothing
    little = old.cost - new.cost <= jnp.maximum(50 * eps * old.cost, enough)
    settled = whole & little & ~jnp.any(moved)
    flat = whole & little & better
    return Descent(
        jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old),
        jnp.where(better, jnp.maximum(state.damping / 10, 1e-12), state.damping * 4),
        settled | flat | (state.damping > 1e12),
        settled,
        state.num_steps + 1,
    )


def least_squares(residual, start, low, high, *, max_steps: int = 100) -> Minimum:
    """Minimise ½‖residual(p)‖² from `start` inside [low, high]; `residual` maps (p,) to (m,).

    Converged means that it ended on a small step, or with the residual orthogonal to the free columns of J.
    """
    state = jax.lax.while_loop(
        lambda state: ~state.done & (state.num_steps < max_steps),
        lambda state: descend(residual, state, low, high),
        begin(jnp.clip(start, low, high)),
    )
    params, gradient, hessian, cost = state.point
    held = held_by_bounds(params, gradient, low, high)
    tolerance = jnp.maximum(1e-6, jnp.sqrt(jnp.finfo(params.dtype).eps))
    cosine_limit = tolerance * jnp.sqrt(jnp.diagonal(hessian) * 2 * cost)
    stationary = jnp.all(held | (jnp.abs(gradient) <= cosine_limit))
    return Minimum(state.point, (state.settled | stationary) & jnp.isfinite(cost), state.num_steps)


def best_of(residual, starts: Float[Array, "s p"], low, high, *, max_steps: int = 100) -> Minimum:
    """The lowest of the minima reached from several starts."""
    minima = jax.vmap(lambda start: least_squares(residual, start, low, high, max_steps=max_steps))(starts)
    cost = minima.point.cost
    best = jnp.argmin(jnp.where(jnp.isfinite(cost), cost, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], minima)

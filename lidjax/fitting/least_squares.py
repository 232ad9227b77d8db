"""Damped least squares in a box (Levenberg-Marquardt) for one small problem, to be vmapped over starts and curves.

Minimises C(p) = ½‖r(p)‖² over low ≤ p ≤ high. Each step solves (JᵀJ + μ diag JᵀJ) δ = -Jᵀr for the parameters that no
bound blocks and clips the result to the box. It is kept only if C falls. The damping μ shrinks by 10 after a success
and grows by 4 after a failure. A parameter is fixed by low = high.
References: Moré, Lecture Notes in Mathematics 630 (1978) 105, for the damping scaled by diag JᵀJ and the
cosine test; Kelley, Iterative Methods for Optimization (1999), ch. 5, for the projection.

Why not L-BFGS: on 1000 fits of Eq. 20 from 12 starts (2 cores, float64) `optax.lbfgs` reached the same minima
to 1e-8 in 54 s, this in 0.7 s. With four parameters the Gauss-Newton matrix costs next to nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

Residual = Callable[[Float[Array, " p"]], Float[Array, " m"]]
"""The residuals of a problem as a function of its parameters."""


def damped_step(
    gradient: Float[Array, " p"], hessian: Float[Array, "p p"], free: Bool[Array, " p"], damping: ArrayLike
) -> Float[Array, " p"]:
    """δ of one damped step, 0 for parameters that are not `free`; solved in units where diag JᵀJ = 1.

    A matrix that is not numerically positive definite gives NaN, which the caller treats as a failed step.
    """
    diagonal = jnp.diagonal(hessian)
    movable = free & (diagonal > 0)
    scale = jnp.where(movable, jax.lax.rsqrt(jnp.where(movable, diagonal, 1.0)), 0.0)
    scaled = hessian * scale[:, None] * scale[None, :]
    identity = jnp.eye(gradient.shape[0], dtype=bool)
    matrix = jnp.where(identity, 1.0 + damping, scaled)
    return -scale * cho_solve(cho_factor(matrix, lower=True), scale * gradient)


class Point(NamedTuple):
    """A point with what a step needs there.

    The residuals and their Jacobian are not kept: under vmap carrying them would be most of the cost.
    """

    params: Float[Array, " p"]
    gradient: Float[Array, " p"]
    hessian: Float[Array, "p p"]
    """JᵀJ, the Gauss-Newton approximation."""
    cost: Float[Array, ""]
    """C = ½‖r‖²."""


class Minimum(NamedTuple):
    """The point where a descent ended, whether it converged, and the number of steps taken."""

    point: Point
    converged: Bool[Array, ""]
    num_steps: Int[Array, ""]


class Descent(NamedTuple):
    """The state of a descent: the best point so far and the damping of the next step."""

    point: Point
    damping: Float[Array, ""]
    done: Bool[Array, ""]
    settled: Bool[Array, ""]
    """Whether it ended on a step too small to matter."""
    num_steps: Int[Array, ""]


def start_descent(start: Float[Array, " p"]) -> Descent:
    """The initial state: infinite cost, so that the first step evaluates the start and keeps it."""
    size, dtype = start.shape[0], start.dtype
    point = Point(start, jnp.zeros(size, dtype), jnp.zeros((size, size), dtype), jnp.asarray(jnp.inf, dtype))
    no = jnp.asarray(False)
    return Descent(point, jnp.asarray(1e-2, dtype), no, no, jnp.asarray(0))


def evaluate_point(residual: Residual, params: Float[Array, " p"]) -> Point:
    r, j = residual(params), jax.jacfwd(residual)(params)
    gradient = jnp.matmul(j.T, r, precision="highest")
    return Point(params, gradient, jnp.matmul(j.T, j, precision="highest"), 0.5 * jnp.sum(r * r))


def blocked_by_bounds(
    params: Float[Array, " p"],
    gradient: Float[Array, " p"],
    low: Float[Array, " p"],
    high: Float[Array, " p"],
) -> Bool[Array, " p"]:
    """Parameters that are fixed, or at a bound beyond which the cost would fall."""
    return ((params <= low) & (gradient > 0)) | ((params >= high) & (gradient < 0)) | (low >= high)


def descent_step(
    residual: Residual,
    state: Descent,
    low: Float[Array, " p"],
    high: Float[Array, " p"],
    *,
    negligible: ArrayLike = 0.0,
) -> Descent:
    """One damped step. The descent is done when C falls by less than `negligible` or 1e-14 C, or the step is tiny."""
    old = state.point
    eps = jnp.finfo(old.params.dtype).eps
    free = ~blocked_by_bounds(old.params, old.gradient, low, high)
    step = damped_step(old.gradient, old.hessian, free, state.damping)
    new = evaluate_point(residual, jnp.clip(old.params + step, low, high))

    better = new.cost < old.cost
    evaluated = jnp.isfinite(old.cost)
    moved = jnp.abs(new.params - old.params) > jnp.sqrt(eps) / 10 * (1 + jnp.abs(old.params))
    full_step = evaluated & (state.damping <= 1e-2)  # near Gauss-Newton: a short damped step proves nothing
    small_fall = old.cost - new.cost <= jnp.maximum(50 * eps * old.cost, negligible)
    settled = full_step & small_fall & ~jnp.any(moved)
    flat = full_step & small_fall & better
    return Descent(
        jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old),
        jnp.where(better, jnp.maximum(state.damping / 10, 1e-12), state.damping * 4),
        settled | flat | (state.damping > 1e12),
        settled,
        state.num_steps + 1,
    )


def least_squares(
    residual: Residual,
    start: Float[Array, " p"],
    low: Float[Array, " p"],
    high: Float[Array, " p"],
    *,
    max_steps: int = 100,
) -> Minimum:
    """Minimise ½‖residual(p)‖² from `start` inside [low, high]; `residual` maps (p,) to (m,).

    Converged means that it ended on a tiny step, or with the residual orthogonal to the free columns of J.
    """
    state = jax.lax.while_loop(
        lambda state: ~state.done & (state.num_steps < max_steps),
        lambda state: descent_step(residual, state, low, high),
        start_descent(jnp.clip(start, low, high)),
    )
    params, gradient, hessian, cost = state.point
    blocked = blocked_by_bounds(params, gradient, low, high)
    tolerance = jnp.maximum(1e-6, jnp.sqrt(jnp.finfo(params.dtype).eps))
    cosine_limit = tolerance * jnp.sqrt(jnp.diagonal(hessian) * 2 * cost)
    stationary = jnp.all(blocked | (jnp.abs(gradient) <= cosine_limit))
    return Minimum(state.point, (state.settled | stationary) & jnp.isfinite(cost), state.num_steps)


def lowest_minimum(
    residual: Residual,
    starts: Float[Array, "s p"],
    low: Float[Array, " p"],
    high: Float[Array, " p"],
    *,
    max_steps: int = 100,
) -> Minimum:
    """The lowest of the minima reached from several starts."""
    minima = jax.vmap(lambda start: least_squares(residual, start, low, high, max_steps=max_steps))(starts)
    cost = minima.point.cost
    best = jnp.argmin(jnp.where(jnp.isfinite(cost), cost, jnp.inf))
    return jax.tree.map(lambda leaf: leaf[best], minima)

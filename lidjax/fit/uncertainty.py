"""Uncertainty of a least-squares fit: scaled covariance, and profile-likelihood intervals.

With known standard errors 2C is a chi-square. Without them the residual variance is estimated from the misfit,
s² = 2C/(m - p), and an interval uses Student's t with m - p degrees of freedom. On a curve without
sampling noise that is all an error can mean: how far the *form* of the law is from the curve in this window,
as if the misfit at the points were independent. It shrinks like 1/√m as the same window is sampled
more finely, so it is a scale of misfit, not a probability statement.

The profile interval of p_i is {p_i : 2 min_rest C - 2 C_min ≤ s² t²}. Where it reaches the search box, or ends
only because another parameter does, the data leave p_i open on that side. Reference: Venzon and Moolgavkar, Applied Statistics 37 (1988) 87.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri, stdtrit

from lidjax.fit.least_squares import least_squares

MAX_WALK = 60  # refits for one end; strides double, so this crosses any box
MAX_REFIT = 40  # steps of one refit; warm starts need about five
ROUNDING = 8.0  # residuals below this many units in the last place are rounding, not misfit


class Interval(NamedTuple):
    """Ends of the profile intervals, -inf or +inf where open, and the lowest cost met on the way."""

    lower: Float[Array, " i"]
    upper: Float[Array, " i"]
    lowest: Float[Array, ""]


def residual_variance(cost, dof, rounding, known_errors):
    """s²: 1 for known errors, else 2C/dof, and never below the square of `rounding`."""
    dof = jnp.maximum(dof, 1).astype(cost.dtype)
    return jnp.where(known_errors, 1.0, jnp.maximum(2 * cost / dof, rounding**2)).astype(cost.dtype)


def covariance_from_jacobian(jacobian, variance):
    """s² (JᵀJ)⁻¹, inverted in units where its diagonal is 1; infinite where JᵀJ is numerically singular."""
    hessian = jnp.matmul(jacobian.T, jacobian, precision="highest")
    diagonal = jnp.diagonal(hessian)
    root = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    inverse = jnp.linalg.inv(hessian / (root[:, None] * root[None, :]))
    sound = jnp.all(jnp.isfinite(inverse)) & jnp.all(jnp.diagonal(inverse) > 0) & jnp.all(diagonal > 0)
    return variance * jnp.where(sound, inverse, jnp.inf) / (root[:, None] * root[None, :])


def critical_values(level: float, max_dof: int, *, known_errors: bool) -> np.ndarray:
    """Two-sided `level` quantiles for 1..max_dof degrees of freedom: normal for known errors, else Student's t."""
    dof = np.arange(1, max_dof + 1)
    return np.full(max_dof, ndtri(0.5 + level / 2)) if known_errors else stdtrit(dof, 0.5 + level / 2)


def at_dof(critical, dof):
    """The entry of `critical_values` for `dof` degrees of freedom (clipped to the table)."""
    return critical[jnp.clip(dof, 1, critical.shape[0]) - 1]


def profile_intervals(residual, index, errors, params, low, high, *, cost, variance, critical) -> Interval:
    """Profile intervals of the parameters numbered `index` (i,) from a minimum whose C is `cost`.

    `params`, `low`, `high` (i, p) are the minimum and the box of each walk: rows may differ where one minimum is
    written in several coordinates. `errors` (i,) are Wald errors, the first stride outward; `critical` is t.
    """
    index = jnp.asarray(index)
    walk = partial(profile_end, residual, cost=cost, variance=variance, target=critical)
    sign = jnp.tile(jnp.asarray([-1.0, 1.0], params.dtype), index.shape[0])
    lanes = (jnp.repeat(a, 2, axis=0) for a in (index, errors, params, low, high))
    ends, lowest = jax.vmap(walk)(sign, *lanes)
    return Interval(ends[::2], ends[1::2], jnp.min(lowest))


def profile_end(residual, sign, index, error, start, low, high, *, cost, variance, target):
    """One end: walk outward from the minimum until the height passes `target`, then close in by secants."""
    dtype = start.dtype
    centre = start[index]
    edge = jnp.where(sign > 0, high[index], low[index])

    def refit(value, params):
        box = low.at[index].set(value), high.at[index].set(value)
        return least_squares(residual, params.at[index].set(value), *box, max_steps=MAX_REFIT)

    def height(new_cost):  # root of the likelihood ratio: near linear in the parameter
        return jnp.sqrt(jnp.maximum(2 * (new_cost - cost), 0.0) / variance)

    def body(state):
        walk, stride, lowest, steps, _ = state
        inside, inside_h, params, outside, outside_h = walk
        bracketed = jnp.isfinite(outside_h)
        fraction = (target - inside_h) / jnp.where(bracketed, outside_h - inside_h, 1.0)
        secant = inside + jnp.clip(fraction, 0.05, 0.95) * (outside - inside)
        farther = sign * jnp.minimum(sign * (inside + sign * stride), sign * edge)
        value = jnp.where(bracketed, secant, farther)
        found = refit(value, params)
        h = height(found.cost)
        within = ~(h > target)
        advance, retreat = (value, h, found.params, outside, outside_h), (inside, inside_h, params, value, h)
        walk = jax.tree.map(lambda a, b: jnp.where(within, a, b), advance, retreat)
        done = (jnp.abs(h - target) <= 1e-3 * target) | (within & (value == edge))
        return walk, stride * 2, jnp.fmin(lowest, found.cost), steps + 1, done

    smallest = 64 * jnp.finfo(dtype).eps * (1 + jnp.abs(centre))
    sound = jnp.isfinite(error) & (error > 0)
    stride = jnp.clip(jnp.where(sound, target * error, 0.1), smallest, 1.0)
    walk = (centre, jnp.zeros((), dtype), start, edge, jnp.full((), jnp.inf, dtype))
    state = (walk, stride, cost, 0, jnp.asarray(False))
    walk, _, lowest, _, _ = jax.lax.while_loop(lambda s: ~s[4] & (s[3] < MAX_WALK), body, state)
    inside, inside_h, params, outside, outside_h = walk
    leaning = ((params <= low) | (params >= high)) & (low < high) & (jnp.arange(low.shape[0]) != index)
    crossing = jnp.where(jnp.abs(outside_h - target) < jnp.abs(inside_h - target), outside, inside)
    closed = (jnp.isfinite(outside_h) | (inside_h >= 0.999 * target)) & ~jnp.any(leaning)
    return jnp.where(closed, crossing, sign * jnp.inf), lowest

"""Uncertainty of a least-squares fit: scaled covariance, and profile-likelihood intervals.

With known standard errors 2C is a chi-square. Without them the residual variance is estimated from the misfit,
s² = 2C/(m - p), and an interval uses Student's t with m - p degrees of freedom. On a curve without
sampling noise that is all an error can mean: how far the *form* of the law is from the curve in this window,
as if the misfit at the points were independent. It shrinks like 1/√m as the same window is sampled
more finely, so it is a scale of misfit, not a probability statement.

The profile interval of p_i is {p_i : 2 min_rest C - 2 C_min ≤ s² t²}. Where it reaches the search box, or ends
only because another parameter does, the data leave p_i open on that side.
Reference: Venzon and Moolgavkar, Applied Statistics 37 (1988) 87.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import ndtri, stdtrit

from lidjax.fitting.least_squares import Descent, Minimum, Point, begin, damped_step, descend

MAX_TURNS = 200  # steps of all refits for one end; 150 sufficed wherever the curve was well determined
MAX_REFIT = 60  # steps of one refit; warm starts need about five, curved valleys many more
NEGLIGIBLE = 1e-3  # heuristic: so small a fall of 2C against s² moves no estimate by a thirtieth of its error
UNSETTLED = 0.01  # heuristic: the share of the rise that a full step of the other parameters would undo
ROUNDING = 256.0  # heuristic: residuals below so many units in the last place count as rounding, not misfit


class Interval(NamedTuple):
    """Ends of the profile intervals, -inf or +inf where open, and the lowest cost met on the way."""

    lower: Float[Array, " i"]
    upper: Float[Array, " i"]
    lowest: Float[Array, ""]


def residual_variance(cost, dof, rounding, known_errors):
    """s²: 1 for known errors, else 2C/dof, and never below the square of `rounding`."""
    dof = jnp.maximum(dof, 1).astype(cost.dtype)
    return jnp.where(known_errors, 1.0, jnp.maximum(2 * cost / dof, rounding**2)).astype(cost.dtype)


def covariance_from_hessian(hessian, variance, free):
    """s² (JᵀJ)⁻¹ over the `free` parameters, 0 for the others; all infinite where JᵀJ is numerically singular.

    Inverted in units where the diagonal is 1.
    """
    diagonal = jnp.diagonal(hessian)
    root = jnp.sqrt(jnp.where(free & (diagonal > 0), diagonal, 1.0))
    pairs = free[:, None] & free[None, :]
    identity = jnp.eye(free.shape[0], dtype=bool)
    scaled = jnp.where(pairs, hessian, jnp.where(identity, 1.0, 0.0)) / (root[:, None] * root[None, :])
    inverse = jnp.linalg.inv(scaled)
    sound = (
        jnp.all(jnp.isfinite(inverse))
        & jnp.all(jnp.diagonal(inverse) > 0)
        & jnp.all(diagonal > 0, where=free)
    )
    inverse = jnp.where(sound, inverse, jnp.inf) / (root[:, None] * root[None, :])
    return variance * jnp.where(pairs, inverse, 0.0)


def critical_values(level: float, max_dof: int, *, known_errors: bool) -> np.ndarray:
    """Two-sided `level` quantiles for 1..max_dof degrees of freedom: normal for known errors, else Student's t."""
    dof = np.arange(1, max_dof + 1)
    return np.full(max_dof, ndtri(0.5 + level / 2)) if known_errors else stdtrit(dof, 0.5 + level / 2)


def at_dof(critical, dof):
    """The entry of `critical_values` for `dof` degrees of freedom (clipped to the table)."""
    return critical[jnp.clip(dof, 1, critical.shape[0]) - 1]


def two_parameter_limit(dof, known_errors, level):
    """What 2C/s² must fall by before two more parameters are worth it: chi-square of 2, or 2 F(2, dof), at `level`."""
    chance = jnp.log1p(-level)
    dof = jnp.maximum(dof, 1).astype(chance.dtype)
    return jnp.where(known_errors, -2 * chance, dof * jnp.expm1(-2 * chance / dof))


def profile_intervals(
    residual, index, errors, params, low, high, *, cost, variance, critical, wanted=True
) -> Interval:
    """Profile intervals of the parameters numbered `index` (i,) from a minimum whose C is `cost`.

    `params`, `low`, `high` (i, p) are the minimum and the box of each walk: rows may differ where one minimum is
    written in several coordinates. `errors` (i,) are Wald errors, the first stride outward; `critical` is t. Where
    `wanted` is false nothing is walked and every end is open.
    """
    index = jnp.asarray(index)
    walk = partial(profile_end, residual, cost=cost, variance=variance, target=critical, wanted=wanted)
    sign = jnp.tile(jnp.asarray([-1.0, 1.0], params.dtype), index.shape[0])
    lanes = (jnp.repeat(a, 2, axis=0) for a in (index, errors, params, low, high))
    ends, lowest = jax.vmap(walk)(sign, *lanes)
    return Interval(ends[::2], ends[1::2], jnp.min(lowest))


def remaining_fall(point: Point, loose):
    """How much 2C would still fall, to second order, if the parameters that are `loose` took a full step."""
    step = damped_step(point.gradient, point.hessian, loose, 1e-6)
    return -jnp.sum(point.gradient * step)


def at_minimum(best: Minimum, low, high, *, variance, lowest):
    """Whether a fit ended at its minimum as far as errors can tell.

    Nothing lower was met while profiling, and what is left to gain is small against s²: a flat valley need not be
    walked to its end.
    """
    params, cost = best.point.params, best.point.cost
    near = remaining_fall(best.point, (params > low) & (params < high)) <= NEGLIGIBLE * variance
    return (best.converged | near) & (lowest >= cost - NEGLIGIBLE * variance)


class Walk(NamedTuple):
    """A walk along one parameter: the last place inside the interval, the first outside, the refit under way.

    `params` are the refitted parameters inside, where the next refit starts; `last` is the latest refit, in or out.
    """

    inside: Float[Array, ""]
    inside_height: Float[Array, ""]
    params: Float[Array, " p"]
    outside: Float[Array, ""]
    outside_height: Float[Array, ""]
    stride: Float[Array, ""]
    value: Float[Array, ""]
    refit: Descent
    last: Point
    lowest: Float[Array, ""]
    num_turns: Int[Array, ""]
    done: Bool[Array, ""]


def profile_end(residual, sign, index, error, start, low, high, *, cost, variance, target, wanted):
    """One end: walk outward from the minimum until the height passes `target`, then close in by secants.

    Each turn of the loop is one step of a refit; the walk moves on when the refit is done. One flat loop and not two
    nested ones, because under vmap every refit would wait for the slowest of the batch. An end not found in
    `MAX_TURNS` is open: flat and crooked valleys are where the data do not tell.
    """
    dtype = start.dtype
    centre = start[index]
    edge = jnp.where(sign > 0, high[index], low[index])
    smallest = 8 * jnp.finfo(dtype).eps * (1 + jnp.abs(centre))

    def outward(inside, stride):
        return sign * jnp.minimum(sign * (inside + sign * stride), sign * edge)

    def turn(walk: Walk) -> Walk:
        box = low.at[index].set(walk.value), high.at[index].set(walk.value)
        refit = descend(residual, walk.refit, *box, enough=1e-5 * variance)
        ready = refit.done | (refit.num_steps >= MAX_REFIT)
        found = refit.point.cost
        height = jnp.sqrt(jnp.maximum(2 * (found - cost), 0.0) / variance)  # near linear in the parameter
        within = ~(height > target)
        inside, inside_height, params = jax.tree.map(
            lambda a, b: jnp.where(ready & within, a, b),
            (walk.value, height, refit.point.params),
            (walk.inside, walk.inside_height, walk.params),
        )
        beyond = ready & ~within
        outside = jnp.where(beyond, walk.value, walk.outside)
        outside_height = jnp.where(beyond, height, walk.outside_height)
        gap = jnp.where(jnp.isfinite(outside_height), jnp.abs(outside - inside), jnp.inf)
        narrow = gap <= jnp.maximum(1e-3 * jnp.abs(outside - centre), smallest)
        done = ready & (
            narrow | (jnp.abs(height - target) <= 1e-3 * target) | (within & (walk.value == edge))
        )

        bracketed = jnp.isfinite(outside_height)
        fraction = (target - inside_height) / jnp.where(bracketed, outside_height - inside_height, 1.0)
        secant = inside + jnp.clip(fraction, 0.05, 0.95) * (outside - inside)
        stride = jnp.where(ready, walk.stride * 2, walk.stride)
        value = jnp.where(ready, jnp.where(bracketed, secant, outward(inside, stride)), walk.value)
        fresh = begin(params.at[index].set(value))
        last = jax.tree.map(lambda a, b: jnp.where(ready, a, b), refit.point, walk.last)
        refit = jax.tree.map(lambda a, b: jnp.where(ready, a, b), fresh, refit)
        lowest = jnp.fmin(walk.lowest, jnp.where(ready, found, jnp.inf))
        ends = inside, inside_height, params, outside, outside_height
        return Walk(*ends, stride, value, refit, last, lowest, walk.num_turns + 1, done)

    sound = jnp.isfinite(error) & (error > 0)
    stride = jnp.clip(jnp.where(sound, target * error, 0.1), smallest, 1.0)
    zero, infinite = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
    value = outward(centre, stride)
    refit = begin(start.at[index].set(value))
    ends = centre, zero, start, edge, infinite
    walk = Walk(*ends, stride, value, refit, refit.point, cost, jnp.asarray(0), ~jnp.asarray(wanted))
    walk = jax.lax.while_loop(lambda w: ~w.done & (w.num_turns < MAX_TURNS), turn, walk)

    # Would the height go on falling if the refit went on, or the other parameters left the box? Then this is no end.
    loose = (low < high) & (jnp.arange(low.shape[0]) != index)
    settled = remaining_fall(walk.last, loose) <= UNSETTLED * variance * target**2
    from_outside = jnp.abs(walk.outside_height - target) < jnp.abs(walk.inside_height - target)
    crossing = jnp.where(from_outside, walk.outside, walk.inside)
    miss = jnp.minimum(jnp.abs(walk.outside_height - target), jnp.abs(walk.inside_height - target))
    crossed = (
        miss <= 0.05 * target
    )  # a refit that had not settled leaves a jump, where the walk closes in on nothing
    closed = walk.done & wanted & crossed & settled
    return jnp.where(closed, crossing, sign * jnp.inf), walk.lowest

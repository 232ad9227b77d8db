"""Uncertainty of a least-squares fit: scaled covariance, and profile-likelihood intervals.

With known standard errors 2C is a chi-square. Without them the residual variance is estimated from the misfit,
s² = 2C/(m - p), and an interval uses Student's t with m - p degrees of freedom. On a curve without sampling noise such
an error measures how far the *form* of the law is from the curve in this window, as if the misfit at the points were
independent. It shrinks like 1/√m as the same window is sampled more finely. It is a scale of misfit and no probability
statement.

The profile interval of p_i is {p_i : 2 min_rest C - 2 C_min ≤ s² t²}. Where it reaches the search box, or ends
only because another parameter does, the data leave p_i open on that side.
Reference: Venzon and Moolgavkar, Applied Statistics 37 (1988) 87.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int
from scipy.special import ndtri, stdtrit

from lidjax.fitting.least_squares import (
    Descent,
    Minimum,
    Point,
    Residual,
    damped_step,
    descent_step,
    start_descent,
)

# Heuristics, all of them.
MAX_STEPS_PER_END = (
    200  # steps of all refits for one end; 150 sufficed wherever the curve was well determined
)
MAX_STEPS_PER_REFIT = 60  # warm starts need about five steps, curved valleys many more
NEGLIGIBLE_FALL = 1e-3  # a fall of 2C by so little of s² moves no estimate by a thirtieth of its error
MAX_UNSETTLED_FALL = 0.01  # largest share of the rise that a full step of the other parameters may undo
ROUNDING_UNITS = 256.0  # residuals below so many units in the last place count as rounding, not misfit


class Interval(NamedTuple):
    """Ends of profile intervals, -inf or +inf where open, and the lowest cost met while they were sought."""

    lower: Float[Array, " i"]
    upper: Float[Array, " i"]
    lowest: Float[Array, ""]


def rounding_error(weighted: Float[Array, "..."], axis: int | None = None) -> Float[Array, "..."]:
    """The size below which residuals count as rounding, from the weighted data along `axis` (all without one)."""
    return ROUNDING_UNITS * jnp.finfo(weighted.dtype).eps * jnp.max(jnp.abs(weighted), axis=axis)


def residual_variance(
    cost: Float[Array, "*batch"],
    dof: Int[Array, "*batch"],
    rounding: Float[Array, "*batch"],
    known_errors: ArrayLike,
) -> Float[Array, "*batch"]:
    """s²: 1 for known errors, else 2C/dof, and never below the square of `rounding`."""
    dof = jnp.maximum(dof, 1).astype(cost.dtype)
    return jnp.where(known_errors, 1.0, jnp.maximum(2 * cost / dof, rounding**2)).astype(cost.dtype)


def covariance_from_hessian(
    hessian: Float[Array, "p p"], variance: Float[Array, ""] | float, free: Bool[Array, " p"]
) -> Float[Array, "p p"]:
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


def critical_values(level: float, max_dof: int, *, known_errors: bool) -> Float[np.ndarray, " max_dof"]:
    """Two-sided `level` quantiles for 1..max_dof degrees of freedom: normal for known errors, else Student's t."""
    dof = np.arange(1, max_dof + 1)
    return np.full(max_dof, ndtri(0.5 + level / 2)) if known_errors else stdtrit(dof, 0.5 + level / 2)


def critical_at(critical: Float[Array, " max_dof"], dof: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The entry of `critical_values` for `dof` degrees of freedom, clipped to the table."""
    return critical[jnp.clip(dof, 1, critical.shape[0]) - 1]


def two_parameter_limit(
    dof: Int[Array, ""], known_errors: ArrayLike, level: Float[Array, ""]
) -> Float[Array, ""]:
    """The fall of 2C/s² above which two more parameters are significant at `level`.

    A quantile of chi-square with 2 degrees of freedom for known errors, else of 2 F(2, dof).
    """
    chance = jnp.log1p(-level)
    dof = jnp.maximum(dof, 1).astype(chance.dtype)
    return jnp.where(known_errors, -2 * chance, dof * jnp.expm1(-2 * chance / dof))


def profile_intervals(
    residual: Residual,
    index: Int[Array, " i"],
    errors: Float[Array, " i"],
    params: Float[Array, "i p"],
    low: Float[Array, "i p"],
    high: Float[Array, "i p"],
    *,
    cost: Float[Array, ""],
    variance: ArrayLike,
    critical: Float[Array, ""],
    wanted: ArrayLike = True,
) -> Interval:
    """Profile intervals of the parameters numbered `index` (i,) from a minimum whose C is `cost`.

    `params`, `low`, `high` (i, p) are the minimum and the box for each of them: rows may differ where one minimum is
    written in several coordinates. `errors` (i,) are Wald errors, which set the first stride outward; `critical` is t.
    Where `wanted` is false nothing is computed and every end is open.
    """
    find_end = partial(
        profile_end, residual, cost=cost, variance=variance, target=critical, wanted=jnp.asarray(wanted)
    )
    sign = jnp.tile(jnp.asarray([-1.0, 1.0], params.dtype), index.shape[0])
    both_ends = (jnp.repeat(a, 2, axis=0) for a in (index, errors, params, low, high))
    ends, lowest = jax.vmap(find_end)(sign, *both_ends)
    return Interval(ends[::2], ends[1::2], jnp.min(lowest))


def remaining_fall(point: Point, free: Bool[Array, " p"]) -> Float[Array, ""]:
    """How much 2C would still fall, to second order, if the `free` parameters took a full step."""
    step = damped_step(point.gradient, point.hessian, free, 1e-6)
    return -jnp.sum(point.gradient * step)


def at_minimum(
    best: Minimum,
    low: Float[Array, " p"],
    high: Float[Array, " p"],
    *,
    variance: Float[Array, ""],
    lowest: Float[Array, ""],
) -> Bool[Array, ""]:
    """Whether a fit ended at its minimum, as far as errors can tell.

    The profiles must have met no cost below it (`lowest` is the lowest they met), and what is left to gain must be
    small against s². A flat valley need not be followed to its end.
    """
    params, cost = best.point.params, best.point.cost
    inside = (params > low) & (params < high)
    near = remaining_fall(best.point, inside) <= NEGLIGIBLE_FALL * variance
    return (best.converged | near) & (lowest >= cost - NEGLIGIBLE_FALL * variance)


class ProfileSearch(NamedTuple):
    """The search for one end of a profile interval: a bracket of the end, and the refit under way."""

    inside: Float[Array, ""]
    """The value farthest out that is known to lie inside the interval."""
    inside_height: Float[Array, ""]
    params: Float[Array, " p"]
    """The refitted parameters at `inside`, where the next refit starts."""
    outside: Float[Array, ""]
    """The value nearest in that is known to lie outside; its height is infinite until one is known."""
    outside_height: Float[Array, ""]
    stride: Float[Array, ""]
    value: Float[Array, ""]
    """The value at which the other parameters are being refitted."""
    refit: Descent
    last: Point
    """Where the latest finished refit ended, inside or outside."""
    lowest: Float[Array, ""]
    num_steps: Int[Array, ""]
    done: Bool[Array, ""]


def profile_end(
    residual: Residual,
    sign: Float[Array, ""],
    index: Int[Array, ""],
    error: Float[Array, ""],
    start: Float[Array, " p"],
    low: Float[Array, " p"],
    high: Float[Array, " p"],
    *,
    cost: Float[Array, ""],
    variance: ArrayLike,
    target: Float[Array, ""],
    wanted: Bool[Array, ""],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """One end of the interval and the lowest cost met: outward until the height passes `target`, then secants.

    The height at a value is the root of the rise of 2C over s². Each turn of the loop is one step of a refit; the
    search moves on when the refit is done. It is one flat loop and not two nested ones, because under vmap every refit
    would wait for the slowest of the batch. An end not found in `MAX_STEPS_PER_END` is open: the data do not determine
    it where valleys are flat or crooked.
    """
    dtype = start.dtype
    centre = start[index]
    edge = jnp.where(sign > 0, high[index], low[index])
    smallest = 8 * jnp.finfo(dtype).eps * (1 + jnp.abs(centre))

    def outward(inside: Float[Array, ""], stride: Float[Array, ""]) -> Float[Array, ""]:
        return sign * jnp.minimum(sign * (inside + sign * stride), sign * edge)

    def advance(search: ProfileSearch) -> ProfileSearch:
        box = low.at[index].set(search.value), high.at[index].set(search.value)
        refit = descent_step(residual, search.refit, *box, negligible=1e-5 * variance)
        ready = refit.done | (refit.num_steps >= MAX_STEPS_PER_REFIT)
        found = refit.point.cost
        height = jnp.sqrt(jnp.maximum(2 * (found - cost), 0.0) / variance)  # near linear in the parameter
        within = ~(height > target)
        inside, inside_height, params = jax.tree.map(
            lambda a, b: jnp.where(ready & within, a, b),
            (search.value, height, refit.point.params),
            (search.inside, search.inside_height, search.params),
        )
        beyond = ready & ~within
        outside = jnp.where(beyond, search.value, search.outside)
        outside_height = jnp.where(beyond, height, search.outside_height)
        gap = jnp.where(jnp.isfinite(outside_height), jnp.abs(outside - inside), jnp.inf)
        narrow = gap <= jnp.maximum(1e-3 * jnp.abs(outside - centre), smallest)
        done = ready & (
            narrow | (jnp.abs(height - target) <= 1e-3 * target) | (within & (search.value == edge))
        )

        bracketed = jnp.isfinite(outside_height)
        fraction = (target - inside_height) / jnp.where(bracketed, outside_height - inside_height, 1.0)
        secant = inside + jnp.clip(fraction, 0.05, 0.95) * (outside - inside)
        stride = jnp.where(ready, search.stride * 2, search.stride)
        value = jnp.where(ready, jnp.where(bracketed, secant, outward(inside, stride)), search.value)
        fresh = start_descent(params.at[index].set(value))
        last = jax.tree.map(lambda a, b: jnp.where(ready, a, b), refit.point, search.last)
        refit = jax.tree.map(lambda a, b: jnp.where(ready, a, b), fresh, refit)
        lowest = jnp.fmin(search.lowest, jnp.where(ready, found, jnp.inf))
        ends = inside, inside_height, params, outside, outside_height
        return ProfileSearch(*ends, stride, value, refit, last, lowest, search.num_steps + 1, done)

    usable = jnp.isfinite(error) & (error > 0)
    stride = jnp.clip(jnp.where(usable, target * error, 0.1), smallest, 1.0)
    zero, infinite = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
    value = outward(centre, stride)
    refit = start_descent(start.at[index].set(value))
    ends = centre, zero, start, edge, infinite
    search = ProfileSearch(*ends, stride, value, refit, refit.point, cost, jnp.asarray(0), ~wanted)
    search = jax.lax.while_loop(
        lambda search: ~search.done & (search.num_steps < MAX_STEPS_PER_END), advance, search
    )

    # It is no end where the height would fall again if the refit went on, or if the other parameters left the box.
    free = (low < high) & (jnp.arange(low.shape[0]) != index)
    settled = remaining_fall(search.last, free) <= MAX_UNSETTLED_FALL * variance * target**2
    from_outside = jnp.abs(search.outside_height - target) < jnp.abs(search.inside_height - target)
    crossing = jnp.where(from_outside, search.outside, search.inside)
    miss = jnp.minimum(jnp.abs(search.outside_height - target), jnp.abs(search.inside_height - target))
    crossed = miss <= 0.05 * target  # otherwise it closed in on the jump that an unsettled refit leaves
    closed = search.done & wanted & crossed & settled
    return jnp.where(closed, crossing, sign * jnp.inf), search.lowest

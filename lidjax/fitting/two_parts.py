"""One curve, two parts: log L = log(c1 k^-β + c2 · tail(k)), the cell behind the two-tail fits.

tail(k) is a power k^-γ (Eq. 17) or the stretched exp(-2√(log(k)/v)) of the Gamma prior. Natural coordinates
are q = (log β, log γ or log v, log c1, log c2). Two powers are symmetric under exchange, so they are fitted with
γ < β built in: w = log log(β/γ) stands for γ (or for β, in the profile of γ). A given β lifts the order.
Which tail, and whether β is given, are traced: one compiled program serves every law with two parts.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.fitting.least_squares import best_of
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.uncertainty import (
    ROUNDING,
    at_dof,
    at_minimum,
    covariance_from_hessian,
    profile_intervals,
    residual_variance,
    two_parameter_limit,
)

BETA_FIRST, GAMMA_FIRST, PLAIN = 1.0, -1.0, 0.0  # p[4]: what p[0] and p[1] mean (see `natural`)
LOG_EXPONENT = (-7.0, 4.7)  # heuristic box: exponents from 1e-3 to 110
LOG_V = (-12.0, 12.0)  # heuristic box for v
LOG_GAP = (-7.0, 2.0)  # log log(β/γ): ratios from 1.001 to 1600
STEEP, SHALLOW, CROSS = (1.0, 1.6), (0.9, 0.4), (0.2, 0.8)  # heuristic starts around the slopes of the halves


class Law(NamedTuple):
    """Which law: the stretched tail or a power, and β = exp(log_beta) given or free (`log_beta` then unused)."""

    stretched: Bool[Array, ""]
    given: Bool[Array, ""]
    log_beta: Float[Array, ""]


class TwoPartsFit(NamedTuple):
    """One fit in log coordinates q, intervals and all; `separated`: the data need both parts."""

    log_params: Float[Array, " 4"]
    log_errors: Float[Array, " 4"]
    log_covariance: Float[Array, "4 4"]
    log_lower: Float[Array, " 4"]
    log_upper: Float[Array, " 4"]
    cost: Float[Array, ""]
    num_points: Int[Array, ""]
    num_params: Int[Array, ""]
    residual: Float[Array, " m"]
    separated: Bool[Array, ""]
    converged: Bool[Array, ""]


def falls(log_beta, log_second, log_k, stretched):
    """-log of the two parts without their amplitudes: β log k, and γ log k or 2√(log(k)/v)."""
    second = jnp.exp(log_second)
    tail = jnp.where(stretched, stretched_log(log_k) / jnp.sqrt(second), second * log_k)
    return jnp.exp(log_beta) * log_k, tail


def parts_curve(q, log_k, stretched):
    """log L_inf at `log_k` for q = (log β, log γ or log v, log c1, log c2)."""
    first, second = falls(q[0], q[1], log_k, stretched)
    return jnp.logaddexp(q[2] - first, q[3] - second)


def natural(p, stretched):
    """q from p = (·, ·, ·, ·, side, mid).

    side PLAIN: p[0], p[1] are those of q; else p[0] is log β or log γ, and β = γ exp(e^p[1]) > γ.
    p[2], p[3] are the logarithms of the parts at log k = mid: at the centre of the window they hardly depend on the
    exponents, and the descent is well conditioned; at mid = 0 they are log c1 and log c2.
    """
    gap, side, mid = jnp.exp(p[1]), p[4], p[5]
    log_beta = jnp.where(side == GAMMA_FIRST, p[0] + gap, p[0])
    ordered = jnp.where(side == BETA_FIRST, p[0] - gap, p[0])
    log_second = jnp.where(side == PLAIN, p[1], ordered)
    first, second = falls(log_beta, log_second, mid, stretched)
    return jnp.stack([log_beta, log_second, p[2] + first, p[3] + second])


def stretched_log(log_k):
    """2√log k, the variable in which the stretched tail is a straight line; 0 for k ≤ 1."""
    positive = log_k > 0
    return jnp.where(positive, 2 * jnp.sqrt(jnp.where(positive, log_k, 1.0)), 0.0)


def one_part_cost(log_k, log_failure, weight, law: Law):
    """Sum of squares of the best law with one part: a power (of exponent β if given), or the stretched tail alone."""
    free = weighted_line(log_k, log_failure, weight).cost
    level = log_failure + jnp.exp(law.log_beta) * log_k
    given = weighted_line(jnp.zeros_like(log_k), level, weight).cost
    power = jnp.where(law.given, given, free)
    tail = weighted_line(stretched_log(log_k), log_failure, weight).cost
    return jnp.where(law.stretched, jnp.minimum(power, tail), power)


def search_box(log_k, log_failure, used, law: Law):
    """Bounds on q; amplitudes may sit as far below the data as an exponent of 20 carries them over the window."""
    reach = 14 + jnp.max(jnp.where(used, jnp.abs(log_failure), 0)) + 20 * jnp.max(jnp.abs(log_k))

    def edge(number, amplitude):
        beta = jnp.where(law.given, law.log_beta, LOG_EXPONENT[number])
        second = jnp.where(law.stretched, LOG_V[number], LOG_EXPONENT[number])
        return jnp.stack([beta, second.astype(beta.dtype), amplitude, amplitude])

    return edge(0, -reach), edge(1, reach)


def half_slopes(log_k, log_failure, weight):
    """Exponents fitted to the two halves of the window in log k: the steeper one and the shallower."""
    used = weight > 0
    first = jnp.min(jnp.where(used, log_k, jnp.inf))
    last = jnp.max(jnp.where(used, log_k, -jnp.inf))
    late = log_k > (first + last) / 2
    slopes = [
        -weighted_line(log_k, log_failure, jnp.where(half, weight, 0.0)).slope for half in (~late, late)
    ]
    return jnp.maximum(jnp.maximum(*slopes), 0.02), jnp.maximum(jnp.minimum(*slopes), 0.01), first, last


def starting_points(log_k, log_failure, weight, law: Law):
    """Eight starts in q: exponents around the slopes of the two halves, the parts equal at two places.

    With β given, four exponents for the other part on either side of those slopes.
    """
    steep, shallow, first, last = half_slopes(log_k, log_failure, weight)
    square = weight**2 / jnp.sum(weight**2)

    def start(by_steep, by_shallow, place):
        beta = jnp.where(law.given, jnp.exp(law.log_beta), steep * by_steep)
        both_sides = jnp.where(by_steep > STEEP[0], steep, shallow) * by_shallow
        gamma = jnp.where(law.given, both_sides, shallow * by_shallow)
        cross = first + place * (last - first)
        second = jnp.where(law.stretched, 1 / (gamma**2 * jnp.maximum(last, 1.0)), gamma)
        fall = jnp.where(law.stretched, stretched_log(cross) / jnp.sqrt(second), gamma * cross)
        q = jnp.stack([jnp.log(beta), jnp.log(second), beta * cross, fall])
        level = jnp.sum(square * (log_failure - parts_curve(q, log_k, law.stretched)))
        return q.at[2:].add(level)

    grid = jnp.meshgrid(*(jnp.asarray(a, log_k.dtype) for a in (STEEP, SHALLOW, CROSS)), indexing="ij")
    return jax.vmap(start)(*(g.ravel() for g in grid))


def fit_two_parts(log_k, log_failure, weight, law: Law, *, known_errors, critical, level) -> TwoPartsFit:
    """Fit one curve (m,). Weight 0 leaves a point out.

    `known_errors` says that weights are one over standard errors; `critical` is from `critical_values(level)`.
    """
    dtype = log_k.dtype
    used = weight > 0
    num_points, num_params = jnp.sum(used), jnp.where(law.given, 3, 4)
    ordered = ~law.stretched & ~law.given

    def residual(p):
        return weight * (parts_curve(natural(p, law.stretched), log_k, law.stretched) - log_failure)

    low, high = search_box(log_k, log_failure, used, law)
    starts = jnp.clip(starting_points(log_k, log_failure, weight, law), low[None, :], high[None, :])
    mid = jnp.sum(weight**2 * log_k) / jnp.sum(weight**2)
    levels = starts[:, 2:] - jnp.column_stack(falls(starts[:, 0], starts[:, 1], mid, law.stretched))
    gap = jnp.log(jnp.maximum(starts[:, 0] - starts[:, 1], 1e-3))
    second = jnp.where(ordered, gap, starts[:, 1])
    low, high = (
        box.at[1].set(jnp.where(ordered, edge, box[1]))
        for box, edge in zip((low, high), LOG_GAP, strict=True)
    )
    kind = jnp.stack([jnp.where(ordered, BETA_FIRST, PLAIN).astype(dtype), mid])
    low, high = (jnp.concatenate([box, kind]) for box in (low, high))
    starts = jnp.column_stack([starts[:, 0], second, levels, jnp.broadcast_to(kind, levels.shape)])
    best = best_of(residual, starts, low, high)
    params, cost = best.point.params, best.point.cost
    q = natural(params, law.stretched)

    dof = num_points - num_params
    rounding = ROUNDING * jnp.finfo(dtype).eps * jnp.max(jnp.abs(weight * log_failure))
    variance = residual_variance(cost, dof, rounding, known_errors)
    covariance = covariance_from_hessian(best.point.hessian, variance, low < high)
    change = jax.jacfwd(natural)(params, law.stretched)
    sound = jnp.all(jnp.isfinite(covariance))
    covariance = change @ jnp.where(sound, covariance, 0.0) @ change.T
    covariance = jnp.where(sound, covariance, jnp.inf)
    errors = jnp.sqrt(jnp.diagonal(covariance))

    # Row i profiles the i-th of q, in coordinates where it stands alone: γ of two ordered powers first, then c1 and c2.
    mirrored = params.at[0].set(q[1]).at[4].set(GAMMA_FIRST)
    rows = jnp.broadcast_to(params, (4, 6)).at[1].set(jnp.where(ordered, mirrored, params))
    rows = rows.at[2:, 2:4].set(jnp.broadcast_to(q[2:], (2, 2))).at[2:, 5].set(0.0)
    boxes = [jnp.broadcast_to(box, (4, 6)).at[:, 4:].set(rows[:, 4:]) for box in (low, high)]
    index = jnp.where(ordered, jnp.asarray([0, 0, 2, 3]), jnp.arange(4))
    fall = (one_part_cost(log_k, log_failure, weight, law) - 2 * cost) / variance
    separated = fall > two_parameter_limit(dof, known_errors, level)
    last = jnp.max(jnp.where(used, log_k, -jnp.inf))
    tail_exponent = jnp.exp(-q[1] / 2) / jnp.sqrt(jnp.maximum(last, jnp.finfo(dtype).tiny))
    swapped = law.stretched & ~law.given & (jnp.exp(q[0]) < tail_exponent)  # the power would be the late part
    separated &= ~swapped
    limits = {"cost": cost, "variance": variance, "critical": at_dof(critical, dof), "wanted": separated}
    ends = profile_intervals(residual, index, errors, rows, *boxes, **limits)
    first = jnp.arange(4) == 0
    lower, upper = (jnp.where(first & law.given, q[0], end) for end in (ends.lower, ends.upper))
    return TwoPartsFit(
        q,
        errors,
        covariance,
        lower,
        upper,
        2 * cost,
        num_points,
        num_params,
        jnp.where(used, parts_curve(q, log_k, law.stretched) - log_failure, 0.0),
        separated,
        at_minimum(best, low, high, variance=variance, lowest=ends.lowest),
    )

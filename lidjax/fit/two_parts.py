"""One curve, two parts: log L = log(c1 k^-β + c2 · tail(k)), the cell behind the two-tail fits.

tail(k) is a power k^-γ (Eq. 17) or the stretched exp(-2√(log(k)/v)) of the Gamma prior. Natural coordinates
are q = (log β, log γ or log v, log c1, log c2). Two powers are symmetric under exchange, so they are fitted with
γ < β built in: w = log log(β/γ) stands for γ (or for β, in the profile of γ). A given β lifts the order.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.fit.least_squares import best_of
from lidjax.fit.regression import weighted_line
from lidjax.fit.uncertainty import (
    ROUNDING,
    at_dof,
    at_minimum,
    covariance_from_jacobian,
    profile_intervals,
    residual_variance,
    two_parameter_limit,
)

Tail = Literal["power", "stretched"]
LOG_EXPONENT = (-7.0, 4.7)  # heuristic box: exponents from 1e-3 to 110
LOG_V = (-12.0, 12.0)  # heuristic box for v
LOG_GAP = (-7.0, 2.0)  # log log(β/γ): ratios from 1.001 to 1600
STEEP, SHALLOW, CROSS = (1.0, 1.6), (0.9, 0.4), (0.2, 0.8)  # heuristic starts around the slopes of the halves


class TwoPartsFit(NamedTuple):
    """One fit in log coordinates q, intervals and all; `separated`: the data need both parts."""

    log_params: Float[Array, " 4"]
    log_errors: Float[Array, " 4"]
    log_covariance: Float[Array, "4 4"]
    log_lower: Float[Array, " 4"]
    log_upper: Float[Array, " 4"]
    cost: Float[Array, ""]
    num_points: Int[Array, ""]
    num_params: int
    residual: Float[Array, " m"]
    separated: Bool[Array, ""]
    converged: Bool[Array, ""]


def parts_curve(q, log_k, tail: Tail):
    """log L_inf at `log_k` for q = (log β, log γ or log v, log c1, log c2)."""
    beta, second = jnp.exp(q[0]), jnp.exp(q[1])
    fall = second * log_k if tail == "power" else stretched_log(log_k) / jnp.sqrt(second)
    return jnp.logaddexp(q[2] - beta * log_k, q[3] - fall)


def ordered_to_q(p):
    """(log β, w, log c1, log c2, 0) or (log γ, w, log c1, log c2, 1) → q, with β = γ exp(e^w) > γ."""
    mirror, gap = p[4], jnp.exp(p[1])
    return jnp.stack([p[0] + mirror * gap, p[0] - (1 - mirror) * gap, p[2], p[3]])


def stretched_log(log_k):
    """2√log k, the variable in which the stretched tail is a straight line; 0 for k ≤ 1."""
    positive = log_k > 0
    return jnp.where(positive, 2 * jnp.sqrt(jnp.where(positive, log_k, 1.0)), 0.0)


def one_part_cost(log_k, log_failure, weight, log_beta, tail: Tail):
    """Sum of squares of the best law with one part: a power (of exponent β if given), or the tail alone."""
    if log_beta is not None:
        level = log_failure + jnp.exp(log_beta) * log_k
        cost = weighted_line(jnp.zeros_like(log_k), level, weight).cost
    else:
        cost = weighted_line(log_k, log_failure, weight).cost
    if tail == "power":
        return cost
    return jnp.minimum(cost, weighted_line(stretched_log(log_k), log_failure, weight).cost)


def search_box(log_k, log_failure, used, log_beta, tail: Tail):
    """Bounds on q; amplitudes may sit as far below the data as an exponent of 20 carries them over the window."""
    dtype = log_k.dtype
    reach = 14 + jnp.max(jnp.where(used, jnp.abs(log_failure), 0)) + 20 * jnp.max(jnp.abs(log_k))
    low, high = (jnp.asarray(edge, dtype) for edge in LOG_EXPONENT)
    second_low, second_high = (jnp.asarray(e, dtype) for e in (LOG_EXPONENT if tail == "power" else LOG_V))
    beta_low, beta_high = (low, high) if log_beta is None else (log_beta, log_beta)
    return jnp.stack([beta_low, second_low, -reach, -reach]), jnp.stack(
        [beta_high, second_high, reach, reach]
    )


def starting_points(log_k, log_failure, weight, log_beta, tail: Tail):
    """Eight starts in q: exponents around the slopes of the two halves, the parts equal at two places."""
    used = weight > 0
    first = jnp.min(jnp.where(used, log_k, jnp.inf))
    last = jnp.max(jnp.where(used, log_k, -jnp.inf))
    late = log_k > (first + last) / 2
    slopes = [
        -weighted_line(log_k, log_failure, jnp.where(half, weight, 0.0)).slope for half in (~late, late)
    ]
    steep = jnp.maximum(jnp.maximum(*slopes), 0.02)
    shallow = jnp.maximum(jnp.minimum(*slopes), 0.01)

    def start(by_beta, by_gamma, place):
        beta = jnp.exp(log_beta) if log_beta is not None else steep * by_beta
        gamma = shallow * by_gamma
        cross = first + place * (last - first)
        second = gamma if tail == "power" else 1 / (gamma**2 * jnp.maximum(last, 1.0))
        fall = gamma * cross if tail == "power" else 2 * jnp.sqrt(jnp.maximum(cross, 0.0) / second)
        log_c = jnp.stack([beta * cross, fall])
        q = jnp.concatenate([jnp.log(jnp.stack([beta, second])), log_c])
        square = weight**2 / jnp.sum(weight**2)
        level = jnp.sum(square * (log_failure - parts_curve(q, log_k, tail)))
        return q + jnp.stack([jnp.zeros_like(level), jnp.zeros_like(level), level, level])

    shallows = SHALLOW if log_beta is None else (*SHALLOW, 1.6)
    steeps = STEEP if log_beta is None else (1.0,)
    grid = jnp.meshgrid(*(jnp.asarray(a, log_k.dtype) for a in (steeps, shallows, CROSS)), indexing="ij")
    return jax.vmap(start)(*(g.ravel() for g in grid))


def fit_two_parts(
    log_k, log_failure, weight, log_beta=None, *, tail: Tail, known_errors, critical, level
) -> TwoPartsFit:
    """Fit one curve (m,). A scalar `log_beta` fixes β. Weight 0 leaves a point out.

    `known_errors` says that weights are one over standard errors; `critical` is from `critical_values(level)`.
    """
    dtype = log_k.dtype
    ordered = tail == "power" and log_beta is None
    used = weight > 0
    num_points, num_params = jnp.sum(used), 4 if log_beta is None else 3

    def residual_q(q):
        return weight * (parts_curve(q, log_k, tail) - log_failure)

    def residual(p):
        return residual_q(ordered_to_q(p)) if ordered else residual_q(p)

    low, high = search_box(log_k, log_failure, used, log_beta, tail)
    starts = starting_points(log_k, log_failure, weight, log_beta, tail)
    starts = jnp.clip(starts, low[None, :], high[None, :])
    if ordered:
        gap = jnp.log(jnp.maximum(starts[:, 0] - starts[:, 1], 1e-3))
        starts = jnp.column_stack([starts[:, 0], gap, starts[:, 2:], jnp.zeros_like(gap)])
        low = jnp.concatenate([low.at[1].set(LOG_GAP[0]), jnp.zeros(1, dtype)])
        high = jnp.concatenate([high.at[1].set(LOG_GAP[1]), jnp.zeros(1, dtype)])
    best = best_of(residual, starts, low, high)
    q = ordered_to_q(best.params) if ordered else best.params

    dof = num_points - num_params
    rounding = ROUNDING * jnp.finfo(dtype).eps * jnp.max(jnp.abs(weight * log_failure))
    variance = residual_variance(best.cost, dof, rounding, known_errors)
    free = slice(None) if log_beta is None else slice(1, None)
    covariance = covariance_from_jacobian(jax.jacfwd(residual_q)(q)[:, free], variance)
    covariance = jnp.zeros((4, 4), dtype).at[free, free].set(covariance)
    errors = jnp.sqrt(jnp.diagonal(covariance))

    index, rows = tuple(range(4)), [jnp.broadcast_to(a, (4, a.shape[0])) for a in (best.params, low, high)]
    if ordered:  # row 1 profiles γ, in the coordinates where γ stands first
        index, mirror = (0, 0, 2, 3), jnp.asarray([0, 1, 0, 0], dtype)
        rows = [a.at[:, 4].set(mirror) for a in rows]
        rows[0] = rows[0].at[1, 0].set(q[1])
    fall = (one_part_cost(log_k, log_failure, weight, log_beta, tail) - 2 * best.cost) / variance
    separated = fall > two_parameter_limit(dof, known_errors, level)
    limits = {"cost": best.cost, "variance": variance, "critical": at_dof(critical, dof), "wanted": separated}
    ends = profile_intervals(residual, index, errors, *rows, **limits)
    lower, upper = ends.lower, ends.upper
    if log_beta is not None:
        lower, upper = lower.at[0].set(q[0]), upper.at[0].set(q[0])
    return TwoPartsFit(
        q,
        errors,
        covariance,
        lower,
        upper,
        2 * best.cost,
        num_points,
        num_params,
        jnp.where(used, parts_curve(q, log_k, tail) - log_failure, 0.0),
        separated,
        at_minimum(residual, best, low, high, variance=variance, lowest=ends.lowest),
    )

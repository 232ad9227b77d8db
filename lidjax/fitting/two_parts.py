"""Fit of one curve by a law with two parts, log L = log(c1 k^-β + c2 · tail(k)): the cell of all two-tail fits.

tail(k) is a power k^-γ (Eq. 17) or the stretched exp(-2√(log(k)/v)) of the Gamma prior. Natural coordinates
are q = (log β, log γ or log v, log c1, log c2). Two powers are symmetric under exchange, so they are fitted with
γ < β built in: the coordinate log log(β/γ) stands for γ (or for β, in the profile of γ). With a given β the order is
free. Which tail, and whether β is given, are traced: one compiled program serves every law with two parts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lidjax.fitting.least_squares import lowest_minimum
from lidjax.fitting.log_curves import check_level
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.uncertainty import (
    at_minimum,
    covariance_from_hessian,
    critical_at,
    critical_values,
    profile_intervals,
    residual_variance,
    rounding_error,
    two_parameter_limit,
)

# Values of p[4], which says what p[0] and p[1] mean (see `natural`).
BETA_FIRST, GAMMA_FIRST, PLAIN = 1.0, -1.0, 0.0
LOG_EXPONENT = (-7.0, 4.7)  # heuristic box: exponents from 1e-3 to 110
LOG_V = (-12.0, 12.0)  # heuristic box for v
LOG_GAP = (-7.0, 2.0)  # heuristic box for log log(β/γ): ratios from 1.001 to 1600
# Heuristic starts: factors on the slopes of the two halves of the window, and where in it the parts are equal.
STEEP, SHALLOW, CROSSING = (1.0, 1.6), (0.9, 0.4), (0.2, 0.8)


class TwoPartLaw(NamedTuple):
    """Which law with two parts is fitted."""

    stretched: Bool[Array, ""]
    """Whether the second part is the stretched tail; otherwise it is a power."""
    beta_given: Bool[Array, ""]
    """Whether β is fixed at exp(log_beta)."""
    log_beta: Float[Array, "*batch"]
    """The given log β, one a curve; not used where β is free."""


class ErrorModel(NamedTuple):
    """How uncertainties are computed: from known errors or from the misfit, and at which level."""

    known_errors: Bool[Array, ""]
    critical: Float[Array, " max_dof"]
    """The table of `critical_values(level)`."""
    level: Float[Array, ""]


def error_model(level: float, max_dof: int, *, known_errors: bool, dtype: jnp.dtype) -> ErrorModel:
    """The `ErrorModel` at a confidence level, InputError unless it is between 0 and 1."""
    critical = critical_values(check_level(level), max_dof, known_errors=known_errors)
    return ErrorModel(jnp.asarray(known_errors), jnp.asarray(critical, dtype), jnp.asarray(level, dtype))


class TwoPartsFit(NamedTuple):
    """One fit with its intervals, in the log coordinates q; `separated` says that the data need both parts."""

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


def falls(
    log_beta: Float[Array, "..."],
    log_second: Float[Array, "..."],
    log_k: Float[Array, "..."],
    stretched: ArrayLike,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """-log of the two parts without their amplitudes: β log k, and γ log k or 2√(log(k)/v)."""
    second = jnp.exp(log_second)
    tail = jnp.where(stretched, stretched_log(log_k) / jnp.sqrt(second), second * log_k)
    return jnp.exp(log_beta) * log_k, tail


def parts_curve(
    q: Sequence[Float[Array, "..."]] | Float[Array, " 4"], log_k: Float[Array, "..."], stretched: ArrayLike
) -> Float[Array, "..."]:
    """log L_inf at `log_k` for q = (log β, log γ or log v, log c1, log c2)."""
    first, second = falls(q[0], q[1], log_k, stretched)
    return jnp.logaddexp(q[2] - first, q[3] - second)


def natural(p: Float[Array, " 6"], stretched: ArrayLike) -> Float[Array, " 4"]:
    """q from the coordinates of the descent, p = (·, ·, ·, ·, form, centre).

    If form is PLAIN, p[0] and p[1] are those of q. Otherwise p[0] is log β (BETA_FIRST) or log γ (GAMMA_FIRST), and
    β = γ exp(e^p[1]) > γ. p[2] and p[3] are the logarithms of the parts at log k = centre. At the centre of the window
    they hardly depend on the exponents, and the descent is well conditioned. At centre = 0 they are log c1 and log c2.
    """
    gap, form, centre = jnp.exp(p[1]), p[4], p[5]
    log_beta = jnp.where(form == GAMMA_FIRST, p[0] + gap, p[0])
    ordered = jnp.where(form == BETA_FIRST, p[0] - gap, p[0])
    log_second = jnp.where(form == PLAIN, p[1], ordered)
    first, second = falls(log_beta, log_second, centre, stretched)
    return jnp.stack([log_beta, log_second, p[2] + first, p[3] + second])


def stretched_log(log_k: Float[Array, "..."]) -> Float[Array, "..."]:
    """2√log k, the variable in which the stretched tail is a straight line; 0 for k ≤ 1."""
    positive = log_k > 0
    return jnp.where(positive, 2 * jnp.sqrt(jnp.where(positive, log_k, 1.0)), 0.0)


def one_part_cost(
    log_k: Float[Array, " m"], log_failure: Float[Array, " m"], weight: Float[Array, " m"], law: TwoPartLaw
) -> Float[Array, ""]:
    """Sum of squares of the best law with one part: a power (of exponent β if given), or the stretched tail alone."""
    free = weighted_line(log_k, log_failure, weight).cost
    level = log_failure + jnp.exp(law.log_beta) * log_k
    given = weighted_line(jnp.zeros_like(log_k), level, weight).cost
    power = jnp.where(law.beta_given, given, free)
    tail = weighted_line(stretched_log(log_k), log_failure, weight).cost
    return jnp.where(law.stretched, jnp.minimum(power, tail), power)


def search_box(
    log_k: Float[Array, " m"], log_failure: Float[Array, " m"], used: Bool[Array, " m"], law: TwoPartLaw
) -> tuple[Float[Array, " 4"], Float[Array, " 4"]]:
    """Bounds on q; amplitudes may lie as far below the data as an exponent of 20 takes them over the window."""
    reach = 14 + jnp.max(jnp.where(used, jnp.abs(log_failure), 0)) + 20 * jnp.max(jnp.abs(log_k))

    def edge(number: int, amplitude: Float[Array, ""]) -> Float[Array, " 4"]:
        beta = jnp.where(law.beta_given, law.log_beta, LOG_EXPONENT[number])
        second = jnp.where(law.stretched, LOG_V[number], LOG_EXPONENT[number])
        return jnp.stack([beta, second.astype(beta.dtype), amplitude, amplitude])

    return edge(0, -reach), edge(1, reach)


def half_slopes(
    log_k: Float[Array, " m"], log_failure: Float[Array, " m"], weight: Float[Array, " m"]
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Exponents fitted to the two halves of the window, the steeper and the shallower, and its ends in log k."""
    used = weight > 0
    first = jnp.min(jnp.where(used, log_k, jnp.inf))
    last = jnp.max(jnp.where(used, log_k, -jnp.inf))
    late = log_k > (first + last) / 2
    slopes = [
        -weighted_line(log_k, log_failure, jnp.where(half, weight, 0.0)).slope for half in (~late, late)
    ]
    return jnp.maximum(jnp.maximum(*slopes), 0.02), jnp.maximum(jnp.minimum(*slopes), 0.01), first, last


def two_part_starts(
    log_k: Float[Array, " m"], log_failure: Float[Array, " m"], weight: Float[Array, " m"], law: TwoPartLaw
) -> Float[Array, "8 4"]:
    """Eight starts in q: exponents around the slopes of the two halves, and the parts equal at one of two places.

    With β given, four exponents for the other part on either side of those slopes.
    """
    steep, shallow, first, last = half_slopes(log_k, log_failure, weight)
    square = weight**2 / jnp.sum(weight**2)

    def start(
        steep_factor: Float[Array, ""], shallow_factor: Float[Array, ""], place: Float[Array, ""]
    ) -> Float[Array, " 4"]:
        beta = jnp.where(law.beta_given, jnp.exp(law.log_beta), steep * steep_factor)
        either_side = jnp.where(steep_factor > STEEP[0], steep, shallow) * shallow_factor
        gamma = jnp.where(law.beta_given, either_side, shallow * shallow_factor)
        crossing = first + place * (last - first)
        second = jnp.where(law.stretched, 1 / (gamma**2 * jnp.maximum(last, 1.0)), gamma)
        fall = jnp.where(law.stretched, stretched_log(crossing) / jnp.sqrt(second), gamma * crossing)
        q = jnp.stack([jnp.log(beta), jnp.log(second), beta * crossing, fall])
        level = jnp.sum(square * (log_failure - parts_curve(q, log_k, law.stretched)))
        return q.at[2:].add(level)

    grid = jnp.meshgrid(*(jnp.asarray(a, log_k.dtype) for a in (STEEP, SHALLOW, CROSSING)), indexing="ij")
    return jax.vmap(start)(*(g.ravel() for g in grid))


def fit_two_parts(
    log_k: Float[Array, " m"],
    log_failure: Float[Array, " m"],
    weight: Float[Array, " m"],
    law: TwoPartLaw,
    errors: ErrorModel,
) -> TwoPartsFit:
    """Fit one curve. Weight 0 leaves a point out."""
    dtype = log_k.dtype
    used = weight > 0
    num_points, num_params = jnp.sum(used), jnp.where(law.beta_given, 3, 4)
    ordered = ~law.stretched & ~law.beta_given

    def residual(p: Float[Array, " 6"]) -> Float[Array, " m"]:
        return weight * (parts_curve(natural(p, law.stretched), log_k, law.stretched) - log_failure)

    low, high = search_box(log_k, log_failure, used, law)
    starts = jnp.clip(two_part_starts(log_k, log_failure, weight, law), low[None, :], high[None, :])
    centre = jnp.sum(weight**2 * log_k) / jnp.sum(weight**2)
    levels = starts[:, 2:] - jnp.column_stack(falls(starts[:, 0], starts[:, 1], centre, law.stretched))
    gap = jnp.log(jnp.maximum(starts[:, 0] - starts[:, 1], 1e-3))
    second = jnp.where(ordered, gap, starts[:, 1])
    low, high = (
        box.at[1].set(jnp.where(ordered, edge, box[1]))
        for box, edge in zip((low, high), LOG_GAP, strict=True)
    )
    form = jnp.stack([jnp.where(ordered, BETA_FIRST, PLAIN).astype(dtype), centre])
    low, high = (jnp.concatenate([box, form]) for box in (low, high))
    starts = jnp.column_stack([starts[:, 0], second, levels, jnp.broadcast_to(form, levels.shape)])
    best = lowest_minimum(residual, starts, low, high)
    params, cost = best.point.params, best.point.cost
    q = natural(params, law.stretched)

    dof = num_points - num_params
    variance = residual_variance(cost, dof, rounding_error(weight * log_failure), errors.known_errors)
    covariance = covariance_from_hessian(best.point.hessian, variance, low < high)
    jacobian = jax.jacfwd(natural)(params, law.stretched)
    regular = jnp.all(jnp.isfinite(covariance))
    covariance = jacobian @ jnp.where(regular, covariance, 0.0) @ jacobian.T
    covariance = jnp.where(regular, covariance, jnp.inf)
    standard_errors = jnp.sqrt(jnp.diagonal(covariance))

    # Row i of the coordinates has the i-th of q by itself, which is then profiled: for γ of two ordered powers γ comes
    # first, and for c1 and c2 the centre is 0.
    gamma_first = params.at[0].set(q[1]).at[4].set(GAMMA_FIRST)
    rows = jnp.broadcast_to(params, (4, 6)).at[1].set(jnp.where(ordered, gamma_first, params))
    rows = rows.at[2:, 2:4].set(jnp.broadcast_to(q[2:], (2, 2))).at[2:, 5].set(0.0)
    lows, highs = (jnp.broadcast_to(box, (4, 6)).at[:, 4:].set(rows[:, 4:]) for box in (low, high))
    index = jnp.where(ordered, jnp.asarray([0, 0, 2, 3]), jnp.arange(4))
    fall = (one_part_cost(log_k, log_failure, weight, law) - 2 * cost) / variance
    separated = fall > two_parameter_limit(dof, errors.known_errors, errors.level)
    last = jnp.max(jnp.where(used, log_k, -jnp.inf))
    tail_exponent = jnp.exp(-q[1] / 2) / jnp.sqrt(jnp.maximum(last, jnp.finfo(dtype).tiny))
    power_is_late = law.stretched & ~law.beta_given & (jnp.exp(q[0]) < tail_exponent)
    separated &= ~power_is_late
    ends = profile_intervals(
        residual,
        index,
        standard_errors,
        rows,
        lows,
        highs,
        cost=cost,
        variance=variance,
        critical=critical_at(errors.critical, dof),
        wanted=separated,
    )
    first = jnp.arange(4) == 0
    lower, upper = (jnp.where(first & law.beta_given, q[0], end) for end in (ends.lower, ends.upper))
    return TwoPartsFit(
        q,
        standard_errors,
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

"""Saturating law of the effective exponent over training size (Eq. 20 = Eq. 57), fitted with its uncertainty.

The optimiser sees (log β, log Δ, log c, log ν). What data cannot tell: with N₀ = c^(-1/ν), if every N ≫ N₀ only the
tail (Δ/c) N^-ν is seen and Δ, c trade against each other; if every N ≪ N₀ the plateau β is not seen.
"""

# pyright: reportCallIssue=false
# (arrays are unpacked into as many fields as they have rows, which a type checker cannot count)

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.errors import InputError
from lidjax.fitting.data import check_level, floating, over_batch
from lidjax.fitting.least_squares import best_of
from lidjax.fitting.status import FitStatus
from lidjax.fitting.uncertainty import (
    ROUNDING,
    at_dof,
    at_minimum,
    covariance_from_hessian,
    critical_values,
    profile_intervals,
    residual_variance,
)

NUM_PARAMS = 4
# Heuristic box for β and Δ over the largest |β_eff|. Much above e^5 the valley of Δ/c is flat to rounding: at e^14 a
# profile got stuck on it and gave ν < 2.05 where the true end was 3.03.
LOG_SCALE = (-9.0, 5.0)
LOG_REACH = 7.0  # heuristic box: N₀ within e^±7 of the sizes
LOG_NU = (-3.0, 3.0)  # heuristic box: ν from 0.05 to 20
PLACES, SLOPES = (-0.3, 0.15, 0.5, 0.85), (0.5, 1.0, 2.5)  # heuristic starts: N₀ along log N, and ν


class SaturationFit(NamedTuple):
    """Estimates of Eq. 20, with the leading axes of `beta_eff`.

    `beta_se` and so on are standard errors; `covariance` (..., 4, 4), `lower`, `upper` and `identifiable`
    (..., 4) are in the order β, Δ, c, ν. `lower`, `upper` are profile-likelihood intervals, 0 or inf where
    the data leave that side open; `identifiable` says that both sides are closed. `cost` is the
    weighted sum of squared residuals, `dof` the points used minus 4, `status` a `FitStatus`.
    """

    beta: Float[Array, "*batch"]
    delta: Float[Array, "*batch"]
    c: Float[Array, "*batch"]
    nu: Float[Array, "*batch"]
    beta_se: Float[Array, "*batch"]
    delta_se: Float[Array, "*batch"]
    c_se: Float[Array, "*batch"]
    nu_se: Float[Array, "*batch"]
    covariance: Float[Array, "*batch 4 4"]
    lower: Float[Array, "*batch 4"]
    upper: Float[Array, "*batch 4"]
    cost: Float[Array, "*batch"]
    dof: Int[Array, "*batch"]
    identifiable: Bool[Array, "*batch 4"]
    status: Int[Array, "*batch"]


def saturation_curve(params, log_n):
    """β - Δ/(1 + c n^ν) for params = (log β, log Δ, log c, log ν), as a logistic curve in log n."""
    log_beta, log_delta, log_c, log_nu = params
    return jnp.exp(log_beta) - jnp.exp(log_delta) * jax.nn.sigmoid(-(log_c + jnp.exp(log_nu) * log_n))


def starting_points(log_n, beta_eff, weight, first, last):
    """Twelve starts: N₀ and ν on a grid, then β and Δ by linear least squares."""
    square = weight**2 / jnp.sum(weight**2)
    mean_y = jnp.sum(square * beta_eff)
    floor = 1e-3 * jnp.max(jnp.abs(beta_eff)) + jnp.finfo(log_n.dtype).tiny

    def start(place, nu):
        log_c = -nu * (first + place * (last - first))
        shape = jax.nn.sigmoid(-(log_c + nu * log_n))
        mean_s = jnp.sum(square * shape)
        spread = jnp.sum(square * (shape - mean_s) ** 2)
        delta = -jnp.sum(square * (shape - mean_s) * (beta_eff - mean_y)) / jnp.where(spread > 0, spread, 1.0)
        beta = mean_y + delta * mean_s
        return jnp.stack(
            [jnp.log(jnp.maximum(beta, floor)), jnp.log(jnp.maximum(delta, floor)), log_c, jnp.log(nu)]
        )

    grid = jnp.meshgrid(*(jnp.asarray(a, log_n.dtype) for a in (PLACES, SLOPES)), indexing="ij")
    return jax.vmap(start)(*(g.ravel() for g in grid))


def fit_saturation_cell(log_n, beta_eff, weight, *, known_errors, critical) -> SaturationFit:
    """One fit of Eq. 20 to arrays (m,); weight 0 leaves a point out."""
    dtype = beta_eff.dtype
    used = weight > 0
    num_points = jnp.sum(used)
    dof = num_points - NUM_PARAMS
    scale = jnp.log(jnp.max(jnp.where(used, jnp.abs(beta_eff), 0)) + jnp.finfo(dtype).tiny)
    first = jnp.min(jnp.where(used, log_n, jnp.inf))
    last = jnp.max(jnp.where(used, log_n, -jnp.inf))
    nu_low, nu_high = (jnp.asarray(edge, dtype) for edge in LOG_NU)
    c_reach = jnp.exp(nu_high) * (LOG_REACH + jnp.maximum(jnp.abs(first), jnp.abs(last)))
    low = jnp.stack([scale + LOG_SCALE[0], scale + LOG_SCALE[0], -c_reach, nu_low])
    high = jnp.stack([scale + LOG_SCALE[1], scale + LOG_SCALE[1], c_reach, nu_high])

    def residual(params):
        return weight * (saturation_curve(params, log_n) - beta_eff)

    starts = starting_points(log_n, beta_eff, weight, first, last)
    best = best_of(residual, jnp.clip(starts, low[None, :], high[None, :]), low, high)

    rounding = ROUNDING * jnp.finfo(dtype).eps * jnp.max(jnp.abs(weight * beta_eff))
    variance = residual_variance(best.point.cost, dof, rounding, known_errors)
    covariance = covariance_from_hessian(best.point.hessian, variance, low < high)
    errors = jnp.sqrt(jnp.diagonal(covariance))
    rows = (jnp.broadcast_to(a, (NUM_PARAMS, NUM_PARAMS)) for a in (best.point.params, low, high))
    ends = profile_intervals(
        residual,
        range(NUM_PARAMS),
        errors,
        *rows,
        cost=best.point.cost,
        variance=variance,
        critical=at_dof(critical, dof),
    )

    identifiable = jnp.isfinite(ends.lower) & jnp.isfinite(ends.upper)
    converged = at_minimum(best, low, high, variance=variance, lowest=ends.lowest)
    status = jnp.where(jnp.all(identifiable), FitStatus.OK, FitStatus.NOT_IDENTIFIABLE)
    status = jnp.where(converged, status, FitStatus.NOT_CONVERGED)
    status = jnp.where(dof < 1, FitStatus.TOO_FEW_POINTS, status).astype(jnp.int32)
    fine = dof >= 1
    values = jnp.where(fine, jnp.exp(best.point.params), jnp.nan)
    beta, delta, c, nu = values
    beta_se, delta_se, c_se, nu_se = values * errors
    return SaturationFit(
        beta=beta,
        delta=delta,
        c=c,
        nu=nu,
        beta_se=beta_se,
        delta_se=delta_se,
        c_se=c_se,
        nu_se=nu_se,
        covariance=values[:, None] * covariance * values[None, :],
        lower=jnp.where(fine, jnp.exp(ends.lower), jnp.nan),
        upper=jnp.where(fine, jnp.exp(ends.upper), jnp.nan),
        cost=jnp.where(fine, 2 * best.point.cost, jnp.nan),
        dof=dof,
        identifiable=identifiable & fine,
        status=status,
    )


@jax.jit
def fit_saturation_batch(log_n, beta_eff, weight, known_errors, critical):
    cell = partial(fit_saturation_cell, known_errors=known_errors, critical=critical)
    return over_batch(cell, log_n, beta_eff, weight)


def fit_saturation(n, beta_eff, *, standard_error=None, level: float = 0.95) -> SaturationFit:
    """Fit β_eff(N) = β - Δ/(1 + c N^ν) with β, Δ, c, ν > 0 (Eq. 20) to `beta_eff` (..., m) at `n` (..., m).

    `standard_error` (..., m): one known standard error a point; reported errors are then the chi-square ones.
    Without it all points weigh the same and errors are scaled by the misfit, cost/dof. For curves without
    sampling noise (population integrals) that is all an error can mean: how well the *form* of Eq. 20 holds
    over this range of N. It is no statement about the range beyond. `level` is that of the profile intervals.

    Points with a NaN value, or with an error that is not positive and finite, are left out; under five usable points
    the result is NaN with a status. An open interval is flagged (`identifiable`, `status`): where only the rise
    is seen β is open above, where only the approach to the plateau is seen Δ and c are.
    Arrays broadcast; leading axes are vmapped in one compiled program. Use float64: in float32 the
    profiles of weakly determined parameters lose their meaning.
    """
    beta_eff = floating(beta_eff)
    n = jnp.asarray(n).astype(beta_eff.dtype)
    error = jnp.ones_like(beta_eff) if standard_error is None else jnp.asarray(standard_error)
    error = error.astype(beta_eff.dtype)
    shape = jnp.broadcast_shapes(n.shape, beta_eff.shape, error.shape)
    if not shape:
        raise InputError(
            f"n {n.shape} and beta_eff {beta_eff.shape} must have a last axis over training sizes"
        )
    n, beta_eff, error = (jnp.broadcast_to(a, shape) for a in (n, beta_eff, error))
    sound = jnp.isfinite(error) & (error > 0) & jnp.isfinite(beta_eff) & (n > 0) & jnp.isfinite(n)
    known = standard_error is not None
    critical = critical_values(check_level(level), shape[-1], known_errors=known)
    return fit_saturation_batch(
        jnp.log(jnp.where(sound, n, 1.0)),
        jnp.where(sound, beta_eff, 0.0),
        jnp.where(sound, 1 / jnp.where(sound, error, 1.0), 0.0),
        jnp.asarray(known),
        jnp.asarray(critical, beta_eff.dtype),
    )

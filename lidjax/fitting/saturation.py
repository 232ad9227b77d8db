"""Saturating law of the effective exponent over training size (Eq. 20 = Eq. 57), fitted with its uncertainty.

The optimiser works in (log β, log Δ, log c, log ν). Some data leave parameters open. With N₀ = c^(-1/ν): if every
N ≫ N₀, only the tail (Δ/c) N^-ν is seen, and Δ and c trade off against each other; if every N ≪ N₀, the plateau β is
not seen.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lidjax.arrays import POSITIVE, as_float, check_values
from lidjax.errors import InputError
from lidjax.fitting.least_squares import lowest_minimum
from lidjax.fitting.log_curves import check_level, over_batch
from lidjax.fitting.status import combined_status, describe_result, describe_status
from lidjax.fitting.uncertainty import (
    at_minimum,
    covariance_from_hessian,
    critical_at,
    critical_values,
    profile_intervals,
    residual_variance,
    rounding_error,
)
from lidjax.laws.saturation import saturation_curve, unsaturated_share

NUM_PARAMS = 4
# Heuristic box for β and Δ over the largest |β_eff|. Much above e^5 the valley of Δ/c is flat to rounding: at e^14 a
# profile got stuck on it and gave ν < 2.05 where the true end was 3.03.
LOG_SCALE = (-9.0, 5.0)
LOG_REACH = 7.0  # heuristic box: N₀ within e^±7 of the sizes
LOG_NU = (-3.0, 3.0)  # heuristic box: ν from 0.05 to 20
PLACES, SLOPES = (-0.3, 0.15, 0.5, 0.85), (0.5, 1.0, 2.5)  # heuristic starts: N₀ along log N, and ν


class SaturationFit(NamedTuple):
    """Estimates of Eq. 20, β_eff(N) = β - Δ/(1 + c N^ν), with the leading axes (...) of `beta_eff`.

    Attributes:
        beta: Plateau β (...).
        delta: Rise Δ (...).
        c: Amplitude c (...), in units of N^-ν.
        nu: Sharpness ν (...).
        beta_se: Standard error (...) of β.
        delta_se: Standard error (...) of Δ.
        c_se: Standard error (...) of c.
        nu_se: Standard error (...) of ν.
        covariance: Covariance (..., 4, 4) of the estimates in the order β, Δ, c, ν.
        lower: Lower ends (..., 4) of the profile-likelihood intervals, in that order; 0 where the side is open.
        upper: Upper ends (..., 4); inf where the side is open.
        cost: Weighted sum (...) of squared residuals of β_eff.
        dof: Degrees of freedom (...): points used minus 4.
        identifiable: Whether (..., 4) both sides of an interval are closed.
        status: `FitStatus` (...).
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

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)

    def __repr__(self) -> str:
        return describe_result(self)


def saturation_starts(
    log_n: Float[Array, " m"],
    beta_eff: Float[Array, " m"],
    weight: Float[Array, " m"],
    first: Float[Array, ""],
    last: Float[Array, ""],
) -> Float[Array, "12 4"]:
    """Twelve starts: N₀ and ν on a grid, then β and Δ by linear least squares; `first`, `last` are ends of log N."""
    square = weight**2 / jnp.sum(weight**2)
    mean_y = jnp.sum(square * beta_eff)
    floor = 1e-3 * jnp.max(jnp.abs(beta_eff)) + jnp.finfo(log_n.dtype).tiny

    def start(place: Float[Array, ""], nu: Float[Array, ""]) -> Float[Array, " 4"]:
        log_c = -nu * (first + place * (last - first))
        shape = unsaturated_share(log_n, log_c, nu)
        mean_s = jnp.sum(square * shape)
        spread = jnp.sum(square * (shape - mean_s) ** 2)
        delta = -jnp.sum(square * (shape - mean_s) * (beta_eff - mean_y)) / jnp.where(spread > 0, spread, 1.0)
        beta = mean_y + delta * mean_s
        return jnp.stack(
            [jnp.log(jnp.maximum(beta, floor)), jnp.log(jnp.maximum(delta, floor)), log_c, jnp.log(nu)]
        )

    grid = jnp.meshgrid(*(jnp.asarray(a, log_n.dtype) for a in (PLACES, SLOPES)), indexing="ij")
    return jax.vmap(start)(*(g.ravel() for g in grid))


def fit_saturation_cell(
    log_n: Float[Array, " m"],
    beta_eff: Float[Array, " m"],
    weight: Float[Array, " m"],
    *,
    known_errors: Bool[Array, ""],
    critical: Float[Array, " max_dof"],
) -> SaturationFit:
    """One fit of Eq. 20; weight 0 leaves a point out."""
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

    def residual(params: Float[Array, " 4"]) -> Float[Array, " m"]:
        log_beta, log_delta, log_c, log_nu = params
        curve = saturation_curve(log_n, jnp.exp(log_beta), jnp.exp(log_delta), log_c, jnp.exp(log_nu))
        return weight * (curve - beta_eff)

    starts = saturation_starts(log_n, beta_eff, weight, first, last)
    best = lowest_minimum(residual, jnp.clip(starts, low[None, :], high[None, :]), low, high)

    variance = residual_variance(best.point.cost, dof, rounding_error(weight * beta_eff), known_errors)
    covariance = covariance_from_hessian(best.point.hessian, variance, low < high)
    errors = jnp.sqrt(jnp.diagonal(covariance))
    rows, lows, highs = (
        jnp.broadcast_to(a, (NUM_PARAMS, NUM_PARAMS)) for a in (best.point.params, low, high)
    )
    ends = profile_intervals(
        residual,
        jnp.arange(NUM_PARAMS),
        errors,
        rows,
        lows,
        highs,
        cost=best.point.cost,
        variance=variance,
        critical=critical_at(critical, dof),
    )

    identifiable = jnp.isfinite(ends.lower) & jnp.isfinite(ends.upper)
    converged = at_minimum(best, low, high, variance=variance, lowest=ends.lowest)
    fitted = dof >= 1
    values = jnp.where(fitted, jnp.exp(best.point.params), jnp.nan)
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
        lower=jnp.where(fitted, jnp.exp(ends.lower), jnp.nan),
        upper=jnp.where(fitted, jnp.exp(ends.upper), jnp.nan),
        cost=jnp.where(fitted, 2 * best.point.cost, jnp.nan),
        dof=dof,
        identifiable=identifiable & fitted,
        status=combined_status(closed=jnp.all(identifiable), converged=converged, dof=dof),
    )


@jax.jit
def fit_saturation_batch(
    log_n: Float[Array, "*batch m"],
    beta_eff: Float[Array, "*batch m"],
    weight: Float[Array, "*batch m"],
    known_errors: Bool[Array, ""],
    critical: Float[Array, " max_dof"],
) -> SaturationFit:
    """The fit of every batch element."""
    cell = partial(fit_saturation_cell, known_errors=known_errors, critical=critical)
    return over_batch(cell, log_n, beta_eff, weight)


def fit_saturation(
    n: ArrayLike, beta_eff: ArrayLike, *, standard_error: ArrayLike | None = None, level: float = 0.95
) -> SaturationFit:
    """Fit β_eff(N) = β - Δ/(1 + c N^ν) with β, Δ, c, ν > 0 to effective exponents over training size.

    Leading axes are fitted side by side in one compiled program. Use float64: in float32 the profiles of weakly
    determined parameters lose their meaning.

    With `standard_error` reported errors are the chi-square ones. Without it all points weigh the same, and errors are
    scaled by the misfit, cost/dof. For curves without sampling noise (population integrals) an error then says how well
    the *form* of Eq. 20 holds over this range of N. It is no statement about the range beyond.

    An open interval is flagged in `identifiable` and `status`. Where only the rise is seen, β is open above. Where only
    the approach to the plateau is seen, Δ and c are open.

    Args:
        n: Training sizes N > 0, broadcasting to (..., m).
        beta_eff: Effective exponents, (..., m), for instance from `effective_exponent`. NaN leaves a point out.
        standard_error: Standard error of `beta_eff`, broadcasting to (..., m). Points whose error is not positive and
            finite are left out.
        level: Confidence level of the profile intervals, between 0 and 1.

    Returns:
        A `SaturationFit`; fewer than five usable points give NaN and the status TOO_FEW_POINTS.

    Raises:
        InputError: If an N is not positive, if the arrays have no axis or do not broadcast, or if `level` is not
            allowed.

    References:
        Eq. 20 = Eq. 57. `tests/fitting/test_saturation.py` checks the fit against SciPy, and the coverage of its
        intervals.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> n = jnp.geomspace(200, 1e5, 16)
        >>> fit = lidjax.fit_saturation(n, 2.5 - 2 / (1 + 1e-4 * n**1.5))
        >>> round(float(fit.beta), 3), round(float(fit.nu), 3), fit.message
        (2.5, 1.5, 'ok')
    """
    beta_eff = as_float(beta_eff, "beta_eff")
    n = as_float(check_values("n", n, POSITIVE), "n").astype(beta_eff.dtype)
    error = as_float(1.0 if standard_error is None else standard_error, "standard_error").astype(
        beta_eff.dtype
    )
    try:
        shape = jnp.broadcast_shapes(n.shape, beta_eff.shape, error.shape)
    except ValueError:
        shapes = f"n {n.shape}, beta_eff {beta_eff.shape} and standard_error {error.shape}"
        raise InputError(f"{shapes} must broadcast") from None
    if not shape:
        raise InputError(
            f"n {n.shape} and beta_eff {beta_eff.shape} must have a last axis over training sizes"
        )
    n, beta_eff, error = (jnp.broadcast_to(a, shape) for a in (n, beta_eff, error))
    used = jnp.isfinite(error) & (error > 0) & jnp.isfinite(beta_eff) & (n > 0) & jnp.isfinite(n)
    known_errors = standard_error is not None
    critical = critical_values(check_level(level), shape[-1], known_errors=known_errors)
    return fit_saturation_batch(
        jnp.log(jnp.where(used, n, 1.0)),
        jnp.where(used, beta_eff, 0.0),
        jnp.where(used, 1 / jnp.where(used, error, 1.0), 0.0),
        jnp.asarray(known_errors),
        jnp.asarray(critical, beta_eff.dtype),
    )

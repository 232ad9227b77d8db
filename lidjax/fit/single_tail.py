"""Laws with one tail, straight lines in the right variable: power law in log k, stretched law in √log k."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.fit.criteria import information_criteria
from lidjax.fit.data import check_level, log_curve
from lidjax.fit.regression import weighted_line
from lidjax.fit.status import FitStatus
from lidjax.fit.two_parts import stretched_log
from lidjax.fit.uncertainty import ROUNDING, at_dof, critical_values, residual_variance

NUM_PARAMS = 2


class PowerFit(NamedTuple):
    """Estimates of L_inf(k) = c k^-β. `lower`, `upper`, `identifiable` (..., 2) are in the order β, c."""

    beta: Float[Array, "*batch"]
    c: Float[Array, "*batch"]
    beta_se: Float[Array, "*batch"]
    c_se: Float[Array, "*batch"]
    lower: Float[Array, "*batch 2"]
    upper: Float[Array, "*batch 2"]
    cost: Float[Array, "*batch"]
    dof: Int[Array, "*batch"]
    rms: Float[Array, "*batch"]
    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]
    identifiable: Bool[Array, "*batch 2"]
    status: Int[Array, "*batch"]


class StretchedFit(NamedTuple):
    """Estimates of L_inf(k) = c exp(-2√(log(k)/v)); fields as in `PowerFit`, v in place of β.

    A slope no larger than its error leaves v open above (`upper` is inf); a rising curve has no v (NaN).
    """

    v: Float[Array, "*batch"]
    c: Float[Array, "*batch"]
    v_se: Float[Array, "*batch"]
    c_se: Float[Array, "*batch"]
    lower: Float[Array, "*batch 2"]
    upper: Float[Array, "*batch 2"]
    cost: Float[Array, "*batch"]
    dof: Int[Array, "*batch"]
    rms: Float[Array, "*batch"]
    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]
    identifiable: Bool[Array, "*batch 2"]
    status: Int[Array, "*batch"]


def fit_power_law(k, failure, *, window=None, standard_error=None, log=False, level=0.95) -> PowerFit:
    """Fit L_inf(k) = c k^-β (Eq. 15 with a free prefactor) to `failure` (..., m) at `k` (m,) or (..., m).

    A weighted straight line in log-log over the static `window`; arguments, meaning of the errors and status as in
    `fit_two_tail`. With equal weights β is the `beta_eff` of `effective_exponent`.
    """
    curve, line, common = regress(k, failure, window, standard_error, log, level, lambda log_k: log_k)
    half = common.critical * common.slope_se
    beta = -line.slope
    return pack(PowerFit, curve, line, common, beta, common.slope_se, beta - half, beta + half)


def fit_stretched(k, failure, *, window=None, standard_error=None, log=False, level=0.95) -> StretchedFit:
    """Fit L_inf(k) = c exp(-2√(log(k)/v)), the finite-N tail of the Gamma prior to leading order, alone.

    A weighted straight line in 2√log k of slope -1/√v; arguments as in `fit_two_tail`, k > 1.
    """
    curve, line, common = regress(k, failure, window, standard_error, log, level, stretched_log)
    root, half = -line.slope, common.critical * common.slope_se
    falls, closed = root > 0, root > half
    safe = jnp.where(falls, root, jnp.nan)
    upper = jnp.where(closed, 1 / jnp.where(closed, root - half, 1.0) ** 2, jnp.inf)
    return pack(
        StretchedFit, curve, line, common, safe**-2, 2 * common.slope_se / safe**3, (safe + half) ** -2, upper
    )


class Common(NamedTuple):
    """What both lines share."""

    known_errors: bool
    critical: Float[Array, "*batch"]
    slope_se: Float[Array, "*batch"]
    intercept_se: Float[Array, "*batch"]
    status: Int[Array, "*batch"]


def regress(k, failure, window, standard_error, log, level, variable):
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    line = weighted_line(variable(curve.log_k), curve.log_failure, curve.weight)
    known, dof, dtype = standard_error is not None, line.num_points - NUM_PARAMS, line.cost.dtype
    scale = jnp.max(jnp.abs(curve.weight * curve.log_failure), axis=-1)
    variance = residual_variance(line.cost / 2, dof, ROUNDING * jnp.finfo(dtype).eps * scale, known)
    table = jnp.asarray(critical_values(check_level(level), curve.log_k.shape[-1], known_errors=known), dtype)
    status = jnp.where((dof < 1) | (line.spread <= 0), FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.bad, FitStatus.NOT_POSITIVE, status).astype(jnp.int32)
    slope_se, intercept_se = (jnp.sqrt(variance * v) for v in (line.slope_variance, line.intercept_variance))
    return curve, line, Common(known, at_dof(table, dof), slope_se, intercept_se, status)


def pack(result, curve, line, common: Common, first, first_se, first_lower, first_upper):
    """Natural scale, NaN where there is no estimate."""
    fine = (common.status == FitStatus.OK) & ~jnp.isnan(first)
    status = jnp.where((common.status == FitStatus.OK) & ~fine, FitStatus.NOT_IDENTIFIABLE, common.status)
    c = jnp.exp(line.intercept)
    half = common.critical * common.intercept_se
    used = (curve.weight > 0).astype(c.dtype)
    inverse = used / jnp.where(curve.weight > 0, curve.weight, 1.0)
    count = jnp.maximum(line.num_points, 1).astype(c.dtype)
    rms = jnp.sqrt(jnp.sum((line.residual * inverse) ** 2, axis=-1) / count)
    lower = jnp.stack([first_lower, c * jnp.exp(-half)], axis=-1)
    upper = jnp.stack([first_upper, c * jnp.exp(half)], axis=-1)
    cost = jnp.where(fine, line.cost, jnp.nan)

    def known(value):
        return jnp.where(fine, value, jnp.nan)

    criteria = information_criteria(cost, line.num_points, NUM_PARAMS, common.known_errors)
    return result(
        known(first),
        known(c),
        known(first_se),
        known(c * common.intercept_se),
        jnp.where(fine[..., None], lower, jnp.nan),
        jnp.where(fine[..., None], upper, jnp.nan),
        cost,
        line.num_points - NUM_PARAMS,
        known(rms),
        criteria.aic,
        criteria.bic,
        jnp.isfinite(lower) & jnp.isfinite(upper) & fine[..., None],
        jnp.where(jnp.isfinite(upper[..., 0]) | ~fine, status, FitStatus.NOT_IDENTIFIABLE).astype(jnp.int32),
    )

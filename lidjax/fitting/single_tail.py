"""Laws with one tail, straight lines in the right variable: power law in log k, stretched law in √log k."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.fitting.criteria import information_criteria
from lidjax.fitting.data import LogCurve, check_level, log_curve
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.status import FitStatus
from lidjax.fitting.two_parts import stretched_log
from lidjax.fitting.uncertainty import ROUNDING, at_dof, critical_values, residual_variance

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
    return fit_line(k, failure, window, standard_error, log, level, stretched=False)


def fit_stretched(k, failure, *, window=None, standard_error=None, log=False, level=0.95) -> StretchedFit:
    """Fit L_inf(k) = c exp(-2√(log(k)/v)), the finite-N tail of the Gamma prior to leading order, alone.

    A weighted straight line in 2√log k of slope -1/√v; arguments as in `fit_two_tail`, k > 1.
    """
    return StretchedFit(*fit_line(k, failure, window, standard_error, log, level, stretched=True))


def fit_line(k, failure, window, standard_error, log, level, *, stretched: bool) -> PowerFit:
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    known = standard_error is not None
    table = critical_values(check_level(level), curve.log_k.shape[-1], known_errors=known)
    return regress(curve, jnp.asarray(table, curve.log_k.dtype), known, stretched=stretched)


@partial(jax.jit, static_argnames="stretched")
def regress(curve: LogCurve, table, known_errors, *, stretched: bool) -> PowerFit:
    """Both laws: the straight line, then natural scale, status, NaN where there is no estimate."""
    line = weighted_line(
        stretched_log(curve.log_k) if stretched else curve.log_k, curve.log_failure, curve.weight
    )
    dof, dtype = line.num_points - NUM_PARAMS, line.cost.dtype
    rounding = ROUNDING * jnp.finfo(dtype).eps * jnp.max(jnp.abs(curve.weight * curve.log_failure), axis=-1)
    variance = residual_variance(line.cost / 2, dof, rounding, known_errors)
    slope_se, intercept_se = (jnp.sqrt(variance * v) for v in (line.slope_variance, line.intercept_variance))
    critical = at_dof(table, dof)
    first, first_se, lower, upper = (inverse_square if stretched else as_it_is)(
        -line.slope, slope_se, critical
    )

    status = jnp.where((dof < 1) | (line.spread <= 0), FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.bad, FitStatus.NOT_POSITIVE, status)
    fine = (status == FitStatus.OK) & ~jnp.isnan(first)
    closed = fine & jnp.isfinite(upper)
    status = jnp.where((status == FitStatus.OK) & ~closed, FitStatus.NOT_IDENTIFIABLE, status)

    def known(value):
        return jnp.where(fine, value, jnp.nan)

    c, half = jnp.exp(line.intercept), critical * intercept_se
    misfit = line.residual / jnp.where(curve.weight > 0, curve.weight, 1.0)
    count = jnp.maximum(line.num_points, 1).astype(dtype)
    cost = known(line.cost)
    criteria = information_criteria(cost, line.num_points, NUM_PARAMS, known_errors)
    return PowerFit(
        known(first),
        known(c),
        known(first_se),
        known(c * intercept_se),
        jnp.stack([known(lower), known(c * jnp.exp(-half))], axis=-1),
        jnp.stack([known(upper), known(c * jnp.exp(half))], axis=-1),
        cost,
        dof,
        known(jnp.sqrt(jnp.sum(misfit**2, axis=-1) / count)),
        criteria.aic,
        criteria.bic,
        jnp.stack([closed, fine], axis=-1),
        status.astype(jnp.int32),
    )


def as_it_is(slope, error, critical):
    """β from the slope: estimate, standard error, ends of the interval."""
    return slope, error, slope - critical * error, slope + critical * error


def inverse_square(root, error, critical):
    """v = 1/root² from the slope; NaN where the law would rise, open above where the slope may be 0."""
    half = critical * error
    safe, closed = jnp.where(root > 0, root, jnp.nan), root > half
    upper = jnp.where(closed, 1 / jnp.where(closed, root - half, 1.0) ** 2, jnp.inf)
    return safe**-2, 2 * error / safe**3, (safe + half) ** -2, upper

"""Laws with one tail, straight lines in the right variable: power law in log k, stretched law in √log k."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lidjax.fitting.criteria import information_criteria
from lidjax.fitting.log_curves import LogCurve, check_level, log_curve
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.status import FitStatus, describe_status
from lidjax.fitting.two_parts import stretched_log
from lidjax.fitting.uncertainty import critical_at, critical_values, residual_variance, rounding_error

NUM_PARAMS = 2


class PowerFit(NamedTuple):
    """Estimates of L_inf(k) = c k^-β, with the leading axes (...) of the curves.

    Attributes:
        beta: β (...).
        c: Amplitude (...), L_inf at k = 1.
        beta_se: Standard error (...) of β.
        c_se: Standard error (...) of c.
        lower: Lower ends (..., 2) of the confidence intervals of β and c.
        upper: Upper ends (..., 2).
        cost: Weighted sum (...) of squared residuals of log L_inf.
        dof: Degrees of freedom (...): points used minus 2.
        rms: Root mean square (...) of log(curve/law), unweighted.
        aic: Akaike's information criterion (...).
        bic: Bayesian information criterion (...).
        identifiable: Whether (..., 2) the interval is closed.
        status: `FitStatus` (...).
    """

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

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)


class StretchedFit(NamedTuple):
    """Estimates of L_inf(k) = c exp(-2√(log(k)/v)), with the leading axes (...) of the curves.

    Attributes:
        v: v (...), the L_gen/σ_η² that the tail would have to leading order; NaN for a rising curve.
        c: Amplitude (...), L_inf at k = 1.
        v_se: Standard error (...) of v.
        c_se: Standard error (...) of c.
        lower: Lower ends (..., 2) of the confidence intervals of v and c.
        upper: Upper ends (..., 2); inf for v where the slope is no larger than its error.
        cost: Weighted sum (...) of squared residuals of log L_inf.
        dof: Degrees of freedom (...): points used minus 2.
        rms: Root mean square (...) of log(curve/law), unweighted.
        aic: Akaike's information criterion (...).
        bic: Bayesian information criterion (...).
        identifiable: Whether (..., 2) the interval is closed.
        status: `FitStatus` (...).
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

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)


def fit_power_law(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    log: bool = False,
    level: float = 0.95,
) -> PowerFit:
    """Fit L_inf(k) = c k^-β to failure curves: a weighted straight line in log-log.

    With equal weights β is the `beta_eff` of `effective_exponent`. The meaning of the errors is that of `fit_two_tail`.

    Args:
        k: Numbers of attempts k > 0, (m,) or (..., m).
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        A `PowerFit`. Curves that cannot be fitted have NaN estimates and the status TOO_FEW_POINTS or NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, or `window` or `level` is not allowed.

    References:
        Eq. 15, with a free prefactor.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(10, 1e5, 25)
        >>> fit = lidjax.fit_power_law(k, 0.4 * k**-1.5)
        >>> round(float(fit.beta), 4), round(float(fit.c), 4), fit.message
        (1.5, 0.4, 'ok')
    """
    return fit_with_one_tail(k, failure, window, standard_error, log, level, stretched=False)


def fit_stretched(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    log: bool = False,
    level: float = 0.95,
) -> StretchedFit:
    """Fit L_inf(k) = c exp(-2√(log(k)/v)) to failure curves: a weighted straight line in 2√log k of slope -1/√v.

    This is the finite-N tail of the Gamma prior to leading order (`stretched_tail`), alone. The meaning of the errors
    is that of `fit_two_tail`.

    Args:
        k: Numbers of attempts, (m,) or (..., m); k > 1 is what the law is for.
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        A `StretchedFit`. Curves that cannot be fitted have NaN estimates and the status TOO_FEW_POINTS or NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, or `window` or `level` is not allowed.

    References:
        Derived for this project (see `stretched_tail`).

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(10, 1e5, 25)
        >>> fit = lidjax.fit_stretched(k, 0.3 * jnp.exp(-2 * jnp.sqrt(jnp.log(k) / 0.7)))
        >>> round(float(fit.v), 4), round(float(fit.c), 4)
        (0.7, 0.3)
    """
    return StretchedFit(*fit_with_one_tail(k, failure, window, standard_error, log, level, stretched=True))


def fit_with_one_tail(
    k: ArrayLike,
    failure: ArrayLike,
    window: Sequence[float] | None,
    standard_error: ArrayLike | None,
    log: bool,
    level: float,
    *,
    stretched: bool,
) -> PowerFit:
    """Either fit; with `stretched`, v stands in the place of β."""
    curve = log_curve(k, failure, window=window, standard_error=standard_error, log=log)
    known_errors = standard_error is not None
    table = critical_values(check_level(level), curve.log_k.shape[-1], known_errors=known_errors)
    table = jnp.asarray(table, curve.log_k.dtype)
    return fit_one_tail_batch(curve, table, known_errors, stretched=stretched)


@partial(jax.jit, static_argnames="stretched")
def fit_one_tail_batch(
    curve: LogCurve, table: Float[Array, " max_dof"], known_errors: ArrayLike, *, stretched: bool
) -> PowerFit:
    """Every curve of a batch: the straight line, then natural scale, status, and NaN where there is no estimate."""
    line = weighted_line(
        stretched_log(curve.log_k) if stretched else curve.log_k, curve.log_failure, curve.weight
    )
    dof, dtype = line.num_points - NUM_PARAMS, line.cost.dtype
    rounding = rounding_error(curve.weight * curve.log_failure, axis=-1)
    variance = residual_variance(line.cost / 2, dof, rounding, known_errors)
    slope_se, intercept_se = (jnp.sqrt(variance * v) for v in (line.slope_variance, line.intercept_variance))
    critical = critical_at(table, dof)
    first, first_se, lower, upper = (v_from_slope if stretched else beta_from_slope)(
        -line.slope, slope_se, critical
    )

    status = jnp.where((dof < 1) | (line.spread <= 0), FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.no_logarithm, FitStatus.NOT_POSITIVE, status)
    fitted = (status == FitStatus.OK) & ~jnp.isnan(first)
    closed = fitted & jnp.isfinite(upper)
    status = jnp.where((status == FitStatus.OK) & ~closed, FitStatus.NOT_IDENTIFIABLE, status)

    def where_fitted(value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(fitted, value, jnp.nan)

    c, half_width = jnp.exp(line.intercept), critical * intercept_se
    misfit = line.residual / jnp.where(curve.weight > 0, curve.weight, 1.0)
    count = jnp.maximum(line.num_points, 1).astype(dtype)
    cost = where_fitted(line.cost)
    criteria = information_criteria(cost, line.num_points, NUM_PARAMS, known_errors)
    return PowerFit(
        where_fitted(first),
        where_fitted(c),
        where_fitted(first_se),
        where_fitted(c * intercept_se),
        jnp.stack([where_fitted(lower), where_fitted(c * jnp.exp(-half_width))], axis=-1),
        jnp.stack([where_fitted(upper), where_fitted(c * jnp.exp(half_width))], axis=-1),
        cost,
        dof,
        where_fitted(jnp.sqrt(jnp.sum(misfit**2, axis=-1) / count)),
        criteria.aic,
        criteria.bic,
        jnp.stack([closed, fitted], axis=-1),
        status.astype(jnp.int32),
    )


Estimate = tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]
"""Value, standard error, lower and upper end of the confidence interval."""


def beta_from_slope(
    slope: Float[Array, "..."], error: Float[Array, "..."], critical: Float[Array, "..."]
) -> Estimate:
    """β from minus the slope, which it is."""
    return slope, error, slope - critical * error, slope + critical * error


def v_from_slope(
    slope: Float[Array, "..."], error: Float[Array, "..."], critical: Float[Array, "..."]
) -> Estimate:
    """v = 1/slope² from minus the slope; NaN where the law would rise, open above where the slope may be 0."""
    half_width = critical * error
    positive, closed = jnp.where(slope > 0, slope, jnp.nan), slope > half_width
    upper = jnp.where(closed, 1 / jnp.where(closed, slope - half_width, 1.0) ** 2, jnp.inf)
    return positive**-2, 2 * error / positive**3, (positive + half_width) ** -2, upper

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
from lidjax.fitting.replicates import line_errors, replicate_quantile, replicate_shares
from lidjax.fitting.status import FitStatus, describe_result, describe_status
from lidjax.fitting.two_parts import stretched_log
from lidjax.fitting.uncertainty import critical_at, critical_values, residual_variance, rounding_error

NUM_PARAMS = 2


class PowerFit(NamedTuple):
    """Estimates of L_inf(k) = c k^-β, with the leading axes (...) of the curves.

    Attributes:
        beta: β (...).
        c: Amplitude (...), L_inf at k = 1.
        beta_se: Standard error (...) of β; NaN, with the intervals, where the fit was given none to work from.
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

    def __repr__(self) -> str:
        return describe_result(self)


class StretchedFit(NamedTuple):
    """Estimates of L_inf(k) = c exp(-2√(log(k)/v)), with the leading axes (...) of the curves.

    Attributes:
        v: v (...), the L_gen/σ_η² that the tail would have to leading order; NaN for a rising curve.
        c: Amplitude (...), L_inf at k = 1.
        v_se: Standard error (...) of v; NaN, with the intervals, where the fit was given none to work from.
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

    def __repr__(self) -> str:
        return describe_result(self)


def fit_power_law(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    log: bool = False,
    level: float = 0.95,
    replicates: ArrayLike | None = None,
    independent: bool = False,
) -> PowerFit:
    """Fit L_inf(k) = c k^-β to failure curves: a weighted straight line in log-log.

    With equal weights β is the `beta_eff` of `effective_exponent`, and so are the errors: with `replicates` they have
    the covariance along k. With `independent` they come from `standard_error`, or without it from the misfit. Without
    either they are NaN, because the points of one set of instances are correlated: `standard_error` only weights them.

    Args:
        k: Numbers of attempts k > 0, (m,) or (..., m).
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.
        replicates: The curves of the r independent instances or seeds whose mean `failure` is, (..., r, m); their
            logarithms with `log`. The errors come from them.
        independent: Whether the errors of the points are independent of each other, which holds if each k was
            measured on instances of its own. Without `replicates` it is needed for errors and intervals.

    Returns:
        A `PowerFit`. Curves that cannot be fitted have NaN estimates and the status TOO_FEW_POINTS or NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, if `window` or `level` is not allowed, if the window holds no k,
            if a k is not positive, or if `failure` is not the mean of `replicates`.

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
    data = CurveData(k, failure, window, standard_error, log, replicates, independent)
    return fit_with_one_tail(data, level, stretched=False)


def fit_stretched(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    log: bool = False,
    level: float = 0.95,
    replicates: ArrayLike | None = None,
    independent: bool = False,
) -> StretchedFit:
    """Fit L_inf(k) = c exp(-2√(log(k)/v)) to failure curves: a weighted straight line in 2√log k of slope -1/√v.

    This is the finite-N tail of the Gamma prior to leading order (`stretched_tail`), alone. The meaning of the errors
    is that of `fit_power_law`.

    Args:
        k: Numbers of attempts, (m,) or (..., m); k > 1 is what the law is for.
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included; all k without it.
        standard_error: Standard error of `failure` (that of log L_inf with `log`), broadcasting to (..., m). Points
            whose error is not positive and finite are left out.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        level: Confidence level of the intervals, between 0 and 1.
        replicates: The curves of the r independent instances or seeds whose mean `failure` is, (..., r, m); their
            logarithms with `log`. The errors come from them.
        independent: Whether the errors of the points are independent of each other, which holds if each k was
            measured on instances of its own. Without `replicates` it is needed for errors and intervals.

    Returns:
        A `StretchedFit`. Curves that cannot be fitted have NaN estimates and the status TOO_FEW_POINTS or NOT_POSITIVE.

    Raises:
        InputError: If the shapes do not fit together, if `window` or `level` is not allowed, if the window holds no k,
            if a k is not positive, or if `failure` is not the mean of `replicates`.

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
    data = CurveData(k, failure, window, standard_error, log, replicates, independent)
    return StretchedFit(*fit_with_one_tail(data, level, stretched=True))


class CurveData(NamedTuple):
    """The arguments of either fit that say what was measured, as the user gave them."""

    k: ArrayLike
    failure: ArrayLike
    window: Sequence[float] | None
    standard_error: ArrayLike | None
    log: bool
    replicates: ArrayLike | None
    independent: bool


def fit_with_one_tail(data: CurveData, level: float, *, stretched: bool) -> PowerFit:
    """Either fit; with `stretched`, v stands in the place of β."""
    curve = log_curve(
        data.k, data.failure, window=data.window, standard_error=data.standard_error, log=data.log
    )
    known_errors = data.standard_error is not None
    table = critical_values(check_level(level), curve.log_k.shape[-1], known_errors=known_errors)
    shares = None
    if data.replicates is not None:
        shares = replicate_shares(data.failure, data.replicates, curve, log=data.log)
        table[:] = replicate_quantile(shares.shape[-2], level)
    table = jnp.asarray(table, curve.log_k.dtype)
    follow = shares is not None and known_errors and not data.log  # the weights are failure/standard_error
    return fit_one_tail_batch(
        curve, table, known_errors, shares, data.independent, stretched=stretched, weights_follow=follow
    )


@partial(jax.jit, static_argnames=("stretched", "weights_follow"))
def fit_one_tail_batch(
    curve: LogCurve,
    table: Float[Array, " max_dof"],
    known_errors: ArrayLike,
    shares: Float[Array, "*batch r m"] | None,
    independent: ArrayLike,
    *,
    stretched: bool,
    weights_follow: bool,
) -> PowerFit:
    """Every curve of a batch: the straight line, then natural scale, status, and NaN where there is no estimate."""
    x = stretched_log(curve.log_k) if stretched else curve.log_k
    line = weighted_line(x, curve.log_failure, curve.weight)
    misfit = line.residual / jnp.where(curve.weight > 0, curve.weight, 1.0)
    dof, dtype = line.num_points - NUM_PARAMS, line.cost.dtype
    rounding = rounding_error(curve.weight * curve.log_failure, axis=-1)
    variance = residual_variance(line.cost / 2, dof, rounding, known_errors)
    slope_se, intercept_se = (
        jnp.where(independent, jnp.sqrt(variance * v), jnp.nan)
        for v in (line.slope_variance, line.intercept_variance)
    )
    if shares is not None:
        moving = misfit if weights_follow else None
        slope_se, intercept_se = line_errors(x, curve.weight, shares, moving)
    critical = critical_at(table, dof)
    first, first_se, lower, upper = (v_from_slope if stretched else beta_from_slope)(
        -line.slope, slope_se, critical
    )

    status = jnp.where((dof < 1) | (line.spread <= 0), FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.no_logarithm, FitStatus.NOT_POSITIVE, status)
    fitted = (status == FitStatus.OK) & ~jnp.isnan(first)
    closed = fitted & ~jnp.isinf(upper)  # NaN where there is no error, and so no interval that could be open
    status = jnp.where((status == FitStatus.OK) & ~closed, FitStatus.NOT_IDENTIFIABLE, status)

    def where_fitted(value: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(fitted, value, jnp.nan)

    c, half_width = jnp.exp(line.intercept), critical * intercept_se
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
    upper = jnp.where(jnp.isnan(half_width), jnp.nan, upper)
    return positive**-2, 2 * error / positive**3, (positive + half_width) ** -2, upper

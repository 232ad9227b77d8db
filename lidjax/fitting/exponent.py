"""Local exponent of a pass@k failure curve over a window of k (Eq. 55), as a regression slope."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Shaped

from lidjax.arrays import check_window
from lidjax.fitting.data import LogCurve, log_curve
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.status import FitStatus

MIN_POINTS = 3


class EffectiveExponent(NamedTuple):
    """Slope of the regression of log L_inf on log k; every field has the leading axes of `failure`.

    `beta_eff` is minus the slope; `log_intercept` is the fitted log L_inf at k = 1; `num_points` counts
    the points used; `status` is a `FitStatus`, and anything but OK comes with NaN estimates.
    """

    beta_eff: Float[Array, "*batch"]
    standard_error: Float[Array, "*batch"]
    log_intercept: Float[Array, "*batch"]
    num_points: Int[Array, "*batch"]
    status: Int[Array, "*batch"]


def effective_exponent(
    k: Shaped[ArrayLike, "*#batch m"], failure: Float[ArrayLike, "*#batch m"], *, window, log: bool = False
) -> EffectiveExponent:
    """β_eff(N; [k1, k2]) of Eq. 55: minus the least-squares slope of log `failure` on log `k`, k1 ≤ k ≤ k2.

    `k` > 0 is (m,) or (..., m), `failure` (..., m), both array-like; `window` = (k1, k2) is static, ends
    included. With log=True `failure` is log L_inf. The regression is unweighted, so the result depends on
    how the window is sampled: use log-spaced k. Its standard error is the usual one, from the residuals with
    m - 2 degrees of freedom: on a noisy curve it measures sampling noise, if the points are independent, which
    values at several k of one set of instances are not (fit each seed and summarise instead). On a
    deterministic curve it measures only how far the curve is from straight inside the window.

    Fewer than three points in the window, or a zero or non-finite failure there, gives NaN and a status.
    """
    curve = log_curve(k, failure, window=check_window(window), log=log)
    return regress(curve)


@jax.jit
def regress(curve: LogCurve) -> EffectiveExponent:
    line = weighted_line(curve.log_k, curve.log_failure, curve.weight)
    dof = jnp.maximum(line.num_points - 2, 1).astype(line.cost.dtype)
    too_few = (line.num_points < MIN_POINTS) | (line.spread <= 0)
    status = jnp.where(too_few, FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.bad, FitStatus.NOT_POSITIVE, status).astype(jnp.int32)
    fine = status == FitStatus.OK
    return EffectiveExponent(
        jnp.where(fine, -line.slope, jnp.nan),
        jnp.where(fine, jnp.sqrt(line.cost / dof * line.slope_variance), jnp.nan),
        jnp.where(fine, line.intercept, jnp.nan),
        line.num_points,
        status,
    )

"""Effective exponent of a pass@k failure curve over a window of k (Eq. 55), as a regression slope."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Shaped

from lidjax.arrays import check_window
from lidjax.fitting.log_curves import LogCurve, log_curve
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.status import FitStatus, describe_status

MIN_POINTS = 3


class EffectiveExponent(NamedTuple):
    """Slope of the regression of log L_inf on log k, with the leading axes (...) of the curves.

    Estimates are NaN unless the status is OK.

    Attributes:
        beta_eff: β_eff (...), minus the slope.
        standard_error: Standard error (...) of β_eff, from the residuals.
        log_intercept: The fitted log L_inf (...) at k = 1.
        num_points: Number (...) of points used.
        status: `FitStatus` (...).
    """

    beta_eff: Float[Array, "*batch"]
    standard_error: Float[Array, "*batch"]
    log_intercept: Float[Array, "*batch"]
    num_points: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)


def effective_exponent(
    k: Shaped[ArrayLike, "*#batch m"],
    failure: Float[ArrayLike, "*#batch m"],
    *,
    window: Sequence[float],
    log: bool = False,
) -> EffectiveExponent:
    """β_eff(N; [k1, k2]): minus the least-squares slope of log `failure` on log `k` for k1 ≤ k ≤ k2.

    The regression is unweighted, so the result depends on how the window is sampled: use log-spaced k. The standard
    error comes from the residuals with m - 2 degrees of freedom. On a noisy curve it measures sampling noise if the
    points are independent. Values at several k of one set of instances are not: take the slope of each seed and use
    `summarise_seeds` instead. On a deterministic curve it measures only how far the curve is from a straight line.

    Args:
        k: Numbers of attempts k > 0, (m,) or (..., m).
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included, 0 < k1 < k2.
        log: Whether `failure` is log L_inf, for values under the smallest float.

    Returns:
        An `EffectiveExponent`. Fewer than three points inside the window, or a value there that is zero or not finite,
        give NaN and a status.

    Raises:
        InputError: If the shapes do not fit together, or `window` is not allowed.

    References:
        Eq. 55.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(1, 1e4, 33)
        >>> fit = lidjax.effective_exponent(k, 0.3 * k**-1.75, window=(10, 1000))
        >>> round(float(fit.beta_eff), 4), fit.message
        (1.75, 'ok')
    """
    curve = log_curve(k, failure, window=check_window(window), log=log)
    return effective_exponent_batch(curve)


@jax.jit
def effective_exponent_batch(curve: LogCurve) -> EffectiveExponent:
    """Every curve of a batch."""
    line = weighted_line(curve.log_k, curve.log_failure, curve.weight)
    dof = jnp.maximum(line.num_points - 2, 1).astype(line.cost.dtype)
    too_few = (line.num_points < MIN_POINTS) | (line.spread <= 0)
    status = jnp.where(too_few, FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.no_logarithm, FitStatus.NOT_POSITIVE, status).astype(jnp.int32)
    fitted = status == FitStatus.OK
    return EffectiveExponent(
        jnp.where(fitted, -line.slope, jnp.nan),
        jnp.where(fitted, jnp.sqrt(line.cost / dof * line.slope_variance), jnp.nan),
        jnp.where(fitted, line.intercept, jnp.nan),
        line.num_points,
        status,
    )

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
from lidjax.fitting.replicates import line_errors, replicate_shares
from lidjax.fitting.status import FitStatus, describe_result, describe_status

MIN_POINTS = 3


class EffectiveExponent(NamedTuple):
    """Slope of the regression of log L_inf on log k, with the leading axes (...) of the curves.

    Estimates are NaN unless the status is OK.

    Attributes:
        beta_eff: β_eff (...), minus the slope.
        standard_error: Standard error (...) of β_eff, from the replicates, or from the residuals of independent
            points; NaN without either.
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

    def __repr__(self) -> str:
        return describe_result(self)


def effective_exponent(
    k: Shaped[ArrayLike, "*#batch m"],
    failure: Float[ArrayLike, "*#batch m"],
    *,
    window: Sequence[float],
    log: bool = False,
    replicates: ArrayLike | None = None,
    independent: bool = False,
) -> EffectiveExponent:
    """β_eff(N; [k1, k2]): minus the least-squares slope of log `failure` on log `k` for k1 ≤ k ≤ k2.

    The regression is unweighted, so the result depends on how the window is sampled: use log-spaced k.

    Values at several k of one set of instances are strongly correlated, and scatter about a line far less than they are
    off. An error from the residuals is then too small, by 1.6 to 15 on measured curves. With `replicates` the standard
    error is that of the delta method with the covariance along k; an interval of ±1.96 of it covered .95 of the time on
    curves of 250 simulated instances. With `independent` it comes from the residuals, with m - 2 degrees of freedom.
    Without either it is NaN, also for a deterministic curve, which has none. With few instances that fail at large k,
    use seeds with `summarise_seeds`: a delta method needs a mean that is known to a few per cent.

    Args:
        k: Numbers of attempts k > 0, (m,) or (..., m).
        failure: L_inf(k), (..., m); log L_inf with `log`.
        window: The ends (k1, k2) of the k to use, both included, 0 < k1 < k2.
        log: Whether `failure` is log L_inf, for values under the smallest float.
        replicates: The curves of the r independent instances or seeds whose mean `failure` is, (..., r, m); their
            logarithms with `log`. The errors come from them.
        independent: Whether the errors of the points are independent of each other, which holds if each k was
            measured on instances of its own. Without `replicates` it is needed for an error.

    Returns:
        An `EffectiveExponent`. Fewer than three points inside the window, or a value there that is zero or not finite,
        give NaN and a status.

    Raises:
        InputError: If the shapes do not fit together, if `window` is not allowed or holds no k, if a k is not positive,
            or if `failure` is not the mean of `replicates`.

    References:
        Eq. 55.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> k = jnp.geomspace(1, 1e4, 33)
        >>> fit = lidjax.effective_exponent(k, 0.3 * k**-1.75, window=(10, 1000))
        >>> round(float(fit.beta_eff), 4), fit.message
        (1.75, 'ok')
        >>> success = jnp.array([[0.02], [0.1], [0.3]])  # of three instances
        >>> curves = (1 - success) ** k[None, :5]
        >>> fit = lidjax.effective_exponent(k[:5], curves.mean(axis=0), window=(1, 9), replicates=curves)
        >>> bool(fit.standard_error > 0)
        True
    """
    curve = log_curve(k, failure, window=check_window(window), log=log)
    shares = None if replicates is None else replicate_shares(failure, replicates, curve, log=log)
    return effective_exponent_batch(curve, shares, independent)


@jax.jit
def effective_exponent_batch(
    curve: LogCurve, shares: Float[Array, "*batch r m"] | None, independent: ArrayLike
) -> EffectiveExponent:
    """Every curve of a batch."""
    line = weighted_line(curve.log_k, curve.log_failure, curve.weight)
    dof = jnp.maximum(line.num_points - 2, 1).astype(line.cost.dtype)
    too_few = (line.num_points < MIN_POINTS) | (line.spread <= 0)
    status = jnp.where(too_few, FitStatus.TOO_FEW_POINTS, FitStatus.OK)
    status = jnp.where(curve.no_logarithm, FitStatus.NOT_POSITIVE, status).astype(jnp.int32)
    fitted = status == FitStatus.OK
    error = jnp.where(independent, jnp.sqrt(line.cost / dof * line.slope_variance), jnp.nan)
    if shares is not None:
        error, _ = line_errors(curve.log_k, curve.weight, shares)
    return EffectiveExponent(
        jnp.where(fitted, -line.slope, jnp.nan),
        jnp.where(fitted, error, jnp.nan),
        jnp.where(fitted, line.intercept, jnp.nan),
        line.num_points,
        status,
    )

"""Local exponent of a pass@k failure curve over a window of k (Eq. 55), as a regression slope."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Shaped

from lidjax.fit.status import FitStatus

MIN_POINTS = 3


class EffectiveExponent(NamedTuple):
    """Slope of the regression of log L_inf on log k; every field has the leading axes of `failure`.

    `beta_eff` is minus the slope; `log_intercept` is the fitted log L_inf at k = 1; `num_points`
    counts the values of k in the window; `status` is a `FitStatus`, and anything but OK has NaN estimates.
    """

    beta_eff: Float[Array, "..."]
    standard_error: Float[Array, "..."]
    log_intercept: Float[Array, "..."]
    num_points: Int[Array, "..."]
    status: Int[Array, "..."]


def check_window(window) -> tuple[float, float]:
    """A window of k as two floats; ValueError unless 0 < k1 < k2."""
    try:
        low, high = (float(edge) for edge in window)
    except (TypeError, ValueError) as error:
        raise ValueError(f"window={window!r} must be two numbers (k1, k2)") from error
    if not 0 < low < high:
        raise ValueError(f"window={window!r} must have 0 < k1 < k2")
    return low, high


def effective_exponent(
    k: Shaped[ArrayLike, " m"], failure: Float[ArrayLike, "*batch m"], *, window
) -> EffectiveExponent:
    """β_eff(N; [k1, k2]) of Eq. 55: minus the least-squares slope of log `failure` on log `k`, k1 ≤ k ≤ k2.

    `k` (m,) > 0 and `failure` (..., m), both array-like; `window` is static, both ends inclusive. The
    regression is unweighted. Its standard error is the usual one, from the residuals with m-2 degrees
    of freedom: on a noisy curve it measures sampling noise (if the points are independent, which values
    at several k of one set of instances are not), on a deterministic curve it measures only how far
    the curve is from straight in this window, and it says nothing about k beyond the window.

    Fewer than three points in the window, or a zero or non-finite failure there, gives NaN and a status.
    """
    low, high = check_window(window)
    failure = jnp.asarray(failure)
    dtype = failure.dtype if jnp.issubdtype(failure.dtype, jnp.floating) else jnp.asarray(0.0).dtype
    failure = failure.astype(dtype)
    k = jnp.broadcast_to(jnp.asarray(k).astype(dtype), failure.shape)
    inside = (k >= low) & (k <= high)
    usable = jnp.isfinite(failure) & (failure > 0)
    num_points = jnp.sum(inside, axis=-1)

    good = inside & usable
    log_k = jnp.log(jnp.where(inside, k, 1.0))
    log_failure = jnp.log(jnp.where(good, failure, 1.0))
    count = jnp.maximum(num_points, 1).astype(dtype)
    mean_k = jnp.sum(log_k, axis=-1) / count
    mean_failure = jnp.sum(log_failure, axis=-1) / count
    dx = jnp.where(inside, log_k - mean_k[..., None], 0.0)
    dy = jnp.where(inside, log_failure - mean_failure[..., None], 0.0)
    spread = jnp.sum(dx * dx, axis=-1)
    slope = jnp.sum(dx * dy, axis=-1) / jnp.where(spread > 0, spread, 1.0)
    residual = dy - slope[..., None] * dx
    variance = jnp.sum(residual * residual, axis=-1) / jnp.maximum(count - 2, 1.0)
    standard_error = jnp.sqrt(variance / jnp.where(spread > 0, spread, 1.0))

    status = jnp.where(jnp.all(usable | ~inside, axis=-1), int(FitStatus.OK), int(FitStatus.NOT_POSITIVE))
    too_few = (num_points < MIN_POINTS) | (spread <= 0)
    status = jnp.where(too_few, int(FitStatus.TOO_FEW_POINTS), status)
    fine = status == int(FitStatus.OK)
    return EffectiveExponent(
        jnp.where(fine, -slope, jnp.nan),
        jnp.where(fine, standard_error, jnp.nan),
        jnp.where(fine, mean_failure - slope * mean_k, jnp.nan),
        num_points,
        status,
    )

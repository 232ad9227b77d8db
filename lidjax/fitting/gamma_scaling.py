"""Test of Eq. 18 over training size: is the finite-N exponent proportional to 1/L_gen?"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from lidjax.arrays import as_float
from lidjax.errors import InputError
from lidjax.fitting.log_curves import check_level
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.status import FitStatus, describe_result, describe_status
from lidjax.fitting.uncertainty import critical_at, critical_values


class GammaScaling(NamedTuple):
    """Regression log γ = intercept + slope · log L_gen over training sizes, with the leading axes (...) of the input.

    Attributes:
        slope: Slope (...); -1 in Eq. 18.
        slope_se: Standard error (...) of the slope.
        intercept: Fitted log γ (...) at L_gen = 1.
        lower: Lower end (...) of the confidence interval of the slope.
        upper: Upper end (...).
        birge: √(χ²/dof) (...) where errors were given and 1 otherwise. Above 1 the points scatter more than their
            errors say.
        num_points: Number (...) of points used.
        admits_inverse: Whether (...) -1, the slope of Eq. 18, lies inside the interval.
        admits_inverse_root: Whether (...) -1/2 does, the slope of the Gamma prior's exponent in a fixed window of k.
        status: `FitStatus` (...).
    """

    slope: Float[Array, "*batch"]
    slope_se: Float[Array, "*batch"]
    intercept: Float[Array, "*batch"]
    lower: Float[Array, "*batch"]
    upper: Float[Array, "*batch"]
    birge: Float[Array, "*batch"]
    num_points: Int[Array, "*batch"]
    admits_inverse: Bool[Array, "*batch"]
    admits_inverse_root: Bool[Array, "*batch"]
    status: Int[Array, "*batch"]

    @property
    def message(self) -> str | list[str]:
        """The status in words (see `describe_status`)."""
        return describe_status(self.status)

    def __repr__(self) -> str:
        return describe_result(self)


def gamma_scaling(
    lgen: ArrayLike, gamma: ArrayLike, gamma_se: ArrayLike | None = None, *, level: float = 0.95
) -> GammaScaling:
    """Slope of log γ(N) on log L_gen(N) with its confidence interval; Eq. 18 claims -1.

    With `gamma_se` points are weighted by γ/gamma_se, and the slope's error is raised by the Birge ratio where they
    scatter more than that. Without it the error comes from the scatter. Both use Student's t with n - 2 degrees of
    freedom. L_gen is taken as exact. Where neither -1 nor -1/2 is admitted, neither law describes the points.

    Args:
        lgen: L_gen(N) > 0, (..., n) over training sizes. All three arrays broadcast.
        gamma: γ(N) > 0, (..., n), for instance from `fit_two_tail`. Points whose γ, L_gen or error is not positive
            and finite are dropped: put NaN where the tails could not be separated.
        gamma_se: Standard errors of γ, (..., n).
        level: Confidence level of the interval, between 0 and 1.

    Returns:
        A `GammaScaling`; fewer than three usable points give NaN and the status TOO_FEW_POINTS.

    Raises:
        InputError: If the arrays have no axis or do not broadcast, or `level` is not allowed.

    References:
        Eq. 18. The exponent -1/2 of the Gamma prior is derived for this project (see `stretched_tail`).

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> lgen = jnp.geomspace(0.02, 3, 9)
        >>> fit = lidjax.gamma_scaling(lgen, 2 / lgen, 0.2 / lgen)
        >>> round(float(fit.slope), 4), bool(fit.admits_inverse), bool(fit.admits_inverse_root)
        (-1.0, True, False)
    """
    gamma = as_float(gamma, "gamma")
    lgen = as_float(lgen, "lgen").astype(gamma.dtype)
    error = gamma if gamma_se is None else as_float(gamma_se, "gamma_se").astype(gamma.dtype)
    try:
        lgen, gamma, error = jnp.broadcast_arrays(lgen, gamma, error)
    except ValueError:
        raise InputError(
            f"lgen {lgen.shape}, gamma {gamma.shape} and gamma_se {error.shape} must broadcast"
        ) from None
    if not gamma.ndim:
        raise InputError("lgen and gamma must have a last axis over training sizes")
    table = critical_values(check_level(level), gamma.shape[-1], known_errors=False)
    return gamma_scaling_batch(lgen, gamma, error, jnp.asarray(table, gamma.dtype), gamma_se is not None)


@jax.jit
def gamma_scaling_batch(
    lgen: Float[Array, "*batch n"],
    gamma: Float[Array, "*batch n"],
    error: Float[Array, "*batch n"],
    table: Float[Array, " max_dof"],
    known_errors: ArrayLike,
) -> GammaScaling:
    """The regression of every batch element."""
    usable = [(a > 0) & jnp.isfinite(a) for a in (lgen, gamma, error)]
    used = usable[0] & usable[1] & usable[2]
    x, y = (jnp.log(jnp.where(used, a, 1.0)) for a in (lgen, gamma))
    line = weighted_line(x, y, jnp.where(used, gamma, 0.0) / jnp.where(used, error, 1.0))
    dof = line.num_points - 2
    scatter = jnp.sqrt(line.cost / jnp.maximum(dof, 1).astype(gamma.dtype))
    birge = jnp.where(known_errors, scatter, 1.0)
    inflation = jnp.where(known_errors, jnp.maximum(scatter, 1.0), scatter)
    slope_se = inflation * jnp.sqrt(line.slope_variance)
    half_width = critical_at(table, dof) * slope_se
    lower, upper = line.slope - half_width, line.slope + half_width
    fitted = (dof >= 1) & (line.spread > 0)
    status = jnp.where(fitted, FitStatus.OK, FitStatus.TOO_FEW_POINTS).astype(jnp.int32)

    def where_fitted(value: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
        return jnp.where(fitted, value, jnp.nan)

    return GammaScaling(
        slope=where_fitted(line.slope),
        slope_se=where_fitted(slope_se),
        intercept=where_fitted(line.intercept),
        lower=where_fitted(lower),
        upper=where_fitted(upper),
        birge=where_fitted(birge),
        num_points=line.num_points,
        admits_inverse=fitted & (lower <= -1) & (upper >= -1),
        admits_inverse_root=fitted & (lower <= -0.5) & (upper >= -0.5),
        status=status,
    )

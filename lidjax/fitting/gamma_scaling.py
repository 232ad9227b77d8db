"""Test of Eq. 18 over training size: does the finite-N exponent go like 1/L_gen?"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lidjax.errors import InputError
from lidjax.fitting.data import check_level, floating
from lidjax.fitting.regression import weighted_line
from lidjax.fitting.status import FitStatus
from lidjax.fitting.uncertainty import at_dof, critical_values


class GammaScaling(NamedTuple):
    """Regression log γ = intercept + slope · log L_gen over sizes N, with the leading axes of the input.

    `lower`, `upper` bound the slope at the level asked for. `admits_inverse` says that -1 (Eq. 18) lies between them,
    `admits_inverse_root` that -1/2 does (the finite-N exponent of the Gamma prior in a fixed k-window).
    `birge` is √(χ²/dof) where errors were given and 1 otherwise: above 1 the points scatter more than their errors say.
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


def gamma_scaling(lgen, gamma, gamma_se=None, *, level: float = 0.95) -> GammaScaling:
    """Slope of log γ(N) on log L_gen(N) with an interval; Eq. 18 claims -1. All arguments (..., n).

    `gamma_se` are standard errors of γ; points are weighted by γ/gamma_se, and where they scatter more than that the
    slope's error is raised by the Birge ratio. Without them the error comes from the scatter. Both use Student's
    t with n - 2 degrees of freedom. Leave out what `fit_two_tail` could not separate: points whose γ, L_gen or
    error is not positive and finite are dropped (`num_points` counts the rest). L_gen is taken as exact.
    Neither flag set means that neither law describes these points.
    """
    gamma = floating(gamma)
    lgen = jnp.asarray(lgen).astype(gamma.dtype)
    error = gamma if gamma_se is None else jnp.asarray(gamma_se).astype(gamma.dtype)
    lgen, gamma, error = jnp.broadcast_arrays(lgen, gamma, error)
    if not gamma.ndim:
        raise InputError("lgen and gamma must have a last axis over training sizes")
    table = critical_values(check_level(level), gamma.shape[-1], known_errors=False)
    return regress(lgen, gamma, error, jnp.asarray(table, gamma.dtype), gamma_se is not None)


@jax.jit
def regress(lgen, gamma, error, table, known_errors) -> GammaScaling:
    sound = [(a > 0) & jnp.isfinite(a) for a in (lgen, gamma, error)]
    used = sound[0] & sound[1] & sound[2]
    x, y = (jnp.log(jnp.where(used, a, 1.0)) for a in (lgen, gamma))
    line = weighted_line(x, y, jnp.where(used, gamma, 0.0) / jnp.where(used, error, 1.0))
    dof = line.num_points - 2
    scatter = jnp.sqrt(line.cost / jnp.maximum(dof, 1).astype(gamma.dtype))
    birge = jnp.where(known_errors, scatter, 1.0)
    inflate = jnp.where(known_errors, jnp.maximum(scatter, 1.0), scatter)
    slope_se = inflate * jnp.sqrt(line.slope_variance)
    reach = at_dof(table, dof) * slope_se
    lower, upper = line.slope - reach, line.slope + reach
    fine = (dof >= 1) & (line.spread > 0)
    status = jnp.where(fine, FitStatus.OK, FitStatus.TOO_FEW_POINTS).astype(jnp.int32)

    def known(value):
        return jnp.where(fine, value, jnp.nan)

    return GammaScaling(
        slope=known(line.slope),
        slope_se=known(slope_se),
        intercept=known(line.intercept),
        lower=known(lower),
        upper=known(upper),
        birge=known(birge),
        num_points=line.num_points,
        admits_inverse=fine & (lower <= -1) & (upper >= -1),
        admits_inverse_root=fine & (lower <= -0.5) & (upper >= -0.5),
        status=status,
    )

"""Weighted straight line in closed form, the regression behind every law that is linear in log space."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class StraightLine(NamedTuple):
    """y ≈ intercept + slope·x. The variances are entries of (JᵀJ)⁻¹, without the residual variance.

    `cost` is the weighted sum of squared residuals, `num_points` the number of points with a weight, `spread` the
    weighted sum of squares of x about its mean (0 when x does not vary), `residual` the weighted residuals.
    """

    slope: Float[Array, "*batch"]
    intercept: Float[Array, "*batch"]
    slope_variance: Float[Array, "*batch"]
    intercept_variance: Float[Array, "*batch"]
    cost: Float[Array, "*batch"]
    num_points: Int[Array, "*batch"]
    spread: Float[Array, "*batch"]
    residual: Float[Array, "*batch m"]


def weighted_line(
    x: Float[Array, "*batch m"], y: Float[Array, "*batch m"], weight: Float[Array, "*batch m"]
) -> StraightLine:
    """Minimise Σ weight² (y - intercept - slope·x)² along the last axis; a weight of 0 leaves a point out.

    `weight` is one over the standard error. Where x does not vary the slope is 0 with infinite variance.
    """
    square = weight * weight
    total = jnp.sum(square, axis=-1)
    total = jnp.where(total > 0, total, 1.0)
    mean_x = jnp.sum(square * x, axis=-1) / total
    mean_y = jnp.sum(square * y, axis=-1) / total
    dx, dy = x - mean_x[..., None], y - mean_y[..., None]
    spread = jnp.sum(square * dx * dx, axis=-1)
    varies = spread > 0
    slope = jnp.where(varies, jnp.sum(square * dx * dy, axis=-1) / jnp.where(varies, spread, 1.0), 0.0)
    residual = weight * (dy - slope[..., None] * dx)
    variance = jnp.where(varies, 1 / jnp.where(varies, spread, 1.0), jnp.inf)
    return StraightLine(
        slope,
        mean_y - slope * mean_x,
        variance,
        1 / total + mean_x**2 * variance,
        jnp.sum(residual * residual, axis=-1),
        jnp.sum(weight > 0, axis=-1),
        spread,
        residual,
    )

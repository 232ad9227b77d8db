"""Standard errors along a curve from the instances or seeds whose mean it is: the delta method.

The failures of one instance at several k are nearly the same number, so the errors of the points of a mean curve are
strongly correlated. An error of a slope that takes them for independent is too small, by 1.6 to 15 on measured curves.
Here the correlation is in the data. A line fitted to log L_inf has the slope Σ_j a_j log L_inf(k_j), with coefficients
a that depend on k and the weights only. To first order a replicate i moves it by u_i = Σ_j a_j L_i(k_j)/L_inf(k_j), and
the slope has the standard error of the mean of the u_i, with the full covariance along k.
"""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from scipy.special import stdtrit

from lidjax.arrays import as_float, known_value
from lidjax.errors import InputError
from lidjax.fitting.log_curves import LogCurve

MEAN_TOLERANCE = 1e-3
"""Largest relative difference between a curve and the mean of its replicates: heuristic, room for float32."""


def replicate_shares(
    failure: ArrayLike, replicates: ArrayLike, curve: LogCurve, *, log: bool
) -> Float[Array, "*batch r m"]:
    """L_i(k)/L_inf(k) of replicates (..., r, m) of curves (..., m); 0 where `curve` has no weight.

    Raises InputError unless there are two or more replicates on the k of the curve, and `failure` is their mean.
    """
    centre = as_float(failure, "failure")
    values = as_float(replicates, "replicates").astype(centre.dtype)
    if values.ndim < 2 or values.shape[-1] != centre.shape[-1] or values.shape[-2] < 2:
        raise InputError(
            f"replicates {values.shape}: must have shape (..., replicates, k), with at least two replicates and"
            f" the {centre.shape[-1]} k of failure {centre.shape}"
        )
    try:
        shape = jnp.broadcast_shapes(values.shape, (*curve.weight.shape[:-1], 1, centre.shape[-1]))
    except ValueError:
        raise InputError(
            f"replicates {values.shape} and curves {curve.weight.shape} must have the same leading axes"
        ) from None
    used = jnp.broadcast_to((curve.weight > 0)[..., None, :], shape)
    centre = jnp.where(used, centre[..., None, :], 1.0)
    shares = jnp.exp(values - centre) if log else values / centre
    shares = jnp.where(used, shares, 0.0)
    known, known_used = known_value(shares), known_value(used)
    if known is not None and known_used is not None:
        difference = np.abs(np.mean(known, axis=-2) - known_used[..., 0, :])
        if np.any(difference > MEAN_TOLERANCE):
            raise InputError(
                f"failure must be the mean of replicates over their axis: it differs by {np.nanmax(difference):.2g} of"
                " itself"
            )
    return shares


def line_errors(
    x: Float[Array, "*batch m"],
    weight: Float[Array, "*batch m"],
    shares: Float[Array, "*batch r m"],
    misfit: Float[Array, "*batch m"] | None = None,
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Standard errors of slope and intercept of the line that `weighted_line` fits, from `replicate_shares`.

    `misfit` is y minus the line, given where the weights are proportional to L_inf itself, as they are where its error
    is known and not that of its logarithm: a point that moves changes its weight too.
    """
    square = weight * weight
    total = jnp.sum(square, axis=-1, keepdims=True)
    square = square / jnp.where(total > 0, total, 1.0)
    mean = jnp.sum(square * x, axis=-1, keepdims=True)
    spread = jnp.sum(square * (x - mean) ** 2, axis=-1, keepdims=True)
    of_slope = square * (x - mean) / jnp.where(spread > 0, spread, 1.0)
    of_intercept = square - mean * of_slope
    if misfit is not None:
        of_slope, of_intercept = (a * (1 + 2 * misfit) for a in (of_slope, of_intercept))

    def error(coefficients: Float[Array, "*batch m"]) -> Float[Array, "*batch"]:
        moves = jnp.sum(coefficients[..., None, :] * shares, axis=-1)
        return jnp.std(moves, axis=-1, ddof=1) / np.sqrt(moves.shape[-1])

    return error(of_slope), error(of_intercept)


def replicate_quantile(count: int, level: float) -> float:
    """Two-sided `level` quantile of Student's t with one degree of freedom less than there are replicates."""
    return float(stdtrit(count - 1, 0.5 + level / 2))

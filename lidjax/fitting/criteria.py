"""Information criteria of least-squares fits, for laws with different numbers of parameters."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float


class Criteria(NamedTuple):
    """Akaike's and the Bayesian (Schwarz) criterion: lower is better, and only differences on one data set count."""

    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]


def information_criteria(
    cost: Float[Array, "*batch"], num_points: ArrayLike, num_params: ArrayLike, known_errors: ArrayLike
) -> Criteria:
    """AIC and BIC from the weighted sum of squares `cost` of a fit with `num_params` parameters to `num_points` points.

    With known standard errors -2 log likelihood is `cost`. With unknown ones it is m log(cost/m), and the variance
    counts as one more parameter. Constants common to all laws are left out. Both criteria take residuals for
    independent Gaussian noise. On a deterministic curve residuals are systematic: a difference then grows in proportion
    to the number of points at which the window is sampled, so it ranks laws by misfit and is no weight of evidence.
    """
    points = jnp.asarray(num_points).astype(cost.dtype)
    positive = jnp.maximum(cost, jnp.finfo(cost.dtype).tiny)
    deviance = jnp.where(known_errors, cost, points * jnp.log(positive / points))
    params = num_params + jnp.where(known_errors, 0, 1).astype(cost.dtype)
    return Criteria(deviance + 2 * params, deviance + params * jnp.log(points))

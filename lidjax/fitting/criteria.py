"""Information criteria of least-squares fits, for laws with different numbers of parameters."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Criteria(NamedTuple):
    """Akaike's and the Bayesian (Schwarz) criterion: lower is better; only differences on one data set count."""

    aic: Float[Array, "*batch"]
    bic: Float[Array, "*batch"]


def information_criteria(cost, num_points, num_params, known_errors) -> Criteria:
    """AIC and BIC from the weighted sum of squares `cost` of a fit with `num_params` parameters to `num_points` points.

    Known standard errors: -2 log likelihood is `cost`. Unknown: it is m log(cost/m), and the variance counts as one
    more parameter. Constants common to all laws are left out. Both take residuals for independent Gaussian noise. On a
    deterministic curve they are not: a difference then grows in proportion to the number of points the same window is
    sampled at, so it ranks laws by misfit but is not a weight of evidence.
    """
    points = jnp.asarray(num_points).astype(cost.dtype)
    positive = jnp.maximum(cost, jnp.finfo(cost.dtype).tiny)
    deviance = jnp.where(known_errors, cost, points * jnp.log(positive / points))
    params = num_params + jnp.where(known_errors, 0, 1).astype(cost.dtype)
    return Criteria(deviance + 2 * params, deviance + params * jnp.log(points))

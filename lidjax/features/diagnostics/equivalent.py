"""L_gen(N) of a linear head on real features from their covariance alone, by the deterministic equivalent.

The mean target m is not linear in the features: m = zᵀθ* + r with θ* the best head. What is left, r, acts on
training like label noise of variance r̄², and stays as a floor of the loss. In the rescaled units of Eq. 26

    L_gen(N) ≈ DE(N; Σ̂, θ*/s, v̄ + ε_v + r̄²/s²) + r̄²/s².

Real features are neither Gaussian nor independent of v, so that this is close is a finding and not a theorem.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from lidjax.generalization import deterministic_lgen


class LinearTask(NamedTuple):
    """Eigenvalues of the second-moment matrix, coefficients of the best head in its basis, and the mean squared
    residual of that head, with the degrees of freedom it took given back."""

    eigenvalues: np.ndarray
    theta: np.ndarray
    residual: float


def linear_task(features: np.ndarray, mean: np.ndarray) -> LinearTask:
    """The best linear head without intercept on all m instances: `features` (m, d), `mean` (m,), m > d.

    Directions that the features do not span (a unit that is always 0) are left out.
    """
    count = len(features)
    values, vectors = np.linalg.eigh(features.T @ features / count)
    kept = values > values[-1] * features.shape[1] * np.finfo(features.dtype).eps
    values, vectors = values[kept], vectors[:, kept]
    theta = vectors.T @ (features.T @ mean / count) / values
    error = mean - features @ (vectors @ theta)
    return LinearTask(values, theta, float(np.sum(error**2) / (count - len(values))))


def equivalent_lgen(
    task: LinearTask, n: ArrayLike, *, noise_variance: float, ridge: float, scale: float
) -> np.ndarray:
    """L_gen at training sizes `n` in rescaled units; `noise_variance` v̄ + ε_v, `ridge` λ, `scale` s of Eq. 26-28."""
    floor = task.residual / scale**2
    lgen = deterministic_lgen(
        np.asarray(n, float),
        eigenvalues=jnp.asarray(task.eigenvalues),
        theta=jnp.asarray(task.theta / scale),
        noise_variance=noise_variance + floor,
        ridge=ridge,
    )
    return np.asarray(lgen) + floor

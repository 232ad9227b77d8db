"""L_gen(N) of a linear head on real features from their covariance alone, by the deterministic equivalent.

The mean target m is not linear in the features: m = zᵀθ* + r, with θ* the best head. The residual r acts on training
like label noise of variance r̄², and stays as a floor of the loss. In the rescaled units of Eq. 26

    L_gen(N) ≈ DE(N; Σ̂, θ*/s, v̄ + ε_v + r̄²/s²) + r̄²/s².

Real features are neither Gaussian nor independent of v, so no theorem says that this is close: it is an observation.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from lidjax.generalization import deterministic_lgen


class LinearTask(NamedTuple):
    """The best linear head on real instances, in the eigenbasis of their second-moment matrix."""

    eigenvalues: np.ndarray
    """Positive eigenvalues of ZᵀZ/m, (r,), in ascending order; r ≤ d is the rank of the features."""
    theta: np.ndarray
    """Coefficients θ* of the best head in that basis, (r,)."""
    residual: float
    """r̄², the squared residuals of the best head summed and divided by m - r, in the squared units of the mean."""


def linear_task(features: np.ndarray, mean: np.ndarray) -> LinearTask:
    """The best linear head on all instances, and the variance that it leaves unexplained.

    There is no intercept, as in `feature_split`. Directions that the features do not span, such as a unit that is
    always 0, are left out.

    Args:
        features: features z (m, d) in a floating dtype, m > d.
        mean: mean target (m,).

    Returns:
        A `LinearTask`.

    References:
        Derived for this project; checked against least squares in tests/features/diagnostics/test_equivalent.py.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import linear_task
        >>> features = np.random.default_rng(0).normal(size=(100, 3))
        >>> task = linear_task(features, features @ np.array([1.0, 2.0, 2.0]))
        >>> round(float(np.linalg.norm(task.theta)), 4), bool(task.residual < 1e-20)  # the length of (1, 2, 2)
        (3.0, True)
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
    """L_gen(N) of a linear head on real features by the deterministic equivalent.

    To be compared with the `lgen` of `feature_split`, averaged over splits and label draws.

    Args:
        task: the best head, from `linear_task`.
        n: training sizes N ≥ 1, of any shape.
        noise_variance: v̄ + ε_v, the mean label variance with its floor, in rescaled units.
        ridge: λ ≥ 0, before its division by s² (Eq. 28).
        scale: s > 0 of Eq. 26.

    Returns:
        L_gen in rescaled units, in the shape of `n`.

    References:
        The deterministic equivalent is `lidjax.deterministic_lgen`. Its use with a residual is derived for this project
        and checked against simulation, within 3 %, in tests/features/diagnostics/test_equivalent.py.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import LinearTask, equivalent_lgen
        >>> task = LinearTask(eigenvalues=np.ones(10), theta=np.ones(10), residual=0.5)
        >>> lgen = equivalent_lgen(task, np.array([100, 1000, 10_000]), noise_variance=1.0, ridge=1e-9, scale=1.0)
        >>> bool((np.diff(lgen) < 0).all()), bool(0.5 < lgen[-1] < 0.51)  # down to the floor r̄² = 0.5
        (True, True)
    """
    floor = task.residual / scale**2
    lgen = deterministic_lgen(
        np.asarray(n, float),
        eigenvalues=jnp.asarray(task.eigenvalues),
        theta=jnp.asarray(task.theta / scale),
        noise_variance=noise_variance + floor,
        ridge=ridge,
    )
    return np.asarray(lgen) + floor

"""Mean of L_gen of a model of P random features trained by SGD.

Given the projection F, the features φ = Fᵀx are Gaussian with covariance AᵀA, A = Λ^½F = USVᵀ. The target is φᵀv* + e
with v* = V S⁻¹ UᵀΛ^½θ*, and e Gaussian and independent of φ, of variance s_e² = |Λ^½θ*|² - |UᵀΛ^½θ*|². To SGD on φ the
unexplained part e is label noise: in the eigenbasis V this is the problem of `moments`, with s_e² added to the noise
and to the loss.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, check_whole, checked
from lidjax.sgd.arguments import NOISE
from lidjax.sgd.mean import sgd_mean_lgen


def sgd_width_lgen(
    key: jax.Array,
    steps: ArrayLike | Sequence[float],
    *,
    width: int,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    noise_variance: ArrayLike,
    learning_rate: ArrayLike,
    batch: ArrayLike,
    momentum: ArrayLike = 0.0,
    decay: ArrayLike = 0.0,
    decay_steps: ArrayLike = 1.0,
    method: str = "auto",
) -> Float[Array, "..."]:
    """Mean of L_gen after `steps` steps of SGD on P random features, exact for the projection that `key` draws.

    The features of the model are Fᵀx with F (d, P) of independent normal entries of variance 1/P; what is trained are
    their P coefficients, from 0. A step costs 6 B P operations, so that the training compute is 6 t B P. The mean over
    projections is that over keys.

    Args:
        key: JAX random key of the projection.
        steps: Numbers of steps t, whole, 0 ≤ t ≤ 2⁵³, a number or a one-dimensional array; not traced.
        width: Number of features P ≥ 1, a Python int.
        eigenvalues: Variances of the latent features λ ≥ 0, finite, (d,). The result has their dtype.
        theta: Teacher θ* (d,), finite.
        noise_variance: Variance of the label noise, σ_η² E[1/τ] ≥ 0; it may be infinite.
        learning_rate: Step size η > 0, finite.
        batch: Instances a step B ≥ 1, real.
        momentum: Momentum μ of `optax.sgd`, at least 0, below 1.
        decay: Exponent of the decay of the learning rate, at least 0, finite.
        decay_steps: Steps after which the decay begins to be felt, > 0, finite.
        method: "auto", "steps" or "powers", see `sgd_mean_lgen`.

    Returns:
        Mean of L_gen over training data, in squared units of the labels, over the shape that the scalars broadcast to,
        followed by that of `steps`. See `sgd_mean_lgen` for where it is infinite or NaN.

    Raises:
        InputError: If a shape does not fit, or a value is known and out of its range.

    References:
        Maloney, Roberts and Sully, arXiv:2210.16859, for the model; that SGD on it is that of `sgd_mean_lgen` was
        derived for this project, and is compared with direct simulation in tests/sgd/test_width.py.

    Example:
        >>> import jax, lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(40, 1.0), "theta": lidjax.power_law_teacher(40)}
        >>> law = {"noise_variance": 0.0, "learning_rate": 0.2, "batch": 8}
        >>> keys = jax.random.split(jax.random.key(0), 8)
        >>> def loss(width):
        ...     one = lambda key: lidjax.sgd_width_lgen(key, 10_000, width=width, **model, **law)
        ...     return jax.vmap(one)(keys).mean()
        >>> bool(loss(16) < loss(4))
        True
    """
    check_whole("width", width, 1)
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("d",))
    dtype = eigenvalues.dtype
    theta = checked("theta", theta, FINITE, shape=eigenvalues.shape, dtype=dtype)
    noise_variance = checked("noise_variance", noise_variance, NOISE, dtype=dtype)
    projection = jax.random.normal(key, (eigenvalues.shape[0], width), dtype) / width**0.5
    scale = jnp.sqrt(eigenvalues)
    left, singular, _ = jnp.linalg.svd(scale[:, None] * projection, full_matrices=False)
    target = scale * theta
    along = jnp.matmul(left.T, target, precision="highest")
    # not as a difference of two squares, which would leave rounding where nothing is unexplained
    missed = jnp.sum((target - jnp.matmul(left, along, precision="highest")) ** 2)
    seen = singular > 0
    law: dict[str, Any] = {
        "learning_rate": learning_rate,
        "batch": batch,
        "momentum": momentum,
        "decay": decay,
        "decay_steps": decay_steps,
        "method": method,
    }
    explained = sgd_mean_lgen(
        steps,
        eigenvalues=singular**2,
        theta=jnp.where(seen, along / jnp.where(seen, singular, 1.0), 0.0),
        noise_variance=noise_variance + missed,
        **law,
    )
    return explained + missed

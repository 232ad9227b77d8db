"""The LID model, Definition 3.1: power-law features, a linear teacher, one noisy label an instance."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import as_float
from lidjax.difficulty import Difficulty, sample_label_noise


class TrainingSet(NamedTuple):
    """N features `x` (N, d) with one label each, `y` (N,)."""

    x: Float[Array, "n d"]
    y: Float[Array, " n"]


def power_law_spectrum(dim: int, alpha: ArrayLike) -> Float[Array, " d"]:
    """Eigenvalues of the feature covariance, λ_j = j^-(1+α) for j = 1..dim (Def. 3.1, item 1).

    `dim` is a Python int, `alpha` a scalar; α > 0 gives a summable spectrum. The dtype follows `alpha`.
    """
    if dim < 1:
        raise ValueError(f"dim={dim} must be at least 1")
    alpha = as_float(alpha)
    return jnp.arange(1, dim + 1, dtype=alpha.dtype) ** -(1 + alpha)


def power_law_teacher(dim: int, decay: ArrayLike = 0.0) -> Float[Array, " d"]:
    """Teacher θ* with θ*_j ∝ j^(-decay/2) and unit norm, in the eigenbasis of the covariance.

    decay = 0 is θ*_j = 1/√d: in every law of the mean it equals the isotropic random teacher
    N(0, I/d) behind Eq. 39-40, for those laws depend on θ*_j² alone.
    """
    if dim < 1:
        raise ValueError(f"dim={dim} must be at least 1")
    decay = as_float(decay)
    theta = jnp.arange(1, dim + 1, dtype=decay.dtype) ** (-decay / 2)
    return theta / jnp.linalg.norm(theta)


def sample_features(key, n: int, eigenvalues: Float[ArrayLike, " d"]) -> Float[Array, "n d"]:
    """Draw n rows x ~ N(0, diag(eigenvalues)) (Def. 3.1, item 1)."""
    eigenvalues = as_float(eigenvalues)
    z = jax.random.normal(key, (n, eigenvalues.shape[0]), eigenvalues.dtype)
    return z * jnp.sqrt(eigenvalues)[None, :]


def sample_training_set(
    key,
    n: int,
    *,
    eigenvalues: Float[ArrayLike, " d"],
    theta: Float[ArrayLike, " d"],
    beta,
    sigma_eta,
    difficulty: Difficulty = "gamma",
) -> TrainingSet:
    """Draw N instances with one realised label each, y = xᵀθ* + η (Eq. 3)."""
    eigenvalues = as_float(eigenvalues)
    feature_key, noise_key = jax.random.split(key)
    x = sample_features(feature_key, n, eigenvalues)
    beta = jnp.asarray(beta, eigenvalues.dtype)
    noise = sample_label_noise(noise_key, beta, sigma_eta, (n,), difficulty)
    return TrainingSet(x, jnp.matmul(x, theta, precision="highest") + noise)

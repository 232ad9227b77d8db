"""The LID model, Definition 3.1: power-law features, a linear teacher, one noisy label for each instance."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, check_whole, checked
from lidjax.difficulty import Difficulty, sample_label_noise


class TrainingSet(NamedTuple):
    """N training instances with one label each."""

    x: Float[Array, "n d"]
    """Features (N, d), one instance a row."""
    y: Float[Array, " n"]
    """Labels (N,)."""


def power_law_spectrum(dim: int, alpha: ArrayLike) -> Float[Array, " d"]:
    """Eigenvalues of the feature covariance, λ_j = j^-(1+α) for j = 1..dim.

    The covariance is diagonal in this library: features, teacher and spectrum share one basis.

    Args:
        dim: number of features d ≥ 1, a Python int.
        alpha: exponent α, finite, scalar; α > 0 gives a summable spectrum. The result has its dtype.

    Returns:
        Eigenvalues (dim,), largest first for α > -1.

    Raises:
        InputError: if `dim` is not a whole number of at least 1, or alpha is not a single finite number.

    References:
        Definition 3.1, item 1.

    Example:
        >>> import lidjax
        >>> [round(float(x), 4) for x in lidjax.power_law_spectrum(3, 1.0)]
        [1.0, 0.25, 0.1111]
    """
    check_whole("dim", dim, 1)
    alpha = checked("alpha", alpha, FINITE, shape=())
    return jnp.arange(1, dim + 1, dtype=alpha.dtype) ** -(1 + alpha)


def power_law_teacher(dim: int, decay: ArrayLike = 0.0) -> Float[Array, " d"]:
    """Teacher θ* of unit norm with θ*_j ∝ j^(-decay/2), in the eigenbasis of the covariance.

    The mean of L_gen depends on the teacher through θ*_j² alone. So decay = 0, which is θ*_j = 1/√d, gives the same
    mean as the isotropic random teacher N(0, I/d) of Eq. 39-40.

    Args:
        dim: number of features d ≥ 1, a Python int.
        decay: finite, scalar; 0 spreads the teacher evenly, larger values put it on the leading directions. The
            result has its dtype.

    Returns:
        Coefficients (dim,).

    Raises:
        InputError: if `dim` is not a whole number of at least 1, or decay is not a single finite number.

    References:
        The teacher of Definition 3.1, item 3; its decay is a choice of this library.

    Example:
        >>> import lidjax
        >>> theta = lidjax.power_law_teacher(4, decay=2.0)
        >>> round(float((theta**2).sum()), 4), round(float(theta[0] / theta[3]), 4)
        (1.0, 4.0)
    """
    check_whole("dim", dim, 1)
    decay = checked("decay", decay, FINITE, shape=())
    theta = jnp.arange(1, dim + 1, dtype=decay.dtype) ** (-decay / 2)
    return theta / jnp.linalg.norm(theta)


def sample_features(key: jax.Array, n: int, eigenvalues: ArrayLike) -> Float[Array, "n d"]:
    """Draw n feature vectors x ~ N(0, diag(eigenvalues)).

    Args:
        key: JAX random key.
        n: number of instances, a Python int ≥ 0.
        eigenvalues: variances of the features (d,), ≥ 0. The result has their dtype.

    Returns:
        Features (n, d), one instance a row; NaN where a traced eigenvalue is negative.

    Raises:
        InputError: if n is not a whole number of at least 0, or eigenvalues have another shape or a negative value.

    References:
        Definition 3.1, item 1.

    Example:
        >>> import jax
        >>> import lidjax
        >>> x = lidjax.sample_features(jax.random.key(0), 20_000, lidjax.power_law_spectrum(3, 1.0))
        >>> [round(float(v), 2) for v in x.var(axis=0)]
        [1.0, 0.25, 0.11]
    """
    check_whole("n", n, 0)
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("d",))
    z = jax.random.normal(key, (n, eigenvalues.shape[0]), eigenvalues.dtype)
    return z * jnp.sqrt(eigenvalues)[None, :]


def sample_training_set(
    key: jax.Array,
    n: int,
    *,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
) -> TrainingSet:
    """Draw N instances with one realised label each, y = xᵀθ* + η.

    One key gives the same features whatever the noise. To draw L_gen itself use `sample_lgen`, whose cost does not
    grow with N.

    Args:
        key: JAX random key.
        n: number of instances N, a Python int ≥ 0.
        eigenvalues: variances of the features (d,), ≥ 0. The result has their dtype.
        theta: teacher θ* (d,).
        beta: tail index β > 0 of the prior on the precision, scalar.
        sigma_eta: noise scale σ_η ≥ 0, in the unit of the labels, scalar.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).

    Returns:
        `TrainingSet` with features x (N, d) and labels y (N,); NaN where a traced argument is out of range.

    Raises:
        InputError: if `difficulty` is not known, or an argument has another shape or a value out of its range.

    References:
        Definition 3.1; Eq. 3.

    Example:
        >>> import jax
        >>> import lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(3, 1.0), "theta": lidjax.power_law_teacher(3)}
        >>> data = lidjax.sample_training_set(jax.random.key(0), 50, **model, beta=2.5, sigma_eta=0.0)
        >>> data.x.shape, bool(abs(data.y - data.x @ model["theta"]).max() < 1e-12)
        ((50, 3), True)
    """
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("d",))
    theta = checked("theta", theta, FINITE, shape=eigenvalues.shape, dtype=eigenvalues.dtype)
    feature_key, noise_key = jax.random.split(key)
    x = sample_features(feature_key, n, eigenvalues)
    beta = checked("beta", beta, POSITIVE, shape=(), dtype=eigenvalues.dtype)
    noise = sample_label_noise(noise_key, beta, sigma_eta, (n,), difficulty)
    return TrainingSet(x, jnp.matmul(x, theta, precision="highest") + noise)

"""Where SGD is stable in the mean, and the loss that it cannot fall below.

Momentum μ is that of `optax.sgd`: u ← g + μu, θ ← θ - ηu, on half the mean squared residual of a batch. Setting the
recursion of `moments` to its fixed point, each direction answers to the total L + σ²_noise with

    λ_j m_j = s_j (L + σ²_noise),      s_j = (ηλ_j/B) / [2(1-μ) - ηλ_j ((1-μ)/(1+μ) + 1/B)],

so that L = S/(1-S) σ²_noise with S = Σ s_j. The map of second moments keeps them positive semi-definite, so its
largest eigenvalue is real: it reaches 1 where a denominator reaches 0 or S reaches 1. Below that η the mean converges.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import NOT_NEGATIVE, POSITIVE, checked
from lidjax.sgd.arguments import BATCH, MOMENTUM, NOISE, flattened

BISECTIONS = 200
"""More than halve any bracket of floats down to neighbours."""


def sgd_noise_floor(
    *,
    eigenvalues: ArrayLike,
    noise_variance: ArrayLike,
    learning_rate: ArrayLike,
    batch: ArrayLike,
    momentum: ArrayLike = 0.0,
) -> Float[Array, "..."]:
    """Mean of L_gen that SGD with a constant learning rate tends to, t → ∞.

    To leading order in the learning rate it is η tr(Σ) / (2 B (1-μ)) · σ_η² E[1/τ]: no training time gets below it.

    Args:
        eigenvalues: Variances of the features λ ≥ 0, finite, (..., d). The result has their dtype.
        noise_variance: Variance of the label noise, σ_η² E[1/τ] ≥ 0 (see `mean_inverse_precision`); it may be infinite.
        learning_rate: Step size η > 0, finite, on half the mean squared residual of a batch.
        batch: Instances a step B ≥ 1, real.
        momentum: Momentum μ of `optax.sgd`, at least 0, below 1.

    Returns:
        The floor, in squared units of the labels, over the shape that the scalars and the leading axes of
        `eigenvalues` broadcast to. It is +inf where the mean diverges, and NaN where a traced argument is out of range.

    Raises:
        InputError: If a shape does not fit, or a value is known and out of its range.

    References:
        Derived for this project; tests/sgd/test_edge.py compares it with the spectral radius of the whole map.

    Example:
        >>> import lidjax
        >>> spectrum = lidjax.power_law_spectrum(20, 1.0)
        >>> floor = lidjax.sgd_noise_floor(eigenvalues=spectrum, noise_variance=1.0, learning_rate=1e-3, batch=1)
        >>> round(float(floor / (1e-3 * spectrum.sum() / 2)), 2)
        1.0
    """
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("...", "d"))
    dtype = eigenvalues.dtype
    noise_variance = checked("noise_variance", noise_variance, NOISE, dtype=dtype)
    learning_rate = checked("learning_rate", learning_rate, POSITIVE, dtype=dtype)
    batch = checked("batch", batch, BATCH, dtype=dtype)
    momentum = checked("momentum", momentum, MOMENTUM, dtype=dtype)
    flat, shape = flattened([eigenvalues], [noise_variance, learning_rate, batch, momentum])
    return _floor(*flat).reshape(shape)


@jax.jit
@jax.vmap
def _floor(
    eigenvalues: Array, noise_variance: Array, learning_rate: Array, batch: Array, momentum: Array
) -> Array:
    share = noise_share(eigenvalues, learning_rate, batch, momentum)
    stable = share < 1
    gain = share / jnp.where(stable, 1 - share, 1.0)
    floor = jnp.where(gain == 0, 0.0, gain * noise_variance)
    invalid = jnp.isnan(share + noise_variance)
    return jnp.where(invalid, jnp.nan, jnp.where(stable, floor, jnp.inf))


def sgd_stability_edge(
    *, eigenvalues: ArrayLike, batch: ArrayLike, momentum: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """Largest learning rate for which the mean of L_gen under SGD stays bounded.

    At and above it the mean grows without bound, although most runs may converge for a while: for small B the mean is
    that of rare runs. For B → ∞ and μ = 0 it is 2/λ_max, that of gradient descent.

    Args:
        eigenvalues: Variances of the features λ ≥ 0, finite, (..., d). The result has their dtype.
        batch: Instances a step B ≥ 1, real.
        momentum: Momentum μ of `optax.sgd`, at least 0, below 1.

    Returns:
        The edge, over the shape that the scalars and the leading axes of `eigenvalues` broadcast to; +inf where all
        eigenvalues are 0, and NaN where a traced argument is out of range.

    Raises:
        InputError: If a shape does not fit, or a value is known and out of its range.

    References:
        Derived for this project; see `sgd_noise_floor`.

    Example:
        >>> import lidjax
        >>> spectrum = lidjax.power_law_spectrum(20, 1.0)
        >>> [round(float(lidjax.sgd_stability_edge(eigenvalues=spectrum, batch=b)), 3) for b in (1, 1e9)]
        [0.615, 2.0]
    """
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("...", "d"))
    dtype = eigenvalues.dtype
    batch = checked("batch", batch, BATCH, dtype=dtype)
    momentum = checked("momentum", momentum, MOMENTUM, dtype=dtype)
    flat, shape = flattened([eigenvalues], [batch, momentum])
    return _edge(*flat).reshape(shape)


@jax.jit
@jax.vmap
def _edge(eigenvalues: Array, batch: Array, momentum: Array) -> Array:
    # the first denominator reaches 0 here; S reaches 1 before
    high = 2 * (1 - momentum) / (jnp.max(eigenvalues) * ((1 - momentum) / (1 + momentum) + 1 / batch))

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        stable = noise_share(eigenvalues, middle, batch, momentum) < 1
        return jnp.where(stable, middle, low), jnp.where(stable, high, middle)

    low, _ = jax.lax.fori_loop(0, BISECTIONS, halve, (jnp.zeros_like(high), high))
    return jnp.where(jnp.isfinite(high), low, high)  # infinite without any variance, NaN for a NaN


def noise_share(
    eigenvalues: Float[Array, " d"],
    learning_rate: Float[Array, ""],
    batch: Float[Array, ""],
    momentum: Float[Array, ""],
) -> Float[Array, ""]:
    """S, the share of L + σ²_noise that comes back as L in one round; +inf where a direction diverges by itself."""
    step = learning_rate * eigenvalues
    left = 2 * (1 - momentum) - step * ((1 - momentum) / (1 + momentum) + 1 / batch)
    share = jnp.where(left > 0, step / batch / jnp.where(left > 0, left, 1.0), jnp.inf)
    return jnp.where(jnp.isnan(left).any(), jnp.nan, jnp.sum(share))

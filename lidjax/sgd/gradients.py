"""The gradient of a batch that the head has not seen, drawn from its exact distribution given the weights.

With Δ = θ - θ* and whitened features x = Λ^½ z, the residuals r_i = z_i·v - η_i, v = Λ^½Δ, know of z_i its part a_i
along v alone: r_i = |v| a_i - η_i. What z_i has across v is normal and independent of r_i, so that

    Σ z_i r_i = (Σ a_i r_i) v/|v| + |r| g,      g standard normal across v.

One step then costs B + d draws, and not B d. Nothing is approximated. Rows come in blocks with keys of their own:
the rows of a small batch are the first of a large one, and a batch does not depend on how many rows others need.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from lidjax.difficulty import Difficulty, draw_label_noise

GradientMethod = Literal["law", "rows"]
"""How a gradient is drawn: from its distribution given the weights, or from the instances of a batch."""
BLOCK = 8
"""Rows of a batch that share a key; a batch is padded to whole blocks."""


class Batches(NamedTuple):
    """What new batches are made of, as floating arrays of one dtype."""

    eigenvalues: Float[Array, " d"]
    beta: Float[Array, ""]
    sigma_eta: Float[Array, ""]
    size: Float[Array, ""]
    """Instances B in a batch."""


def batch_gradient(
    key: Key[Array, ""],
    error: Float[Array, " d"],
    batches: Batches,
    *,
    rows: int,
    difficulty: Difficulty,
    method: GradientMethod,
) -> Float[Array, " d"]:
    """Gradient of half the mean squared residual of a new batch, at θ = θ* + `error`. `rows` is at least B."""
    across_key, row_key = jax.random.split(key)
    keys = jax.vmap(lambda block: jax.random.fold_in(row_key, block))(jnp.arange(-(-rows // BLOCK)))
    counted = jnp.arange(len(keys) * BLOCK).astype(error.dtype) < batches.size
    scale, dtype, dim = jnp.sqrt(batches.eigenvalues), error.dtype, error.shape[0]
    whitened = scale * error
    if method == "rows":

        def draw_block(key: Key[Array, ""]) -> tuple[Array, Array]:
            feature_key, noise_key = jax.random.split(key)
            z = jax.random.normal(feature_key, (BLOCK, dim), dtype)
            return z, draw_label_noise(noise_key, batches.beta, batches.sigma_eta, (BLOCK,), difficulty)

        z, noise = jax.vmap(draw_block)(keys)
        z = z.reshape(-1, dim)
        residual = jnp.where(counted, jnp.matmul(z, whitened, precision="highest") - noise.ravel(), 0.0)
        return scale * jnp.matmul(residual, z, precision="highest") / batches.size

    def draw_part(key: Key[Array, ""]) -> tuple[Array, Array]:
        along_key, noise_key = jax.random.split(key)
        along = jax.random.normal(along_key, (BLOCK,), dtype)
        return along, draw_label_noise(noise_key, batches.beta, batches.sigma_eta, (BLOCK,), difficulty)

    along, noise = (part.ravel() for part in jax.vmap(draw_part)(keys))
    size = jnp.sqrt(jnp.sum(whitened**2))
    first = jnp.zeros(dim, dtype).at[0].set(1.0)  # any direction serves where the error is 0
    direction = jnp.where(size > 0, whitened / jnp.where(size > 0, size, 1.0), first)
    residual = jnp.where(counted, size * along - noise, 0.0)
    across = jax.random.normal(across_key, (dim,), dtype)
    across = across - jnp.sum(across * direction) * direction
    total = jnp.sum(along * residual) * direction + jnp.sqrt(jnp.sum(residual**2)) * across
    return scale * total / batches.size

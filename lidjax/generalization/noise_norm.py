"""‖η‖² = Σ η_i² over N training labels: the only thing about the labels that the exact laws need."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, sample_label_noise

BLOCK = 4096  # labels drawn at once; the sum needs no more memory than this, whatever N is


def noise_norm_squared(key, n, *, beta, sigma_eta, difficulty: Difficulty = "gamma") -> Float[Array, ""]:
    """One draw of ‖η‖² for `n` labels with noise as in `sample_label_noise`; cost O(N), memory O(1)."""
    return jnp.square(sigma_eta) * streamed_norm_squared(key, n, beta, difficulty)


def streamed_norm_squared(key, n, beta, difficulty: Difficulty = "gamma", block: int = BLOCK):
    """Σ_{i ≤ n} η_i² at σ_η = 1, summed in blocks of fresh draws. `n` is a traced float scalar."""
    beta = jnp.asarray(beta)
    n = jnp.asarray(n, beta.dtype)
    unit = jnp.ones((), beta.dtype)

    def add_block(i, total):
        noise = sample_label_noise(jax.random.fold_in(key, i), beta, unit, (block,), difficulty)
        row = i.astype(beta.dtype) * block + jnp.arange(block, dtype=beta.dtype)
        return total + jnp.sum(jnp.where(row < n, jnp.square(noise), 0.0))

    return jax.lax.fori_loop(jnp.int32(0), jnp.ceil(n / block).astype(jnp.int32), add_block, 0 * unit)

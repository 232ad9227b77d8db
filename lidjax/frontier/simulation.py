"""Draws from a finite Zipf law and what they leave unseen: a simulation that owes nothing to the formulas."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

BLOCK = 4096
"""Draws made at once; each block has its own key, so that the first D draws are the same however many follow."""


def first_seen(key, probability: Float[Array, " vocabulary"], num_draws) -> Int[Array, " vocabulary"]:
    """Index of the first of `num_draws` draws to hit each pattern, or the largest int32 if none does.

    By inversion of the distribution function: exact but for the grid of the uniforms, 2^-52 in float64, and the
    rounding of the cumulative sum. `num_draws` may be traced, and is rounded up to whole blocks: compare with D.
    """
    cumulative = jnp.cumsum(probability)
    never = jnp.full(probability.shape, jnp.iinfo(jnp.int32).max, jnp.int32)

    def block(i, first):
        uniform = jax.random.uniform(jax.random.fold_in(key, i), (BLOCK,), probability.dtype)
        pattern = jnp.searchsorted(cumulative, uniform * cumulative[-1], side="right")
        index = i.astype(jnp.int32) * jnp.int32(BLOCK) + jnp.arange(BLOCK, dtype=jnp.int32)
        return first.at[pattern].min(index, mode="drop")

    blocks = -(-jnp.asarray(num_draws, jnp.int32) // jnp.int32(BLOCK))
    return jax.lax.fori_loop(jnp.int32(0), blocks, block, never)


def missed_mass(
    first: Int[Array, " vocabulary"],
    probability: Float[Array, " vocabulary"],
    samples: Int[Array, " sizes"],
    attempts: Float[Array, " k"],
) -> Float[Array, "sizes k"]:
    """Σ p_j (1-p_j)^k over the patterns j that the first D draws missed, for every D of `samples` and k of `attempts`.

    k = 0 is the missed mass; k more attempts at a missed pattern fail with (1-p_j)^k.
    """
    unseen = (first[None, :] >= samples[:, None]).astype(probability.dtype)
    fails = probability[:, None] * jnp.exp(
        jax.scipy.special.xlog1py(attempts[None, :], -probability[:, None])
    )
    return jnp.matmul(unseen, fails, precision="highest")

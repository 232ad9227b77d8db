"""Draws from a finite Zipf law and the patterns they miss: a simulation that shares no formula with the exact laws."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

BLOCK = 4096
"""Draws made at once. Each block has its own key, so that the first D draws are the same however many follow."""


def first_seen(
    key: jax.Array, probability: Float[Array, " vocabulary"], num_draws: ArrayLike
) -> Int[Array, " vocabulary"]:
    """The index of the first draw that hits each pattern.

    Draws are made by inversion of the distribution function. They are exact but for the grid of the uniforms, 2^-52 in
    float64, and the rounding of the cumulative sum.

    Args:
        key: Typed JAX key.
        probability: Of each pattern, (vocabulary,); rescaled to sum 1.
        num_draws: Number of draws D ≥ 0, a scalar, which may be traced. It is rounded up to whole blocks of 4096, so
            compare the result with D.

    Returns:
        int32 indices from 0, or the largest int32 for a pattern that no draw hits, (vocabulary,).

    References:
        Derived for this project; checked against the exact law in tests/sweep/sources/test_frontier.py.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from lidjax.frontier import first_seen
        >>> first = first_seen(jax.random.key(0), jnp.array([0.99, 0.01]), 4096)
        >>> bool(first[0] < first[1]), int(first.min())
        (True, 0)
    """
    cumulative = jnp.cumsum(probability)
    never = jnp.full(probability.shape, jnp.iinfo(jnp.int32).max, jnp.int32)

    def block(i: jax.Array, first: jax.Array) -> jax.Array:
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
    """The mass of the patterns that D draws and k further attempts all miss, Σ p_j (1-p_j)^k over those unseen.

    Args:
        first: From `first_seen`, (vocabulary,).
        probability: Of each pattern, (vocabulary,).
        samples: Numbers of draws D, (sizes,); at most the `num_draws` of `first`.
        attempts: Numbers of attempts k ≥ 0, (k,). k = 0 gives the missed mass itself.

    Returns:
        The mass for every D and k, (sizes, k).

    References:
        Its expectation is the coverage loss after D + k draws (`coverage_loss`).

    Example:
        >>> import jax.numpy as jnp
        >>> from lidjax.frontier import missed_mass
        >>> first, probability = jnp.array([0, 5]), jnp.array([0.75, 0.25])  # the second pattern comes sixth
        >>> missed_mass(first, probability, jnp.array([1, 6]), jnp.array([0.0, 1.0])).tolist()
        [[0.25, 0.1875], [0.0, 0.0]]
    """
    unseen = (first[None, :] >= samples[:, None]).astype(probability.dtype)
    fails = probability[:, None] * jnp.exp(
        jax.scipy.special.xlog1py(attempts[None, :], -probability[:, None])
    )
    return jnp.matmul(unseen, fails, precision="highest")

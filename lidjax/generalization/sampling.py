"""Draws of L_gen over training sets of one size, compiled once for every size on the same side of d."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.generalization.cells import lgen_cell, resolve_method

BATCH_BYTES = 2**26  # d × d matrices in flight at once: small batches stay near the cache


def sample_lgen(
    key,
    n: int | float,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta,
    sigma_eta,
    ridge,
    num_samples: int,
    method: str = "exact",
    difficulty: Difficulty = "gamma",
) -> Float[Array, " num_samples"]:
    """`num_samples` independent draws of L_gen(D_N), one per training set of `n` instances.

    `n` is a plain number ≥ 1; beta > 0, sigma_eta ≥ 0, ridge ≥ 0 are scalars. method "exact" draws from the
    exact law at a cost that does not grow with n; "simulate" draws features and labels.
    """
    check_difficulty(difficulty)
    eigenvalues = jnp.asarray(eigenvalues)
    cell_method = resolve_method(method, float(n), eigenvalues.shape[0], float(ridge))
    beta, sigma_eta, ridge, n = (jnp.asarray(a, eigenvalues.dtype) for a in (beta, sigma_eta, ridge, n))
    theta = jnp.asarray(theta, eigenvalues.dtype)
    keys = jax.random.split(key, num_samples)
    return _sample(keys, n, eigenvalues, theta, beta, sigma_eta, ridge, cell_method, difficulty)


@partial(jax.jit, static_argnums=(7, 8))
def _sample(keys, n, eigenvalues, theta, beta, sigma_eta, ridge, method, difficulty):
    def one(key):
        return lgen_cell(
            key,
            n,
            eigenvalues=eigenvalues,
            theta=theta,
            beta=beta,
            sigma_eta=sigma_eta,
            ridge=ridge,
            method=method,
            difficulty=difficulty,
        )

    if method == "scalar":
        return jax.vmap(one)(keys)
    batch = max(1, BATCH_BYTES // eigenvalues.nbytes // eigenvalues.shape[0])
    return jax.lax.map(one, keys, batch_size=min(batch, keys.shape[0]))

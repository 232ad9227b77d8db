"""Draws of L_gen over training sets of one size, compiled once for every size on the same side of d."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.generalization.cells import lgen_cell, resolve_method
from lidjax.generalization.krylov import MAX_STEPS

WORKING_SET = 2**22  # bytes: cells run together as long as their matrices fit the cache


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

    `n` is a plain number from 1 to 1e15; beta > 0, sigma_eta ≥ 0 and ridge ≥ 0 are plain scalars; the dtype follows
    `eigenvalues` (d,). method "exact" draws from the exact law at a cost that does not grow with n, O(d³) a draw, or
    O(1) where ridge is 0 or negligible (see `resolve_method`) and n > d + 1; "simulate" draws features and
    labels, O(n d²). The two agree in law, not draw by draw. Errors of the draws: `noise_norm`, `chi_square`.
    """
    eigenvalues = jnp.asarray(eigenvalues)
    theta = jnp.asarray(theta).astype(eigenvalues.dtype)
    if not (beta > 0 and sigma_eta >= 0 and num_samples >= 1):
        raise ValueError(
            f"beta={beta} must be positive, sigma_eta={sigma_eta} at least 0 and num_samples={num_samples} at least 1"
        )
    cell_method = resolve_method(
        method,
        float(n),
        eigenvalues.shape[0],
        float(ridge),
        eigenvalues=eigenvalues,
        theta=theta,
        beta=float(beta),
        sigma_eta=float(sigma_eta),
        difficulty=difficulty,
    )
    size, beta, sigma_eta, ridge = (
        jnp.asarray(float(a), eigenvalues.dtype) for a in (n, beta, sigma_eta, ridge)
    )
    keys = jax.random.split(key, num_samples)
    return _sample(keys, size, eigenvalues, theta, beta, sigma_eta, ridge, cell_method, difficulty)


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

    row = eigenvalues.nbytes
    known = {"scalar": 2**12, "krylov": 4 * MAX_STEPS * row}
    cell_bytes = known.get(method, 3 * eigenvalues.shape[0] * row)
    rounds = -(-keys.shape[0] // max(1, WORKING_SET // cell_bytes))
    batch = -(-keys.shape[0] // rounds)
    # wrapped around to a whole number of batches: `lax.map(batch_size=)` would compile the cell twice
    padded = keys[jnp.arange(rounds * batch) % keys.shape[0]].reshape(rounds, batch, *keys.shape[1:])
    if rounds == 1:
        return jax.vmap(one)(keys)
    return jax.lax.map(jax.vmap(one), padded).ravel()[: keys.shape[0]]

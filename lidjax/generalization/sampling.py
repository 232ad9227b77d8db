"""Draws of L_gen over training sets of one size, compiled once for every size on the same side of d."""

from functools import partial
from typing import SupportsFloat

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.errors import InputError
from lidjax.generalization.cells import CellMethod, lgen_cell, resolve_method
from lidjax.generalization.krylov import MAX_STEPS

WORKING_SET = 2**22
"""Bytes of matrices of the cells that run together. Heuristic: they should fit the cache."""


def sample_lgen(
    key: jax.Array,
    n: SupportsFloat,
    *,
    eigenvalues: Float[ArrayLike, " d"],
    theta: Float[ArrayLike, " d"],
    beta: SupportsFloat,
    sigma_eta: SupportsFloat,
    ridge: SupportsFloat,
    num_samples: int,
    method: str = "exact",
    difficulty: Difficulty = "gamma",
) -> Float[Array, " num_samples"]:
    """`num_samples` independent draws of L_gen, each for a training set of its own of `n` instances.

    "exact" draws from the exact distribution at a cost that does not grow with n: O(d³) a draw, less where few
    directions matter, and O(1) where n > d + 1 and the ridge is 0 or negligible (see `resolve_method`). "simulate"
    draws features and labels, O(n d²). The two agree in distribution, not draw by draw.

    Transformations: the function compiles its own program, once for every n on the same side of d. `n`, `beta`,
    `sigma_eta` and `ridge` must be concrete numbers, because the method is chosen by their values; `key` may be
    traced, so `vmap` and `jit` over keys work. `eigenvalues` and `theta` may be traced too, and differentiated, where
    the choice of the method does not need their values: with ridge = 0 and n > d + 1, or with method="bartlett",
    "dual", "scalar" or "simulate" (forward mode only). For grids over the other arguments use `lgen_cell`.

    Args:
        key: JAX random key.
        n: training size N, a number from 1 to 1e15.
        eigenvalues: variances of the features (d,), > 0. The result has their dtype.
        theta: teacher θ* (d,).
        beta: tail index β > 0 of the prior on the precision, a number.
        sigma_eta: noise scale σ_η ≥ 0, in the unit of the labels, a number.
        ridge: ρ ≥ 0, the penalty on the mean squared error, a number.
        num_samples: number of draws ≥ 1.
        method: "exact" or "auto", "simulate", or one of the kernels of `resolve_method`.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).

    Returns:
        L_gen (num_samples,), in squared units of the labels.

    Raises:
        InputError: if a number is out of range, a name is not known, or the method does not cover n.

    References:
        Eq. 6 and 8. The exact distributions were derived for this project; tests/generalization compares them with
        simulation. Their errors are stated in `noise_norm`, `chi_square` and `krylov`.

    Example:
        >>> import jax
        >>> import lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(4, 1.0), "theta": lidjax.power_law_teacher(4)}
        >>> noise = {"beta": 6.0, "sigma_eta": 0.3, "ridge": 0.0}
        >>> lgen = lidjax.sample_lgen(jax.random.key(0), 100, **model, **noise, num_samples=2000)
        >>> round(float(lgen.mean() / (0.3**2 * lidjax.mean_inverse_precision(6.0) * 4 / 95)), 1)
        1.0
    """
    eigenvalues = jnp.asarray(eigenvalues)
    theta = jnp.asarray(theta).astype(eigenvalues.dtype)
    n, beta, sigma_eta, ridge = float(n), float(beta), float(sigma_eta), float(ridge)
    if not beta > 0:
        raise InputError(f"beta = {beta:g}: must be positive")
    if not sigma_eta >= 0:
        raise InputError(f"sigma_eta = {sigma_eta:g}: must be at least 0")
    if num_samples < 1:
        raise InputError(f"num_samples = {num_samples}: must be at least 1")
    cell_method = resolve_method(
        method,
        n,
        eigenvalues.shape[0],
        ridge,
        eigenvalues=eigenvalues,
        theta=theta,
        beta=beta,
        sigma_eta=sigma_eta,
        difficulty=difficulty,
    )
    size, *noise = (jnp.asarray(a, eigenvalues.dtype) for a in (n, beta, sigma_eta, ridge))
    keys = jax.random.split(key, num_samples)
    return _sample(keys, size, eigenvalues, theta, *noise, cell_method, difficulty)


@partial(jax.jit, static_argnums=(7, 8))
def _sample(
    keys: jax.Array,
    n: Float[Array, ""],
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    ridge: Float[Array, ""],
    method: CellMethod,
    difficulty: Difficulty,
) -> Float[Array, " num_samples"]:
    def one(key: jax.Array) -> Float[Array, ""]:
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

    row_bytes = eigenvalues.nbytes
    known = {"scalar": 2**12, "krylov": 4 * MAX_STEPS * row_bytes}
    cell_bytes = known.get(method, 3 * eigenvalues.shape[0] * row_bytes)
    rounds = -(-keys.shape[0] // max(1, WORKING_SET // cell_bytes))
    batch = -(-keys.shape[0] // rounds)
    # Keys are repeated to fill whole batches, because `lax.map(batch_size=)` would compile the cell twice.
    padded = keys[jnp.arange(rounds * batch) % keys.shape[0]].reshape(rounds, batch, *keys.shape[1:])
    if rounds == 1:
        return jax.vmap(one)(keys)
    return jax.lax.map(jax.vmap(one), padded).ravel()[: keys.shape[0]]

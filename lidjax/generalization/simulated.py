"""L_gen of one training set by direct simulation: draw features and labels, fit, measure (Eq. 6, 8).

These kernels check those that draw L_gen from its exact distribution. Features are drawn whitened, z ~ N(0, I), so that
one draw serves every spectrum, prior and ridge that it is vmapped over, and in blocks of rows, so that memory does not
depend on N.
"""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, draw_label_noise
from lidjax.ridge import solve_shifted

BLOCK = 256
"""Rows drawn at once."""


def simulate_primal(
    key: jax.Array,
    n: ArrayLike,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    ridge: Float[Array, ""],
    difficulty: Difficulty = "gamma",
) -> Float[Array, ""]:
    """L_gen for n ≥ d: Gram matrix accumulated over row blocks, then (XᵀX + Nρ I)⁻¹ Xᵀy. O(N d² + d³)."""
    dim, dtype = eigenvalues.shape[0], eigenvalues.dtype
    n = jnp.asarray(n, dtype)
    root = jnp.sqrt(eigenvalues)

    def add_block(i: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        gram, moment = sums
        feature_key, noise_key = jax.random.split(jax.random.fold_in(key, i))
        row = i.astype(dtype) * BLOCK + jnp.arange(BLOCK, dtype=dtype)
        # instances are columns, because z zᵀ is the faster product
        z = jax.random.normal(feature_key, (dim, BLOCK), dtype)
        z = jnp.where((row < n)[None, :], z, 0.0)
        noise = draw_label_noise(noise_key, beta, sigma_eta, (BLOCK,), difficulty)
        labels = jnp.matmul(root * theta, z, precision="highest") + noise
        gram += jnp.matmul(z, z.T, precision="highest")
        return gram, moment + jnp.matmul(z, labels, precision="highest")

    zeros = jnp.zeros((dim, dim), dtype), jnp.zeros((dim,), dtype)
    blocks = jnp.ceil(n / BLOCK).astype(jnp.int32)
    gram, moment = jax.lax.fori_loop(jnp.int32(0), blocks, add_block, zeros)
    estimate = solve_shifted(root[:, None] * gram * root[None, :], root * moment, n * ridge)
    return jnp.sum(eigenvalues * jnp.square(estimate - theta))


def simulate_dual(
    key: jax.Array,
    n: ArrayLike,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    ridge: Float[Array, ""],
    difficulty: Difficulty = "gamma",
) -> Float[Array, ""]:
    """L_gen for n ≤ d: Xᵀ(XXᵀ + Nρ I)⁻¹ y with X padded to d rows that have no effect. O(d³).

    Solved by [Xᵀ; √(Nρ) I] = QR, since forming XXᵀ would square the condition number: for N near d and a tiny ridge its
    Cholesky factor does not exist in floating point.
    """
    dim, dtype = eigenvalues.shape[0], eigenvalues.dtype
    n = jnp.asarray(n, dtype)
    feature_key, noise_key = jax.random.split(key)
    present = jnp.arange(dim, dtype=dtype) < n
    x = jax.random.normal(feature_key, (dim, dim), dtype) * jnp.sqrt(eigenvalues)[None, :]
    x = jnp.where(present[:, None], x, 0.0)
    noise = draw_label_noise(noise_key, beta, sigma_eta, (dim,), difficulty)
    labels = jnp.matmul(x, theta, precision="highest") + jnp.where(present, noise, 0.0)
    penalty = jnp.where(present, jnp.sqrt(n * ridge), 1.0)
    q, r = jnp.linalg.qr(jnp.concatenate([x.T, jnp.diag(penalty)]))
    estimate = jnp.matmul(q[:dim], solve_triangular(r, labels, trans=1), precision="highest")
    return jnp.sum(eigenvalues * jnp.square(estimate - theta))


def simulate_random_features(
    key: jax.Array,
    n: int,
    width: int,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    ridge: Float[Array, ""],
    difficulty: Difficulty = "gamma",
) -> Float[Array, ""]:
    """L_gen of a model of `width` random features, for any N and P: (ΦᵀΦ + Nρ I)⁻¹ Φᵀy by the SVD of Φ = X F.

    Without a ridge it is the fit of least norm. Memory O((N + P) d + N P), time O(N P min(N, P)).
    """
    dim, dtype = eigenvalues.shape[0], eigenvalues.dtype
    map_key, feature_key, noise_key = jax.random.split(key, 3)
    weights = jax.random.normal(map_key, (dim, width), dtype) / width**0.5
    x = jax.random.normal(feature_key, (n, dim), dtype) * jnp.sqrt(eigenvalues)[None, :]
    noise = draw_label_noise(noise_key, beta, sigma_eta, (n,), difficulty)
    labels = jnp.matmul(x, theta, precision="highest") + noise
    left, values, right = jnp.linalg.svd(jnp.matmul(x, weights, precision="highest"), full_matrices=False)
    kept = values > jnp.max(values) * (max(n, width) * float(jnp.finfo(dtype).eps))
    values = jnp.where(kept, values, 1.0)
    gain = jnp.where(kept, values / (jnp.square(values) + n * ridge), 0.0)
    fit = jnp.matmul(gain * jnp.matmul(labels, left, precision="highest"), right, precision="highest")
    return jnp.sum(eigenvalues * jnp.square(jnp.matmul(weights, fit, precision="highest") - theta))

"""(A Aᵀ + diag(s)) x = b for a lower triangular A, by blocks, in matrix products alone.

No work is spent on the zero half of A nor on the upper half of the product, and the Gram matrix is never stored:
its block column j is formed, reduced and factorised when it is needed. Products are written A·Bᵀ, which XLA's CPU
backend runs twice as fast as Aᵀ·B. Diagonal blocks are inverted by recursion down to 32 rows, because from 64 rows on
LAPACK starts threads of its own, which compete with XLA's for the cores (20 ms instead of 0.05).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

BLOCK = 64
"""Rows of a block. Heuristic: the fastest of 32, 64, 96, 128 and 256 at d = 512; at d = 1024 64 and 128 are equal."""
BASE = 32
"""Size from which LAPACK factorises a diagonal block."""
MAX_BLOCKS = 8
"""Bounds the size of the program, and with it the time to compile it (2 s at d = 512)."""


def gram_solve(
    lower: Float[Array, "d d"], shift: Float[Array, " d"], rhs: Float[Array, "r d"]
) -> Float[Array, "r d"]:
    """Solutions x of (A Aᵀ + diag(shift)) xᵀ = bᵀ, one row for each row b of `rhs`; NaN if not positive definite.

    `lower` is A. It is read in blocks on and below its diagonal, so its entries above the diagonal must be zero.
    """
    dim = lower.shape[0]
    block = max(BLOCK, -(-dim // MAX_BLOCKS))
    starts = range(0, dim, block)
    panels: list[Array] = []
    inverses: list[Array] = []
    forward: list[Array] = []
    for start in starts:
        stop = min(start + block, dim)
        size = stop - start
        column = matmul_t(lower[start:, :stop], lower[start:stop, :stop])
        current = rhs[:, start:stop]
        if start:
            left = jnp.concatenate([p[start - (dim - p.shape[0]) :] for p in panels], axis=1)
            column -= matmul_t(left, left[:size])
            current -= matmul_t(jnp.concatenate(forward, axis=1), left[:size])
        inverse = inverse_cholesky(column[:size] + jnp.diag(shift[start:stop]))
        forward.append(matmul_t(current, inverse))
        panels.append(matmul_t(column[size:], inverse))
        inverses.append(inverse)
    solution = jnp.zeros((rhs.shape[0], 0), rhs.dtype)
    for panel, inverse, part in zip(reversed(panels), reversed(inverses), reversed(forward), strict=True):
        part = jnp.matmul(
            part - jnp.matmul(solution, panel, precision="highest"), inverse, precision="highest"
        )
        solution = jnp.concatenate([part, solution], axis=1)
    return solution


def inverse_cholesky(matrix: Float[Array, "m m"]) -> Float[Array, "m m"]:
    """L⁻¹ of matrix = L Lᵀ, lower triangular."""
    size = matrix.shape[0]
    if size <= BASE:
        factor = jax.lax.linalg.cholesky(matrix, symmetrize_input=False)
        identity = jnp.eye(size, dtype=matrix.dtype)
        return jax.lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True)
    half = size // 2
    first = inverse_cholesky(matrix[:half, :half])
    coupling = matmul_t(matrix[half:, :half], first)
    second = inverse_cholesky(matrix[half:, half:] - matmul_t(coupling, coupling))
    corner = -jnp.matmul(jnp.matmul(second, coupling, precision="highest"), first, precision="highest")
    zeros = jnp.zeros((half, size - half), matrix.dtype)
    return jnp.block([[first, zeros], [corner, second]])


def matmul_t(a: Float[Array, "m k"], b: Float[Array, "n k"]) -> Float[Array, "m n"]:
    """a bᵀ."""
    return jnp.matmul(a, b.T, precision="highest")

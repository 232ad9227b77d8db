"""(A Aᵀ + diag(s)) x = b for a lower triangular A, by blocks, in matrix products alone.

Nothing is spent on the half of A that is zero nor on the upper half of the product, and the Gram matrix is
never stored: block column j of it is formed, reduced and factorised when its turn comes. Products are written
A·Bᵀ, which XLA's CPU backend runs twice as fast as Aᵀ·B. Diagonal blocks are inverted by recursion down to 32
rows: LAPACK starts its own threads from 64 on, which then fight XLA's for the cores (20 ms instead of 0.05).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

BLOCK = 64  # best of 32, 64, 96, 128, 256 at d = 512; at d = 1024 64 and 128 are equal
BASE = 32
MAX_BLOCKS = 8  # bounds the size of the program, so its compile time (2 s at d = 512)


def gram_solve(
    lower: Float[Array, "d d"], shift: Float[Array, " d"], rhs: Float[Array, "r d"]
) -> Float[Array, "r d"]:
    """Rows x of the result solve (A Aᵀ + diag(shift)) xᵀ = bᵀ for the rows b of `rhs`; NaN if not positive definite.

    `lower` is read below and on its diagonal in blocks: what lies above the diagonal must be zero.
    """
    dim = lower.shape[0]
    block = max(BLOCK, -(-dim // MAX_BLOCKS))
    starts = range(0, dim, block)
    panels, inverses, forward = [], [], []
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


def matmul_t(a, b):
    """a bᵀ."""
    return jnp.matmul(a, b.T, precision="highest")

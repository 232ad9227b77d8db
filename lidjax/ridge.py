"""Closed-form ridge regression, Eq. 6: θ̂ = (XᵀX + Nρ I)⁻¹ Xᵀy, for one or several label vectors.

Primal (d × d) and dual (N × N) forms are equal for ρ > 0; `ridge_fit` takes the smaller. In the
dual, ρ → 0 with N < d is the minimum-norm interpolator.
"""

from typing import Literal

import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jax.typing import ArrayLike
from jaxtyping import Array, Float

Solver = Literal["cholesky", "eigh"]
DECOMPOSE_FROM = 20
"""Ridge values from which one eigendecomposition costs less than a Cholesky factor for each (d = 512, two cores)."""


def ridge_fit(x: Float[ArrayLike, "n d"], y: Float[ArrayLike, "n *r"], ridge) -> Float[Array, "d *r"]:
    """Ridge coefficients θ̂ for labels `y` of shape (n,) or (n, r): the r columns share one factorisation.

    `ridge` ≥ 0 is ρ of Eq. 6 (the penalty on the *mean* squared error, so Nρ on the sum). A Gram
    matrix that is not numerically positive definite gives NaN, never an exception: status is data here.
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    n, d = x.shape
    return primal_ridge(x, y, ridge) if n >= d else dual_ridge(x, y, ridge)


def primal_ridge(x: Float[Array, "n d"], y: Float[Array, "n *r"], ridge) -> Float[Array, "d *r"]:
    """(XᵀX + Nρ I_d)⁻¹ Xᵀy, O(N d² + d³)."""
    n = x.shape[0]
    gram = jnp.matmul(x.T, x, precision="highest")
    return solve_shifted(gram, jnp.matmul(x.T, y, precision="highest"), n * ridge)


def dual_ridge(x: Float[Array, "n d"], y: Float[Array, "n *r"], ridge) -> Float[Array, "d *r"]:
    """Xᵀ(XXᵀ + Nρ I_N)⁻¹ y, O(N² d + N³)."""
    n = x.shape[0]
    kernel = jnp.matmul(x, x.T, precision="highest")
    return jnp.matmul(x.T, solve_shifted(kernel, y, n * ridge), precision="highest")


def solve_shifted(matrix: Float[Array, "m m"], rhs: Float[Array, "m *r"], shift) -> Float[Array, "m *r"]:
    """(A + shift·I)⁻¹ rhs for a symmetric positive semi-definite A, by Cholesky."""
    identity = jnp.eye(matrix.shape[0], dtype=matrix.dtype)
    factor = cho_factor(matrix + shift * identity, lower=True)
    return cho_solve(factor, rhs)

"""Closed-form ridge regression, Eq. 6: θ̂ = (XᵀX + Nρ I)⁻¹ Xᵀy, for one or several label vectors.

The primal (d × d) and the dual (N × N) form are equal for ρ > 0; `ridge_fit` takes the smaller. As ρ → 0 with N < d
the dual form tends to the interpolator of minimum norm.
"""

from typing import Literal

import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import NOT_NEGATIVE, as_float, checked
from lidjax.errors import InputError

Solver = Literal["cholesky", "eigh"]
"""How a ridge system is solved: by one factor for each ridge value, or one eigendecomposition for all."""
DECOMPOSE_FROM = 20
"""Number of ridge values from which one eigendecomposition costs less than a Cholesky factor for each (measured at
d = 512 on two cores)."""


def ridge_fit(x: ArrayLike, y: ArrayLike, ridge: ArrayLike) -> Float[Array, "d *r"]:
    """Ridge coefficients θ̂ = (XᵀX + Nρ I)⁻¹ Xᵀy.

    The columns of `y` share one factorisation. A Gram matrix that is not numerically positive definite gives NaN
    and never an exception, so that one bad problem does not stop the others under `vmap`.

    Args:
        x: features (n, d), one instance a row. The result has their dtype; integers become the default float.
        y: labels (n,), or (n, r) for r problems with the same features.
        ridge: ρ ≥ 0, finite, scalar: the penalty on the *mean* squared error, hence Nρ on the sum.

    Returns:
        Coefficients (d,) or (d, r); NaN where a traced ridge is out of range, or x or y is not finite.

    Raises:
        InputError: if a shape is another one, or the ridge is known and out of range.

    References:
        Eq. 5 and 6.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> x = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> [round(float(c), 4) for c in lidjax.ridge_fit(x, x @ jnp.array([2.0, -1.0]), 0.0)]
        [2.0, -1.0]
    """
    x = as_float(x)
    y = jnp.asarray(y).astype(x.dtype)
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"x of shape {x.shape}: must have shape (n, d)")
    n, d = x.shape
    if y.ndim not in (1, 2) or len(y) != n:
        raise InputError(
            f"y of shape {y.shape}: must have shape ({n},) or ({n}, r), a label for each row of x"
        )
    ridge = checked("ridge", ridge, NOT_NEGATIVE, shape=(), dtype=x.dtype)
    return primal_ridge(x, y, ridge) if n >= d else dual_ridge(x, y, ridge)


def primal_ridge(x: Float[Array, "n d"], y: Float[Array, "n *r"], ridge: ArrayLike) -> Float[Array, "d *r"]:
    """(XᵀX + Nρ I_d)⁻¹ Xᵀy, O(N d² + d³)."""
    n = x.shape[0]
    gram = jnp.matmul(x.T, x, precision="highest")
    return solve_shifted(gram, jnp.matmul(x.T, y, precision="highest"), n * ridge)


def dual_ridge(x: Float[Array, "n d"], y: Float[Array, "n *r"], ridge: ArrayLike) -> Float[Array, "d *r"]:
    """Xᵀ(XXᵀ + Nρ I_N)⁻¹ y, O(N² d + N³)."""
    n = x.shape[0]
    kernel = jnp.matmul(x, x.T, precision="highest")
    return jnp.matmul(x.T, solve_shifted(kernel, y, n * ridge), precision="highest")


def solve_shifted(
    matrix: Float[Array, "m m"], rhs: Float[Array, "m *r"], shift: ArrayLike
) -> Float[Array, "m *r"]:
    """(A + shift·I)⁻¹ rhs for a symmetric positive semi-definite A, by Cholesky."""
    identity = jnp.eye(matrix.shape[0], dtype=matrix.dtype)
    factor = cho_factor(matrix + shift * identity, lower=True)
    return cho_solve(factor, rhs)

"""What the exact distribution of L_gen needs of the features of a training set, at a cost that does not grow with N.

Write X = Z Λ^½ with Z an N × d standard normal matrix, and Z = Q R. Q is Haar distributed and independent of R, and R
is upper triangular (trapezoidal for N < d) with independent entries (Bartlett): R_ii ~ χ_{N-i+1} for
i ≤ min(N, d), and N(0, 1) to the right of the diagonal. The noise η is independent of Z, so Qᵀη = ‖η‖ u with u
the first min(N, d) coordinates of a uniform point of the sphere in R^N.

R and u depend on neither the spectrum, the teacher, the ridge nor the labels: one draw serves them all.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.generalization.chi_square import draw_chi_square


class Design(NamedTuple):
    """R and u of a training set, laid out for `whitened` and scaled to order one."""

    triangle: Float[Array, "d d"]
    """A lower triangular matrix (d, d). For N ≥ d it is (R/√N)ᵀ, and its rows are features. For N < d it is J R J/√N
    with J the reversal: its rows are instances and its columns features, the last first, and the d - N rows past N
    are zero."""
    direction: Float[Array, " d"]
    """u (d,), in the order of the rows of `triangle` for N < d."""


def tall_design(key: jax.Array, n: Float[Array, ""], dim: int) -> Design:
    """Design for N ≥ d; `n` may be traced and sets the dtype. u includes the factor that keeps ‖u‖ < 1."""
    outside = n - dim
    dof = jnp.append(n - jnp.arange(dim, dtype=n.dtype), jnp.maximum(outside, 1.0))
    squares, g, below = _draw(key, dof, dim)
    length_squared = jnp.sum(jnp.square(g)) + jnp.where(outside > 0, squares[-1], 0.0)
    triangle = lower_triangle(below, jnp.sqrt(squares[:-1]))
    return Design(triangle / jnp.sqrt(n), g / jnp.sqrt(length_squared))


def wide_design(key: jax.Array, n: Float[Array, ""], dim: int) -> Design:
    """Design for N < d, padded to d rows; `n` may be traced and sets the dtype."""
    row = jnp.arange(dim - 1, -1, -1, dtype=n.dtype)
    present = row < n
    squares, g, below = _draw(key, jnp.where(present, n - row, 1.0), dim)
    triangle = lower_triangle(below, jnp.sqrt(squares)) / jnp.sqrt(n)
    g = jnp.where(present, g, 0.0)
    return Design(jnp.where(present[:, None], triangle, 0.0), g / jnp.linalg.norm(g))


def _draw(
    key: jax.Array, dof: Float[Array, " m"], dim: int
) -> tuple[Float[Array, " m"], Float[Array, " d"], Float[Array, "tail d"]]:
    """Chi-square variates of `dof`, a normal vector (dim,), and the normal variates of a triangle."""
    normal_key, square_key = jax.random.split(key)
    tail = dim - dim // 2
    normal = jax.random.normal(normal_key, (dim + tail * dim,), dof.dtype)
    return draw_chi_square(square_key, dof), normal[:dim], normal[dim:].reshape(tail, dim)


def lower_triangle(drawn: Float[Array, "tail d"], diagonal: Float[Array, " d"]) -> Float[Array, "d d"]:
    """Triangle with the given diagonal, and below it the entries of a rectangle `drawn` of ⌈d/2⌉ rows.

    The rectangle has hardly more than the d(d-1)/2 entries that are needed, because the two triangles that lie on the
    diagonal share one square of it. The first is read backwards and not transposed, which on a CPU takes a tenth to a
    fifth off the time of a cell with d = 512.
    """
    dim = diagonal.shape[0]
    head = dim // 2
    tail = dim - head
    square, corner = drawn[:, :tail], drawn[:, tail:]
    above = square[:head, :head][::-1, ::-1]
    first = jnp.concatenate([above, jnp.zeros((head, tail), diagonal.dtype)], axis=1)
    second = jnp.concatenate([corner, square], axis=1)
    return jnp.tril(jnp.concatenate([first, second]), -1) + jnp.diag(diagonal)

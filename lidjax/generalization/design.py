"""The random part of a training set that the exact laws need, whatever its size N.

Write X = Z Λ^½ with Z an N × d standard normal matrix, and Z = Q R. Q is Haar and independent of R, and R is
upper triangular (trapezoidal for N < d) with independent entries (Bartlett): R_ii ~ χ_{N-i+1} for
i ≤ min(N, d), and N(0, 1) to the right of the diagonal. The noise η is independent of Z, so Qᵀη = ‖η‖ u with u
the first min(N, d) coordinates of a uniform point of the sphere in R^N.

Nothing here depends on the spectrum, the teacher, the ridge or the labels: one draw serves them all.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.generalization.chi_square import chi_square


class Design(NamedTuple):
    """A lower triangular (d, d) and u (d,), both scaled to order one.

    N ≥ d: A = (R/√N)ᵀ, rows are features. N < d: A = J R J/√N with J the reversal, so that it is lower triangular
    too: rows are instances, the last first, columns features, the last first; the d - N rows past N are zero.
    """

    triangle: Float[Array, "d d"]
    direction: Float[Array, " d"]


def tall_design(key, n, dim: int) -> Design:
    """N ≥ d; `n` is a traced float scalar and sets the dtype. u includes the factor that keeps ‖u‖ < 1."""
    triangle_key, chi_key, direction_key = jax.random.split(key, 3)
    row = jnp.arange(dim, dtype=n.dtype)
    outside = n - dim
    squares = chi_square(chi_key, jnp.append(n - row, jnp.maximum(outside, 1.0)))
    g = jax.random.normal(direction_key, (dim,), n.dtype)
    length_squared = jnp.sum(jnp.square(g)) + jnp.where(outside > 0, squares[-1], 0.0)
    triangle = lower_triangle(triangle_key, jnp.sqrt(squares[:-1]))
    return Design(triangle / jnp.sqrt(n), g / jnp.sqrt(length_squared))


def wide_design(key, n, dim: int) -> Design:
    """N < d, padded to d rows."""
    triangle_key, chi_key, direction_key = jax.random.split(key, 3)
    row = jnp.arange(dim - 1, -1, -1, dtype=n.dtype)
    present = row < n
    diagonal = jnp.sqrt(chi_square(chi_key, jnp.where(present, n - row, 1.0)))
    triangle = lower_triangle(triangle_key, diagonal) / jnp.sqrt(n)
    g = jnp.where(present, jax.random.normal(direction_key, (dim,), n.dtype), 0.0)
    return Design(jnp.where(present[:, None], triangle, 0.0), g / jnp.linalg.norm(g))


def lower_triangle(key, diagonal: Float[Array, " d"]) -> Float[Array, "d d"]:
    """Standard normal below the given diagonal, zero above; draws d(d+1)/2 numbers, not d².

    A full rectangle is drawn and the two triangles on the diagonal share one of its squares.
    """
    dim = diagonal.shape[0]
    head = dim // 2
    tail = dim - head
    drawn = jax.random.normal(key, (tail, dim), diagonal.dtype)
    square, corner = drawn[:, :tail], drawn[:, tail:]
    first = jnp.concatenate([square[:head, :head].T, jnp.zeros((head, tail), diagonal.dtype)], axis=1)
    second = jnp.concatenate([corner, square], axis=1)
    return jnp.tril(jnp.concatenate([first, second]), -1) + jnp.diag(diagonal)

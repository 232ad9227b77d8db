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

from lidjax.generalization.chi_square import draw_chi_square


class Design(NamedTuple):
    """A lower triangular (d, d) and u (d,), both scaled to order one.

    N ≥ d: A = (R/√N)ᵀ, rows are features. N < d: A = J R J/√N with J the reversal, so that it is lower triangular
    too: rows are instances, the last first, columns features, the last first; the d - N rows past N are zero.
    """

    triangle: Float[Array, "d d"]
    direction: Float[Array, " d"]


def tall_design(key, n, dim: int) -> Design:
    """N ≥ d; `n` is a traced float scalar and sets the dtype. u includes the factor that keeps ‖u‖ < 1."""
    outside = n - dim
    dof = jnp.append(n - jnp.arange(dim, dtype=n.dtype), jnp.maximum(outside, 1.0))
    squares, g, below = _draw(key, dof, dim)
    length_squared = jnp.sum(jnp.square(g)) + jnp.where(outside > 0, squares[-1], 0.0)
    triangle = lower_triangle(below, jnp.sqrt(squares[:-1]))
    return Design(triangle / jnp.sqrt(n), g / jnp.sqrt(length_squared))


def wide_design(key, n, dim: int) -> Design:
    """N < d, padded to d rows."""
    row = jnp.arange(dim - 1, -1, -1, dtype=n.dtype)
    present = row < n
    squares, g, below = _draw(key, jnp.where(present, n - row, 1.0), dim)
    triangle = lower_triangle(below, jnp.sqrt(squares)) / jnp.sqrt(n)
    g = jnp.where(present, g, 0.0)
    return Design(jnp.where(present[:, None], triangle, 0.0), g / jnp.linalg.norm(g))


def _draw(key, dof, dim):
    """Chi-squares of `dof`, a normal vector (dim,), and the normal numbers of a triangle."""
    normal_key, square_key = jax.random.split(key)
    tail = dim - dim // 2
    normal = jax.random.normal(normal_key, (dim + tail * dim,), dof.dtype)
    return draw_chi_square(square_key, dof), normal[:dim], normal[dim:].reshape(tail, dim)


def lower_triangle(drawn: Float[Array, "tail d"], diagonal: Float[Array, " d"]) -> Float[Array, "d d"]:
    """The given diagonal, zero above it, and the entries of a rectangle `drawn` of ⌈d/2⌉ rows below it.

    d(d+1)/2 numbers make a triangle: the two triangles that lie on the diagonal share a square of the rectangle. The
    first is read backwards, not transposed: on a CPU that takes a tenth to a fifth off a cell of d = 512.
    """
    dim = diagonal.shape[0]
    head = dim // 2
    tail = dim - head
    square, corner = drawn[:, :tail], drawn[:, tail:]
    above = square[:head, :head][::-1, ::-1]
    first = jnp.concatenate([above, jnp.zeros((head, tail), diagonal.dtype)], axis=1)
    second = jnp.concatenate([corner, square], axis=1)
    return jnp.tril(jnp.concatenate([first, second]), -1) + jnp.diag(diagonal)

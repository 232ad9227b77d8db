"""Ridge regression on nested training sets: the first N rows of one random order, for many N in one pass.

The Gram matrix of the first N rows is that of the previous N plus the rows in between, so one pass over the data serves
every N. A new N costs one factorisation of a d × d system.
"""

from typing import get_args

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from lidjax.errors import check_choice
from lidjax.ridge import Solver

_BLOCK_ROWS = 256  # rows added to the Gram matrix at a time (a heuristic: its cost is small at any size)


def nested_predictions(
    x: Float[Array, "t d"],
    targets: Float[Array, "t r"],
    x_val: Float[Array, "v d"],
    n: Int[Array, " n"],
    ridge: ArrayLike,
    solver: Solver = "cholesky",
) -> Float[Array, "n v r"]:
    """Ridge predictions on `x_val` after training on the first N rows, for each N of the sorted `n` (Eq. 28).

    A scan over `n` carries ZᵀZ and Zᵀtargets. For N < d it solves the dual system instead: the leading N × N block of
    one d × d kernel matrix, padded with the identity. Under `vmap` over `ridge`, solver="eigh" decomposes once for each
    N, where "cholesky" factorises once for each N and ridge.

    Args:
        x: training features, one row an instance, in the order in which they join the training set.
        targets: one column for each right-hand side.
        x_val: features to predict on.
        n: training set sizes N, sorted.
        ridge: λ ≥ 0 of Eq. 28, the penalty on the mean squared error.
        solver: "cholesky" or "eigh".

    Returns:
        The predictions for each N. Those of an N that is below 1, above t or out of order are NaN.

    Raises:
        InputError: if `solver` is not one of the two.
    """
    check_choice("solver =", solver, get_args(Solver))
    t, d = x.shape
    rows = max(t, d)
    x = jnp.pad(x, ((0, rows + _BLOCK_ROWS - t), (0, 0)))
    targets = jnp.pad(targets, ((0, rows + _BLOCK_ROWS - t), (0, 0)))
    first_x, first_targets = x[:d], targets[:d]  # all that the dual form needs, as it serves N < d only
    kernel = _matmul(first_x, first_x.T)
    identity = jnp.eye(d, dtype=x.dtype)
    block_index, row_index = jnp.arange(_BLOCK_ROWS), jnp.arange(d)

    def add_block(start: Array, stop: Array, gram: Array, moment: Array) -> tuple[Array, Array]:
        block_x = jax.lax.dynamic_slice_in_dim(x, start, _BLOCK_ROWS)
        block_x = jnp.where((start + block_index < stop)[:, None], block_x, 0)
        block_targets = jax.lax.dynamic_slice_in_dim(targets, start, _BLOCK_ROWS)
        return gram + _matmul(block_x.T, block_x), moment + _matmul(block_x.T, block_targets)

    def step(carry: tuple[Array, Array, Array], size: Array) -> tuple[tuple[Array, Array, Array], Array]:
        start, gram, moment = carry
        stop = jnp.clip(size, start, t)

        def body(i: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
            return add_block(start + i * _BLOCK_ROWS, stop, *sums)

        blocks = (stop - start + _BLOCK_ROWS - 1) // _BLOCK_ROWS
        gram, moment = jax.lax.fori_loop(0, blocks, body, (gram, moment))

        primal = size >= d
        active = (row_index < size)[:, None]
        shift = size.astype(x.dtype) * ridge
        system = jnp.where(primal, gram, jnp.where(active & active.T, kernel, identity))
        rhs = jnp.where(primal, moment, jnp.where(active, first_targets, 0))
        if solver == "cholesky":
            solution = cho_solve(cho_factor(system + shift * identity, lower=True), rhs)
        else:
            values, vectors = jnp.linalg.eigh(system)
            solution = _matmul(vectors, _matmul(vectors.T, rhs) / (values + shift)[:, None])
        theta = jnp.where(primal, solution, _matmul(first_x.T, solution))
        valid = (size >= jnp.maximum(start, 1)) & (size <= t)
        return (stop, gram, moment), jnp.where(valid, _matmul(x_val, theta), jnp.nan)

    zero = jnp.zeros_like(n[0])
    carry = (zero, jnp.zeros((d, d), x.dtype), jnp.zeros((d, targets.shape[1]), x.dtype))
    return jax.lax.scan(step, carry, n)[1]


def _matmul(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")

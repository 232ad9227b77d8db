"""L_gen where few directions of feature space matter, by conjugate gradients on a Wishart matrix drawn row by row.

In the whitened coordinates of `whitened`, with z_0 = Zᵀη/‖η‖ separated from the rest of ZᵀZ, the systems to solve are

    (W/N + ρΛ⁻¹) x = b        for b = z_0/√N and b = ρΛ^(-½) θ*,        W ~ Wishart_d(N - 1)

W is invariant under rotations, so it can be drawn row by row in a basis that is chosen while it is drawn. In an
orthonormal basis q_1, q_2, ... its Bartlett factor has the rows

    r_j = χ_{N-j} q_j + (I - Σ_{i≤j} q_i q_iᵀ) g_j,       g_j ~ N(0, I),

and W p = Σ_{i≤j} r_i (r_iᵀp) for p in the span of q_1..q_j, so later rows have no effect on it. q_j may depend on the
earlier rows: here it is the next direction that conjugate gradients need. The result is therefore the solution for one
exact draw of W, of which only the part that the solution depends on has been drawn.

With the diagonal I + ρΛ⁻¹ as preconditioner the spectrum lies about (1 ± √g)², g = df₁(ρ)/N and df₁ = Σ λ/(λ+ρ), so
the residual falls by √g in each step. Some ten steps are enough, hence 20 rows in place of d, unless the ridge is tiny
and N near d. The number of steps hardly differs from draw to draw (Deift and Trogdon, arXiv:1901.09007, for ridge 0).
A cell costs O(steps² d), less as N grows. One key gives nearby draws at nearby ridges and spectra: differences between
them scatter as little as with one Bartlett factor for both (measured).
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Bool, Float

from lidjax.generalization.blocked import matmul_t
from lidjax.generalization.chi_square import draw_chi_square
from lidjax.generalization.whitened import NoiseQuadratic, noise_quadratic

STAGES = (8, 16, 24, 40)
"""Numbers of steps at which the arrays of rows are enlarged. Products run over the whole arrays, so small ones are
cheaper."""
MAX_STEPS = STAGES[-1]
"""Steps after which a solution counts as not converged."""
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
"""Largest norm of the preconditioned residual, relative to its start; the relative error of L_gen is of this size."""


State = tuple[Array, Array, Array, Array, Array, Array, Array, Array]
"""Step, basis, images, x, residual, descent, search direction, squared norm of the preconditioned residual."""


class WishartSolution(NamedTuple):
    """Solutions of `wishart_solve`, and what was drawn of W for them."""

    solution: Float[Array, "2 d"]
    """x, a row for each right-hand side."""
    converged: Bool[Array, ""]
    """Whether both residuals have fallen to `TOLERANCE`."""
    basis: Float[Array, "rows d"]
    """The orthonormal directions q_j, then rows of zeros."""
    images: Float[Array, "rows d"]
    """The rows r_j of the Bartlett factor, scaled: (W/scale) x = imagesᵀ(images x) for the rows x of `solution`."""


def krylov_steps(n: ArrayLike, eigenvalues: Float[ArrayLike, " d"], ridge: ArrayLike) -> Any:
    """Steps that conjugate gradients need at most in float64; infinite where df₁(ridge) ≥ n.

    It is the bound for an infinitely large problem, whose spectrum has sharp edges, plus two. In 320 random cases for
    which `resolve_method` chooses "krylov" (d from 64 to 1024, 60 draws each) no draw took more. In float64 they took
    0.5 to 1.2 times the bound without the two: 3 to 37 steps. NumPy arguments give a NumPy number.
    """
    xp = jnp if any(isinstance(value, jax.Array) for value in (n, eigenvalues, ridge)) else np
    n, eigenvalues, ridge = (xp.asarray(value) for value in (n, eigenvalues, ridge))
    directions_per_instance = xp.sum(eigenvalues / (eigenvalues + ridge)) / n
    few = directions_per_instance < 1
    rate = 0.5 * xp.log(1 / xp.where(few, directions_per_instance, 0.5))
    return xp.where(few, 2 + math.log(2 / TOLERANCE["float64"]) / rate, xp.inf)


def krylov_quadratic(
    key: jax.Array,
    n: Float[Array, ""],
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    ridge: Float[Array, ""],
    stages: tuple[int, ...] = STAGES,
) -> NoiseQuadratic:
    """L_gen as a quadratic in the noise, for any N (which may be traced) and ridge > 0.

    It needs `krylov_steps` ≤ `MAX_STEPS`: the result is NaN where the residual has not fallen to `TOLERANCE` after that
    many steps. Derivatives in `n` and `ridge` exist in both modes, those in `eigenvalues` and `theta` in forward mode.
    """
    return _quadratic(stages, key, n, eigenvalues, theta, ridge)


def _solve(
    stages: tuple[int, ...],
    key: jax.Array,
    n: Float[Array, ""],
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    ridge: Float[Array, ""],
) -> NoiseQuadratic:
    direction_key, rows_key = jax.random.split(key)
    b = jax.random.normal(direction_key, eigenvalues.shape, eigenvalues.dtype) / jnp.sqrt(n)
    teacher = ridge * theta / jnp.sqrt(eigenvalues)
    # Conjugate gradients cannot start from a teacher of zeros: another system is solved and its solution dropped.
    present = jnp.any(teacher != 0)
    rhs = jnp.stack([b, jnp.where(present, teacher, 1.0)])
    x, converged, _, _ = wishart_solve(rows_key, n - 1, rhs, ridge / eigenvalues, scale=n, stages=stages)
    noise, shrinkage = x[0], jnp.where(present, x[1], 0.0)
    # z_0 z_0ᵀ/N, which W lacks, is added by the Sherman-Morrison formula
    noise = jnp.where(converged, noise / (1 + jnp.sum(b * noise)), jnp.nan)
    return noise_quadratic(noise, shrinkage - noise * jnp.sum(b * shrinkage))


_quadratic = jax.custom_jvp(_solve, nondiff_argnums=(0,))


@partial(_quadratic.defjvp, symbolic_zeros=True)
def _quadratic_jvp(
    stages: tuple[int, ...], primals: tuple[Array, ...], tangents: tuple[Any, ...]
) -> tuple[NoiseQuadratic, NoiseQuadratic]:
    """Slopes in the two scalars are computed forward, which leaves a product for reverse mode to transpose.

    A loop whose length is not static has no reverse mode, so the vectors are differentiated through it.
    """
    key, *values = primals
    moving = {i: dot for i, dot in enumerate(tangents[1:]) if not isinstance(dot, SymbolicZero)}
    if 1 in moving or 2 in moving:
        dots = [moving.get(i, jnp.zeros_like(value)) for i, value in enumerate(values)]
        return jax.jvp(partial(_solve, stages, key), tuple(values), tuple(dots))

    def along(i: int, value: Array) -> NoiseQuadratic:
        moved = [*values]
        moved[i] = value
        return _solve(stages, key, *moved)

    total, change = None, None
    for i, dot in moving.items():
        total, slope = jax.jvp(partial(along, i), (values[i],), (jnp.ones_like(values[i]),))
        part = NoiseQuadratic(*(entry * dot for entry in slope))
        change = part if change is None else NoiseQuadratic(*map(jnp.add, change, part))
    assert total is not None
    assert change is not None  # JAX asks for a derivative only where something moves
    return total, change


def wishart_solve(
    key: jax.Array,
    dof: Float[Array, ""],
    rhs: Float[Array, "2 d"],
    shift: Float[Array, " d"],
    *,
    scale: Float[Array, ""],
    stages: tuple[int, ...] = STAGES,
) -> WishartSolution:
    """Solve (W/scale + diag(shift)) x = b for one W ~ Wishart_d(dof) and both rows b of `rhs`, neither of them zero."""
    dim, dtype = rhs.shape[1], rhs.dtype
    tolerance = TOLERANCE[dtype.name]
    normal_key, chi_key = jax.random.split(key)
    lengths = _row_lengths(chi_key, dof, dim, dtype) / jnp.sqrt(scale)
    spread = (lengths > 0).astype(dtype) / jnp.sqrt(scale)
    shift = shift[None, :]
    inverse = 1 / (1 + shift)
    descent = inverse * rhs
    size = jnp.sum(rhs * descent, axis=1)
    goal = tolerance**2 * size

    def step(state: State) -> State:
        it, basis, images, x, residual, descent, search, size = state
        fresh = jax.random.normal(jax.random.fold_in(normal_key, it), (2, dim), dtype)
        # The descent may lose most of its length when it is projected, and then rounding errors are not small beside
        # the rest: it is projected twice. The normal variates lose little, so once is enough for them.
        both = jnp.concatenate([descent, fresh])
        both = both - _gram_product(both, basis)
        new = _orthonormal_pair(both[:2] - _gram_product(both[:2], basis))
        fresh = both[2:] - jnp.sum(both[2:] * new[:1], axis=1, keepdims=True) * new[:1]
        fresh = fresh.at[1].add(-jnp.sum(fresh[1] * new[1]) * new[1])
        at = 2 * it
        length, width = (jax.lax.dynamic_slice(a, (at,), (2,))[:, None] for a in (lengths, spread))
        # The barrier puts every read of the old basis before the write; without it XLA copies the basis.
        new, rows, basis = jax.lax.optimization_barrier((new, length * new + width * fresh, basis))
        origin = (at, jnp.int32(0))
        basis = jax.lax.dynamic_update_slice(basis, new, origin)
        images = jax.lax.dynamic_update_slice(images, rows, origin)

        product = _gram_product(search, images) + shift * search
        alpha = size / jnp.sum(search * product, axis=1)
        x = x + alpha[:, None] * search
        residual = residual - alpha[:, None] * product
        descent = inverse * residual
        size, before = jnp.sum(residual * descent, axis=1), size
        search = descent + (size / before)[:, None] * search
        return it + 1, basis, images, x, residual, descent, search, size

    def unfinished(last: int, state: State) -> Array:
        return (state[0] < last) & jnp.any(state[-1] > goal)

    nothing = jnp.zeros((0, dim), dtype)
    state = (jnp.int32(0), nothing, nothing, jnp.zeros_like(rhs), rhs, descent, descent, size)
    for last in stages:
        basis, images = (jnp.pad(a, ((0, 2 * last - a.shape[0]), (0, 0))) for a in state[1:3])
        state = jax.lax.while_loop(partial(unfinished, last), step, (state[0], basis, images, *state[3:]))
    return WishartSolution(state[3], jnp.all(state[-1] <= goal), state[1], state[2])


def _row_lengths(key: jax.Array, dof: Float[Array, ""], dim: int, dtype: DTypeLike) -> Float[Array, " rows"]:
    """χ variates of dof, dof - 1, ... degrees of freedom; 0 past min(dof, dim), where all of W is known."""
    row = jnp.arange(2 * MAX_STEPS, dtype=dtype)
    left = jnp.where(row < dim, dof - row, 0.0)
    squares = draw_chi_square(key, jnp.maximum(left, 1.0))
    return jnp.where(left > 0, jnp.sqrt(squares), 0.0)


def _gram_product(vectors: Float[Array, "m d"], rows: Float[Array, "rows d"]) -> Float[Array, "m d"]:
    """rowsᵀ rows v for the rows v of `vectors`; for orthonormal (or zero) `rows` the projection on them."""
    return jnp.matmul(matmul_t(vectors, rows), rows, precision="highest")


def _orthonormal_pair(pair: Float[Array, "2 d"]) -> Float[Array, "2 d"]:
    """The two rows made orthonormal, the first one first."""
    first = _unit(pair[0])
    second = pair[1] - jnp.sum(first * pair[1]) * first
    return jnp.stack([first, _unit(second - jnp.sum(first * second) * first)])


def _unit(vector: Float[Array, " d"]) -> Float[Array, " d"]:
    return vector / jnp.maximum(jnp.linalg.norm(vector), float(jnp.finfo(vector.dtype).tiny))

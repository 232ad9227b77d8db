"""L_gen of one training set from its design, exact in distribution, at a cost that does not depend on N.

In whitened coordinates Δ = Λ^½(θ̂ - θ*), with s = ‖η‖/√N and R̃ = R/√N (see `design`), Eq. 6 becomes

    (R̃ᵀR̃ + ρ Λ⁻¹) Δ = s R̃ᵀu - ρ Λ^(-½) θ*                          N ≥ d
    Δ = Λ R̃ᵀ(R̃ΛR̃ᵀ + ρ I)⁻¹(s u + R̃ Λ^½ θ*) - Λ^½ θ*             N < d

and L_gen = ‖Δ‖². For N ≥ d the condition number of the spectrum does not enter the matrix, so float32 is enough there.
Δ is linear in s, so L_gen is a quadratic in s whose coefficients depend on the design alone: one factorisation
serves every β, every σ_η and every label draw. With solver="eigh" one eigendecomposition serves every
ridge too, at O(d²) for each value: `vmap` over ridge does not repeat what does not depend on it.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.generalization.blocked import gram_solve, matmul_t
from lidjax.generalization.design import Design
from lidjax.ridge import Solver


class NoiseQuadratic(NamedTuple):
    """Coefficients of L_gen = variance·s² - 2·cross·s + bias, s = ‖η‖/√N the root mean square of the training noise."""

    variance: Float[Array, ""]
    cross: Float[Array, ""]
    bias: Float[Array, ""]

    def lgen(self, noise_rms: ArrayLike) -> Float[Array, ""]:
        """L_gen at s = `noise_rms`, with the square completed so that rounding cannot make it negative."""
        vertex = self.cross / self.variance
        floor = jnp.maximum(self.bias - self.cross * vertex, 0.0)
        return self.variance * jnp.square(noise_rms - vertex) + floor


def tall_quadratic(
    design: Design,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    ridge: ArrayLike,
    solver: Solver = "cholesky",
) -> NoiseQuadratic:
    """Coefficients for N ≥ d. "eigh" decomposes A⁻¹Λ⁻¹A⁻ᵀ, A = R̃ᵀ, which is exact as ridge → 0."""
    triangle, u = design
    root = jnp.sqrt(eigenvalues)
    if solver == "cholesky":
        rhs = jnp.stack([jnp.matmul(triangle, u, precision="highest"), ridge * theta / root])
        return noise_quadratic(*gram_solve(triangle, jnp.divide(ridge, eigenvalues), rhs))
    whitener = solve_triangular(triangle, jnp.diag(1 / root), lower=True)
    values, vectors = jnp.linalg.eigh(matmul_t(whitener, whitener), symmetrize_input=False)
    basis = root[:, None] * jnp.matmul(whitener.T, vectors, precision="highest")
    teacher = ridge * jnp.matmul(whitener, theta, precision="highest")
    modes = jnp.matmul(jnp.stack([u, teacher]), vectors, precision="highest") / (1 + ridge * values)[None, :]
    return noise_quadratic(*matmul_t(modes, basis))


def wide_quadratic(
    design: Design,
    *,
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    ridge: ArrayLike,
    solver: Solver = "cholesky",
) -> NoiseQuadratic:
    """Coefficients for N < d. A unit diagonal keeps rows past N without effect. ridge = 0 is the minimum-norm fit."""
    triangle, u = design
    root = jnp.sqrt(eigenvalues)[::-1]
    half = triangle * root[None, :]
    absent = (jnp.diagonal(triangle) == 0).astype(root.dtype)
    rhs = jnp.stack([u, jnp.matmul(half, theta[::-1], precision="highest")])
    if solver == "cholesky":
        weights = gram_solve(half, absent + ridge, rhs)
    else:
        values, vectors = jnp.linalg.eigh(matmul_t(half, half) + jnp.diag(absent), symmetrize_input=False)
        half = matmul_t(vectors.T, half.T)
        weights = jnp.matmul(rhs, vectors, precision="highest") / (values + ridge)[None, :]
    fitted = jnp.matmul(weights, half, precision="highest") * root[None, :]
    return noise_quadratic(fitted[0], root * theta[::-1] - fitted[1])


def noise_quadratic(noise_response: Float[Array, " d"], shrinkage: Float[Array, " d"]) -> NoiseQuadratic:
    """Coefficients for Δ = s·noise_response - shrinkage."""
    return NoiseQuadratic(
        jnp.sum(jnp.square(noise_response)),
        jnp.sum(noise_response * shrinkage),
        jnp.sum(jnp.square(shrinkage)),
    )

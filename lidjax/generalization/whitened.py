"""L_gen of one training set, exact in law, at a cost that does not depend on N.

Write X = Z Λ^½ with Z an N × d standard normal matrix, and Z = Q R. Q is Haar and independent of R,
and R is upper triangular (trapezoidal for N < d) with independent entries (Bartlett):
R_ii ~ χ_{N-i+1} for i ≤ min(N, d), and N(0, 1) to the right of the diagonal. The noise η is independent of Z,
so Qᵀη = ‖η‖ u with u the first min(N, d) coordinates of a uniform point of the sphere in R^N.
With R̃ = R/√N, s = ‖η‖/√N and Δ = Λ^½(θ̂ - θ*), Eq. 6 becomes

    (R̃ᵀR̃ + ρ Λ⁻¹) Δ = s R̃ᵀu - ρ Λ^(-½) θ*,        L_gen = ‖Δ‖².

Δ is linear in s, so L_gen is a quadratic in s whose three coefficients depend on the design alone:
one factorisation serves every β, every σ_η and every label draw.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Array, Float


class NoiseQuadratic(NamedTuple):
    """L_gen = variance·s² - 2·cross·s + bias, s = ‖η‖/√N the root mean square of the training noise."""

    variance: Float[Array, ""]
    cross: Float[Array, ""]
    bias: Float[Array, ""]

    def lgen(self, noise_rms):
        """The value at s, with the square completed so that rounding cannot make it negative."""
        vertex = self.cross / self.variance
        floor = jnp.maximum(self.bias - self.cross * vertex, 0.0)
        return self.variance * jnp.square(noise_rms - vertex) + floor


def quadratic(noise_response, shrinkage) -> NoiseQuadratic:
    """The quadratic of Δ = s·noise_response - shrinkage."""
    return NoiseQuadratic(
        jnp.sum(jnp.square(noise_response)),
        jnp.sum(noise_response * shrinkage),
        jnp.sum(jnp.square(shrinkage)),
    )


class Design(NamedTuple):
    """R̃ (d, d), rows past N zero, and u (d,), zero past N."""

    triangle: Float[Array, "d d"]
    direction: Float[Array, " d"]


def sample_design(key, n, dim: int, dtype) -> Design:
    """Draw R̃ and u for traced `n`; nothing here depends on the spectrum or on the labels."""
    normal_key, diagonal_key, direction_key, rest_key = jax.random.split(key, 4)
    n = jnp.asarray(n, dtype)
    row = jnp.arange(dim, dtype=dtype)
    present = row < n
    dof = jnp.where(present, n - row, 1.0)
    diagonal = jnp.sqrt(2 * jax.random.gamma(diagonal_key, dof / 2, dtype=dtype))
    upper = jnp.triu(jax.random.normal(normal_key, (dim, dim), dtype), 1)
    triangle = jnp.where(present[:, None], upper + jnp.diag(diagonal), 0.0) / jnp.sqrt(n)
    g = jnp.where(present, jax.random.normal(direction_key, (dim,), dtype), 0.0)
    missing = jnp.maximum(n - dim, 0.0)
    rest = jnp.where(
        missing > 0, 2 * jax.random.gamma(rest_key, jnp.maximum(missing, 1.0) / 2, dtype=dtype), 0.0
    )
    return Design(triangle, g / jnp.sqrt(jnp.sum(jnp.square(g)) + rest))


def primal_quadratic(design: Design, *, eigenvalues, theta, ridge) -> NoiseQuadratic:
    """N ≥ d: Cholesky of R̃ᵀR̃ + ρ Λ⁻¹, whose condition number does not contain the spectrum's."""
    r, u = design
    matrix = jnp.matmul(r.T, r, precision="highest") + jnp.diag(ridge / eigenvalues)
    rhs = jnp.stack([jnp.matmul(r.T, u, precision="highest"), ridge * theta / jnp.sqrt(eigenvalues)], axis=1)
    response = cho_solve(cho_factor(matrix, lower=True), rhs)
    return quadratic(response[:, 0], response[:, 1])


def dual_quadratic(design: Design, *, eigenvalues, theta, ridge) -> NoiseQuadratic:
    """N < d: Δ = Λ R̃ᵀ(R̃ Λ R̃ᵀ + ρ I)⁻¹(s u + R̃ Λ^½ θ*) - Λ^½ θ*; rows past N are made inert."""
    r, u = design
    root = jnp.sqrt(eigenvalues)
    half = r * root[None, :]
    absent = jnp.where(jnp.diagonal(r) == 0, 1.0, 0.0).astype(r.dtype)
    matrix = jnp.matmul(half, half.T, precision="highest") + jnp.diag(absent + ridge)
    rhs = jnp.stack([u, jnp.matmul(half, theta, precision="highest")], axis=1)
    weights = cho_solve(cho_factor(matrix, lower=True), rhs)
    fitted = root[:, None] * jnp.matmul(half.T, weights, precision="highest")
    return quadratic(fitted[:, 0], root * theta - fitted[:, 1])

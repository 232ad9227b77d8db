"""Ridgeless regression with N > d: L_gen = ‖η‖² · Beta(d/2, (N-d)/2) / χ²_{N-d+1}, three independent scalars.

Exact in distribution and free of matrices, because with ρ = 0 the spectrum and the teacher drop out.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.generalization.chi_square import draw_chi_square


def ols_noise_gain(key: jax.Array, n: Float[Array, ""], dim: int) -> Float[Array, ""]:
    """One draw of L_gen / ‖η‖² for ordinary least squares, n > dim; it depends on neither spectrum nor teacher.

    Its mean is d / (N (N-d-1)), so E[L_gen] = σ² E[1/τ] d / (N-d-1) for β > 2 and N > d + 1.
    Within 1e-6 of its distribution in total variation (see `chi_square`).
    """
    dof = jnp.stack([jnp.full_like(n, dim), n - dim, n - dim + 1])
    inside, outside, smallest = draw_chi_square(key, dof)
    return inside / (inside + outside) / smallest


def ridgeless_shift(
    n: ArrayLike,
    *,
    eigenvalues: Float[ArrayLike, " d"],
    theta: Float[ArrayLike, " d"],
    noise_variance: ArrayLike,
    ridge: ArrayLike,
) -> Any:
    """Bound of the relative error of the mean of L_gen from leaving out a small `ridge`; infinite for n < d + 4.

    A ridge ρ lowers the variance of the estimate and adds a bias. With W ~ Wishart_d(N), to first and second order in
    ρ, relative to the mean σ²_noise d/(N-d-1) without a ridge,

        2ρ N² (N-d-1) Σλ⁻¹ E[W⁻²]/d    and    ρ² N³ (N-d-1) Σ(θ*²/λ) E[W⁻²]/(d σ²_noise),

    where E[W⁻²] = (N-1)/((N-d)(N-d-1)(N-d-3)) times the identity is exact. It is infinite for N = d + 2 and d + 3: the
    mean does exist there, but it is not linear in a small ridge. The next orders have the opposite signs, so each of
    the two overstates, and their sum bounds the change in either direction. NumPy arguments give a NumPy number.
    """
    arguments = (n, eigenvalues, theta, noise_variance, ridge)
    xp = jnp if any(isinstance(value, jax.Array) for value in arguments) else np
    n, eigenvalues, theta, noise_variance, ridge = (xp.asarray(value) for value in arguments)
    dim = eigenvalues.shape[0]
    n = n * 1.0  # whole numbers overflow
    ridge = xp.minimum(
        ridge, 1e9 * xp.max(eigenvalues)
    )  # where it is not small in any sense, so that nothing overflows
    far = n > dim + 3
    strength = ridge * n * (n - 1) / xp.where(far, (n - dim) * (n - dim - 3), 1.0)
    variance = 2 * strength * xp.mean(1 / eigenvalues)
    bias = ridge * n * strength * xp.mean(theta**2 / eigenvalues)
    noisy = noise_variance > 0
    bias = xp.where(noisy, bias / xp.where(noisy, noise_variance, 1.0), xp.where(bias > 0, xp.inf, 0.0))
    return xp.where(far, variance + bias, xp.inf)

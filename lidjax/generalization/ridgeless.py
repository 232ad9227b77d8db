"""Ridgeless regression with N > d: L_gen = ‖η‖² · Beta(d/2, (N-d)/2) / χ²_{N-d+1}, three independent scalars.

Exact in distribution and free of matrices, because with ρ = 0 the spectrum and the teacher drop out.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
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
    n: float,
    *,
    eigenvalues: Float[np.ndarray, " d"],
    theta: Float[np.ndarray, " d"],
    noise_variance: float,
    ridge: float,
) -> float:
    """Relative error of the mean of L_gen from leaving out a small `ridge`, for n > d + 1; on the host.

    To leading order, with κ = ρN/(N-d-1) (see `deterministic`), a ridge lowers the variance by
    2κN Σλ⁻¹ / (d(N-d-1)) and adds the bias Nκ² Σθ*²/λ, over σ²_noise d. The sum of the two is returned, and
    each of them overstates.
    """
    dim = eigenvalues.shape[0]
    spare = n - dim - 1
    kappa = ridge * n / spare
    variance = 2 * kappa * n * float((1 / eigenvalues).sum()) / (dim * spare)
    bias = n * kappa**2 * float((theta**2 / eigenvalues).sum())
    if bias > 0:
        bias = bias / (noise_variance * dim) if noise_variance > 0 else math.inf
    return variance + bias

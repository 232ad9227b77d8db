"""Ridgeless N > d: L_gen = ‖η‖² · Beta(d/2, (N-d)/2) / χ²_{N-d+1}, three independent scalars and no matrix."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.generalization.chi_square import draw_chi_square


def ols_noise_gain(key, n, dim: int) -> Float[Array, ""]:
    """One draw of L_gen / ‖η‖² for ordinary least squares, n > dim (traced float); free of spectrum and teacher.

    Its mean is d / (N (N-d-1)), so E[L_gen] = σ² E[1/τ] d / (N-d-1) for β > 2 and N > d + 1.
    Within 1e-6 in total variation (see `chi_square`).
    """
    dof = jnp.stack([jnp.full_like(n, dim), n - dim, n - dim + 1])
    inside, outside, smallest = draw_chi_square(key, dof)
    return inside / (inside + outside) / smallest


def scalar_law_shift(n: float, *, eigenvalues, theta, noise_variance: float, ridge: float) -> float:
    """Relative error of the mean of L_gen from leaving out a small `ridge`, for n > d + 1; on the host.

    To leading order, with κ = ρN/(N-d-1) (see `deterministic`): the variance falls by 2κN Σλ⁻¹ / (d(N-d-1)) and the
    bias Nκ² Σθ*²/λ over σ²_noise d is added. The sum of the two is returned; both overstate.
    """
    dim = eigenvalues.shape[0]
    spare = n - dim - 1
    kappa = ridge * n / spare
    variance = 2 * kappa * n * float((1 / eigenvalues).sum()) / (dim * spare)
    bias = n * kappa**2 * float((theta**2 / eigenvalues).sum())
    if bias > 0:
        bias = bias / (noise_variance * dim) if noise_variance > 0 else math.inf
    return variance + bias

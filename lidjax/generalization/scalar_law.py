"""Ridgeless N > d: L_gen = ‖η‖² · Beta(d/2, (N-d)/2) / χ²_{N-d+1}, three independent scalars, no matrix."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def ols_noise_gain(key, n, dim: int, dtype) -> Float[Array, ""]:
    """One draw of L_gen / ‖η‖² for ordinary least squares, n > dim; free of spectrum and teacher.

    Mean d / (N (N-d-1)), so E[L_gen] = σ² E[1/τ] d / (N-d-1) for β > 2 and N > d + 1.
    """
    n = jnp.asarray(n, dtype)
    inside_key, outside_key, smallest_key = jax.random.split(key, 3)

    def chi2(chi2_key, dof):
        return 2 * jax.random.gamma(chi2_key, dof / 2, dtype=dtype)

    inside = chi2(inside_key, jnp.asarray(dim, dtype))
    outside = chi2(outside_key, n - dim)
    return inside / (inside + outside) / chi2(smallest_key, n - dim + 1)

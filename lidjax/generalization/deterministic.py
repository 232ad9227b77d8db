"""Deterministic equivalent of L_gen(N): the mean over training sets, for every N, in O(d) (Eq. 9, 10, 38-40).

κ solves κ (1 - df₁/N) = ρ, with df₁ = Σ λ/(λ+κ), df₂ = Σ λ²/(λ+κ)². Then

    L_gen ≈ [κ² Σ λ θ*²/(λ+κ)² + σ²_noise df₂/N] / (1 - df₂/N),      σ²_noise = σ_η² E[1/τ].

With S = Σ κ/(λ+κ) = d - df₁ the equation is (N-d)₊ + S = (d-N)₊ + Nρ/κ: every term is positive, so
nothing cancels at N = d nor as ρ → 0, and it is solved in log κ.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

STEPS = 100  # the bracket is halved at worst; a handful of steps is the rule


def deterministic_lgen(
    n, *, eigenvalues: Float[Array, "*b d"], theta: Float[Array, "*c d"], noise_variance, ridge
) -> Float[Array, "..."]:
    """Mean L_gen over training sets of `n` instances, to leading order in large d and N.

    `n` > 0 (real), `noise_variance` ≥ 0 and `ridge` ≥ 0 broadcast with each other and with leading axes of
    `eigenvalues` (..., d) and `theta` (..., d). Differentiable in all of them. At n = d and ridge = 0 it is
    +inf unless noise_variance is 0.
    """
    eigenvalues = jnp.asarray(eigenvalues)
    floats = (jnp.asarray(a).astype(eigenvalues.dtype) for a in (n, noise_variance, ridge, theta))
    n, noise_variance, ridge, theta = floats
    return _broadcast(n, noise_variance, ridge, eigenvalues, theta)


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(d),(d)->()")
def _broadcast(n, noise_variance, ridge, eigenvalues, theta):
    kappa = effective_ridge(n, eigenvalues, ridge)
    kept = eigenvalues / (eigenvalues + kappa)
    df2 = jnp.sum(jnp.square(kept))
    bias = jnp.sum(jnp.square(kappa * theta / (eigenvalues + kappa)) * eigenvalues)
    numerator = n * bias + noise_variance * df2
    denominator = _spare_dimensions(n, eigenvalues, ridge, kappa)
    value = numerator / jnp.where(denominator > 0, denominator, 1.0)
    return jnp.where(denominator > 0, value, jnp.where(numerator > 0, jnp.inf, 0.0))


@jax.custom_jvp
def effective_ridge(n, eigenvalues: Float[Array, " d"], ridge) -> Float[Array, ""]:
    """κ, the ridge that an infinite training set would need to shrink as much as `n` instances do.

    Bracketed Newton in log κ, on the logarithm of both sides: at most `STEPS` steps.
    """
    dim, dtype = eigenvalues.shape[0], eigenvalues.dtype
    surplus, deficit = jnp.maximum(n - dim, 0.0), jnp.maximum(dim - n, 0.0)
    tiny = jnp.finfo(dtype).tiny

    def log_ratio(t):
        kappa = jnp.exp(t)
        weight = kappa / (eigenvalues + kappa)
        left, right = surplus + jnp.sum(weight), deficit + n * ridge / kappa
        slope = jnp.sum(weight * (1 - weight)) / left + n * ridge / kappa / right
        return jnp.log(left / right), slope

    def step(_, state):
        low, high, t = state
        value, slope = log_ratio(t)
        low, high = jnp.where(value < 0, t, low), jnp.where(value < 0, high, t)
        newton = t - value / slope
        inside = (newton > low) & (newton < high)
        return low, high, jnp.where(inside, newton, (low + high) / 2)

    interpolates = (ridge == 0) & (n >= dim)  # κ = 0, which has no logarithm
    low = jnp.log(jnp.maximum(jnp.where(deficit > 0, jnp.min(eigenvalues) / dim / 4, ridge), tiny))
    high = jnp.log(ridge + jnp.sum(eigenvalues) / n)
    _, _, t = jax.lax.fori_loop(0, STEPS, step, (low, high, high))
    return jnp.where(interpolates, 0.0, jnp.exp(t))


@effective_ridge.defjvp
def _effective_ridge_jvp(primals, tangents):
    n, eigenvalues, ridge = primals
    dn, deigenvalues, dridge = tangents
    kappa = effective_ridge(n, eigenvalues, ridge)
    weight = kappa / (eigenvalues + kappa)
    change = n * dridge + jnp.sum(jnp.square(weight) * deigenvalues) - (kappa - ridge) * dn
    return kappa, change / _spare_dimensions(n, eigenvalues, ridge, kappa)


def _spare_dimensions(n, eigenvalues, ridge, kappa):
    """N - df₂, as a sum of positive terms on either side of N = d."""
    dim = eigenvalues.shape[0]
    weight = kappa / (eigenvalues + kappa)
    safe = jnp.where(kappa > 0, kappa, 1.0)
    above = (n - dim) + jnp.sum(weight * (2 - weight))
    below = n * ridge / safe + jnp.sum(weight * (1 - weight))
    return jnp.where(n >= dim, above, below)

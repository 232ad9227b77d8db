"""Deterministic equivalent of L_gen(N, P) for a model that is linear in P random features of the d latent ones.

The features are Fᵀx, F (d, P) with independent N(0, 1/P) entries. κ solves

    ρ = κ (1 - df₁/N) (1 - df₁/P),      df_q = Σ (λ/(λ+κ))^q,      df₁ < min(N, P).

With n' = N - df₁, p = P - df₁, D = df₁ - df₂ and w = p/(p+D) the mean over training sets and F is

    L_gen ≈ { N [w κ² Σ b/(λ+κ)² + (1-w) κ Σ b/(λ+κ)] + σ²_noise [df₁²/P + w p df₂/P] } / (n' + w D),    b = λθ*².

κ is the same for (N, P) and (P, N). So is the part without noise if θ*² is the same in every direction, where it is
N P κ D θ*²/(n'p + (n'+p) D); for other teachers it is not. At P → ∞ w is 1, and this is the form of `deterministic`.

Nothing is computed as 1 minus a number near 1. The smaller of n' and p, called A, is the positive root of
A (A + |N-P|) = N P ρ/κ, and with S = d - df₁ = Σ κ/(λ+κ) and m = min(N, P) the equation reads (m-d)₊ + S = (d-m)₊ + A,
or m = df₁ + A, with positive terms only: that of `deterministic` with another last term.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.generalization.bracketed_newton import bracketed_newton


class Shrinkage(NamedTuple):
    """The solution of the equation of κ, and what it leaves of N and of P."""

    kappa: Float[Array, ""]
    spare_instances: Float[Array, ""]
    """N - df₁."""
    spare_share: Float[Array, ""]
    """1 - df₁/P."""


def lgen_at_width(
    n: Float[Array, ""],
    width: Float[Array, ""],
    eigenvalues: Float[Array, " d"],
    theta: Float[Array, " d"],
    multiplicity: Float[Array, " d"],
    noise_variance: Float[Array, ""],
    ridge: Float[Array, ""],
) -> Float[Array, ""]:
    """L_gen for eigenvalues > 0; a direction with `multiplicity` 0 counts as none, and `width` may be infinite."""
    inverse_width = 1 / width
    kappa, spare, share = effective_shrinkage(n, inverse_width, eigenvalues, multiplicity, ridge)
    kept, lost = eigenvalues / (eigenvalues + kappa), kappa / (eigenvalues + kappa)
    df1, df2 = jnp.sum(multiplicity * kept), jnp.sum(multiplicity * jnp.square(kept))
    moving = jnp.sum(multiplicity * lost * kept)
    power = multiplicity * eigenvalues * jnp.square(theta)

    # w = p/(p+D); where both are 0 nothing is shrunk, and w has no effect
    whole = share + inverse_width * moving
    some = whole > 0
    within = jnp.where(some, share / jnp.where(some, whole, 1.0), 1.0)
    beyond = jnp.where(some, inverse_width * moving / jnp.where(some, whole, 1.0), 0.0)
    bias = within * jnp.sum(power * jnp.square(lost)) + beyond * jnp.sum(power * lost)
    gain = inverse_width * jnp.square(df1) + within * share * df2
    numerator = n * bias + noise_variance * gain
    denominator = spare + within * moving
    value = numerator / jnp.where(denominator > 0, denominator, 1.0)
    return jnp.where(denominator > 0, value, jnp.where(numerator > 0, jnp.inf, 0.0))


@jax.custom_jvp
def effective_shrinkage(
    n: Float[Array, ""],
    inverse_width: Float[Array, ""],
    eigenvalues: Float[Array, " d"],
    multiplicity: Float[Array, " d"],
    ridge: Float[Array, ""],
) -> Shrinkage:
    """κ, N - df₁ and 1 - df₁/P. The upper end of the bracket is ρ + Σλ (1/N + 1/P)."""
    dim, dtype = jnp.sum(multiplicity), eigenvalues.dtype
    unlimited = inverse_width == 0
    width = 1 / jnp.where(unlimited, 1.0, inverse_width)
    fewer = jnp.where(unlimited, n, jnp.minimum(n, width))
    inverse_more = jnp.minimum(1 / n, inverse_width)
    gap = jnp.where(unlimited, 1.0, jnp.abs(width - n) * inverse_more)  # |P-N|/max(N, P)
    surplus, deficit = jnp.maximum(fewer - dim, 0.0), jnp.maximum(dim - fewer, 0.0)
    sparse = fewer < dim / 2  # then m would be lost to rounding beside d - df₁

    def smaller_spare(kappa: Array) -> Array:
        """A, as 2 m (ρ/κ) over a sum, so that nothing cancels."""
        penalty = ridge / jnp.where(kappa > 0, kappa, 1.0)
        total = gap + jnp.sqrt(jnp.square(gap) + 4 * fewer * inverse_more * penalty)
        return jnp.where(total > 0, 2 * fewer * penalty / jnp.where(total > 0, total, 1.0), 0.0)

    def log_ratio(t: Array) -> tuple[Array, Array]:
        kappa = jnp.exp(t)
        lost = multiplicity * kappa / (eigenvalues + kappa)
        kept = eigenvalues / (eigenvalues + kappa)
        least = smaller_spare(kappa)
        left = jnp.where(sparse, fewer, surplus + jnp.sum(lost))
        right = least + jnp.where(sparse, jnp.sum(multiplicity * kept), deficit)
        moving = jnp.sum(lost * kept)
        both = gap + 2 * least * inverse_more
        falling = least * (gap + least * inverse_more) / jnp.where(both > 0, both, 1.0)  # -dA/dlog κ
        return jnp.log(left / right), moving / jnp.where(sparse, right, left) + falling / right

    lower = jnp.maximum(ridge, jnp.min(eigenvalues) * deficit / jnp.where(dim > 0, dim, 1.0))
    low = jnp.log(jnp.maximum(lower, jnp.finfo(dtype).tiny)) - 1e-3
    high = jnp.log(ridge + jnp.sum(multiplicity * eigenvalues) * (1 / n + inverse_width)) + 1e-3
    root = bracketed_newton(log_ratio, low, high)
    no_shrinkage = (ridge == 0) & (fewer >= dim)  # κ = 0, which has no logarithm
    kappa = jnp.where(no_shrinkage, 0.0, jnp.exp(root))

    lost = jnp.sum(multiplicity * kappa / (eigenvalues + kappa))
    least = jnp.where(fewer >= dim, (fewer - dim) + lost, smaller_spare(kappa))
    narrow = ~unlimited & (width < n)
    spare = jnp.where(narrow, least + (n - width), least)
    share = jnp.where(narrow, least * inverse_width, least * inverse_width + gap)
    return Shrinkage(kappa, spare, share)


@effective_shrinkage.defjvp
def _effective_shrinkage_jvp(
    primals: tuple[Array, Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array, Array]
) -> tuple[Shrinkage, Shrinkage]:
    """Derivatives from that of the equation: smooth through N = P, which the loop and A are not."""
    n, inverse_width, eigenvalues, multiplicity, _ = primals
    n_dot, inverse_width_dot, eigenvalues_dot, multiplicity_dot, ridge_dot = tangents
    solution = effective_shrinkage(*primals)
    kappa, spare, share = solution
    lost, kept = kappa / (eigenvalues + kappa), eigenvalues / (eigenvalues + kappa)
    df1 = jnp.sum(multiplicity * kept)
    moving = jnp.sum(multiplicity * lost * kept)
    # change of df₁ at fixed κ, times κ; it has no other singularity at κ = 0
    at_kappa = jnp.sum(multiplicity * jnp.square(lost) * eigenvalues_dot) + kappa * jnp.sum(
        kept * multiplicity_dot
    )
    change = n * ridge_dot - kappa * share * (df1 / n) * n_dot + kappa * spare * df1 * inverse_width_dot
    change += (share + spare * inverse_width) * at_kappa
    rate = spare * share + moving * (share + spare * inverse_width)
    kappa_dot = change / rate
    rising = jnp.sum(multiplicity * eigenvalues / jnp.square(eigenvalues + kappa))
    df1_dot = (
        jnp.sum(multiplicity * kappa / jnp.square(eigenvalues + kappa) * eigenvalues_dot)
        + jnp.sum(kept * multiplicity_dot)
        - rising * kappa_dot
    )
    return solution, Shrinkage(kappa_dot, n_dot - df1_dot, -df1 * inverse_width_dot - inverse_width * df1_dot)

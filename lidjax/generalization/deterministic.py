"""Deterministic equivalent of L_gen(N): the mean over training sets, for every N, in O(d) (Eq. 9, 10, 38-40).

Without a limit on the width (`finite_width` has the other case) κ solves κ (1 - df₁/N) = ρ, with df₁ = Σ λ/(λ+κ) and
df₂ = Σ λ²/(λ+κ)². Then

    L_gen ≈ [κ² Σ λ θ*²/(λ+κ)² + σ²_noise df₂/N] / (1 - df₂/N),      σ²_noise = σ_η² E[1/τ].

No quantity is computed as 1 minus a number near 1. With S = d - df₁ = Σ κ/(λ+κ) the equation reads
(N-d)₊ + S = (d-N)₊ + Nρ/κ, or N = df₁ + Nρ/κ, with positive terms only. It is solved in log κ, and stays
well conditioned at N = d and as ρ → 0.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, Range, checked
from lidjax.generalization.bracketed_newton import bracketed_newton
from lidjax.generalization.finite_width import lgen_at_width


def deterministic_lgen(
    n: ArrayLike,
    *,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    noise_variance: ArrayLike,
    ridge: ArrayLike,
    multiplicity: ArrayLike | None = None,
    width: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """Mean of L_gen over training sets of `n` instances, to leading order in large d, N and P.

    Against simulated means at d = 100 it is within 1-3 %. At small d near n = d, or with ridge → 0 there, it is
    too low: for least squares it has d/(n-d) where the exact mean has d/(n-d-1). The solution κ is accurate to 1e-12
    relative in float64. The function is compiled when it is called; it may be called under `jit` and `vmap`, and
    differentiated in every argument to any order.

    With `width` the model is not linear in the d features x but in P = `width` random features Fᵀx, F with independent
    N(0, 1/P) entries, and the mean is over F too (see `sample_lgen`). P → ∞ gives the value without `width`. The error
    at n = P has the form of that at n = d.

    Args:
        n: training sizes N > 0, finite, real.
        eigenvalues: variances of the features λ ≥ 0, finite, (..., d). The result has their dtype; integers become the
            default float. A direction of variance 0 has no effect and does not count as one of the d.
        theta: teacher θ* in the eigenbasis of the features, finite, (..., d).
        noise_variance: variance of the label noise, σ_η² E[1/τ] ≥ 0 (see `mean_inverse_precision`); it may be infinite.
        ridge: ρ ≥ 0, finite, the penalty on the mean squared error.
        multiplicity: number of equal modes that each of the d modes stands for, (..., d), > 0, finite; one by default.
            Then `theta` is the coefficient of each of them.
        width: number of random features P > 0, real; it may be infinite. None is the model of the d features.

    Returns:
        Mean of L_gen, in squared units of the labels. Its shape is that of `n`, `noise_variance`, `ridge`, `width` and
        the leading axes of `eigenvalues`, `theta` and `multiplicity`, which broadcast. At n = d with ridge = 0 the
        value is +inf, or 0 without noise; with a width P < d the same holds at n = P, where the part of the teacher
        that P features miss is noise too. It is NaN where a traced argument is out of its range.

    Raises:
        InputError: if a shape does not fit, or a value is known and out of its range.

    References:
        Eq. 9, 10 and 38-40; with `width` Maloney, Roberts and Sully, arXiv:2210.16859. The forms without cancellation
        were derived for this project; they are checked against mpmath and simulated means in
        tests/generalization/test_deterministic.py and test_finite_width.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(20, 0.5), "theta": lidjax.power_law_teacher(20)}
        >>> lgen = lidjax.deterministic_lgen(jnp.array([10, 100]), **model, noise_variance=0.1, ridge=0.0)
        >>> round(float(lgen[1]), 4)  # least squares: 0.1 d/(n-d)
        0.025
    """
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("...", "d"))
    last, dtype = ("...", eigenvalues.shape[-1]), eigenvalues.dtype
    if multiplicity is None:
        multiplicity = jnp.ones_like(eigenvalues)
    theta = checked("theta", theta, FINITE, shape=last, dtype=dtype)
    multiplicity = checked("multiplicity", multiplicity, POSITIVE, shape=last, dtype=dtype)
    vectors = [eigenvalues, theta, multiplicity]
    scalars = [
        checked("n", n, POSITIVE, dtype=dtype),
        checked("noise_variance", noise_variance, Range("at least 0", lambda x: x >= 0), dtype=dtype),
        checked("ridge", ridge, NOT_NEGATIVE, dtype=dtype),
    ]
    kernel = _batched
    if width is not None:
        scalars.append(checked("width", width, Range("greater than 0", lambda x: x > 0), dtype=dtype))
        kernel = _batched_at_width
    batch = jnp.broadcast_shapes(*(a.shape for a in scalars), *(a.shape[:-1] for a in vectors))
    scalars = [jnp.broadcast_to(a, batch) for a in scalars]
    leading = [(1,) * (len(batch) - a.ndim + 1) for a in vectors]
    return kernel(*scalars, *(a.reshape(ones + a.shape) for a, ones in zip(vectors, leading, strict=True)))


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(d),(d),(d)->()")
def _batched(
    n: Array, noise_variance: Array, ridge: Array, eigenvalues: Array, theta: Array, multiplicity: Array
) -> Array:
    invalid = jnp.isnan(n + noise_variance + ridge) | jnp.any(jnp.isnan(eigenvalues + theta + multiplicity))
    multiplicity = jnp.where(eigenvalues > 0, multiplicity, 0.0)  # a direction without variance is none
    eigenvalues = jnp.where(eigenvalues > 0, eigenvalues, 1.0)
    ridge = jnp.minimum(ridge, largest_ridge(eigenvalues))
    kappa = effective_ridge(n, eigenvalues, multiplicity, ridge)
    kept = eigenvalues / (eigenvalues + kappa)
    df2 = jnp.sum(multiplicity * jnp.square(kept))
    bias = jnp.sum(multiplicity * jnp.square(kappa * theta / (eigenvalues + kappa)) * eigenvalues)
    numerator = n * bias + noise_variance * df2
    denominator = _spare_dimensions(n, eigenvalues, multiplicity, ridge, kappa)
    value = numerator / jnp.where(denominator > 0, denominator, 1.0)
    value = jnp.where(denominator > 0, value, jnp.where(numerator > 0, jnp.inf, 0.0))
    return jnp.where(invalid, jnp.nan, value)


@jax.jit
@partial(jnp.vectorize, signature="(),(),(),(),(d),(d),(d)->()")
def _batched_at_width(
    n: Array,
    noise_variance: Array,
    ridge: Array,
    width: Array,
    eigenvalues: Array,
    theta: Array,
    multiplicity: Array,
) -> Array:
    invalid = jnp.isnan(n + noise_variance + ridge + width)
    invalid |= jnp.any(jnp.isnan(eigenvalues + theta + multiplicity))
    multiplicity = jnp.where(eigenvalues > 0, multiplicity, 0.0)  # a direction without variance is none
    eigenvalues = jnp.where(eigenvalues > 0, eigenvalues, 1.0)
    ridge = jnp.minimum(ridge, largest_ridge(eigenvalues))
    value = lgen_at_width(n, width, eigenvalues, theta, multiplicity, noise_variance, ridge)
    return jnp.where(invalid, jnp.nan, value)


def largest_ridge(eigenvalues: Float[Array, " d"]) -> Float[Array, ""]:
    """A ridge beyond which L_gen is that of θ̂ = 0 to the last digit. Larger ones are replaced by it: their products
    with N and with 1/λ may overflow."""
    return jnp.max(eigenvalues) * (1e4 / float(jnp.finfo(eigenvalues.dtype).eps))


@jax.custom_jvp
def effective_ridge(
    n: ArrayLike, eigenvalues: Float[Array, " d"], multiplicity: Float[Array, " d"], ridge: ArrayLike
) -> Float[Array, ""]:
    """κ, the ridge at which an infinite training set would shrink θ̂ as much as `n` instances with `ridge` do.

    By bracketed Newton steps in log κ on the difference of the logarithms of the two sides. The upper end of the
    bracket is ρ + Σλ/N, the lower end the larger of ρ and λ_min (1 - N/d).
    """
    dim, dtype = jnp.sum(multiplicity), eigenvalues.dtype
    surplus, deficit = jnp.maximum(n - dim, 0.0), jnp.maximum(dim - n, 0.0)
    sparse = n < dim / 2  # then N would be lost to rounding beside d - df₁

    def log_ratio(t: Array) -> tuple[Array, Array]:
        kappa = jnp.exp(t)
        lost = multiplicity * kappa / (eigenvalues + kappa)
        kept = eigenvalues / (eigenvalues + kappa)
        penalty = n * ridge / kappa
        left = jnp.where(sparse, n, surplus + jnp.sum(lost))
        right = penalty + jnp.where(sparse, jnp.sum(multiplicity * kept), deficit)
        moving = jnp.sum(lost * kept)
        return jnp.log(left / right), moving / jnp.where(sparse, right, left) + penalty / right

    lower = jnp.maximum(ridge, jnp.min(eigenvalues) * deficit / jnp.where(dim > 0, dim, 1.0))
    low = jnp.log(jnp.maximum(lower, jnp.finfo(dtype).tiny)) - 1e-3
    high = jnp.log(ridge + jnp.sum(multiplicity * eigenvalues) / n) + 1e-3
    root = bracketed_newton(log_ratio, low, high)
    no_shrinkage = (ridge == 0) & (n >= dim)  # κ = 0, which has no logarithm
    return jnp.where(no_shrinkage, 0.0, jnp.exp(root))


@effective_ridge.defjvp
def _effective_ridge_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    """Derivative of κ from that of its equation, so that the loop is not differentiated."""
    n, eigenvalues, multiplicity, ridge = primals
    n_dot, eigenvalues_dot, multiplicity_dot, ridge_dot = tangents
    kappa = effective_ridge(n, eigenvalues, multiplicity, ridge)
    lost, kept = kappa / (eigenvalues + kappa), eigenvalues / (eigenvalues + kappa)
    change = n * ridge_dot - (kappa - ridge) * n_dot
    change += jnp.sum(multiplicity * jnp.square(lost) * eigenvalues_dot) + kappa * jnp.sum(
        kept * multiplicity_dot
    )
    return kappa, change / _spare_dimensions(n, eigenvalues, multiplicity, ridge, kappa)


def _spare_dimensions(
    n: ArrayLike, eigenvalues: Array, multiplicity: Array, ridge: ArrayLike, kappa: Array
) -> Array:
    """N - df₂ as a sum of positive terms, on either side of N = d."""
    lost, kept = kappa / (eigenvalues + kappa), eigenvalues / (eigenvalues + kappa)
    penalty = n * ridge / jnp.where(kappa > 0, kappa, 1.0)
    dim = jnp.sum(multiplicity)
    above = (n - dim) + jnp.sum(multiplicity * lost * (1 + kept))
    below = penalty + jnp.sum(multiplicity * lost * kept)
    return jnp.where(n >= dim, above, below)

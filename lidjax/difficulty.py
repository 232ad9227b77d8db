"""Priors on the latent precision τ of an instance (Def. 3.1, item 2), and the label noise that they make.

Both priors have P(τ ≤ t) ∝ t^(β/2) near zero. The intrinsic exponent β depends on nothing else:

    gamma   τ ~ Gamma(β/2, rate 1), the paper's prior (Eq. 1); unbounded above
    power   τ = U^(2/β) on (0, 1], U uniform: the simplest bounded prior with the same index

They differ in the upper tail, which decides how pass@k behaves at finite N. With τ ≤ 1 the finite-N tail is a power
law of exponent γ = σ²/L_gen; with the gamma prior it falls more slowly than every power.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaln
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import NOT_NEGATIVE, POSITIVE, as_float, checked
from lidjax.errors import check_choice

Difficulty = Literal["gamma", "power"]
"""Name of a prior."""

SMALL_TAU = 0.1
"""Below it the distribution function of the gamma prior is summed as a series, above it `gammainc` serves."""
SERIES_TERMS = 12
"""Of that series: the next term is below 1e-20 of the sum."""


def check_difficulty(difficulty: str) -> None:
    """Raise InputError unless `difficulty` names a prior."""
    check_choice("difficulty =", difficulty, get_args(Difficulty))


def sample_precision(
    key: jax.Array, beta: ArrayLike, shape: tuple[int, ...], difficulty: Difficulty = "gamma"
) -> Float[Array, "..."]:
    """Draw latent precisions τ from the prior.

    Draws keep the tail near zero for small β: they are made as logarithms, where a gamma variable itself would round
    to 0. A draw is exactly 0 only where it is below the smallest float.

    Args:
        key: JAX random key.
        beta: tail index β > 0, finite, scalar; the result has its dtype.
        shape: shape of the result.
        difficulty: prior, "gamma" (Eq. 1) or "power" (bounded by 1).

    Returns:
        Precisions of the given shape, ≥ 0; NaN where a traced `beta` is out of range.

    Raises:
        InputError: if `difficulty` is not known, or beta is not a single number in its range.

    References:
        Definition 3.1, item 2; Eq. 1.

    Example:
        >>> import jax
        >>> import lidjax
        >>> tau = lidjax.sample_precision(jax.random.key(0), 2.5, (100_000,))
        >>> round(float(tau.mean()), 2)  # β/2
        1.25
    """
    check_difficulty(difficulty)
    beta = checked("beta", beta, POSITIVE, shape=())
    if difficulty == "gamma":
        return jnp.exp(jax.random.loggamma(key, beta / 2, shape, dtype=beta.dtype))
    return jnp.exp(-jax.random.exponential(key, shape, beta.dtype) * 2 / beta)


def sample_label_noise(
    key: jax.Array,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    shape: tuple[int, ...],
    difficulty: Difficulty = "gamma",
) -> Float[Array, "..."]:
    """Draw label noise η | τ ~ N(0, σ_η²/τ) with τ from the prior: what one label adds to its mean.

    For the gamma prior η is σ_η √(2/β) times a Student-t variable with β degrees of freedom. It is drawn by Bailey's
    polar form, η = σ_η √2 · √(U^(-2/β) - 1) · cos 2πV, which needs no rejection. The uniforms U and V do not depend on
    β, so one key serves every β. The whole tail lies at U → 0; log U is drawn as minus an exponential variable, which
    keeps it.

    Args:
        key: JAX random key.
        beta: tail index β > 0, finite, scalar; the result has its dtype.
        sigma_eta: noise scale σ_η ≥ 0, finite, in the unit of the labels, scalar.
        shape: shape of the result.
        difficulty: prior on τ, "gamma" (Eq. 1) or "power" (bounded by 1).

    Returns:
        Noise of the given shape, in the unit of `sigma_eta`; infinite where it is larger than the largest float, which
        takes β well below 1, and NaN where a traced argument is out of range.

    Raises:
        InputError: if `difficulty` is not known, or beta or sigma_eta is not a single number in its range.

    References:
        Eq. 3; Bailey, Mathematics of Computation 62 (1994) 779. That the noise is Student-t was derived for this
        project and is checked in tests/test_difficulty.py.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> noise = lidjax.sample_label_noise(jax.random.key(0), 8.0, 0.3, (100_000,))
        >>> round(float(noise.var() / (0.3**2 * lidjax.mean_inverse_precision(8.0))), 1)
        1.0
    """
    check_difficulty(difficulty)
    beta = checked("beta", beta, POSITIVE, shape=())
    sigma_eta = checked("sigma_eta", sigma_eta, NOT_NEGATIVE, shape=(), dtype=beta.dtype)
    return draw_label_noise(key, beta, sigma_eta, shape, difficulty)


def draw_label_noise(
    key: jax.Array,
    beta: Float[Array, ""],
    sigma_eta: Float[Array, ""],
    shape: tuple[int, ...],
    difficulty: Difficulty,
) -> Float[Array, "..."]:
    """`sample_label_noise` for kernels: arguments are of one dtype, and not checked."""
    tail_key, angle_key = jax.random.split(key)
    log_inverse_u = jax.random.exponential(tail_key, shape, beta.dtype)
    if difficulty == "gamma":
        angle = jax.random.uniform(angle_key, shape, beta.dtype, maxval=2 * jnp.pi)
        radius = jnp.sqrt(2 * jnp.expm1(2 / beta * log_inverse_u))
        noise = jnp.multiply(sigma_eta, radius) * jnp.cos(angle)
    else:
        scale = jnp.multiply(sigma_eta, jnp.exp(log_inverse_u / beta))
        noise = scale * jax.random.normal(angle_key, shape, beta.dtype)
    return jnp.where(sigma_eta == 0, 0.0, noise)  # also where the noise of unit scale is infinite


def mean_inverse_precision(beta: ArrayLike, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """E[1/τ] under the prior: 2/(β-2) for gamma, β/(β-2) for power.

    Times σ_η² it is the variance of the label noise, which is infinite for β ≤ 2.

    Args:
        beta: tail index β > 0, finite, of any shape.
        difficulty: prior on τ, "gamma" (Eq. 1) or "power" (bounded by 1).

    Returns:
        Means of the shape of `beta`; infinite for β ≤ 2, and NaN where a traced `beta` is out of range.

    Raises:
        InputError: if `difficulty` is not known, or a value of beta is out of range.

    References:
        Eq. 4.

    Example:
        >>> import lidjax
        >>> float(lidjax.mean_inverse_precision(2.5)), float(lidjax.mean_inverse_precision(2.5, "power"))
        (4.0, 5.0)
    """
    check_difficulty(difficulty)
    beta = checked("beta", beta, POSITIVE)
    numerator = jnp.full_like(beta, 2.0) if difficulty == "gamma" else beta
    infinite = beta <= 2  # false for NaN
    return jnp.where(infinite, jnp.inf, numerator / jnp.where(infinite, 1.0, beta - 2))


def log_precision_density(
    log_tau: ArrayLike, beta: ArrayLike, difficulty: Difficulty = "gamma"
) -> Float[Array, "..."]:
    """Log density of log τ (not of τ) at `log_tau`; -inf outside the support. Arguments of one shape, or scalars."""
    check_difficulty(difficulty)
    log_tau, beta = as_float(log_tau), as_float(beta)
    if difficulty == "gamma":
        return beta / 2 * log_tau - jnp.exp(log_tau) - gammaln(beta / 2)
    return jnp.where(log_tau > 0, -jnp.inf, beta / 2 * log_tau + jnp.log(beta / 2))


def log_precision_cdf(
    log_tau: ArrayLike, beta: ArrayLike, difficulty: Difficulty = "gamma"
) -> Float[Array, "..."]:
    """log P(τ ≤ e^log_tau), which holds where P is below the smallest float. Arguments of one shape, or scalars."""
    check_difficulty(difficulty)
    log_tau, beta = as_float(log_tau), as_float(beta)
    shape = beta / 2
    if difficulty == "power":
        return jnp.minimum(shape * log_tau, 0)
    tau = jnp.exp(log_tau)
    small = tau < SMALL_TAU
    x = jnp.where(small, tau, SMALL_TAU)
    series, term = jnp.ones_like(x), jnp.ones_like(x)
    for i in range(1, SERIES_TERMS):
        term = term * x / (shape + i)
        series = series + term
    by_series = shape * log_tau - x - gammaln(shape + 1) + jnp.log(series)
    return jnp.where(small, by_series, jnp.log(gammainc(shape, jnp.where(small, 1, tau))))

"""Priors on the latent precision τ (Def. 3.1, item 2) and the label noise they make.

Both priors have P(τ ≤ t) ∝ t^(β/2) near zero, the only thing the intrinsic exponent β depends on:

    gamma   τ ~ Gamma(β/2, rate 1), the paper's prior (Eq. 1); unbounded above
    power   τ = U^(2/β) on (0, 1], the simplest bounded prior with the same index

They differ in the upper tail, which decides the pass@k law at finite N: with τ ≤ 1 the finite-N
tail is a power law with γ = σ²/L_gen, with the gamma prior it is slower than every power.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaincc, gammaln
from jaxtyping import Array, Float

from lidjax.arrays import as_float

Difficulty = Literal["gamma", "power"]


def check_difficulty(difficulty: str) -> None:
    """Raise ValueError unless `difficulty` names a prior."""
    if difficulty not in get_args(Difficulty):
        allowed = ", ".join(get_args(Difficulty))
        raise ValueError(f"difficulty={difficulty!r} is not a prior on the precision; allowed: {allowed}")


def sample_precision(key, beta, shape, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """Draw latent precisions τ, Eq. 1.

    `beta` is a scalar array > 0 and sets the dtype; `shape` is the shape of the result.
    `jax.random.loggamma` keeps the near-zero tail for small β, where `gamma` itself would round to 0.
    """
    check_difficulty(difficulty)
    beta = as_float(beta)
    if difficulty == "gamma":
        return jnp.exp(jax.random.loggamma(key, beta / 2, shape, dtype=beta.dtype))
    return jnp.exp(-jax.random.exponential(key, shape, beta.dtype) * 2 / beta)


def sample_label_noise(key, beta, sigma_eta, shape, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """Draw η | τ ~ N(0, σ_η²/τ) with τ from the prior, Eq. 3: what one training label adds to its mean.

    For the gamma prior η is σ_η √(2/β) times a Student-t variable with β degrees of freedom, drawn by
    Bailey's polar form (Math. Comp. 62 (1994) 779), which needs no rejection:
    η = σ_η √2 · √(U^(-2/β) - 1) · cos 2πV. The uniforms do not depend on β, so one key serves every β.
    The whole tail sits at U → 0: log U is drawn as minus an exponential variable, which keeps it.
    """
    check_difficulty(difficulty)
    beta = as_float(beta)
    tail_key, angle_key = jax.random.split(key)
    log_inverse_u = jax.random.exponential(tail_key, shape, beta.dtype)
    if difficulty == "gamma":
        angle = jax.random.uniform(angle_key, shape, beta.dtype, maxval=2 * jnp.pi)
        radius = jnp.sqrt(2 * jnp.expm1(2 / beta * log_inverse_u))
        return sigma_eta * radius * jnp.cos(angle)
    return sigma_eta * jnp.exp(log_inverse_u / beta) * jax.random.normal(angle_key, shape, beta.dtype)


def mean_inverse_precision(beta, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """E[1/τ], Eq. 4: 2/(β-2) for gamma, β/(β-2) for power; infinite for β ≤ 2."""
    check_difficulty(difficulty)
    beta = as_float(beta)
    numerator = jnp.full_like(beta, 2.0) if difficulty == "gamma" else beta
    finite = beta > 2
    return jnp.where(finite, numerator / jnp.where(finite, beta - 2, 1.0), jnp.inf)


def log_precision_density(log_tau, beta, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """Log density of log τ (not of τ) at `log_tau`; -inf outside the support. Arguments of one rank."""
    check_difficulty(difficulty)
    log_tau, beta = jnp.broadcast_arrays(as_float(log_tau), as_float(beta))
    if difficulty == "gamma":
        return beta / 2 * log_tau - jnp.exp(log_tau) - gammaln(beta / 2)
    return jnp.where(log_tau <= 0, beta / 2 * log_tau + jnp.log(beta / 2), -jnp.inf)


def precision_cdf(tau, beta, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """P(τ' ≤ τ) under the prior."""
    check_difficulty(difficulty)
    tau, beta = jnp.broadcast_arrays(as_float(tau), as_float(beta))
    if difficulty == "gamma":
        return gammainc(beta / 2, tau)
    return jnp.clip(tau, 0, 1) ** (beta / 2)


def precision_survival(tau, beta, difficulty: Difficulty = "gamma") -> Float[Array, "..."]:
    """P(τ' > τ) under the prior, accurate where it is small."""
    check_difficulty(difficulty)
    tau, beta = jnp.broadcast_arrays(as_float(tau), as_float(beta))
    if difficulty == "gamma":
        return gammaincc(beta / 2, tau)
    return -jnp.expm1(beta / 2 * jnp.log(jnp.clip(tau, 0, 1)))

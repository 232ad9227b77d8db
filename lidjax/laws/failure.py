"""pass@k failure at finite N from the tails of the single-trial success S, with every constant (Eq. 17 = Eq. 54)."""

import jax.numpy as jnp
from jax.scipy.special import gammaln

from lidjax.arrays import broadcast_floats
from lidjax.difficulty import Difficulty
from lidjax.laws.finite_n import log_finite_n_tail
from lidjax.laws.intrinsic import intrinsic_amplitude, intrinsic_failure

EULER_GAMMA = 0.5772156649015329


def threshold_to_failure(log_cdf, exponent):
    """log L_inf(k) from log P(S ≤ e^-γ_E/k) and the local exponent g there: add log Γ(1 + g) + γ_E g.

    (1 - S)^k acts like a threshold at s = E/k with E exponential, and e^-γ_E is the geometric mean of E. The correction
    makes a pure power exact (Cor. C.3) and vanishes for a slowly varying tail, where the plain threshold is enough.
    """
    return log_cdf + gammaln(1 + exponent) + EULER_GAMMA * exponent


def finite_n_failure(k, lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False):
    """Finite-N part of L_inf(k; N), the second term of Eq. 17, with its prefactor. Arguments broadcast.

    For the power prior it is C2 k^-γ with γ = σ²/L_gen and a slowly varying C2; for the gamma prior the stretched law.
    NaN where k is too small for the asymptotics (no saddle).
    """
    k, lgen, beta, delta, sigma_eta = broadcast_floats(k, lgen, beta, delta, sigma_eta)
    model = {"beta": beta, "delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty}
    tail = log_finite_n_tail(-EULER_GAMMA - jnp.log(k), lgen, **model)
    value = threshold_to_failure(tail.log_tail, tail.exponent)
    return value if log else jnp.exp(value)


def asymptotic_failure(
    k, lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False
):
    """P̃ k^-β plus the finite-N part: Eq. 17 with every constant known and the right second tail, as k → ∞."""
    k, lgen, beta, delta, sigma_eta = broadcast_floats(k, lgen, beta, delta, sigma_eta)
    model = {"delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty, "log": True}
    value = jnp.logaddexp(intrinsic_failure(k, beta, **model), finite_n_failure(k, lgen, beta=beta, **model))
    return value if log else jnp.exp(value)


def threshold_failure(
    k, lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False
):
    """P(S ≤ e^-γ_E/k), the threshold form of L_inf(k): A s^β plus the finite-N tail, at one s. Arguments broadcast.

    The leading order of `asymptotic_failure` where the tail is slowly varying, so good for the gamma prior beyond the
    crossover only (β = 2.5, δ = 0.5σ, v = 1: 0.93 of the integral at k = 1e6, 0.987 at 1e30). A power k^-g comes out
    wrong by the factor e^(-γ_E g)/Γ(1 + g), which is 0.07 at g = 2.5.
    """
    k, lgen, beta, delta, sigma_eta = broadcast_floats(k, lgen, beta, delta, sigma_eta)
    model = {"delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty}
    log_s = -EULER_GAMMA - jnp.log(k)
    first = intrinsic_amplitude(beta, **model, log=True) + beta * log_s
    value = jnp.logaddexp(first, log_finite_n_tail(log_s, lgen, beta=beta, **model).log_tail)
    return value if log else jnp.exp(value)

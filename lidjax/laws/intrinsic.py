"""Intrinsic tail: what the near-zero tail of the precision alone does to pass@k (Eq. 14-16, 52).

Let P(τ ≤ t) ~ t^(β/2)/Γ(β/2 + 1) for the gamma prior, t^(β/2) for the power prior. At small τ a trial succeeds with
probability s ≈ c_δ √τ, whatever the bias, so P(S ≤ s) has a part A s^β and L_inf(k) a part P̃ k^-β.
"""

import math

import jax.numpy as jnp
from jax.scipy.special import gammaln

from lidjax.arrays import broadcast_floats
from lidjax.difficulty import Difficulty, check_difficulty

_LOG_SQRT_2_OVER_PI = 0.5 * math.log(2 / math.pi)


def window_constant(delta, sigma_eta):
    """c_δ = √(2/π) δ/σ_η of Eq. 14: single-trial success per √τ for small windows and no bias."""
    return math.exp(_LOG_SQRT_2_OVER_PI) * delta / sigma_eta


def small_window_success(bias, tau, *, delta, sigma_eta, log: bool = False):
    """s ≈ c_δ √τ exp(-bias² τ/(2σ_η²)), Eq. 16 = Eq. 51, the small-window form of `success_probability`.

    Leading order in the window: with h = δ√τ/σ and a = |bias|√τ/σ the true s is larger by the factor
    1 + h²(a² - 1)/6 + O(h⁴ (1 + a⁴)), so it needs h ≪ 1 and a·h ≪ 1. The second condition fails in the finite-N tail at
    fixed δ, where a grows without bound. Arguments broadcast; with log=True the logarithm.
    """
    bias, tau, delta, sigma_eta = broadcast_floats(bias, tau, delta, sigma_eta)
    log_s = jnp.log(window_constant(delta, sigma_eta)) + jnp.log(tau) / 2 - (bias / sigma_eta) ** 2 * tau / 2
    return log_s if log else jnp.exp(log_s)


def intrinsic_amplitude(beta, *, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False):
    """A of P(S ≤ s) ~ A s^β, Eq. 52: c_δ^-β/Γ(β/2 + 1) for the gamma prior, c_δ^-β for the power prior.

    Asymptotic in s → 0 along the intrinsic part; the next term is relatively O(s²(1 + L_gen/σ² + 1/c_δ²)).
    """
    check_difficulty(difficulty)
    beta, delta, sigma_eta = broadcast_floats(beta, delta, sigma_eta)
    value = -beta * jnp.log(window_constant(delta, sigma_eta))
    if difficulty == "gamma":
        value = value - gammaln(beta / 2 + 1)
    return value if log else jnp.exp(value)


def tauberian_amplitude(amplitude, exponent):
    """C of L_inf(k) ~ C k^-g given P(S ≤ s) ~ amplitude · s^g: C = amplitude · Γ(g + 1) (Cor. C.3).

    Exact in the limit for any regularly varying tail with index g > 0.
    """
    amplitude, exponent = broadcast_floats(amplitude, exponent)
    return amplitude * jnp.exp(gammaln(exponent + 1))


def intrinsic_prefactor(beta, *, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False):
    """P̃ = Γ(β + 1) A of Eq. 15; for the gamma prior 2Γ(β)/(Γ(β/2) c_δ^β), which is also C1 of Eq. 54."""
    beta, delta, sigma_eta = broadcast_floats(beta, delta, sigma_eta)
    amplitude = intrinsic_amplitude(beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True)
    value = amplitude + gammaln(beta + 1)
    return value if log else jnp.exp(value)


def intrinsic_failure(k, beta, *, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False):
    """L_inf(k) ~ P̃ k^-β, Eq. 15: pass@k failure with no bias (L_gen → 0) as k → ∞. Arguments broadcast.

    Asymptotic: it needs k c_δ ≫ 1 (at β = 2.5, δ = 0.5σ the integral is 0.165 of it at k = 3, 0.986 at k = 300).
    With bias it is the intrinsic part of the two-tail law, and rules for k well below `log_crossover_k`.
    """
    k, beta, delta, sigma_eta = broadcast_floats(k, beta, delta, sigma_eta)
    prefactor = intrinsic_prefactor(beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty, log=True)
    value = prefactor - beta * jnp.log(k)
    return value if log else jnp.exp(value)

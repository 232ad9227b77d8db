"""From the tails of S to L_inf(k) at finite N, and the crossover k_c(N) between the intrinsic and the finite-N part."""

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.laws.finite_n import log_finite_n_tail
from lidjax.laws.intrinsic import intrinsic_failure

EULER_GAMMA = 0.5772156649015329
NUM_NEWTON = 60


def threshold_to_failure(log_cdf, exponent):
    """log L_inf(k) from log P(S ≤ e^-γ_E/k) and the local exponent g there: add log Γ(1 + g) + γ_E g.

    (1 - S)^k acts like a threshold at s = E/k with E exponential, and e^-γ_E is the geometric mean of E. The correction makes
    a pure power exact (Cor. C.3) and vanishes for a slowly varying tail, where the plain threshold is enough.
    """
    return log_cdf + gammaln(1 + exponent) + EULER_GAMMA * exponent


def finite_n_failure(k, lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False):
    """Finite-N part of L_inf(k; N), the second term of Eq. 17, with its prefactor, for either prior. Arguments broadcast.

    For the power prior it is C2 k^-γ with γ = σ²/L_gen and a slowly varying C2; for the gamma prior it is the stretched law. NaN
    where k is too small for the asymptotics (no saddle).
    """
    log_s = -EULER_GAMMA - jnp.log(jnp.asarray(k, dtype=float))
    tail = log_finite_n_tail(log_s, lgen, beta=beta, delta=delta, sigma_eta=sigma_eta, difficulty=difficulty)
    value = threshold_to_failure(tail.log_tail, tail.exponent)
    return value if log else jnp.exp(value)


def asymptotic_failure(k, lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", log: bool = False):
    """P̃ k^-β plus the finite-N part: Eq. 17 with every constant known and the right second tail. Asymptotic in k → ∞."""
    model = {"delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty, "log": True}
    first = intrinsic_failure(k, beta, **model)
    second = finite_n_failure(k, lgen, beta=beta, **model)
    value = jnp.logaddexp(*jnp.broadcast_arrays(first, second))
    return value if log else jnp.exp(value)


def log_crossover_k(lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", leading: bool = False):
    """log k_c(N), where the finite-N part has grown to the intrinsic one: above it the finite-N tail rules. Arguments broadcast.

    Gamma prior: always finite for L_gen > 0; leading=True gives 4/(β² v), v = L_gen/σ², where exp(-2√(log(k)/v)) meets k^-β,
    constants left out (they shift log k_c by tens of percent). Power prior: +inf where γ = σ²/L_gen ≥ β, for then the
    intrinsic tail is the slower one. -inf where the finite-N part is the larger at every k that the asymptotics reach.
    """
    check_difficulty(difficulty)
    lgen, beta, delta, sigma_eta = jnp.broadcast_arrays(*(jnp.asarray(a) for a in (lgen, beta, delta, sigma_eta)))
    v = lgen / sigma_eta**2
    guess = 4 / (beta**2 * v)
    if leading:
        if difficulty != "gamma":
            raise ValueError(f"leading=True is known for difficulty='gamma' only, not {difficulty!r}")
        return guess
    model = {"beta": beta, "delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty}

    def excess(log_k):
        tail = log_finite_n_tail(-EULER_GAMMA - log_k, lgen, **model)
        first = intrinsic_failure(jnp.ones_like(log_k), **model, log=True) - beta * log_k
        return threshold_to_failure(tail.log_tail, tail.exponent) - first, beta - tail.exponent

    # log F is convex in log k: Newton's method from the right comes down to the root and stays right of it.
    def newton(_, log_k):
        value, slope = excess(log_k)
        return jnp.where(slope > 0, log_k - value / slope, -jnp.inf)

    log_k = jax.lax.fori_loop(0, NUM_NEWTON, newton, 20 * guess + 200)
    value, _ = excess(log_k)
    log_k = jnp.where(jnp.abs(value) < 1e-6, log_k, -jnp.inf)
    return log_k if difficulty == "gamma" else jnp.where(v * beta > 1, log_k, jnp.inf)

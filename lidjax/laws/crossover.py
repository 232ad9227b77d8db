"""Crossover k_c(N) between the intrinsic and the finite-N part of L_inf(k; N)."""

import jax
import jax.numpy as jnp

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.laws.arguments import broadcast_floats
from lidjax.laws.failure import EULER_GAMMA, threshold_to_failure
from lidjax.laws.finite_n import log_finite_n_tail
from lidjax.laws.intrinsic import intrinsic_prefactor

NUM_NEWTON = 25  # from a start far to the right it needs about ten


def log_crossover_k(lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", leading: bool = False):
    """log k_c(N), where the finite-N part has grown to the intrinsic one: above it the finite-N tail rules.

    Gamma prior: leading=True gives 4/(β² v), v = L_gen/σ², where exp(-2√(log(k)/v)) meets k^-β, constants
    left out. They are not small: with v = 0.1, β = 2.5, δ = 0.05σ log k_c is 10.94 and not 6.4 (10.88 by
    quadrature, as the k where L_inf is twice P̃ k^-β); with v = 0.01, δ = σ it is 192 and not 64.
    Power prior: +inf where γ = σ²/L_gen ≥ β, for then the intrinsic tail is the slower one.
    -inf where the finite-N part is the larger at every k that the asymptotics reach. Arguments broadcast.
    """
    check_difficulty(difficulty)
    lgen, beta, delta, sigma_eta = broadcast_floats(lgen, beta, delta, sigma_eta)
    v = lgen / sigma_eta**2
    guess = 4 / (beta**2 * v)
    if leading:
        if difficulty != "gamma":
            raise InputError(f"leading=True is known for difficulty='gamma' only, not {difficulty!r}")
        return guess
    model = {"beta": beta, "delta": delta, "sigma_eta": sigma_eta, "difficulty": difficulty}
    log_prefactor = intrinsic_prefactor(**model, log=True)

    def excess(log_k):
        tail = log_finite_n_tail(-EULER_GAMMA - log_k, lgen, **model)
        second = threshold_to_failure(tail.log_tail, tail.exponent)
        return second - (log_prefactor - beta * log_k), beta - tail.exponent

    # log F is convex in log k: Newton's method from the right comes down to the root and stays right of it.
    def newton(_, log_k):
        value, slope = excess(log_k)
        return jnp.where(slope > 0, log_k - value / slope, -jnp.inf)

    log_k = jax.lax.fori_loop(0, NUM_NEWTON, newton, 20 * guess + 200)
    value, _ = excess(log_k)
    tolerance = 1e3 * jnp.finfo(value.dtype).eps * (1 + jnp.abs(log_prefactor) + beta * jnp.abs(log_k))
    log_k = jnp.where(jnp.abs(value) < tolerance, log_k, -jnp.inf)
    return log_k if difficulty == "gamma" else jnp.where(v * beta > 1, log_k, jnp.inf)

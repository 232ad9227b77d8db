"""Crossover k_c(N) between the intrinsic and the finite-N part of L_inf(k; N)."""

from functools import partial

import jax
import jax.numpy as jnp

from lidjax.arrays import broadcast_floats
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError
from lidjax.laws.failure import EULER_GAMMA, threshold_to_failure
from lidjax.laws.finite_n import log_finite_n_tail
from lidjax.laws.intrinsic import intrinsic_prefactor

NUM_NEWTON = 25  # from a start far to the right it needs about ten


def log_crossover_k(lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", leading: bool = False):
    """log k_c(N), where the finite-N part has grown to the intrinsic one: above it the finite-N tail rules.

    Gamma prior: leading=True gives u³(u + δ/σ)/(4v) with β u³ = 4u + 2δ/σ, the limit of v log k_c as v = L_gen/σ² → 0
    (4/(β² v) for small windows). Prefactors, left out there, are not small at reachable v: with v = 0.1, β = 2.5,
    δ = 0.05σ log k_c is 10.94 and not 6.9 (10.88 by quadrature, as the k where L_inf is twice P̃ k^-β). There the
    local exponent steps from β to about 2/u², near β/2, and not through a corner at min{β, γ}.
    Power prior: +inf where γ = σ²/L_gen ≥ β, for then the intrinsic tail is the slower one.
    -inf where the finite-N part is the larger at every k that the asymptotics reach. Arguments broadcast.
    """
    check_difficulty(difficulty)
    lgen, beta, delta, sigma_eta = broadcast_floats(lgen, beta, delta, sigma_eta)
    v = lgen / sigma_eta**2
    if leading:
        if difficulty != "gamma":
            raise InputError(f"leading=True is known for difficulty='gamma' only, not {difficulty!r}")
        return leading_crossover(beta, delta / sigma_eta) / v
    log_k = compiled_crossover(lgen, beta, delta, sigma_eta, difficulty)
    return log_k if difficulty == "gamma" else jnp.where(v * beta > 1, log_k, jnp.inf)


def leading_crossover(beta, window):
    """u³(u + δ')/4 at the root of β u³ = 4u + 2δ', found by Newton's method from the right (convex there)."""

    def newton(_, u):
        return u - (beta * u**3 - 4 * u - 2 * window) / (3 * beta * u**2 - 4)

    u = jax.lax.fori_loop(0, NUM_NEWTON, newton, jnp.sqrt(4 / beta) + (2 * window / beta) ** (1 / 3))
    return u**3 * (u + window) / 4


@partial(jax.jit, static_argnames="difficulty")
def compiled_crossover(lgen, beta, delta, sigma_eta, difficulty: Difficulty):
    """The root of log(finite-N part) - log(intrinsic part) that is farthest right, or -inf."""
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

    far = 5 * leading_crossover(beta, delta / sigma_eta) * sigma_eta**2 / lgen + 200
    log_k = jax.lax.fori_loop(0, NUM_NEWTON, newton, far)
    value, _ = excess(log_k)
    tolerance = 1e3 * jnp.finfo(value.dtype).eps * (1 + jnp.abs(log_prefactor) + beta * jnp.abs(log_k))
    return jnp.where(jnp.abs(value) < tolerance, log_k, -jnp.inf)

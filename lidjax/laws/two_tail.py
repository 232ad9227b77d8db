"""Two-tail law of pass@k failure at finite N (Eq. 17 = Eq. 54 = Eq. 59) and its exponents (Eq. 18, 19)."""

import jax.numpy as jnp

from lidjax.arrays import broadcast_floats


def log_two_tail(log_k, beta, gamma, log_c1, log_c2):
    """log of c1 k^-β + c2 k^-γ, from log k, log c1 and log c2; arguments of one shape or scalars."""
    return jnp.logaddexp(log_c1 - beta * log_k, log_c2 - gamma * log_k)


def two_tail_failure(k, beta, gamma, c1, c2, *, log: bool = False):
    """L_inf(k; N) ≈ c1 k^-β + c2 k^-γ, Eq. 17: an intrinsic tail and a finite-N tail. Arguments broadcast.

    Asymptotic in k → ∞ at fixed N, with c1, c2 constants only if both tails of the single-trial success are
    pure powers: true (up to slowly varying factors) for a bounded precision τ, not for the Gamma prior,
    whose finite-N tail is slower than every power (see `stretched_tail`). With log=True the log of it.
    """
    k, beta, gamma, c1, c2 = broadcast_floats(k, beta, gamma, c1, c2)
    value = log_two_tail(jnp.log(k), beta, gamma, jnp.log(c1), jnp.log(c2))
    return value if log else jnp.exp(value)


def finite_n_exponent(lgen, sigma_eta, tau_max=1.0):
    """γ(N) = σ_η²/(τ_max L_gen): the exponent of the finite-N tail when the precision is bounded by τ_max.

    Eq. 18 says γ = Θ(1/L_gen); the constant is derived here. At precision τ the small-window success
    (Eq. 16) at bias B is below s for B² > (2σ_η²/τ) log(c_δ√τ/s), and B ~ N(0, L_gen) makes that
    s^(σ_η²/(τ L_gen)) up to slowly varying factors: the largest τ has the fattest tail. For an unbounded
    precision there is no such exponent. The slowly varying factors, in `log_finite_n_tail`, are
    strong: with v = L_gen/σ² the local exponent at k exceeds 1/v by about (δ/σ)/(v √(2 log k)).
    """
    lgen, sigma_eta, tau_max = broadcast_floats(lgen, sigma_eta, tau_max)
    return sigma_eta**2 / (tau_max * lgen)


def limiting_exponent(beta, gamma):
    """min{β, γ(N)}, Eq. 19: the exponent that rules the two-tail law as k → ∞."""
    return jnp.minimum(*broadcast_floats(beta, gamma))

"""Finite-N tail: instances that fail because the predictor is off, not because their label is noisy.

At precision τ one trial succeeds with probability at most s where |B|/σ ≥ b(τ, s). With B ~ N(0, L_gen) this has
probability 2Q(b/√v), where v = L_gen/σ² and Q is the upper tail of the normal distribution. The tail is
F(s) = E_τ[2Q(b(τ, s)/√v)], and

    τ ≤ 1 (power prior)   2Q is largest at the end τ = 1: F is s^γ, γ = 1/v, up to slowly varying factors
    τ ~ Gamma(β/2, 1)     e^-τ times 2Q has a saddle at τ* ~ √(log(1/s)/v): F ~ exp(-2√(log(1/s)/v))

Both are evaluated by Laplace's method with the exact threshold b. That keeps the prefactor and the effect of the
tolerance δ on the exponent: + √2 (δ/σ) log(1/s)^(1/4) v^(-3/4) for gamma, + (δ/σ) √(2 log(1/s))/v for power. Both are
below the leading term as s → 0, but of its size where log(1/s) ~ 1/v. With a = b√τ, h = (δ/σ)√τ and s fixed,
da/dh = coth(ah). In the code `width` is δ/σ.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import NOT_NEGATIVE, POSITIVE, Range, checked_floats, or_nan
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.success import log_success_and_miss, mills_ratio

NUM_NEWTON = 12  # heuristic: in the tail (a > 1) the threshold converges in six
NUM_SADDLE = 25  # heuristic: a saddle, where there is one, converges in ten
NEGATIVE = Range("less than 0, and finite", lambda x: (x < 0) & (x > -math.inf))
PROPER_SHARE = Range("between 0 and 1, both left out", lambda x: (x > 0) & (x < 1))
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class FiniteNTail(NamedTuple):
    """log F(s) and its local exponent, of one shape; NaN where the tail has no such form."""

    log_tail: Float[Array, "*batch"]
    """log F(s), the logarithm of the finite-N part of P(S ≤ s)."""
    exponent: Float[Array, "*batch"]
    """g = d log F/d log s, dimensionless."""


def threshold_step(
    a: Float[Array, "..."], h: Float[Array, "..."], log_s: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """One Newton step towards the a at which log s(a, h) = log_s, and the slope -∂ log s/∂a."""
    value = log_success_and_miss(a, h)[0]
    slope = -jnp.expm1(-2 * a * h) * jnp.exp(-0.5 * (a - h) ** 2 - _HALF_LOG_2PI - value)
    return a + (value - log_s) / jnp.where(slope > 0, slope, 1.0), slope


def threshold_start(log_s: Float[Array, "..."], h: Float[Array, "..."]) -> Float[Array, "..."]:
    """A start to the right of the threshold: log s is concave and falls in a, so Newton's method never overshoots."""
    return h + jnp.sqrt(2 * jnp.maximum(-log_s, 0.5))


def bias_threshold(
    log_s: Float[Array, "..."], tau: Float[Array, "..."], width: Float[Array, "..."]
) -> Float[Array, "..."]:
    """a = b√τ at which one trial succeeds with probability s; NaN where s is not reached even without bias."""
    h = width * jnp.sqrt(tau)

    def newton(_: jax.Array, a: Float[Array, "..."]) -> Float[Array, "..."]:
        return threshold_step(a, h, log_s)[0]

    a = jax.lax.fori_loop(0, NUM_NEWTON, newton, threshold_start(log_s, h))
    return jnp.where(log_success_and_miss(jnp.zeros_like(h), h)[0] > log_s, a, jnp.nan)


def log_two_sided(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """log 2Q(x) and the hazard φ(x)/Q(x), x ≥ 0."""
    mills = mills_ratio(x)
    return jnp.log(2 * mills) - 0.5 * x**2 - _HALF_LOG_2PI, 1 / mills


def saddle_slope(
    log_tau: Float[Array, "..."],
    b: Float[Array, "..."],
    v: Float[Array, "..."],
    beta: Float[Array, "..."],
    width: Float[Array, "..."],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """d/d log τ of β/2 log τ - τ + log 2Q(b/√v) at given b, and db/d log τ at fixed s."""
    tau = jnp.exp(log_tau)
    shift = b - width / jnp.tanh(b * width * tau)
    return beta / 2 - tau + log_two_sided(b / jnp.sqrt(v))[1] * shift / (2 * jnp.sqrt(v)), -shift / 2


def gamma_tail(
    log_s: Float[Array, "..."],
    v: Float[Array, "..."],
    beta: Float[Array, "..."],
    width: Float[Array, "..."],
) -> FiniteNTail:
    """Laplace's method at the saddle in log τ.

    At the saddle τ = β/2 + pull, where pull is the slope of log 2Q in log τ. The iteration τ ← √(τ (β/2 + pull)) is
    exact for a pull proportional to 1/τ, which it nearly is.
    """

    def improve(
        _: jax.Array, state: tuple[Float[Array, "..."], Float[Array, "..."]]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        log_tau, a = state
        tau = jnp.exp(log_tau)
        h = width * jnp.sqrt(tau)
        for _threshold_step in range(2):
            a = threshold_step(a, h, log_s)[0]
        balance = saddle_slope(log_tau, a / jnp.sqrt(tau), v, beta, width)[0] + tau  # β/2 + pull
        return (log_tau + jnp.log(jnp.maximum(balance, 1e-3))) / 2, a

    log_tau = 0.5 * jnp.log(jnp.maximum(-log_s, 1.0) / v)
    state = log_tau, threshold_start(log_s, width * jnp.exp(log_tau / 2))
    log_tau, _ = jax.lax.fori_loop(0, NUM_SADDLE, improve, state)
    tau = jnp.exp(log_tau)
    a = bias_threshold(log_s, tau, width)
    b = a / jnp.sqrt(tau)
    slope, b_slope = saddle_slope(log_tau, b, v, beta, width)

    def slope_at(log_tau: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
        return saddle_slope(log_tau, b, v, beta, width)[0]

    _, curvature = jax.jvp(slope_at, (log_tau, b), (jnp.ones_like(log_tau), b_slope))
    log_two_q, hazard = log_two_sided(b / jnp.sqrt(v))
    peak = beta / 2 * log_tau - tau - gammaln(beta / 2) + log_two_q
    is_saddle = (jnp.abs(slope) < 1e-6 * (1 + tau)) & (curvature < 0)
    value = peak + _HALF_LOG_2PI - 0.5 * jnp.log(jnp.where(is_saddle, -curvature, 1.0))
    exponent = hazard / (jnp.sqrt(v * tau) * threshold_step(a, width * jnp.sqrt(tau), log_s)[1])
    return FiniteNTail(jnp.where(is_saddle, value, jnp.nan), jnp.where(is_saddle, exponent, jnp.nan))


def bounded_tail(
    log_s: Float[Array, "..."],
    v: Float[Array, "..."],
    beta: Float[Array, "..."],
    width: Float[Array, "..."],
) -> FiniteNTail:
    """Laplace's method at the end τ = 1 of the power prior, where its density is β/2.

    Away from the end the integrand falls like an exponential of rate `fall` in log τ.
    """
    one = jnp.ones_like(log_s)
    b = bias_threshold(log_s, one, width)
    log_two_q, hazard = log_two_sided(b / jnp.sqrt(v))
    fall = hazard * (b - width / jnp.tanh(b * width)) / (2 * jnp.sqrt(v)) + beta / 2
    largest_at_end = fall > beta / 2
    value = jnp.log(beta / 2) + log_two_q - jnp.log(jnp.where(largest_at_end, fall, 1.0))
    exponent = hazard / (jnp.sqrt(v) * threshold_step(b, width * one, log_s)[1])
    return FiniteNTail(
        jnp.where(largest_at_end, value, jnp.nan), jnp.where(largest_at_end, exponent, jnp.nan)
    )


def log_finite_n_tail(
    log_s: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
) -> FiniteNTail:
    """log of the finite-N part of P(S ≤ s) from log s, with its local exponent.

    Error of the tail F, measured against quadrature for β from 0.5 to 10, δ/σ_η from 0.01 to 1 and L_gen/σ_η² from 0.01
    to 1: within 1.6 % at s = 1e-4 and 0.7 % at 1e-30 for the gamma prior, within 8 % and 1.4 % for the power prior.
    L_gen = 10 σ_η² costs up to 5 %. It needs s well below c_δ of `window_constant`.
    In float32 the relative error of the exponent is about 1e-8 |log s|.

    Args:
        log_s: log s < 0, logarithm of the single-trial success. All arguments but the last broadcast.
        lgen: L_gen > 0, generalisation loss of the predictor, in units of σ_η².
        beta: Tail index β > 0 of the difficulty prior.
        delta: Tolerance δ > 0.
        sigma_eta: Noise scale σ_η > 0, in the unit of δ.
        difficulty: Prior of the precision, "gamma" or "power".

    Returns:
        A `FiniteNTail` of arrays of the broadcast shape; NaN where there is no saddle, i.e. where s is too large.

    Raises:
        InputError: If an argument is not allowed, if shapes do not broadcast, or if `difficulty` is not a prior. A
            traced argument that is not allowed gives NaN.

    References:
        Derived for this project; `tests/laws/test_finite_n.py` compares it with quadrature. Eq. 18 and Eq. 54 have a
        power instead, which holds for a bounded precision.

    Example:
        >>> from lidjax.laws import log_finite_n_tail
        >>> tail = log_finite_n_tail(-1e5, 1.0, beta=4.0, delta=0.2, sigma_eta=1.0, difficulty="power")
        >>> bool(abs(tail.exponent - 1.0) < 0.01)  # γ = σ_η²/L_gen in the limit
        True
    """
    check_difficulty(difficulty)
    log_s, lgen, beta, delta, sigma_eta = checked_floats(
        log_s=(log_s, NEGATIVE),
        lgen=(lgen, or_nan(POSITIVE)),
        beta=(beta, POSITIVE),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    return compiled_tail(log_s, lgen / sigma_eta**2, beta, delta / sigma_eta, difficulty)


@partial(jax.jit, static_argnames="difficulty")
def compiled_tail(
    log_s: Float[Array, "..."],
    v: Float[Array, "..."],
    beta: Float[Array, "..."],
    width: Float[Array, "..."],
    difficulty: Difficulty,
) -> FiniteNTail:
    return (gamma_tail if difficulty == "gamma" else bounded_tail)(log_s, v, beta, width)


def bias_at_saddle(scaled_log: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
    """u solving u³(u + δ/σ) = 4ℓ: the bias over σ of the instances that make the gamma prior's tail, ℓ = v log(1/s).

    Convex and increasing in u, so Newton's method comes down from (4ℓ)^(1/4) without overshooting.
    """

    def newton(_: jax.Array, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return u - (u**3 * (u + width) - 4 * scaled_log) / (4 * u**3 + 3 * u**2 * width)

    return jax.lax.fori_loop(0, NUM_NEWTON, newton, (4 * scaled_log) ** 0.25)


def stretched_tail(
    s: ArrayLike, lgen: ArrayLike, *, sigma_eta: ArrayLike, delta: ArrayLike = 0.0, log: bool = False
) -> Float[Array, "..."]:
    """exp(-2√(log(1/s)/v)), v = L_gen/σ_η²: the finite-N tail P(S ≤ s) of the gamma prior to leading order.

    With `delta` it is the limit v → 0 (large N) at fixed ℓ = v log(1/s), where the tolerance counts at leading order:
    exp(-(u + δ')(2u + δ')/(2v)) with δ' = δ/σ_η and u³(u + δ') = 4ℓ. Its local exponent is 2/u². Both leave prefactors
    out. At reachable s they are factors of a few, and `log_finite_n_tail` keeps them.

    Args:
        s: Success of one trial, 0 < s < 1. All arguments but `log` broadcast.
        lgen: L_gen > 0, generalisation loss of the predictor, in units of σ_η².
        sigma_eta: Noise scale σ_η > 0.
        delta: Tolerance δ ≥ 0, in the unit of σ_η.
        log: Return the logarithm, which stays finite where the tail is below the smallest float.

    Returns:
        The tail or its logarithm, of the broadcast shape.

    Raises:
        InputError: If an argument is not allowed, or if shapes do not broadcast. A traced argument that is not allowed
            gives NaN.

    References:
        Derived for this project, in place of the power law of Eq. 18; `tests/laws/test_finite_n.py` compares it with
        `log_finite_n_tail`.

    Example:
        >>> from lidjax.laws import stretched_tail
        >>> round(float(stretched_tail(1e-4, 1.0, sigma_eta=1.0, log=True)), 4)  # -2 √(4 log 10)
        -6.0697
    """
    s, lgen, sigma_eta, delta = checked_floats(
        s=(s, PROPER_SHARE),
        lgen=(lgen, or_nan(POSITIVE)),
        sigma_eta=(sigma_eta, POSITIVE),
        delta=(delta, NOT_NEGATIVE),
    )
    v, width = lgen / sigma_eta**2, delta / sigma_eta
    u = bias_at_saddle(-jnp.log(s) * v, width)
    value = -(u + width) * (2 * u + width) / (2 * v)
    return value if log else jnp.exp(value)

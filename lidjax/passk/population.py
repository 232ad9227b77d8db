"""Population failure L_inf(k) at fixed training loss, Eq. 13, by quadrature.

Given the predictor, B = xᵀ(θ̂ - θ*) is N(0, V) over test instances, V = L_gen, so that

    L_inf(k) = E_{B ~ N(0, V), τ} [(1 - s(B, τ))^k].

With v = V/σ², ε = δ/σ, a = |B|√τ/σ, h = ε√τ and Y = -log(1 - s), integrating by parts in a at fixed τ gives
two positive terms, the bias-free failure and what bias adds:

    L_inf(k) = ∫ f(τ) e^(-kY(0,h)) dτ  +  ∫ f(τ) ∫₀^∞ erfc(a/√(2vτ)) k |∂Y/∂a| e^(-kY(a,h)) da dτ.

Nothing cancels, so both are computed in logarithms to a few units of rounding, whatever their size. The first
is a trapezoid sum in y(τ) (see `quadrature`), whose tail τ → 0 is geometric and summed in closed form. The
second is a trapezoid sum in y times Gauss-Legendre in a. Node positions depend on the arguments but carry no
gradient: the derivative of the rule is the rule for the derivative.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.quadrature import (
    bias_range,
    coordinate_of,
    graded_legendre,
    log_prior,
    log_rate,
    log_rate_unbiased,
    uniform_nodes,
)
from lidjax.passk.success import mills_ratio

_HALF_LOG_2_OVER_PI = 0.5 * math.log(2 / math.pi)
_LINEAR_V = 1e-12  # below this v what bias adds is v times a constant, to 1e-10 of itself
_BATCH = (
    32  # values of a flattened call that are computed side by side: heuristic, enough to feed vector units
)


class Rule(NamedTuple):
    """Nodes: bias-free integral; τ and a of the bias integral. Parts below e^-depth are left out."""

    free: int
    outer: int
    inner: int
    depth: float


FINE = Rule(256, 192, 48, 28.0)
COARSE = Rule(176, 128, 34, 21.0)  # its distance from FINE is the reported error


class FailureEstimate(NamedTuple):
    """`failure` (or its logarithm) and a bound on its relative error, of the same shape."""

    failure: Float[Array, "..."]
    relative_error: Float[Array, "..."]


def pass_at_k_failure(
    k,
    lgen,
    *,
    beta,
    delta,
    sigma_eta,
    difficulty: Difficulty = "gamma",
    log: bool = False,
    with_error: bool = False,
) -> Float[Array, "..."] | FailureEstimate:
    """Population probability that k independent trials all fail, L_inf(k) = 1 - pass@k, Eq. 13.

    Parameters (they broadcast; scalars in, scalar out)
    ----------
    k          number of trials, real, ≥ 0; measured from 1 to 1e30
    lgen       V, generalization loss of the predictor, ≥ 0 (0: the bias-free limit); V/σ_η² up to 1e4
    beta       tail index of the difficulty prior, 0.1 to 20
    delta      half-width of the window that counts as success, ≥ 0; δ/σ_η from 1e-6 to 10
    sigma_eta  noise scale σ_η > 0: a trial's noise has variance σ_η²/τ
    difficulty prior on τ, "gamma" (Eq. 1) or "power"
    log        return log L_inf, which holds where L_inf is below the smallest float
    with_error return a `FailureEstimate`

    Relative error below 1e-9 over these ranges in float64, derivatives in every argument 1e-6. The reported
    error is the distance to a coarser, shorter rule plus rounding: it bounds the true error with room.
    Cost: 9472 nodes a value, about 1 ms of one core. NaN in gives NaN out; so do negative arguments.
    """
    check_difficulty(difficulty)
    arrays = map(jnp.asarray, (k, lgen, beta, delta, sigma_eta))
    arrays = [x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float) for x in arrays]
    value, error = _failure(*jnp.broadcast_arrays(*arrays), difficulty, with_error)
    value = value if log else jnp.exp(value)
    return FailureEstimate(value, error) if with_error else value


@functools.partial(jax.jit, static_argnames=("difficulty", "with_error"))
def _failure(k, lgen, beta, delta, sigma_eta, difficulty: Difficulty, with_error: bool):
    """log L_inf and its error (or None) for arrays of one shape, a batch of cells at a time."""

    def cell(args):
        k, v, beta, eps = args
        fine = log_failure(k, v, beta, eps, difficulty)
        if not with_error:
            return fine, None
        coarse = log_failure(k, v, beta, eps, difficulty, COARSE)
        rounding = jnp.finfo(fine.dtype).eps * (32 + 4 * jnp.abs(fine))
        return fine, jnp.abs(jnp.expm1(coarse - fine)) + rounding

    args = [x.reshape(-1) for x in (k, lgen / sigma_eta**2, beta, delta / sigma_eta)]
    # Recomputing a cell in the backward pass keeps its 9000 nodes out of memory.
    flat = jax.lax.map(jax.checkpoint(cell), args, batch_size=_BATCH)
    return jax.tree.map(lambda x: x.reshape(k.shape), flat)


def log_failure(k, v, beta, eps, difficulty: Difficulty, rule: Rule = FINE) -> Float[Array, ""]:
    """log L_inf(k) of one cell: v = L_gen/σ², eps = δ/σ, all scalar arrays of one dtype."""
    certain = (k == 0) | (eps == 0)
    k, eps = jnp.where(k == 0, 1, k), jnp.where(eps == 0, 1, eps)
    free = log_bias_free(k, beta, eps, difficulty, rule)
    held = jnp.where(v < _LINEAR_V, _LINEAR_V, v)  # NaN passes; no gradient of √v at 0
    biased = log_added_by_bias(k, held, beta, eps, free, difficulty, rule)
    share = jnp.where(v < _LINEAR_V, v / _LINEAR_V, 1)
    linear = free + jnp.log1p(share * jnp.exp(jnp.minimum(biased - free, 0)))
    value = jnp.where(v < _LINEAR_V, linear, jnp.logaddexp(free, biased))
    return jnp.where(certain, 0, jnp.where(v < 0, jnp.nan, value))


def log_bias_free(k, beta, eps, difficulty: Difficulty, rule: Rule = FINE) -> Float[Array, ""]:
    """log of ∫ f(τ) e^(-kY(0,h)) dτ, the limit v → 0, which tends to Eq. 15 at large k.

    Left of the grid e^(-kY) = 1 - kY to e^-32, the density is e^(βy/2) and Y ∝ e^(y/2): two geometric series.
    """
    log_kc, log_m_end = _scales(k, beta, eps, rule)
    prior_end = 2 * jnp.log(jnp.sqrt(beta / 2) + math.sqrt(rule.depth)) if difficulty == "gamma" else -1e-15
    high = coordinate_of(jnp.minimum(2 * (log_m_end - log_kc), prior_end), difficulty)
    low = jnp.minimum(-rule.depth - 4, -2 * (log_kc + rule.depth / 2 + 2))
    y, step = uniform_nodes(*jax.lax.stop_gradient((low, high)), rule.free)
    log_tau, log_f = log_prior(y, beta, difficulty)
    h = eps * jnp.exp(log_tau / 2)
    m = k * jnp.exp(log_rate_unbiased(h))
    left = log_f[0] + jnp.log(1 / jnp.expm1(beta / 2 * step) - m[0] / jnp.expm1((beta + 1) / 2 * step))
    return jnp.logaddexp(logsumexp(log_f - m), left) + jnp.log(step)


def log_added_by_bias(
    k, v, beta, eps, log_free, difficulty: Difficulty, rule: Rule = FINE
) -> Float[Array, ""]:
    """log of ∫ f(τ) ∫ erfc(a/√(2vτ)) k |∂Y/∂a| e^(-kY) da dτ for v > 0."""
    y, step = uniform_nodes(*_precision_range(k, v, beta, eps, log_free, difficulty, rule), rule.outer)
    log_tau, log_f = log_prior(y, beta, difficulty)
    h, c = eps * jnp.exp(log_tau / 2), v * jnp.exp(log_tau)
    low, high = bias_range(jnp.log(k), h, c, rule.depth)
    nodes, weights = (jnp.asarray(x, h.dtype) for x in graded_legendre(rule.inner))
    a = low[:, None] + (high - low)[:, None] * nodes[None, :]
    log_y, log_slope = log_rate(a, jnp.broadcast_to(h[:, None], a.shape))
    z = a / jnp.sqrt(c)[:, None]
    log_erfc = _HALF_LOG_2_OVER_PI - 0.5 * z**2 + jnp.log(mills_ratio(z))
    inner = logsumexp(log_erfc + log_slope - k * jnp.exp(log_y) + jnp.log(weights)[None, :], axis=1)
    return logsumexp(log_f + inner + jnp.log(high - low)) + jnp.log(k) + jnp.log(step)


def _scales(k, beta, eps, rule: Rule):
    """Logs of k c_δ, c_δ = ε√(2/π) (Eq. 14), and of an m at which m^β e^-m is below e^-depth of its peak."""
    log_kc = jnp.log(k) + jnp.log(eps) + _HALF_LOG_2_OVER_PI
    return log_kc, jnp.log(beta + 8 * jnp.sqrt(beta) + rule.depth + 7)


def _precision_range(k, v, beta, eps, log_free, difficulty: Difficulty, rule: Rule):
    """[low, high] in y for the bias integral; what is left out is below e^-depth of the whole.

    Two features: instances near τ ≈ (kc_δ)^-2, where bias matters by a relative vτ, and the finite-N tail at
    large τ: about e^(-τ - Λ/(vτ)), Λ = log(k c_δ √τ), for the gamma prior, a layer below τ = 1 for the power
    prior. The tail is dropped where its bound is far below the bias-free part; without that the range would
    be too long for its nodes when k is huge and v tiny.
    """
    k, v, beta, eps, log_free = jax.lax.stop_gradient((k, v, beta, eps, log_free))
    log_kc, log_m_end = _scales(k, beta, eps, rule)
    depth, budget = rule.depth + 4, rule.depth + 8 - log_free
    barrier = jnp.maximum(log_kc, 0)
    if difficulty == "gamma":
        peak = jnp.minimum(-2 * log_kc, jnp.log(beta / 2))
        lam = barrier + 1
        for _ in range(2):
            saddle = beta / 4 + jnp.sqrt(beta**2 / 16 + lam / v)
            lam = jnp.maximum(log_kc + 0.5 * jnp.log(saddle), 1)
        saddle = beta / 4 + jnp.sqrt(beta**2 / 16 + lam / v)
        saddle = jnp.maximum(saddle, (eps * jnp.sqrt(2 * lam) / (2 * v)) ** (2 / 3))  # wide windows
        root = jnp.minimum(jnp.sqrt(saddle) + jnp.sqrt(depth), jnp.sqrt(beta / 2) + jnp.sqrt(budget))
        high = coordinate_of(2 * jnp.log(root), difficulty)
        tail_is_nil = 2 * jnp.sqrt(barrier / v) > budget + 10
    else:
        peak = jnp.minimum(-2 * log_kc, -jnp.log1p(2 / beta))
        high = jnp.log1p(jnp.minimum((barrier + 1) / v, 2 * budget)) + depth
        tail_is_nil = barrier / v > budget + 10
    bias_free_end = coordinate_of(2 * (log_m_end - log_kc), difficulty)
    high = jnp.where(tail_is_nil, jnp.minimum(high, bias_free_end), high)
    ratio = depth / (beta / 2 + 0.5)
    low = coordinate_of(peak - ratio - jnp.sqrt(2 * ratio), difficulty)
    return jnp.where(tail_is_nil, low, jnp.maximum(low, -depth - jnp.log(v))), high

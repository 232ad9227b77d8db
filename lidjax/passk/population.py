"""Population failure L_inf(k) at fixed training loss, Eq. 13, by quadrature.

Given the predictor, B = xᵀ(θ̂ - θ*) is N(0, V) over test instances, V = L_gen, so that

    L_inf(k) = E_{B ~ N(0, V), τ} [(1 - s(B, τ))^k].

With v = V/σ², ε = δ/σ, a = |B|√τ/σ, h = ε√τ and Y = -log(1 - s), integrating by parts in a at fixed τ gives
two positive terms, the bias-free failure and what bias adds:

    L_inf(k) = ∫ f(τ) e^(-kY(0,h)) dτ  +  ∫ f(τ) ∫₀^∞ erfc(a/√(2vτ)) k |∂Y/∂a| e^(-kY(a,h)) da dτ.

Both are computed as logarithms to a few units of rounding, whatever their size, because nothing cancels. The first
is a trapezoid sum in y(τ) (see `quadrature`), whose tail τ → 0 is geometric and summed in closed form. The
second is a trapezoid sum in y of Gauss-Legendre sums in a. The nodes depend on the arguments but carry no
gradient, so a derivative is the same rule applied to the derivative of the integrand.
"""

import functools
import math
from typing import Literal, NamedTuple, overload

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import MEASURED_LOSS, NOT_NEGATIVE, POSITIVE, TAIL_INDEX, checked_floats
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.quadrature import (
    bias_range,
    coordinate_of,
    graded_legendre,
    log_prior,
    log_rate_and_slope,
    log_rate_unbiased,
    uniform_nodes,
)
from lidjax.passk.success import log_two_sided_tail

_HALF_LOG_2_OVER_PI = 0.5 * math.log(2 / math.pi)
_LINEAR_V = 1e-12  # below this v what bias adds is proportional to v, to 1e-10 of itself
_FIRST_K = 1e-12  # where the slope at k = 0 is taken: L_inf is linear in k up to there, to rounding
_FIRST_KC = 1e-9  # the same for the slope at δ = 0, as k δ/σ
_SMALLEST_SHARE = (
    0.9  # of the range of the exponents of a float, for vτ: the rest is for its square root, times δ/σ
)
_LARGEST_K = (
    0.8  # power of the largest float that k may reach: 6e30 in float32, where k Y would soon overflow
)
_BATCH = 32  # values that are computed side by side; heuristic: enough to use the vector units


class Rule(NamedTuple):
    """Numbers of nodes of the two integrals, and where they are cut off."""

    free: int
    """Nodes of the bias-free integral."""
    outer: int
    """Nodes in τ of the integral over the bias."""
    inner: int
    """Nodes in a of the integral over the bias."""
    depth: float
    """Parts of the integrands below e^-depth of the peak are left out."""


FINE = Rule(256, 192, 48, 28.0)
COARSE = Rule(176, 128, 34, 21.0)
"""Its distance from the result of `FINE` is the reported error."""


class FailureEstimate(NamedTuple):
    """L_inf(k) with a bound on its error, as `pass_at_k_failure` returns it with `with_error`."""

    failure: Float[Array, "..."]
    """L_inf(k), or its logarithm."""
    relative_error: Float[Array, "..."]
    """Bound on the relative error of L_inf(k), of the same shape."""


@overload
def pass_at_k_failure(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
    with_error: Literal[False] = False,
) -> Float[Array, "..."]: ...


@overload
def pass_at_k_failure(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
    with_error: Literal[True],
) -> FailureEstimate: ...


def pass_at_k_failure(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
    with_error: bool = False,
) -> Float[Array, "..."] | FailureEstimate:
    """Probability over test instances that k independent trials all fail, L_inf(k) = 1 - pass@k.

    The mean is taken over the population of test instances, given a predictor of loss `lgen`; there is no sampling.
    In float64 the relative error is below 1e-9 over the ranges below, that of derivatives in every argument 1e-6. The
    reported error is the distance to a coarser rule plus rounding, and was never below the true one where that is
    known. A value costs 9472 nodes, about 1 ms of one core. The function is compiled when it is called; it may be
    called under `jit` and `vmap`, and differentiated in every argument.

    In float32 (JAX without x64) the same ranges hold. The error of log L_inf is below 1e-5 (1 + |log L_inf|), which is
    the relative error of L_inf. L_inf itself is 0 below 1e-38, where `log` is needed. Derivatives have a relative error
    of 1e-4 or less in nine of ten places, but one in `lgen` below 1e-20/σ_η² may be lost. For k above 6e30 the result
    is NaN, because k log(1 - s) would overflow.

    Args:
        k: number of trials, real, ≥ 0; measured from 1 to 1e30. At k = 0 the derivative is E[log(1 - s)].
        lgen: L_gen of the predictor, ≥ 0, in squared units of the labels; L_gen/σ_η² up to 1e4. 0 is the limit
            without bias. NaN, for a cell that failed, gives NaN.
        beta: tail index β of the prior on the precision, 0.01 to 100; accuracy stated for 0.1 to 20.
        delta: tolerance δ ≥ 0: a trial within δ of the prediction counts as success; δ/σ_η from 1e-6 to 10.
        sigma_eta: noise scale σ_η > 0: the noise of a trial has variance σ_η²/τ. The five broadcast.
        difficulty: prior on the precision τ, "gamma" (Eq. 1) or "power" (bounded).
        log: return log L_inf, which holds where L_inf is below the smallest float.
        with_error: return a `FailureEstimate`.

    Returns:
        L_inf(k) in [0, 1], or its logarithm, of the broadcast shape; with `with_error` a `FailureEstimate`. NaN where
        a traced argument is not allowed, or where the dtype cannot hold an argument.

    Raises:
        InputError: if an argument is not allowed (one that is traced cannot be looked at), if the shapes do not
            broadcast, or if `difficulty` is not known.

    References:
        Eq. 13. The quadrature was derived for this project and is compared with mpmath in
        tests/passk/test_population.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> failure = lidjax.pass_at_k_failure(jnp.array([1, 100]), 0.1, beta=2.5, delta=0.5, sigma_eta=1.0)
        >>> [float(f"{x:.4g}") for x in failure]
        [0.6449, 0.0002789]
    """
    check_difficulty(difficulty)
    arrays = checked_floats(
        k=(k, NOT_NEGATIVE),
        lgen=(lgen, MEASURED_LOSS),
        beta=(beta, TAIL_INDEX),
        delta=(delta, NOT_NEGATIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    value, error = _failure(*arrays, difficulty, with_error)
    value = value if log else jnp.exp(value)
    return value if error is None else FailureEstimate(value, error)


@functools.partial(jax.jit, static_argnames=("difficulty", "with_error"))
def _failure(
    k: Array,
    lgen: Array,
    beta: Array,
    delta: Array,
    sigma_eta: Array,
    difficulty: Difficulty,
    with_error: bool,
) -> tuple[Array, Array | None]:
    """log L_inf and its error (or None) for arrays of one shape, a batch of cells at a time."""

    def cell(args: list[Array]) -> tuple[Array, Array | None]:
        k, v, beta, eps = args
        fine = log_failure(k, v, beta, eps, difficulty)
        if not with_error:
            return fine, None
        coarse = log_failure(k, v, beta, eps, difficulty, COARSE)
        rounding = jnp.finfo(fine.dtype).eps * (32 + 4 * jnp.abs(fine) + 16 * jnp.log1p(k))
        return fine, jnp.abs(jnp.expm1(coarse - fine)) + rounding

    size = k.size
    # Whole batches, because the cell would be compiled again for a remainder.
    spare = -size % _BATCH if size > _BATCH else 0
    args = [
        jnp.pad(x.reshape(-1), (0, spare), mode="edge")
        for x in (k, lgen / sigma_eta**2, beta, delta / sigma_eta)
    ]
    # Recomputing a cell in the backward pass keeps its 9000 nodes out of memory.
    flat = jax.lax.map(jax.checkpoint(cell), args, batch_size=_BATCH)
    return jax.tree.map(lambda x: x[:size].reshape(k.shape), flat)


def log_failure(
    k: Float[Array, ""],
    v: Float[Array, ""],
    beta: Float[Array, ""],
    eps: Float[Array, ""],
    difficulty: Difficulty,
    rule: Rule = FINE,
) -> Float[Array, ""]:
    """log L_inf(k) of one cell: v = L_gen/σ², eps = δ/σ, all of one dtype."""
    # Where failure is certain the value is 0, and the slope that of the rule nearby: where() keeps both.
    certain = (k == 0) | (eps == 0)
    smallest = _FIRST_KC / jnp.maximum(jax.lax.stop_gradient(k), 1)
    smallest = jnp.maximum(smallest, 2.0**20 * jnp.finfo(k.dtype).tiny)
    k, eps = jnp.where(k == 0, k + _FIRST_K, k), jnp.where(eps == 0, eps + smallest, eps)
    free = log_bias_free(k, beta, eps, difficulty, rule)
    v_positive = jnp.where(v < _LINEAR_V, _LINEAR_V, v)  # NaN passes; the gradient of √v at 0 does not
    biased = log_added_by_bias(k, v_positive, beta, eps, free, difficulty, rule)
    share = jnp.where(v < _LINEAR_V, v / _LINEAR_V, 1)
    linear = free + jnp.log1p(share * jnp.exp(jnp.minimum(biased - free, 0)))
    value = jnp.where(v < _LINEAR_V, linear, jnp.logaddexp(free, biased))
    value = jnp.where(certain, value - jax.lax.stop_gradient(value), value)
    in_range = (v >= 0) & (k <= jnp.finfo(k.dtype).max ** _LARGEST_K)
    return jnp.where(in_range, value, jnp.nan)


def log_bias_free(
    k: Float[Array, ""],
    beta: Float[Array, ""],
    eps: Float[Array, ""],
    difficulty: Difficulty,
    rule: Rule = FINE,
) -> Float[Array, ""]:
    """log of ∫ f(τ) e^(-kY(0,h)) dτ, the limit v → 0, which tends to Eq. 15 at large k.

    Left of the grid e^(-kY) = 1 - kY to e^-32, the density is e^(βy/2) and Y ∝ e^(y/2), so the rest is two geometric
    series.
    """
    log_kc, log_m_end = _log_kc(k, eps), _log_m_end(beta, rule)
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
    k: Float[Array, ""],
    v: Float[Array, ""],
    beta: Float[Array, ""],
    eps: Float[Array, ""],
    log_free: Float[Array, ""],
    difficulty: Difficulty,
    rule: Rule = FINE,
) -> Float[Array, ""]:
    """log of ∫ f(τ) ∫ erfc(a/√(2vτ)) k |∂Y/∂a| e^(-kY) da dτ for v > 0."""
    y, step = uniform_nodes(*precision_range(k, v, beta, eps, log_free, difficulty, rule), rule.outer)
    log_tau, log_f = log_prior(y, beta, difficulty)
    h, c = eps * jnp.exp(log_tau / 2), v * jnp.exp(log_tau)
    low, high = bias_range(jnp.log(k), h, c, rule.depth)
    nodes, weights = (jnp.asarray(x, h.dtype) for x in graded_legendre(rule.inner))
    a = low[:, None] + (high - low)[:, None] * nodes[None, :]
    log_y, log_slope = log_rate_and_slope(a, jnp.broadcast_to(h[:, None], a.shape))
    log_erfc = log_two_sided_tail(a / jnp.sqrt(c)[:, None])
    inner = logsumexp(log_erfc + log_slope - k * jnp.exp(log_y) + jnp.log(weights)[None, :], axis=1)
    return logsumexp(log_f + inner + jnp.log(high - low)) + jnp.log(k) + jnp.log(step)


def _log_kc(k: Array, eps: Array) -> Array:
    """log k c_δ, c_δ = ε√(2/π) (Eq. 14)."""
    return jnp.log(k) + jnp.log(eps) + _HALF_LOG_2_OVER_PI


def _log_m_end(beta: Array, rule: Rule) -> Array:
    """log of an m at which m^β e^-m is below e^-depth of its peak."""
    return jnp.log(beta + 8 * jnp.sqrt(beta) + rule.depth + 7)


def precision_range(
    k: Float[Array, ""],
    v: Float[Array, ""],
    beta: Float[Array, ""],
    eps: Float[Array, ""],
    log_free: Float[Array, ""],
    difficulty: Difficulty,
    rule: Rule,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """[low, high] in y for the integral over the bias; what is left out is below e^-depth of the whole.

    The integrand has two features: instances near τ ≈ (kc_δ)^-2, where the relative effect of bias is vτ, and the
    finite-N tail at large τ. For the gamma prior that is about e^(-τ - Λ/(vτ)), Λ = log(k c_δ √τ), for the power prior
    a layer below τ = 1. The tail is dropped where v is below `tail_threshold`: otherwise the range would be too long
    for its nodes when k is huge and v tiny.
    """
    k, v, beta, eps, log_free = jax.lax.stop_gradient((k, v, beta, eps, log_free))
    log_kc, log_m_end = _log_kc(k, eps), _log_m_end(beta, rule)
    depth, budget = rule.depth + 4, rule.depth + 8 - log_free
    barrier = jnp.maximum(log_kc, 0)
    tail_is_negligible = v < tail_threshold(k, eps, log_free, difficulty, rule)
    if difficulty == "gamma":
        peak = jnp.minimum(-2 * log_kc, jnp.log(beta / 2))
        lam = barrier + 1
        for _ in range(2):
            saddle = beta / 4 + jnp.sqrt(beta**2 / 16 + lam / v)
            lam = jnp.maximum(log_kc + 0.5 * jnp.log(saddle), 1)
        saddle = beta / 4 + jnp.sqrt(beta**2 / 16 + lam / v)
        saddle = jnp.maximum(saddle, (eps * jnp.sqrt(2 * lam) / (2 * v)) ** (2 / 3))  # for large ε
        root = jnp.minimum(jnp.sqrt(saddle) + jnp.sqrt(depth), jnp.sqrt(beta / 2) + jnp.sqrt(budget))
        high = coordinate_of(2 * jnp.log(root), difficulty)
    else:
        peak = jnp.minimum(-2 * log_kc, -jnp.log1p(2 / beta))
        high = jnp.log1p(jnp.minimum((barrier + 1) / v, 2 * budget)) + depth
    bias_free_end = coordinate_of(2 * (log_m_end - log_kc), difficulty)
    high = jnp.where(tail_is_negligible, jnp.minimum(high, bias_free_end), high)
    ratio = depth / (beta / 2 + 0.5)
    low = coordinate_of(peak - ratio - jnp.sqrt(2 * ratio), difficulty)
    # Where vτ is so small, bias adds less than a float32 can hold beside the rest. In float64 no τ is so small.
    representable = _SMALLEST_SHARE * math.log(jnp.finfo(v.dtype).tiny) - jnp.log(v)
    low = jnp.maximum(low, representable)
    high = jnp.maximum(high, low + 1)
    return jnp.where(tail_is_negligible, low, jnp.maximum(low, -depth - jnp.log(v))), high


def tail_threshold(
    k: Float[Array, ""],
    eps: Float[Array, ""],
    log_free: Float[Array, ""],
    difficulty: Difficulty,
    rule: Rule,
) -> Float[Array, ""]:
    """The v below which the finite-N tail, at most e^(-2√(Λ/v)) or e^(-Λ/v), is negligible beside the rest."""
    barrier = jnp.maximum(_log_kc(k, eps), 0)
    exponent = rule.depth + 18 - log_free
    return 4 * barrier / exponent**2 if difficulty == "gamma" else barrier / exponent

"""The law of the single-trial success S over test instances: both tails and the density, by quadrature.

At precision τ the success falls as the bias grows, S = s(a, h) with a = |B|√τ/σ and h = δ√τ/σ, so that with a(τ)
the a at which s(a, h) = s, and τ_s the precision whose unbiased success is s,

    P(S ≤ s) = P(τ ≤ τ_s) + ∫_{τ_s} f(τ) erfc(a(τ)/√(2vτ)) dτ,      P(S > s) = ∫_{τ_s} f(τ) erf(a(τ)/√(2vτ)) dτ.

a(τ) leaves τ_s as a square root, within a layer as thin as vτ_s. There a is the variable of integration, and τ(a)
is smooth; beyond it τ is, in the coordinate y of `quadrature`.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfinv, gammainc, gammaln, logsumexp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.passk.quadrature import EXACT_STEPS, coordinate_of, edge_of, log_prior, log_rate_unbiased
from lidjax.passk.success import log_window, mills_ratio

_LAYER, _SHELF, _MIDDLE, _BODY = (np.polynomial.legendre.leggauss(count) for count in (96, 96, 96, 256))
_LAYER_END = 0.5  # the largest a that is a variable of integration
_LAYER_LEFT, _LAYER_RIGHT = 14.0, 3.5  # of the layer's own scale, in log a: e^(-e^7/2) on the right
_MIDDLE_END = -8.0  # in y: left of it nothing but the layer happens
_DEPTH = 45.0
_BISECTIONS = 60
_BATCH = 64
_LOG_2PI = math.log(2 * math.pi)


class SuccessDistribution(NamedTuple):
    """Logarithms of P(S ≤ s), P(S > s) and of the density of S at s, all of one shape."""

    log_cdf: Float[Array, "..."]
    log_survival: Float[Array, "..."]
    log_density: Float[Array, "..."]


def success_distribution(
    s, lgen, *, beta, delta, sigma_eta, difficulty: Difficulty = "gamma", complement: bool = False
) -> SuccessDistribution:
    """Law of the single-trial success S of a random test instance, given the training set (Eq. 14, Sec. 4.1).

    Parameters (they broadcast; scalars in, scalars out)
    ----------
    s          success probability, 0 < s < 1, as small as 1e-30; with `complement`, 1 - s instead, for points
               nearer to 1 than a float can say
    lgen       V = L_gen > 0; V/σ_η² from 1e-6 to 1e4
    beta, delta, sigma_eta, difficulty   as for `pass_at_k_failure`

    L_inf(k) = ∫₀¹ k (1 - s)^(k-1) P(S ≤ s) ds. Relative error in float64 below 1e-10 against adaptive quadrature at β
    from 0.5 to 4, δ/σ from 0.05 to 2; cdf and survival add up to 1 within 1e-14. About 3 ms a value. Values only:
    derivatives are not those of the law. With the power prior S has an upper end, its value at B = 0, τ = 1; beyond
    it the survival is 0. NaN for s outside (0, 1).
    """
    check_difficulty(difficulty)
    arrays = [jnp.asarray(x) for x in (s, lgen, beta, delta, sigma_eta)]
    arrays = [x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float) for x in arrays]
    s, lgen, beta, delta, sigma_eta = jnp.broadcast_arrays(*arrays)
    log_y = jnp.log(-(jnp.log(s) if complement else jnp.log1p(-s)))
    valid = (s > 0) & (s < 1) & (lgen > 0)

    args = log_y, lgen / sigma_eta**2, beta, delta / sigma_eta
    result = _over_points(args, difficulty)
    return SuccessDistribution(*(jnp.where(valid, x, jnp.nan) for x in result))


@functools.partial(jax.jit, static_argnames="difficulty")
def _over_points(args, difficulty: Difficulty):
    flat = [x.reshape(-1) for x in args]
    size = flat[0].size
    batch = min(_BATCH, size)
    flat = [jnp.pad(x, (0, -size % batch), mode="edge") for x in flat]  # a remainder would be compiled apart

    def cell(point):
        log_y, v, beta, eps = point
        return _distribution(log_y, v, beta, eps, difficulty)

    result = jax.lax.map(cell, flat, batch_size=batch)
    return [x[:size].reshape(args[0].shape) for x in result]


def _distribution(log_y, v, beta, eps, difficulty: Difficulty):
    """The three logarithms of one cell; log_y = log(-log(1 - s))."""
    h_s = _unbiased_width(log_y)
    log_tau_s = 2 * jnp.log(h_s / eps)
    inside = log_tau_s < 0 if difficulty == "power" else jnp.array(True)
    h_s = jnp.where(inside, h_s, eps / 2)  # beyond the support: harmless numbers, replaced at the end
    log_y_in = jnp.where(inside, log_y, log_rate_unbiased(eps / 2))

    # the layer: a from nearly 0 to a_end, and τ(a) there
    a_end = jnp.asarray(_LAYER_END, v.dtype)
    if difficulty == "power":
        edge = edge_of(log_y_in, eps, EXACT_STEPS)  # the a at which τ reaches 1
        a_end = jnp.minimum(a_end, edge)
    scale = jnp.minimum(jnp.sqrt(v) * h_s / eps, a_end)
    left = jnp.log(scale) - _LAYER_LEFT
    middle = jnp.minimum(jnp.log(scale) + _LAYER_RIGHT, jnp.log(a_end))
    panels = (
        (left[None], jnp.zeros(1, v.dtype)),
        _panel(_LAYER, left, middle),
        _panel(_SHELF, middle, jnp.log(a_end)),
    )
    t, log_w = (jnp.concatenate(parts) for parts in zip(*panels, strict=True))
    a = jnp.exp(t)
    widths = _width_at(jnp.append(a, a_end), log_y_in, h_s)
    h, log_tau_end = widths[:-1], 2 * jnp.log(widths[-1] / eps)
    log_tau = jnp.minimum(2 * jnp.log(h / eps), 0 if difficulty == "power" else jnp.inf)
    log_step = log_w + t + math.log(2) - jnp.log(h)  # d log τ/da = 2 tanh(ah)/h
    layer = _terms(a, v, log_tau, _log_density_of_log_tau(log_tau, beta, difficulty))
    layer_by_a = log_step + jnp.log(jnp.tanh(a * h))
    # left of the first node they are ∝ a², a³ and a: what is missing is that value over the power
    powers = _Terms(*(jnp.zeros_like(t).at[0].set(-math.log(power)) for power in (2, 3, 1)))
    log_slope_h = _log_sum_of_normals(a, h)

    # beyond it, in y
    if difficulty == "power":  # where τ has reached 1 already, so far out that nothing is left
        log_tau_end = jnp.minimum(log_tau_end, -1e-17)
    y_end = jnp.minimum(
        coordinate_of(log_tau_end, difficulty), _DEPTH - 1 if difficulty == "power" else jnp.inf
    )
    y_high = _highest(jnp.exp(log_tau_end), log_y_in, v, beta, difficulty)
    y_middle = jnp.clip(_MIDDLE_END, y_end, y_high)
    y, log_dy = (
        jnp.concatenate(pair)
        for pair in zip(_panel(_MIDDLE, y_end, y_middle), _panel(_BODY, y_middle, y_high), strict=True)
    )
    log_tau, log_f = log_prior(y, beta, difficulty)
    h = eps * jnp.exp(log_tau / 2)
    a = jnp.maximum(edge_of(jnp.broadcast_to(log_y_in, h.shape), h, EXACT_STEPS), a_end)
    body = _terms(a, v, log_tau, log_f)
    log_slope_a = -0.5 * (a - h) ** 2 - 0.5 * _LOG_2PI + jnp.log(-jnp.expm1(-2 * a * h))

    log_beyond = logsumexp(jnp.concatenate([layer.beyond + layer_by_a + powers.beyond, body.beyond + log_dy]))
    log_within = logsumexp(jnp.concatenate([layer.within + layer_by_a + powers.within, body.within + log_dy]))
    log_density = logsumexp(
        jnp.concatenate(
            [layer.density + log_step - log_slope_h + powers.density, body.density + log_dy - log_slope_a]
        )
    )
    log_cdf = jnp.logaddexp(_log_prior_cdf(log_tau_s, beta, difficulty), log_beyond)
    return (
        jnp.where(inside, jnp.minimum(log_cdf, 0), 0),
        jnp.where(inside, log_within, -jnp.inf),
        jnp.where(inside, log_density, -jnp.inf),
    )


class _Terms(NamedTuple):
    beyond: Array
    within: Array
    density: Array


def _terms(a, v, log_tau, log_f) -> _Terms:
    """f(τ) times erfc, erf and √(2/(πvτ)) e^(-z²/2) at z = a/√(vτ), as logarithms."""
    z = a * jnp.exp(-0.5 * (jnp.log(v) + log_tau))
    log_gauss = 0.5 * math.log(2 / math.pi) - 0.5 * z**2
    beyond = log_gauss + jnp.log(mills_ratio(z))
    within = jnp.log(erf(z / math.sqrt(2)))
    return _Terms(log_f + beyond, log_f + within, log_f + log_gauss - 0.5 * (jnp.log(v) + log_tau))


def _panel(rule, low, high):
    nodes, weights = (jnp.asarray(x, low.dtype) for x in rule)
    half = (high - low) / 2
    return low + half * (1 + nodes), jnp.log(half) + jnp.log(weights)


def _unbiased_width(log_y):
    """h with Y(0, h) = -log erfc(h/√2) = y, by erfinv and two Newton steps in logarithms."""
    y = jnp.exp(log_y)
    start = jnp.where(y < 1, math.sqrt(2) * erfinv(-jnp.expm1(-jnp.minimum(y, 1))), jnp.sqrt(2 * y))
    log_h = jnp.log(start)

    def newton(_, log_h):
        level, slope = jax.jvp(lambda x: log_rate_unbiased(jnp.exp(x)), (log_h,), (jnp.ones_like(log_h),))
        return log_h - (level - log_y) / slope

    return jnp.exp(jax.lax.fori_loop(0, 12, newton, log_h))


def _width_at(a, log_y, h_s):
    """h with Y(a, h) = y for each a: between h_s and a + h_s, by bisection of log h."""

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        h = jnp.exp(middle)
        log_s, log_miss = log_window(a, h)
        small = log_s < -20
        level = jnp.where(small, log_s + jnp.exp(log_s) / 2, jnp.log(-jnp.where(small, -1, log_miss)))
        return jnp.where(level < log_y, middle, low), jnp.where(level < log_y, high, middle)

    ends = (jnp.full_like(a, 1) * jnp.log(h_s), jnp.log(a + h_s))
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, ends)
    return jnp.exp((low + high) / 2)


def _log_sum_of_normals(a, h):
    """log ∂s/∂h = log[φ(a - h) + φ(a + h)]."""
    return -0.5 * (a - h) ** 2 - 0.5 * _LOG_2PI + jnp.log1p(jnp.exp(-2 * a * h))


def _log_density_of_log_tau(log_tau, beta, difficulty: Difficulty):
    if difficulty == "power":
        return jnp.log(beta / 2) + beta / 2 * log_tau
    return beta / 2 * log_tau - jnp.exp(log_tau) - gammaln(beta / 2)


def _highest(tau, log_y, v, beta, difficulty: Difficulty):
    """y beyond which less than e^-45 of the integrals is left."""
    if difficulty == "power":
        return jnp.asarray(_DEPTH, v.dtype)
    saddle = jnp.sqrt(jnp.maximum(-log_y, 0) / v)
    saddle = jnp.minimum(saddle, beta * jnp.maximum(-log_y, 0) + _DEPTH)
    root = jnp.sqrt(jnp.maximum(jnp.maximum(tau, saddle), beta / 2)) + math.sqrt(_DEPTH)
    return coordinate_of(2 * jnp.log(root), "gamma")


def _log_prior_cdf(log_tau, beta, difficulty: Difficulty):
    """log P(τ ≤ e^log_tau)."""
    shape = beta / 2
    if difficulty == "power":
        return jnp.minimum(shape * log_tau, 0)
    tau = jnp.exp(log_tau)
    small = tau < 0.1
    x = jnp.where(small, tau, 0.1)
    series, term = jnp.ones_like(x), jnp.ones_like(x)
    for i in range(1, 12):
        term = term * x / (shape + i)
        series = series + term
    by_series = shape * log_tau - x - gammaln(shape + 1) + jnp.log(series)
    return jnp.where(small, by_series, jnp.log(gammainc(shape, jnp.where(small, 1, tau))))

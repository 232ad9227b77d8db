"""Distribution of the single-trial success S over test instances: both tails and the density, by quadrature.

At precision τ the success falls as the bias grows: S = s(a, h) with a = |B|√τ/σ and h = δ√τ/σ. With a(τ)
the a at which s(a, h) = s, and τ_s the precision whose unbiased success is s,

    P(S ≤ s) = P(τ ≤ τ_s) + ∫_{τ_s} f(τ) erfc(a(τ)/√(2vτ)) dτ,      P(S > s) = ∫_{τ_s} f(τ) erf(a(τ)/√(2vτ)) dτ.

a(τ) starts at τ_s like a square root, within a layer as thin as vτ_s. There the variable of integration is a, in which
τ(a) is smooth. Beyond the layer it is the coordinate y(τ) of `quadrature`.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfinv, logsumexp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import POSITIVE, Range, checked_floats, or_nan
from lidjax.difficulty import Difficulty, check_difficulty, log_precision_cdf, log_precision_density
from lidjax.passk.quadrature import (
    EXACT_STEPS,
    coordinate_of,
    edge_of,
    log_prior,
    log_rate,
    log_rate_unbiased,
)
from lidjax.passk.success import (
    log_fall_with_bias,
    log_half_normal,
    log_rise_with_width,
    log_two_sided_tail,
)

# Gauss-Legendre rules: two panels in log a inside the layer, two in y beyond it
_LAYER, _SHELF, _MIDDLE, _BODY = (np.polynomial.legendre.leggauss(count) for count in (96, 96, 96, 256))
_LAYER_END = 0.5  # the largest a that is a variable of integration
# Ends of the first panel in log a, from the scale of the layer; e^(-e^7/2) is left on the right.
_LAYER_LEFT, _LAYER_RIGHT = 14.0, 3.5
_MIDDLE_END = -8.0  # y at which the two panels beyond the layer meet: left of it the integrand is smooth
_DEPTH = 45.0  # parts of the integrals below e^-45 are left out
_BISECTIONS = 60
_NEWTON_STEPS = 12
_SHARE = or_nan(Range("from 0 to 1", lambda x: (x >= 0) & (x <= 1)))
_BATCH = 64  # values that are computed side by side


class SuccessDistribution(NamedTuple):
    """Distribution of the single-trial success S at the points s; all fields have one shape."""

    log_cdf: Float[Array, "..."]
    """log P(S ≤ s)."""
    log_survival: Float[Array, "..."]
    """log P(S > s)."""
    log_density: Float[Array, "..."]
    """Log density of S at s."""


def success_distribution(
    s: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    complement: bool = False,
) -> SuccessDistribution:
    """Distribution of the single-trial success S of a random test instance, given the training set.

    L_inf(k) = ∫₀¹ k (1 - s)^(k-1) P(S ≤ s) ds. The relative error in float64 is below 1e-10 against adaptive
    quadrature at β from 0.5 to 4 and δ/σ from 0.05 to 2; cdf and survival add up to 1 within 1e-14. A value takes
    about 3 ms. The function is compiled when it is called, and may be called under `jit` and `vmap`, but its
    derivatives are not those of the distribution.

    Args:
        s: success probability, 0 < s < 1, as small as 1e-30.
        lgen: L_gen > 0 of the predictor, in squared units of the labels; L_gen/σ_η² from 1e-6 to 1e4.
        beta: tail index β > 0 of the prior on the precision.
        delta: tolerance δ > 0.
        sigma_eta: noise scale σ_η > 0. The five broadcast.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).
        complement: take `s` as 1 - s, for points nearer to 1 than a float can represent.

    Returns:
        `SuccessDistribution` of the broadcast shape. With the power prior S is at most its value at B = 0, τ = 1;
        beyond it the survival is 0. NaN at s = 0 and s = 1, and where s or L_gen is NaN.

    Raises:
        InputError: if an argument is not allowed (s from 0 to 1), if shapes do not broadcast, or if `difficulty` is not
            known. A traced argument that is not allowed gives NaN.

    References:
        Eq. 14; Sec. 4.2. The quadrature was derived for this project and is compared with adaptive quadrature and with
        `pass_at_k_failure` in tests/passk/test_distribution.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> s = jnp.array([0.1, 0.5])
        >>> at = lidjax.success_distribution(s, 0.1, beta=2.5, delta=0.5, sigma_eta=1.0)
        >>> [round(float(p), 4) for p in jnp.exp(at.log_cdf)]
        [0.0272, 0.8393]
    """
    check_difficulty(difficulty)
    s, lgen, beta, delta, sigma_eta = checked_floats(
        s=(s, _SHARE),
        lgen=(lgen, or_nan(POSITIVE)),
        beta=(beta, POSITIVE),
        delta=(delta, POSITIVE),
        sigma_eta=(sigma_eta, POSITIVE),
    )
    log_y = jnp.log(-(jnp.log(s) if complement else jnp.log1p(-s)))
    valid = (s > 0) & (s < 1) & (lgen > 0)

    args = log_y, lgen / sigma_eta**2, beta, delta / sigma_eta
    result = _over_points(args, difficulty)
    return SuccessDistribution(*(jnp.where(valid, x, jnp.nan) for x in result))


@functools.partial(jax.jit, static_argnames="difficulty")
def _over_points(args: tuple[Array, Array, Array, Array], difficulty: Difficulty) -> list[Array]:
    flat = [x.reshape(-1) for x in args]
    size = flat[0].size
    batch = min(_BATCH, size)
    # Whole batches, because the cell would be compiled again for a remainder.
    flat = [jnp.pad(x, (0, -size % batch), mode="edge") for x in flat]

    def cell(point: list[Array]) -> tuple[Array, Array, Array]:
        log_y, v, beta, eps = point
        return _distribution(log_y, v, beta, eps, difficulty)

    result = jax.lax.map(cell, flat, batch_size=batch)
    return [x[:size].reshape(args[0].shape) for x in result]


def _distribution(
    log_y: Array, v: Array, beta: Array, eps: Array, difficulty: Difficulty
) -> tuple[Array, Array, Array]:
    """The three logarithms of one cell; log_y = log(-log(1 - s)), v = L_gen/σ², eps = δ/σ."""
    h_s = unbiased_width(log_y)
    log_tau_s = 2 * jnp.log(h_s / eps)
    inside = log_tau_s < 0 if difficulty == "power" else jnp.array(True)
    h_s = jnp.where(
        inside, h_s, eps / 2
    )  # beyond the support any valid number serves: it is replaced at the end
    log_y_in = jnp.where(inside, log_y, log_rate_unbiased(eps / 2))

    # Inside the layer: a from nearly 0 to a_end, and τ(a) there.
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
    layer = _terms(a, v, log_tau, log_precision_density(log_tau, beta, difficulty))
    layer_by_a = log_step + jnp.log(jnp.tanh(a * h))
    # Left of the first node the integrands are ∝ a², a³ and a, so their integrals there are value/power.
    powers = _Terms(*(jnp.zeros_like(t).at[0].set(-math.log(power)) for power in (2, 3, 1)))
    log_slope_h = log_rise_with_width(a, h)

    # Beyond the layer, in y.
    if difficulty == "power":  # at τ = 1 y would be infinite; here it is so large that nothing is left beyond
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
    log_slope_a = log_fall_with_bias(a, h)

    log_beyond = logsumexp(jnp.concatenate([layer.beyond + layer_by_a + powers.beyond, body.beyond + log_dy]))
    log_within = logsumexp(jnp.concatenate([layer.within + layer_by_a + powers.within, body.within + log_dy]))
    log_density = logsumexp(
        jnp.concatenate(
            [layer.density + log_step - log_slope_h + powers.density, body.density + log_dy - log_slope_a]
        )
    )
    log_cdf = jnp.logaddexp(log_precision_cdf(log_tau_s, beta, difficulty), log_beyond)
    return (
        jnp.where(inside, jnp.minimum(log_cdf, 0), 0),
        jnp.where(inside, log_within, -jnp.inf),
        jnp.where(inside, log_density, -jnp.inf),
    )


class _Terms(NamedTuple):
    """Logarithms of the integrands of P(S ≤ s), P(S > s) and the density."""

    beyond: Array
    within: Array
    density: Array


def _terms(a: Array, v: Array, log_tau: Array, log_f: Array) -> _Terms:
    """f(τ) times erfc(z/√2), erf(z/√2) and √(2/(πvτ)) e^(-z²/2) at z = a/√(vτ), as logarithms."""
    z = a * jnp.exp(-0.5 * (jnp.log(v) + log_tau))
    within = jnp.log(erf(z / math.sqrt(2)))
    density = log_f + log_half_normal(z) - 0.5 * (jnp.log(v) + log_tau)
    return _Terms(log_f + log_two_sided_tail(z), log_f + within, density)


def _panel(rule: tuple[np.ndarray, np.ndarray], low: Array, high: Array) -> tuple[Array, Array]:
    """Nodes of a Gauss-Legendre rule on [low, high], and the logarithms of their weights."""
    nodes, weights = (jnp.asarray(x, low.dtype) for x in rule)
    half = (high - low) / 2
    return low + half * (1 + nodes), jnp.log(half) + jnp.log(weights)


def unbiased_width(log_y: Array) -> Array:
    """h with Y(0, h) = -log erfc(h/√2) = y, by erfinv and Newton steps in logarithms."""
    y = jnp.exp(log_y)
    start = jnp.where(y < 1, math.sqrt(2) * erfinv(-jnp.expm1(-jnp.minimum(y, 1))), jnp.sqrt(2 * y))
    log_h = jnp.log(start)

    def level_at(log_h: Array) -> Array:
        return log_rate_unbiased(jnp.exp(log_h))

    def newton(_: Array, log_h: Array) -> Array:
        level, slope = jax.jvp(level_at, (log_h,), (jnp.ones_like(log_h),))
        return log_h - (level - log_y) / slope

    return jnp.exp(jax.lax.fori_loop(0, _NEWTON_STEPS, newton, log_h))


def _width_at(a: Array, log_y: Array, h_s: Array) -> Array:
    """h with Y(a, h) = y for each a, between h_s and a + h_s, by bisection of log h."""

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        level = log_rate(a, jnp.exp(middle))
        return jnp.where(level < log_y, middle, low), jnp.where(level < log_y, high, middle)

    ends = (jnp.full_like(a, 1) * jnp.log(h_s), jnp.log(a + h_s))
    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, ends)
    return jnp.exp((low + high) / 2)


def _highest(tau: Array, log_y: Array, v: Array, beta: Array, difficulty: Difficulty) -> Array:
    """y beyond which less than e^-45 of the integrals is left."""
    if difficulty == "power":
        return jnp.asarray(_DEPTH, v.dtype)
    saddle = jnp.sqrt(jnp.maximum(-log_y, 0) / v)
    saddle = jnp.minimum(saddle, beta * jnp.maximum(-log_y, 0) + _DEPTH)
    root = jnp.sqrt(jnp.maximum(jnp.maximum(tau, saddle), beta / 2)) + math.sqrt(_DEPTH)
    return coordinate_of(2 * jnp.log(root), "gamma")

"""Moments of the answer that a judge selects among k proposals, for one bias: the kernels of `judges`.

Proposals are normal with standard deviation 1, and the judge's target lies u ≥ 0 standard deviations from their mean.
x = selected proposal - judge's target, with the sign such that proposals have mean -u. The kernels return E[x] and
E[x²].

**Best of k** selects the smallest |x|. With Y(u, r) = -log P(|x| > r) of one proposal, k Y(u, |x|) is exponentially
distributed, exactly. So the nodes are a fixed rule for e^-m in log m, and |x| = r(m) is found by inverting Y.
Given r, x is +r or -r with odds e^(-2ur), which makes E[x | r] = -r tanh(ur).

**Softmax** selects a proposal with probability w/Σw, w = e^(-x²/2t). Because 1/Σw = ∫ e^(-λΣw) dλ,

    E[x^j] = k ∫₀^∞ E[w x^j e^(-λw)] (E[e^(-λw)])^(k-1) dλ,

a trapezoid sum in log λ of trapezoid sums in a coordinate of x in which w changes evenly.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float

from lidjax.passk.distribution import unbiased_width
from lidjax.passk.quadrature import log_rate, uniform_nodes
from lidjax.passk.success import log_half_normal

MASS_NODES = 160
"""Nodes in log m: a step of 0.25."""
_MASS_LOW, _MASS_HIGH = -36.0, 3.7  # e^-m m^(1 or more) is below e^-36 of its peak outside
_ROOT_STEPS = 45  # of Newton's method inside a bracket: to rounding for u up to 60 and k up to 1e30
_FOLLOWING_STEPS = 3  # of Newton's method from the root at the node before
_RATE_NODES = 288  # in log λ
_PROPOSAL_NODES = 512
_RATE_LEFT = 18.0
_FAR = 8.7  # standard deviations beyond which proposals are left out: e^-37


class Moments(NamedTuple):
    """Moments of x = selected proposal - judge's target, in standard deviations of a proposal."""

    mean: Float[Array, ""]
    """E[x] ≤ 0: towards the mean of the proposals."""
    log_square: Float[Array, ""]
    """log E[x²]."""


def distance_at(log_y: Float[Array, " n"], u: Float[Array, ""]) -> Float[Array, " n"]:
    """r with Y(u, r) = e^log_y, to rounding; its first derivatives are exact."""
    log_y_known, u_known = jax.lax.stop_gradient((log_y, u))
    low = jnp.log(unbiased_width(log_y_known))
    high = jnp.log(u_known + jnp.exp(low))

    def improve(_: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        low, high, log_r = state
        level, slope = _level_and_slope(log_r, u_known)
        low, high = jnp.where(level < log_y_known, log_r, low), jnp.where(level < log_y_known, high, log_r)
        newton = log_r - (level - log_y_known) / slope
        return low, high, jnp.where((newton > low) & (newton < high), newton, (low + high) / 2)

    log_r = jax.lax.fori_loop(0, _ROOT_STEPS, improve, (low, high, (low + high) / 2))[2]
    return _with_derivatives(log_r, log_y, u)


def _level(log_r: Float[Array, " n"], u: Float[Array, ""]) -> Float[Array, " n"]:
    """log Y(u, r)."""
    return log_rate(jnp.broadcast_to(u, log_r.shape), jnp.exp(log_r))


def _level_and_slope(log_r: Float[Array, " n"], u: Float[Array, ""]) -> tuple[Array, Array]:
    """log Y(u, r) and its derivative in log r."""
    return jax.jvp(lambda log_r: _level(log_r, u), (log_r,), (jnp.ones_like(log_r),))


def _with_derivatives(
    log_r: Float[Array, " n"], log_y: Float[Array, " n"], u: Float[Array, ""]
) -> Float[Array, " n"]:
    """r from a root that carries no derivative: a step of Newton's method has those of the implicit function."""
    log_r = jax.lax.stop_gradient(log_r)
    _, slope = jax.lax.stop_gradient(_level_and_slope(log_r, jax.lax.stop_gradient(u)))
    return jnp.exp(log_r - (_level(log_r, u) - log_y) / slope)


def _masses(k: Float[Array, ""]) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """log Y of each node, and the logarithms of the weights."""
    log_m, step = uniform_nodes(jnp.asarray(_MASS_LOW, k.dtype), jnp.asarray(_MASS_HIGH, k.dtype), MASS_NODES)
    return log_m - jnp.log(k), log_m - jnp.exp(log_m) + jnp.log(step)


def _moments_of_distances(
    r: Float[Array, " m"], log_weight: Float[Array, " m"], u: Float[Array, ""]
) -> Moments:
    mean = -jnp.sum(jnp.exp(log_weight) * r * jnp.tanh(u * r))
    return Moments(mean, logsumexp(log_weight + 2 * jnp.log(r)))


def best_of_k_moments(k: Float[Array, ""], u: Float[Array, ""]) -> Moments:
    """Moments of the proposal nearest to the judge's target; k real, at least 1, of one dtype with u ≥ 0."""
    log_y, log_weight = _masses(k)
    return _moments_of_distances(distance_at(log_y, u), log_weight, u)


def best_of_k_table(k: Float[Array, ""], u: Float[Array, " n"]) -> Moments:
    """`best_of_k_moments` at increasing u, the first of which is 0 or nearly so; u carries no derivative.

    The roots of one u are extrapolated to the next, which takes a tenth of the steps.
    """
    log_y, log_weight = _masses(k)
    known = jax.lax.stop_gradient(log_y)

    def follow(carry: tuple[Array, Array], u: Array) -> tuple[tuple[Array, Array], Moments]:
        log_r, last = carry
        _, slope = _level_and_slope(log_r, last)
        _, fall = jax.jvp(lambda u: _level(log_r, u), (last,), (jnp.ones_like(last),))
        log_r = log_r - (u - last) * fall / slope
        for _ in range(_FOLLOWING_STEPS):
            level, slope = _level_and_slope(log_r, u)
            log_r = log_r - (level - known) / slope
        return (log_r, u), _moments_of_distances(_with_derivatives(log_r, log_y, u), log_weight, u)

    start = jnp.log(unbiased_width(known)), jnp.zeros_like(k)
    return jax.lax.scan(follow, start, u)[1]


def softmax_moments(k: Float[Array, ""], u: Float[Array, ""], temperature: Float[Array, ""]) -> Moments:
    """Moments of the proposal that a softmax selects; `temperature` t > 0 is in units of the proposals' variance."""
    k_known, u_known, t = jax.lax.stop_gradient((k, u, temperature))
    scale = jnp.minimum(t, 1)
    z, dz = uniform_nodes(jnp.zeros_like(t), even_coordinate(u_known + _FAR, scale), _PROPOSAL_NODES)
    x, slope = evenly_spaced(z, scale)
    log_weight = log_half_normal(x - u) + jnp.log(slope) + jnp.log(dz)
    log_weight = log_weight.at[0].add(-math.log(2)) - math.log(2)
    both, sign = log_weight + jnp.log1p(jnp.exp(-2 * u * x)), jnp.tanh(u * x)

    log_w = -(x**2) / (2 * temperature)
    log_mean_w = jax.lax.stop_gradient(logsumexp(both + log_w))
    others = 40 / jnp.maximum(k_known - 1, 1e-3)  # e^-40: all other proposals are farther than this
    reach = jnp.minimum(distance_at(jnp.log(others)[None], u_known)[0], u_known + _FAR)
    low = -jnp.log(k_known) - log_mean_w - _RATE_LEFT
    log_rate_of_sum, step = uniform_nodes(low, jnp.maximum(reach**2 / (2 * t), 0) + 4, _RATE_NODES)

    def at(log_lambda: Array) -> tuple[Array, Array]:
        product = jnp.exp(log_lambda + log_w)
        missing = logsumexp(both + jnp.log(-jnp.expm1(-product)))  # log(1 - E[e^(-λw)])
        near = missing < -0.7
        log_kept = jnp.where(
            near,
            jnp.log1p(-jnp.exp(jnp.where(near, missing, -1))),
            logsumexp(both - product),
        )
        weight = both + log_lambda + log_w - product
        total = jnp.log(k) + (k - 1) * log_kept
        return total + logsumexp(weight + 2 * jnp.log(jnp.maximum(x, 1e-300))), jnp.sum(
            jnp.exp(total + weight) * x * sign
        )

    log_squares, means = jax.lax.map(at, log_rate_of_sum, batch_size=32)
    # left of the first node both are ∝ λ, so the sums there are geometric series
    rest = 1 + 1 / jnp.expm1(step)
    log_squares = log_squares.at[0].add(jnp.log(rest)) + jnp.log(step)
    return Moments(-step * (jnp.sum(means) + means[0] * (rest - 1)), logsumexp(log_squares))


def evenly_spaced(z: Float[Array, "..."], scale: Float[Array, ""]) -> tuple[Array, Array]:
    """x ≥ 0 with x²/(2 scale) ≈ z for large z, and dx/dz; x = √scale · z for small z."""
    bend = 1 + z**2 / 4
    return jnp.sqrt(scale) * z * bend**-0.25, jnp.sqrt(scale) * bend**-1.25 * (1 + z**2 / 8)


def even_coordinate(x: Float[Array, "..."], scale: Float[Array, ""]) -> Float[Array, "..."]:
    """The inverse of `evenly_spaced`."""
    fourth = (x**2 / scale) ** 2
    return jnp.sqrt(fourth / 8 + jnp.sqrt(fourth**2 / 64 + fourth))

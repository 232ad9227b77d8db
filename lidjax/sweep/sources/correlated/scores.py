"""Quantiles of the priors as functions of the normal score, as tables that the programs interpolate.

Tables are made on the host: an incomplete gamma function would be slow to compile and slow to run for every instance.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from lidjax.difficulty import Difficulty

LOW, HIGH, NODES = -20.0, 12.0, 1025
"""Range of the scores, beyond which lie 1e-33 of the prior, and its nodes: cubics are right to 1e-8 in log τ."""
_STEP = (HIGH - LOW) / (NODES - 1)
_SMALL = -25.0  # of log τ: below it the distribution function is τ^(β/2)/Γ(β/2 + 1) to 1e-11


class Quantiles(NamedTuple):
    """The quantile function of log τ over uniform scores. For a grid, both have the axis of β in front."""

    value: Any
    """log τ at each node."""
    slope: Any
    """Its derivative by the score, times the step of the nodes."""


@functools.lru_cache(maxsize=256)
def quantiles(beta: float, difficulty: Difficulty) -> Quantiles:
    """The table of a prior. That of the gamma prior with β = d is also the table of log(q/2) for q ~ χ²_d."""
    t, shape = np.linspace(LOW, HIGH, NODES), beta / 2
    log_cdf = stats.norm.logcdf(t)
    if difficulty == "power":
        value = log_cdf / shape
        return Quantiles(value, np.exp(stats.norm.logpdf(t) - log_cdf) / shape * _STEP)
    small = (log_cdf + special.gammaln(shape + 1)) / shape
    tau = np.where(
        t < 0, special.gammaincinv(shape, np.exp(log_cdf)), special.gammainccinv(shape, stats.norm.sf(t))
    )
    tail = small < _SMALL
    value = np.where(tail, small, np.log(np.where(tail, 1.0, tau)))
    log_density = shape * value - np.exp(value) - special.gammaln(shape)
    return Quantiles(value, np.exp(stats.norm.logpdf(t) - log_density) * _STEP)


class Norms(NamedTuple):
    """The law of half the squared norm of d whitened features, q/2 with q ~ χ²_d: quantiles and scores."""

    quantiles: Quantiles
    """log(q/2) by score."""
    low: Any
    """log(q/2) at the first node of the two others."""
    step: Any
    score: Any
    """The score over uniform log(q/2)."""
    slope: Any
    """Its derivative by log(q/2), times their step."""


@functools.lru_cache(maxsize=64)
def norms_of(dim: int) -> Norms:
    """The tables of d features."""
    table, shape = quantiles(float(dim), "gamma"), dim / 2
    at, step = np.linspace(table.value[0], table.value[-1], NODES, retstep=True)
    half = np.exp(at)
    below = special.gammainc(shape, half)
    tail = shape * at - half - special.gammaln(shape + 1)
    log_below = np.where(at < _SMALL, tail, np.log(np.where(at < _SMALL, 1.0, below)))
    with np.errstate(divide="ignore"):
        score = np.where(
            below < 0.5, special.ndtri_exp(log_below), -special.ndtri(special.gammaincc(shape, half))
        )
    log_density = shape * at - half - special.gammaln(shape)
    return Norms(table, at[0], step, score, np.exp(log_density - stats.norm.logpdf(score)) * step)


def score_at(log_half: jax.Array, norms: Norms) -> jax.Array:
    """The score of log(q/2), the inverse of `quantile_at` of `norms.quantiles`; clipped to the range."""
    return _cubic((log_half - norms.low) / norms.step, norms.score, norms.slope)


def quantile_at(score: jax.Array, table: Quantiles) -> jax.Array:
    """log τ at normal scores, by cubics with the values and slopes of the nodes; scores are clipped to the range."""
    return _cubic((score - LOW) / _STEP, table.value, table.slope)


def _cubic(position: jax.Array, value: Any, slope: Any) -> jax.Array:
    """Interpolation at a position counted in nodes."""
    position = jnp.clip(position, 0.0, NODES - 1.0)
    left = jnp.minimum(position.astype(jnp.int32), NODES - 2)
    u = position - left.astype(position.dtype)
    low, high = value[left], value[left + 1]
    bent = u * (1 - u) * ((1 - u) * slope[left] - u * slope[left + 1])
    return low + u**2 * (3 - 2 * u) * (high - low) + bent

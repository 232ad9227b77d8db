"""Zipf's law p_k = k^-a / Σ_j j^-a for a > 1, and the mass of its tail."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lidjax.arrays import broadcast_floats
from lidjax.errors import InputError

SHIFT = 64
"""Terms summed one by one before Euler-Maclaurin takes over. Next term left out: 3.2e-5 a⋯(a+4) SHIFT^-6 of the
remainder, under 1e-13 for a ≤ 5."""


def zipf_probability(rank, exponent, vocabulary=None):
    """p_k at `rank` k ≥ 1 for `exponent` a > 1; `vocabulary` K ≥ 1 makes it finite. Arguments broadcast."""
    check_law(exponent, vocabulary)
    check("rank", rank, lambda x: x >= 1, "at least 1")
    rank, exponent, *vocabulary = floats(rank, exponent, vocabulary)
    inside = jnp.where(rank <= vocabulary[0], 1.0, 0.0).astype(rank.dtype) if vocabulary else 1
    return inside * rank**-exponent / normaliser(exponent, *vocabulary)


def tail_mass(frontier, exponent, vocabulary=None):
    """Σ_{k > k*} p_k, the probability of the patterns beyond the frontier k* ≥ 0. Arguments broadcast.

    Between whole k* it is the analytic continuation ζ(a, k*+1)/ζ(a), so that it has a derivative. Relative error
    under 1e-12 in float64; with a finite `vocabulary` absolute, for it is a difference.
    """
    check_law(exponent, vocabulary)
    check("frontier", frontier, lambda x: x >= 0, "at least 0")
    return _tail_mass(*floats(frontier, exponent, vocabulary))


@jax.jit
def _tail_mass(frontier, exponent, vocabulary=None):
    beyond = hurwitz_zeta(exponent, frontier + 1)
    if vocabulary is not None:
        beyond = jnp.maximum(beyond - hurwitz_zeta(exponent, vocabulary + 1), 0)
    return beyond / normaliser(exponent, vocabulary)


def normaliser(exponent, vocabulary=None):
    """Σ_{k ≤ K} k^-a, or ζ(a); NaN where a ≤ 1."""
    total = hurwitz_zeta(exponent, jnp.ones_like(exponent))
    return total if vocabulary is None else total - hurwitz_zeta(exponent, vocabulary + 1)


def hurwitz_zeta(exponent, first):
    """Σ_{j ≥ 0} (first + j)^-a, for a > 1 and first > 0; NaN otherwise. Unlike JAX's it has a derivative in a.

    The sum from x0 + 1/2 on is the integral from x0, with the two corrections of Euler and Maclaurin's midpoint rule.
    """
    a = jnp.where(exponent > 1, exponent, jnp.nan)
    first = jnp.where(first > 0, first, jnp.nan)
    steps = jnp.arange(SHIFT, dtype=a.dtype).reshape([1] * a.ndim + [SHIFT])
    explicit = jnp.sum((first[..., None] + steps) ** -a[..., None], axis=-1)
    x = first + (SHIFT - 0.5)
    series = 1 / (a - 1) - a / (24 * x**2) + 7 / 5760 * a * (a + 1) * (a + 2) / x**4
    return explicit + x ** (1 - a) * series


def floats(*values):
    """Broadcast, one dtype; a None at the end is left out."""
    return broadcast_floats(*(value for value in values if value is not None))


def check_law(exponent, vocabulary) -> None:
    """InputError, naming the value, for a law that is none; traced values pass and become NaN."""
    check("exponent", exponent, lambda x: x > 1, "greater than 1 (the Zipf law is not summable otherwise)")
    if vocabulary is not None:
        check("vocabulary", vocabulary, lambda x: x >= 1, "at least 1 pattern, or None for infinitely many")


def check(name: str, value, allowed, words: str) -> None:
    """InputError naming the first value that is not allowed; NaN is not."""
    if isinstance(value, Tracer):
        return
    values = np.asarray(value)
    bad = ~np.asarray(allowed(values))
    if bad.any():
        raise InputError(f"{name} = {values[bad].flat[0]:g}: must be {words}")

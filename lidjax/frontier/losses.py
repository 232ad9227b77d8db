"""Reducible loss under each bottleneck: the probability of the patterns not learnt, exact and asymptotic.

    capacity      Σ_{k > c N^κ} p_k        ~ (c N^κ)^-(a-1) / ((a-1) ζ(a))
    coverage      Σ p_k (1-p_k)^D          ~ ζ(a)^(-1/a) Γ(1-1/a)/a · D^-(a-1)/a
    optimisation  Σ p_k exp(-t p_k^b)      ~ ζ(a)^(-1/a) Γ((1-1/a)/b)/(ab) · t^-(a-1)/(ab)

The asymptotes are the integrals over x of the same summands with p_x = x^-a/ζ(a), after y = D p or y = t p^b. They hold
for an infinite vocabulary, and for a finite one as long as the frontier is far inside it.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlog1py

from lidjax.frontier.zipf import check, check_law, floats, normaliser, tail_mass

EXPLICIT = 1024
"""Terms summed one by one. The term of Euler-Maclaurin left out, 7/5760 |g'''(EXPLICIT)|, is under 1e-13 of the loss
for a, ab ≤ 3 (measured in the tests)."""
DEAD = 45.0
"""Exponents beyond which a pattern counts as learnt: e^-45."""
FADED = 40.0
"""E-folds of 1 - e^-q followed before it counts as 0."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
PANELS = 8


def capacity_loss(parameters, exponent, *, kappa, scale=1.0, vocabulary=None):
    """Tail mass beyond k* = `scale` N^κ, for N = `parameters` ≥ 0. Arguments broadcast."""
    check("parameters", parameters, lambda x: x >= 0, "at least 0")
    check("kappa", kappa, lambda x: x > 0, "greater than 0")
    check("scale", scale, lambda x: x > 0, "greater than 0")
    parameters, kappa, scale = floats(parameters, kappa, scale)
    return tail_mass(scale * parameters**kappa, exponent, vocabulary)


def coverage_loss(samples, exponent, vocabulary=None):
    """Σ p_k (1-p_k)^D, the expected mass not seen in D = `samples` ≥ 0 draws. Arguments broadcast.

    Pass@k of D attempts with success p_k. EXPLICIT terms one by one, then Gauss-Legendre in log k around D p_k = 1 with
    the Euler-Maclaurin correction and the rest of the tail in closed form: the work does not grow with D. Relative
    error in float64 under 1e-13 (measured against mpmath, 1.05 ≤ a ≤ 3, D to 1e15). With a finite `vocabulary` it holds
    until patterns at its end are learnt, D p_K of order 10; the absolute error stays under 1e-14.
    """
    check("samples", samples, lambda x: x >= 0, "at least 0")
    check_law(exponent, vocabulary)
    samples, exponent, *vocabulary = floats(samples, exponent, vocabulary)
    return _batched("coverage", samples, exponent, jnp.ones_like(exponent), *vocabulary)


def optimisation_loss(steps, exponent, *, rate_exponent=1.0, vocabulary=None):
    """Σ p_k exp(-t p_k^b): pattern k fades at rate p_k^b, b = `rate_exponent`, for t = `steps` ≥ 0 in units of the
    rate of a pattern of p = 1. Arguments broadcast; accuracy as `coverage_loss`, for ab ≤ 3."""
    check("steps", steps, lambda x: x >= 0, "at least 0")
    check("rate_exponent", rate_exponent, lambda x: x > 0, "greater than 0")
    check_law(exponent, vocabulary)
    steps, exponent, rate_exponent, *vocabulary = floats(steps, exponent, rate_exponent, vocabulary)
    return _batched("optimisation", steps, exponent, rate_exponent, *vocabulary)


def capacity_asymptote(parameters, exponent, *, kappa, scale=1.0):
    """Leading term of `capacity_loss` for large N, infinite vocabulary."""
    check_law(exponent, None)
    n, a, kappa, scale = floats(parameters, exponent, kappa, scale)
    return (scale * n**kappa) ** (1 - a) / ((a - 1) * normaliser(a))


def coverage_asymptote(samples, exponent):
    """Leading term of `coverage_loss` for large D, infinite vocabulary."""
    return optimisation_asymptote(samples, exponent)


def optimisation_asymptote(steps, exponent, *, rate_exponent=1.0):
    """Leading term of `optimisation_loss` for large t, infinite vocabulary."""
    check_law(exponent, None)
    t, a, b = floats(steps, exponent, rate_exponent)
    index = (1 - 1 / a) / b
    return jnp.exp(gammaln(index) - jnp.log(normaliser(a)) / a - index * jnp.log(t)) / (a * b)


@partial(jax.jit, static_argnames="kind")
def _batched(kind, resource, exponent, rate_exponent, *vocabulary):
    shape = resource.shape
    flat = [jnp.ravel(x) for x in (resource, exponent, rate_exponent, *vocabulary)]
    return jax.vmap(partial(_unlearnt_mass, kind))(*flat).reshape(shape)


def _unlearnt_mass(kind, resource, a, b, vocabulary=None):
    """Σ_k p_k e^-q(p_k) of one cell, q = -D log(1-p) or t p^b.

    Sum from x0 + 1/2 on = ∫ g dx - [g']/24 between x0 and the end, g the summand. The integral is split at q = 1:
    below, where e^-q rises from nothing, and above as tail mass less ∫ p (1 - e^-q), which fades as a power.
    """
    resource = jnp.where(resource >= 0, resource, jnp.nan)
    log_z = jnp.log(normaliser(a, vocabulary))

    def q(log_x):
        log_p = -a * log_x - log_z
        if kind == "coverage":
            return -xlog1py(resource, -jnp.exp(log_p))
        return resource * jnp.exp(b * log_p)

    def summand(x):
        return jnp.exp(-a * jnp.log(x) - log_z - q(jnp.log(x)))

    def slope(x):  # of the summand; written out, for a derivative here would make the caller's third order
        p = jnp.exp(-a * jnp.log(x) - log_z)
        steepness = resource * p / (1 - p) if kind == "coverage" else b * q(jnp.log(x))
        return summand(x) * a * (steepness - 1) / x

    ranks = jnp.arange(1, EXPLICIT + 1, dtype=a.dtype)
    terms = summand(ranks)
    x0 = jnp.asarray(EXPLICIT + 0.5, a.dtype)
    start = jnp.log(x0)
    if vocabulary is None:
        end, at_end, correction = jnp.inf, 0.0, slope(x0) / 24
    else:
        terms = jnp.where(ranks <= vocabulary, terms, 0)
        last = jnp.maximum(vocabulary + 0.5, x0)
        end, at_end = jnp.log(last), q(jnp.log(last))
        correction = (slope(x0) - slope(last)) / 24

    def place(level):  # log x where q = level; any split is exact, so it carries no derivative
        at = (jnp.log(jnp.maximum(resource, jnp.finfo(a.dtype).tiny) / level) / b - log_z) / a
        return jax.lax.stop_gradient(jnp.clip(at, start, end))

    split = place(jnp.maximum(1.0, at_end))
    rising = _integral(
        lambda u: jnp.exp((1 - a) * u - log_z - q(u)), place(jnp.maximum(1.0, at_end) + DEAD), split
    )
    far = jax.lax.stop_gradient(jnp.minimum(split + FADED / (a * (1 + b) - 1), end))
    lost = _integral(lambda u: jnp.exp((1 - a) * u - log_z) * -jnp.expm1(-q(u)), split, far)
    rest = jnp.exp((1 - a) * split - log_z) / (a - 1)
    if vocabulary is not None:
        rest = rest * -jnp.expm1((1 - a) * (end - split))
    # a vocabulary wholly learnt (q > K/a at its end) leaves e^-q, which the correction may push below zero
    return jnp.maximum(jnp.sum(terms) + rising + rest - lost + correction, 0)


def _integral(function, low, high):
    """∫ over [low, high] by Gauss-Legendre on PANELS equal panels."""
    edges = low + (high - low) * jnp.arange(PANELS, dtype=low.dtype) / PANELS
    half = (high - low) / (2 * PANELS)
    nodes = edges[:, None] + half * (1 + jnp.asarray(NODES, low.dtype))[None, :]
    return half * jnp.sum(function(nodes) @ jnp.asarray(WEIGHTS, low.dtype))

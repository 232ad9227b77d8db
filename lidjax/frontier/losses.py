"""Reducible loss under each bottleneck: the probability of the patterns not learnt, exact and asymptotic.

    capacity      Σ_{k > c N^κ} p_k        ~ (c N^κ)^-(a-1) / ((a-1) ζ(a))
    coverage      Σ p_k (1-p_k)^D          ~ ζ(a)^(-1/a) Γ(1-1/a)/a · D^-(a-1)/a
    optimisation  Σ p_k exp(-t p_k^b)      ~ ζ(a)^(-1/a) Γ((1-1/a)/b)/(ab) · t^-(a-1)/(ab)

The asymptotes are the integrals over x of the same summands with p_x = x^-a/ζ(a), after y = D p or y = t p^b. They hold
for an infinite vocabulary, and for a finite one as long as the frontier is far inside it.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlog1py
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.frontier.arguments import broadcast_present, check_values, check_zipf
from lidjax.frontier.zipf import normaliser, tail_mass

EXPLICIT_TERMS = 1024
"""Terms summed one by one. The first term of the Euler-Maclaurin formula that is left out, 7/5760 |g'''| at the last
of them, is under 1e-13 of the loss for a, ab ≤ 3 (measured in the tests)."""
LEARNT = 45.0
"""q from which e^-q counts as 0."""
FADED = 40.0
"""E-folds of 1 - e^-q that are integrated before it counts as 0."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
PANELS = 8


def capacity_loss(
    parameters: ArrayLike,
    exponent: ArrayLike,
    *,
    kappa: ArrayLike,
    scale: ArrayLike = 1.0,
    vocabulary: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """The loss of a model that learns its k* most frequent patterns only, the mass beyond k* = c N^κ.

    Arguments broadcast. Accuracy as `tail_mass`.

    Args:
        parameters: N ≥ 0, number of parameters.
        exponent: a > 1 of p_k ∝ k^-a.
        kappa: κ > 0, how the number of patterns that fit grows with N.
        scale: c > 0.
        vocabulary: Number of patterns K ≥ 1, or None for infinitely many.

    Returns:
        The loss in [0, 1], of the broadcast shape.

    Raises:
        InputError: A value is out of its range. Traced values become NaN instead.

    References:
        Bottlenecks after arXiv:2602.02593; the formula was derived for this project and is checked against mpmath in
        tests/frontier/test_losses.py.

    Example:
        >>> import lidjax
        >>> from lidjax.frontier import tail_mass
        >>> round(float(lidjax.capacity_loss(1e4, 2.0, kappa=0.5)), 6), round(float(tail_mass(100, 2.0)), 6)
        (0.006049, 0.006049)
    """
    check_values("parameters", parameters, lambda x: x >= 0, "at least 0")
    check_values("kappa", kappa, lambda x: x > 0, "greater than 0")
    check_values("scale", scale, lambda x: x > 0, "greater than 0")
    parameters, kappa, scale = broadcast_present(parameters, kappa, scale)
    return tail_mass(scale * parameters**kappa, exponent, vocabulary)


def coverage_loss(
    samples: ArrayLike, exponent: ArrayLike, vocabulary: ArrayLike | None = None
) -> Float[Array, "..."]:
    """The expected mass Σ p_k (1-p_k)^D of the patterns that D draws miss. Arguments broadcast.

    It is the failure after D attempts of tasks with success p_k, that is 1 - pass@D. The first 1024 terms are summed
    one by one. The rest is Gauss-Legendre quadrature in log k around D p_k = 1, with a correction from the
    Euler-Maclaurin formula and the far tail in closed form, so that the work does not grow with D.

    The relative error in float64 is under 1e-13 (measured against mpmath, 1.05 ≤ a ≤ 3, D to 1e15). With a finite
    vocabulary this holds until patterns at its end are learnt, D p_K of order 10; the absolute error stays under 1e-14.

    Args:
        samples: D ≥ 0, number of draws.
        exponent: a > 1 of p_k ∝ k^-a.
        vocabulary: Number of patterns K ≥ 1, or None for infinitely many.

    Returns:
        The loss in [0, 1], of the broadcast shape.

    Raises:
        InputError: A value is out of its range. Traced values become NaN instead.

    References:
        Bottlenecks after arXiv:2602.02593; the evaluation was derived for this project and is checked against mpmath in
        tests/frontier/test_losses.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> [round(float(x), 4) for x in lidjax.coverage_loss(jnp.array([0.0, 1.0, 1e6]), 2.0)]
        [1.0, 0.6, 0.0007]
    """
    check_values("samples", samples, lambda x: x >= 0, "at least 0")
    check_zipf(exponent, vocabulary)
    samples, exponent, *finite = broadcast_present(samples, exponent, vocabulary)
    return _each_cell("coverage", samples, exponent, jnp.ones_like(exponent), *finite)


def optimisation_loss(
    steps: ArrayLike,
    exponent: ArrayLike,
    *,
    rate_exponent: ArrayLike = 1.0,
    vocabulary: ArrayLike | None = None,
) -> Float[Array, "..."]:
    """The mass Σ p_k exp(-t p_k^b) that is not learnt after t steps, if pattern k is learnt at rate p_k^b.

    Arguments broadcast. Accuracy as `coverage_loss`, for ab ≤ 3.

    Args:
        steps: t ≥ 0, in units of the time constant of a pattern with p = 1.
        exponent: a > 1 of p_k ∝ k^-a.
        rate_exponent: b > 0.
        vocabulary: Number of patterns K ≥ 1, or None for infinitely many.

    Returns:
        The loss in [0, 1], of the broadcast shape.

    Raises:
        InputError: A value is out of its range. Traced values become NaN instead.

    References:
        Bottlenecks after arXiv:2602.02593; the evaluation was derived for this project and is checked against mpmath in
        tests/frontier/test_losses.py.

    Example:
        >>> import lidjax
        >>> from lidjax.frontier import optimisation_asymptote
        >>> loss = lidjax.optimisation_loss(1e9, 1.5, rate_exponent=2.0)
        >>> bool(abs(optimisation_asymptote(1e9, 1.5, rate_exponent=2.0) / loss - 1) < 1e-3)
        True
    """
    check_values("steps", steps, lambda x: x >= 0, "at least 0")
    check_values("rate_exponent", rate_exponent, lambda x: x > 0, "greater than 0")
    check_zipf(exponent, vocabulary)
    steps, exponent, rate_exponent, *finite = broadcast_present(steps, exponent, rate_exponent, vocabulary)
    return _each_cell("optimisation", steps, exponent, rate_exponent, *finite)


def capacity_asymptote(
    parameters: ArrayLike, exponent: ArrayLike, *, kappa: ArrayLike, scale: ArrayLike = 1.0
) -> Float[Array, "..."]:
    """The leading term of `capacity_loss` for large N and an infinite vocabulary. Arguments broadcast.

    Args:
        parameters: N > 0, number of parameters.
        exponent: a > 1 of p_k ∝ k^-a.
        kappa: κ > 0 of k* = c N^κ.
        scale: c > 0.

    Returns:
        (c N^κ)^-(a-1) / ((a-1) ζ(a)), of the broadcast shape.

    Raises:
        InputError: An exponent is not greater than 1.

    References:
        Derived for this project; checked against `capacity_loss` in tests/frontier/test_losses.py.

    Example:
        >>> from lidjax.frontier import capacity_asymptote
        >>> round(float(capacity_asymptote(1e4, 2.0, kappa=0.5)), 6)
        0.006079
    """
    check_zipf(exponent, None)
    n, a, kappa, scale = broadcast_present(parameters, exponent, kappa, scale)
    return (scale * n**kappa) ** (1 - a) / ((a - 1) * normaliser(a))


def coverage_asymptote(samples: ArrayLike, exponent: ArrayLike) -> Float[Array, "..."]:
    """The leading term of `coverage_loss` for large D and an infinite vocabulary. Arguments broadcast.

    Args:
        samples: D > 0, number of draws.
        exponent: a > 1 of p_k ∝ k^-a.

    Returns:
        ζ(a)^(-1/a) Γ(1-1/a)/a · D^-(a-1)/a, of the broadcast shape.

    Raises:
        InputError: An exponent is not greater than 1.

    References:
        Derived for this project; checked against `coverage_loss` in tests/frontier/test_losses.py.

    Example:
        >>> from lidjax.frontier import coverage_asymptote
        >>> round(float(coverage_asymptote(1e6, 2.0) / coverage_asymptote(1e8, 2.0)), 4)
        10.0
    """
    return optimisation_asymptote(samples, exponent)


def optimisation_asymptote(
    steps: ArrayLike, exponent: ArrayLike, *, rate_exponent: ArrayLike = 1.0
) -> Float[Array, "..."]:
    """The leading term of `optimisation_loss` for large t and an infinite vocabulary. Arguments broadcast.

    Args:
        steps: t > 0, in units of the time constant of a pattern with p = 1.
        exponent: a > 1 of p_k ∝ k^-a.
        rate_exponent: b > 0 of the rate p_k^b.

    Returns:
        ζ(a)^(-1/a) Γ((1-1/a)/b)/(ab) · t^-(a-1)/(ab), of the broadcast shape.

    Raises:
        InputError: An exponent is not greater than 1.

    References:
        Derived for this project; checked against `optimisation_loss` in tests/frontier/test_losses.py.

    Example:
        >>> from lidjax.frontier import optimisation_asymptote
        >>> import jax.numpy as jnp
        >>> law = optimisation_asymptote(jnp.array([1e6, 1e10]), 2.0, rate_exponent=2.0)  # slope (a-1)/(ab) = 1/4
        >>> round(float(law[0] / law[1]), 4)
        10.0
    """
    check_zipf(exponent, None)
    t, a, b = broadcast_present(steps, exponent, rate_exponent)
    index = (1 - 1 / a) / b
    return jnp.exp(gammaln(index) - jnp.log(normaliser(a)) / a - index * jnp.log(t)) / (a * b)


@partial(jax.jit, static_argnames="kind")
def _each_cell(
    kind: str, resource: jax.Array, exponent: jax.Array, rate_exponent: jax.Array, *vocabulary: jax.Array
) -> jax.Array:
    """`_unlearnt_mass` of arrays of one shape."""
    shape = resource.shape
    flat = [jnp.ravel(x) for x in (resource, exponent, rate_exponent, *vocabulary)]
    return jax.vmap(partial(_unlearnt_mass, kind))(*flat).reshape(shape)


def _unlearnt_mass(
    kind: str, resource: jax.Array, a: jax.Array, b: jax.Array, vocabulary: jax.Array | None = None
) -> jax.Array:
    """Σ_k p_k e^-q(p_k) of one cell, with q = -D log(1-p) for coverage and t p^b for optimisation.

    The first terms are summed. The sum from x0 + 1/2 on is ∫ g dx - [g']/24 from x0 to the end, with g the summand. The
    integral is split at q = 1. Below the split, where most patterns are learnt, it is integrated as it is. Above, it is
    the tail mass less ∫ p (1 - e^-q), whose integrand falls as a power of k.
    """
    resource = jnp.where(resource >= 0, resource, jnp.nan)
    log_z = jnp.log(normaliser(a, vocabulary))

    def q(log_x: jax.Array) -> jax.Array:
        log_p = -a * log_x - log_z
        if kind == "coverage":
            return -xlog1py(resource, -jnp.exp(log_p))
        return resource * jnp.exp(b * log_p)

    def summand(x: jax.Array) -> jax.Array:
        return jnp.exp(-a * jnp.log(x) - log_z - q(jnp.log(x)))

    def summand_slope(x: jax.Array) -> jax.Array:
        # written out: automatic differentiation here would make a caller's second derivative a third-order one
        p = jnp.exp(-a * jnp.log(x) - log_z)
        steepness = resource * p / (1 - p) if kind == "coverage" else b * q(jnp.log(x))
        return summand(x) * a * (steepness - 1) / x

    ranks = jnp.arange(1, EXPLICIT_TERMS + 1, dtype=a.dtype)
    terms = summand(ranks)
    x0 = jnp.asarray(EXPLICIT_TERMS + 0.5, a.dtype)
    start = jnp.log(x0)
    if vocabulary is None:
        end, q_at_end, correction = jnp.inf, 0.0, summand_slope(x0) / 24
    else:
        terms = jnp.where(ranks <= vocabulary, terms, 0)
        last = jnp.maximum(vocabulary + 0.5, x0)
        end, q_at_end = jnp.log(last), q(jnp.log(last))
        correction = (summand_slope(x0) - summand_slope(last)) / 24

    def log_x_where(level: jax.Array) -> jax.Array:
        """log x at which q is about `level`; the integral may be split anywhere, so this carries no derivative."""
        at = (jnp.log(jnp.maximum(resource, jnp.finfo(a.dtype).tiny) / level) / b - log_z) / a
        return jax.lax.stop_gradient(jnp.clip(at, start, end))

    middle = log_x_where(jnp.maximum(1.0, q_at_end))
    below = _integral(
        lambda u: jnp.exp((1 - a) * u - log_z - q(u)),
        log_x_where(jnp.maximum(1.0, q_at_end) + LEARNT),
        middle,
    )
    far = jax.lax.stop_gradient(jnp.minimum(middle + FADED / (a * (1 + b) - 1), end))
    learnt_above = _integral(lambda u: jnp.exp((1 - a) * u - log_z) * -jnp.expm1(-q(u)), middle, far)
    mass_above = jnp.exp((1 - a) * middle - log_z) / (a - 1)
    if vocabulary is not None:
        mass_above = mass_above * -jnp.expm1((1 - a) * (end - middle))
    # where a whole vocabulary is learnt (q > K/a at its end) only e^-q is left, and the correction may exceed it
    return jnp.maximum(jnp.sum(terms) + below + mass_above - learnt_above + correction, 0)


def _integral(function: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array) -> jax.Array:
    """∫ over [low, high] by Gauss-Legendre quadrature on PANELS equal panels."""
    edges = low + (high - low) * jnp.arange(PANELS, dtype=low.dtype) / PANELS
    half = (high - low) / (2 * PANELS)
    nodes = edges[:, None] + half * (1 + jnp.asarray(NODES, low.dtype))[None, :]
    return half * jnp.sum(function(nodes) @ jnp.asarray(WEIGHTS, low.dtype))

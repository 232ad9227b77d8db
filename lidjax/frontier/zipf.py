"""Zipf's law p_k = k^-a / Σ_j j^-a for a > 1, and the mass of its tail."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.frontier.arguments import broadcast_present, check_values, check_zipf

EXPLICIT_TERMS = 64
"""Terms of the zeta function summed one by one before the Euler-Maclaurin formula takes over. The next term of that
formula is 3.2e-5 a⋯(a+4) EXPLICIT_TERMS^-6 of the remainder, under 1e-13 for a ≤ 5."""


def zipf_probability(
    rank: ArrayLike, exponent: ArrayLike, vocabulary: ArrayLike | None = None
) -> Float[Array, "..."]:
    """The probability p_k of the pattern of a rank under Zipf's law. Arguments broadcast.

    Args:
        rank: k ≥ 1.
        exponent: a > 1 of p_k ∝ k^-a.
        vocabulary: Number of patterns K ≥ 1, or None for infinitely many.

    Returns:
        p_k, 0 beyond a finite vocabulary; of the broadcast shape.

    Raises:
        InputError: A value is out of its range. Traced values become NaN instead.

    References:
        Zipf's law; the normaliser is checked against mpmath in tests/frontier/test_zipf.py.

    Example:
        >>> import jax.numpy as jnp
        >>> from lidjax.frontier import zipf_probability
        >>> round(float(jnp.sum(zipf_probability(jnp.arange(1, 101), 1.5, 100))), 4)
        1.0
        >>> round(float(zipf_probability(1, 2.0)), 4)  # 6/π²
        0.6079
    """
    check_zipf(exponent, vocabulary)
    check_values("rank", rank, lambda x: x >= 1, "at least 1")
    rank, exponent, *finite = broadcast_present(rank, exponent, vocabulary)
    inside = jnp.where(rank <= finite[0], 1.0, 0.0).astype(rank.dtype) if finite else 1
    return inside * rank**-exponent / normaliser(exponent, *finite)


def tail_mass(
    frontier: ArrayLike, exponent: ArrayLike, vocabulary: ArrayLike | None = None
) -> Float[Array, "..."]:
    """The probability Σ_{k > k*} p_k of the patterns beyond a frontier. Arguments broadcast.

    Between whole k* it is the analytic continuation ζ(a, k*+1)/ζ(a), so that it has a derivative. The relative error is
    under 1e-12 in float64. With a finite vocabulary the result is a difference, and this bounds its absolute error.

    Args:
        frontier: k* ≥ 0.
        exponent: a > 1 of p_k ∝ k^-a.
        vocabulary: Number of patterns K ≥ 1, or None for infinitely many.

    Returns:
        The mass, of the broadcast shape.

    Raises:
        InputError: A value is out of its range. Traced values become NaN instead.

    References:
        Derived for this project; checked against mpmath and plain sums in tests/frontier.

    Example:
        >>> from lidjax.frontier import tail_mass, zipf_probability
        >>> round(float(tail_mass(1, 2.0)), 4), round(1 - float(zipf_probability(1, 2.0)), 4)
        (0.3921, 0.3921)
    """
    check_zipf(exponent, vocabulary)
    check_values("frontier", frontier, lambda x: x >= 0, "at least 0")
    return _tail_mass(*broadcast_present(frontier, exponent, vocabulary))


@jax.jit
def _tail_mass(frontier: jax.Array, exponent: jax.Array, vocabulary: jax.Array | None = None) -> jax.Array:
    """`tail_mass` of arrays of one shape."""
    beyond = hurwitz_zeta(exponent, frontier + 1)
    if vocabulary is not None:
        beyond = jnp.maximum(beyond - hurwitz_zeta(exponent, vocabulary + 1), 0)
    return beyond / normaliser(exponent, vocabulary)


def normaliser(exponent: jax.Array, vocabulary: jax.Array | None = None) -> jax.Array:
    """Σ_{k ≤ K} k^-a, or ζ(a) for an infinite vocabulary; NaN where a ≤ 1."""
    total = hurwitz_zeta(exponent, jnp.ones_like(exponent))
    return total if vocabulary is None else total - hurwitz_zeta(exponent, vocabulary + 1)


def hurwitz_zeta(exponent: jax.Array, first: jax.Array) -> jax.Array:
    """Σ_{j ≥ 0} (first + j)^-a, for a > 1 and first > 0; NaN otherwise. Unlike JAX's it has a derivative in a.

    The sum from x0 + 1/2 on is the integral from x0, with two corrections of the Euler-Maclaurin midpoint formula.
    """
    a = jnp.where(exponent > 1, exponent, jnp.nan)
    first = jnp.where(first > 0, first, jnp.nan)
    steps = jnp.arange(EXPLICIT_TERMS, dtype=a.dtype).reshape([1] * a.ndim + [EXPLICIT_TERMS])
    explicit = jnp.sum((first[..., None] + steps) ** -a[..., None], axis=-1)
    x = first + (EXPLICIT_TERMS - 0.5)
    series = 1 / (a - 1) - a / (24 * x**2) + 7 / 5760 * a * (a + 1) * (a + 2) / x**4
    return explicit + x ** (1 - a) * series

"""The first accepted of at most k attempts, where the verifier accepts some wrong answers and misses some right ones.

An attempt is right with probability p. The verifier accepts a right answer with probability a (its sensitivity) and a
wrong one with probability f (its false acceptance), so that it accepts an attempt with probability

    q = p a + (1 - p) f.

The first accepted of at most k independent attempts is then

    right    p a G,        G = (1 - (1-q)^k)/q = expected number of attempts,
    wrong    (1 - p) f G,
    none     (1 - q)^k,

and the first of these tends to the ceiling p a/q as k grows. With a = 1 and f = 0 the failure is (1-p)^k.
All are computed as logarithms of positive terms: nothing cancels, however small p, f and 1/k are.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import Range, checked_floats, or_nan

PROBABILITY = Range("from 0 to 1", lambda x: (x >= 0) & (x <= 1))
POSITIVE_PROBABILITY = Range(
    "greater than 0 and at most 1: a verifier that accepts no wrong answer has no ceiling below 1",
    lambda x: (x > 0) & (x <= 1),
)
ATTEMPTS = Range("at least 1, or infinity", lambda x: x >= 1)
_LINEAR = math.log(1e-17)  # of m = k Y: below it 1 - e^-m = m to the last digit of a float64
_CERTAIN = math.log(700.0)  # beyond it e^-m is below the smallest float64


class Acceptance(NamedTuple):
    """What becomes of at most k attempts, each checked by a verifier that errs; all fields have one shape."""

    right: Float[Array, "..."]
    """Probability that the first accepted answer is right."""
    wrong: Float[Array, "..."]
    """Probability that the first accepted answer is wrong."""
    none: Float[Array, "..."]
    """Probability that no attempt is accepted."""
    failure: Float[Array, "..."]
    """wrong + none = 1 - right, as a sum of positive terms."""
    attempts: Float[Array, "..."]
    """Expected number of attempts, since one stops at the first that is accepted."""


def log_first_accepted(
    log_success: Float[Array, "..."],
    log_miss: Float[Array, "..."],
    k: Float[Array, "..."],
    sensitivity: Float[Array, "..."],
    false_accept: Float[Array, "..."],
) -> Acceptance:
    """Logarithms of `first_accepted` from log p and log(1 - p), for kernels; one shape and dtype, not checked."""
    p, miss = jnp.exp(log_success), jnp.exp(log_miss)
    log_pa, log_wrong_one = log_success + safe_log(sensitivity), log_miss + safe_log(false_accept)
    log_q = jnp.logaddexp(log_pa, log_wrong_one)
    accepts = log_q > -jnp.inf
    log_q = jnp.where(accepts, log_q, 0)
    q = p * sensitivity + miss * false_accept
    rejected = p * (1 - sensitivity) + miss * (1 - false_accept)
    # Y = -log(1 - q), from whichever of q and 1 - q is the smaller
    tiny, small = log_q < -20, q < 0.5
    near = -jnp.log1p(-jnp.where(small & ~tiny, q, 0.25))
    log_far = jnp.log(-safe_log(jnp.where(small, 0.5, rejected)))
    log_y = jnp.where(tiny, log_q + jnp.exp(log_q) / 2, jnp.where(small, jnp.log(near), log_far))
    log_m = jnp.log(k) + log_y
    linear, certain = log_m < _LINEAR, log_m > _CERTAIN
    m = jnp.exp(jnp.where(linear | certain, 0, log_m))
    log_accepted = jnp.where(linear, log_m, jnp.where(certain, 0, jnp.log(-jnp.expm1(-m))))
    log_attempts = jnp.where(accepts, log_accepted - log_q, jnp.log(k))
    log_none = jnp.where(accepts, -jnp.exp(log_m), 0)
    log_right, log_wrong = (
        jnp.where(one > -jnp.inf, one + log_attempts, -jnp.inf) for one in (log_pa, log_wrong_one)
    )
    return Acceptance(log_right, log_wrong, log_none, jnp.logaddexp(log_wrong, log_none), log_attempts)


def safe_log(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """log x, -inf at 0 with derivative 0 there: a term that is absent has no slope as a logarithm."""
    positive = x > 0
    return jnp.where(positive, jnp.log(jnp.where(positive, x, 1)), jnp.where(x == 0, -jnp.inf, jnp.nan))


def first_accepted(
    success: ArrayLike,
    k: ArrayLike,
    *,
    sensitivity: ArrayLike = 1.0,
    false_accept: ArrayLike = 0.0,
    log: bool = False,
) -> Acceptance:
    """What the first accepted of at most k attempts is worth, with a verifier that errs.

    In float64 the relative error is below 1e-13 for k up to 1e12, and so is that of the logarithms. The function may be
    called under `jit` and `vmap` and differentiated, except where an argument is at an end of its range: there the
    derivative leaves out the term that is absent.

    Args:
        success: probability p that one attempt is right, 0 to 1.
        k: most attempts, real, at least 1; infinity is the limit.
        sensitivity: probability a that the verifier accepts a right answer, 0 to 1.
        false_accept: probability f that it accepts a wrong one, 0 to 1. The four broadcast.
        log: return the logarithm of every field, which holds where the field underflows.

    Returns:
        `Acceptance` of the broadcast shape: right, wrong, none, failure = wrong + none, and the expected number of
        attempts (infinite where k is and nothing is ever accepted).

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        Stroebl, Kapoor and Narayanan, "Inference Scaling fLaws", arXiv:2411.17501. Compared with mpmath and with a
        simulation of single attempts in tests/verifiers/test_acceptance.py.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> found = lidjax.first_accepted(0.1, jnp.array([1, 10, 1e12]), sensitivity=0.9, false_accept=0.05)
        >>> [round(float(x), 4) for x in found.right]
        [0.09, 0.5103, 0.6667]
    """
    p, k, sensitivity, false_accept = checked_floats(
        success=(success, or_nan(PROBABILITY)),
        k=(k, ATTEMPTS),
        sensitivity=(sensitivity, PROBABILITY),
        false_accept=(false_accept, PROBABILITY),
    )
    miss = jnp.where(p < 1, 1 - p, 0)
    near_zero = p < 0.5
    log_miss = jnp.where(near_zero, jnp.log1p(-jnp.where(near_zero, p, 0)), safe_log(miss))
    found = log_first_accepted(safe_log(p), log_miss, k, sensitivity, false_accept)
    found = Acceptance(*(jnp.where(jnp.isnan(p), jnp.nan, x) for x in found))
    return found if log else Acceptance(*(jnp.exp(x) for x in found))


def acceptance_ceiling(
    success: ArrayLike, *, sensitivity: ArrayLike = 1.0, false_accept: ArrayLike
) -> Float[Array, "..."]:
    """p a/(p a + (1 - p) f): how often the first accepted answer is right, however many attempts are made.

    Args:
        success: probability p that one attempt is right, 0 to 1.
        sensitivity: probability a that the verifier accepts a right answer, 0 to 1.
        false_accept: probability f that it accepts a wrong one, greater than 0, at most 1. The three broadcast.

    Returns:
        The ceiling, of the broadcast shape; 0 at p = 0 and at a = 0.

    Raises:
        InputError: if an argument is out of its range (with f = 0 there is no ceiling below 1), or if shapes do not
            broadcast. A traced argument that is not allowed gives NaN.

    References:
        Stroebl, Kapoor and Narayanan, arXiv:2411.17501; the limit of `first_accepted`.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.acceptance_ceiling(0.1, sensitivity=0.9, false_accept=0.05)), 4)
        0.6667
    """
    p, sensitivity, false_accept = checked_floats(
        success=(success, or_nan(PROBABILITY)),
        sensitivity=(sensitivity, PROBABILITY),
        false_accept=(false_accept, POSITIVE_PROBABILITY),
    )
    right = p * sensitivity
    wrong = (1 - p) * false_accept
    either = right + wrong > 0  # at p = 1 and a = 0 nothing is ever accepted
    return jnp.where(either, right / jnp.where(either, right + wrong, 1), jnp.where(jnp.isnan(p), jnp.nan, 0))

"""Where accepting a wrong answer costs something, a finite number of attempts is best: which, and how it moves with N.

A right answer is worth 1, a wrong one that is accepted costs c. One more attempt after k is worth

    E[(S a - c (1 - S) f) (1 - q)^k],      1 - q = (1 - f) (1 - S (a - f)/(1 - f)).

The factor (1 - f)^k is common to all instances. What is left weighs them like K = k (a - f)/(1 - f) attempts with a
perfect verifier, under which E[S (1-S)^K] = L_inf(K) β_K/K, with β_K the local exponent of L_inf at K. The gain is
gone at

    K = a β_K/(c f),      k = a (1 - f) β_K/((a - f) c f).

So the best number of attempts follows the local exponent: it grows with training as β_eff does, and saturates where
β_eff saturates, at β.
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import POSITIVE, checked_floats, or_nan
from lidjax.verifiers.acceptance import POSITIVE_PROBABILITY, PROBABILITY


def penalised_attempts(
    exponent: ArrayLike, *, false_accept: ArrayLike, cost: ArrayLike, sensitivity: ArrayLike = 1.0
) -> Float[Array, "..."]:
    """The best number of attempts where an accepted wrong answer costs as much as `cost` right ones are worth.

    It is a (1 - f) β/((a - f) c f), to leading order in c f. For β_eff take the local exponent at that k; the limit of
    much training is the tail index β of the difficulty. At β = 2.5, δ = σ/2, a = 0.9, f = 0.02 the best k of
    `verified_pass_at_k`, among values that lie 12 % apart, is within 8 % of it for c from 0.5 to 3, L_gen/σ² up to 10.

    Args:
        exponent: local exponent β_eff > 0 of L_inf(k). NaN gives NaN.
        false_accept: probability f that a wrong answer is accepted, greater than 0, at most 1.
        cost: c > 0, the price of an accepted wrong answer, where a right one is worth 1.
        sensitivity: probability a that a right answer is accepted, 0 to 1. The four broadcast.

    Returns:
        The number of attempts, not rounded, of the broadcast shape; NaN for a ≤ f, where the verifier misleads.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        Derived for this project; Stroebl, Kapoor and Narayanan, arXiv:2411.17501, have the finite optimum.
        tests/verifiers/test_population.py compares it with the optimum over k.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.penalised_attempts(2.5, false_accept=0.02, cost=0.5, sensitivity=0.9)), 1)
        250.6
    """
    exponent, false_accept, cost, sensitivity = checked_floats(
        exponent=(exponent, or_nan(POSITIVE)),
        false_accept=(false_accept, POSITIVE_PROBABILITY),
        cost=(cost, POSITIVE),
        sensitivity=(sensitivity, PROBABILITY),
    )
    gap = sensitivity - false_accept
    useful = gap > 0
    attempts = sensitivity * (1 - false_accept) * exponent / (jnp.where(useful, gap, 1) * cost * false_accept)
    return jnp.where(useful, attempts, jnp.nan)

"""Attempts that stop at the first success: how many are made of at most k, and what they cost.

With a perfect verifier, the expected number of attempts at a problem with success rate p is

    A(k) = Σ_{j<k} (1-p)^j = (1 - (1-p)^k)/p,

of which pass@k are successes and A(k) - pass@k failures; `lidjax.first_accepted` computes it from p. From c correct
among n samples in random order, the average over all orders is unbiased:

    Σ_{j<k} C(n-c, j)/C(n, j) = (k + (n-k+1) pass@k)/(c+1), a sum without cancellation.
"""

from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from lidjax.passk.counts import Values, check_samples, log_failure_kernel


@overload
def attempts_from_counts(  # pyright: ignore[reportOverlappingOverload]
    num_samples: float, num_correct: float, k: float
) -> np.float64: ...


@overload
def attempts_from_counts(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> Values: ...


def attempts_from_counts(num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike) -> Values:
    """Unbiased estimate of A(k), the expected attempts at each problem if sampling stops at the first success.

    Args:
        num_samples: number n of samples of each problem.
        num_correct: number c of correct ones, 0 ≤ c ≤ n.
        k: largest number of attempts, 1 ≤ k ≤ n. All three are whole numbers, scalars or arrays that broadcast.

    Returns:
        float64 NumPy array of the broadcast shape, between 1 and k; a scalar for scalars. Relative error below 1e-13.

    Raises:
        InputError: as `pass_at_k_from_counts`.

    References:
        Derived for this project (lidjax/passk/stopping.py); compared with enumeration in tests/passk/test_stopping.py.

    Example:
        >>> import lidjax
        >>> [round(float(attempts), 4) for attempts in lidjax.attempts_from_counts(10, 3, [1, 2, 10])]
        [1.0, 1.7, 2.75]
    """
    n, c, k = check_samples(num_samples, num_correct, k)
    solved = -np.expm1(log_failure_kernel(n, c, k, np))
    return ((k + (n - k + 1) * solved) / (c + 1))[()]

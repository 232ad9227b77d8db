"""Attempts that a verifier accepts or not, from a log that says of each attempt whether it is accepted and correct.

The first accepted of at most k attempts is the answer. Of n attempts in random order, r are correct and accepted and w
wrong and accepted: one of the k is accepted with probability pass@k of r + w, and the first accepted one is equally
likely to be any of them. Averaged over all orders, the answer is right with probability

    r/(r+w) · (1 - C(n-r-w, k)/C(n, k)),

which is unbiased for p a (1 - (1-q)^k)/q, q = p a + (1-p) f, with sensitivity a and false acceptance f.
"""

import numpy as np
from numpy.typing import ArrayLike

from lidjax.passk.counts import Values, check_samples, log_failure_kernel


def verified_from_counts(
    num_samples: ArrayLike, right_accepted: ArrayLike, wrong_accepted: ArrayLike, k: ArrayLike
) -> Values:
    """Unbiased probability that the first accepted of at most k attempts is right, from attempts with both labels.

    Where nothing is accepted there is no answer, which is not right.

    Args:
        num_samples: number n of samples of each problem.
        right_accepted: number of samples that are correct and accepted.
        wrong_accepted: number of samples that are wrong and accepted; both together are at most n.
        k: number of attempts, 1 ≤ k ≤ n. All are whole numbers, scalars or arrays that broadcast.

    Returns:
        float64 NumPy array of the broadcast shape; a scalar for scalars.

    Raises:
        InputError: if k > n, the accepted are more than n, or a value is negative or not whole.

    References:
        The setting is that of Stroebl, Kapoor and Narayanan (2024), arXiv:2411.17501. The estimator was derived for
        this project and is compared with enumeration in tests/passk/test_verified.py.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.verified_from_counts(10, 3, 1, 10)), 4)  # one of the four accepted ones
        0.75
    """
    right, wrong = np.asarray(right_accepted), np.asarray(wrong_accepted)
    check_samples(num_samples, right, k)
    check_samples(num_samples, wrong, k)
    n, accepted, attempts = check_samples(num_samples, right + wrong, k)
    share = np.where(accepted > 0, right / np.maximum(accepted, 1), 0.0)
    return (share * -np.expm1(log_failure_kernel(n, accepted, attempts, np)))[()]

"""Several successes among k attempts, from counts: all of them (pass^k), or at least a share τ of them (G-pass@k).

Both are averages over the k-subsets of the n samples of a problem, so they are unbiased for what k new attempts would
give: the number of correct ones in a random k-subset is hypergeometric,

    pass^k = C(c, k) / C(n, k),        G-pass@k(τ) = Σ_{j ≥ ⌈τk⌉} C(c, j) C(n-c, k-j) / C(n, k).
"""

from functools import lru_cache
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from lidjax.errors import InputError
from lidjax.passk.counts import Values, check_samples, log_failure_kernel

ROUNDED_UP = (
    1e-9  # ⌈τk⌉ of a product that floating point puts a little above a whole number, such as 0.07 · 100
)


@overload
def pass_hat_k_from_counts(  # pyright: ignore[reportOverlappingOverload]
    num_samples: float, num_correct: float, k: float, *, log: bool = False
) -> np.float64: ...


@overload
def pass_hat_k_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike, *, log: bool = False
) -> Values: ...


def pass_hat_k_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike, *, log: bool = False
) -> Values:
    """Unbiased pass^k of each problem, C(c, k)/C(n, k): the probability that all of k attempts succeed.

    Args:
        num_samples: number n of samples of each problem.
        num_correct: number c of correct ones, 0 ≤ c ≤ n.
        k: number of attempts, 1 ≤ k ≤ n. All three are whole numbers, scalars or arrays that broadcast.
        log: return the logarithm, -inf where c < k.

    Returns:
        float64 NumPy array of the broadcast shape, one value for each problem; a scalar for scalars. Relative error of
        the logarithm as for `pass_at_k_from_counts`.

    Raises:
        InputError: as `pass_at_k_from_counts`.

    References:
        Yao et al. (2024), "τ-bench", arXiv:2406.12045, Sec. 4. It is the failure of Chen et al. (2021) with correct and
        wrong samples exchanged, and compared with exact fractions in tests/passk/test_successes.py.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.pass_hat_k_from_counts(10, 7, 2)), 4)  # (7 · 6)/(10 · 9)
        0.4667
    """
    n, c, k = check_samples(num_samples, num_correct, k)
    log_value = log_failure_kernel(n, n - c, k, np)
    return (log_value if log else np.exp(log_value))[()]


def g_pass_at_k_from_counts(
    num_samples: ArrayLike, num_correct: ArrayLike, k: ArrayLike, tau: float
) -> Values:
    """Unbiased G-pass@k(τ) of each problem: the probability that at least τk of k attempts succeed.

    At τ = 1 it is pass^k, and where τk ≤ 1 it is pass@k.

    Args:
        num_samples: number n of samples of each problem.
        num_correct: number c of correct ones, 0 ≤ c ≤ n.
        k: number of attempts, 1 ≤ k ≤ n. All three are whole numbers, scalars or arrays that broadcast.
        tau: share of the k attempts that must succeed, 0 < τ ≤ 1.

    Returns:
        float64 NumPy array of the broadcast shape; a scalar for scalars. Relative error below 1e-12; values below
        1e-100 may be 0.

    Raises:
        InputError: as `pass_at_k_from_counts`, and if τ is not in its range.

    References:
        Liu et al. (2024), "Are your LLMs capable of stable reasoning?", arXiv:2412.13147, Eqs. 2-4.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.g_pass_at_k_from_counts(10, 7, 3, 0.5)), 4)  # two or three of three
        0.8167
    """
    n, c, k = check_samples(num_samples, num_correct, k)
    need = needed_successes(k, tau)
    found = [
        hypergeometric_tail(*map(int, numbers))
        for numbers in zip(n.ravel(), c.ravel(), k.ravel(), need.ravel(), strict=True)
    ]
    return np.array(found, dtype=np.float64).reshape(n.shape)[()]


def needed_successes(k: ArrayLike, tau: float) -> Values:
    """The whole number of successes ⌈τk⌉ that G-pass@k(τ) asks for. InputError unless 0 < τ ≤ 1."""
    if not 0 < tau <= 1:
        raise InputError(f"tau = {tau}: must be above 0 and at most 1, for example 0.5")
    return np.maximum(np.ceil(np.asarray(k, dtype=np.float64) * tau - ROUNDED_UP), 1)


@lru_cache(maxsize=1 << 16)
def hypergeometric_tail(n: int, c: int, k: int, need: int) -> float:
    """P(X ≥ need) for the number X of correct ones in a random k-subset of n samples, c of them correct.

    The terms are products of ratios of neighbours, from the most probable one outwards, divided by their own sum: so no
    large terms are subtracted, whatever n is.
    """
    low, high = max(0, k - (n - c)), min(c, k)
    if need <= low:
        return 1.0
    if need > high:
        return 0.0
    mode = min(max((k + 1) * (c + 1) // (n + 2), low), high)
    spread = (k * (c / n) * (1 - c / n) * (n - k) / max(n - 1, 1)) ** 0.5
    reach = int(40 * spread) + 200  # terms further out are below 1e-100 of the largest
    j = np.arange(max(low, mode - reach), min(high, mode + reach), dtype=np.float64)
    log_ratio = np.log((c - j) / (j + 1)) + np.log((k - j) / (n - c - k + j + 1))
    log_term = np.concatenate([[0.0], np.cumsum(log_ratio)])
    first = max(low, mode - reach)
    term = np.exp(log_term - log_term[mode - first])
    wanted = max(need - first, 0)
    upper, lower = float(term[wanted:].sum()), float(term[:wanted].sum())
    return upper / (upper + lower)

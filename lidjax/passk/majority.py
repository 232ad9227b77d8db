"""maj@k: the answer given most often among k attempts is right; ties are broken at random, empty answers do not vote.

From the counts of each distinct answer among n attempts, maj@k for k ≤ n is the average over all k-subsets of the
attempts, which is unbiased. (Plugging the shares count/n into a multinomial law is not; it is what
`majority_probability` gives.)

Both are exact. The votes of the answers are independent, given their sum, if they are binomial with a common
probability (subsets: multivariate hypergeometric) or Poisson (new attempts: multinomial). So for each number t of votes
for the right answer, the numbers of votes of the others, each at most t, are added up by convolution. Of e answers that
have t votes as well, the right one is drawn with probability 1/(1+e) = ∫₀¹ u^e du: the integrand is a polynomial in u,
and Gauss-Legendre quadrature integrates it exactly.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from lidjax.errors import InputError

Votes = Float[np.ndarray, " _"]
"""Probabilities of 0, 1, ... votes."""

LARGEST_K = 2000
"""Votes among more attempts are not computed: the work grows like k³."""


def majority_from_answers(
    counts: ArrayLike, correct: ArrayLike, k: ArrayLike, *, silent: int = 0
) -> Float[np.ndarray, "..."] | np.float64:
    """Unbiased maj@k of one problem: the probability that the most frequent answer among k attempts is right.

    Args:
        counts: number of attempts that gave each distinct answer, whole numbers (A,) of 0 or more.
        correct: whether each answer is right, true or false (A,). Right answers that are written differently are
            different answers, and do not add up.
        k: numbers of attempts, whole numbers of at least 1 and at most n, the number of attempts: one, or an array.
        silent: number of attempts without an answer. They are drawn like the others and do not vote; without any vote
            there is no right answer.

    Returns:
        float64, of the shape of `k`. At k = 1 it is the share of correct attempts; at k = n it is 1, 0, or the share of
        right answers among those that are tied.

    Raises:
        InputError: if counts are not whole numbers of 0 or more, shapes differ, k is not from 1 to n, or k is above
            2000.

    References:
        Wang et al. (2022), "Self-consistency", arXiv:2203.11171. The exact average was derived for this project, and is
        compared with enumeration of all subsets in tests/passk/test_majority.py.

    Example:
        >>> import lidjax
        >>> votes = lidjax.majority_from_answers([3, 2], [True, False], [1, 3, 5])
        >>> [round(float(vote), 3) for vote in votes]
        [0.6, 0.7, 1.0]
    """
    numbers, right = _check_answers(counts, correct)
    attempts = np.asarray(k)
    if silent < 0 or int(silent) != silent:
        raise InputError(f"silent = {silent}: must be a whole number of 0 or more")
    n = int(numbers.sum()) + int(silent)
    if attempts.dtype.kind not in "iuf" or np.any((attempts != np.floor(attempts)) | (attempts < 1)):
        raise InputError("k must hold whole numbers of 1 or more")
    if attempts.size and attempts.max() > n:
        raise InputError(
            f"k = {int(attempts.max())}: must be at most the number of attempts, n = {n} (maj@k has no unbiased "
            "estimate from fewer than k attempts)"
        )
    _check_largest(attempts)
    found = [_subsets(numbers, right, int(silent), int(size)) for size in attempts.ravel()]
    return np.array(found, dtype=np.float64).reshape(attempts.shape)[()]


def majority_probability(
    probabilities: ArrayLike, correct: ArrayLike, k: ArrayLike
) -> Float[np.ndarray, "..."] | np.float64:
    """maj@k of a problem whose answers have known probabilities: k new attempts, ties broken at random.

    Args:
        probabilities: probability of each distinct answer (A,), 0 or more, with a sum of at most 1. The rest is the
            probability of an attempt without an answer, which does not vote.
        correct: whether each answer is right, true or false (A,).
        k: numbers of attempts, whole numbers of at least 1 and at most 2000, or `inf` for the limit: one, or an array.

    Returns:
        float64, of the shape of `k`. The limit is 1 if the most probable answer is right and 0 if it is wrong; of
        several that are equally probable, the share of right ones.

    Raises:
        InputError: if probabilities are negative or add up to more than 1, shapes differ, or k is out of its range.

    References:
        Wang et al. (2022), arXiv:2203.11171. Compared with enumeration in tests/passk/test_majority.py.

    Example:
        >>> import lidjax
        >>> votes = lidjax.majority_probability([0.6, 0.4], [True, False], [1, 3, float("inf")])
        >>> [round(float(vote), 3) for vote in votes]
        [0.6, 0.648, 1.0]
    """
    chance, right = np.asarray(probabilities, dtype=np.float64), np.asarray(correct, dtype=bool)
    if chance.ndim != 1 or chance.shape != right.shape or not len(chance):
        raise InputError(
            f"probabilities have shape {chance.shape} and correct {right.shape}: both need a value an answer"
        )
    if not np.all(chance >= 0) or chance.sum() > 1 + 1e-9:
        raise InputError("probabilities must not be negative, and add up to at most 1")
    attempts = np.asarray(k, dtype=np.float64)
    finite = attempts[np.isfinite(attempts)]
    if np.isnan(attempts).any() or np.any((finite != np.floor(finite)) | (finite < 1)):
        raise InputError("k must hold whole numbers of 1 or more, or inf")
    _check_largest(finite)
    found = [_new_attempts(chance, right, size) for size in attempts.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(attempts.shape)[()]


def _check_answers(
    counts: ArrayLike, correct: ArrayLike
) -> tuple[Int[np.ndarray, " a"], Bool[np.ndarray, " a"]]:
    """Counts and marks of the answers; InputError unless they are counts."""
    numbers, right = np.asarray(counts), np.asarray(correct, dtype=bool)
    if numbers.ndim != 1 or numbers.shape != right.shape:
        raise InputError(
            f"counts have shape {numbers.shape} and correct {right.shape}: both need a value an answer"
        )
    if numbers.size and (
        numbers.dtype.kind not in "iuf" or np.any((numbers != np.floor(numbers)) | (numbers < 0))
    ):
        raise InputError("counts must hold whole numbers of 0 or more")
    return numbers.astype(np.int64), right


def _check_largest(k: Float[np.ndarray, "..."] | Int[np.ndarray, "..."]) -> None:
    if k.size and k.max() > LARGEST_K:
        raise InputError(f"k = {k.max():g}: votes among more than {LARGEST_K} attempts are not computed")


def _subsets(counts: Int[np.ndarray, " a"], right: Bool[np.ndarray, " a"], silent: int, k: int) -> float:
    """Probability that a right answer wins among a random k-subset of the attempts."""
    used = counts > 0
    total = 0.0
    for index in np.flatnonzero(used & right):
        others = tuple(sorted(np.delete(counts, index)[np.delete(used, index)].tolist()))
        total += _wins_in_subset(int(counts[index]), others, silent, k)
    return min(total, 1.0)


@lru_cache(maxsize=1 << 16)
def _wins_in_subset(own: int, others: tuple[int, ...], silent: int, k: int) -> float:
    """Probability that one answer wins among a random k-subset: problems with the same counts share it."""
    from scipy import stats  # here, because scipy.stats takes half a second to import

    n = own + sum(others) + silent

    def votes(count: float) -> Votes:
        return stats.binom.pmf(np.arange(min(int(count), k) + 1), int(count), k / n)

    return _wins(votes, own, others, silent, k, others) / float(stats.binom.pmf(k, n, k / n))


def _new_attempts(chance: Float[np.ndarray, " a"], right: Bool[np.ndarray, " a"], k: float) -> float:
    """Probability that a right answer wins among k new attempts."""
    from scipy import stats  # here, because scipy.stats takes half a second to import

    if np.isinf(k):
        best = chance == chance.max()
        return float(right[best].mean()) if chance.max() > 0 else 0.0
    size = int(k)

    def votes(mean: float) -> Votes:
        return stats.poisson.pmf(np.arange(size + 1), mean)

    means = size * chance
    silent = size * max(0.0, 1 - float(chance.sum()))
    total = 0.0
    for index in np.flatnonzero(right & (chance > 0)):
        others = np.delete(means, index)
        others = others[others > 0].tolist()
        total += _wins(votes, float(means[index]), others, silent, size, [size] * len(others))
    return min(total / float(stats.poisson.pmf(size, size)), 1.0)


def _wins(
    votes: Callable[[float], Votes],
    own: float,
    others: Sequence[float],
    silent: float,
    k: int,
    most: Sequence[int],
) -> float:
    """Probability that the votes add up to k and one answer has most of them, ties at random.

    `votes` gives the probabilities of 0, 1, ... votes of an answer by its size: its count, or its expected number of
    votes. Those of several answers together are those of their summed size. `own`, `others` and `silent` are the sizes
    of this answer, of each other one, and of the attempts without an answer; an answer of `others` has `most` votes at
    most. Those that cannot have t votes never tie or win, so they need no convolution.
    """
    from scipy import signal  # here, because scipy.signal takes half a second to import

    mine = votes(own)
    all_votes = [votes(size) for size in others]
    total = 0.0
    for t in range(1, min(len(mine) - 1, k) + 1):
        rest = k - t
        rivals = [one for one, limit in zip(all_votes, most, strict=True) if limit >= t]
        free = votes(silent + sum(size for size, limit in zip(others, most, strict=True) if limit < t))
        tied = min(len(rivals), rest // t)  # no more can have t votes each
        nodes, weights = np.polynomial.legendre.leggauss(tied // 2 + 1)
        u = (nodes[:, None] + 1) / 2
        rows = np.ones((len(u), 1))
        for one in rivals:
            wider = np.zeros((len(u), rows.shape[1] + t))
            wider[:, :-1] = signal.convolve(rows, one[None, :t], method="direct")
            wider[:, t:] += u * one[t] * rows
            rows = wider[:, : rest + 1]
        chance = weights / 2 @ rows
        lack = rest - np.arange(len(chance))
        known = lack < len(free)
        total += mine[t] * float(chance[known] @ free[lack[known]])
    return total

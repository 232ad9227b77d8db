"""The unbiased pass@k curve of one group, for k up to the number of attempts, and straight lines through it."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from lidjax.passk import pass_at_k_from_counts

NUM_POINTS = 30  # number of k along a curve; heuristic

MANY_PROBLEMS = 20_000
"""Heuristic: groups with more problems are handled by their distinct pairs (n, c), because arrays over all problems and
draws would take gigabytes."""

Counts = Int[np.ndarray, " p"]


def mean_pass_at_k(n: Counts, c: Counts, k: int) -> float:
    """Mean over problems of the unbiased pass@k; every problem needs k attempts or more."""
    return float(np.mean(pass_at_k_from_counts(n, c, k)))


def unbiased_curve_points(n: Counts) -> Int[np.ndarray, " k"]:
    """The k at which a curve is evaluated: evenly spaced in log k, from 1 to the smallest number of attempts."""
    return np.unique(np.round(np.geomspace(1, n.min(), NUM_POINTS)).astype(np.int64))


def pass_at_k_curve(n: Counts, c: Counts, k: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Mean over problems of the unbiased pass@k at each k ≤ min n.

    It sums over problems in another order than `mean_pass_at_k`, so the last digit may differ.
    """
    return pass_at_k_from_counts(n[:, None], c[:, None], k[None, :]).mean(axis=0)


def fit_log_line(
    k: Int[np.ndarray, " k"],
    value: Float[np.ndarray, " k"],
    transform: Callable[[Float[np.ndarray, " m"]], Float[np.ndarray, " m"]],
) -> tuple[float, float]:
    """(slope, intercept) of transform(value) against log k by least squares.

    Only values strictly between 0 and 1 are used. NaN where there are fewer than two.
    """
    usable = (value > 0) & (value < 1)
    if usable.sum() < 2:
        return float("nan"), float("nan")
    slope, intercept = np.polyfit(np.log(k[usable]), transform(value[usable]), 1)
    return float(slope), float(intercept)


def log_minus_log(value: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """log(-log value), which is a straight line in log k where -log pass@k = a k^-b."""
    return np.log(-np.log(value))

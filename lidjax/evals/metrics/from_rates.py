"""Metrics that are functions of a problem's success rate: pass^k, G-pass@k, attempts and tokens to the first success.

Given the rates, each is a mean over problems of a known function, so posterior draws of the rates are draws of it.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import betainc

from lidjax.evals.metrics.curve import MetricCurve, Rates, curve_from_draws, unbiased_means
from lidjax.evals.table import Group
from lidjax.passk import (
    attempts_from_counts,
    g_pass_at_k_from_counts,
    pass_at_k_from_counts,
    pass_hat_k_from_counts,
)
from lidjax.passk.successes import needed_successes

SHARES = (0.5, 0.9)  # of the problems, whose attempts to the first success are given


class FirstSuccess(NamedTuple):
    """Expected attempts to the first success, 1/p, that a share of the problems stays within."""

    share: float
    """The share of the problems."""
    attempts: float
    """Median of the posterior."""
    lower: float
    """Lower end of its interval."""
    upper: float
    """Upper end of its interval."""


def pass_hat_curve(
    group: Group, rates: Rates, k: Float[np.ndarray, " k"], *, level: float, biased: bool
) -> MetricCurve:
    """pass^k: all of k attempts succeed."""
    draws = np.stack([np.exp(size * np.log(rates)).mean(axis=1) for size in k], axis=1)
    unbiased = unbiased_means(group, k, pass_hat_k_from_counts, biased=biased)
    return curve_from_draws("pass^k", k, unbiased, draws, level)


def g_pass_curve(
    group: Group, rates: Rates, k: Float[np.ndarray, " k"], tau: float, *, level: float, biased: bool
) -> MetricCurve:
    """G-pass@k(τ): at least τk of k attempts succeed; the limit is the share of problems with a rate above τ.

    At a rate of τ itself the limit would be a half, but no posterior draw is there.
    """
    all_k = np.append(k, np.inf)
    draws = np.empty((len(rates), len(all_k)))
    for j, size in enumerate(k.tolist()):
        need = float(needed_successes(size, tau))
        draws[:, j] = betainc(need, size - need + 1, rates).mean(axis=1)
    draws[:, -1] = np.mean(rates > tau, axis=1) if tau < 1 else 0.0
    unbiased = unbiased_means(
        group, all_k, lambda n, c, size: g_pass_at_k_from_counts(n, c, size, tau), biased=biased
    )
    return curve_from_draws(f"G-pass@k({tau:g})", all_k, unbiased, draws, level)


def stopping_curves(
    group: Group, rates: Rates, k: Float[np.ndarray, " k"], *, level: float, biased: bool
) -> list[MetricCurve]:
    """Attempts, and tokens where the log has them, at a problem if sampling stops at the first success or after k.

    The tokens of the failed attempts and of the success are those that were seen at each problem. Their own uncertainty
    is not in the interval.
    """
    solved = -np.expm1(k[:, None, None] * np.log1p(-rates))
    attempts = solved / rates
    curves = [
        curve_from_draws(
            "pass@k",
            k,
            unbiased_means(group, k, pass_at_k_from_counts, biased=biased),
            solved.mean(axis=2).T,
            level,
        ),
        curve_from_draws(
            "attempts",
            k,
            unbiased_means(group, k, attempts_from_counts, biased=biased),
            attempts.mean(axis=2).T,
            level,
        ),
    ]
    if group.details.tokens is not None:
        wrong, right = group.details.tokens.means().T

        def counted(n: Any, c: Any, size: int) -> Float[np.ndarray, " p"]:
            successes = pass_at_k_from_counts(n, c, size)
            return (attempts_from_counts(n, c, size) - successes) * wrong + successes * right

        draws = ((attempts - solved) * wrong + solved * right).mean(axis=2).T
        unbiased = unbiased_means(group, k, counted, biased=biased)
        curves.append(curve_from_draws("tokens", k, unbiased, draws, level))
    return curves


def first_successes(rates: Rates, level: float) -> list[FirstSuccess]:
    """Expected attempts to the first success that half and nine tenths of the problems stay within.

    The mean over problems is not given: the posterior allows rates so small that it has no useful upper end.
    """
    found: list[FirstSuccess] = []
    for share in SHARES:
        within = 1 / np.quantile(rates, 1 - share, axis=1)
        low, middle, high = np.quantile(within, [(1 - level) / 2, 0.5, (1 + level) / 2]).tolist()
        found.append(FirstSuccess(share, middle, low, high))
    return found

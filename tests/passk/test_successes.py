"""pass^k and G-pass@k from counts against exact fractions, enumeration, and their own expectation."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import stats

from lidjax.errors import InputError
from lidjax.passk import g_pass_at_k_from_counts, pass_at_k_from_counts, pass_hat_k_from_counts

TAUS = (0.25, 0.5, 0.75, 1.0)


def tail(n, c, k, need):
    """P(X ≥ need) as an exact fraction."""
    ways = sum(comb(c, j) * comb(n - c, k - j) for j in range(need, min(c, k) + 1))
    return Fraction(ways, comb(n, k))


def test_are_shares_of_the_subsets():
    for n in range(1, 8):
        for c in range(n + 1):
            for k in range(1, n + 1):
                correct = [sum(i < c for i in subset) for subset in combinations(range(n), k)]
                assert pass_hat_k_from_counts(n, c, k) == pytest.approx(
                    np.mean([number == k for number in correct]), rel=1e-14, abs=0
                )
                for tau in TAUS:
                    share = np.mean([number >= tau * k for number in correct])
                    assert g_pass_at_k_from_counts(n, c, k, tau) == pytest.approx(share, rel=1e-13, abs=0)


@pytest.mark.parametrize("n", [60, 1000, 20_000])
def test_agree_with_exact_fractions(n):
    rng = np.random.default_rng(n)
    worst = 0.0
    for _ in range(40):
        c, k = int(rng.integers(1, n)), int(rng.integers(1, min(n, 400)))
        for tau in TAUS:
            exact = tail(n, c, k, -int(-tau * k // 1))
            if exact > Fraction(1, 10**90):
                found = g_pass_at_k_from_counts(n, c, k, tau)
                worst = max(worst, abs(found / float(exact) - 1))
        if c >= k:
            assert pass_hat_k_from_counts(n, c, k, log=True) == pytest.approx(
                float(np.log(float(tail(n, c, k, k)))) if tail(n, c, k, k) > 1e-300 else -1e9, rel=1e-12
            ) or tail(n, c, k, k) <= Fraction(1, 10**300)
    assert worst < 1e-12


def test_are_unbiased():
    """Sums over all outcomes of n attempts; the plug-in value (c/n)^k is not unbiased (negative control)."""
    n, k, p = 12, 4, 0.55
    c = np.arange(n + 1)
    chance = stats.binom.pmf(c, n, p)
    assert chance @ pass_hat_k_from_counts(n, c, k) == pytest.approx(p**k, rel=1e-13)
    assert chance @ g_pass_at_k_from_counts(n, c, k, 0.5) == pytest.approx(stats.binom.sf(1, k, p), rel=1e-13)
    assert chance @ (c / n) ** k > 1.2 * p**k


def test_ends_of_the_range_are_known_metrics():
    n, c, k = 200, np.array([0, 1, 50, 199, 200]), np.array([[1], [7], [100]])
    np.testing.assert_allclose(
        g_pass_at_k_from_counts(n, c, k, 1.0), pass_hat_k_from_counts(n, c, k), rtol=1e-12, atol=1e-100
    )
    np.testing.assert_allclose(
        g_pass_at_k_from_counts(n, c, k, 1e-3), pass_at_k_from_counts(n, c, k), rtol=1e-12
    )


def test_the_share_is_not_rounded_up_by_floating_point():
    assert 0.07 * 100 > 7  # the product that ⌈⌉ alone would take for 8
    assert g_pass_at_k_from_counts(200, 7, 100, 0.07) == pytest.approx(float(tail(200, 7, 100, 7)), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "word"), [((10, 3, 11), "k must not exceed"), ((10, 11, 2), "num_correct")]
)
def test_counts_that_are_none_are_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        pass_hat_k_from_counts(*arguments)
    with pytest.raises(InputError, match=word):
        g_pass_at_k_from_counts(*arguments, 0.5)


@pytest.mark.parametrize("tau", [0, -0.5, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(tau):
    with pytest.raises(InputError, match="tau"):
        g_pass_at_k_from_counts(10, 3, 2, tau)

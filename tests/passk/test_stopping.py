"""Attempts that stop at the first success: the law against mpmath, the estimate against all orders."""

from fractions import Fraction
from itertools import permutations
from math import comb

import jax
import mpmath
import numpy as np
import pytest
from scipy import stats

from lidjax.passk import attempts_from_counts, attempts_to_success


def test_the_estimate_is_the_mean_over_all_orders():
    for n in range(1, 7):
        for c in range(n + 1):
            outcomes = set(permutations([1] * c + [0] * (n - c)))
            first = [order.index(1) + 1 if 1 in order else n + 1 for order in outcomes]
            for k in range(1, n + 1):
                made = np.mean([min(position, k) for position in first])
                assert attempts_from_counts(n, c, k) == pytest.approx(made, rel=1e-13)


@pytest.mark.parametrize("n", [50, 600])
def test_the_estimate_agrees_with_exact_fractions(n):
    for c, k in ((0, 7), (1, n), (1, 3), (n // 2, n // 3), (n - 1, 2), (n, n)):
        exact = sum(Fraction(comb(n - c, j), comb(n, j)) for j in range(k))
        assert attempts_from_counts(n, c, k) == pytest.approx(float(exact), rel=1e-13)


def test_the_estimate_is_unbiased():
    """Negative control: the plug-in value, with c/n for p, is not."""
    n, k, p = 15, 6, 0.2
    c = np.arange(n + 1)
    chance = stats.binom.pmf(c, n, p)
    law = float(attempts_to_success(p, k))
    assert chance @ attempts_from_counts(n, c, k) == pytest.approx(law, rel=1e-6)
    assert abs(chance @ np.asarray(attempts_to_success(c / n, k)) / law - 1) > 0.01


@pytest.mark.parametrize("p", [1e-12, 1e-6, 0.3, 1.0])
@pytest.mark.parametrize("k", [1, 10, 10**7])
def test_the_law_agrees_with_mpmath(p, k):
    with mpmath.workdps(40):
        exact = float((1 - (1 - mpmath.mpf(p)) ** k) / mpmath.mpf(p))
    with jax.enable_x64(True):
        assert float(attempts_to_success(p, k)) == pytest.approx(exact, rel=1e-13)
    with jax.enable_x64(False):
        assert float(attempts_to_success(p, k)) == pytest.approx(exact, rel=1e-5)


def test_limits_of_the_law():
    assert float(attempts_to_success(0.0, 12)) == 12
    assert float(attempts_to_success(0.25, np.inf)) == 4
    assert np.isinf(float(attempts_to_success(0.0, np.inf)))
    slope = jax.grad(lambda p: attempts_to_success(p, 3.0))(0.5)  # 1 + (1-p) + (1-p)²
    assert float(slope) == pytest.approx(-2.0, rel=1e-6)

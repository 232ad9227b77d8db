"""Attempts that stop at the first success: the estimate against all orders and against the law."""

from fractions import Fraction
from itertools import permutations
from math import comb

import numpy as np
import pytest
from scipy import stats

from lidjax.passk import attempts_from_counts
from lidjax.verifiers import first_accepted


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
    law = float(first_accepted(p, k).attempts)
    assert chance @ attempts_from_counts(n, c, k) == pytest.approx(law, rel=1e-6)
    assert abs(chance @ np.asarray(first_accepted(c / n, k).attempts) / law - 1) > 0.01

"""The first accepted attempt is right: the estimate from attempts with both labels against all orders."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from lidjax.errors import InputError
from lidjax.passk import pass_at_k_from_counts, verified_from_counts


def test_is_the_mean_over_all_orders():
    for n in range(1, 7):
        for right in range(n + 1):
            for wrong in range(n + 1 - right):
                orders = set(permutations("r" * right + "w" * wrong + "-" * (n - right - wrong)))
                for k in range(1, n + 1):
                    first = [next((label for label in order[:k] if label != "-"), "-") for order in orders]
                    share = np.mean([label == "r" for label in first])
                    assert verified_from_counts(n, right, wrong, k) == pytest.approx(share, rel=1e-13)


def test_is_unbiased_for_the_curve_of_a_verifier_that_errs():
    n, k, p, sensitivity, accepts = 9, 4, 0.3, 0.8, 0.1
    good, bad = p * sensitivity, (1 - p) * accepts
    q = good + bad
    expected = 0.0
    for right in range(n + 1):
        for wrong in range(n + 1 - right):
            chance = stats.multinomial.pmf([right, wrong, n - right - wrong], n, [good, bad, 1 - q])
            expected += chance * verified_from_counts(n, right, wrong, k)
    assert expected == pytest.approx(good / q * (1 - (1 - q) ** k), rel=1e-12)


def test_a_perfect_verifier_gives_pass_at_k():
    c = np.arange(11)
    np.testing.assert_allclose(verified_from_counts(10, c, 0, 3), pass_at_k_from_counts(10, c, 3), rtol=1e-15)


@pytest.mark.parametrize("counts", [(10, 8, 3, 2), (10, -1, 3, 2), (10, 3, -1, 2), (10, 3, 1, 11)])
def test_counts_that_do_not_fit_are_refused(counts):
    with pytest.raises(InputError):
        verified_from_counts(*counts)

"""maj@k, exact, against enumeration of all subsets and of all sequences of attempts."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from lidjax.errors import InputError
from lidjax.passk import majority_from_answers, majority_probability


def vote(answers, right):
    """Exact probability that the most frequent answer is right; None does not vote."""
    given = [answer for answer in answers if answer is not None]
    if not given:
        return Fraction(0)
    most = max(map(given.count, given))
    tied = {answer for answer in given if given.count(answer) == most}
    return Fraction(sum(answer in right for answer in tied), len(tied))


@pytest.mark.parametrize(
    ("counts", "correct", "silent"),
    [
        ([3, 2, 2], [True, False, False], 0),
        ([2, 3, 1, 1], [True, False, False, False], 1),
        ([2, 2, 3], [True, True, False], 0),  # two ways of writing the right answer compete
        ([1, 1, 1, 1, 1, 1], [True, False, False, False, False, False], 2),
        ([0, 4], [True, False], 2),
        ([5], [True], 3),
    ],
)
def test_is_the_share_of_subsets(counts, correct, silent):
    answers = [answer for answer, count in enumerate(counts) for _ in range(count)] + [None] * silent
    right = {answer for answer, mark in enumerate(correct) if mark}
    for k in range(1, len(answers) + 1):
        subsets = list(combinations(answers, k))
        exact = float(sum((vote(subset, right) for subset in subsets), Fraction(0)) / len(subsets))
        found = majority_from_answers(counts, correct, k, silent=silent)
        assert found == pytest.approx(exact, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    "chance", [(0.5, 0.3, 0.2), (0.3, 0.4, 0.2), (0.2, 0.2, 0.2)]
)  # the last two: silent ones
def test_new_attempts_agree_with_enumeration(chance):
    shares = [*chance, 1 - sum(chance)]
    for k in range(1, 6):
        exact = sum(
            float(vote([None if a == 3 else a for a in answers], {0})) * np.prod([shares[a] for a in answers])
            for answers in product(range(4), repeat=k)
        )
        assert majority_probability(shares[:3], [True, False, False], k) == pytest.approx(exact, rel=1e-12)


def test_is_unbiased_where_the_plug_in_value_is_not():
    n, k, chance = 6, 3, [0.45, 0.4, 0.15]
    correct = [True, False, False]
    mean = plugged = 0.0
    for first in range(n + 1):
        for second in range(n + 1 - first):
            counts = [first, second, n - first - second]
            weight = stats.multinomial.pmf(counts, n, chance)
            mean += weight * majority_from_answers(counts, correct, k)
            plugged += weight * majority_probability(np.array(counts) / n, correct, k)
    exact = majority_probability(chance, correct, k)
    assert mean == pytest.approx(exact, rel=1e-12)
    assert abs(plugged / exact - 1) > 5e-3


def test_many_attempts_reach_the_limit():
    counts, correct = [350, 300, *[1] * 100], [True, False, *[False] * 100]
    votes = majority_from_answers(counts, correct, [1, 50, 500, 750])
    assert votes[0] == pytest.approx(350 / 750, rel=1e-12)
    assert np.all(np.diff(votes) > 0)
    assert votes[3] == 1
    normal = stats.norm.cdf(10 / np.sqrt(130))  # votes of k = 150 of 0.467 : 0.4
    assert majority_probability([0.7 / 1.5, 0.6 / 1.5], [True, False], 150) == pytest.approx(normal, abs=0.03)
    assert majority_probability([0.4, 0.4, 0.2], [True, False, False], np.inf) == 0.5


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (([3, 2], [True, False], 6), "at most the number of attempts, n = 5"),
        (([3, 2], [True, False], 0), "whole numbers of 1 or more"),
        (([3, 2.5], [True, False], 1), "counts must hold whole numbers"),
        (([3, 2], [True], 1), "a value an answer"),
        (([3000, 2], [True, False], 2500), "more than 2000"),
    ],
)
def test_what_is_no_count_is_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        majority_from_answers(*arguments)
    with pytest.raises(InputError, match="add up to at most 1"):
        majority_probability([0.7, 0.7], [True, False], 3)

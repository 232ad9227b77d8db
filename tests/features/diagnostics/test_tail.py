"""Tail indices: right on laws whose index is known, with intervals that cover, and no index where there is none."""

import numpy as np
import pytest
from scipy.stats import binom

from lidjax.errors import InputError
from lidjax.features import is_regularly_varying, tail_index

REPEATS = 200
LARGEST_MISS = binom.ppf(1 - 1e-4, REPEATS, 0.05)  # of 95 % intervals: more is seen once in 10,000 by chance


def pareto(rng, index, count=2000):
    return rng.random(count) ** (-1 / index)


def test_hill_intervals_cover_in_a_pareto_tail():
    rng = np.random.default_rng(0)
    tails = [tail_index(pareto(rng, 1.25), 0.1) for _ in range(REPEATS)]
    missed = sum(not tail.beta_low <= 2.5 <= tail.beta_high for tail in tails)
    assert missed <= LARGEST_MISS
    assert missed > 0  # an interval that always covers says nothing
    assert np.mean([tail.beta for tail in tails]) == pytest.approx(2.5, rel=0.02)


@pytest.mark.parametrize(
    ("draw", "xi"),
    [
        (lambda rng: pareto(rng, 2.0), 0.5),
        (lambda rng: rng.exponential(size=2000), 0.0),
        (lambda rng: 20 - 19 * rng.random(2000), -1.0),  # ends at 20 with a positive density
    ],
)
def test_the_extreme_value_index_has_the_sign_of_the_law(draw, xi):
    """The estimator has a bias at a finite threshold, so the mean is compared, and loosely."""
    rng = np.random.default_rng(1)
    tails = [tail_index(draw(rng), 0.1, seed=i) for i in range(40)]
    assert np.mean([tail.xi for tail in tails]) == pytest.approx(xi, abs=0.12)


def test_a_power_law_is_called_one_and_a_bounded_tail_is_not():
    rng = np.random.default_rng(2)
    fractions = (0.2, 0.1, 0.05)
    power = [
        is_regularly_varying([tail_index(x, f) for f in fractions])
        for x in (pareto(rng, 1.0, 4000) for _ in range(20))
    ]
    assert power.count(True) >= 18  # an interval of one in 20 misses 0 now and then
    bounded = [
        is_regularly_varying([tail_index(x, f) for f in fractions])
        for x in (20 * rng.beta(0.2, 2.0, 4000) for _ in range(20))
    ]
    assert bounded == [False] * 20
    assert is_regularly_varying([tail_index(rng.exponential(size=2000), 0.05)]) is None


def test_zeros_count_in_the_sample_and_not_in_the_tail():
    rng = np.random.default_rng(3)
    tail = pareto(rng, 1.5, 1000)
    with_zeros = np.concatenate([tail, np.zeros(1000)])
    assert tail_index(with_zeros, 0.05) == tail_index(tail, 0.1)._replace(fraction=0.05)


@pytest.mark.parametrize(
    ("values", "fraction", "words"),
    [
        (np.ones(100), 0.1, "at least 20"),
        (np.ones(100), 1.0, "at least 20"),
        (np.r_[np.ones(30), np.zeros(70)], 0.5, "reaches into the 70.0% of the values that are 0"),
    ],
)
def test_a_tail_that_is_too_short_or_zero_is_refused(values, fraction, words):
    with pytest.raises(InputError, match=words):
        tail_index(values, fraction)

"""The division of further attempts: against exact sums and all divisions, and what may be said afterwards."""

import itertools

import numpy as np
import pytest
from scipy import special

import lidjax
from lidjax.evals import next_attempts
from lidjax.evals.next_attempts import (
    concave_hull,
    divide_attempts,
    expected_gains,
    fill_steepest,
    future_counts,
    row_points,
    size_grid,
    spread_evenly,
)

A, B = 0.3, 4.0  # of the beta distribution from which rates are drawn, and which the posterior knows


def beta_draws(rng, n, c, draws=400):
    """Posterior draws of the rates (S, P) where the population is known to be Beta(A, B)."""
    return rng.beta(A + c, B + n - c, size=(draws, len(n)))


def beta_pass_at_k(n, c, k):
    """Posterior mean and variance of the mean pass@k, by the beta function."""
    a, b = A + c, B + n - c
    failed = np.exp(special.betaln(a, b + k) - special.betaln(a, b))
    square = np.exp(special.betaln(a, b + 2 * k) - special.betaln(a, b))
    return 1 - failed.mean(), np.sum(square - failed**2) / len(n) ** 2


def divide(rng, n, c, k, attempts, draws=400, **options):
    """A division from draws of that posterior."""
    index = np.unique(np.column_stack([n, c]), axis=0, return_inverse=True)[1].ravel()
    even = spread_evenly(len(n), attempts)
    return divide_attempts(beta_draws(rng, n, c, draws), index, index, k, attempts, even=even, **options)


@pytest.mark.parametrize(
    ("n", "c", "k", "more"),
    [
        (20, 0, 200, 16),
        (20, 3, 10, 5),
        (5, 0, 1000, 400),
        (50, 45, 2, 90),
        (9, 0, 10**6, 10**5),
        (900, 40, 1, 10**4),
    ],
)
def test_the_gain_is_the_expected_fall_of_the_variance(n, c, k, more):
    """Quantiles of a beta distribution stand for its draws; the exact sum over all outcomes by the beta function."""
    a, b = A + c, B + n - c
    levels = (np.arange(4000) + 0.5) / 4000
    points = row_points(special.betaincinv(a, b, levels)[:, None])[None]
    found = expected_gains(points, -np.expm1(k * np.log1p(-points)), np.array([0, more]))[0]
    x = np.arange(more + 1)
    log_choose = -special.betaln(more - x + 1, x + 1) - np.log1p(more)
    chance = np.exp(log_choose + special.betaln(a + x, b + more - x) - special.betaln(a, b))
    assert chance.sum() == pytest.approx(1)
    mean = -np.expm1(special.betaln(a + x, b + more - x + k) - special.betaln(a + x, b + more - x))
    exact = chance @ mean**2 - (chance @ mean) ** 2
    assert found[0] < 1e-30
    assert found[1] == pytest.approx(exact, rel=0.07)  # worst: 5.4 %, blocks of future counts


def test_future_counts_cover_every_count_once():
    for attempts in (0, 1, 2, 5, 31, 32, 1000, 10**6):
        counts, lengths = future_counts(attempts)
        assert lengths.sum() == attempts + 1
        assert counts[0] == 0
        assert counts[-1] == attempts
        assert np.all(np.diff(counts) > 0)


def test_the_division_is_the_best_of_all():
    """Four rows with concave gains: against every division of ten attempts."""
    sizes = np.arange(11)
    rates, scale = np.array([0.1, 0.5, 1.0, 3.0]), np.array([1.0, 0.7, 0.2, 0.15])
    gains = scale[:, None] * -np.expm1(-rates[:, None] * sizes)
    placed = fill_steepest(gains, sizes, np.arange(4), np.full(4, 10), 10)
    every = [d for d in itertools.product(range(11), repeat=4) if sum(d) == 10]
    best = max(every, key=lambda division: sum(gains[i, m] for i, m in enumerate(division)))
    assert tuple(placed) == best
    limited = fill_steepest(gains, sizes, np.arange(4), np.array([10, 2, 10, 10]), 10)
    allowed = [d for d in every if d[1] <= 2]
    assert tuple(limited) == max(allowed, key=lambda d: sum(gains[i, m] for i, m in enumerate(d)))


def test_hulls_are_concave_and_above():
    sizes = size_grid(1000)
    gains = special.expit((np.log1p(sizes) - 3) * 2)  # rises slowly, then fast, then slowly
    corners = concave_hull(sizes, gains)
    slopes = np.diff(gains[corners]) / np.diff(sizes[corners])
    assert np.all(np.diff(slopes) < 0)
    assert np.all(np.interp(sizes, sizes[corners], gains[corners]) >= gains - 1e-12)


def test_problems_with_equal_counts_share_and_limits_hold():
    rng = np.random.default_rng(0)
    n, c = np.full(12, 20), np.array([0] * 6 + [20] * 3 + [2] * 3)
    found = divide(rng, n, c, 200, 77)
    assert found.total == 77
    assert np.ptp(found.attempts[:6]) <= 1
    assert found.attempts[6:9].sum() == 0  # solved every time: nothing to learn
    assert list(found.order[:6]) == sorted(found.order[:6])
    limited = divide(rng, n, c, 200, 77, at_most=np.full(12, 5))
    assert limited.attempts.max() == 5
    assert limited.total == 60 == limited.attempts.sum()  # all that the limits permit


def test_expected_variances_are_those_that_come_about():
    """Mean over outcomes of the variance afterwards, by the beta function, against what was expected."""
    rng = np.random.default_rng(1)
    rates = rng.beta(A, B, 60)
    n = np.full(60, 10)
    c = rng.binomial(n, rates)
    found = divide(rng, n, c, 100, 1200, draws=6000)
    for division, expected in (
        (found.attempts, found.sd_placed),
        (spread_evenly(60, 1200), found.sd_uniform),
    ):
        after = [
            beta_pass_at_k(n + division, c + rng.binomial(division, rng.beta(A + c, B + n - c)), 100)[1]
            for _ in range(400)
        ]
        assert np.mean(after) == pytest.approx(expected**2, rel=0.06)  # worst of ten seeds: 4 %
    assert found.sd**2 == pytest.approx(beta_pass_at_k(n, c, 100)[1], rel=0.06)
    assert found.sd_placed < found.sd_uniform


def test_likelihoods_are_right_after_the_placement_and_plug_in_values_are_not():
    """40 sets of problems, attempts placed in two rounds. The posterior mean has no bias: |z| < 4, a false alarm in
    15,000; the unbiased pass@k of the counts, which is right without placement, is the negative control."""
    rng = np.random.default_rng(2)
    k, errors, plug_in, uniform = 4, [], [], []
    for _ in range(40):
        rates = rng.beta(A, B, 40)
        truth = np.mean(1 - (1 - rates) ** k)
        n = np.full(40, k)
        c = rng.binomial(n, rates)
        for _ in range(2):
            more = divide(rng, n, c, 100, 600).attempts
            n, c = n + more, c + rng.binomial(more, rates)
        even = rng.binomial(38, rates)
        errors.append(beta_pass_at_k(n, c, k)[0] - truth)
        plug_in.append(np.mean(lidjax.pass_at_k_from_counts(n, c, k)) - truth)
        uniform.append(np.mean(lidjax.pass_at_k_from_counts(38, even, k)) - truth)

    def z(values):
        return np.mean(values) / (np.std(values, ddof=1) / np.sqrt(len(values)))

    assert abs(z(errors)) < 4
    assert abs(z(uniform)) < 4
    assert abs(z(plug_in)) > 6, z(plug_in)


def test_counts_are_enough():
    found = next_attempts([30] * 6, [0, 0, 0, 1, 12, 30], 1000, attempts=300)
    assert found.total == 300
    assert found.attempts[5] == 0
    assert found.attempts[:3].min() > found.attempts[4]
    assert found.sd_placed <= found.sd_uniform < found.sd


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attempts": 0}, "attempts = 0"),
        ({"k": 0}, "k = 0"),
        ({"at_most": [1, 2]}, "at_most has shape"),
        ({"at_most": [1, 2, -1]}, "one number of 0 or more"),
        ({"c": [1, 2, 99]}, "c = 99"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    good = {"n": [9, 9, 9], "c": [0, 1, 9], "k": 10, "attempts": 5}
    with pytest.raises(lidjax.InputError, match=message):
        next_attempts(**(good | arguments))

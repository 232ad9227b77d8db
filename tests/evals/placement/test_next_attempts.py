"""The division of further attempts: against exact sums and all divisions, and what may be said afterwards."""

import itertools

import numpy as np
import pytest
from scipy import special

import lidjax
from lidjax.evals import next_attempts
from lidjax.evals.placement.next_attempts import (
    POINTS,
    concave_hull,
    divide_attempts,
    fill_steepest,
    future_counts,
    size_grid,
    spread_evenly,
    worth_of_attempts,
)

A, B = 0.3, 4.0  # of the beta distribution from which rates are drawn, and which the posterior knows


def beta_points(n, c):
    """Quantiles of the posterior of each rate where the population is known to be Beta(A, B)."""
    levels = (np.arange(POINTS) + 0.5) / POINTS
    return special.betaincinv(A + c[:, None], B + (n - c)[:, None], levels)


def beta_pass_at_k(n, c, k):
    """Posterior mean and variance of the mean pass@k, by the beta function."""
    a, b = A + c, B + n - c
    failed = np.exp(special.betaln(a, b + k) - special.betaln(a, b))
    square = np.exp(special.betaln(a, b + 2 * k) - special.betaln(a, b))
    return 1 - failed.mean(), np.sum(square - failed**2) / len(n) ** 2


def divide(n, c, k, attempts, at_most=None):
    """A division where the population is known: the attempts, and the standard deviations now, placed and even."""
    pairs, index, times = np.unique(np.column_stack([n, c]), axis=0, return_inverse=True, return_counts=True)
    points = beta_points(*pairs.T)
    weights = np.full((len(points), 1, POINTS), 1 / POINTS)
    worth = worth_of_attempts(points, weights, times.astype(float), k, size_grid(attempts))
    limit = np.full(len(n), attempts) if at_most is None else at_most
    even = spread_evenly(len(n), attempts)
    placed, _, variances = divide_attempts(worth, index.ravel(), attempts, even=even, limit=limit)
    return placed, np.sqrt(variances) / len(n)


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
    points = beta_points(np.array([n]), np.array([c]))
    weights = np.full((1, 1, POINTS), 1 / POINTS)
    found = worth_of_attempts(points, weights, np.ones(1), k, np.array([0, more])).explained[0]
    x = np.arange(more + 1)
    log_choose = -special.betaln(more - x + 1, x + 1) - np.log1p(more)
    chance = np.exp(log_choose + special.betaln(a + x, b + more - x) - special.betaln(a, b))
    assert chance.sum() == pytest.approx(1)
    mean = -np.expm1(special.betaln(a + x, b + more - x + k) - special.betaln(a + x, b + more - x))
    exact = chance @ mean**2 - (chance @ mean) ** 2
    assert found[0] < 1e-15
    assert found[1] == pytest.approx(exact, rel=0.12)  # worst: 9.9 %, blocks of future counts


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
    n, c = np.full(12, 20), np.array([0] * 6 + [20] * 3 + [2] * 3)
    placed, _ = divide(n, c, 200, 77)
    assert placed.sum() == 77
    assert np.ptp(placed[:6]) <= 1
    assert placed[6:9].sum() == 0  # solved every time: nothing to learn
    limited, _ = divide(n, c, 200, 77, at_most=np.full(12, 5))
    assert limited.max() == 5
    assert limited.sum() == 60  # all that the limits permit


def test_expected_variances_are_those_that_come_about():
    """Mean over outcomes of the variance afterwards, by the beta function, against what was expected."""
    rng = np.random.default_rng(1)
    n = np.full(60, 10)
    c = rng.binomial(n, rng.beta(A, B, 60))
    placed, (now, after_placed, after_even) = divide(n, c, 100, 1200)
    for division, expected in ((placed, after_placed), (spread_evenly(60, 1200), after_even)):
        after = [
            beta_pass_at_k(n + division, c + rng.binomial(division, rng.beta(A + c, B + n - c)), 100)[1]
            for _ in range(400)
        ]
        assert np.mean(after) == pytest.approx(expected**2, rel=0.06)  # worst of ten seeds: 4 %
    assert now**2 == pytest.approx(beta_pass_at_k(n, c, 100)[1], rel=0.06)
    assert after_placed < after_even


def test_what_attempts_tell_about_the_population_counts():
    """The index A of the population is uncertain: 60 values, each as probable. The variance afterwards by Bayes' rule
    over them and the beta function, mean over 300 outcomes, against what was expected."""
    rng = np.random.default_rng(3)
    k, problems, attempts = 100, 40, 2000
    indices = 0.3 * np.exp(0.6 * special.ndtri((np.arange(60) + 0.5) / 60))[:, None]  # (S, 1)
    n, c = np.full(problems, 5), np.zeros(problems, dtype=int)
    c[:10] = (1, 1, 1, 2, 2, 3, 4, 5, 5, 5)

    def moments(n, c):
        """Weights of the populations, and under each of them the mean and the variance of the sum of the f_i."""
        a, b = indices + c, B + n - c
        log_evidence = np.sum(special.betaln(a, b) - special.betaln(indices, B), axis=1)
        failed = np.exp(special.betaln(a, b + k) - special.betaln(a, b))
        square = np.exp(special.betaln(a, b + 2 * k) - special.betaln(a, b))
        return special.softmax(log_evidence), (1 - failed).sum(axis=1), (square - failed**2).sum(axis=1)

    def variance(n, c):
        weight, mean, inner = moments(n, c)
        return weight @ inner + weight @ mean**2 - (weight @ mean) ** 2

    weight, *_ = moments(n, c)
    drawn = rng.choice(60, 400, p=weight)
    pairs, index, times = np.unique(np.column_stack([n, c]), axis=0, return_inverse=True, return_counts=True)
    x = np.linspace(-40, 8, 2401)  # densities of log-odds on a grid stand for points with weights
    p = special.expit(x)
    log_density = (indices[drawn][:, None] + pairs[:, 1, None]) * np.log(p) + (
        B + pairs[:, 0, None] - pairs[:, 1, None]
    ) * special.log_expit(-x)
    weights = special.softmax(log_density, axis=2).transpose(1, 0, 2)
    points = np.broadcast_to(p, (len(pairs), len(x)))
    worth = worth_of_attempts(points, weights, times.astype(float), k, size_grid(attempts))
    even = spread_evenly(problems, attempts)
    placed, _, found = divide_attempts(
        worth, index.ravel(), attempts, even=even, limit=np.full(problems, attempts)
    )
    assert found[0] == pytest.approx(variance(n, c), rel=0.1)
    for division, expected in ((placed, found[1]), (even, found[2])):
        after = []
        for _ in range(300):
            rates = rng.beta(indices[rng.choice(60, p=weight), 0] + c, B + n - c)
            after.append(variance(n + division, c + rng.binomial(division, rates)))
        assert np.mean(after) == pytest.approx(expected, rel=0.2)
    assert found[1] <= found[2] < 0.6 * found[0]


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
            more, _ = divide(n, c, 100, 600)
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

"""Forecasts of the default model: exact posteriors of the rates, coverage of the intervals, extremes."""

import math

import numpy as np
import pytest
from scipy import special, stats

from lidjax.errors import InputError
from lidjax.evals.forecasts.forecast import forecast_pass_at_k, forecast_run, forecast_sums
from lidjax.evals.rates.draws import draw_problem_rates, draw_rates
from lidjax.evals.rates.members import MEMBERS, Member, bent_masses, beta_masses
from lidjax.evals.rates.posterior import INFLATED, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.passk import pass_at_k_from_counts

PROBLEMS, N, TOTAL, K = 64, 50, 1000, 1000


BENT = bent_masses(np.array([[-3.0, -1.0, 1.5, 0.0, -1.5]]), COARSE_GRID)


def draw_population(rng, problems=PROBLEMS):
    """Rates of problems of one population that is drawn from the prior, by rejection where it has a further factor."""
    weights = np.array([member.weight for member in MEMBERS])
    member = MEMBERS[rng.choice(len(MEMBERS), p=weights / weights.sum())]
    masses = member.masses(rng.normal(member.mean, member.scale, (2000, len(member.mean))), COARSE_GRID)
    accepted = np.zeros(1) if member.log_factor is None else member.log_factor(masses, COARSE_GRID)
    mass = masses[np.argmax(accepted > np.log(rng.random(len(accepted))))].astype(float)
    never = rng.random() * (member.inflated and rng.random() < INFLATED)
    x = COARSE_GRID.nodes[rng.choice(len(mass), problems, p=mass / mass.sum())]
    return special.expit(x) * (rng.random(problems) >= never)


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    c = rng.binomial(N, rng.beta(0.4, 4, PROBLEMS))
    return np.full(PROBLEMS, N), c


def test_rates_follow_their_exact_posterior(example):
    """Given the population, the mean rate of a problem; 2000 draws, within five standard errors of direct
    quadrature."""
    rows = count_rows(*example, COARSE_GRID)
    rates = draw_rates(np.random.default_rng(0), np.tile(BENT, (2000, 1)), rows)
    x = np.linspace(-40, 12, 40_001)
    density = np.interp(x, COARSE_GRID.nodes, BENT[0] / COARSE_GRID.weights)
    for problem in (int(np.argmin(example[1])), int(np.argmax(example[1]))):
        weight = density * stats.binom.pmf(example[1][problem], N, special.expit(x))
        expected = np.sum(weight * special.expit(x)) / np.sum(weight)
        drawn = rates[:, problem]
        # the midpoints of 16 parts a cell add an error of their own, below half a per cent
        assert drawn.mean() == pytest.approx(expected, abs=5 * drawn.std() / np.sqrt(2000) + 5e-3 * expected)


def test_after_sampling_that_stopped_the_forecast_is_of_new_runs():
    """pass@10 of problems that were tried in batches of 8 until a success, 48 attempts at most.

    The plug-in value is too high over the 20 files. The 90 % interval holds the true value in 14 or more, where the
    chance of fewer is 2e-3.
    """
    inside, excess = 0, []
    for repeat in range(20):
        rng = np.random.default_rng(repeat)
        rates = rng.beta(0.4, 8, 128)
        batches = np.minimum(rng.geometric(1 - (1 - rates) ** 8), 6)
        n = 8 * batches
        c = np.array([last_batch(rng, p, b) for p, b in zip(rates, batches.tolist(), strict=True)])
        true = -np.expm1(10 * np.log1p(-rates)).mean()
        found = forecast_pass_at_k(n, c, [10])
        excess.append(1 - ((1 - c / n) ** 10).mean() - true)
        assert found.lower[0] < found.prediction[0] < found.upper[0]
        assert (
            found.latent_lower[0] >= found.lower[0] - 0.02
        )  # a run adds chance to the rates' own uncertainty
        inside += found.latent_lower[0] <= true <= found.latent_upper[0]
    assert inside >= 14
    assert np.mean(excess) > 4 * np.std(excess, ddof=1) / math.sqrt(20)


def last_batch(rng, rate, batches):
    """Successes of 8 attempts, given that there is one unless this is the sixth batch."""
    while True:
        count = rng.binomial(8, rate)
        if count or batches == 6:
            return count


def test_a_run_that_is_already_made_is_forecast_exactly(example):
    n, c = example
    rates = np.random.default_rng(0).random((5, PROBLEMS))
    found = forecast_run(np.random.default_rng(0), rates, n, c, [1, 10, 50], 50)
    exact = pass_at_k_from_counts(n[:, None], c[:, None], np.array([1, 10, 50])[None, :]).mean(axis=0)
    for value in (found.prediction, found.lower, found.upper):
        np.testing.assert_allclose(value, exact, rtol=1e-12)


def covered(members, repeats):
    """How many of `repeats` 90 % intervals hold the pass@K of a run of TOTAL attempts that is then made.

    The populations are of the prior of the default model, the posterior is that under `members`.
    """
    hits = 0
    n = np.full(PROBLEMS, N)
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        rates = draw_population(rng)
        first, rest = rng.binomial(N, rates), rng.binomial(TOTAL - N, rates)
        rows = count_rows(n, first, COARSE_GRID)
        drawn = draw_problem_rates(rng, sample_posterior(rows, members=members, seed=seed), rows, 200)
        found = forecast_run(rng, drawn, n, first, K, TOTAL)
        truth = pass_at_k_from_counts(np.full(PROBLEMS, TOTAL), first + rest, K).mean()
        hits += found.lower[0] <= truth <= found.upper[0]
    return hits


def test_intervals_cover_where_the_prior_is_right_and_not_where_it_is_wrong():
    """20 populations from the prior; an interval of a share of problems holds its ends, so it covers in 90 % or more.

    Fewer than 13 of 20 cover with probability 4e-4. The control is sure of a light tail.
    """
    assert covered(MEMBERS, 20) >= 13
    wrong = Member("wrong", (1.0, 2.5), (0.05, 0.05), beta_masses, 1.0)
    assert covered((wrong,), 20) < 10


@pytest.mark.slow
def test_intervals_cover_where_the_prior_is_right_in_many_repeats():
    """300 populations from the prior; fewer than 252 cover with probability 4e-4."""
    assert covered(MEMBERS, 300) >= 252


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.8])
def test_one_attempt_leaves_open_whether_problems_are_solved_always_or_are_equally_hard(rate):
    """The interval reaches from "nothing more is solved" to what equally hard problems give.

    The average over families alone does not, because any average is sure of something.
    """
    n, c, k = np.ones(200, int), np.repeat([0, 1], [round(200 * (1 - rate)), round(200 * rate)]), [5, 20]
    found = forecast_pass_at_k(n, c, k)
    equal = 1 - (1 - rate) ** np.array(k)
    assert np.all(found.lower <= rate + 0.005)
    assert np.all((found.upper >= equal) | (equal > 0.99))
    rows = count_rows(n, c, COARSE_GRID)
    drawn = draw_problem_rates(np.random.default_rng(0), sample_posterior(rows), rows, 400)
    average = forecast_run(np.random.default_rng(0), drawn, n, c, k)
    assert rate > 0.5 or np.any(average.upper < equal)


def test_more_than_five_attempts_do_not_span_all_families():
    n, c = np.full(100, 6), np.repeat([0, 1, 2, 5], [50, 20, 10, 20])
    assert sample_posterior(count_rows(n, c, COARSE_GRID)).alternatives == ()
    fewer = count_rows(n - 1, c, COARSE_GRID)
    assert len(sample_posterior(fewer).alternatives) > 1


@pytest.mark.parametrize("c", [np.zeros(20, int), np.full(20, N)], ids=["none solved", "all solved"])
def test_extremes_give_one_sided_answers(c):
    n = np.full(20, N)
    rows = count_rows(n, c, COARSE_GRID)
    rng = np.random.default_rng(0)
    rates = draw_problem_rates(rng, sample_posterior(rows), rows, 200)
    found = forecast_run(rng, rates, n, c, [100, 10_000])
    assert np.all((found.lower >= 0) & (found.upper <= 1))
    if c[0] == 0:
        assert found.lower[0] == 0
        assert found.upper[0] < 0.3
    else:
        assert np.all(found.prediction == 1)


def test_sums_of_many_problems_have_the_distribution_of_the_draws(example):
    """The normal sums of large groups against drawing each problem: 2000 draws of a population that is known.

    Means within five standard errors (two-sided, 6e-7 each), standard deviations within 10 % (six standard errors).
    """
    n, c = (np.tile(values, 8) for values in example)
    rows = count_rows(n, c, COARSE_GRID)
    masses = np.tile(BENT, (2000, 1))
    k = np.array([10, 50, 100, 1000])
    rng = np.random.default_rng(0)
    slow = forecast_run(rng, draw_rates(rng, masses, rows), n, c, k, level=0.6827)
    fast = forecast_sums(rng, masses, rows, k, level=0.6827)
    exact = pass_at_k_from_counts(n, c, 10).mean()
    assert fast.prediction[0] == pytest.approx(exact, abs=1e-12)
    assert fast.lower[0] == fast.upper[0]
    pairs = [
        ("latent", "latent_lower", "latent_upper", slice(None)),
        ("prediction", "lower", "upper", slice(2, None)),
    ]
    for middle, lower, upper, used in pairs:
        spread = (getattr(slow, upper) - getattr(slow, lower))[used] / 2
        found = (getattr(fast, upper) - getattr(fast, lower))[used] / 2
        # the median's standard error is 1.25 times that of the mean, and there are two of them
        allowed = 5 * 1.25 * np.sqrt(2 / 2000) * spread + 1 / len(n) ** 2
        assert np.all(np.abs(getattr(fast, middle) - getattr(slow, middle))[used] < allowed), middle
        np.testing.assert_allclose(found, spread, rtol=0.2)


def test_too_many_distinct_pairs_are_refused():
    n = np.arange(1, 20_001)
    with pytest.raises(InputError, match="20,000 distinct pairs"):
        forecast_pass_at_k(n, np.zeros_like(n), [10])
    with pytest.raises(InputError, match="at most 2"):
        forecast_pass_at_k([10, 10], [1, 2], np.array([1e30]))

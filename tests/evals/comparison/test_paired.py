"""Two models on the same problems: coverage of the bands, crossings, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lidjax.errors import InputError
from lidjax.evals import Group, compare_groups
from lidjax.evals.comparison.bands import band_from_draws, band_from_problems
from lidjax.evals.comparison.crossings import find_crossings
from lidjax.evals.comparison.paired import comparison_points
from lidjax.passk import pass_at_k_from_counts

K = np.array([1, 2, 4, 8, 16, 30])
N = 30


def make_pair(seed, problems=40):
    """Rates and counts of two models: the first is better at large k, the second at small k; hard problems are hard
    for both."""
    rng = np.random.default_rng(seed)
    hard = rng.beta(0.5, 2, problems)
    rates = np.stack([hard**0.8 * 0.5, np.where(rng.random(problems) < 0.25, 0.0, hard)])
    return rates, rng.binomial(N, rates)


def as_groups(counts, n=N):
    names = tuple(f"q{i}" for i in range(counts.shape[1]))
    size = np.full(counts.shape[1], n)
    return [Group(name, {}, names, size, c) for name, c in zip(("deep", "broad"), counts, strict=True)]


def true_difference(rates, k):
    solved = -np.expm1(k[:, None, None] * np.log1p(-rates))
    return (solved[:, 0] - solved[:, 1]).mean(axis=1)


def covers(band, truth):
    """Whether the simultaneous band holds the whole curve, and whether all the pointwise intervals do."""
    return (
        bool(np.all((band.band_lower <= truth) & (truth <= band.band_upper))),
        bool(np.all((band.lower <= truth) & (truth <= band.upper))),
    )


def test_a_band_of_draws_holds_just_the_stated_share_of_them():
    """Against a search over all depths. Pointwise intervals hold fewer whole curves (negative control)."""
    draws = np.random.default_rng(0).normal(size=(500, 7)).cumsum(axis=1) ** 3  # skewed and correlated
    band = band_from_draws(draws, 0.9)
    inside = np.all((draws >= band.band_lower) & (draws <= band.band_upper), axis=1)
    assert inside.mean() >= 0.9
    ordered = np.sort(draws, axis=0)
    shares = [
        np.all((draws >= ordered[depth - 1]) & (draws <= ordered[500 - depth]), axis=1).mean()
        for depth in range(1, 60)
    ]
    deepest = max(depth for depth, share in enumerate(shares, 1) if share >= 0.9)
    np.testing.assert_array_equal(band.band_lower, np.minimum(ordered[deepest - 1], band.lower))
    alone = np.all((draws >= band.lower) & (draws <= band.upper), axis=1)
    assert alone.mean() < 0.85


def test_the_bootstrap_band_holds_the_whole_curve_of_new_problems():
    """400 made-up pairs of models on 40 problems, 30 attempts each, at 90 %.

    The band holds the true curve in 90 % of them within 5 %, which is 3.3 standard errors: a false alarm of 1e-3. The
    pointwise intervals hold the whole curve less often, and a band from unpaired problems is wider (negative controls).
    """
    truth = true_difference(make_pair(10**6, problems=400_000)[0], K)
    held, widths = [], []
    for repeat in range(400):
        _, counts = make_pair(repeat)
        values = [pass_at_k_from_counts(N, c[:, None], K) for c in counts]
        band = band_from_problems(values[0] - values[1], 0.9, replicates=400, seed=repeat)
        held.append(covers(band, truth))
        shuffled = values[0] - np.random.default_rng(repeat).permutation(values[1])
        unpaired = band_from_problems(shuffled, 0.9, replicates=400, seed=repeat)
        widths.append([np.mean(one.band_upper - one.band_lower) for one in (band, unpaired)])
    whole, alone = np.mean(held, axis=0)
    assert abs(whole - 0.9) < 0.05
    assert alone < whole - 0.05
    paired, apart = np.mean(widths, axis=0)
    assert paired < 0.85 * apart


@pytest.mark.slow
def test_the_posterior_band_holds_the_whole_curve_of_these_problems():
    """60 pairs of models, 90 %: fewer than 46 of 60 held has a chance below 1e-3."""
    held = []
    for repeat in range(60):
        rates, counts = make_pair(repeat)
        found = compare_groups(*as_groups(counts), targets=[N], draws=400, replicates=100, seed=repeat)
        held.append(covers(found.differences[0].band, true_difference(rates, found.k)))
    whole, _ = np.sum(held, axis=0)
    assert stats.binom.cdf(45, 60, 0.9) < 1e-3
    assert whole >= 46


def test_who_is_better_at_which_k_and_where_they_cross():
    rng = np.random.default_rng(0)
    rates = np.stack(
        [rng.uniform(0.02, 0.2, 120), np.where(np.arange(120) < 60, rng.uniform(0.4, 0.9, 120), 1e-4)]
    )
    counts = rng.binomial(N, rates)
    first, second = as_groups(counts)
    found = compare_groups(first, second, targets=[1, 10, 100], draws=300, replicates=200)
    exact = true_difference(rates, found.k)
    assert exact[0] < 0 < exact[-1]
    verdict = found.verdict()
    assert verdict[0][:2] == ("broad", 1)
    assert verdict[-1][0] == "deep"
    assert verdict[-1][2] == 100
    assert found.crossings.second_then_first > 0.9
    cross = np.interp(0, exact, found.k)  # the exact curve rises
    # the interval is 3.3 standard errors wide, so this fails once in a thousand right posteriors
    crossing = found.crossings
    assert abs(np.log(cross / crossing.k)) < np.log(crossing.upper / crossing.lower)
    assert found.first_better[0] < 0.01
    assert found.first_better[-1] > 0.99
    assert sum(found.crossings[:6]) == pytest.approx(1)
    posterior, _, bootstrap = found.differences
    np.testing.assert_allclose(posterior.band.value[:3], bootstrap.band.value[:3], atol=0.02)
    assert np.isnan(bootstrap.band.value[found.k > N]).all()
    assert np.isfinite(bootstrap.band.value[found.k <= N]).all()

    other = compare_groups(second, first, targets=[1, 10, 100], draws=300, replicates=200)
    np.testing.assert_allclose(other.differences[2].band.value, -bootstrap.band.value, atol=1e-12)
    assert [part[0] for part in other.verdict()] == [part[0] for part in verdict]


def test_all_of_k_attempts_can_be_compared_too():
    _, counts = make_pair(3)
    found = compare_groups(*as_groups(counts), metric="pass^k", targets=[1, 10], draws=200, replicates=100)
    values = [
        np.array([p > 0 for p in c]) * np.prod([(c - i) / (N - i) for i in range(10)], axis=0) for c in counts
    ]
    at = found.k.tolist().index(10)
    expected = np.mean(values[0] - values[1])
    assert found.differences[2].band.value[at] == pytest.approx(expected, abs=1e-12)
    assert found.differences[0].band.value[at] == pytest.approx(expected, abs=0.02)


def test_problems_are_matched_by_name():
    _, counts = make_pair(0)
    first, second = as_groups(counts)
    order = np.random.default_rng(0).permutation(len(second.problems))[:30]
    mixed = Group("broad", {}, tuple(second.problems[i] for i in order), second.n[order], second.c[order])
    found = compare_groups(first, mixed, targets=[10], draws=100, replicates=100)
    assert found.left_aside == (10, 0)
    kept = np.sort(order)
    expected = np.mean(
        pass_at_k_from_counts(N, counts[0][kept], 10) - pass_at_k_from_counts(N, counts[1][kept], 10)
    )
    assert found.differences[2].band.value[-1] == pytest.approx(expected, abs=1e-12)


def test_crossings_are_counted_and_placed():
    k = np.array([1, 10, 100, 1000])
    draws = np.array([[1, 1, -1, -1.0]] * 5 + [[1, -1, 1, 1.0]] * 2 + [[2, 1, 1, 1.0]] * 2 + [[0.0] * 4])
    found = find_crossings(draws, k, 0.9)
    assert (found.first_then_second, found.several, found.first_throughout, found.equal) == (
        0.5,
        0.2,
        0.2,
        0.1,
    )
    assert found.k == pytest.approx(10**1.5)
    assert np.isnan(find_crossings(draws[-3:], k, 0.9).k)


def test_k_to_compare_at_include_the_targets():
    k = comparison_points([1, 7, 1000])
    assert {1, 7, 1000} <= set(k.tolist())
    assert len(k) > 15
    assert comparison_points([1]).tolist() == [1]


def test_a_group_whose_sampling_stopped_has_no_unbiased_difference():
    n = np.array([1, 2, 3, 4, 50, 50] * 10)
    c = np.array([1, 1, 1, 1, 0, 0] * 10)
    names = tuple(map(str, range(60)))
    stopped = Group("stopped", {}, names, n, c)
    other = Group("other", {}, names, np.full(60, 50), np.full(60, 5))
    found = compare_groups(stopped, other, targets=[1], draws=100, replicates=100)
    assert {finding.kind for finding in found.findings} >= {"adaptive_sampling"}
    assert [one.method for one in found.differences] == ["posterior", "posterior"]


def test_one_problem_in_common_says_nothing_of_others():
    _, counts = make_pair(0)
    first, second = as_groups(counts)
    second = replace(second, problems=("q0", *(f"other{i}" for i in range(39))))
    found = compare_groups(first, second, targets=[5], draws=100, replicates=100)
    assert found.differences[2].band.band_lower[0] == -1
    assert found.differences[2].band.band_upper[0] == 1
    assert "one_problem" in {finding.kind for finding in found.findings}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"targets": [0]}, "targets"),
        ({"targets": []}, "targets"),
        ({"level": 1.0}, "level"),
        ({"draws": 10}, "draws = 10"),
        ({"replicates": 1}, "replicates = 1"),
        ({"metric": "pass"}, "metric"),
    ],
)
def test_arguments_out_of_range_are_refused(options, word):
    with pytest.raises(InputError, match=word):
        compare_groups(*as_groups(make_pair(0)[1]), **options)


def test_models_without_a_common_problem_are_refused():
    first, second = as_groups(make_pair(0)[1])
    with pytest.raises(InputError, match=r"no problem in common: the first has 'q0'.*matched by name"):
        compare_groups(first, replace(second, problems=tuple(f"other{i}" for i in range(40))))

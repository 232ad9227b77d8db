"""Checks of counts: each finds what it is for, and nothing in counts that are sound."""

import math

import numpy as np
import pytest
from helpers.eval_logs import make_group
from scipy import stats

from lidjax.evals import EvalData, Group, PublishedPassAtK, batch_dispersion, check_evals
from lidjax.evals.checks import chance_that_all_are_solved, rank_correlation

BATCH = 8


def group_of(rows):
    """A group from the outcomes of its problems."""
    outcomes = tuple(bytes(row) for row in rows)
    n, c = np.array([len(row) for row in outcomes]), np.array([sum(row) for row in outcomes])
    return Group("g", {}, tuple(map(str, range(len(rows)))), n, c, outcomes)


def kinds(group, **how):
    return [finding.kind for finding in check_evals(EvalData((group,), "by hand"), **how)]


def stopped(rng, rates, most=6):
    """Outcomes of sampling in batches until a success."""
    rows = []
    for rate in rates:
        row = []
        while not any(row) and len(row) < most * BATCH:
            row += (rng.random(BATCH) < rate).astype(int).tolist()
        rows.append(row)
    return rows


def test_sound_counts_have_no_finding():
    rng = np.random.default_rng(0)
    assert kinds(make_group("a")) == []
    rows = [(rng.random(64) < rate).astype(int).tolist() for rate in rng.beta(0.5, 2, 40)]
    assert kinds(group_of(rows), batch=BATCH) == []


@pytest.mark.parametrize("ordered", [True, False])
def test_sampling_that_stopped_at_a_success_is_found(ordered):
    rng = np.random.default_rng(0)
    group = group_of(stopped(rng, rng.beta(0.4, 8, 40)))
    if not ordered:
        group = Group(group.name, {}, group.problems, group.n, group.c)
    assert "stopped_sampling" in kinds(group)


def test_some_problems_a_few_attempts_short_are_no_stopping_rule():
    """164 problems, 5 of them short and all solved, in 200 files: the level is 1e-3 a test, so 4 alarms have p < 1e-3.

    Sampling that really stopped, in files of as many problems, is found in all of 100.
    """
    rng = np.random.default_rng(1)
    alarms, found = 0, 0
    for repeat in range(200):
        n = np.full(164, 20)
        c = rng.binomial(20, rng.beta(0.4, 0.6, 164))
        short = rng.choice(np.flatnonzero(c > 0), 5, replace=False)
        n[short] = 16
        c[short] = np.minimum(c[short], 16)
        alarms += bool(kinds(Group("g", {}, tuple(map(str, range(164))), n, c)))
        if repeat < 100:
            group = group_of(stopped(rng, rng.beta(0.4, 8, 164)))
            counts = Group("g", {}, group.problems, group.n, group.c)
            found += "stopped_sampling" in kinds(counts)
    assert alarms <= 3
    assert found == 100


@pytest.mark.parametrize(("short", "unsolved"), [(5, 0), (5, 30), (40, 100), (130, 30), (140, 30)])
def test_the_chance_of_solved_ones_alone_is_hypergeometric(short, unsolved):
    exact = math.comb(164 - unsolved, short) / math.comb(164, short)
    assert chance_that_all_are_solved(short, unsolved, 164) == pytest.approx(exact, rel=1e-9)


def test_batches_that_share_their_luck_are_found():
    rng = np.random.default_rng(0)
    batches = [(rng.random(8) < 0.3).repeat(BATCH).astype(int).tolist() for _ in range(30)]
    assert kinds(group_of(batches), batch=BATCH) == ["dependent_attempts"]
    even = bytes([1] + [0] * (BATCH - 1)) * 8  # one success in every batch
    found = batch_dispersion([even] * 30, BATCH)
    assert found is not None
    assert found.ratio < 0.1
    assert batch_dispersion([bytes([1] * 64), bytes(64)], BATCH) is None  # one outcome says nothing


def test_counts_that_bound_the_tail_from_one_side():
    n = np.array([10, 10])
    for c, kind in (([0, 0], "none_solved"), ([10, 10], "all_solved")):
        assert kinds(Group("g", {}, ("a", "b"), n, np.array(c))) == [kind]
    assert kinds(Group("g", {}, ("a",), n[:1], np.array([3]))) == ["one_problem"]


def test_published_values_are_compared_with_the_counts():
    def finding(n, c, k, value):
        published = (PublishedPassAtK("g", "p", n, c, k, value),)
        return [f.kind for f in check_evals(EvalData((), "csv", published=published))]

    assert finding(10, 5, 2, 0.7778) == []
    assert finding(10, 5, 2, 0.75) == ["published_biased"]  # 1 - (1 - c/n)^k
    assert finding(10, 5, 20, 0.99) == ["published_beyond_n"]
    assert finding(10, 0, 20, 1.0) == ["published_bug"]


def test_rank_correlation_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for size in (5, 40, 300):
        x, y = rng.integers(0, 6, size), rng.integers(0, 9, size) / 7
        expected = stats.spearmanr(x, x + y)
        assert rank_correlation(x, x + y) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    assert rank_correlation(np.array([1, 2, 3]), np.array([5, 5, 5])) == (0.0, 1.0)

"""Metrics beside pass@k from a fit: against direct simulation and enumeration, their coverage, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from lidjax.errors import InputError
from lidjax.evals import (
    AnswerCounts,
    EvalData,
    Group,
    GroupDetails,
    TokenUse,
    VerifierCounts,
    fit_evals,
    forecast_metrics,
)
from lidjax.evals.metrics.from_rates import first_successes, g_pass_curve, pass_hat_curve, stopping_curves
from lidjax.evals.metrics.verified import verified_curves
from lidjax.evals.metrics.votes import answer_shares, draw_concentrations, majority_curve, winners
from lidjax.passk import majority_probability, pass_at_k_from_counts, verified_from_counts

PROBLEMS, N = 40, 24
K = np.array([1.0, 4.0, 16.0, 100.0])


def make_group(seed=0, details=GroupDetails(), n=N, problems=PROBLEMS):  # noqa: B008
    rng = np.random.default_rng(seed)
    rates = rng.beta(0.8, 1.2, problems)
    names = tuple(f"q{i}" for i in range(problems))
    return rates, Group("made", {}, names, np.full(problems, n), rng.binomial(n, rates), details=details)


def fit(group, targets=(1, 4, 16, 100)):
    data = EvalData((group,), "made")
    return fit_evals(data, targets=targets, models=False, bootstrap="none")


def at_rates(rates):
    """Posterior draws that all are the given rates, so that a curve is the metric itself."""
    return np.tile(rates, (3, 1))


def test_metrics_of_known_rates_agree_with_simulated_attempts():
    """40,000 runs at 5 problems; five standard errors."""
    rng = np.random.default_rng(0)
    rates = np.array([0.02, 0.2, 0.5, 0.8, 0.97])
    tokens = TokenUse(
        np.array([[50.0, 300.0]] * 5), np.array([[1, 2]] * 5)
    )  # 50 a wrong attempt, 150 a right one
    group = Group(
        "made",
        {},
        tuple("abcde"),
        np.full(5, 20),
        np.array([1, 4, 10, 16, 19]),
        details=GroupDetails(tokens=tokens),
    )
    size = 8
    made = rng.random((40_000, size, 5)) < rates
    solved = made.any(axis=1)
    stopped = np.where(solved, made.argmax(axis=1) + 1, size)
    expected = {
        "pass^k": made.all(axis=1),
        "G-pass@k(0.6)": made.sum(axis=1) >= 5,
        "pass@k": solved,
        "attempts": stopped,
        "tokens": (stopped - solved) * 50.0 + solved * 150.0,
    }
    k, drawn = np.array([float(size)]), at_rates(rates)
    curves = [
        pass_hat_curve(group, drawn, k, level=0.9, biased=False),
        g_pass_curve(group, drawn, k, 0.6, level=0.9, biased=False),
        *stopping_curves(group, drawn, k, level=0.9, biased=False),
    ]
    assert [curve.metric for curve in curves] == list(expected)
    for curve in curves:
        seen = expected[curve.metric].astype(float).mean(axis=1)
        assert curve.value[0] == pytest.approx(seen.mean(), abs=5 * seen.std() / 200)
    assert curves[1].value[-1] == 0.4  # of five rates two are above 0.6
    half, most = first_successes(at_rates(rates), 0.9)
    assert (half.attempts, most.share) == (pytest.approx(2), 0.9)


def test_tokens_without_a_model_are_the_mean_over_all_orders():
    """Of 3 wrong attempts and 1 right one in random order, with tokens of their own."""
    wrong, right = [10.0, 20.0, 60.0], 100.0
    tokens = TokenUse(np.array([[sum(wrong), right]]), np.array([[3, 1]]))
    group = Group("made", {}, ("q",), np.array([4]), np.array([1]), details=GroupDetails(tokens=tokens))
    curve = stopping_curves(group, np.full((2, 1), 0.3), np.array([1.0, 2.0, 4.0]), level=0.9, biased=False)[
        2
    ]
    # at most 2: the right one is first (1/4), second (1/4) or later; the mean wrong attempt takes 30
    np.testing.assert_allclose(
        curve.unbiased, [0.25 * 100 + 0.75 * 30, 0.25 * 100 + 0.25 * 130 + 0.5 * 60, 145]
    )


def test_a_problem_without_right_attempts_takes_the_tokens_of_the_others():
    tokens = TokenUse(np.array([[40.0, 0.0], [10.0, 90.0]]), np.array([[4, 0], [1, 3]]))
    np.testing.assert_allclose(tokens.means(), [[10, 30], [10, 30]])


def test_unbiased_values_and_intervals_of_a_fit():
    """The forecast holds the unbiased value at small k, and stops being accompanied by it beyond the attempts."""
    rates, group = make_group()
    fits = fit(group)
    (found,) = forecast_metrics(fits, ["pass^k", "g-pass", "attempts"], tau=[0.5, 0.75])
    by_name = {curve.metric: curve for curve in found.curves}
    assert list(by_name) == ["pass^k", "G-pass@k(0.5)", "G-pass@k(0.75)", "pass@k", "attempts"]
    np.testing.assert_allclose(
        by_name["pass@k"].unbiased[:3], [pass_at_k_from_counts(N, group.c, int(k)).mean() for k in K[:3]]
    )
    for curve in found.curves:
        assert np.isnan(curve.unbiased[3])  # 100 of 24 attempts
        assert np.all((curve.lower <= curve.value) & (curve.value <= curve.upper))
    exact = stats.binom.sf(1, 4, rates).mean()
    assert by_name["G-pass@k(0.5)"].lower[1] < exact < by_name["G-pass@k(0.5)"].upper[1]
    assert found.to_dict()["curves"][0]["metric"] == "pass^k"
    assert [one.share for one in found.first_success] == [0.5, 0.9]


@pytest.mark.slow
def test_intervals_hold_the_metrics_of_these_problems():
    """40 made-up groups, 90 %: fewer than 29 of 40 held has a chance below 1e-3, for each metric and k up to n.

    Beyond n the intervals are as good as the forecasts of pass@k, which are tested by themselves.
    """
    held = {}
    for repeat in range(40):
        rates, group = make_group(repeat)
        (found,) = forecast_metrics(fit(group), ["pass^k", "g-pass", "attempts"], seed=repeat)
        for curve in found.curves:
            for i, k in enumerate(K[:3]):
                if curve.metric == "attempts" and k == 1:
                    continue  # one attempt, for certain
                exact = {
                    "pass^k": rates**k,
                    "G-pass@k(0.5)": stats.binom.sf(np.ceil(k / 2) - 1, k, rates),
                    "pass@k": 1 - (1 - rates) ** k,
                    "attempts": (1 - (1 - rates) ** k) / rates,
                }[curve.metric].mean()
                inside = curve.lower[i] <= exact <= curve.upper[i]
                held[curve.metric, k] = held.get((curve.metric, k), 0) + inside
    assert stats.binom.cdf(28, 40, 0.9) < 1e-3
    assert min(held.values()) >= 29, held


# -- majority votes --------------------------------------------------------------------------------------------------


def vote_group(counts, correct, silent=0, copies=1):
    answers = AnswerCounts(tuple(f"a{i}" for i in range(len(counts))), tuple(counts), tuple(correct), silent)
    n = sum(counts) + silent
    c = sum(count for count, right in zip(counts, correct, strict=True) if right)
    names = tuple(f"q{i}" for i in range(copies))
    details = GroupDetails(answers=(answers,) * copies)
    return Group("votes", {}, names, np.full(copies, n), np.full(copies, c), details=details)


def test_votes_of_new_attempts_follow_the_exact_law():
    """100,000 votes with known shares; five standard errors."""
    rng = np.random.default_rng(1)
    shares, right = np.array([0.35, 0.3, 0.2, 0.15]), np.array([True, False, False, False])
    for k in (1, 2, 5, 20):
        tally = rng.multinomial(k, shares, size=100_000)
        seen = winners(rng, tally, right).mean()  # the last column does not vote
        exact = majority_probability(shares[:3], right[:3], k)
        assert seen == pytest.approx(exact, abs=5 * 0.5 / np.sqrt(100_000))


def test_shares_of_answers_keep_the_drawn_success_rate():
    rng = np.random.default_rng(0)
    rates = np.full(2000, 0.3)
    answers = AnswerCounts(("x", "y", "z"), (4, 10, 2), (True, False, False), silent=4)
    counts, right, shares = answer_shares(rng, answers, rates, np.ones(2000))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares[:, right].sum(axis=1), 0.3)
    assert counts.sum() == 20
    wrong = shares.mean(axis=0)[~right]
    expected = 0.7 * np.array([10, 2, 4]) / 17  # θ = 1: one attempt's weight for unseen answers
    np.testing.assert_allclose(wrong[[0, 1, -1]], expected, rtol=0.03)


@pytest.mark.parametrize("theta", [0.3, 3.0])
def test_how_often_wrong_answers_repeat_is_learnt(theta):
    """Answers of 60 problems, 8 attempts each, drawn one after the other: a new one with probability θ/(θ + made)."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(60):
        counts = []
        for made in range(8):
            if rng.random() < theta / (theta + made):
                counts.append(1)
            else:
                counts[rng.choice(len(counts), p=np.array(counts) / made)] += 1
        drawn.append(
            AnswerCounts(tuple(map(str, range(len(counts)))), tuple(counts), (False,) * len(counts), 0)
        )
    found = draw_concentrations(rng, drawn, 1000)
    low, high = np.quantile(found, [0.001, 0.999])
    assert low < theta < high
    assert high < 3 * low


def test_a_problem_that_was_never_solved_keeps_its_rate():
    """At k = 1 a vote is right with the success rate, solved or not."""
    group = vote_group([2, 1], [False, False], copies=500)
    rates, rng = np.full((50, 500), 0.4), np.random.default_rng(1)
    curve = majority_curve(group, rates, np.array([1.0]), level=0.9, biased=False, rng=rng)
    assert curve.value[0] == pytest.approx(0.4, abs=0.02)  # 5 standard errors of the median of 50 runs


def test_the_vote_of_many_attempts_goes_to_the_limit():
    """A right answer that is clearly ahead, and one that is clearly behind; the votes made are part of the run."""
    ahead = vote_group([60, 20, 20], [True, False, False], copies=30)
    behind = vote_group([25, 75], [True, False], copies=30)
    for group, share in ((ahead, 0.6), (behind, 0.25)):
        rng = np.random.default_rng(0)
        rates = rng.beta(100 * share, 100 * (1 - share), (200, 30))
        k = np.array([1.0, 10.0, 100.0, 10_000.0])
        curve = majority_curve(group, rates, k, level=0.9, biased=False, rng=rng)
        limit = float(share > 0.5)
        np.testing.assert_allclose(curve.value[-3:], limit, atol=1e-9)
        assert curve.unbiased[0] == pytest.approx(group.c[0] / group.n[0])
        assert np.isnan(curve.unbiased[3:]).all()
        assert curve.unbiased[2] == limit


def test_a_right_answer_that_was_never_given_can_still_win():
    group = vote_group([2, 1], [False, False], silent=1)
    rates = np.array([[0.9], [0.01]] * 50)
    curve = majority_curve(
        group, rates, np.array([1.0]), level=0.9, biased=False, rng=np.random.default_rng(0)
    )
    assert curve.lower[-1] == 0
    assert curve.upper[-1] == 1


def voting_problems(seed, problems=40):
    """Shares of a right and of three wrong answers of made-up problems: some are won by the wrong one."""
    rng = np.random.default_rng(seed)
    rates = rng.beta(1, 1.2, problems)
    wrong = rng.dirichlet([0.6, 0.6, 0.6], problems)
    return rng, np.concatenate([rates[:, None], (1 - rates)[:, None] * wrong], axis=1)


@pytest.mark.slow
def test_forecasts_of_votes_hold_a_run_and_the_limit():
    """40 made-up groups with 12 attempts, 90 %: votes of 60 attempts, and of infinitely many. Fewer than 29 of 40 held
    has a chance below 1e-3. Voting as the counts so far do holds less often (negative control)."""
    held = {60: 0, "limit": 0}
    misses = []
    right = np.array([True, False, False, False])
    for repeat in range(40):
        rng, shares = voting_problems(repeat)
        first = rng.multinomial(12, shares)
        answers = tuple(
            AnswerCounts(
                tuple(np.array(["a", "b", "c", "d"])[row > 0].tolist()),
                tuple(row[row > 0].tolist()),
                tuple(right[row > 0].tolist()),
                0,
            )
            for row in first
        )
        names = tuple(f"q{i}" for i in range(40))
        group = Group("votes", {}, names, np.full(40, 12), first[:, 0], details=GroupDetails(answers=answers))
        (found,) = forecast_metrics(fit(group, targets=[60]), ["majority"], seed=repeat)
        curve = found.curves[0]
        total = np.column_stack([first + rng.multinomial(48, shares), np.zeros(40, int)])
        run = np.mean([winners(rng, row[None], np.append(right, False))[0] for row in total])
        limit = np.mean(shares.argmax(axis=1) == 0)
        held[60] += curve.lower[0] <= run <= curve.upper[0]
        held["limit"] += curve.lower[1] <= limit <= curve.upper[1]
        misses.append(np.mean(first.argmax(axis=1) == 0) - limit)
    assert min(held.values()) >= 29, held
    assert np.mean(np.abs(misses) > 0.01) > 0.5


# -- verifiers -------------------------------------------------------------------------------------------------------


def test_a_verifier_with_known_errors_has_its_ceiling():
    rates, group = make_group()
    right, wrong = verified_curves(
        group, at_rates(rates), K, (0.9, 0.05), level=0.9, biased=False, rng=np.random.default_rng(0)
    )
    q = 0.9 * rates + 0.05 * (1 - rates)
    for i, k in enumerate(K):
        assert right.value[i] == pytest.approx((rates * 0.9 / q * (1 - (1 - q) ** k)).mean(), rel=1e-9)
    assert right.value[-1] == pytest.approx((rates * 0.9 / q).mean(), rel=1e-9)
    assert right.value[-1] + wrong.value[-1] == pytest.approx(1, rel=1e-9)
    assert right.k[-1] == np.inf


def labelled_group(seed, sensitivity, accepts):
    rates, group = make_group(seed, n=40)
    rng = np.random.default_rng(seed + 1000)
    right, wrong = rng.binomial(group.c, sensitivity), rng.binomial(group.n - group.c, accepts)
    judged = np.stack([group.n - group.c, group.c], axis=1)
    details = GroupDetails(verifier=VerifierCounts(judged, np.stack([wrong, right], axis=1)))
    return rates, Group(group.name, {}, group.problems, group.n, group.c, details=details)


def test_errors_of_a_verifier_are_learnt_from_a_log_problem_by_problem():
    """Half of the problems have tests that accept a third of the wrong answers, the others accept none."""
    weak = np.where(np.arange(PROBLEMS) < PROBLEMS // 2, 0.33, 0.0)
    rates, group = labelled_group(0, 0.95, weak)
    (found,) = forecast_metrics(fit(group), ["verifier"])
    right, _ = found.curves
    q = 0.95 * rates + weak * (1 - rates)
    for i, k in enumerate(K):
        exact = (rates * 0.95 / q * (1 - (1 - q) ** k)).mean()
        assert right.lower[i] < exact < right.upper[i]
    accepted = group.details.verifier.accepted
    expected = verified_from_counts(40, accepted[:, 1], accepted[:, 0], 16).mean()
    assert right.unbiased[2] == pytest.approx(expected)
    pooled = 0.165  # the same errors on every problem: another ceiling (negative control)
    same = (rates * 0.95 / (0.95 * rates + pooled * (1 - rates))).mean()
    assert not right.lower[-1] < same < right.upper[-1]


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metrics", "options", "word"),
    [
        (["pass"], {}, "metric"),
        (["g-pass"], {"tau": [0.0]}, "tau = 0"),
        (["verifier"], {"verifier": (1.2, 0.1)}, "sensitivity 1.2"),
        (["pass^k"], {"k": [0]}, "at least 1"),
        (["verifier"], {}, "no verdicts of a verifier"),
        (["majority"], {}, "--columns answer=COLUMN"),
    ],
)
def test_what_cannot_be_computed_is_refused(metrics, options, word):
    _, group = make_group(problems=3)
    with pytest.raises(InputError, match=word):
        forecast_metrics(fit(group, targets=[1]), metrics, **options)


def test_adaptive_sampling_has_no_unbiased_values():
    n = np.array([1, 2, 3, 4, 50, 50] * 10)
    group = Group("stopped", {}, tuple(map(str, range(60))), n, np.array([1, 1, 1, 1, 0, 0] * 10))
    (found,) = forecast_metrics(fit(group, targets=[1]), ["pass^k"])
    assert np.isnan(found.curves[0].unbiased[0])
    assert np.isfinite(found.curves[0].value[0])

"""maj@k of a group from the answers in its log: exact up to the attempts made, forecast beyond, and the limit.

The forecast draws the shares of the answers. The right answer has the drawn success rate of the problem. The rest is
divided among the wrong answers, seen and unseen, by a Dirichlet process: how often wrong attempts repeat a wrong answer
says what its concentration θ is (Ewens 1972), for all problems of the group together. Attempts without an answer do not
vote.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln, softmax

from lidjax.errors import InputError
from lidjax.evals.attempt_details import AnswerCounts
from lidjax.evals.metrics.curve import MetricCurve, Rates
from lidjax.evals.table import Group
from lidjax.passk import majority_from_answers
from lidjax.passk.majority import LARGEST_K

THETAS = np.geomspace(0.02, 200, 60)  # of θ: nearly one wrong answer a problem, or nearly all different
STICKS = 16  # unseen wrong answers that attempts can agree on; what is left is spread too thin to win a vote
LARGEST_RUN = 1_000_000  # votes of a run; beyond it the limit answers the same question


def majority_curve(
    group: Group,
    rates: Rates,
    k: Float[np.ndarray, " k"],
    *,
    level: float,
    biased: bool,
    rng: np.random.Generator,
) -> MetricCurve:
    """maj@k at each k and in the limit.

    The unbiased value is for k up to the attempts made. The forecast is of another run, one vote of k attempts at each
    problem; where k is more than the attempts made, these are a part of it, unless sampling was adaptive. The limit is
    the share of the problems whose right answer is the most probable one.
    """
    answers = group.details.answers
    if answers is None:
        raise InputError(
            f"group {group.name!r}: maj@k needs the answers of the attempts, and the log has none that were read; "
            "name their column with --columns answer=COLUMN"
        )
    votes = k[k <= LARGEST_RUN]
    all_k = np.append(votes, np.inf)
    unbiased = np.full(len(all_k), np.nan)
    for i, size in enumerate(votes.tolist()):
        if not biased and size <= min(group.n.min(), LARGEST_K):
            each = [
                majority_from_answers(
                    np.array(one.counts, dtype=int),
                    np.array(one.correct, dtype=bool),
                    int(size),
                    silent=one.silent,
                )
                for one in answers
            ]
            unbiased[i] = float(np.mean(each))
    won = np.zeros((len(rates), len(all_k)))
    theta = draw_concentrations(rng, answers, len(rates))
    for problem, one in enumerate(answers):
        counts, right, shares = answer_shares(rng, one, rates[:, problem], theta)
        made = int(counts.sum())
        for i, size in enumerate(votes.astype(np.int64).tolist()):
            if size > made and not biased:
                tally = counts + rng.multinomial(size - made, shares)
            else:
                tally = rng.multinomial(size, shares)
            won[:, i] += winners(rng, tally, right)
        voting = shares[:, :-1]
        won[:, -1] += right[np.argmax(voting, axis=1)]
    won /= len(answers)
    edges = [(1 - level) / 2, 0.5, (1 + level) / 2]
    low, middle, high = np.quantile(won, edges, axis=0)
    return MetricCurve("maj@k", all_k, unbiased, middle, low, high, "a run")


def draw_concentrations(
    rng: np.random.Generator, answers: Sequence[AnswerCounts], count: int
) -> Float[np.ndarray, " s"]:
    """Draws of θ from its posterior, on a grid with equal prior weights.

    Of m wrong attempts at a problem with d different answers the likelihood is θ^d / (θ (θ+1) ... (θ+m-1)).
    """
    wrong = [[c for c, right in zip(one.counts, one.correct, strict=True) if not right] for one in answers]
    attempts = np.array([sum(counts) for counts in wrong], dtype=np.float64)
    different = sum(len(counts) for counts in wrong)
    log_theta = np.log(THETAS)
    rising = gammaln(THETAS[:, None] + attempts) - gammaln(THETAS)[:, None]
    weight = softmax(different * log_theta - rising.sum(axis=1))
    return rng.choice(THETAS, size=count, p=weight)


def answer_shares(
    rng: np.random.Generator,
    answers: AnswerCounts,
    rates: Float[np.ndarray, " s"],
    theta: Float[np.ndarray, " s"],
) -> tuple[Int[np.ndarray, " a"], Bool[np.ndarray, " a"], Float[np.ndarray, "s a"]]:
    """Counts, marks and drawn shares of the answers to one problem; the last share does not vote.

    The answers are the right ones (an unseen one if there are none), the wrong ones, and unseen wrong ones.
    """
    counts, correct = np.array(answers.counts, dtype=np.int64), np.array(answers.correct, dtype=bool)
    good, bad = counts[correct], counts[~correct]
    good = good if len(good) else np.zeros(1, dtype=np.int64)
    draws = len(rates)
    among_right = rng.gamma(np.maximum(good, 1), size=(draws, len(good)))
    among_right /= among_right.sum(axis=1, keepdims=True)
    seen_wrong = rng.gamma(np.maximum(bad, 1), size=(draws, len(bad)))
    unseen, silent = rng.gamma(theta), rng.gamma(max(answers.silent, 1), size=draws) * (answers.silent > 0)
    total = np.maximum(seen_wrong.sum(axis=1) + unseen + silent, 1e-300)
    broken = rng.beta(1, theta[:, None], size=(draws, STICKS))
    left = np.cumprod(1 - broken, axis=1)
    sticks = broken * np.concatenate([np.ones((draws, 1)), left[:, :-1]], axis=1)
    wrong = np.column_stack([seen_wrong, unseen[:, None] * sticks, silent + unseen * left[:, -1]])
    shares = np.concatenate([rates[:, None] * among_right, ((1 - rates) / total)[:, None] * wrong], axis=1)
    shares /= shares.sum(axis=1, keepdims=True)
    seen = np.concatenate([good, bad, np.zeros(STICKS, dtype=np.int64), [answers.silent]])
    return seen, np.arange(len(seen)) < len(good), shares


def winners(
    rng: np.random.Generator, tally: Int[np.ndarray, "s a"], right: Bool[np.ndarray, " a"]
) -> Bool[np.ndarray, " s"]:
    """Whether a right answer wins each vote; ties at random. The last column does not vote."""
    voting = tally[:, :-1] + rng.random((len(tally), tally.shape[1] - 1)) * 0.5
    best = np.argmax(voting, axis=1)
    return right[best] & (tally[np.arange(len(tally)), best] > 0)

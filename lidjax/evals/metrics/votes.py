"""maj@k of a group from the answers in its log: exact up to the attempts made, forecast beyond, and the limit.

Beyond the attempts made, the shares of the answers are drawn from their posterior: the right answer has the drawn
success rate of the problem, and the rest is divided among the wrong answers and the attempts without an answer by a
Dirichlet process whose base measure gives answers that were not seen, with a concentration of NEW_ANSWERS attempts.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from lidjax.errors import InputError
from lidjax.evals.attempt_details import AnswerCounts
from lidjax.evals.metrics.curve import MetricCurve, Rates
from lidjax.evals.table import Group
from lidjax.passk import majority_from_answers
from lidjax.passk.majority import LARGEST_K

NEW_ANSWERS = 1.0  # heuristic: the weight of unseen wrong answers, in attempts
STICKS = 8  # unseen wrong answers of which each may win; the last one takes what is left
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

    For k up to the attempts made it is the unbiased value, and the forecast is that of a run: one vote of k attempts at
    each problem, of which those made so far are a part where k is more. The limit is the share of the problems whose
    right answer is the most probable one.
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
    for problem, one in enumerate(answers):
        counts, right, shares = answer_shares(rng, one, rates[:, problem])
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


def answer_shares(
    rng: np.random.Generator, answers: AnswerCounts, rates: Float[np.ndarray, " s"]
) -> tuple[Int[np.ndarray, " a"], Bool[np.ndarray, " a"], Float[np.ndarray, "s a"]]:
    """Counts, marks and drawn shares of the answers to one problem, the attempts without an answer last.

    The answers are the right ones (an unseen one if there are none), the wrong ones, and unseen wrong ones.
    """
    counts, correct = np.array(answers.counts, dtype=np.int64), np.array(answers.correct, dtype=bool)
    good, bad = counts[correct], counts[~correct]
    good = good if len(good) else np.zeros(1, dtype=np.int64)
    draws = len(rates)
    among_right = rng.gamma(np.maximum(good, 1e-3), size=(draws, len(good)))
    among_right /= np.maximum(among_right.sum(axis=1, keepdims=True), 1e-300)
    weights = np.concatenate([bad, [NEW_ANSWERS], [answers.silent]]).astype(float)
    rest = rng.gamma(np.maximum(weights, 1e-9), size=(draws, len(weights)))
    rest /= np.maximum(rest.sum(axis=1, keepdims=True), 1e-300)
    broken = rng.beta(1, NEW_ANSWERS, size=(draws, STICKS))
    broken[:, -1] = 1.0
    sticks = broken * np.cumprod(np.concatenate([np.ones((draws, 1)), 1 - broken[:, :-1]], axis=1), axis=1)
    wrong = np.concatenate([rest[:, :-2], rest[:, -2:-1] * sticks, rest[:, -1:]], axis=1)
    shares = np.concatenate([rates[:, None] * among_right, (1 - rates)[:, None] * wrong], axis=1)
    shares /= shares.sum(axis=1, keepdims=True)
    unseen = np.zeros(STICKS, dtype=np.int64)
    seen = np.concatenate([good, bad, unseen, [answers.silent]])
    marks = np.arange(len(seen)) < len(good)
    return seen, marks, shares


def winners(
    rng: np.random.Generator, tally: Int[np.ndarray, "s a"], right: Bool[np.ndarray, " a"]
) -> Bool[np.ndarray, " s"]:
    """Whether a right answer wins each vote; ties at random. The last column does not vote."""
    voting = tally[:, :-1] + rng.random((len(tally), tally.shape[1] - 1)) * 0.5
    best = np.argmax(voting, axis=1)
    return right[best] & (tally[np.arange(len(tally)), best] > 0)

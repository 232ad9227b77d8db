"""Checks of counts that are well-formed but may still be wrong. A check returns findings and changes no data."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd

import numpy as np

from lidjax.evals.finding import Finding
from lidjax.evals.sufficiency import check_few, check_runs
from lidjax.evals.table import EvalData, Group
from lidjax.passk import pass_at_k_from_counts

ROUNDING = 5e-4  # published values are often rounded to three digits
SMALL_P = 1e-3  # heuristic level of the two tests: with a hundred groups, one false alarm in ten files
FEWEST_STOPPED = 5  # heuristic: fewer problems do not show a stopping rule


def check_evals(data: EvalData, *, batch: int | None = None) -> list[Finding]:
    """Everything that may be wrong with well-formed counts, group by group.

    The kinds of finding are: "published_bug", "published_beyond_n" and "published_biased" (values of pass@k in the file
    that do not follow from its counts), "one_problem", "none_solved", "all_solved" (the counts bound the tail from one
    side only), "one_attempt", "few_attempts" (below five), "stopped_sampling", "adaptive_sampling" (the number of
    attempts depends on the outcome), "run_effect" (some runs over all problems did better than others) and
    "dependent_attempts" (successes are spread unevenly over batches). `fit_evals` adds "no_model_fits".

    Args:
        data: Counts from `read_evals`, or made by hand.
        batch: Number of attempts that were drawn together, if known. Without it √n attempts are taken as a batch.

    Returns:
        The findings; an empty list where nothing was found.

    References:
        The tests were derived for this project and are described at each check in `evals/checks.py`. Unbiased pass@k:
        Chen et al. 2021, Eq. 1.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {}, ("p1", "p2"), np.array([10, 10]), np.array([0, 0]))
        >>> [finding.kind for finding in lidjax.evals.check_evals(lidjax.evals.EvalData((group,), "by hand"))]
        ['none_solved']
    """
    findings = check_published(data)
    for group in data.groups:
        findings += check_extremes(group) + check_few(group)
        findings += check_stopping(group) + check_runs(group) + check_independence(group, batch)
    return findings


def check_published(data: EvalData) -> list[Finding]:
    """Published values of pass@k with k > n, or that are not the unbiased estimate."""
    findings: list[Finding] = []
    for name in dict.fromkeys(value.group for value in data.published):
        values = [value for value in data.published if value.group == name]
        known_bug = [v for v in values if v.k > v.n and v.c == 0 and v.value == 1]
        beyond = [v for v in values if v.k > v.n]
        wrong = [
            v
            for v in values
            if v.k <= v.n and abs(v.value - float(pass_at_k_from_counts(v.n, v.c, v.k))) > ROUNDING
        ]
        if known_bug:
            v = known_bug[0]
            message = (
                f"{len(known_bug)} published pass@k values say 1.0 with no right answer at all (problem {v.problem}: "
                f"c = 0, n = {v.n}, k = {v.k}): the usual estimator returns 1 whenever n - c < k, whatever c is. "
                "The counts are used, the column is not"
            )
            findings.append(Finding("published_bug", name, message))
        elif beyond:
            v = beyond[0]
            message = f"{len(beyond)} published pass@k values have k > n (k = {v.k}, n = {v.n}): no estimate"
            findings.append(Finding("published_beyond_n", name, message))
        if wrong:
            v = wrong[0]
            right = float(pass_at_k_from_counts(v.n, v.c, v.k))
            message = (
                f"{len(wrong)} published pass@k values are not the unbiased estimate (problem {v.problem}: "
                f"pass@{v.k} = {v.value:g}, from c = {v.c} of n = {v.n} it is {right:.4g})"
            )
            findings.append(Finding("published_biased", name, message))
    return findings


def check_extremes(group: Group) -> list[Finding]:
    """Counts that bound the tail from one side only."""
    if len(group.problems) == 1:
        return [
            Finding(
                "one_problem", group.name, "one problem: nothing can be said about a population of problems"
            )
        ]
    if not group.c.any():
        bound = 1 - 0.05 ** (1 / float(group.n.sum()))
        message = f"no right answer in {group.n.sum()} attempts: mean pass@1 is below {bound:.2g} (95 %)"
        return [Finding("none_solved", group.name, message)]
    if np.array_equal(group.c, group.n):
        return [
            Finding(
                "all_solved", group.name, "every attempt was right: the hard tail is empty as far as one sees"
            )
        ]
    return []


def check_stopping(group: Group) -> list[Finding]:
    """Sampling that went on until a success: n depends on the outcome, and c/n is biased upwards.

    Where the order of the attempts is known, the sign is a success in the last batch and in no other. From counts alone
    it is that n varies, in whole batches, and that all problems with fewer attempts are solved.
    """
    if group.placed_by:
        message = (
            f"the attempts were placed by their outcomes ({group.placed_by}): c/n and the unbiased pass@k are biased, "
            "the likelihood is not; only likelihood methods are used"
        )
        return [Finding("adaptive_sampling", group.name, message, likelihood_only=True)]
    sizes = np.unique(group.n)
    batch = reduce(gcd, sizes.tolist())
    if len(sizes) < 2:
        return []
    if group.outcomes is not None:
        longer = [attempts for attempts in group.outcomes if len(attempts) > batch and any(attempts)]
        late = [attempts for attempts in longer if not any(attempts[:-batch])]
        if len(longer) >= FEWEST_STOPPED and len(late) == len(longer):
            evidence = f"all {len(late)} successes after the first batch end their row"
            return [stopping_finding(group, batch, evidence)]
        return []
    shorter = group.n < sizes[-1]
    unsolved_short = int(np.sum(shorter & (group.c == 0)))
    by_chance = chance_that_all_are_solved(int(shorter.sum()), int(np.sum(group.c == 0)), len(group.n))
    if batch > 1 and unsolved_short == 0 and by_chance < SMALL_P:
        evidence = (
            f"every n is a multiple of {batch}, and all {shorter.sum()} problems with fewer attempts are solved "
            f"ones (by chance: p = {by_chance:.1g})"
        )
        return [stopping_finding(group, batch, evidence)]
    if not group.c.any():
        return []
    correlation, p_value = rank_correlation(group.n, group.c / group.n)
    if p_value < SMALL_P:
        message = (
            f"the number of attempts goes with the success rate (rank correlation {correlation:+.2f}, "
            f"p = {p_value:.1g}): sampling was adaptive, plug-in pass@k may be biased; likelihood methods are not"
        )
        return [Finding("adaptive_sampling", group.name, message, likelihood_only=True)]
    return []


def chance_that_all_are_solved(chosen: int, unsolved: int, problems: int) -> float:
    """Hypergeometric chance that `chosen` problems picked at random are all among the solved ones.

    C(P - u, s) / C(P, s). It is small only where many problems have fewer attempts and many are unsolved: a few
    problems that are some attempts short in a file with few unsolved ones say nothing.
    """
    from scipy.special import betaln

    if chosen + unsolved > problems:
        return 0.0

    def log_choose(n: int, k: int) -> float:
        return -float(betaln(n - k + 1, k + 1)) - float(np.log(n + 1))

    return float(np.exp(log_choose(problems - unsolved, chosen) - log_choose(problems, chosen)))


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Spearman's rank correlation and its two-sided p-value, by the t distribution; 0 and 1 where one is constant."""
    from scipy.special import stdtr

    ranks = [average_ranks(values) for values in (x, y)]
    if len(x) < 3 or min(np.ptp(values) for values in ranks) == 0:
        return 0.0, 1.0
    correlation = float(np.clip(np.corrcoef(np.stack(ranks))[0, 1], -1, 1))
    if abs(correlation) == 1:
        return correlation, 0.0
    freedom = len(x) - 2
    t = correlation * np.sqrt(freedom / ((1 + correlation) * (1 - correlation)))
    return correlation, float(2 * stdtr(freedom, -abs(t)))


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 on; equal values have the mean of theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[index.ravel()]


def stopping_finding(group: Group, batch: int, evidence: str) -> Finding:
    """The finding "stopped_sampling"."""
    message = (
        f"sampling stopped at the first success: {evidence}. c/n and plug-in pass@k are biased (up to twice too high), "
        f"the likelihood is not; only likelihood methods are used (batch of {batch})"
    )
    return Finding("stopped_sampling", group.name, message, likelihood_only=True)


def check_independence(group: Group, batch: int | None = None) -> list[Finding]:
    """Dispersion of successes between batches, where the order is known. It shows shared prompts, caches or seeds.

    Given c of a problem, its successes are spread over the batches hypergeometrically if attempts are independent. The
    sum over problems of Pearson's statistic is approximately normal, with mean and spread from shuffled attempts.
    """
    if group.outcomes is None:
        return []
    found = batch_dispersion(group.outcomes, batch)
    if found is None or found.p_value > SMALL_P:
        return []
    kind = "clustered" if found.ratio > 1 else "more even than chance"
    message = (
        f"attempts at one problem are not independent: successes are {kind} between batches (dispersion "
        f"{found.ratio:.2f} times that of independent attempts, p = {found.p_value:.1g}); intervals will be wrong"
    )
    return [Finding("dependent_attempts", group.name, message)]


@dataclass(frozen=True)
class BatchDispersion:
    """Dispersion of successes between batches of attempts at the same problem.

    Example:
        >>> from lidjax.evals import BatchDispersion
        >>> BatchDispersion(ratio=1.0, p_value=0.5).ratio
        1.0
    """

    ratio: float
    """Observed dispersion over that of independent attempts."""
    p_value: float
    """Two-sided p-value of independence."""


def batch_dispersion(
    outcomes: Sequence[bytes], batch: int | None = None, shuffles: int = 200
) -> BatchDispersion | None:
    """Observed over expected dispersion of successes between batches, with its p-value against shuffled attempts.

    Args:
        outcomes: For each problem its attempts in order, one byte each: 1 if correct, else 0.
        batch: Number of attempts in a batch. Without it √n of them are taken.
        shuffles: Number of times that the attempts are shuffled.

    Returns:
        The dispersion, or None where no problem has two batches and both outcomes.

    References:
        Derived for this project: Pearson's statistic of each problem under the hypergeometric distribution.

    Example:
        >>> import lidjax.evals
        >>> clustered = [bytes([1] * 8 + [0] * 8)] * 20
        >>> found = lidjax.evals.batch_dispersion(clustered, batch=8)
        >>> found.ratio > 5, found.p_value < 1e-3
        (True, True)
    """
    from scipy import stats

    rng = np.random.default_rng(0)
    observed, draws = 0.0, np.zeros(shuffles)
    for attempts in outcomes:
        values = np.frombuffer(attempts, dtype=np.uint8)
        size = batch or int(np.sqrt(len(values)))
        count = len(values) // size if size else 0
        values = values[: count * size]
        total = int(values.sum())
        if count < 2 or total in (0, len(values)):
            continue
        rate = total / len(values)
        scale = size * rate * (1 - rate)
        observed += float(np.sum((values.reshape(count, size).sum(1) - size * rate) ** 2)) / scale
        shuffled = rng.multivariate_hypergeometric(np.full(count, size), total, size=shuffles)
        draws += np.sum((shuffled - size * rate) ** 2, axis=1) / scale
    if observed == 0 and not draws.any():
        return None
    spread = draws.std(ddof=1)
    score = (observed - draws.mean()) / spread if spread > 0 else 0.0
    return BatchDispersion(float(observed / draws.mean()), float(2 * stats.norm.sf(abs(score))))

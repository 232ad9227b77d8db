"""What can be wrong with counts that are well-formed: each check returns findings for people, none changes the data."""

from dataclasses import dataclass
from functools import reduce
from math import gcd

import numpy as np
from scipy import stats

from lidjax.evals.table import EvalData, Group
from lidjax.passk import pass_at_k_from_counts

PLUG_IN_TOLERANCE = 5e-4  # published values are often rounded to three digits
SMALL_P = 1e-3  # heuristic level for the two tests: with a hundred groups one false alarm in ten files


@dataclass(frozen=True)
class Finding:
    """`kind` for programs, `message` for people; `likelihood_only` where c/n and plug-in pass@k are biased."""

    kind: str
    group: str
    message: str
    likelihood_only: bool = False


def check_evals(data: EvalData, *, batch: int | None = None) -> list[Finding]:
    """All findings on all groups. `batch` is the number of attempts drawn together, where it is known."""
    findings = check_published(data)
    for group in data.groups:
        findings += check_extremes(group) + check_stopping(group) + check_independence(group, batch)
    return findings


def check_published(data: EvalData) -> list[Finding]:
    """Published pass@k beside the counts: beyond n, and not the unbiased estimate."""
    findings = []
    for name in dict.fromkeys(value.group for value in data.published):
        values = [value for value in data.published if value.group == name]
        known_bug = [v for v in values if v.k > v.n and v.c == 0 and v.value == 1]
        beyond = [v for v in values if v.k > v.n]
        wrong = [
            v
            for v in values
            if v.k <= v.n and abs(v.value - float(pass_at_k_from_counts(v.n, v.c, v.k))) > PLUG_IN_TOLERANCE
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
    """Groups that bound the tail from one side only."""
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
    """Sampling that went on until a success: n then depends on the outcome, and c/n is biased upwards.

    With the order of attempts at hand the sign is a success in the last batch and in no other. From counts alone it is
    that n varies, in whole batches, and only problems without a success were taken further.
    """
    sizes = np.unique(group.n)
    batch = reduce(gcd, sizes.tolist())
    if len(sizes) < 2:
        return []
    if group.outcomes is not None:
        multiple = [row for row in group.outcomes if len(row) > batch and any(row)]
        late = [row for row in multiple if not any(row[:-batch])]
        if len(multiple) >= 5 and len(late) == len(multiple):
            return [
                stopping_finding(
                    group, batch, f"all {len(late)} successes after the first batch end their row"
                )
            ]
        return []
    shorter = group.n < sizes[-1]
    unsolved_short = int(np.sum(shorter & (group.c == 0)))
    if shorter.sum() >= 5 and batch > 1 and unsolved_short == 0 and np.any(group.c == 0):
        told = f"every n is a multiple of {batch}, and all {shorter.sum()} problems with fewer attempts are solved ones"
        return [stopping_finding(group, batch, told)]
    if not group.c.any():
        return []
    test = stats.spearmanr(group.n, group.c / group.n)
    if test.pvalue < SMALL_P:  # pyright: ignore[reportAttributeAccessIssue]
        message = (
            f"the number of attempts goes with the success rate (rank correlation {test.statistic:+.2f}, "  # pyright: ignore[reportAttributeAccessIssue]
            f"p = {test.pvalue:.1g}): sampling was adaptive, plug-in pass@k may be biased; likelihood methods are not"  # pyright: ignore[reportAttributeAccessIssue]
        )
        return [Finding("adaptive_sampling", group.name, message, likelihood_only=True)]
    return []


def stopping_finding(group: Group, batch: int, told: str) -> Finding:
    message = (
        f"sampling stopped at the first success: {told}. c/n and plug-in pass@k are biased (up to twice too high), the "
        f"likelihood is not; only likelihood methods are used (batch of {batch})"
    )
    return Finding("stopped_sampling", group.name, message, likelihood_only=True)


def check_independence(group: Group, batch: int | None = None) -> list[Finding]:
    """Dispersion of successes between batches, where the order is known: shared prompts, caches or seeds show here.

    Given c of a problem, its successes are spread over batches hypergeometrically if attempts are independent. The sum
    over problems of Pearson's statistic, standardised by its exact mean and by simulation of its spread, is normal.
    """
    if group.outcomes is None:
        return []
    ratio = batch_dispersion(group.outcomes, batch)
    if ratio is None or ratio.pvalue > SMALL_P:
        return []
    kind = "clustered" if ratio.ratio > 1 else "more even than chance"
    message = (
        f"attempts at one problem are not independent: successes are {kind} between batches (dispersion "
        f"{ratio.ratio:.2f} times that of independent attempts, p = {ratio.pvalue:.1g}); intervals will be wrong"
    )
    return [Finding("dependent_attempts", group.name, message)]


@dataclass(frozen=True)
class Dispersion:
    ratio: float
    pvalue: float


def batch_dispersion(
    outcomes: tuple[bytes, ...], batch: int | None = None, shuffles: int = 200
) -> Dispersion | None:
    """Observed over expected dispersion between batches, and its two-sided p-value against shuffled attempts.

    A batch is `batch` attempts, or √n of them. None where no problem has two batches and a mixed outcome.
    """
    rng = np.random.default_rng(0)
    observed, draws = 0.0, np.zeros(shuffles)
    for row in outcomes:
        values = np.frombuffer(row, dtype=np.uint8)
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
    return Dispersion(observed / draws.mean(), float(2 * stats.norm.sf(abs(score))))

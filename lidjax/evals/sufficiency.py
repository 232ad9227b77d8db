"""Checks of what the counts can say: few attempts, and attempts of one run that share their luck."""

import numpy as np
from scipy import special

from lidjax.evals.finding import Finding
from lidjax.evals.rates.posterior import FEW_ATTEMPTS
from lidjax.evals.table import Group

EXAMPLE_K = 10  # of pass@K in the finding on one attempt
SMALL_P = 1e-3  # heuristic level of the test of runs: with a hundred groups, one false alarm in ten files


def check_few(group: Group) -> list[Finding]:
    """One attempt at each problem, or few."""
    middle = float(np.median(group.n))
    if middle >= FEW_ATTEMPTS or len(group.problems) < 2:
        return []
    if middle > 1:
        message = (
            f"{middle:g} attempts at each problem are few: how success spreads over problems is hardly known, and a "
            "forecast beyond them is wide; ten or more attempts narrow it"
        )
        return [Finding("few_attempts", group.name, message)]
    rate = float(group.c.sum() / group.n.sum())
    message = (
        f"one attempt each: nothing says how success spreads over problems. With a success rate of {rate:.2f}, "
        f"pass@{EXAMPLE_K} can be anything from {rate:.2f} (each problem is solved always or never) to "
        f"{1 - (1 - rate) ** EXAMPLE_K:.2f} (all are equally hard)"
    )
    return [Finding("one_attempt", group.name, message)]


def check_runs(group: Group) -> list[Finding]:
    """Runs over all problems of which some did better than others, where the order of the attempts is known.

    The j-th attempts at all problems are taken as the j-th run. Cochran's Q compares the numbers of problems that each
    run solved with what permuted attempts would give. It is approximately chi-squared, and exact in the mean.
    """
    if group.outcomes is None or len(group.outcomes) < 2:
        return []
    runs = len(group.outcomes[0])
    if runs < 2 or any(len(attempts) != runs for attempts in group.outcomes):
        return []
    table = np.array([np.frombuffer(attempts, dtype=np.uint8) for attempts in group.outcomes], dtype=float)
    solved, correct = table.sum(axis=0), table.sum(axis=1)
    spread = float(np.sum(correct * (runs - correct)))
    if spread == 0:
        return []
    q = (runs - 1) * runs * float(np.sum((solved - solved.mean()) ** 2)) / spread
    p_value = float(special.gammaincc((runs - 1) / 2, q / 2))
    if p_value > SMALL_P:
        return []
    message = (
        f"the {runs} runs over all problems differ by more than chance (from {solved.min():.0f} to {solved.max():.0f} "
        f"problems solved; Cochran's Q, p = {p_value:.1g}): attempts of one run share something, such as a setting or "
        "an outage, and intervals are too narrow"
    )
    return [Finding("run_effect", group.name, message)]

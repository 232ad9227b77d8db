"""Two models on the same problems: the difference of their pass@k at every k, and where the curves cross.

The problems are paired, so what makes some of them harder than others cancels. Two kinds of answer are given. For
*these problems* the difference is computed from posterior draws of both models' success rates, at every k. For *new
problems of the same kind* the problems are resampled as well: in the posterior draws (Bayesian bootstrap, every k), and
in the unbiased values (bootstrap, no model, k up to the number of attempts).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from lidjax.errors import InputError, check_choice
from lidjax.evals.arguments import check_level
from lidjax.evals.checks import Finding, check_evals
from lidjax.evals.comparison.bands import Band, band_from_draws, band_from_problems
from lidjax.evals.comparison.crossings import Crossings, find_crossings
from lidjax.evals.comparison.pairing import common_problems
from lidjax.evals.rates.draws import draw_problem_rates
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.table import MOST_ATTEMPTS, EvalData, Group
from lidjax.passk import pass_at_k_from_counts, pass_hat_k_from_counts

POINTS_PER_DECADE = 6  # of the k at which curves are compared; heuristic
THESE, NEW = "these problems", "new problems of the same kind"


class RateMetric(NamedTuple):
    """A metric as a function of a problem's success rate, and its unbiased estimate from counts."""

    from_rates: Callable[[Float[np.ndarray, "s p"], int], Float[np.ndarray, "s p"]]
    from_counts: Callable[..., Any]


METRICS = {
    "pass@k": RateMetric(lambda rates, k: -np.expm1(k * np.log1p(-rates)), pass_at_k_from_counts),
    "pass^k": RateMetric(lambda rates, k: np.exp(k * np.log(rates)), pass_hat_k_from_counts),
}
"""Metrics that two models can be compared by."""


class Difference(NamedTuple):
    """The difference of two curves, first model minus second, with its bands."""

    method: str
    """"posterior" or "bootstrap"."""
    scope: str
    """What the bands are for: "these problems" or "new problems of the same kind"."""
    band: Band
    """Value, intervals and simultaneous band at each k (K,). NaN beyond the attempts made where no model is used."""


@dataclass(frozen=True)
class PairedComparison:
    """Two models compared on the problems that both were tried on; differences are the first minus the second."""

    names: tuple[str, str]
    """Names of the two models."""
    metric: str
    """"pass@k" or "pass^k"."""
    groups: tuple[Group, Group]
    """Their counts at the P problems that both have, in the same order."""
    left_aside: tuple[int, int]
    """How many problems of each only one of them has."""
    findings: list[Finding]
    """What may be wrong with the counts."""
    level: float
    """Probability that each interval should hold its value, and each band its whole curve."""
    k: Int[np.ndarray, " k"]
    """Numbers of attempts (K,), the targets among them."""
    targets: tuple[int, ...]
    """The numbers of attempts that were asked for."""
    curves: tuple[Band, Band]
    """Metric of each model for these problems (K,), from the posterior."""
    differences: tuple[Difference, ...]
    """By posterior for these problems, by posterior for new ones, by bootstrap for new ones."""
    first_better: Float[np.ndarray, " k"]
    """Posterior probability that the first is better at each k (K,), for these problems."""
    crossings: Crossings
    """Where the curves cross, for these problems."""

    def verdict(self, difference: Difference | None = None) -> list[tuple[str, int, int]]:
        """Who is known to be better at which k: (name, from k, to k), by the simultaneous band of a difference.

        Ranges are those of neighbouring values in `k`. By default the difference is the first, for these problems.
        """
        band = (difference or self.differences[0]).band
        sign = np.where(band.band_lower > 0, 1, np.where(band.band_upper < 0, -1, 0))
        found: list[tuple[str, int, int]] = []
        for index in np.flatnonzero(sign).tolist():
            name = self.names[0 if sign[index] > 0 else 1]
            if found and index and sign[index - 1] == sign[index]:
                found[-1] = (name, found[-1][1], int(self.k[index]))
            else:
                found.append((name, int(self.k[index]), int(self.k[index])))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and text, as `lidjax compare --json` prints them."""
        return {
            "models": list(self.names),
            "metric": self.metric,
            "problems": list(self.groups[0].problems),
            "left_aside": dict(zip(("first", "second"), self.left_aside, strict=True)),
            "findings": [
                {"group": finding.group, "code": finding.kind, "message": finding.message}
                for finding in self.findings
            ],
            "level": self.level,
            "targets": list(self.targets),
            "k": self.k.tolist(),
            "curves": [
                {
                    "model": name,
                    "value": band.value.tolist(),
                    "lower": band.lower.tolist(),
                    "upper": band.upper.tolist(),
                }
                for name, band in zip(self.names, self.curves, strict=True)
            ],
            "differences": [
                {"method": one.method, "scope": one.scope}
                | {name: values.tolist() for name, values in one.band._asdict().items()}
                | {"better": [list(part) for part in self.verdict(one)]}
                for one in self.differences
            ],
            "first_better": self.first_better.tolist(),
            "crossings": self.crossings._asdict(),
        }


def compare_groups(
    first: Group,
    second: Group,
    *,
    metric: str = "pass@k",
    targets: Sequence[int] | None = None,
    level: float = 0.9,
    draws: int = 1000,
    replicates: int = 2000,
    seed: int = 0,
) -> PairedComparison:
    """Compare two models on the problems that both were tried on: which is better at which k, and where they cross.

    Problems are matched by name. The computation is in float64, whatever the session's setting. The two posteriors are
    independent: that one model solved a problem says nothing of the other. So where both find the same problems hard
    and attempts are few, their bands are wider than they need be, and the bootstrap, which does use the pairing, can
    decide where they do not.

    Args:
        first: Counts of the first model, such as `read_evals(path).groups[0]`.
        second: Counts of the second. The numbers of attempts may differ.
        metric: "pass@k" (one of k attempts succeeds) or "pass^k" (all of them do).
        targets: Numbers of attempts k to compare at, each 1 or more. By default powers of ten up to about a hundred
            times the smaller median number of attempts. Between 1 and the largest of them the curves are compared at
            further k.
        level: Probability that each interval should hold its value and each band its whole curve, 0.5 ≤ level < 1.
        draws: Number of posterior draws, 100 or more.
        replicates: Number of bootstrap replicates, 100 or more.
        seed: Seed of all random numbers.

    Returns:
        The comparison. `verdict()` says who is better at which k; `to_dict()` gives plain numbers.

    Raises:
        InputError: If the two have no problem in common, or an argument is out of its range.

    References:
        Unbiased pass@k: Chen et al. 2021, Eq. 1. Simultaneous bands: Besag et al. 1995, Sec. 6.3 (posterior) and the
        bootstrap-t with the largest ratio over k. Coverage is tested in `tests/evals/comparison/test_paired.py`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> names, n = tuple(map(str, range(40))), np.full(40, 50)
        >>> rate = np.linspace(0.01, 0.9, 40)
        >>> small = lidjax.evals.Group("small", {}, names, n, np.round(n * rate * 0.5).astype(int))
        >>> large = lidjax.evals.Group("large", {}, names, n, np.round(n * rate).astype(int))
        >>> found = lidjax.evals.compare_groups(large, small, targets=[1, 10])
        >>> found.verdict()[0][:2]
        ('large', 1)
    """
    check_level(level)
    check_choice("metric", metric, METRICS)
    if targets is not None and (not len(targets) or min(targets) < 1 or max(targets) > MOST_ATTEMPTS):
        raise InputError(
            f"targets {list(targets)}: one or more numbers of attempts, each at least 1 and at most 2^53"
        )
    for name, value in (("draws", draws), ("replicates", replicates)):
        if value < 100:
            raise InputError(f"{name} = {value}: must be at least 100, or the ends of intervals are chance")
    one, two, left_aside = common_problems(first, second)
    pair = (one, two)
    findings = check_evals(EvalData(pair, "comparison"))
    asked = sorted(set(targets)) if targets else default_targets(pair)
    k = comparison_points(asked)
    kind = METRICS[metric]
    with jax.enable_x64(True):
        rates = [draw_rates_of(group, draws, seed + index) for index, group in enumerate(pair)]
    weight = np.random.default_rng(seed).standard_exponential((draws, len(one.problems)))
    weight /= weight.sum(axis=1, keepdims=True)
    means, these, new = np.empty((2, draws, len(k))), np.empty((draws, len(k))), np.empty((draws, len(k)))
    for j, size in enumerate(k.tolist()):
        values = [kind.from_rates(drawn, size) for drawn in rates]
        means[:, :, j] = [value.mean(axis=1) for value in values]
        these[:, j] = (values[0] - values[1]).mean(axis=1)
        new[:, j] = ((values[0] - values[1]) * weight).sum(axis=1)
    differences = [
        Difference("posterior", THESE, band_from_draws(these, level)),
        Difference("posterior", NEW, band_from_draws(new, level)),
    ]
    made = int(min(one.n.min(), two.n.min()))
    if not any(finding.likelihood_only for finding in findings):
        inside = k <= made
        known = [kind.from_counts(group.n[:, None], group.c[:, None], k[inside]) for group in pair]
        band = band_from_problems(known[0] - known[1], level, replicates=replicates, seed=seed)
        whole = Band(*(np.where(inside, np.pad(end, (0, len(k) - len(end))), np.nan) for end in band))
        differences.append(Difference("bootstrap", NEW, whole))
    return PairedComparison(
        names=(one.name, two.name),
        metric=metric,
        groups=pair,
        left_aside=left_aside,
        findings=findings,
        level=level,
        k=k,
        targets=tuple(asked),
        curves=(band_from_draws(means[0], level), band_from_draws(means[1], level)),
        differences=tuple(differences),
        first_better=np.mean(these > 0, axis=0) + np.mean(these == 0, axis=0) / 2,
        crossings=find_crossings(these, k, level),
    )


def default_targets(groups: Sequence[Group]) -> list[int]:
    """Powers of ten from 1 to about a hundred times the smaller median number of attempts."""
    fewest = min(float(np.median(group.n)) for group in groups)
    largest = max(2, int(np.ceil(np.log10(fewest))) + 2)
    return [10**power for power in range(largest + 1) if 10**power <= MOST_ATTEMPTS]


def comparison_points(targets: Sequence[int]) -> Int[np.ndarray, " k"]:
    """The targets, and further k evenly spaced in log k between 1 and the largest of them."""
    largest = max(targets)
    count = int(np.ceil(POINTS_PER_DECADE * np.log10(largest))) + 1
    between = np.round(np.geomspace(1, largest, count)).astype(np.int64)
    return np.unique(np.concatenate([between, np.array(targets, dtype=np.int64)]))


def draw_rates_of(group: Group, draws: int, seed: int) -> Float[np.ndarray, "s p"]:
    """Posterior draws of the success rates of the problems of a group."""
    rows = count_rows(group.n, group.c, COARSE_GRID)
    return draw_problem_rates(np.random.default_rng(seed), sample_posterior(rows, seed=seed), rows, draws)

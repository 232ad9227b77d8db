"""Metrics beside pass@k for every group of a fit."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from lidjax.errors import InputError, check_choice
from lidjax.evals.curve import MANY_PROBLEMS
from lidjax.evals.fit import needs_likelihood
from lidjax.evals.json_types import MetricsJson
from lidjax.evals.metrics.curve import MetricCurve
from lidjax.evals.metrics.from_rates import (
    FirstSuccess,
    first_successes,
    g_pass_curve,
    pass_hat_curve,
    stopping_curves,
)
from lidjax.evals.metrics.verified import verified_curves
from lidjax.evals.metrics.votes import majority_curve
from lidjax.evals.rates.draws import draw_problem_rates
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.report import EvalFits, GroupFit
from lidjax.evals.table import MOST_ATTEMPTS

METRICS = ("pass^k", "g-pass", "attempts", "majority", "verifier")
"""Names of the metrics: all of k attempts succeed; at least τk of them do; attempts and tokens until the first success;
a majority vote; the first attempt that a verifier accepts."""

DRAWS = 400  # posterior draws of the rates


class GroupMetrics(NamedTuple):
    """The metrics of one group."""

    group: str
    """Name of the group."""
    level: float
    """Probability that each interval should hold its value."""
    curves: list[MetricCurve]
    """A curve over k for each metric; "attempts" has pass@k, the attempts, and the tokens where they are known."""
    first_success: list[FirstSuccess]
    """With "attempts": expected attempts to the first success of half and nine tenths of the problems; else empty."""

    def to_dict(self) -> MetricsJson:
        """Plain numbers and text, as `lidjax fit --metrics ... --json` prints them for a group."""
        return {
            "group": self.group,
            "level": self.level,
            "curves": [row for curve in self.curves for row in curve.to_rows()],
            "first_success": [
                {"share": one.share, "attempts": one.attempts, "lower": one.lower, "upper": one.upper}
                for one in self.first_success
            ],
        }


def forecast_metrics(
    fits: EvalFits | Sequence[GroupFit],
    metrics: Sequence[str] = ("pass^k", "g-pass", "attempts"),
    *,
    k: Sequence[int] | None = None,
    tau: Sequence[float] = (0.5,),
    verifier: tuple[float, float] | None = None,
    seed: int = 0,
) -> list[GroupMetrics]:
    """Metrics beside pass@k of every group of a fit, with intervals.

    Each has an unbiased estimate for k up to the attempts made, and posterior values at every k. "majority" needs the
    answers of the attempts, which `read_evals` keeps where the log has them. "verifier" needs the verdicts of a
    verifier beside the true ones in the log (`columns={"verifier": NAME}`; the base tests of EvalPlus are one), or
    `verifier`. The computation is in float64, whatever the session's setting.

    Args:
        fits: Results of `fit_evals`.
        metrics: Names of the metrics, of `lidjax.evals.METRICS`.
        k: Numbers of attempts, each 1 or more. By default those of the forecast of pass@k.
        tau: For "g-pass": shares of the k attempts that must succeed, each above 0 and at most 1.
        verifier: For "verifier": probability that a right answer is accepted and that a wrong one is, each from 0 to 1.
            Without it they are learnt from the log, problem by problem.
        seed: Seed of all random numbers.

    Returns:
        The metrics of each group, in the order of the fits.

    Raises:
        InputError: If a metric is not known, an argument is out of its range, or the log has no answers or no verdicts
            of a verifier where they are needed.

    References:
        pass^k: Yao et al. 2024, arXiv:2406.12045. G-pass@k: Liu et al. 2024, arXiv:2412.13147. Majority votes: Wang et
        al. 2022, arXiv:2203.11171. Verifiers: Stroebl et al. 2024, arXiv:2411.17501. Estimates are checked against
        enumeration in `tests/passk`, coverage in `tests/evals/metrics`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> data = lidjax.evals.EvalData((group,), "by hand")
        >>> fits = lidjax.evals.fit_evals(data, targets=[1, 10], models=False, bootstrap="none")
        >>> (found,) = lidjax.evals.forecast_metrics(fits, ["pass^k"])
        >>> [round(float(value), 4) for value in found.curves[0].unbiased]
        [0.305, 0.25]
    """
    for metric in metrics:
        check_choice("metric", metric, METRICS)
    if "g-pass" in metrics:
        for share in tau:
            if not 0 < share <= 1:
                raise InputError(f"tau = {share}: must be above 0 and at most 1, for example 0.5")
    if verifier is not None:
        for name, value in zip(("sensitivity", "false acceptance"), verifier, strict=True):
            if not 0 <= value <= 1:
                raise InputError(f"verifier: {name} {value} must be from 0 to 1, for example 0.95 and 0.02")
    if k is not None and (not len(k) or min(k) < 1 or max(k) > MOST_ATTEMPTS):
        raise InputError(f"k {list(k)}: one or more numbers of attempts, each at least 1 and at most 2^53")
    at = None if k is None else np.array(sorted(set(k)), dtype=np.float64)
    return [group_metrics(fit, metrics, at, tau, verifier, seed) for fit in fits]


def group_metrics(
    fit: GroupFit,
    metrics: Sequence[str],
    k: Float[np.ndarray, " k"] | None,
    tau: Sequence[float],
    verifier: tuple[float, float] | None,
    seed: int,
) -> GroupMetrics:
    """The metrics of one group."""
    group, level, biased = fit.group, fit.forecast.level, needs_likelihood(fit.findings)
    if len(group.problems) > MANY_PROBLEMS:
        raise InputError(
            f"group {group.name!r} has {len(group.problems):,} problems: metrics beside pass@k are computed for "
            f"{MANY_PROBLEMS:,} at most; a random sample of them answers the same questions"
        )
    k = fit.forecast.k.astype(np.float64) if k is None else k
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        rates = draw_problem_rates(rng, fit.posterior, count_rows(group.n, group.c, COARSE_GRID), DRAWS)
    curves: list[MetricCurve] = []
    first: list[FirstSuccess] = []
    for metric in dict.fromkeys(metrics):
        if metric == "pass^k":
            curves.append(pass_hat_curve(group, rates, k, level=level, biased=biased))
        elif metric == "g-pass":
            curves += [g_pass_curve(group, rates, k, one, level=level, biased=biased) for one in tau]
        elif metric == "attempts":
            curves += stopping_curves(group, rates, k, level=level, biased=biased)
            first = first_successes(rates, level)
        elif metric == "majority":
            curves.append(majority_curve(group, rates, k, level=level, biased=biased, rng=rng))
        else:
            curves += verified_curves(group, rates, k, verifier, level=level, biased=biased, rng=rng)
    return GroupMetrics(group.name, level, curves, first)

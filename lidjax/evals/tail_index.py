"""Estimates of the tail index, each with the name of its estimator.

On one set of counts the estimates differ by as much as a half, so none of them is "the" exponent. Two of them describe
the curve over the attempts that were made. They have no interval, because an interval around a slope of this curve does
not hold the exponent of its tail:

slope-log-failure       -d log L_inf / d log k over k from n/10 to n of the unbiased curve, with L_inf(k) = 1 - pass@k
slope-log-log-pass      b of -log pass@k = a k^-b, by least squares over k ≤ n

Two estimate the exponent of the tail:

beta-binomial           a of the fitted Beta(a, b), if rates follow a beta distribution
default                 posterior over the families of the default model whose density is a power law at small p
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from lidjax.evals.arguments import check_counts, check_level
from lidjax.evals.bootstrap import BootstrapFits, bootstrap_family, is_mixed
from lidjax.evals.curve import MANY_PROBLEMS, Counts, fit_log_line, log_minus_log, unbiased_curve_points
from lidjax.evals.json_types import TailIndexJson
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.passk import failure_from_counts

SLOPE_POINTS = 12  # number of k from n/10 to n; heuristic


class TailIndexEstimate(NamedTuple):
    """One estimate of the tail index: the share of problems unsolved after k attempts falls like k^-value."""

    estimator: str
    """Name of the estimator: "slope-log-failure", "slope-log-log-pass", "beta-binomial" or "default"."""
    value: float
    """The estimate."""
    lower: float
    """Lower end of the interval, NaN where there is none."""
    upper: float
    """Upper end of the interval, NaN where there is none."""
    interval: str
    """What the interval is: "bootstrap over problems", "bootstrap over attempts", "posterior", or "description" where
    there is none because the estimate describes the curve and not its tail."""

    def to_dict(self) -> TailIndexJson:
        """Plain numbers and text, as `lidjax fit --json` prints them."""
        return {
            "estimator": self.estimator,
            "value": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "interval": self.interval,
        }


def estimate_tail_indices(
    n: ArrayLike | Sequence[int],
    c: ArrayLike | Sequence[int],
    *,
    level: float = 0.9,
    over: str | None = "problems",
    replicates: int = 200,
    seed: int = 0,
) -> list[TailIndexEstimate]:
    """The tail index of a set of problems by several estimators, from the counts of each problem.

    The estimators answer different questions and differ by as much as a half; `lidjax fit` shows them side by side. The
    computation is in float64, whatever the session's setting.

    Args:
        n: Number of attempts at each problem, whole numbers (P,) of 1 or more.
        c: Number of correct answers to each problem, whole numbers (P,) from 0 to `n`.
        level: Probability that each interval should hold the value, 0.5 ≤ level < 1.
        over: What the bootstrap resamples: "problems", "attempts", or None for no bootstrap.
        replicates: Number of bootstrap replicates, 1 or more.
        seed: Seed of the posterior sample and of the bootstrap.

    Returns:
        One estimate for each estimator. The two slopes have no interval. "beta-binomial" is missing without a bootstrap
        and where all attempts have one outcome or each problem has one attempt.

    Raises:
        InputError: If counts are not whole numbers with 0 ≤ c ≤ n, `level` is out of range, or `over` is not known.

    References:
        Power law of -log pass@k: Brown et al. 2024, "Large language monkeys". "default" was made for this project; its
        posterior is checked in `tests/evals/rates/test_posterior.py`.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> c = np.random.default_rng(0).binomial(100, np.random.default_rng(1).beta(0.4, 4, 200))
        >>> estimates = lidjax.evals.estimate_tail_indices(np.full(200, 100), c, over=None)
        >>> [estimate.estimator for estimate in estimates]
        ['slope-log-failure', 'slope-log-log-pass', 'default']
        >>> estimates[-1].lower < 0.4 < estimates[-1].upper
        True
    """
    check_level(level)
    attempts, correct = check_counts(n, c)
    with jax.enable_x64(True):
        posterior = sample_posterior(count_rows(attempts, correct, COARSE_GRID), seed=seed)
        fits = None
        if over is not None and is_mixed(attempts, correct):
            fits = bootstrap_family(attempts, correct, over=over, replicates=replicates, seed=seed)
        return tail_indices(attempts, correct, posterior, fits, level=level)


Weights = Float[np.ndarray, " p"]


def log_failure_slope(n: Counts, c: Counts, weights: Weights | None = None) -> float:
    """Minus the slope of log(1 - pass@k) in log k over k from n/10 to n. Only values between 0 and 1 are used.

    `weights` says how many problems each pair (n, c) stands for; by default one.
    """
    smallest = int(np.min(n))
    k = np.unique(np.round(np.geomspace(max(smallest / 10, 1), smallest, SLOPE_POINTS)).astype(np.int64))
    return -fit_log_line(k, mean_failure(n, c, k, weights), np.log)[0]


def log_log_pass_slope(n: Counts, c: Counts, weights: Weights | None = None) -> float:
    """b of -log pass@k = a k^-b. NaN where fewer than two points lie strictly between 0 and 1."""
    k = unbiased_curve_points(n)
    passed = 1 - mean_failure(n, c, k, weights)
    return -fit_log_line(k, passed, log_minus_log)[0]


def mean_failure(
    n: Counts, c: Counts, k: Int[np.ndarray, " k"], weights: Weights | None
) -> Float[np.ndarray, " k"]:
    """Mean over problems of the unbiased 1 - pass@k."""
    failure = failure_from_counts(n[:, None], c[:, None], k[None, :])
    return failure.mean(axis=0) if weights is None else weights @ failure / weights.sum()


SLOPES: dict[str, Callable[[Counts, Counts, Weights | None], float]] = {
    "slope-log-failure": log_failure_slope,
    "slope-log-log-pass": log_log_pass_slope,
}


def tail_indices(
    n: Counts, c: Counts, posterior: Posterior, fits: BootstrapFits | None, *, level: float = 0.9
) -> list[TailIndexEstimate]:
    """All estimates of one group, from its posterior and its bootstrap."""
    found: list[TailIndexEstimate] = []
    edges = [(1 - level) / 2, (1 + level) / 2]
    own: Weights | None = None
    if len(n) > MANY_PROBLEMS:
        pairs, times = np.unique(np.column_stack([n, c]), axis=0, return_counts=True)
        n, c, own = pairs[:, 0], pairs[:, 1], times.astype(float)
    for name, estimate in SLOPES.items():
        found.append(TailIndexEstimate(name, estimate(n, c, own), math.nan, math.nan, "description"))
    if fits is not None:
        lower, upper = np.quantile(np.exp(fits.params[:, 0]), edges).tolist()
        interval = f"bootstrap over {fits.over}"
        found.append(TailIndexEstimate("beta-binomial", fits.tail_index, lower, upper, interval))
    lower, middle, upper = np.quantile(posterior.tail_index, [edges[0], 0.5, edges[1]]).tolist()
    found.append(TailIndexEstimate("default", middle, lower, upper, "posterior"))
    return found

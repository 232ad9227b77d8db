"""Forecasts of pass@K of the problems at hand, from posterior draws of their success rates.

There are two intervals. The *latent* one is for pass@K of these problems itself, mean_i [1 - (1-p_i)^K]. The
*predictive* one is for the number that a run would report: the unbiased estimate from all attempts, of which those
made so far are a part. It is wider, by the chance of the attempts still to be made, and a back-test is scored against
it. The prediction is the median, because pass@K between 0 and 1 is skewed and the median has the smallest mean
absolute error.

With few attempts nothing in the counts says how rates spread, and any one prior would be sure of something that nobody
knows. There the intervals reach from the lowest to the highest end of those of all families that the counts do not
refute (`Posterior.alternatives`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from lidjax.errors import InputError
from lidjax.evals.arguments import check_counts, check_level, check_targets
from lidjax.evals.checks import check_stopping
from lidjax.evals.curve import MANY_PROBLEMS, Counts
from lidjax.evals.rates.draws import (
    cumulative_nodes,
    draw_masses,
    draw_problem_rates,
    draw_rates,
    points_near_nodes,
)
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, count_rows
from lidjax.evals.table import Group
from lidjax.passk import failure_from_counts

DRAWS = 400  # posterior draws behind a forecast
LOWER_ENDS, UPPER_ENDS = ("lower", "latent_lower"), ("upper", "latent_upper")
ROW_BATCH = 64  # rows handled at once in large groups, for memory


class PassAtKForecast(NamedTuple):
    """Forecast of pass@K of one group at each of the values in `k`.

    A run of K attempts (or as many as were made, if that is more) reports `prediction`, within `lower` and `upper`. The
    attempts made so far are part of that run, unless their number depended on the outcome (findings "stopped_sampling"
    and "adaptive_sampling"): then it is a run of K new attempts.
    The `latent` values are for pass@K of the problems itself, without the chance of the attempts to be made.
    """

    k: Int[np.ndarray, " k"]
    """Number of attempts K (K,)."""
    prediction: Float[np.ndarray, " k"]
    """Median of the number a run would report (K,)."""
    lower: Float[np.ndarray, " k"]
    """Lower end of its interval (K,)."""
    upper: Float[np.ndarray, " k"]
    """Upper end of its interval (K,)."""
    latent: Float[np.ndarray, " k"]
    """Median of pass@K of these problems (K,)."""
    latent_lower: Float[np.ndarray, " k"]
    """Lower end of its interval (K,)."""
    latent_upper: Float[np.ndarray, " k"]
    """Upper end of its interval (K,)."""
    level: float
    """Probability that an interval should hold the value."""

    def to_rows(self) -> list[dict[str, Any]]:
        """One dictionary of plain numbers for each K, without `level`."""
        names = ("prediction", "lower", "upper", "latent", "latent_lower", "latent_upper")
        return [
            {"k": int(k)} | {name: float(getattr(self, name)[i]) for name in names}
            for i, k in enumerate(self.k)
        ]


def forecast_pass_at_k(
    n: ArrayLike | Sequence[int],
    c: ArrayLike | Sequence[int],
    k: ArrayLike | Sequence[int],
    *,
    level: float = 0.9,
    seed: int = 0,
) -> PassAtKForecast:
    """Forecast of pass@K of a set of problems, with intervals, from the counts of each problem.

    This is the default model of `fit_evals`. For the same `k`, `level` and `seed` it gives the same numbers as
    `fit_evals` and `lidjax fit` for a group with these counts (not pooled). The values of `k` share one stream of
    random numbers, so the last digits depend on which of them are asked for together. The computation is in float64,
    whatever the session's setting.

    Args:
        n: Number of attempts at each problem, whole numbers (P,) of 1 or more.
        c: Number of correct answers to each problem, whole numbers (P,) from 0 to `n`.
        k: Numbers of attempts K to forecast pass@K at, whole numbers of 1 or more: one, or (K,).
        level: Probability that each interval should hold the value, 0.5 ≤ level < 1.
        seed: Seed of the posterior sample and of the attempts to be made.

    Returns:
        The forecast, each field of shape (K,). Where K is at most the smallest `n` the run has been made already:
        there `prediction`, `lower` and `upper` are the unbiased pass@K. They are not where sampling stopped at
        successes or was adaptive otherwise (`check_evals`): the unbiased pass@K is then biased, and the forecast is of
        new runs.

    Raises:
        InputError: If counts are not whole numbers with 0 ≤ c ≤ n, shapes differ, or `level` is out of range.

    References:
        The model averages over families of success rates and was made for this project (`evals/rates/members.py`; its
        coverage is tested in `tests/evals/forecasts/test_forecast.py`). Unbiased pass@k: Chen et al. 2021, Eq. 1.

    Example:
        >>> import lidjax.evals
        >>> n, c = [100] * 6, [0, 0, 1, 3, 10, 60]
        >>> forecast = lidjax.evals.forecast_pass_at_k(n, c, [10, 1000])
        >>> round(float(forecast.prediction[0]), 4)  # known: the unbiased pass@10
        0.3405
        >>> bool(forecast.lower[1] <= forecast.prediction[1] <= forecast.upper[1])
        True
    """
    check_level(level)
    attempts, correct = check_counts(n, c)
    targets = check_targets("k", k)
    with jax.enable_x64(True):
        rows = count_rows(attempts, correct, COARSE_GRID)
        posterior = sample_posterior(rows, seed=seed)
        rng = np.random.default_rng(seed)
        return forecast_from_posterior(
            rng,
            posterior,
            rows,
            attempts,
            correct,
            targets,
            level=level,
            fresh=is_adaptive(attempts, correct),
        )


def is_adaptive(n: Counts, c: Counts) -> bool:
    """Whether the numbers of attempts seem to depend on the outcomes (see `check_stopping`)."""
    group = Group("", {}, tuple(str(i) for i in range(len(n))), n, c)
    return any(finding.likelihood_only for finding in check_stopping(group))


def forecast_from_posterior(
    rng: np.random.Generator,
    posterior: Posterior,
    rows: CountRows,
    n: Counts,
    c: Counts,
    k: Int[np.ndarray, " k"] | int,
    total: int | Int[np.ndarray, " p"] | None = None,
    *,
    level: float,
    fresh: bool = False,
) -> PassAtKForecast:
    """Forecast of one group from the posterior of its population. `total` as in `forecast_run`.

    With `fresh` it is of a run of K new attempts, which the attempts made so far are no part of.
    """
    if len(n) > MANY_PROBLEMS:
        if total is not None:
            raise InputError(
                f"{len(n):,} problems in one group: a run of a given size can be forecast for {MANY_PROBLEMS:,} at most"
            )
        found = forecast_sums(rng, draw_masses(rng, posterior, DRAWS), rows, k, level=level, fresh=fresh)
    else:
        rates = draw_problem_rates(rng, posterior, rows, DRAWS)
        found = forecast_from_rates(rng, rates, n, c, k, total, level=level, fresh=fresh)
    return span_alternatives(rng, found, posterior, rows, n, c, k, total, fresh=fresh)


def span_alternatives(
    rng: np.random.Generator,
    forecast: PassAtKForecast,
    posterior: Posterior,
    rows: CountRows,
    n: Counts,
    c: Counts,
    k: Int[np.ndarray, " k"] | int,
    total: int | Int[np.ndarray, " p"] | None = None,
    *,
    fresh: bool = False,
) -> PassAtKForecast:
    """The forecast with intervals that reach over those of all `Posterior.alternatives`, if there are any."""
    others = [forecast]
    for masses in posterior.alternatives:
        if len(n) > MANY_PROBLEMS:
            other = forecast_sums(rng, masses, rows, k, level=forecast.level, fresh=fresh)
        else:
            rates = draw_rates(rng, masses, rows)
            other = forecast_from_rates(rng, rates, n, c, k, total, level=forecast.level, fresh=fresh)
        others.append(other)
    lows = {name: np.min([getattr(one, name) for one in others], axis=0) for name in LOWER_ENDS}
    highs = {name: np.max([getattr(one, name) for one in others], axis=0) for name in UPPER_ENDS}
    return forecast._replace(**lows, **highs)


def forecast_from_rates(
    rng: np.random.Generator,
    rates: Float[np.ndarray, "s p"],
    n: Counts,
    c: Counts,
    k: Int[np.ndarray, " k"] | int,
    total: int | Int[np.ndarray, " p"] | None = None,
    *,
    level: float,
    fresh: bool = False,
) -> PassAtKForecast:
    """The forecast of `forecast_from_posterior`, from draws of the rates that are used for other questions too."""
    if fresh:
        n, c = np.zeros_like(n), np.zeros_like(c)
    return forecast_run(rng, rates, n, c, k, total, level=level)


def forecast_sums(
    rng: np.random.Generator,
    masses: Float[np.ndarray, "s g"],
    rows: CountRows,
    k: Int[np.ndarray, " k"] | int,
    *,
    level: float,
    fresh: bool = False,
) -> PassAtKForecast:
    """The forecast of `forecast_run` for a run of max(n, k) attempts at each of many problems, or of k `fresh` ones.

    Given the population, the rates of the problems are independent, so the mean over many of them is normal. Its mean
    and variance are those of the distribution that `draw_rates` draws from, summed over the distinct pairs (n, c). With
    K > n attempts a problem is solved or not: for certain if c > 0, else with probability 1 - (1-p)^(K-n).
    """
    targets = np.atleast_1d(np.asarray(k, dtype=np.int64))
    shape = (len(masses), len(targets))
    latent, latent_variance, run, run_variance = np.zeros((4, *shape))
    for start in range(0, len(rows.n), ROW_BATCH):
        part = rows._replace(
            n=rows.n[start : start + ROW_BATCH],
            c=rows.c[start : start + ROW_BATCH],
            likelihood=rows.likelihood[start : start + ROW_BATCH],
            log_scale=rows.log_scale[start : start + ROW_BATCH],
            multiplicity=rows.multiplicity[start : start + ROW_BATCH],
        )
        near, points = points_near_nodes(part, np.asarray(COARSE_GRID.nodes))
        near = np.diff(near, axis=-1, prepend=0.0)
        log_miss = -np.logaddexp(0, points)
        weight = cumulative_nodes(masses, part).astype(float)
        weight = np.diff(weight, axis=-1, prepend=0.0)  # (S, U, G)
        for j, size in enumerate(targets.tolist()):
            solved = -np.expm1(size * log_miss)
            mean = np.einsum("sug,ug->su", weight, np.einsum("ugq,gq->ug", near, solved))
            square = np.einsum("sug,ug->su", weight, np.einsum("ugq,gq->ug", near, solved**2))
            latent[:, j] += mean @ part.multiplicity
            latent_variance[:, j] += np.maximum(square - mean**2, 0.0) @ part.multiplicity
            if fresh:
                run[:, j] += mean @ part.multiplicity
                run_variance[:, j] += (mean * (1 - mean)) @ part.multiplicity
                continue
            made = np.minimum(size, part.n)
            known = np.where(size > part.n, part.c > 0, 1 - failure_from_counts(part.n, part.c, made))
            run[:, j] += known @ part.multiplicity
            for row in np.flatnonzero((size > part.n) & (part.c == 0)):
                chance = weight[:, row] @ np.einsum(
                    "gq,gq->g", near[row], -np.expm1((size - int(part.n[row])) * log_miss)
                )
                run[:, j] += part.multiplicity[row] * chance
                run_variance[:, j] += part.multiplicity[row] * chance * (1 - chance)
    count = rows.multiplicity.sum()
    edges = [(1 - level) / 2, 0.5, (1 + level) / 2]
    found: list[np.ndarray] = []
    for mean, variance in ((run, run_variance), (latent, latent_variance)):
        drawn = (mean + np.sqrt(variance) * rng.standard_normal(shape)) / count
        found.extend(np.quantile(np.clip(drawn, 0.0, 1.0), edges, axis=0))
    low, middle, high, latent_low, latent_middle, latent_high = found
    return PassAtKForecast(targets, middle, low, high, latent_middle, latent_low, latent_high, level)


def forecast_run(
    rng: np.random.Generator,
    rates: Float[np.ndarray, "s p"],
    n: Counts,
    c: Counts,
    k: Int[np.ndarray, " k"] | Sequence[int] | int,
    total: int | Int[np.ndarray, " p"] | None = None,
    *,
    level: float = 0.9,
) -> PassAtKForecast:
    """Forecast of pass@k from draws of the success rates, for a run of `total` attempts at each problem.

    `total` includes the attempts made so far. It is a number, an array (P,), or None for k attempts (or n, if that
    is more).
    """
    targets = np.atleast_1d(np.asarray(k, dtype=np.int64))
    edges = [(1 - level) / 2, 0.5, (1 + level) / 2]
    log_miss = np.log1p(-rates)
    latent, run = np.empty((2, len(targets), len(rates)))
    for j, size in enumerate(targets.tolist()):
        latent[j] = -np.expm1(size * log_miss).mean(axis=1)
        if total is None:
            run[j] = reported_by_run(rng, log_miss, n, c, size)
        else:
            attempts = np.broadcast_to(np.maximum(n, total), np.shape(n))
            found = c + rng.binomial(attempts - n, rates)
            run[j] = 1 - failure_from_counts(np.broadcast_to(attempts, found.shape), found, size).mean(axis=1)
    low, middle, high = np.quantile(run, edges, axis=1)
    latent_low, latent_middle, latent_high = np.quantile(latent, edges, axis=1)
    return PassAtKForecast(targets, middle, low, high, latent_middle, latent_low, latent_high, level)


def reported_by_run(
    rng: np.random.Generator, log_miss: Float[np.ndarray, "s p"], n: Counts, c: Counts, k: int
) -> Float[np.ndarray, " s"]:
    """What a run of max(n, k) attempts at each problem reports as pass@k, for each draw of log(1 - rate).

    Problems with k attempts or more get no further ones. Of the others, what counts is whether they are solved.
    """
    made = n >= k
    known = float(np.sum(1 - failure_from_counts(n[made], c[made], k))) + np.sum(c[~made] > 0)
    unsolved = ~made & (c == 0)
    chance = -np.expm1((k - n[unsolved]) * log_miss[:, unsolved])
    return (known + np.sum(rng.random(chance.shape) < chance, axis=1)) / len(n)

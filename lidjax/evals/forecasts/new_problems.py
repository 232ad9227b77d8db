"""Forecasts of pass@K of new problems of the same kind, from the population that the problems at hand were drawn from.

The problems at hand say what the population looks like; a new set of problems is another sample of it. So the interval
is wider than that of the problems at hand: it holds the uncertainty of the population and the chance of the sample. A
density of logit p is the linear interpolation of its values at the nodes of the grid, and is sampled exactly.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from lidjax.errors import InputError
from lidjax.evals.arguments import check_counts, check_level, check_targets
from lidjax.evals.curve import MANY_PROBLEMS
from lidjax.evals.rates.draws import draw_masses
from lidjax.evals.rates.posterior import Posterior, sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows, likelihood_rows

DRAWS = 400  # posterior draws of the population behind a forecast


class NewProblemsForecast(NamedTuple):
    """Forecast of pass@K of a new set of problems of the same kind, at each of the values in `k`."""

    k: Int[np.ndarray, " k"]
    """Number of attempts K (K,)."""
    value: Float[np.ndarray, " k"]
    """Median of pass@K of the new problems (K,)."""
    lower: Float[np.ndarray, " k"]
    """Lower end of its interval (K,)."""
    upper: Float[np.ndarray, " k"]
    """Upper end of its interval (K,)."""
    problems: int
    """Number of problems in the new set."""
    level: float
    """Probability that an interval should hold the value."""


def forecast_new_problems(
    n: ArrayLike | Sequence[int],
    c: ArrayLike | Sequence[int],
    k: ArrayLike | Sequence[int],
    *,
    problems: int | None = None,
    level: float = 0.9,
    seed: int = 0,
) -> NewProblemsForecast:
    """Forecast of pass@K of new problems of the same kind, with intervals, from the counts of the problems at hand.

    `forecast_pass_at_k` is for the problems that were tried; this is for another sample of the population that they are
    a sample of, such as the next edition of a benchmark. For the same arguments it gives the same numbers as
    `fit_evals` for a group that is not pooled. The computation is in float64, whatever the session's setting.

    Args:
        n: Number of attempts at each problem, whole numbers (P,) of 1 or more.
        c: Number of correct answers to each problem, whole numbers (P,) from 0 to `n`.
        k: Numbers of attempts K to forecast pass@K at, whole numbers of 1 or more: one, or (K,).
        problems: Number of new problems, 1 or more; by default P. The more there are, the closer the interval is to
            that of the population itself.
        level: Probability that each interval should hold the value, 0.5 ≤ level < 1.
        seed: Seed of the posterior sample and of the new problems.

    Returns:
        The forecast, each array of shape (K,). pass@K is that of the new problems themselves, without the chance of the
        attempts at them.

    Raises:
        InputError: If counts are not whole numbers with 0 ≤ c ≤ n, shapes differ, or a number is out of range.

    References:
        Derived for this project; coverage on populations that are known, and of one half of real problems by the other,
        is tested in `tests/evals/forecasts/test_new_problems.py`.

    Example:
        >>> import lidjax.evals
        >>> n, c = [100] * 6, [0, 0, 1, 3, 10, 60]
        >>> new = lidjax.evals.forecast_new_problems(n, c, [10, 1000])
        >>> these = lidjax.evals.forecast_pass_at_k(n, c, [10, 1000])
        >>> bool(new.upper[0] - new.lower[0] > 2 * (these.latent_upper[0] - these.latent_lower[0]))
        True
    """
    check_level(level)
    attempts, correct = check_counts(n, c)
    targets = check_targets("k", k)
    size = len(attempts) if problems is None else problems
    if size < 1:
        raise InputError(f"problems = {problems}: must be at least 1")
    with jax.enable_x64(True):
        posterior = sample_posterior(count_rows(attempts, correct, COARSE_GRID), seed=seed)
        return new_problems_from_posterior(
            np.random.default_rng(seed), posterior, targets, problems=size, level=level
        )


def new_problems_from_posterior(
    rng: np.random.Generator,
    posterior: Posterior,
    k: Int[np.ndarray, " k"],
    *,
    problems: int,
    level: float,
) -> NewProblemsForecast:
    """The forecast for `problems` new problems, from the posterior of the population.

    Where attempts are few, the intervals reach over those of every family that the counts do not refute.
    """
    sample = means_of_many if problems > MANY_PROBLEMS else means_of_sample
    edges = [(1 - level) / 2, 0.5, (1 + level) / 2]
    each = [
        np.quantile(sample(rng, masses, k, problems), edges, axis=0)
        for masses in (draw_masses(rng, posterior, DRAWS), *posterior.alternatives)
    ]
    lower, upper = np.min([one[0] for one in each], axis=0), np.max([one[2] for one in each], axis=0)
    return NewProblemsForecast(k, each[0][1], lower, upper, problems, level)


def means_of_sample(
    rng: np.random.Generator, masses: Float[np.ndarray, "s g"], k: Int[np.ndarray, " k"], problems: int
) -> Float[np.ndarray, "s k"]:
    """Mean pass@k of problems that are drawn from each population."""
    log_miss = -np.logaddexp(0, draw_logits(rng, masses, problems))
    return np.stack([-np.expm1(size * log_miss).mean(axis=1) for size in k.tolist()], axis=1)


def means_of_many(
    rng: np.random.Generator, masses: Float[np.ndarray, "s g"], k: Int[np.ndarray, " k"], problems: int
) -> Float[np.ndarray, "s k"]:
    """The same for so many problems that their mean is normal, without drawing each of them."""
    failure, square = masses @ unsolved_share(k).T, masses @ unsolved_share(2 * k).T
    spread = np.sqrt(np.maximum(square - failure**2, 0.0) / problems)
    return np.clip(1 - failure + spread * rng.standard_normal(failure.shape), 0.0, 1.0)


def unsolved_share(k: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k g"]:
    """Rows whose product with masses is the mean of (1-p)^k."""
    rows, log_scale = likelihood_rows(k, np.zeros_like(k), COARSE_GRID)
    return rows * np.exp(log_scale)[:, None] / np.asarray(COARSE_GRID.weights)


def draw_logits(
    rng: np.random.Generator, masses: Float[np.ndarray, "s g"], count: int
) -> Float[np.ndarray, "s p"]:
    """`count` values of logit p from each population: first a node, then a point of its hat function."""
    nodes = np.asarray(COARSE_GRID.nodes)
    cumulative = np.cumsum(masses, axis=1)
    cumulative /= cumulative[:, -1:]
    node = np.stack([np.searchsorted(row, rng.random(count)) for row in cumulative]).clip(0, len(nodes) - 1)
    gaps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    below, above = gaps[:-1][node], gaps[1:][node]
    side = np.where(rng.random(node.shape) * (below + above) < below, -below, above)
    return nodes[node] + side * (1 - np.sqrt(rng.random(node.shape)))

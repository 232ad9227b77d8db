"""What the posterior says of each problem at hand: its success rate, and the chance that K attempts solve it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lidjax.evals.rates.draws import BATCH, cumulative_nodes, draw_masses, points_near_nodes
from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows

DRAWS = 200  # posterior draws of the population
ROWS_AT_ONCE = 64  # for memory


class ProblemMeans(NamedTuple):
    """Posterior means of each of the P problems of a group, at the K values of k of its forecast.

    The mean over problems of `pass_at_k` is the expected pass@k of these problems. Problems with equal counts have
    equal means.
    """

    rate: Float[np.ndarray, " p"]
    """Mean of the success rate (P,)."""
    pass_at_k: Float[np.ndarray, "p k"]
    """Mean of 1 - (1 - rate)^k (P, K)."""


def problem_means(
    rng: np.random.Generator, posterior: Posterior, rows: CountRows, k: Int[np.ndarray, " k"]
) -> ProblemMeans:
    """Means of the distribution that `draw_problem_rates` draws from, computed for each distinct pair (n, c)."""
    masses = draw_masses(rng, posterior, DRAWS)
    means = np.empty((len(rows.n), 1 + len(k)))
    for start in range(0, len(rows.n), ROWS_AT_ONCE):
        chosen = slice(start, start + ROWS_AT_ONCE)
        part = rows._replace(n=rows.n[chosen], c=rows.c[chosen], likelihood=rows.likelihood[chosen])
        batches = [masses[batch : batch + BATCH] for batch in range(0, len(masses), BATCH)]
        weight = sum(cumulative_nodes(batch, part).sum(axis=0) for batch in batches) / len(masses)
        near, points = points_near_nodes(part, np.asarray(COARSE_GRID.nodes))
        weight, near = np.diff(weight, axis=-1, prepend=0.0), np.diff(near, axis=-1, prepend=0.0)
        log_miss = -np.logaddexp(0, points)
        for j, size in enumerate([1, *k.tolist()]):
            means[chosen, j] = np.einsum(
                "ug,ugq,gq->u", weight, near, -np.expm1(size * log_miss), optimize=True
            )
    means = means[rows.index]
    return ProblemMeans(means[:, 0], means[:, 1:])

"""Forecasts of pass@K of the same problems from posterior draws, with the noise of what will be observed.

Two intervals are told apart. The *latent* one is for pass@K of these problems itself, mean_i [1 - (1-p_i)^K]. The
*predictive* one is for the number a run would report: the unbiased estimate from `total` attempts a problem, of
which the n in hand are a part. It is wider by the luck of the attempts to come, and it is what a back-test is
scored against. The prediction is the median: pass@K between 0 and 1 is skewed, and the median has the smallest
mean absolute error.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.likelihood import Table, pad_rows
from lidjax.evals.rates.quadrature import COARSE, CountRows, Grid
from lidjax.passk import failure_from_counts

PARTS = 16  # points between two neighbouring nodes when a rate is drawn
SLAB = 50  # draws handled at once


class Forecast(NamedTuple):
    """pass@K of one group: the median prediction and its interval for a run, and those of the latent pass@K."""

    k: Int[np.ndarray, " k"]
    prediction: Float[np.ndarray, " k"]
    lower: Float[np.ndarray, " k"]
    upper: Float[np.ndarray, " k"]
    latent: Float[np.ndarray, " k"]
    latent_lower: Float[np.ndarray, " k"]
    latent_upper: Float[np.ndarray, " k"]
    level: float


@jax.jit
def cumulative_nodes(params: Float[jax.Array, "s 5"], table: Table, grid: Grid) -> Float[jax.Array, "s u g"]:
    """Cumulative posterior weights of the nodes for each draw of the parameters and each row."""
    density = jnp.exp(jax.vmap(partial(bent_logistic_log_density, grid=grid))(params))
    total = jnp.cumsum(density[:, None, :] * jnp.asarray(table.likelihood)[None], axis=-1)
    return total / total[..., -1:]


def draw_rates(
    rng: np.random.Generator, params, rows: CountRows, grid: Grid = COARSE
) -> Float[np.ndarray, "s p"]:
    """Success rates of all problems, one set for each of the equally weighted `params` (S, 5).

    A node is drawn first, then a point near it with the weight of the exact likelihood and of the node's hat
    function, so that rates known better than the grid's step stay so.
    """
    table = pad_rows(rows)
    nodes, gaps = np.asarray(grid.nodes), np.diff(grid.nodes, prepend=grid.nodes[0], append=grid.nodes[-1])
    near, point = near_nodes(rows, nodes, gaps)
    rates = []
    for start in range(0, len(params), SLAB):
        slab = np.asarray(cumulative_nodes(jnp.asarray(params[start : start + SLAB]), table, grid))[
            :, rows.index
        ]
        node = np.sum(slab < rng.random(slab.shape[:2])[..., None], axis=-1)
        weight = near[rows.index[None, :], node]
        part = np.sum(weight < rng.random(node.shape)[..., None], axis=-1)
        rates.append(expit(point[node, np.minimum(part, 2 * PARTS - 1)]))
    return np.concatenate(rates)


def near_nodes(rows: CountRows, nodes, gaps) -> tuple[Float[np.ndarray, "u g q"], Float[np.ndarray, "g q"]]:
    """Cumulative weights of points around each node for each row, and the points (logit p)."""
    share = (np.arange(PARTS) + 0.5) / PARTS
    offset = np.concatenate([-share[::-1], share])
    width = np.where(offset < 0, gaps[:-1, None], gaps[1:, None])
    points = nodes[:, None] + offset * width
    misses = (rows.n - rows.c)[:, None, None]
    log_weight = -rows.c[:, None, None] * np.logaddexp(0, -points) - misses * np.logaddexp(0, points)
    hat = (1 - np.abs(offset)) * np.maximum(width, 1e-12)
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True)) * hat
    total = np.cumsum(weight, axis=-1)
    return total / total[..., -1:], points


def forecast_run(rng: np.random.Generator, rates, n, c, k, total=None, *, level: float = 0.9) -> Forecast:
    """Forecast pass@k (K,) of one group from `rates` (S, P) and counts (P,), of a run of `total` attempts a problem.

    `total` is a number, an array (P,), or None for "as many as K (or n, where that is more)". Attempts already
    made count.
    """
    k = np.atleast_1d(np.asarray(k, dtype=np.int64))
    edges = [(1 - level) / 2, 0.5, (1 + level) / 2]
    latent = np.stack([-np.expm1(size * np.log1p(-rates)).mean(axis=1) for size in k])
    run = np.empty_like(latent)
    for j, size in enumerate(k):
        attempts = np.broadcast_to(np.maximum(n, size if total is None else total), np.shape(n))
        found = c + rng.binomial(attempts - n, rates)
        run[j] = 1 - failure_from_counts(np.broadcast_to(attempts, found.shape), found, int(size)).mean(
            axis=1
        )
    low, middle, high = np.quantile(run, edges, axis=1)
    latent_low, latent_middle, latent_high = np.quantile(latent, edges, axis=1)
    return Forecast(k, middle, low, high, latent_middle, latent_low, latent_high, level)

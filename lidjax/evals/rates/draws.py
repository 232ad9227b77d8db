"""Draws of the success rates of the problems at hand, given draws of the population's parameters."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import expit

from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.likelihood import PaddedRows, pad_rows
from lidjax.evals.rates.posterior import Posterior, draw_parameters
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, LogitGrid

HALF_CELL_POINTS = 16  # points between two neighbouring nodes at which a rate can be drawn
BATCH = 50  # draws handled at once, for memory


@jax.jit
def densities(params: Float[jax.Array, "s 5"], grid: LogitGrid) -> Float[jax.Array, "s g"]:
    """Densities of logit p at the nodes, for each draw of the parameters."""
    return jnp.exp(jax.vmap(partial(bent_logistic_log_density, grid=grid))(params))


@jax.jit
def cumulative_nodes(
    params: Float[jax.Array, "s 5"], rows: PaddedRows, grid: LogitGrid
) -> Float[jax.Array, "s u g"]:
    """Cumulative posterior weights of the nodes, for each draw of the parameters and each row."""
    total = jnp.cumsum(densities(params, grid)[:, None, :] * jnp.asarray(rows.likelihood)[None], axis=-1)
    return total / total[..., -1:]


def draw_densities(
    rng: np.random.Generator, posterior: Posterior, count: int, grid: LogitGrid = COARSE_GRID
) -> Float[np.ndarray, "s g"]:
    """`count` equally weighted draws of the population: densities of logit p at the nodes of the grid."""
    return np.asarray(densities(jnp.asarray(draw_parameters(posterior, count, rng)), grid))


def draw_problem_rates(
    rng: np.random.Generator, posterior: Posterior, rows: CountRows, count: int
) -> Float[np.ndarray, "s p"]:
    """`count` equally weighted draws of the success rates of all P problems, given their counts.

    This is the one entry to the posterior: whatever is said of these problems is computed from such draws.
    """
    return draw_rates(rng, draw_parameters(posterior, count, rng), rows)


def draw_rates(
    rng: np.random.Generator,
    params: Float[np.ndarray, "s 5"],
    rows: CountRows,
    grid: LogitGrid = COARSE_GRID,
) -> Float[np.ndarray, "s p"]:
    """Success rates of all P problems, one set for each of the S equally weighted draws in `params`.

    First a node is drawn, then a point near it, weighted by the exact likelihood and the node's hat function. So a rate
    that is known more precisely than the step of the grid is also drawn more precisely.
    """
    padded = pad_rows(rows)
    nodes = np.asarray(grid.nodes)
    near, points = points_near_nodes(rows, nodes)
    rates: list[np.ndarray] = []
    for start in range(0, len(params), BATCH):
        batch = jnp.asarray(params[start : start + BATCH])
        cumulative = np.asarray(cumulative_nodes(batch, padded, grid))[:, rows.index]
        node = np.sum(cumulative < rng.random(cumulative.shape[:2])[..., None], axis=-1)
        weight = near[rows.index[None, :], node]
        point = np.sum(weight < rng.random(node.shape)[..., None], axis=-1)
        rates.append(expit(points[node, np.minimum(point, 2 * HALF_CELL_POINTS - 1)]))
    return np.concatenate(rates)


def points_near_nodes(
    rows: CountRows, nodes: Float[np.ndarray, " g"]
) -> tuple[Float[np.ndarray, "u g q"], Float[np.ndarray, "g q"]]:
    """Cumulative weights of points around each node for each row, and the points (logit p)."""
    gaps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    share = (np.arange(HALF_CELL_POINTS) + 0.5) / HALF_CELL_POINTS
    offset = np.concatenate([-share[::-1], share])
    width = np.where(offset < 0, gaps[:-1, None], gaps[1:, None])
    points = nodes[:, None] + offset * width
    misses = (rows.n - rows.c)[:, None, None]
    log_weight = -rows.c[:, None, None] * np.logaddexp(0, -points) - misses * np.logaddexp(0, points)
    hat = (1 - np.abs(offset)) * np.maximum(width, 1e-12)
    weight = np.exp(log_weight - log_weight.max(axis=-1, keepdims=True)) * hat
    total = np.cumsum(weight, axis=-1)
    return total / total[..., -1:], points

"""Draws of the success rates of the problems at hand, given draws of the population."""

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows

HALF_CELL_POINTS = 16  # points between two neighbouring nodes at which a rate can be drawn
BATCH = 32  # draws handled at once, so that they fit into the processor's cache


def draw_masses(rng: np.random.Generator, posterior: Posterior, count: int) -> Float[np.ndarray, "s g"]:
    """`count` equally weighted draws of the population: masses of the nodes of COARSE_GRID."""
    held = len(posterior.masses)
    chosen = rng.permutation(held)[:count] if count <= held else rng.integers(held, size=count)
    return posterior.masses[chosen]


def draw_densities(rng: np.random.Generator, posterior: Posterior, count: int) -> Float[np.ndarray, "s g"]:
    """`count` equally weighted draws of the population: densities of logit p at the nodes of COARSE_GRID."""
    return draw_masses(rng, posterior, count) / np.asarray(COARSE_GRID.weights)


def draw_problem_rates(
    rng: np.random.Generator, posterior: Posterior, rows: CountRows, count: int
) -> Float[np.ndarray, "s p"]:
    """`count` equally weighted draws of the success rates of all P problems, given their counts.

    This is the one entry to the posterior: whatever is said of these problems is computed from such draws.
    """
    return draw_rates(rng, draw_masses(rng, posterior, count), rows)


def draw_rates(
    rng: np.random.Generator, masses: Float[np.ndarray, "s g"], rows: CountRows
) -> Float[np.ndarray, "s p"]:
    """Success rates of all P problems, one set for each of the S populations in `masses`.

    First a node is drawn, then a point near it, weighted by the exact likelihood and the node's hat function. So a rate
    that is known more precisely than the step of the grid is also drawn more precisely.
    """
    near, points = points_near_nodes(rows, np.asarray(COARSE_GRID.nodes))
    rates = np.empty((len(masses), len(rows.index)))
    for start in range(0, len(masses), BATCH):
        cumulative = cumulative_nodes(masses[start : start + BATCH], rows)[:, rows.index]
        node = np.sum(cumulative < rng.random(cumulative.shape[:2], dtype=np.float32)[..., None], axis=-1)
        node = np.minimum(node, cumulative.shape[-1] - 1)
        weight = near[rows.index[None, :], node]
        point = np.sum(weight < rng.random(node.shape)[..., None], axis=-1)
        rates[start : start + BATCH] = expit(points[node, np.minimum(point, 2 * HALF_CELL_POINTS - 1)])
    return rates


def cumulative_nodes(masses: Float[np.ndarray, "s g"], rows: CountRows) -> Float[np.ndarray, "s u g"]:
    """Cumulative posterior weights of the nodes, for each population and each row.

    Where a population says that a row is impossible, the weights are those of the likelihood alone.
    """
    likelihood = (rows.likelihood / np.asarray(COARSE_GRID.weights)).astype(np.float32)
    total = np.cumsum(masses.astype(np.float32)[:, None, :] * likelihood[None], axis=-1)
    impossible = total[..., -1] < 1e-30
    if impossible.any():
        total[impossible] = np.cumsum(likelihood, axis=-1)[np.nonzero(impossible)[1]]
    return total / total[..., -1:]


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

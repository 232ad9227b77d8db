"""Which problems should get the next attempts, and how much narrower the forecast is expected to be afterwards."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from lidjax.evals.rates.families import bent_logistic_log_density
from lidjax.evals.rates.likelihood import pad_rows
from lidjax.evals.rates.population import Posterior, resample
from lidjax.evals.rates.quadrature import COARSE, CountRows, Grid, likelihood_rows

DRAWS = 100
EVERY = 32  # counts to come up to here are summed one by one, above in blocks that grow by a tenth


class Advice(NamedTuple):
    """Per problem, best first: `order` (P,) and `gain` (P,), the expected fall of the variance of mean pass@K if
    this problem got `more` attempts. `before` and `after` are standard deviations of pass@K now and with `more`
    attempts for the first `chosen` problems, given the population: what is not known about the population itself
    is not in them."""

    order: Int[np.ndarray, " p"]
    gain: Float[np.ndarray, " p"]
    before: float
    after: float
    chosen: int
    more: int


def next_attempts(
    posterior: Posterior, rows: CountRows, k: int, *, more: int, chosen: int, grid: Grid = COARSE
) -> Advice:
    """Rank problems by what `more` attempts at each would teach about mean pass@k of these problems."""
    params = resample(posterior, DRAWS, np.random.default_rng(0))
    density = np.mean(
        [np.exp(np.asarray(bent_logistic_log_density(jnp.asarray(row), grid))) for row in params], axis=0
    )
    weight = pad_rows(rows).likelihood[: len(rows.n)] * density
    weight = weight / weight.sum(axis=1, keepdims=True)
    solved = -np.expm1(-k * np.logaddexp(0, grid.nodes))
    now = variance(weight, solved)
    outcomes, blocks = outcome_blocks(more)
    likelihood, log_scale = likelihood_rows(np.full(len(outcomes), more), outcomes, grid)
    # rows are integrals over a node's hat function: divided by its weight they are means of the likelihood there
    chance = likelihood / np.asarray(grid.weights) * (np.exp(log_scale) * blocks)[:, None]
    later = np.zeros(len(rows.n))
    norm = np.zeros(len(rows.n))
    for row in chance:
        joint = weight * row
        mass = joint.sum(axis=1)
        safe = np.maximum(mass, 1e-300)[:, None]
        later += mass * variance(joint / safe, solved)
        norm += mass
    gain = np.maximum(now - later / np.maximum(norm, 1e-300), 0.0)[rows.index] / len(rows.index) ** 2
    order = np.argsort(-gain, kind="stable")
    total = float(now[rows.index].sum()) / len(rows.index) ** 2
    remaining = max(total - float(gain[order[:chosen]].sum()), 0.0)
    return Advice(order, gain[order], float(np.sqrt(total)), float(np.sqrt(remaining)), chosen, more)


def variance(weight, values) -> Float[np.ndarray, " u"]:
    mean = weight @ values
    return np.maximum(weight @ values**2 - mean**2, 0.0)


def outcome_blocks(more: int) -> tuple[Int[np.ndarray, " o"], Float[np.ndarray, " o"]]:
    """Counts 0..more to sum over: all small ones, then one in the middle of each block, with the blocks' lengths."""
    edges = np.unique(
        np.concatenate([np.arange(EVERY), np.round(EVERY * 1.1 ** np.arange(200)).astype(np.int64)])
    )
    edges = np.append(edges[edges <= more], more + 1)
    return (edges[:-1] + edges[1:] - 1) // 2, np.diff(edges).astype(float)

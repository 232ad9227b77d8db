"""Which problems should get the next attempts, and how much narrower the forecast is expected to become."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lidjax.evals.rates.draws import draw_densities
from lidjax.evals.rates.likelihood import pad_rows
from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, LogitGrid, likelihood_rows

DRAWS = 100  # posterior draws of the population
SINGLE_COUNTS = (
    32  # heuristic: future counts below it are summed one by one, above it in blocks that grow by a tenth
)


class NextAttempts(NamedTuple):
    """The P problems of a group, ranked by what further attempts at each would tell about its pass@k.

    The standard deviations are those given the population of problems; the uncertainty of the population itself is not
    included.
    """

    order: Int[np.ndarray, " p"]
    """Positions of the problems (P,), the most informative first."""
    gain: Float[np.ndarray, " p"]
    """Expected decrease of the variance of the mean pass@k if this problem gets the attempts (P,), in that order."""
    sd_before: float
    """Standard deviation of the mean pass@k now."""
    sd_after: float
    """Expected standard deviation after the attempts at the first `chosen` problems."""
    chosen: int
    """Number of problems that get attempts."""
    attempts_each: int
    """Number of attempts at each of them."""
    k: int
    """The k of the pass@k."""


def next_attempts(
    posterior: Posterior,
    rows: CountRows,
    k: int,
    *,
    attempts_each: int,
    chosen: int,
    grid: LogitGrid = COARSE_GRID,
) -> NextAttempts:
    """Rank problems by the expected decrease of the variance of their mean pass@k."""
    density = draw_densities(np.random.default_rng(0), posterior, DRAWS, grid).mean(axis=0)
    weight = pad_rows(rows).likelihood[: len(rows.n)] * density
    weight = weight / weight.sum(axis=1, keepdims=True)
    solved = -np.expm1(-k * np.logaddexp(0, grid.nodes))
    now = weighted_variance(weight, solved)
    counts, lengths = future_counts(attempts_each)
    likelihood, log_scale = likelihood_rows(np.full(len(counts), attempts_each), counts, grid)
    # rows are integrals over a node's hat function; divided by its weight they are means of the likelihood there
    chance = likelihood / np.asarray(grid.weights) * (np.exp(log_scale) * lengths)[:, None]
    later = np.zeros(len(rows.n))
    norm = np.zeros(len(rows.n))
    for row in chance:
        joint = weight * row
        mass = joint.sum(axis=1)
        safe = np.maximum(mass, 1e-300)[:, None]
        later += mass * weighted_variance(joint / safe, solved)
        norm += mass
    gain = np.maximum(now - later / np.maximum(norm, 1e-300), 0.0)[rows.index] / len(rows.index) ** 2
    order = np.argsort(-gain, kind="stable")
    total = float(now[rows.index].sum()) / len(rows.index) ** 2
    remaining = max(total - float(gain[order[:chosen]].sum()), 0.0)
    return NextAttempts(
        order, gain[order], float(np.sqrt(total)), float(np.sqrt(remaining)), chosen, attempts_each, k
    )


def weighted_variance(
    weight: Float[np.ndarray, "u g"], values: Float[np.ndarray, " g"]
) -> Float[np.ndarray, " u"]:
    """Variance of `values` under each row of weights."""
    mean = weight @ values
    return np.maximum(weight @ values**2 - mean**2, 0.0)


def future_counts(attempts: int) -> tuple[Int[np.ndarray, " o"], Float[np.ndarray, " o"]]:
    """Counts of correct answers among `attempts` to sum over, and how many counts each of them stands for.

    Small counts stand for themselves, larger ones for the block around them.
    """
    edges = np.unique(
        np.concatenate(
            [
                np.arange(SINGLE_COUNTS),
                np.round(SINGLE_COUNTS * 1.1 ** np.arange(200)).astype(np.int64),
            ]
        )
    )
    edges = np.append(edges[edges <= attempts], attempts + 1)
    return (edges[:-1] + edges[1:] - 1) // 2, np.diff(edges).astype(float)

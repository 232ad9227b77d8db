"""The standard deviation of pass@k that further attempts are expected to leave, the population's included.

The attempts to come are simulated. Each replicate takes one posterior draw of the population as the truth and draws
counts of the new attempts from it; all draws, weighted by the likelihood of those counts, are the posterior that one
would have then. So the uncertainty of the population shrinks with the attempts, as well as that of each problem's rate.
Rates are on the nodes of the grid, and large counts are handled in blocks.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import betaln, softmax

from lidjax.evals.curve import Counts
from lidjax.evals.next_attempts import future_counts
from lidjax.evals.rates.likelihood import TINY
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows, LogitGrid

MOST_DRAWS, FEWEST_DRAWS = 100, 16
MOST_WEIGHTS = 1 << 15  # of draws times distinct pairs (n, c): more pairs get fewer draws
ROWS_AT_ONCE = 128  # for memory
MOST_LEVELS = 12  # heuristic: more different numbers of attempts are rounded
LEVEL_STEP = 1.25  # heuristic: numbers of attempts within this factor share one table of probabilities


def draws_for(rows: CountRows) -> int:
    """Number of draws of the population that is used for these rows, to bound time and memory."""
    return int(np.clip(MOST_WEIGHTS // len(rows.n), FEWEST_DRAWS, MOST_DRAWS))


def expected_sds(
    rng: np.random.Generator,
    densities: Float[np.ndarray, "s g"],
    rows: CountRows,
    k: int,
    divisions: Sequence[Counts],
    grid: LogitGrid = COARSE_GRID,
) -> list[float]:
    """Expected standard deviation of the mean pass@k of the P problems after each division of further attempts.

    `densities` are equally weighted posterior draws of the population; a division has the number of attempts at each
    problem (P,).
    """
    log_miss = -np.logaddexp(0, np.asarray(grid.nodes))
    solved = -np.expm1(k * log_miss)
    found: list[float] = []
    for division in divisions:
        levels = rounded_levels(division)
        pairs, problems = np.unique(np.column_stack([levels, rows.index]), axis=0, return_counts=True)
        log_weight, mean, variance = np.zeros((3, len(densities), len(densities)))
        for level in np.unique(levels).tolist():
            chance = future_chances(level, log_miss)
            chosen = pairs[:, 0] == level
            row, count = pairs[chosen, 1], problems[chosen]
            for start in range(0, len(row), ROWS_AT_ONCE):
                part = slice(start, start + ROWS_AT_ONCE)
                for total, term in zip(
                    (log_weight, mean, variance),
                    simulate_counts(rng, densities, rows.likelihood[row[part]], count[part], chance, solved),
                    strict=True,
                ):
                    total += term
        weight = softmax(log_weight, axis=1)
        centre = np.sum(weight * mean, axis=1, keepdims=True)
        after = np.sum(weight * (variance + (mean - centre) ** 2), axis=1)
        found.append(float(np.sqrt(after.mean())) / len(rows.index))
    return found


def simulate_counts(
    rng: np.random.Generator,
    densities: Float[np.ndarray, "s g"],
    likelihood: Float[np.ndarray, "u g"],
    problems: Int[np.ndarray, " u"],
    chance: Float[np.ndarray, "o g"],
    solved: Float[np.ndarray, " g"],
) -> tuple[Float[np.ndarray, "r s"], Float[np.ndarray, "r s"], Float[np.ndarray, "r s"]]:
    """Log-likelihood, sum of means and sum of variances of pass@k under each draw, for the counts of each replicate.

    Replicate r takes draw r as the truth. `problems` says how many problems have each row of the likelihood.
    """
    joint = densities[:, None, :] * likelihood
    joint /= joint.sum(axis=-1, keepdims=True)
    moments = np.concatenate([chance, chance * solved, chance * solved**2])
    mass, first, second = np.split(joint @ moments.T, 3, axis=-1)
    mass = np.maximum(mass, TINY)
    mean = first / mass
    share = mass / mass.sum(axis=-1, keepdims=True)
    counts = rng.multinomial(problems, share).reshape(len(densities), -1).astype(float)
    terms = (np.log(mass), mean, np.maximum(second / mass - mean**2, 0.0))
    log_weight, means, variances = (counts @ term.reshape(len(densities), -1).T for term in terms)
    return log_weight, means, variances


def future_chances(attempts: int, log_miss: Float[np.ndarray, " g"]) -> Float[np.ndarray, "o g"]:
    """Probability of each count of correct answers, or block of counts, among `attempts`, at each node."""
    counts, lengths = future_counts(attempts)
    log_hit = np.log(-np.expm1(log_miss))
    log_choose = -betaln(attempts - counts + 1, counts + 1) - np.log1p(attempts) + np.log(lengths)
    log_chance = log_choose[:, None] + counts[:, None] * log_hit + (attempts - counts)[:, None] * log_miss
    return softmax(log_chance, axis=0)


def rounded_levels(division: Counts) -> Counts:
    """Numbers of attempts, rounded where they are many different ones."""
    if len(np.unique(division)) <= MOST_LEVELS:
        return division
    steps = np.rint(np.log(np.maximum(division, 1)) / np.log(LEVEL_STEP))
    return np.where(division > 0, np.maximum(np.rint(LEVEL_STEP**steps), 1), 0).astype(np.int64)

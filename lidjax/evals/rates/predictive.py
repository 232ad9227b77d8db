"""Posterior predictive check: are counts like these to be expected under the posterior of the population?

Problems are sorted into bins of c/n. For each draw of the population, Pearson's statistic of the observed numbers is
compared with that of numbers drawn from the population itself (Gelman, Meng and Stern 1996). Bins are not narrower than
LEAST_WIDTH in logit p, because the masses of a population lie on a grid.
"""

import numpy as np
from jaxtyping import Float
from scipy import special

from lidjax.evals.rates.posterior import Posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows

MOST_BINS = 12
MOST_SIZES = 64  # distinct n; of more, the most frequent are checked
LEAST_WIDTH = 0.5
HAT_POINTS = 8  # points of the average over the hat function of a node


def predictive_p_value(rng: np.random.Generator, posterior: Posterior, rows: CountRows) -> float:
    """Share of the draws that fit counts of their own worse than the observed ones. NaN with fewer than three bins."""
    sizes, times = np.unique(rows.n[rows.index], return_counts=True)
    sizes = np.sort(sizes[np.argsort(-times)[:MOST_SIZES]])
    used = np.isin(rows.n[rows.index], sizes)
    n, c = rows.n[rows.index][used], rows.c[rows.index][used]
    edges = bin_edges(n, c)
    if len(edges) < 2:
        return float("nan")
    observed, expected, drawn = 0.0, 0.0, 0.0
    for size in sizes.tolist():
        own = n == size
        chance = posterior.masses.astype(float) @ bin_chances(size, edges)
        chance /= chance.sum(axis=1, keepdims=True)
        bins = np.searchsorted(np.floor(edges * size), c[own], side="left")
        observed = observed + np.bincount(bins, minlength=len(edges) + 1)
        expected = expected + own.sum() * chance
        drawn = drawn + rng.multinomial(own.sum(), chance)
    expected = np.maximum(expected, 1e-9)
    seen = np.sum((observed - expected) ** 2 / expected, axis=1)
    made = np.sum((drawn - expected) ** 2 / expected, axis=1)
    return float((1 + np.sum(made >= seen)) / (1 + len(seen)))


def bin_edges(n: np.ndarray, c: np.ndarray) -> Float[np.ndarray, " b"]:
    """Upper ends of all bins but the last, as rates. The first is 0: problems that were never solved."""
    rates = np.sort(c[c > 0] / n[c > 0])
    if not len(rates):
        return np.zeros(1)
    chosen, last = [0.0], -np.inf
    for rate in np.quantile(rates, np.arange(1, MOST_BINS) / MOST_BINS):
        place = float(special.logit(min(rate, 1 - 1e-9)))
        if place - last >= LEAST_WIDTH and rate < 1:
            chosen.append(float(rate))
            last = place
    return np.array(chosen)


def bin_chances(size: int, edges: Float[np.ndarray, " b"]) -> Float[np.ndarray, "g b+1"]:
    """Probability of each bin for a problem with `size` attempts, at each node averaged over its hat function."""
    nodes = np.asarray(COARSE_GRID.nodes)
    gaps = np.diff(nodes, prepend=nodes[0], append=nodes[-1])
    share = (np.arange(HAT_POINTS) + 0.5) / HAT_POINTS
    offset = np.concatenate([-share[::-1], share])
    width = np.where(offset < 0, gaps[:-1, None], gaps[1:, None])
    weight = (1 - np.abs(offset)) * np.maximum(width, 1e-12)
    rates = special.expit(nodes[:, None] + offset * width)
    below = special.bdtr(np.floor(edges * size)[None, None, :], size, rates[:, :, None])
    below = np.sum(below * weight[:, :, None], axis=1) / weight.sum(axis=1)[:, None]
    return np.maximum(np.diff(below, axis=1, prepend=0.0, append=1.0), 0.0)

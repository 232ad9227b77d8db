"""Pooling of groups with one shape."""

import numpy as np

from lidjax.evals.rates.pooling import pool_shapes
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows

PROBLEMS, N = 64, 50


def test_pooling_brings_groups_of_one_shape_together():
    """Eight groups of one population: the pooled posterior of the lower slope is narrower, and the groups agree
    more."""
    alone = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        c = rng.binomial(N, rng.beta(0.4, 8, PROBLEMS))
        alone.append(sample_posterior(count_rows(np.full(PROBLEMS, N), c, COARSE_GRID), seed=seed))
    pooled = pool_shapes(alone)

    def moments(posteriors):
        means = np.array([p.weights @ p.params[:, 1] for p in posteriors])
        spread = np.array(
            [p.weights @ (p.params[:, 1] - m) ** 2 for p, m in zip(posteriors, means, strict=True)]
        )
        return means.std(), np.sqrt(spread.mean())

    (apart, wide), (together, narrow) = moments(alone), moments(pooled)
    assert together < apart
    assert narrow < wide

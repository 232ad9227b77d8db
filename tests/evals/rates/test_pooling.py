"""Pooling of groups that one family describes."""

import numpy as np

from lidjax.evals.rates.pooling import sample_pooled
from lidjax.evals.rates.posterior import sample_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows


def test_pooling_makes_the_family_of_the_other_groups_more_probable():
    """Two groups whose problems are equally hard, and one with few attempts that could be anything."""
    rng = np.random.default_rng(0)
    sizes = [60, 60, 2]
    groups = [count_rows(np.full(40, n), rng.binomial(n, 0.2, 40), COARSE_GRID) for n in sizes]
    pooled = sample_pooled(groups)[-1]
    alone = sample_posterior(groups[-1])

    def probability(posterior):
        return {member.name: member.probability for member in posterior.members}["atoms-1"]

    assert probability(pooled) > 1.2 * probability(alone)
    assert [m.log_evidence for m in pooled.members] == [m.log_evidence for m in alone.members]

"""Pooling: the groups of one file share how probable each family of the average is.

The groups of a file have the same benchmark, and often one family describes them all. The probabilities of the families
have a Dirichlet prior around those of the default model, and are estimated from the evidence of all groups by the EM
algorithm (the mode of their posterior).
"""

from collections.abc import Sequence

import numpy as np
from scipy import special

from lidjax.evals.rates.members import MEMBERS, Member
from lidjax.evals.rates.posterior import INFLATED, Posterior, average_members, sample_members
from lidjax.evals.rates.quadrature import CountRows

CONCENTRATION = 4.0  # heuristic: the prior counts like this number of groups
STEPS = 100  # of the EM algorithm


def sample_pooled(
    groups: Sequence[CountRows],
    *,
    members: Sequence[Member] = MEMBERS,
    inflated: float = INFLATED,
    seed: int = 0,
) -> list[Posterior]:
    """Posteriors of all groups given the counts of all groups."""
    samples = [sample_members(rows, members, inflated) for rows in groups]
    prior = np.array([member.weight for member in members])
    prior = prior / prior.sum()
    evidence = np.array([[sample.log_evidence for sample in own] for own in samples])
    share = prior
    for _ in range(STEPS):
        owned = special.softmax(np.log(share) + evidence, axis=1).sum(axis=0)
        share = (CONCENTRATION * prior + owned) / (CONCENTRATION + len(groups))
    return [
        average_members(rows, members, own, share, inflated, seed)
        for rows, own in zip(groups, samples, strict=True)
    ]

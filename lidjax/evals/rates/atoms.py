"""Where a few distinct success rates lie that explain counts: a first proposal for the members with atoms.

The EM algorithm starts from quantiles of the rates c/n. The posterior of several atoms is too narrow to be found from
the prior.
"""

import numpy as np
from jaxtyping import Float

from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows

STEPS = 60  # of the EM algorithm
LEAST_WIDTH, LEAST_GAP = 0.05, 0.3  # heuristic: of an atom's place, and between atoms that EM puts together
WIDER = 1.5  # heuristic: scale of the proposal over that of the information at the maximum


def atom_proposal(
    rows: CountRows, scale: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Location and Cholesky factor for `members.atom_masses`. `scale` are the prior's standard deviations (2J - 1,)."""
    count = (len(scale) + 1) // 2
    likelihood = rows.likelihood / np.asarray(COARSE_GRID.weights)
    log_rows = np.log(np.maximum(likelihood, 1e-300))
    nodes = np.asarray(COARSE_GRID.nodes)
    order = np.argsort(rows.c / rows.n + 1e-9 * rows.n)
    level = (np.cumsum(rows.multiplicity[order]) - 0.5 * rows.multiplicity[order]) / rows.multiplicity.sum()
    wanted = (np.arange(count) + 0.5) / count
    first = order[np.searchsorted(level, wanted).clip(0, len(order) - 1)]
    rate = (rows.c[first] + 0.5) / (rows.n[first] + 1)
    place = np.searchsorted(nodes, np.log(rate / (1 - rate))).clip(0, len(nodes) - 1)
    share = np.full(count, 1 / count)
    owned = np.zeros((len(order), count))
    for _ in range(STEPS):
        joint = likelihood[:, place] * share + 1e-300
        owned = joint / joint.sum(axis=1, keepdims=True) * rows.multiplicity[:, None]
        share = np.maximum(owned.sum(axis=0) / rows.multiplicity.sum(), 1e-3)
        share /= share.sum()
        place = np.argmax(owned.T @ log_rows, axis=1)
    order = np.argsort(nodes[place])
    x, share, owned = nodes[place][order], share[order], owned[:, order]
    information = (rows.n @ owned) / (2 + np.exp(x) + np.exp(-x))
    problems = rows.multiplicity.sum()
    spread = np.diag(1 / (information + 1e-3) + LEAST_WIDTH**2)
    gaps = np.maximum(np.diff(x), LEAST_GAP)
    change = np.eye(count)  # of the parameters (x₁, log gaps) with the places of the atoms
    change[1:] -= np.eye(count)[:-1]
    change[1:] /= gaps[:, None]
    precision = np.zeros((len(scale), len(scale)))
    precision[:count, :count] = np.linalg.inv(change @ spread @ change.T)
    precision[count:, count:] = np.diag(1 / (1 / (problems * share[1:]) + 1 / (problems * share[0])))
    covariance = np.linalg.inv(precision + np.diag(1 / scale**2))
    location = np.concatenate([x[:1], np.log(gaps), np.log(share[1:] / share[0])])
    return location, WIDER * np.linalg.cholesky(covariance)

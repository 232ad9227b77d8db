"""Where a few distinct success rates lie that explain counts: a first proposal for the members with atoms.

The EM algorithm starts from quantiles of the rates c/n. The posterior of several atoms is too narrow to be found from
the prior.
"""

import numpy as np
from jaxtyping import Float

from lidjax.evals.rates.quadrature import COARSE_GRID, CountRows

STEPS = 60  # of the EM algorithm
WIDER = 1.5  # heuristic: scale of the proposal over that of the information at the maximum


def atom_proposal(rows: CountRows, count: int) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Location and Cholesky factor for `members.atom_masses`, with `count` atoms."""
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
    width = np.sqrt(1 / (1 / 3.5**2 + information) + 0.05**2)
    problems = rows.multiplicity.sum()
    weight_width = np.sqrt(1 / (1 / 1.5**2 + 1 / (1 / (problems * share[1:]) + 1 / (problems * share[0]))))
    location = np.append(x, np.log(share[1:] / share[0]))
    return location, np.diag(WIDER * np.append(width, weight_width))

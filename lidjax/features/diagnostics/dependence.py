"""Is difficulty independent of the features, as Def. 3.1 has it? A permutation test, and how large the dependence is.

The statistic is the correlation of the rank of v on held-out instances with a linear prediction of it from the
features. Under independence every pairing of v with the features is as likely as the one at hand, so the test
is exact whatever the features and the law of v; permutations are columns of one right-hand side, and share a
factorisation. It sees what a linear head sees: that it finds nothing does not show independence.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import rankdata

PERMUTATIONS = 199
HELD_OUT = 0.2
RIDGE = (
    1e-3  # of the mean squared error, on features of unit variance; its value decides power, not the level
)


class IndependenceTest(NamedTuple):
    """Held-out `correlation` of the rank of v with its prediction, the 95 % quantile of its absolute value under
    permutations, and the p-value (1 + number of permutations as extreme)/(1 + permutations)."""

    correlation: float
    null_95: float
    p_value: float
    permutations: int
    instances: int


def independence_test(
    features: np.ndarray, variance: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> IndependenceTest:
    """Test that `variance` (m,) is independent of `features` (m, d). One random split; ties share a rank."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(features))
    x = np.asarray(features, float)[rows]
    rank = rankdata(np.asarray(variance)[rows])
    rank = (rank - rank.mean()) / rank.std()
    columns = np.stack([rank, *(rng.permutation(rank) for _ in range(permutations))], axis=1)

    train = len(x) - int(HELD_OUT * len(x))
    centre, spread = x[:train].mean(axis=0), x[:train].std(axis=0)
    x = (x - centre) / np.where(spread > 0, spread, 1.0)
    gram = x[:train].T @ x[:train] + RIDGE * train * np.eye(x.shape[1])
    coefficients = cho_solve(cho_factor(gram), x[:train].T @ columns[:train])
    prediction, truth = x[train:] @ coefficients, columns[train:]
    prediction, truth = prediction - prediction.mean(axis=0), truth - truth.mean(axis=0)
    scale = np.linalg.norm(prediction, axis=0) * np.linalg.norm(truth, axis=0)
    correlation = np.sum(prediction * truth, axis=0) / np.where(scale > 0, scale, 1.0)
    null = np.abs(correlation[1:])
    extreme = int(np.sum(null >= abs(correlation[0])))
    return IndependenceTest(
        correlation=float(correlation[0]),
        null_95=float(np.quantile(null, 0.95)),
        p_value=(1 + extreme) / (1 + permutations),
        permutations=permutations,
        instances=len(x),
    )

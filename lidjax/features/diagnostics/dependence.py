"""Is difficulty independent of the features, as Def. 3.1 assumes? A permutation test, and the size of the dependence.

The statistic is the correlation of the rank of v on held-out instances with a linear prediction of it from the
features. Under independence every pairing of v with the features is as likely as the observed one, so the test is exact
whatever the features and the law of v. The permutations are columns of one right-hand side and share a factorisation.
The test has power only against dependence that a linear head can see: not rejecting does not show independence.
"""

from typing import NamedTuple

import numpy as np

PERMUTATIONS = 199
HELD_OUT = 0.2  # fraction of the instances on which the correlation is measured, a heuristic
RIDGE = 1e-3
"""Penalty on the mean squared error for features of unit variance: a heuristic that affects the power of the test and
not its level."""


class IndependenceTest(NamedTuple):
    """Result of a permutation test that difficulty is independent of the features."""

    correlation: float
    """Correlation of the rank of v on held-out instances with its prediction, from -1 to 1."""
    null_95: float
    """The 95 % quantile of the absolute correlation under permutations."""
    p_value: float
    """(1 + number of permutations with at least this absolute correlation)/(1 + permutations)."""
    permutations: int
    """Number of permutations."""
    instances: int
    """Number of instances m."""


def independence_test(
    features: np.ndarray, variance: np.ndarray, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> IndependenceTest:
    """Test that the label variance is independent of the features.

    A ridge regression on 80 % of the instances, in one random split, predicts the rank of v on the rest. Equal values
    of v share a rank. The test is exact under independence: p ≤ 0.05 in at most 5 % of samples.

    Args:
        features: features z (m, d). They are standardised; a constant one does no harm.
        variance: label variance (m,), not all equal. Only its ranks matter.
        permutations: number of permutations, at least 1; the smallest possible p is 1/(1 + permutations).
        seed: seed of the split and the permutations, an integer ≥ 0.

    Returns:
        An `IndependenceTest`.

    References:
        Def. 3.1 assumes the independence. The test is derived for this project; its level and power are checked in
        tests/features/diagnostics/test_dependence.py.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import independence_test
        >>> rng = np.random.default_rng(0)
        >>> features = rng.normal(size=(400, 5))
        >>> independence_test(features, np.exp(features[:, 0])).p_value  # of 199 permutations, none is as extreme
        0.005
        >>> independence_test(features, rng.exponential(size=400)).p_value > 0.05
        True
    """
    # here, because they take half a second to import
    from scipy.linalg import cho_factor, cho_solve
    from scipy.stats import rankdata

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
    norms = np.linalg.norm(prediction, axis=0) * np.linalg.norm(truth, axis=0)
    correlation = np.sum(prediction * truth, axis=0) / np.where(norms > 0, norms, 1.0)
    permuted = np.abs(correlation[1:])
    extreme = int(np.sum(permuted >= abs(correlation[0])))
    return IndependenceTest(
        correlation=float(correlation[0]),
        null_95=float(np.quantile(permuted, 0.95)),
        p_value=(1 + extreme) / (1 + permutations),
        permutations=permutations,
        instances=len(x),
    )

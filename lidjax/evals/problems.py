"""What the posterior says of each problem at hand: its success rate, and the chance that K attempts solve it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lidjax.evals.rates.quadrature import CountRows


class ProblemMeans(NamedTuple):
    """Posterior means of each of the P problems of a group, at the K values of k of its forecast.

    The mean over problems of `pass_at_k` is the expected pass@k of these problems. Problems with equal counts have
    equal means.
    """

    rate: Float[np.ndarray, " p"]
    """Mean of the success rate (P,)."""
    pass_at_k: Float[np.ndarray, "p k"]
    """Mean of 1 - (1 - rate)^k (P, K)."""


def problem_means(
    rates: Float[np.ndarray, "s p"] | Float[np.ndarray, "s u"], rows: CountRows, k: Int[np.ndarray, " k"]
) -> ProblemMeans:
    """Means over draws of the rates: of all problems, or of one problem for each row.

    Problems with equal counts are averaged too: their rates have one distribution.
    """
    log_miss = np.log1p(-rates)
    solved = np.stack([-np.expm1(size * log_miss).mean(axis=0) for size in k.tolist()], axis=-1)
    values = np.column_stack([rates.mean(axis=0), solved])
    if len(values) != len(rows.n):
        total = np.zeros((len(rows.n), values.shape[1]))
        np.add.at(total, rows.index, values)
        values = total / rows.multiplicity[:, None]
    means = values[rows.index]
    return ProblemMeans(means[:, 0], means[:, 1:])

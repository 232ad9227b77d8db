"""Bootstrap of a family's parameters, all replicates in one vmapped program. Two kinds, which answer two questions.

problems    the problems are drawn anew: these are a sample of a population of problems, and the population is meant
attempts    every problem keeps its place and its attempts are drawn anew, c* ~ Binomial(n, c/n): this benchmark is
            meant. A problem with c = 0 stays unsolved in every replicate, so the interval is too narrow at the
            hard end.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from lidjax.errors import unknown_name
from lidjax.evals.rates.families import BETA, Family
from lidjax.evals.rates.likelihood import Table, fit_family, pad_rows, refit_table
from lidjax.evals.rates.quadrature import FINE, count_rows

KINDS = ("problems", "attempts")


class Resampled(NamedTuple):
    """`params` (R, p) of the replicates, the optimiser's; `counts` their (n, c); `estimate` the tail index of the
    data."""

    over: str
    counts: list[tuple[np.ndarray, np.ndarray]]
    params: Float[np.ndarray, "r p"]
    estimate: float
    converged: float


def bootstrap(
    n, c, *, over: str = "problems", replicates: int = 200, family: Family = BETA, seed: int = 0
) -> Resampled:
    """Refit `family` to `replicates` resampled data sets; `converged` is the share of refits that did."""
    if over not in KINDS:
        raise unknown_name("bootstrap over", over, KINDS)
    rng = np.random.default_rng(seed)
    rows = count_rows(n, c)
    table = pad_rows(rows)
    start = fit_family(family, rows).params
    if over == "problems":
        picked = rng.integers(len(n), size=(replicates, len(n)))
        used = np.stack([np.bincount(rows.index[row], minlength=len(table.multiplicity)) for row in picked])
        tables = table._replace(multiplicity=used.astype(float))
        counts = [(n[row], c[row]) for row in picked]
    else:
        counts = [(n, rng.binomial(n, c / n)) for _ in range(replicates)]
        drawn = np.stack([pair[1] for pair in counts])
        joint = count_rows(
            np.tile(n, replicates), drawn.ravel()
        )  # rows of all replicates, each integrated once
        index = joint.index.reshape(replicates, len(n))
        tables = stack_tables(
            [np.unique(row, return_counts=True) for row in index], joint, len(table.multiplicity)
        )
    fits = refit_table(family, FINE, tables, jnp.asarray(start))
    estimate = float(family.tail_index(start))
    return Resampled(
        over, counts, np.asarray(fits.params), estimate, float(np.mean(np.asarray(fits.converged)))
    )


def stack_tables(chosen, joint, size: int) -> Table:
    """One table a replicate from the rows it uses, padded to the longest."""
    size = max(size, 1 << (max(len(rows) for rows, _ in chosen) - 1).bit_length())
    likelihood = np.ones((len(chosen), size, joint.likelihood.shape[1]))
    log_scale, unsolved, multiplicity = np.zeros((3, len(chosen), size))
    for r, (rows, times) in enumerate(chosen):
        likelihood[r, : len(rows)] = joint.likelihood[rows]
        log_scale[r, : len(rows)] = joint.log_scale[rows]
        unsolved[r, : len(rows)] = joint.c[rows] == 0
        multiplicity[r, : len(rows)] = times
    return Table(likelihood, log_scale, unsolved, multiplicity)

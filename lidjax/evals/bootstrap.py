"""Bootstrap of a family's parameters, all replicates in one vmapped program.

problems    The problems are resampled: they are a sample of a population, and the interval is for the population.
attempts    Each problem is kept and its attempts are resampled, c* ~ Binomial(n, c/n): the interval is for this
            benchmark. A problem with c = 0 stays unsolved in every replicate, so the interval is too narrow at the
            hard end.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from lidjax.errors import InputError, check_choice
from lidjax.evals.curve import MANY_PROBLEMS, Counts
from lidjax.evals.rates.families import BETA, Family
from lidjax.evals.rates.likelihood import PaddedRows, fit_family, pad_rows, power_of_two, refit_padded
from lidjax.evals.rates.quadrature import FINE_GRID, CountRows, count_rows

KINDS = ("problems", "attempts")


class BootstrapFits(NamedTuple):
    """Fits of one family to R resampled data sets."""

    over: str
    """What was resampled: "problems" or "attempts"."""
    counts: list[tuple[Counts, Counts]]
    """The (n, c) of each replicate; of many problems, the distinct pairs."""
    params: Float[np.ndarray, "r p"]
    """The optimiser's parameters of each replicate (R, p)."""
    tail_index: float
    """Tail index of the family fitted to the data themselves."""
    converged: float
    """Share of the fits that converged."""


def is_mixed(n: Counts, c: Counts) -> bool:
    """Whether a bootstrap means something: two problems and attempts or more, some of them correct and some not."""
    return bool(0 < c.sum() < n.sum() and len(n) > 1 and n.max() > 1)


def bootstrap_family(
    n: Counts,
    c: Counts,
    *,
    over: str = "problems",
    replicates: int = 200,
    family: Family = BETA,
    seed: int = 0,
) -> BootstrapFits:
    """Refit `family` to `replicates` resampled data sets."""
    check_choice("bootstrap over", over, KINDS)
    rng = np.random.default_rng(seed)
    rows = count_rows(n, c)
    padded = pad_rows(rows)
    start = fit_family(family, rows).params
    if len(n) > MANY_PROBLEMS and over == "attempts":
        raise InputError(
            f"{len(n):,} problems in one group: attempts can be resampled for {MANY_PROBLEMS:,} at most; resample "
            "problems instead"
        )
    if len(n) > MANY_PROBLEMS:  # the same distribution, without an array of all problems for each replicate
        share = rows.multiplicity / rows.multiplicity.sum()
        used = rng.multinomial(len(n), share, size=replicates)
        counts = [(rows.n, rows.c)] * replicates
        resampled = padded._replace(
            multiplicity=np.pad(used.astype(float), ((0, 0), (0, len(padded.multiplicity) - len(rows.n))))
        )
    elif over == "problems":
        picked = rng.integers(len(n), size=(replicates, len(n)))
        used = np.stack([np.bincount(rows.index[row], minlength=len(padded.multiplicity)) for row in picked])
        resampled = padded._replace(multiplicity=used.astype(float))
        counts = [(n[row], c[row]) for row in picked]
    else:
        counts = [(n, rng.binomial(n, c / n)) for _ in range(replicates)]
        drawn = np.stack([pair[1] for pair in counts])
        joint = count_rows(np.tile(n, replicates), drawn.ravel())  # each distinct pair is integrated once
        index = joint.index.reshape(replicates, len(n))
        used_rows = [np.unique(row, return_counts=True) for row in index]
        resampled = stack_rows(used_rows, joint, len(padded.multiplicity))
    fits = refit_padded(family, FINE_GRID, resampled, jnp.asarray(start))
    return BootstrapFits(
        over,
        counts,
        np.asarray(fits.params),
        float(family.tail_index(start)),
        float(np.mean(np.asarray(fits.converged))),
    )


def stack_rows(
    used: Sequence[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]], joint: CountRows, size: int
) -> PaddedRows:
    """Rows of all R data sets, padded to one length: a power of two that is at least `size`.

    `used` holds, for each data set, the positions of its rows in `joint` and how many problems share each of them.
    """
    size = max(size, power_of_two(max(len(rows) for rows, _ in used)))
    likelihood = np.ones((len(used), size, joint.likelihood.shape[1]))
    log_scale, unsolved, multiplicity = np.zeros((3, len(used), size))
    for r, (rows, times) in enumerate(used):
        likelihood[r, : len(rows)] = joint.likelihood[rows]
        log_scale[r, : len(rows)] = joint.log_scale[rows]
        unsolved[r, : len(rows)] = joint.c[rows] == 0
        multiplicity[r, : len(rows)] = times
    return PaddedRows(likelihood, log_scale, unsolved, multiplicity)

"""Intervals and simultaneous bands of a curve, from posterior draws of it or from a sample of problems.

A pointwise interval holds the value at one k with the stated probability; a simultaneous band holds the whole curve.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

SAME = 1e-12  # a standard error below it is rounding


class Band(NamedTuple):
    """A curve over k with its uncertainty; all fields have shape (K,). NaN where there is no estimate."""

    value: Float[np.ndarray, " k"]
    """The estimate."""
    lower: Float[np.ndarray, " k"]
    """Lower end of the interval at each k alone."""
    upper: Float[np.ndarray, " k"]
    """Upper end of the interval at each k alone."""
    band_lower: Float[np.ndarray, " k"]
    """Lower end of the band that holds the whole curve."""
    band_upper: Float[np.ndarray, " k"]
    """Upper end of the band that holds the whole curve."""


def band_from_draws(draws: Float[np.ndarray, "s k"], level: float) -> Band:
    """Median, intervals and simultaneous band of S equally weighted draws of a curve.

    The band is made of order statistics of the draws at each k, the same ones at every k, and so narrow that just the
    share `level` of the draws lies inside everywhere (Besag et al. 1995, Sec. 6.3). So it needs no symmetry.
    """
    from scipy.stats import rankdata  # here, because scipy.stats takes half a second to import

    count = len(draws)
    below = rankdata(draws, method="max", axis=0)  # equal draws are no more extreme than each other
    above = count + 1 - rankdata(draws, method="min", axis=0)
    depth = np.sort(np.minimum(below, above).min(axis=1))
    inside = int(depth[int(np.floor((1 - level) * count))])
    ordered = np.sort(draws, axis=0)
    low, middle, high = np.quantile(draws, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
    return Band(
        middle,
        low,
        high,
        np.minimum(ordered[inside - 1], low),
        np.maximum(ordered[count - inside], high),
    )


def band_from_problems(values: Float[np.ndarray, "p k"], level: float, *, replicates: int, seed: int) -> Band:
    """Mean over P problems of a curve, with a bootstrap over the problems: the uncertainty is for new problems.

    Each resampled mean is divided by its own standard error (the bootstrap-t); the band takes the largest such ratio
    over k. Differences are between -1 and 1, and so are the ends. Where all problems have the same value the standard
    error is 0, and so is the width.
    """
    problems, width = values.shape
    mean = values.mean(axis=0)
    alone, whole = np.full((2, width), np.inf)  # one problem says nothing about others
    if problems > 1:
        error = values.std(axis=0, ddof=1) / np.sqrt(problems)
        varies = error > SAME
        alone, whole = np.zeros((2, width))
        if varies.any():
            ratio = resampled_ratios(values[:, varies] - mean[varies], replicates, seed)
            alone[varies] = np.quantile(ratio, level, axis=0, method="higher") * error[varies]
            whole[varies] = np.quantile(ratio.max(axis=1), level, method="higher") * error[varies]
    ends = [np.clip(end, -1.0, 1.0) for end in (mean - alone, mean + alone, mean - whole, mean + whole)]
    return Band(mean, *ends)


def resampled_ratios(
    centred: Float[np.ndarray, "p k"], replicates: int, seed: int
) -> Float[np.ndarray, "r k"]:
    """|mean|/standard error of each resample of the P problems, whose mean is 0 at every k."""
    problems = len(centred)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(problems, np.full(problems, 1 / problems), size=replicates) / problems
    moved = weight @ centred
    variance = np.maximum(weight @ centred**2 - moved**2, 0.0) / (problems - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(moved) / np.sqrt(variance)
    return np.where(np.isnan(ratio), 0.0, ratio)

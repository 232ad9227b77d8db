"""Summaries over seeds (training sets): mean with its standard error, median with an interval."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from scipy.special import bdtr

from lidjax.errors import InputError
from lidjax.fitting.data import check_level


class SeedSummary(NamedTuple):
    """Summary along one axis; the fields have that axis removed (`coverage` is a Python float).

    `median_low`, `median_high` are order statistics with P(low ≤ median ≤ high) = `coverage` exactly,
    whatever the (continuous) distribution; `lower`, `upper` are percentiles of the values themselves.
    """

    mean: Float[Array, "..."]
    standard_error: Float[Array, "..."]
    median: Float[Array, "..."]
    median_low: Float[Array, "..."]
    median_high: Float[Array, "..."]
    lower: Float[Array, "..."]
    upper: Float[Array, "..."]
    coverage: float


def median_ranks(count: int, level: float = 0.95) -> tuple[int, int, float]:
    """Zero-based ranks (i, j) of the order statistics around the median, and the coverage they give.

    The sign-test interval: P(X_(i) ≤ median ≤ X_(j)) = P(i < Binomial(count, 1/2) ≤ j), symmetric ranks,
    the narrowest that reach `level`. Under 6 values (level 0.95) even the extremes do not reach it: they are
    returned with the coverage they have.
    """
    rank = 0
    while rank + 1 <= (count - 1) // 2 and bdtr(rank + 1, count, 0.5) <= (1 - level) / 2:
        rank += 1
    return rank, count - 1 - rank, float(1 - 2 * bdtr(rank, count, 0.5))


def summarise_seeds(
    values: Float[ArrayLike, "..."], axis: int = -1, *, level: float = 0.95, percentiles=(16, 84)
) -> SeedSummary:
    """Mean ± standard error, and median with a distribution-free interval, of `values` along `axis`.

    For β ≤ 4 the second moment of L_gen over training sets does not exist (label noise is Student-t
    with β degrees of freedom, L_gen is quadratic in it, so E[L_gen²] needs E[η⁴]), and for β ≤ 2 neither does
    the mean. There the standard error is not a confidence statement and does not shrink like 1/√seeds: report the
    median and its interval, which need no moments. A NaN along the axis makes the result NaN. One seed has a NaN error.
    """
    values = jnp.asarray(values)
    count = values.shape[axis]
    if count < 1:
        raise InputError(f"values of shape {values.shape} have nothing along axis {axis}")
    low, high, coverage = median_ranks(count, check_level(level))
    ordered = jnp.sort(values, axis=axis)
    quantiles = jnp.asarray(np.asarray(percentiles) / 100, values.dtype)
    lower, upper = jnp.quantile(values, quantiles, axis=axis)
    broken = jnp.any(jnp.isnan(values), axis=axis)
    error = (
        jnp.std(values, axis=axis, ddof=1) / np.sqrt(count) if count > 1 else jnp.full(broken.shape, jnp.nan)
    )
    return SeedSummary(
        mean=jnp.mean(values, axis=axis),
        standard_error=error.astype(values.dtype),
        median=jnp.median(values, axis=axis),
        median_low=jnp.where(broken, jnp.nan, jnp.take(ordered, low, axis=axis)),
        median_high=jnp.where(broken, jnp.nan, jnp.take(ordered, high, axis=axis)),
        lower=lower,
        upper=upper,
        coverage=coverage,
    )

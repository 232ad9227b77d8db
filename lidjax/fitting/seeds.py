"""Summaries over seeds (training sets): mean with its standard error, median with an interval."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float
from scipy.special import bdtr

from lidjax.errors import InputError
from lidjax.fitting.log_curves import check_level


class SeedSummary(NamedTuple):
    """Summary along one axis; the fields (...) have that axis removed, and the unit of the values.

    Attributes:
        mean: Mean (...).
        standard_error: Standard error (...) of the mean; NaN for one seed.
        median: Median (...).
        median_low: Lower end (...) of the interval of the median, an order statistic.
        median_high: Upper end (...).
        lower: Lower percentile (...) of the values themselves.
        upper: Upper percentile (...).
        coverage: P(median_low ≤ median ≤ median_high), one Python float. It is exact for every continuous distribution.
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

    The sign-test interval: P(X_(i) ≤ median ≤ X_(j)) = P(i < Binomial(count, 1/2) ≤ j), with symmetric ranks,
    the narrowest that reach `level`. Under 6 values (level 0.95) even the extremes do not reach it: they are
    returned with the coverage they have.
    """
    rank = 0
    while rank + 1 <= (count - 1) // 2 and bdtr(rank + 1, count, 0.5) <= (1 - level) / 2:
        rank += 1
    return rank, count - 1 - rank, float(1 - 2 * bdtr(rank, count, 0.5))


def summarise_seeds(
    values: Float[ArrayLike, "..."],
    axis: int = -1,
    *,
    level: float = 0.95,
    percentiles: tuple[float, float] = (16, 84),
) -> SeedSummary:
    """Mean with its standard error, and median with a distribution-free interval, of `values` along `axis`.

    For β ≤ 4 the second moment of L_gen over training sets does not exist: label noise is Student-t with β degrees of
    freedom, L_gen is quadratic in it, so E[L_gen²] needs E[η⁴]. For β ≤ 2 the mean does not exist either. The standard
    error is then no confidence statement and does not shrink like 1/√seeds. Report the median and its interval, which
    need no moments.

    Args:
        values: Values of any unit and shape. A NaN along `axis` makes the mean and the median NaN.
        axis: The axis over seeds.
        level: Confidence level of the interval of the median, between 0 and 1. Few seeds may not reach it: `coverage`
            says what the interval has.
        percentiles: The lower and the upper percentile to report, from 0 to 100.

    Returns:
        A `SeedSummary`.

    Raises:
        InputError: If there is no value along `axis`, or `level` is not allowed.

    References:
        The interval is that of the sign test. `tests/fitting/test_seeds.py` checks its coverage.

    Example:
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> summary = lidjax.summarise_seeds(jnp.arange(1.0, 17.0))
        >>> float(summary.median), float(summary.median_low), float(summary.median_high), round(summary.coverage, 3)
        (8.5, 4.0, 13.0, 0.979)
    """
    values = jnp.asarray(values)
    count = values.shape[axis]
    if count < 1:
        raise InputError(f"values {values.shape} must have at least one value along axis {axis}")
    low, high, coverage = median_ranks(count, check_level(level))
    ordered = jnp.sort(values, axis=axis)
    quantiles = jnp.asarray(np.asarray(percentiles) / 100, values.dtype)
    lower, upper = jnp.quantile(values, quantiles, axis=axis)
    has_nan = jnp.any(jnp.isnan(values), axis=axis)
    error = (
        jnp.std(values, axis=axis, ddof=1) / np.sqrt(count) if count > 1 else jnp.full(has_nan.shape, jnp.nan)
    )
    return SeedSummary(
        mean=jnp.mean(values, axis=axis),
        standard_error=error.astype(values.dtype),
        median=jnp.median(values, axis=axis),
        median_low=jnp.where(has_nan, jnp.nan, jnp.take(ordered, low, axis=axis)),
        median_high=jnp.where(has_nan, jnp.nan, jnp.take(ordered, high, axis=axis)),
        lower=lower,
        upper=upper,
        coverage=coverage,
    )

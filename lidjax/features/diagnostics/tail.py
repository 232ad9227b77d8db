"""How heavy the tail of the label variance is, and whether it is a power law at all.

The model's difficulty has P(τ ≤ t) ~ t^(β/2) as t → 0 (Def. 3.1). With v in the place of 1/τ that is
P(v > x) ~ x^(-β/2), so a Hill estimate a of the index of v is an estimate 2a of β. It exists for any sample. Whether it
means anything is a question for the extreme value index ξ: a regularly varying v has ξ = 2/β > 0, while ξ < 0 is a tail
that ends at a finite value, and no β describes it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num
from scipy.special import gammaincinv

from lidjax.errors import InputError

TAIL_FRACTIONS = (0.2, 0.1, 0.05, 0.02)
"""Fractions of a sample that are read as its tail."""
MIN_TAIL_SIZE = 20
"""Fewest values in a tail, a heuristic: with fewer, the intervals are too wide to tell anything."""
RESAMPLES = 1000


class TailIndex(NamedTuple):
    """Tail of a sample: β by the Hill estimator and the extreme value index ξ, with their intervals."""

    fraction: float
    """The part of the sample that is read as its tail, between 0 and 1."""
    size: int
    """Number of values in the tail."""
    threshold: float
    """The values of the tail are those above it, in the units of the sample."""
    beta: float
    """Hill estimate of β > 0, twice the index of the tail."""
    beta_low: float
    """Lower end of its interval, exact for a Pareto tail."""
    beta_high: float
    """Upper end of its interval."""
    xi: float
    """Moment estimate of the extreme value index ξ, of either sign."""
    xi_low: float
    """Lower end of its bootstrap interval."""
    xi_high: float
    """Upper end of its bootstrap interval."""


def tail_index(
    values: Num[np.ndarray, " m"], fraction: float, *, level: float = 0.95, seed: int = 0
) -> TailIndex:
    """Index of the upper tail of a sample, such as the label variances of real instances.

    The Hill estimate is β = 2a with a = count/Σ log(v_i/threshold). In a Pareto tail that sum is Gamma(count)/a, which
    gives an exact interval. ξ comes from the moment estimator, which is consistent for either sign, with a bootstrap
    interval over the excesses (1000 resamples).

    Args:
        values: sample of m values ≥ 0. Zeros count in m, and may not reach into the tail.
        fraction: the largest `fraction` of all m values is the tail; between 0 and 1, and at least 20 values.
        level: coverage of both intervals, between 0 and 1.
        seed: seed of the bootstrap, an integer ≥ 0.

    Returns:
        A `TailIndex`.

    Raises:
        InputError: if the tail would hold fewer than 20 values, or values that are 0.

    References:
        Hill (1975); Dekkers, Einmahl and de Haan (1989) for ξ. β is that of Def. 3.1, with v in the place of 1/τ.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import tail_index
        >>> pareto = (np.arange(1, 20_001) / 20_001) ** -0.5  # P(v > x) = x^-2, so β = 4
        >>> tail = tail_index(pareto, 0.1)
        >>> tail.size, round(tail.beta, 1), tail.beta_low < 4 < tail.beta_high
        (2000, 4.0, True)
    """
    ordered = np.sort(np.asarray(values, float))[::-1]
    count = int(fraction * len(ordered))
    if not 0 < fraction < 1 or count < MIN_TAIL_SIZE:
        raise InputError(
            f"fraction = {fraction:g} of {len(ordered)} values: must be between 0 and 1, with at least "
            f"{MIN_TAIL_SIZE} values in the tail"
        )
    threshold = ordered[count]
    if threshold <= 0:
        raise InputError(
            f"fraction = {fraction:g}: the tail reaches into the {np.mean(ordered <= 0):.1%} of the values that are 0"
        )
    excess = np.log(ordered[:count] / threshold)
    low, high = (1 - level) / 2, (1 + level) / 2
    # quantiles of Gamma(count); `scipy.stats` has the same numbers, and takes half a second to import
    index_low, index_high = gammaincinv(count, [low, high]) / excess.sum()
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    xi_low, xi_high = np.quantile(_moment_estimate(excess[picks]), [low, high])
    return TailIndex(
        fraction=fraction,
        size=count,
        threshold=float(threshold),
        beta=float(2 * count / excess.sum()),
        beta_low=float(2 * index_low),
        beta_high=float(2 * index_high),
        xi=float(_moment_estimate(excess)),
        xi_low=float(xi_low),
        xi_high=float(xi_high),
    )


def _moment_estimate(excess: Float[np.ndarray, "*batch m"]) -> Float[np.ndarray, "*batch"]:
    """ξ = M₁ + 1 - ½/(1 - M₁²/M₂), with M_j the mean of the j-th power of the log excesses, along the last axis."""
    first, second = excess.mean(axis=-1), (excess**2).mean(axis=-1)
    return np.asarray(first + 1 - 0.5 / (1 - first**2 / second))


def is_regularly_varying(tails: Sequence[TailIndex]) -> bool | None:
    """Whether tails of one sample, read at several fractions, look like one power law.

    Args:
        tails: at least one `TailIndex` of the same sample.

    Returns:
        False if a tail ends (the interval of ξ is below 0) or if β depends on the fraction (two intervals of β do not
        overlap); otherwise True if every interval of ξ is above 0, and None if the tails cannot tell.

    References:
        Derived for this project; checked on Pareto, bounded and exponential samples in
        tests/features/diagnostics/test_tail.py.

    Example:
        >>> import numpy as np
        >>> from lidjax.features import is_regularly_varying, tail_index
        >>> u = np.arange(1, 4001) / 4001.0
        >>> is_regularly_varying([tail_index(u**-0.5, fraction) for fraction in (0.1, 0.2)])  # Pareto
        True
        >>> is_regularly_varying([tail_index(1 - 0.9 * u, fraction) for fraction in (0.1, 0.2)])  # at most 1
        False
    """
    ends = any(tail.xi_high < 0 for tail in tails)
    drifts = max(tail.beta_low for tail in tails) > min(tail.beta_high for tail in tails)
    if ends or drifts:
        return False
    return True if all(tail.xi_low > 0 for tail in tails) else None

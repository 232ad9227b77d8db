"""How heavy the tail of the label variance is, and whether it is a power law at all.

The model's difficulty has P(τ ≤ t) ~ t^(β/2) as t → 0 (Def. 3.1). With v in the place of 1/τ that is
P(v > x) ~ x^(-β/2), so a Hill estimate a of the index of v is an estimate 2a of β. It exists for any sample; the
extreme value index ξ says whether it means something. A regularly varying v has ξ = 2/β > 0; ξ < 0 is a tail that
ends at a finite value, and no β describes it.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import gamma

from lidjax.errors import InputError

FRACTIONS = (0.2, 0.1, 0.05, 0.02)  # of the sample, largest values
LEAST = 20  # values in a tail, for an interval to mean something
RESAMPLES = 1000


class TailIndex(NamedTuple):
    """The largest `size` values, above `threshold`: β by Hill and the extreme value index ξ, with intervals."""

    fraction: float
    size: int
    threshold: float
    beta: float
    beta_low: float
    beta_high: float
    xi: float
    xi_low: float
    xi_high: float


def tail_index(values: np.ndarray, fraction: float, *, level: float = 0.95, seed: int = 0) -> TailIndex:
    """Tail of positive `values` (m,): of the largest `fraction` of all m (zeros count in m, not in the tail).

    β = 2a, a = count/Σ log(v_i/threshold) (Hill 1975); its interval is exact for a Pareto tail, where the sum is
    Gamma(count)/a. ξ is the moment estimator (Dekkers, Einmahl and de Haan 1989), consistent for either sign, with a
    bootstrap interval over the excesses. Raises InputError where the tail holds under 20 values or reaches the zeros.
    """
    ordered = np.sort(np.asarray(values, float))[::-1]
    count = int(fraction * len(ordered))
    if not 0 < fraction < 1 or count < LEAST:
        raise InputError(
            f"fraction = {fraction:g} of {len(ordered)} values: a tail wants at least {LEAST}, and under all"
        )
    threshold = ordered[count]
    if threshold <= 0:
        raise InputError(
            f"fraction = {fraction:g}: reaches into the {np.mean(ordered <= 0):.1%} of the values that are 0"
        )
    excess = np.log(ordered[:count] / threshold)
    low, high = (1 - level) / 2, (1 + level) / 2
    index = gamma.ppf([low, 0.5, high], count) / excess.sum()
    picks = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    xi_low, xi_high = np.quantile(_moment_estimate(excess[picks]), [low, high])
    return TailIndex(
        fraction=fraction,
        size=count,
        threshold=float(threshold),
        beta=float(2 * count / excess.sum()),
        beta_low=float(2 * index[0]),
        beta_high=float(2 * index[2]),
        xi=float(_moment_estimate(excess)),
        xi_low=float(xi_low),
        xi_high=float(xi_high),
    )


def _moment_estimate(excess: np.ndarray) -> np.ndarray:
    """ξ = M₁ + 1 - ½/(1 - M₁²/M₂), M_j the mean of the j-th power of the log excesses, along the last axis."""
    first, second = excess.mean(axis=-1), (excess**2).mean(axis=-1)
    return np.asarray(first + 1 - 0.5 / (1 - first**2 / second))


def is_regularly_varying(tails: list[TailIndex]) -> bool | None:
    """False if some tail ends (ξ < 0 beyond its interval) or two give β whose intervals do not meet, True if every ξ is
    above 0 beyond its interval, None if the tails cannot tell."""
    ends = any(tail.xi_high < 0 for tail in tails)
    drifts = max(tail.beta_low for tail in tails) > min(tail.beta_high for tail in tails)
    if ends or drifts:
        return False
    return True if all(tail.xi_low > 0 for tail in tails) else None

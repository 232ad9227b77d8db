"""The tail index by name of the estimator. On one set of counts they differ by half, so it is never just "the
exponent".

slope-log-failure       -d log L_inf / d log k over the window [n/10, n] of the unbiased curve; L_inf(k) = 1 - pass@k
slope-log-log-pass      b of -log pass@k = a k^-b by least squares over k ≤ n
beta-binomial           a of the fitted Beta(a, b): the asymptotic exponent, if the family is right
default                 slope of the default model's density of log p, a factor 150 below the knee, under the
                        prior that does not prefer straight pass@k curves (that of the forecasts does)
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lidjax.evals.baselines import curve_points
from lidjax.evals.bootstrap import Resampled
from lidjax.evals.rates.population import Posterior
from lidjax.passk import failure_from_counts


class TailIndex(NamedTuple):
    """An estimate, its interval, and what the interval is: the bootstrap's kind, or the posterior."""

    estimator: str
    value: float
    lower: float
    upper: float
    interval: str


def window_slope(n, c) -> float:
    """-slope of log(1 - pass@k) in log k over [n/10, n]; NaN where pass@k reaches 1 inside."""
    smallest = int(np.min(n))
    k = np.unique(np.round(np.geomspace(max(smallest / 10, 1), smallest, 12)).astype(np.int64))
    failure = failure_from_counts(n[:, None], c[:, None], k[None, :]).mean(axis=0)
    return slope(k, failure, np.log)


def loglog_slope(n, c) -> float:
    """b of -log pass@k = a k^-b; NaN where fewer than two points lie strictly between 0 and 1."""
    k = curve_points(n)
    value = 1 - failure_from_counts(n[:, None], c[:, None], k[None, :]).mean(axis=0)
    return slope(k, value, lambda x: np.log(-np.log(x)))


def slope(k, value, transform) -> float:
    usable = (value > 0) & (value < 1)
    if usable.sum() < 2:
        return float("nan")
    return float(-np.polyfit(np.log(k[usable]), transform(value[usable]), 1)[0])


SLOPES = {"slope-log-failure": window_slope, "slope-log-log-pass": loglog_slope}


def tail_indices(
    n, c, posterior: Posterior, resampled: Resampled | None, *, level: float = 0.9
) -> list[TailIndex]:
    """All estimators on one group. Without `resampled` the first three come without an interval (NaN)."""
    found = []
    edges = [(1 - level) / 2, (1 + level) / 2]
    for name, estimate in SLOPES.items():
        lower, upper, kind = float("nan"), float("nan"), "none"
        if resampled is not None:
            repeats = np.array([estimate(*pair) for pair in resampled.counts])
            if np.isfinite(repeats).any():
                lower, upper = np.nanquantile(repeats, edges).tolist()
            kind = f"bootstrap over {resampled.over}"
        found.append(TailIndex(name, estimate(n, c), lower, upper, kind))
    if resampled is not None:
        lower, upper = np.quantile(np.exp(resampled.params[:, 0]), edges).tolist()
        found.append(
            TailIndex("beta-binomial", resampled.estimate, lower, upper, f"bootstrap over {resampled.over}")
        )
    quantile = partial(weighted_quantile, np.exp(posterior.params[:, 1]), posterior.weights)
    found.append(TailIndex("default", quantile(0.5), quantile(edges[0]), quantile(edges[1]), "posterior"))
    return found


def weighted_quantile(
    values: Float[np.ndarray, " m"], weights: Float[np.ndarray, " m"], level: float
) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][min(np.searchsorted(total, level * total[-1]), len(values) - 1)])

"""One metric of one group over k: what the counts say without bias, and what the posterior says of these problems."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lidjax.evals.json_types import MetricValueJson
from lidjax.evals.table import Group

Rates = Float[np.ndarray, "s p"]
"""S equally weighted posterior draws of the success rates of P problems."""


class MetricCurve(NamedTuple):
    """A metric over k, averaged over the problems of a group; arrays have shape (K,)."""

    metric: str
    """Name of the metric, such as "pass^k"."""
    k: Float[np.ndarray, " k"]
    """Number of attempts; infinity is the limit of many attempts."""
    unbiased: Float[np.ndarray, " k"]
    """Unbiased estimate from the counts; NaN where k is more than the attempts made, or sampling was adaptive."""
    value: Float[np.ndarray, " k"]
    """Median of the posterior, or of the forecast of a run."""
    lower: Float[np.ndarray, " k"]
    """Lower end of its interval."""
    upper: Float[np.ndarray, " k"]
    """Upper end of its interval."""
    interval_of: str
    """What the interval is for: "these problems", or "a run" of k attempts at each of them."""

    def to_rows(self) -> list[MetricValueJson]:
        """One dictionary of plain numbers for each k; k is infinity for the limit."""
        values = {name: getattr(self, name).tolist() for name in ("unbiased", "value", "lower", "upper")}
        return [
            {
                "metric": self.metric,
                "k": int(k) if np.isfinite(k) else k,
                "unbiased": values["unbiased"][i],
                "value": values["value"][i],
                "lower": values["lower"][i],
                "upper": values["upper"][i],
                "interval_of": self.interval_of,
            }
            for i, k in enumerate(self.k.tolist())
        ]


def curve_from_draws(
    metric: str,
    k: Float[np.ndarray, " k"],
    unbiased: Float[np.ndarray, " k"],
    draws: Float[np.ndarray, "s k"],
    level: float,
    interval_of: str = "these problems",
) -> MetricCurve:
    """A curve with the median and the interval of draws of it."""
    low, middle, high = np.quantile(draws, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
    return MetricCurve(metric, k, unbiased, middle, low, high, interval_of)


def unbiased_means(
    group: Group,
    k: Float[np.ndarray, " k"],
    estimate: Callable[[Int[np.ndarray, " p"], Int[np.ndarray, " p"], int], Any],
    *,
    biased: bool,
) -> Float[np.ndarray, " k"]:
    """Mean over problems of an estimate at each k that all problems have attempts for; NaN elsewhere."""
    found = np.full(len(k), np.nan)
    for i, size in enumerate(k.tolist()):
        if not biased and size <= group.n.min():
            found[i] = float(np.mean(estimate(group.n, group.c, int(size))))
    return found

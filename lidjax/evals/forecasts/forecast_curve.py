"""pass@k as a curve, for figures: its own closely spaced k from 1 to the largest target, whatever the targets are."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from lidjax.evals.curve import pass_at_k_curve, unbiased_curve_points
from lidjax.evals.fit import needs_likelihood
from lidjax.evals.forecasts.forecast import forecast_from_posterior
from lidjax.evals.forecasts.new_problems import new_problems_from_posterior
from lidjax.evals.rates.quadrature import COARSE_GRID, count_rows
from lidjax.evals.report import GroupFit

POINTS_A_DECADE = 8
"""Number of k a decade: enough for a line that looks smooth."""


class ForecastCurve(NamedTuple):
    """pass@k of one group at K values of k from 1 to the largest target of its fit, and where attempts were made."""

    k: Int[np.ndarray, " k"]
    """Values of k (K,)."""
    value: Float[np.ndarray, " k"]
    """Median of pass@k of these problems (K,)."""
    lower: Float[np.ndarray, " k"]
    """Lower end of its interval (K,)."""
    upper: Float[np.ndarray, " k"]
    """Upper end of its interval (K,)."""
    new_lower: Float[np.ndarray, " k"]
    """Lower end of the interval of as many new problems (K,)."""
    new_upper: Float[np.ndarray, " k"]
    """Upper end of that interval (K,)."""
    known_k: Int[np.ndarray, " m"]
    """Values of k (m,) that every problem has attempts for; none where the unbiased pass@k is biased."""
    unbiased: Float[np.ndarray, " m"]
    """Unbiased pass@k there (m,)."""


def forecast_curve(fit: GroupFit, *, seed: int = 0) -> ForecastCurve:
    """The curve of one group, from the posterior of its fit.

    Args:
        fit: One of the results of `fit_evals`.
        seed: Seed of the posterior draws.

    Returns:
        Medians and intervals at the level of the fit, and the unbiased pass@k as far as the attempts reach.

    Example:
        >>> import numpy as np
        >>> import lidjax.evals
        >>> group = lidjax.evals.Group("small", {}, tuple("abcd"), np.full(4, 50), np.array([0, 2, 9, 50]))
        >>> (fit,) = lidjax.evals.fit_evals(lidjax.evals.EvalData((group,), "by hand"), targets=[1000])
        >>> curve = lidjax.evals.forecast_curve(fit)
        >>> int(curve.k[0]), int(curve.k[-1]), int(curve.known_k[-1])
        (1, 1000, 50)
    """
    n, c, level = fit.group.n, fit.group.c, fit.forecast.level
    last = int(np.max(fit.forecast.k))
    points = max(2, round(POINTS_A_DECADE * np.log10(last)) + 1)
    k = np.unique(np.rint(np.geomspace(1, last, points)).astype(np.int64))
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        rows = count_rows(n, c, COARSE_GRID)
        own = forecast_from_posterior(rng, fit.posterior, rows, n, c, k, level=level)
        new = new_problems_from_posterior(rng, fit.posterior, k, problems=len(n), level=level)
    known = np.zeros(0, dtype=np.int64) if needs_likelihood(fit.findings) else unbiased_curve_points(n)
    known = known[known <= last]
    return ForecastCurve(
        k,
        own.latent,
        own.latent_lower,
        own.latent_upper,
        new.lower,
        new.upper,
        known,
        pass_at_k_curve(n, c, known),
    )

"""The published kinds of estimator, to be compared with: a power law through the pass@k curve, beta fits to counts
and to rates.

least-squares    -log pass@k = a k^-b, a line by ordinary least squares in log-log through the unbiased estimates
                 at k ≤ n (Brown et al. 2024, "Large language monkeys"; Hughes et al. 2024)
beta-binomial    maximum likelihood on counts, pass@K = 1 - B(a, b+K)/B(a, b)
discretised-beta maximum likelihood of a beta distribution on plug-in rates c/n sorted into bins, the zeros in
                 the first bin [0, 1/n) (Schaeffer et al. 2025, "How do large language monkeys get their power (laws)?")

Point forecasts only; none of them says how sure it is.
"""

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import betainc, betaln

from lidjax.evals.rates.families import BETA
from lidjax.evals.rates.likelihood import fit_family
from lidjax.evals.rates.quadrature import count_rows
from lidjax.passk import pass_at_k_from_counts

CURVE_POINTS = 30  # values of k, evenly spaced in log k
BINS = 40


def pass_curve(n, c, k) -> Float[np.ndarray, " k"]:
    """Mean unbiased pass@k over problems at each k ≤ min n."""
    return pass_at_k_from_counts(n[:, None], c[:, None], np.asarray(k)[None, :]).mean(axis=0)


def curve_points(n) -> np.ndarray:
    return np.unique(np.round(np.geomspace(1, n.min(), CURVE_POINTS)).astype(np.int64))


def fit_power_law(n, c) -> tuple[float, float]:
    """(a, b) of -log pass@k = a k^-b; NaN where fewer than two points lie strictly between 0 and 1."""
    k = curve_points(n)
    value = pass_curve(n, c, k)
    usable = (value > 0) & (value < 1)
    if usable.sum() < 2:
        return float("nan"), float("nan")
    slope, intercept = np.polyfit(np.log(k[usable]), np.log(-np.log(value[usable])), 1)
    return float(np.exp(intercept)), float(-slope)


def least_squares_forecast(n, c, target):
    a, b = fit_power_law(n, c)
    return np.exp(-a * np.asarray(target, dtype=float) ** -b)


def beta_binomial_forecast(n, c, target):
    rows = count_rows(n, c)
    fit = fit_family(BETA, rows)
    return beta_pass_at_k(float(np.exp(fit.params[0])), float(np.exp(fit.params[1])), target)


def discretised_beta_forecast(n, c, target):
    first = 1 / n.max()
    edges = np.append(0.0, np.geomspace(first, 1.0, BINS)) if first < 1 else np.array([0.0, 1.0])
    share, _ = np.histogram(c / n, edges)

    def cost(params):
        mass = np.diff(betainc(*np.exp(params), edges))
        return -np.sum(share * np.log(np.maximum(mass, 1e-300)))

    starts = ((-1.0, 2.0), (0.0, 5.0), (-1.0, 4.0))
    fits = [minimize(cost, start, method="Nelder-Mead", options={"maxiter": 2000}) for start in starts]
    a, b = np.exp(min(fits, key=lambda fit: fit.fun).x)
    return beta_pass_at_k(a, b, target)


def beta_pass_at_k(a, b, target):
    k = np.asarray(target, dtype=float)
    return -np.expm1(betaln(a, b + k) - betaln(a, b))


BASELINES = {
    "least-squares": least_squares_forecast,
    "beta-binomial": beta_binomial_forecast,
    "discretised-beta": discretised_beta_forecast,
}

"""The published kinds of estimator of pass@K, for comparison: a power law, and two fits of a beta distribution.

least-squares    -log pass@k = a k^-b, a straight line by ordinary least squares through the unbiased estimates at k ≤ n
                 on log scales (Brown et al. 2024, "Large language monkeys"; Hughes et al. 2024)
beta-binomial    maximum likelihood on counts, pass@K = 1 - B(a, b+K)/B(a, b)
discretised-beta maximum likelihood of a beta distribution on the rates c/n sorted into bins, with the zeros in the
                 first bin [0, 1/n) (Schaeffer et al. 2025, "How do large language monkeys get their power (laws)?")

They are point forecasts without an interval. With one attempt at each problem the counts do not say how rates spread:
then they are not identified, and NaN.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, betaln

from lidjax.evals.curve import Counts, fit_log_line, log_minus_log, pass_at_k_curve, unbiased_curve_points
from lidjax.evals.rates.families import BETA
from lidjax.evals.rates.likelihood import fit_family
from lidjax.evals.rates.quadrature import count_rows

BINS = 40  # bins of the discretised beta; heuristic


def fit_pass_power_law(n: Counts, c: Counts) -> tuple[float, float]:
    """(a, b) of -log pass@k = a k^-b. NaN where fewer than two points lie strictly between 0 and 1."""
    k = unbiased_curve_points(n)
    slope, intercept = fit_log_line(k, pass_at_k_curve(n, c, k), log_minus_log)
    return float(np.exp(intercept)), -slope


def least_squares_forecast(n: Counts, c: Counts, target: int) -> float:
    """pass@target on the power law."""
    a, b = fit_pass_power_law(n, c)
    return float(np.exp(-a * np.asarray(target, dtype=float) ** -b))


def beta_binomial_forecast(n: Counts, c: Counts, target: int) -> float:
    """pass@target under the beta distribution fitted to the counts; NaN with one attempt at each problem."""
    if n.max() == 1:
        return float("nan")
    fit = fit_family(BETA, count_rows(n, c))
    return beta_pass_at_k(float(np.exp(fit.params[0])), float(np.exp(fit.params[1])), target)


def discretised_beta_forecast(n: Counts, c: Counts, target: int) -> float:
    """pass@target under the beta distribution fitted to the binned rates; NaN with one attempt at each problem."""
    if n.max() == 1:
        return float("nan")
    from scipy.optimize import minimize  # here, because scipy.optimize takes long to import

    edges = np.append(0.0, np.geomspace(1 / n.max(), 1.0, BINS))
    share, _ = np.histogram(c / n, edges)

    def cost(params: Float[np.ndarray, "2"]) -> float:
        mass = np.diff(betainc(*np.exp(params), edges))
        return -np.sum(share * np.log(np.maximum(mass, 1e-300)))

    starts = ((-1.0, 2.0), (0.0, 5.0), (-1.0, 4.0))
    fits = [minimize(cost, start, method="Nelder-Mead", options={"maxiter": 2000}) for start in starts]
    a, b = np.exp(min(fits, key=lambda fit: fit.fun).x)
    return beta_pass_at_k(a, b, target)


def beta_pass_at_k(a: float, b: float, target: int) -> float:
    """E[1 - (1-p)^K] = 1 - B(a, b+K)/B(a, b) for p ~ Beta(a, b)."""
    return float(-np.expm1(betaln(a, b + np.asarray(target, dtype=float)) - betaln(a, b)))


BASELINES: dict[str, Callable[[Counts, Counts, int], float]] = {
    "least-squares": least_squares_forecast,
    "beta-binomial": beta_binomial_forecast,
    "discretised-beta": discretised_beta_forecast,
}

"""Importance sampling with multivariate t proposals: quasi-random points, their density, tempered weights."""

from functools import cache

import numpy as np
from jaxtyping import Float
from scipy import special

from lidjax.evals.rates.sobol import sobol_points

FEWEST_EFFECTIVE = 60.0  # heuristic: weights are tempered until their effective sample size is this large

Location = Float[np.ndarray, " d"]
Factor = Float[np.ndarray, "d d"]


@cache
def standard_points(
    count: int, dim: int, seed: int
) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, " m"]]:
    """`count` quasi-random points: standard normal ones, and a uniform number for each. The same in every call."""
    uniform = np.clip(sobol_points(count, dim + 1, seed), 1e-12, 1 - 1e-12)
    return special.ndtri(uniform[:, :-1]), uniform[:, -1]


@cache
def standard_t(count: int, dim: int, df: float, seed: int) -> Float[np.ndarray, "m d"]:
    """`count` quasi-random points of a standard multivariate t."""
    normal, uniform = standard_points(count, dim, seed)
    return normal / np.sqrt(special.gammaincinv(df / 2, uniform) * 2 / df)[:, None]


def log_t(
    points: Float[np.ndarray, "m d"], location: Location, factor: Factor, df: float
) -> Float[np.ndarray, " m"]:
    """Log density of a multivariate t. `factor` is the Cholesky factor of its scale matrix."""
    dim = len(location)
    square = np.sum((np.linalg.inv(factor) @ (points - location).T) ** 2, axis=0)
    norm = special.gammaln((df + dim) / 2) - special.gammaln(df / 2) - 0.5 * dim * np.log(df * np.pi)
    return norm - np.sum(np.log(np.diag(factor))) - 0.5 * (df + dim) * np.log1p(square / df)


def log_normal(
    x: Float[np.ndarray, "... d"], mean: Float[np.ndarray, "... d"], scale: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "..."]:
    """Log density of independent normal variables, summed over the last axis."""
    return -0.5 * np.sum(((x - mean) / scale) ** 2 + np.log(2 * np.pi * scale**2), axis=-1)


def temper(log_weight: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Normalised weights, raised to the largest power ≤ 1 with an effective sample size of FEWEST_EFFECTIVE.

    Without it the next proposal is fitted to the one or two points that happen to lie best.
    """
    low, high, power = 0.0, 1.0, 1.0
    weights = special.softmax(log_weight)
    for _ in range(12):
        weights = special.softmax(power * log_weight)
        enough = 1 / np.sum(weights**2) >= FEWEST_EFFECTIVE
        if enough and power == 1.0:
            return weights
        low, high = (power, high) if enough else (low, power)
        power = 0.5 * (low + high)
    return special.softmax(low * log_weight)

"""Likelihood of counts on a grid of x = logit p, ready for any density of success rates.

A density f on the nodes stands for its linear interpolation, f(x) = Σ_g f_g φ_g(x) with hat functions φ_g. The
likelihood of (n, c) is then linear in f,

    P(c | n) = ∫ C(n,c) p^c (1-p)^(n-c) f(x) dx = Σ_g f_g R_g,      R_g = ∫ C(n,c) p^c (1-p)^(n-c) φ_g(x) dx,

and R is integrated once, as finely as the counts ask for: a sharp likelihood (large c) costs nothing later. The
error that is left is that of interpolating f, an eighth of the squared step times its curvature.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import gammaln

FINEST = 512  # subdivisions of a cell: enough for c = 10^6, whose likelihood is 1e-3 wide in x

Vector = Float[np.ndarray, " g"] | Float[Array, " g"]


class Grid(NamedTuple):
    """Nodes x (G,) and their trapezoid weights (G,), so that ∫ f dx = Σ_g f_g weights_g."""

    nodes: Vector
    weights: Vector


def make_grid(step: float) -> Grid:
    """Rates from 1e-20 to 1 - 6e-6: `step` where a hundred or a million attempts see something, four times that
    outside."""
    parts = []
    for low, high, width in ((-46.0, -14.0, 4 * step), (-14.0, 6.0, step), (6.0, 12.0, 4 * step)):
        parts.append(np.linspace(low, high, round((high - low) / width), endpoint=False))
    nodes = np.append(np.concatenate(parts), 12.0)
    gaps = np.diff(nodes)
    return Grid(nodes, 0.5 * (np.append(gaps, 0) + np.append(0, gaps)))


FINE = make_grid(0.1)  # 294 nodes: one family on one group, log-likelihood right to 0.02 for 128 problems
COARSE = make_grid(0.2)  # 148 nodes: many groups, thousands of evaluations; right to 0.1


class CountRows(NamedTuple):
    """Distinct counts of one group: P problems share U pairs (n, c).

    `likelihood` (U, G) is R with each row divided by exp(`log_scale`) (U,), which also holds the binomial coefficient;
    `index` (P,) says which row a problem has; `multiplicity` (U,) is how many problems have it.
    """

    n: Int[np.ndarray, " u"]
    c: Int[np.ndarray, " u"]
    likelihood: Float[np.ndarray, "u g"]
    log_scale: Float[np.ndarray, " u"]
    index: Int[np.ndarray, " p"]  # pyright: ignore[reportIncompatibleMethodOverride]
    multiplicity: Float[np.ndarray, " u"]


def count_rows(n, c, grid: Grid = FINE) -> CountRows:
    """Likelihood rows of the distinct pairs among `n`, `c` (P,)."""
    pairs, index, multiplicity = np.unique(
        np.column_stack([n, c]), axis=0, return_inverse=True, return_counts=True
    )
    rows, log_scale = likelihood_rows(pairs[:, 0], pairs[:, 1], grid)
    return CountRows(pairs[:, 0], pairs[:, 1], rows, log_scale, index.ravel(), multiplicity.astype(float))


def likelihood_rows(n, c, grid: Grid = FINE) -> tuple[Float[np.ndarray, "u g"], Float[np.ndarray, " u"]]:
    """(R, log scale) for pairs (n, c), each (U,); 0 ≤ c ≤ n. The largest value of the scaled likelihood is 1."""
    n, c = np.asarray(n, dtype=float), np.asarray(c, dtype=float)
    rows = np.empty((len(n), len(grid.nodes)))
    sharpness = np.sqrt(np.maximum(c, 1) * np.maximum(n - c, 1) / np.maximum(n, 1))  # 1 / width in x
    wanted = 4 * np.max(np.diff(grid.nodes)) * sharpness
    sizes = np.clip(2 ** np.ceil(np.log2(wanted)), 8, FINEST).astype(int)
    for size in np.unique(sizes):
        chosen = sizes == size
        rows[chosen] = integrate_rows(n[chosen], c[chosen], grid, int(size))
    peak = _power(c, c / n) + _power(n - c, 1 - c / n)
    return rows, peak + gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)


def integrate_rows(n, c, grid: Grid, size: int) -> Float[np.ndarray, "u g"]:
    """R by the midpoint rule with `size` points a cell, relative to each row's largest likelihood."""
    share = (np.arange(size) + 0.5) / size
    gaps = np.diff(grid.nodes)
    x = (grid.nodes[:-1, None] + gaps[:, None] * share).ravel()
    log_hit, log_miss = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    rows = np.zeros((len(n), len(grid.nodes)))
    peak = _power(c, c / n) + _power(n - c, 1 - c / n)
    for i, (attempts, right) in enumerate(zip(n, c, strict=True)):
        scaled = np.exp(right * log_hit + (attempts - right) * log_miss - peak[i])
        cell = scaled.reshape(-1, size) * (gaps[:, None] / size)
        rows[i, :-1] += cell @ (1 - share)
        rows[i, 1:] += cell @ share
    return rows


def _power(count, rate):
    """count · log rate, 0 for a count of 0."""
    return count * np.log(np.where(count > 0, rate, 1.0))

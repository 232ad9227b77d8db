"""Likelihood of counts on a grid of x = logit p, ready for any density of success rates.

A density f on the nodes stands for its linear interpolation, f(x) = Σ_g f_g φ_g(x) with hat functions φ_g. The
likelihood of (n, c) is then linear in f,

    P(c | n) = ∫ C(n,c) p^c (1-p)^(n-c) f(x) dx = Σ_g f_g R_g,      R_g = ∫ C(n,c) p^c (1-p)^(n-c) φ_g(x) dx.

R is integrated once, with as many points as the width of the likelihood needs, so a narrow likelihood (large c) costs
nothing in the fits. What remains is the error of interpolating f: an eighth of the squared step times the curvature
of f.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import gammaln

FINEST = 512  # largest number of points in a cell: enough for c = 10^6, whose likelihood has width 1e-3 in x

Nodes = Float[np.ndarray, " g"] | Float[Array, " g"]


class LogitGrid(NamedTuple):
    """Nodes x = logit p (G,) and their trapezoid weights (G,), so that ∫ f dx = Σ_g f_g weights_g."""

    nodes: Nodes
    weights: Nodes


def make_grid(step: float) -> LogitGrid:
    """A grid for rates from 1e-20 to 1 - 6e-6.

    The distance between nodes is `step` for x from -14 to 6, the rates that a hundred to a million attempts can
    resolve, and four times that outside.
    """
    segments: list[np.ndarray] = []
    for low, high, width in ((-46.0, -14.0, 4 * step), (-14.0, 6.0, step), (6.0, 12.0, 4 * step)):
        segments.append(np.linspace(low, high, round((high - low) / width), endpoint=False))
    nodes = np.append(np.concatenate(segments), 12.0)
    gaps = np.diff(nodes)
    return LogitGrid(nodes, 0.5 * (np.append(gaps, 0) + np.append(0, gaps)))


FINE_GRID = make_grid(0.1)
"""294 nodes, for maximum likelihood: the log-likelihood of 128 problems is right to 0.02."""

COARSE_GRID = make_grid(0.2)
"""148 nodes, for the default model, which is evaluated thousands of times: right to 0.1."""


class CountRows(NamedTuple):
    """The U distinct pairs (n, c) of the P problems of one group, and their likelihoods."""

    n: Int[np.ndarray, " u"]
    """Number of attempts (U,)."""
    c: Int[np.ndarray, " u"]
    """Number of correct answers (U,)."""
    likelihood: Float[np.ndarray, "u g"]
    """R (U, G); each row is divided by exp(`log_scale`)."""
    log_scale: Float[np.ndarray, " u"]
    """Logarithm of the factor taken out of each row (U,), binomial coefficient included."""
    index: Int[np.ndarray, " p"]  # pyright: ignore[reportIncompatibleMethodOverride]  # hides tuple.index
    """The row of each problem (P,)."""
    multiplicity: Float[np.ndarray, " u"]
    """Number of problems that share each row (U,)."""


def count_rows(n: Int[np.ndarray, " p"], c: Int[np.ndarray, " p"], grid: LogitGrid = FINE_GRID) -> CountRows:
    """Likelihoods on `grid` of the distinct pairs among `n` and `c` (P,)."""
    pairs, index, multiplicity = np.unique(
        np.column_stack([n, c]), axis=0, return_inverse=True, return_counts=True
    )
    likelihood, log_scale = likelihood_rows(pairs[:, 0], pairs[:, 1], grid)
    return CountRows(
        pairs[:, 0], pairs[:, 1], likelihood, log_scale, index.ravel(), multiplicity.astype(float)
    )


def likelihood_rows(
    n: Int[np.ndarray, " u"], c: Int[np.ndarray, " u"], grid: LogitGrid = FINE_GRID
) -> tuple[Float[np.ndarray, "u g"], Float[np.ndarray, " u"]]:
    """(R, log scale) for pairs (n, c) with 0 ≤ c ≤ n. The largest value of each scaled likelihood is 1."""
    attempts, correct = np.asarray(n, dtype=float), np.asarray(c, dtype=float)
    rows = np.empty((len(attempts), len(grid.nodes)))
    # one over the width of the likelihood in x
    sharpness = np.sqrt(np.maximum(correct, 1) * np.maximum(attempts - correct, 1) / np.maximum(attempts, 1))
    wanted = 4 * np.max(np.diff(grid.nodes)) * sharpness
    sizes = np.clip(2 ** np.ceil(np.log2(wanted)), 8, FINEST).astype(int)
    for size in np.unique(sizes):
        chosen = sizes == size
        rows[chosen] = integrate_rows(attempts[chosen], correct[chosen], grid, int(size))
    log_scale = log_peak(attempts, correct)
    return rows, log_scale + gammaln(attempts + 1) - gammaln(correct + 1) - gammaln(attempts - correct + 1)


def integrate_rows(
    n: Float[np.ndarray, " u"], c: Float[np.ndarray, " u"], grid: LogitGrid, size: int
) -> Float[np.ndarray, "u g"]:
    """R by the midpoint rule with `size` points in each cell, relative to the largest likelihood of each row."""
    share = (np.arange(size) + 0.5) / size
    gaps = np.diff(grid.nodes)
    x = (np.asarray(grid.nodes)[:-1, None] + gaps[:, None] * share).ravel()
    log_hit, log_miss = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    rows = np.zeros((len(n), len(grid.nodes)))
    peak = log_peak(n, c)
    for i, (attempts, correct) in enumerate(zip(n, c, strict=True)):
        scaled = np.exp(correct * log_hit + (attempts - correct) * log_miss - peak[i])
        cell = scaled.reshape(-1, size) * (gaps[:, None] / size)
        rows[i, :-1] += cell @ (1 - share)
        rows[i, 1:] += cell @ share
    return rows


def log_peak(n: Float[np.ndarray, " u"], c: Float[np.ndarray, " u"]) -> Float[np.ndarray, " u"]:
    """Largest value over p of c log p + (n-c) log(1-p), which is at p = c/n."""

    def times_log(count: np.ndarray, rate: np.ndarray) -> np.ndarray:
        return count * np.log(np.where(count > 0, rate, 1.0))

    return times_log(c, c / n) + times_log(n - c, 1 - c / n)

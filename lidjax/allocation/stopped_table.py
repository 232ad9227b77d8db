"""L_inf(k) and A(k) of one model for many L_gen and every k: what a search over attempts that stop at a success reads.

At given bias neither depends on v = L_gen/σ² (see `lidjax.passk.curve`), so one table over biases serves all v by a
weighted sum, exact in v. In log k both are interpolated by splines of degree 5. Measured against the full quadrature
they are within 1e-6 up to k = 1e12; what a search finds with them is evaluated exactly afterwards.
"""

import math
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.allocation.budget import MOST_ATTEMPTS
from lidjax.difficulty import Difficulty
from lidjax.passk.attempts import bias_free_attempts
from lidjax.passk.curve import nodes_in_bias, nodes_in_precision
from lidjax.passk.population import Rule, log_bias_free
from lidjax.passk.quadrature import log_prior, log_rate, log_rate_unbiased

LOG_MOST = math.log(MOST_ATTEMPTS)
LOG_K = np.concatenate(
    [np.linspace(0, 8, 49)[:-1], np.linspace(8, LOG_MOST, 128)]
)  # the curves bend most at small k
SMALLEST_V, LARGEST_V = 1e-12, 1e10  # beyond them bias is no longer seen, or all that is seen
_BIAS_NODES, _TAU_NODES, _ROWS = 384, 640, 8
_DEGREE = 5
_RULE = Rule(free=384, outer=0, inner=0, depth=24.0)
_TINY = 1e-290  # stands for Y where it underflows: then kY is small for every k


class BiasTable(NamedTuple):
    """Means at given bias, over q values of k, for n biases."""

    alpha: Any
    """(B/σ)²/2 of each bias, (n,)."""
    weight: Any
    """Step of log α at each of them, (n,)."""
    log_free: Any
    """log L_inf without bias, (q,)."""
    free_attempts: Any
    """A(k) without bias, (q,)."""
    rise: Any
    """What each bias adds to L_inf, (n, q)."""
    rise_attempts: Any
    """What each bias adds to A, (n, q)."""


@partial(jax.jit, static_argnames="difficulty")
def _build(
    log_v_low: jax.Array, log_v_high: jax.Array, beta: jax.Array, eps: jax.Array, difficulty: Difficulty
) -> BiasTable:
    """The table for v between two ends, β and δ/σ."""
    k = jnp.exp(jnp.asarray(LOG_K))
    log_alpha, weight = nodes_in_bias(log_v_low, log_v_high, k[-1], beta, eps, difficulty, _BIAS_NODES)
    log_free = jax.vmap(lambda k: log_bias_free(k, beta, eps, difficulty, _RULE))(k)
    free_attempts = jax.vmap(lambda k: bias_free_attempts(k, beta, eps, difficulty, _RULE))(k)
    free = jnp.exp(log_free[-1])
    y, dy = nodes_in_precision(log_v_low, log_v_high, k[-1], free, beta, eps, difficulty, _TAU_NODES)
    log_tau, log_f = log_prior(y, beta, difficulty)
    root = jnp.exp(log_tau / 2)
    h, f = eps * root, jnp.exp(log_f) * dy

    def means(rate: jax.Array) -> jax.Array:
        rate = jnp.maximum(rate, _TINY)
        z = k[:, None] * rate[None, :]
        attempts = jnp.expm1(-z) @ (f / jnp.expm1(-rate))
        return jnp.stack([jnp.exp(-z) @ f, attempts])

    unbiased = means(jnp.exp(log_rate_unbiased(h)))

    def added(log_alpha: jax.Array) -> jax.Array:
        return means(jnp.exp(log_rate(jnp.exp(0.5 * (math.log(2) + log_alpha)) * root, h))) - unbiased

    rises = jax.lax.map(added, log_alpha, batch_size=_ROWS)
    return BiasTable(jnp.exp(log_alpha), weight, log_free, free_attempts, rises[:, 0], rises[:, 1])


class StoppedRows:
    """Both curves for m values of v, over the q nodes of log k, as splines that are made when they are first used.

    Args:
        log_attempts: log A, (m, q).
        log_failure: log L_inf, (m, q).
        attempts_slope: Derivative of log A in log v, (m, q).
        failure_slope: Derivative of log L_inf in log v, (m, q).
    """

    def __init__(
        self,
        log_attempts: np.ndarray,
        log_failure: np.ndarray,
        attempts_slope: np.ndarray,
        failure_slope: np.ndarray,
    ):
        self.log_attempts = log_attempts
        self._values = (log_attempts, log_failure, attempts_slope, failure_slope)

    @cached_property
    def _attempts(self) -> "PiecewisePolynomials":
        return _spline(self._values[0])

    @cached_property
    def _failure(self) -> "PiecewisePolynomials":
        return _spline(self._values[1])

    @cached_property
    def _slopes(self) -> "tuple[PiecewisePolynomials, PiecewisePolynomials]":
        return _spline(self._values[2]), _spline(self._values[3])

    def between(self, left: np.ndarray, share: np.ndarray) -> "StoppedRows":
        """New rows, each at a share of the way from row `left` to the next one."""
        return StoppedRows(
            *(x[left] * (1 - share[:, None]) + x[left + 1] * share[:, None] for x in self._values)
        )

    def affordable(self, log_b: np.ndarray) -> np.ndarray:
        """log of the largest real k with A(k) ≤ b, (m,), from 0 to that of `MOST_ATTEMPTS`."""
        piece = np.sum(self.log_attempts[:, 1:-1] <= log_b[:, None], axis=1)
        low, high = LOG_K[piece], LOG_K[piece + 1]
        for _ in range(50):
            middle = (low + high) / 2
            fits = self._attempts.at(middle)[0] <= log_b
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        low = np.where(self.log_attempts[:, -1] <= log_b, LOG_MOST, low)
        return np.where(log_b <= 0, 0.0, low)

    def attempts_at(self, log_k: np.ndarray) -> np.ndarray:
        """log A at log k, (m,)."""
        return self._attempts.at(log_k)[0]

    def failure_at(self, log_k: np.ndarray) -> np.ndarray:
        """log L_inf at log k, (m,)."""
        return self._failure.at(log_k)[0]

    def along(self, log_k: np.ndarray, v_dot: np.ndarray, b_dot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log L_inf at log k (m,), and its derivative where log v and the log of the paid attempts move."""
        log_a, by_k = self._attempts.at(log_k)
        log_failure, failure_by_k = self._failure.at(log_k)
        by_v, failure_by_v = (spline.at(log_k)[0] for spline in self._slopes)
        # k L_inf ≤ dA/dlog k, which the spline cannot resolve where A no longer grows
        by_k = np.maximum(by_k, np.exp(log_k + log_failure - log_a))
        k_dot = np.where(log_k < LOG_MOST, (b_dot - by_v * v_dot) / by_k, 0.0)
        return log_failure, failure_by_k * k_dot + failure_by_v * v_dot


def _spline(values: np.ndarray) -> "PiecewisePolynomials":
    """Splines through rows of values at the nodes of log k."""
    from scipy.interpolate import make_interp_spline  # slow to import

    spline: Any = make_interp_spline(LOG_K, values.T, k=_DEGREE)
    breaks = spline.t[_DEGREE:-_DEGREE]
    orders = range(_DEGREE, -1, -1)
    return PiecewisePolynomials(
        breaks, np.stack([spline(breaks[:-1], nu=m) / math.factorial(m) for m in orders])
    )


class PiecewisePolynomials(NamedTuple):
    """One piecewise polynomial for each of m rows."""

    breaks: np.ndarray
    """Ends of the pieces, increasing."""
    coefficients: np.ndarray
    """Of the highest power first, around the left end of each piece, (powers, pieces, m)."""

    def at(self, log_k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and slope of row i at log_k[i]."""
        pieces = len(self.breaks) - 1
        piece = np.clip(np.searchsorted(self.breaks, log_k, side="right") - 1, 0, pieces - 1)
        step = log_k - self.breaks[piece]
        value, slope = np.zeros_like(step), np.zeros_like(step)
        for coefficient in self.coefficients[:, piece, np.arange(len(log_k))]:
            value, slope = value * step + coefficient, slope * step + value
        return value, slope


class StoppedTable:
    """Curves of one model: β, δ/σ and prior, for v in a range."""

    def __init__(self, log_v: np.ndarray, beta: float, eps: float, difficulty: Difficulty):
        ends = np.log([SMALLEST_V, LARGEST_V])
        self.low = float(np.clip(np.min(log_v) - 1, ends[0], ends[1] - 2))
        self.high = float(np.clip(np.max(log_v) + 1, self.low + 2, ends[1]))
        table = _build(*(jnp.asarray(x) for x in (self.low, self.high, beta, eps)), difficulty=difficulty)
        self._table = BiasTable(*(np.asarray(x) for x in table))

    def holds(self, log_v: np.ndarray) -> bool:
        """Whether the range holds these values, as far as `at` does not clip them."""
        inside = np.clip(log_v, math.log(SMALLEST_V), math.log(LARGEST_V))
        return bool(np.all((inside >= self.low) & (inside <= self.high)))

    def at(self, log_v: np.ndarray) -> StoppedRows:
        """The curves at each v, (m,)."""
        table = self._table
        u = table.alpha / np.exp(np.clip(log_v, self.low, self.high))[:, None]
        density = np.sqrt(u / math.pi) * np.exp(-u) * table.weight
        # Left of the first node the integrand is ∝ α^(3/2), so the sum there is a geometric series.
        density[:, 0] *= 1 + 1 / np.expm1(1.5 * table.weight[0])
        moving = density * (u - 0.5)
        added = np.maximum(density @ table.rise, 0.0)
        with np.errstate(divide="ignore"):
            log_failure = np.logaddexp(table.log_free, np.log(added))
        attempts = table.free_attempts + density @ table.rise_attempts
        return StoppedRows(
            np.maximum.accumulate(np.log(attempts), axis=1),
            log_failure,
            moving @ table.rise_attempts / attempts,
            moving @ table.rise * np.exp(np.minimum(-log_failure, 700.0)),
        )

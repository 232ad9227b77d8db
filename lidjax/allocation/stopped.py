"""Losses along a budget line whose attempts stop at the first success, and whole counts on it.

The money left after training pays for b attempts a query in expectation, b = (C - N c_N)/(Q c_k), and so for at most k
of them with A(k; N) = b. Along such a line the second coordinate of a `BudgetSplit` is log b instead of log k.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from lidjax.allocation.budget import MOST_ATTEMPTS
from lidjax.allocation.losses import (
    LANES,
    LARGEST_V,
    ExactLosses,
    LossParameters,
    LossValues,
    as_lists,
    in_chunks,
)
from lidjax.allocation.stopped_table import StoppedRows, StoppedTable
from lidjax.difficulty import Difficulty
from lidjax.passk.attempts import log_expected_attempts

TOLERANCE = 1e-12  # relative, by which A(k) may exceed what is paid: rounding of A
STEPS = 80  # enough to bisect log k up to MOST_ATTEMPTS to rounding
DOUBT = 1e-3  # of log A, by which the interpolated one may be off
CLOSE = 1e-9  # relative width at which the bracket of a k beyond 1e9 counts as closed


@partial(jax.jit, static_argnames="difficulty")
def _log_attempts(
    log_k: jax.Array,
    log_v: jax.Array,
    beta: jax.Array,
    eps: jax.Array,
    count: int | jax.Array,
    difficulty: Difficulty,
) -> tuple[jax.Array]:
    """log A(k) at the first `count` entries."""
    args = (jnp.exp(log_k), jnp.exp(log_v), beta, eps)

    def cell(k: jax.Array, v: jax.Array, beta: jax.Array, eps: jax.Array) -> jax.Array:
        return log_expected_attempts(k, v, beta, eps, difficulty)

    def block(i: jax.Array, out: jax.Array) -> jax.Array:
        part = [jax.lax.dynamic_slice_in_dim(a, i * LANES, LANES) for a in args]
        new = jax.vmap(cell)(*part)
        return jax.lax.dynamic_update_slice_in_dim(out, new, i * LANES, 0)

    return (jax.lax.fori_loop(0, (count + LANES - 1) // LANES, block, jnp.zeros_like(log_k)),)


class StoppedLosses:
    """The losses of one spectrum and teacher along lines of `BudgetSplit` with log b, as `ExactLosses` with log k."""

    def __init__(self, exact: ExactLosses):
        self.exact = exact
        self.dim = exact.dim
        self._tables: dict[tuple[float, float], StoppedTable] = {}

    def lgen(self, log_n: ArrayLike, parameters: LossParameters) -> tuple[np.ndarray, np.ndarray]:
        """As `ExactLosses.lgen`."""
        return self.exact.lgen(log_n, parameters)

    def values(
        self,
        log_n: ArrayLike,
        log_k: ArrayLike,
        parameters: LossParameters,
        n_dot: ArrayLike = 0.0,
        k_dot: ArrayLike = 0.0,
    ) -> LossValues:
        """Both losses where e^`log_k` expected attempts are paid, and their slopes along (`n_dot`, `k_dot`).

        L_inf is interpolated (see `stopped_table`), at the real k with A(k; N) = b = e^`log_k`.
        """
        log_lgen, lgen_slope = self.lgen(log_n, parameters)
        lgen_slope = np.asarray(n_dot * lgen_slope)
        v_dot = np.where(np.isfinite(lgen_slope), lgen_slope, 0.0)
        log_v, log_b, v_dot, b_dot = as_lists(self.log_v(log_lgen, parameters), log_k, v_dot, k_dot)
        failure, slope = np.empty_like(log_v), np.empty_like(log_v)
        for mine, rows in self._rows(log_v, parameters):
            real = rows.affordable(log_b[mine])
            failure[mine], slope[mine] = rows.along(real, v_dot[mine], b_dot[mine])
        return LossValues(log_lgen, failure, lgen_slope, slope)

    def log_k(self, log_n: ArrayLike, log_b: ArrayLike, parameters: LossParameters) -> np.ndarray:
        """log of the real k with A(k; N) = b, interpolated."""
        log_v, log_b = as_lists(self.log_v(self.lgen(log_n, parameters)[0], parameters), log_b)
        out = np.empty_like(log_v)
        for mine, rows in self._rows(log_v, parameters):
            out[mine] = rows.affordable(log_b[mine])
        return out

    def log_k_without_bias(self, log_b: ArrayLike, parameters: LossParameters) -> np.ndarray:
        """log of the real k with A(k) = b at L_gen = 0, the model of infinitely many training instances."""
        out = np.empty(np.shape(log_b))
        for mine, rows in self._rows(np.full(np.shape(log_b), -np.inf), parameters):
            out[mine] = rows.affordable(np.asarray(log_b)[mine])
        return out

    def log_attempts(self, log_n: ArrayLike, log_k: ArrayLike, parameters: LossParameters) -> np.ndarray:
        """log A(k; N), interpolated."""
        log_v, log_k = as_lists(self.log_v(self.lgen(log_n, parameters)[0], parameters), log_k)
        out = np.empty_like(log_v)
        for mine, rows in self._rows(log_v, parameters):
            out[mine] = rows.attempts_at(log_k[mine])
        return out

    def at_whole_k(
        self, log_n: np.ndarray, log_b: np.ndarray, parameters: LossParameters
    ) -> tuple[np.ndarray, LossValues]:
        """log of the largest whole k that b pays for, and both losses there, interpolated; slopes are NaN."""
        log_lgen, _ = self.lgen(log_n, parameters)
        log_v = self.log_v(log_lgen, parameters)
        log_k, failure = np.empty_like(log_v), np.empty_like(log_v)
        for mine, rows in self._rows(log_v, parameters):
            real = np.exp(rows.affordable(log_b[mine]))
            log_k[mine] = np.log(np.where(real < 1e12, np.floor(real * (1 + 1e-9)), real))
            failure[mine] = rows.failure_at(log_k[mine])
        nothing = np.full_like(log_v, np.nan)
        return log_k, LossValues(log_lgen, failure, nothing, nothing)

    def whole_losses(
        self, log_n: np.ndarray, paid: np.ndarray, parameters: LossParameters
    ) -> tuple[LossValues, list[float], np.ndarray]:
        """Both losses by the full quadrature where `paid` attempts are paid, with what `whole_attempts` gives."""
        counts, attempts = self.whole_attempts(log_n, paid, parameters)
        endless = np.isinf(counts)
        values = self.exact.values(log_n, np.log(np.where(endless, 1.0, counts)), parameters, fine=True)
        return values._replace(log_failure=np.where(endless, -np.inf, values.log_failure)), counts, attempts

    def whole_attempts(
        self, log_n: np.ndarray, paid: np.ndarray, parameters: LossParameters
    ) -> tuple[list[float], np.ndarray]:
        """The largest whole k with A(k; N) ≤ `paid`, by the full quadrature, and A there.

        k is infinite where E[1/S] ≤ `paid`, and at most `MOST_ATTEMPTS` otherwise. Beyond 2^53, and where A hardly
        grows with k, it is as exact as A in float64.
        """
        log_v = self.log_v(self.lgen(log_n, parameters)[0], parameters)
        limit = np.log(paid) + TOLERANCE
        beta, eps = as_lists(parameters.beta, parameters.delta / parameters.sigma_eta, log_v)[:2]

        def attempts(k: np.ndarray, which: np.ndarray) -> np.ndarray:
            arrays = as_lists(np.log(k), log_v[which], beta[which], eps[which])
            run = partial(_log_attempts, difficulty=self.exact.difficulty)
            return in_chunks(lambda a, count: run(*a, count), arrays)[0]

        def last(k: float, which: np.ndarray) -> np.ndarray:
            """Those of the entries that can pay for k attempts, which replaces what they have."""
            value = attempts(np.full(len(which), k), which) if len(which) else np.zeros(0)
            paying = which[value <= limit[which]]
            low[paying], log_a[paying] = k, value[value <= limit[which]]
            return paying

        low, high, log_a = np.ones_like(log_v), np.full_like(log_v, MOST_ATTEMPTS), np.zeros_like(log_v)
        trial, most = np.empty_like(log_v), np.empty_like(log_v)
        for mine, rows in self._rows(log_v, parameters):
            trial[mine] = _whole(np.exp(rows.affordable(np.log(paid[mine]))))
            most[mine] = rows.log_attempts[:, -1]
        # the interpolated A may be off by more than it still grows
        done = last(float(MOST_ATTEMPTS), np.flatnonzero(most < limit + DOUBT))
        if self.exact.difficulty == "power":  # for the gamma prior E[1/S] is infinite at every N
            last(math.inf, done)
        width = np.full_like(log_v, 1e-9)
        active = np.setdiff1d(np.flatnonzero(limit > TOLERANCE), done)
        for _ in range(STEPS):
            if not len(active):
                break
            # once the guess is known to be too large or too small: outwards in growing steps, then halves
            left, right = low[active], high[active]
            at = np.where(
                (trial[active] > left) & (trial[active] < right), trial[active], np.sqrt(left * right)
            )
            at = np.clip(_whole(at), left + (right > left + 1), right)
            value = attempts(at, active)
            fits = value <= limit[active]
            low[active], high[active] = np.where(fits, at, left), np.where(fits, right, at)
            log_a[active] = np.where(fits, value, log_a[active])
            width[active] *= 30
            share = np.minimum(width[active], 0.5)
            trial[active] = np.where(
                fits, np.maximum(at * (1 + share), at + 1), np.minimum(at * (1 - share), at - 1)
            )
            left, right = low[active], high[active]
            active = active[(right > left + 1) & (right > left * (1 + CLOSE))]
        return low.tolist(), np.exp(log_a)

    @staticmethod
    def log_v(log_lgen: np.ndarray, parameters: LossParameters) -> np.ndarray:
        """log v = log L_gen/σ², finite."""
        log_v = np.minimum(log_lgen - 2 * np.log(np.asarray(parameters.sigma_eta)), np.log(LARGEST_V))
        return np.atleast_1d(log_v)

    def _rows(self, log_v: np.ndarray, parameters: LossParameters) -> list[tuple[np.ndarray, StoppedRows]]:
        """The curves of every entry, in groups of one β and δ/σ: indices, and curves there."""
        beta, eps = as_lists(parameters.beta, parameters.delta / parameters.sigma_eta, log_v)[:2]
        pairs, which = np.unique(np.stack([beta, eps]), axis=1, return_inverse=True)
        out: list[tuple[np.ndarray, StoppedRows]] = []
        for i, (one_beta, one_eps) in enumerate(pairs.T.tolist()):
            mine = np.flatnonzero(which.ravel() == i)
            table = self._tables.get((one_beta, one_eps))
            if table is None or not table.holds(log_v[mine]):
                known = [] if table is None else [table.low, table.high]
                table = StoppedTable(
                    np.concatenate([log_v[mine], known]), one_beta, one_eps, self.exact.difficulty
                )
                self._tables[one_beta, one_eps] = table
            out.append((mine, table.at(log_v[mine])))
        return out


def _whole(k: np.ndarray) -> np.ndarray:
    """The whole number at or below k; beyond 2^53 every float is whole."""
    return np.floor(k * (1 + 1e-15))

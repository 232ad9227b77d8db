"""Both losses of Eq. 21 and their slopes, for flat lists of (N, k) of any length in one compiled program.

L_gen(N) is the deterministic equivalent, the mean over training sets; L_inf is the population failure at that
L_gen. In logarithms throughout: over a budget line L_inf may fall by a hundred decades.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from lidjax.difficulty import Difficulty
from lidjax.generalization import deterministic_lgen
from lidjax.passk.population import COARSE, FINE, log_failure

CAPACITY = 1024  # longest list a program takes at once; a shorter one costs what it holds
LANES = 8  # values computed side by side
LARGEST_V = 1e24  # stands for infinity, where L_inf = 1 - O(v^-1/2)


class Model(NamedTuple):
    """Parameters of one value each, or arrays over a list: what the losses depend on apart from N and k."""

    noise_variance: Any
    ridge: Any
    beta: Any
    delta: Any
    sigma_eta: Any

    def at(self, index: Any) -> "Model":
        return Model(*(value[index] for value in self))


class Values(NamedTuple):
    """log L_gen and log L_inf, with their derivatives along the direction asked for."""

    log_lgen: np.ndarray
    log_failure: np.ndarray
    lgen_slope: np.ndarray
    failure_slope: np.ndarray


@partial(jax.jit, static_argnames=("difficulty", "fine"))
def _failures(log_k, log_v, k_dot, v_dot, beta, window, count, difficulty: Difficulty, fine: bool):
    def cell(log_k, log_v, k_dot, v_dot, beta, window):
        def value(log_k, log_v):
            rule = FINE if fine else COARSE
            return log_failure(jnp.exp(log_k), jnp.exp(log_v), beta, window, difficulty, rule)

        if fine:
            return value(log_k, log_v), jnp.full_like(log_k, jnp.nan)
        return jax.jvp(value, (log_k, log_v), (k_dot, v_dot))

    args = (log_k, log_v, k_dot, v_dot, beta, window)

    def block(i, out):
        part = [jax.lax.dynamic_slice_in_dim(a, i * LANES, LANES) for a in args]
        new = jax.vmap(cell)(*part)
        return tuple(
            jax.lax.dynamic_update_slice_in_dim(o, x, i * LANES, 0) for o, x in zip(out, new, strict=True)
        )

    empty = jnp.zeros_like(log_k)
    return jax.lax.fori_loop(0, (count + LANES - 1) // LANES, block, (empty, empty))


@jax.jit
def _lgens(log_n, noise_variance, ridge, eigenvalues, theta):
    def log_lgen(log_n):
        n = jnp.exp(log_n)
        return jnp.log(
            deterministic_lgen(
                n, eigenvalues=eigenvalues, theta=theta, noise_variance=noise_variance, ridge=ridge
            )
        )

    return jax.jvp(log_lgen, (log_n,), (jnp.ones_like(log_n),))


def _in_chunks(function, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """`function(padded arrays, count)` over chunks of CAPACITY, padded with the last value."""
    size = len(arrays[0])
    parts = []
    for start in range(0, size, CAPACITY):
        chunk = [a[start : start + CAPACITY] for a in arrays]
        count = len(chunk[0])
        out = function([np.pad(a, (0, CAPACITY - count), mode="edge") for a in chunk], count)
        parts.append([np.asarray(x)[:count] for x in out])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


class Losses:
    """The losses of one spectrum and teacher. Lists of any length; each entry has its own parameters."""

    def __init__(self, eigenvalues: np.ndarray, theta: np.ndarray, difficulty: Difficulty):
        self.eigenvalues, self.theta = jnp.asarray(eigenvalues), jnp.asarray(theta)
        self.dim = len(eigenvalues)
        self.difficulty: Difficulty = difficulty

    def lgen(self, log_n: ArrayLike, model: Model) -> tuple[np.ndarray, np.ndarray]:
        """log L_gen and d log L_gen/d log N at `log_n` (m,)."""
        arrays = _as_lists(log_n, model.noise_variance, model.ridge)
        value, slope = _in_chunks(lambda a, _: _lgens(*a, self.eigenvalues, self.theta), arrays)
        return value, slope

    def values(
        self,
        log_n: Any,
        log_k: Any,
        model: Model,
        n_dot: Any = 0.0,
        k_dot: Any = 0.0,
        *,
        fine=False,
    ) -> Values:
        """Both losses at (N, k) and their slopes along d(log N, log k) = (`n_dot`, `k_dot`).

        L_inf comes from the coarser rule, 7e-10 from the finer one at most (1024 random values); `fine` gives no slope.
        """
        log_lgen, lgen_slope = self.lgen(log_n, model)
        lgen_slope = n_dot * lgen_slope
        log_v = np.minimum(log_lgen - 2 * np.log(np.asarray(model.sigma_eta)), np.log(LARGEST_V))
        flat = np.where(np.isfinite(lgen_slope), lgen_slope, 0.0)
        arrays = _as_lists(log_k, log_v, k_dot, flat, model.beta, model.delta / model.sigma_eta)
        failure, slope = _in_chunks(
            lambda a, count: _failures(*a, count, difficulty=self.difficulty, fine=fine), arrays
        )
        return Values(log_lgen, failure, lgen_slope, slope)

    def without_bias(self, log_k: ArrayLike, model: Model) -> np.ndarray:
        """log L_inf(k) at L_gen = 0, for one model."""
        arrays = _as_lists(log_k, -np.inf, 0.0, 0.0, model.beta, model.delta / model.sigma_eta)
        return _in_chunks(lambda a, n: _failures(*a, n, difficulty=self.difficulty, fine=True), arrays)[0]


def _as_lists(*values: Any) -> list[np.ndarray]:
    return [np.array(a, float) for a in np.broadcast_arrays(*values)]


class Total(NamedTuple):
    """log L_tot, its slope, and the sum of the sizes of the slope's two parts."""

    log: np.ndarray
    slope: np.ndarray
    parts: np.ndarray


def log_total(log_weight: Any, values: Values) -> Total:
    """log of L_tot = R L_gen + L_inf (Eq. 21) and its slope; +inf with a NaN slope where L_gen diverges."""
    log_training = np.where(np.isneginf(log_weight), -np.inf, log_weight + values.log_lgen)
    total = np.logaddexp(log_training, values.log_failure)
    with np.errstate(invalid="ignore"):
        training = np.where(np.isneginf(log_weight), 0.0, np.exp(log_training - total) * values.lgen_slope)
        inference = np.exp(values.log_failure - total) * values.failure_slope
    return Total(total, training + inference, np.abs(training) + np.abs(inference))

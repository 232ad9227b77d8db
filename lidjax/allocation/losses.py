"""Both losses of Eq. 21 and their slopes, for flat lists of (N, k) of any length in one compiled program.

L_gen(N) is the deterministic equivalent of its mean over training sets; L_inf is the population failure at that
L_gen. Everything is in logarithms, because L_inf may fall by a hundred decades along one budget line.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from lidjax.difficulty import Difficulty
from lidjax.generalization import deterministic_lgen
from lidjax.passk.population import COARSE, FINE, log_failure

CAPACITY = 1024  # longest list of one program; the work grows with the length in use, not with CAPACITY
LANES = 8  # values computed side by side
LARGEST_V = 1e24  # stands for v = infinity, where L_inf = 1 - O(v^-1/2)


class LossParameters(NamedTuple):
    """What the losses depend on apart from N and k: one number each, or arrays with one entry for each (N, k)."""

    noise_variance: Any
    """σ_η² E[1/τ], the variance of the label noise."""
    ridge: Any
    """ρ of Eq. 6."""
    beta: Any
    """β of the difficulty prior."""
    delta: Any
    """δ, the tolerance of the verifier."""
    sigma_eta: Any
    """σ_η."""
    width: Any = math.inf
    """P, the number of random features; infinite for the model of all d features."""

    def at(self, index: np.ndarray) -> "LossParameters":
        """The entries at `index` of parameters that are arrays."""
        return LossParameters._make(value[index] for value in self)


def stack_parameters(parameters: list[LossParameters]) -> LossParameters:
    """Parameters of several models as arrays with one entry for each model."""
    return LossParameters._make(np.array(column, float) for column in zip(*parameters, strict=True))


class LossValues(NamedTuple):
    """log L_gen and log L_inf, and their derivatives along the direction that was asked for; all of shape (m,)."""

    log_lgen: np.ndarray
    log_failure: np.ndarray
    lgen_slope: np.ndarray
    failure_slope: np.ndarray


@partial(jax.jit, static_argnames=("difficulty", "fine"))
def _failures(
    log_k: jax.Array,
    log_v: jax.Array,
    k_dot: jax.Array,
    v_dot: jax.Array,
    beta: jax.Array,
    window: jax.Array,
    count: int | jax.Array,
    difficulty: Difficulty,
    fine: bool,
) -> tuple[jax.Array, ...]:
    """log L_inf at the first `count` entries, and its derivative along (`k_dot`, `v_dot`) unless `fine`."""

    def cell(
        log_k: jax.Array,
        log_v: jax.Array,
        k_dot: jax.Array,
        v_dot: jax.Array,
        beta: jax.Array,
        window: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        def value(log_k: jax.Array, log_v: jax.Array) -> jax.Array:
            rule = FINE if fine else COARSE
            return log_failure(jnp.exp(log_k), jnp.exp(log_v), beta, window, difficulty, rule)

        if fine:
            return value(log_k, log_v), jnp.full_like(log_k, jnp.nan)
        return jax.jvp(value, (log_k, log_v), (k_dot, v_dot))

    args = (log_k, log_v, k_dot, v_dot, beta, window)

    def block(i: jax.Array, out: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        part = [jax.lax.dynamic_slice_in_dim(a, i * LANES, LANES) for a in args]
        new = jax.vmap(cell)(*part)
        return tuple(
            jax.lax.dynamic_update_slice_in_dim(o, x, i * LANES, 0) for o, x in zip(out, new, strict=True)
        )

    empty = jnp.zeros_like(log_k)
    return jax.lax.fori_loop(0, (count + LANES - 1) // LANES, block, (empty, empty))


@partial(jax.jit, static_argnames="narrow")
def _lgens(
    log_n: jax.Array,
    noise_variance: jax.Array,
    ridge: jax.Array,
    width: jax.Array,
    eigenvalues: jax.Array,
    theta: jax.Array,
    narrow: bool,
) -> tuple[jax.Array, jax.Array]:
    """log L_gen and its derivative in log N, with a limit on the width if `narrow`."""

    def log_lgen(log_n: jax.Array) -> jax.Array:
        n = jnp.exp(log_n)
        return jnp.log(
            deterministic_lgen(
                n,
                eigenvalues=eigenvalues,
                theta=theta,
                noise_variance=noise_variance,
                ridge=ridge,
                width=width if narrow else None,
            )
        )

    return jax.jvp(log_lgen, (log_n,), (jnp.ones_like(log_n),))


def in_chunks(
    function: Callable[[list[np.ndarray], int], tuple[jax.Array, ...]], arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """`function(padded arrays, count)` over chunks of CAPACITY, each padded with its last value."""
    size = len(arrays[0])
    parts: list[list[np.ndarray]] = []
    for start in range(0, size, CAPACITY):
        chunk = [a[start : start + CAPACITY] for a in arrays]
        count = len(chunk[0])
        out = function([np.pad(a, (0, CAPACITY - count), mode="edge") for a in chunk], count)
        parts.append([np.asarray(x)[:count] for x in out])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


class ExactLosses:
    """The losses of one spectrum and teacher, for lists of (N, k) in which each entry has its own parameters."""

    def __init__(self, eigenvalues: np.ndarray, theta: np.ndarray, difficulty: Difficulty):
        self.eigenvalues, self.theta = jnp.asarray(eigenvalues), jnp.asarray(theta)
        self.dim = len(eigenvalues)
        self.difficulty: Difficulty = difficulty

    def lgen(self, log_n: ArrayLike, parameters: LossParameters) -> tuple[np.ndarray, np.ndarray]:
        """log L_gen and d log L_gen/d log N at `log_n` (m,)."""
        arrays = as_lists(log_n, parameters.noise_variance, parameters.ridge, parameters.width)
        narrow = not np.isinf(arrays[3]).all()
        value, slope = in_chunks(lambda a, _: _lgens(*a, self.eigenvalues, self.theta, narrow=narrow), arrays)
        return value, slope

    def values(
        self,
        log_n: ArrayLike,
        log_k: ArrayLike,
        parameters: LossParameters,
        n_dot: ArrayLike = 0.0,
        k_dot: ArrayLike = 0.0,
        *,
        fine: bool = False,
    ) -> LossValues:
        """Both losses at (N, k) and their slopes along d(log N, log k) = (`n_dot`, `k_dot`).

        L_inf comes from the coarser quadrature, which is within 7e-10 of the finer one (1024 random values). With
        `fine` it comes from the finer one, and its slope is NaN.
        """
        log_lgen, lgen_slope = self.lgen(log_n, parameters)
        lgen_slope = n_dot * lgen_slope
        log_v = np.minimum(log_lgen - 2 * np.log(np.asarray(parameters.sigma_eta)), np.log(LARGEST_V))
        flat = np.where(np.isfinite(lgen_slope), lgen_slope, 0.0)
        arrays = as_lists(log_k, log_v, k_dot, flat, parameters.beta, parameters.delta / parameters.sigma_eta)
        failure, slope = in_chunks(
            lambda a, count: _failures(*a, count, difficulty=self.difficulty, fine=fine), arrays
        )
        return LossValues(log_lgen, failure, np.asarray(lgen_slope), slope)

    def without_bias(self, log_k: ArrayLike, parameters: LossParameters) -> np.ndarray:
        """log L_inf(k) at L_gen = 0, the model of infinitely many training instances, for one set of parameters."""
        arrays = as_lists(log_k, -np.inf, 0.0, 0.0, parameters.beta, parameters.delta / parameters.sigma_eta)
        return in_chunks(lambda a, n: _failures(*a, n, difficulty=self.difficulty, fine=True), arrays)[0]


@runtime_checkable
class LineLosses(Protocol):
    """Losses along budget lines: what the search needs of `ExactLosses`, and of `StoppedLosses` in its currency."""

    dim: int

    def values(
        self,
        log_n: ArrayLike,
        log_k: ArrayLike,
        parameters: LossParameters,
        n_dot: ArrayLike = 0.0,
        k_dot: ArrayLike = 0.0,
    ) -> LossValues:
        """Losses and slopes at points of a budget line."""
        ...


def as_lists(*values: ArrayLike) -> list[np.ndarray]:
    """The values, broadcast to one list each."""
    return [np.array(a, float) for a in np.broadcast_arrays(*values)]


class TotalLoss(NamedTuple):
    """log L_tot along a direction; arrays of one shape."""

    log: np.ndarray
    """log L_tot."""
    slope: np.ndarray
    """Its derivative along the direction."""
    parts: np.ndarray
    """|training part| + |inference part| of the slope: what the slope is compared with to call it zero."""


def log_total(
    log_weight: float | np.ndarray, log_lgen: float | np.ndarray, log_failure: float | np.ndarray
) -> Any:
    """log of L_tot = R L_gen + L_inf (Eq. 21); +inf where L_gen diverges, unless R = 0."""
    return np.logaddexp(_log_training(log_weight, log_lgen), log_failure)


def total_loss(log_weight: float | np.ndarray, values: LossValues) -> TotalLoss:
    """log L_tot and its slope along the direction of `values`; NaN where L_gen diverges."""
    log_training = _log_training(log_weight, values.log_lgen)
    total = np.logaddexp(log_training, values.log_failure)
    with np.errstate(invalid="ignore"):
        training = np.where(np.isneginf(log_weight), 0.0, np.exp(log_training - total) * values.lgen_slope)
        inference = np.exp(values.log_failure - total) * values.failure_slope
    return TotalLoss(total, training + inference, np.abs(training) + np.abs(inference))


def _log_training(log_weight: float | np.ndarray, log_lgen: float | np.ndarray) -> np.ndarray:
    """log of R L_gen, for R = 0 too."""
    return np.where(np.isneginf(log_weight), -np.inf, log_weight + log_lgen)

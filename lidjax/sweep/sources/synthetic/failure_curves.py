"""L_inf(k) of many training sets, from a few exact tables.

At one (β, δ/σ) the population curve depends on a training set through v = L_gen/σ² alone. A table (`passk.curve`)
serves a block of four decades of v. The blocks are fixed, so a cell's numbers depend on neither the tile nor the
grid of N, except for rounding.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lidjax.difficulty import Difficulty
from lidjax.passk import FailureCurve, FailureEstimate, build_curve, eval_curve, pass_at_k_failure
from lidjax.sweep.compiler import compiler_options

TOLERANCE = 1e-7  # relative error of L_inf(k) at the check points of a table
DECADES = 4  # of v in one block
NODES = ((320, 640), (640, 1280))  # (bias, precision): the second where the first is not within the tolerance
LARGEST = 1e28  # of v: there and beyond no trial succeeds, to 14 digits
SMALLEST = 1e-20  # of v: below it L_inf is its limit v = 0 plus a part ∝ v
_CHUNK = 1024  # values of v computed together


class FailureCurves:
    """L_inf(k; v) for one grid of k and one prior; tables are made when first needed and kept."""

    def __init__(self, k: np.ndarray, difficulty: Difficulty):
        self.k = k
        self.difficulty: Difficulty = difficulty
        self.tables: dict[tuple[float, float, int], FailureCurve | None] = {}

    def __call__(self, v: np.ndarray, beta: float, delta_over_sigma: float) -> np.ndarray:
        """L_inf(k) of shape (*v.shape, k) for v = L_gen/σ² ≥ 0; NaN elsewhere."""
        flat = np.asarray(v, np.float64).ravel()
        result = np.full((flat.size, len(self.k)), np.nan)
        inside = np.flatnonzero((flat >= 0) & np.isfinite(flat))
        flat = np.minimum(flat, LARGEST * (1 - 1e-12))
        block = np.floor(np.log10(np.maximum(flat[inside], SMALLEST)) / DECADES).astype(int)
        with jax.enable_x64(True):  # tails as small as 1e-300 do not fit float32
            for index in np.unique(block).tolist():
                mine = inside[block == index]
                result[mine] = self._block(index, flat[mine], beta, delta_over_sigma)
        return result.reshape(*np.shape(v), len(self.k)).astype(self.k.dtype)

    def lowered_builder(self) -> jax.stages.Lowered | None:
        """The program that makes tables, for `compile_together`; None where tables have been made before."""
        if self.tables:
            return None
        with jax.enable_x64(True):
            k = np.asarray(self.k, np.float64)
            return _builder().lower(0.0, 1.0, k, 1.0, 1.0, self.difficulty, *NODES[0])

    def _block(self, index: int, v: np.ndarray, beta: float, eps: float) -> np.ndarray:
        key = (beta, eps, index)
        if key not in self.tables:
            self.tables[key] = self._table(index, beta, eps)
        table = self.tables[key]
        if table is not None:
            return _chunked(lambda part: _evaluator()(table, part), v)
        # No table is good enough (k beyond about 1e20, or δ/σ and β both large): the integral itself.
        k = jnp.asarray(self.k, np.float64)
        return _chunked(lambda part: _exact(k, part, beta, eps, self.difficulty), v)

    def _table(self, index: int, beta: float, eps: float) -> FailureCurve | None:
        low = index * DECADES * math.log(10)
        k = np.asarray(self.k, np.float64)
        for bias_nodes, tau_nodes in NODES:
            table = _builder()(
                low, low + DECADES * math.log(10), k, beta, eps, self.difficulty, bias_nodes, tau_nodes
            )
            if table.error < TOLERANCE:  # NaN, where L_inf is below the smallest float, is not
                return table
        return None


@functools.lru_cache(maxsize=8)
def curves_for(k: tuple[float, ...], dtype: str, difficulty: Difficulty) -> FailureCurves:
    """The curves of a grid of k, shared by every sweep of a session."""
    return FailureCurves(np.asarray(k, dtype), difficulty)


@functools.cache
def _builder() -> Any:
    """`_build` jitted; a function, because the options depend on the device, which is not known at import."""
    static = ("difficulty", "bias_nodes", "tau_nodes")
    return jax.jit(_build, static_argnames=static, compiler_options=compiler_options("quick"))


@functools.cache
def _evaluator() -> Any:
    """`eval_curve` jitted over many v; code that compiles in half the time is as fast here."""
    return jax.jit(jax.vmap(eval_curve, (None, 0)), compiler_options=compiler_options("quick"))


def _build(
    low: jax.Array,
    high: jax.Array,
    k: jax.Array,
    beta: jax.Array,
    eps: jax.Array,
    difficulty: Difficulty,
    bias_nodes: int,
    tau_nodes: int,
) -> FailureCurve:
    return build_curve(
        low,
        high,
        k,
        beta=beta,
        delta_over_sigma=eps,
        difficulty=difficulty,
        bias_nodes=bias_nodes,
        tau_nodes=tau_nodes,
    )


@functools.partial(jax.jit, static_argnames="difficulty")
def _exact(
    k: jax.Array, v: jax.Array, beta: jax.Array, eps: jax.Array, difficulty: Difficulty
) -> jax.Array | FailureEstimate:
    return pass_at_k_failure(
        k[None, :], v[:, None], beta=beta, delta=eps, sigma_eta=1.0, difficulty=difficulty
    )


def _chunked(function: Callable[[np.ndarray], jax.Array], v: np.ndarray) -> np.ndarray:
    """function(v) in chunks of one length, so that it is compiled once."""
    size = _CHUNK if v.size > 32 else 32
    padded = np.pad(v, (0, -v.size % size), mode="edge").reshape(-1, size)
    return np.concatenate([np.asarray(function(part)) for part in padded])[: v.size]


def cost_of_curves(num_k: int, decades: float) -> float:
    """Integrand evaluations behind the curves of one (β, δ/σ), for an estimate of cost."""
    bias_nodes, tau_nodes = NODES[0]
    return (1 + decades / DECADES) * bias_nodes * tau_nodes * num_k

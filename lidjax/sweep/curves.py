"""L_inf(k) of many training sets, from a few exact curves.

At one (β, δ/σ) the population curve depends on a training set through v = L_gen/σ² alone, and log L_inf is smooth in
log v. It is interpolated by Chebyshev polynomials on pieces of a fixed lattice in log v, each halved until the exact
integral agrees between its nodes. The lattice depends on neither the tile nor the grid of N, so a cell's numbers
do not either.
"""

import functools
import math

import jax
import numpy as np
from numpy.polynomial import chebyshev

from lidjax.difficulty import Difficulty
from lidjax.passk import pass_at_k_failure

TOLERANCE = 1e-7  # relative error of L_inf(k), checked between the nodes
ROOT_WIDTH = 2.0  # of the largest pieces, in log v
DEGREE = 14
MAX_LEVEL = 7  # halvings; k up to 1e30 was seen to need 5
CHECKS = np.cos(np.pi * (np.arange(1, DEGREE, 3)) / DEGREE)  # midway between nodes, in angle
NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))


class FailureCurves:
    """Interpolated L_inf(k; v) for one grid of k and one prior; pieces are made when first needed and kept."""

    def __init__(self, k: np.ndarray, difficulty: Difficulty):
        self.k = k
        self.difficulty: Difficulty = difficulty
        self.pieces: dict[tuple[float, float, int, int], np.ndarray | None] = {}

    def __call__(self, v: np.ndarray, beta: float, delta_over_sigma: float) -> np.ndarray:
        """L_inf(k) of shape (*v.shape, k) for v = L_gen/σ² ≥ 0; NaN where v is."""
        flat = np.asarray(v, np.float64).ravel()
        result = np.full((flat.size, len(self.k)), np.nan)
        at_zero = flat == 0
        if at_zero.any():
            result[at_zero] = self._exact(np.zeros(1), beta, delta_over_sigma)
        left = np.flatnonzero(np.isfinite(flat) & (flat > 0))
        position = np.log(flat[left]) / ROOT_WIDTH
        level = 0
        while left.size:
            index = np.floor(position * 2**level).astype(np.int64)
            unresolved = np.zeros(left.size, bool)
            for piece in np.unique(index).tolist():
                mine = index == piece
                coefficients = self._piece(beta, delta_over_sigma, level, piece)
                if coefficients is None:
                    unresolved |= mine
                    continue
                x = 2 * (position[mine] * 2**level - piece) - 1
                result[left[mine]] = chebyshev.chebvander(x, DEGREE) @ coefficients
            left, position = left[unresolved], position[unresolved]
            level += 1
        return np.exp(result).reshape(*np.shape(v), len(self.k)).astype(self.k.dtype)

    def _piece(self, beta: float, eps: float, level: int, index: int) -> np.ndarray | None:
        """Coefficients (degree + 1, k) of one piece, or None where it must be halved."""
        key = (beta, eps, level, index)
        if key not in self.pieces:
            middle, half = (index + 0.5) / 2**level * ROOT_WIDTH, 0.5 / 2**level * ROOT_WIDTH
            values = self._exact(np.exp(middle + half * np.concatenate([NODES, CHECKS])), beta, eps)
            coefficients = chebyshev.chebfit(NODES, values[: DEGREE + 1], DEGREE)
            error = np.abs(chebyshev.chebvander(CHECKS, DEGREE) @ coefficients - values[DEGREE + 1 :]).max()
            good = error < TOLERANCE or level == MAX_LEVEL or not np.isfinite(error)
            self.pieces[key] = coefficients if good else None
        return self.pieces[key]

    def _exact(self, v: np.ndarray, beta: float, eps: float) -> np.ndarray:
        with jax.enable_x64(True):  # logarithms of numbers as small as 1e-300 do not fit float32
            return np.asarray(_log_failure(self.k.astype(np.float64), v, beta, eps, self.difficulty))


@functools.lru_cache(maxsize=8)
def curves_for(k: tuple[float, ...], dtype: str, difficulty: Difficulty) -> FailureCurves:
    """The curves of a grid of k, shared by every sweep of a session."""
    return FailureCurves(np.asarray(k, dtype), difficulty)


@functools.partial(jax.jit, static_argnames="difficulty")
def _log_failure(k, v, beta, eps, difficulty):
    return pass_at_k_failure(
        k[None, :], v[:, None], beta=beta, delta=eps, sigma_eta=1.0, difficulty=difficulty, log=True
    )


def cost_of_curves(num_k: int, decades: float) -> float:
    """Integrand evaluations behind the curves of one (β, δ/σ), for an estimate of cost."""
    pieces = 2 * math.log(10) * decades / ROOT_WIDTH
    return NODE_EVALUATIONS * num_k * pieces * (DEGREE + 1 + len(CHECKS))


NODE_EVALUATIONS = 9472
"""Quadrature nodes of one exact value."""

"""What a judge selects, tabulated over the bias of the proposals, and its mean over biases.

The moments of the selected proposal depend on u, the distance between the judge's target and the mean of the proposals
in their standard deviations, on k, and on the temperature of the judge. A table over u is made once. Every law of u,
normal for a fixed scale or a mixture over the latent precision, is then a weighted sum:

    E[m(u)] = m(0) + ∫ p(u) [m(u) - m(0)] du.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.passk.quadrature import coordinate_of, graded_nodes, log_prior, uniform_nodes
from lidjax.verifiers.selection import Moments

NODES = 256
"""Nodes in u for the best of k."""
SOFTMAX_NODES = 112
"""Nodes in u for a softmax, whose moments are smooth functions of u."""
_LEFT = 12.0  # what bias adds is ∝ u² there: e^-36 with du is left
_DEPTH = 37.0
_PRECISION_NODES = 320


class BiasNodes(NamedTuple):
    """Nodes in u > 0 and their weights du; they carry no derivative."""

    u: Float[Array, " n"]
    step: Float[Array, " n"]


def bias_nodes(
    most_k: Float[Array, ""], smallest: Float[Array, ""], largest: Float[Array, ""], count: int
) -> BiasNodes:
    """Nodes for laws of u whose scales lie between two values, dense where E[x²] ∝ e^(u²) turns into a power of u.

    It turns at u = √(2 log k), within 1/u. The densities are heuristic: 4 a unit of log u, and up to there 2.4 u a unit
    of u.
    """
    turn = jnp.sqrt(2 * jnp.log(most_k)) + 2
    reach = jnp.minimum(
        largest * jnp.sqrt(2 * (_DEPTH + 2 * jnp.log(most_k))), turn + 1 + largest * math.sqrt(2 * _DEPTH)
    )

    def position(q: Array) -> Array:
        return 4 * q + 2.4 * turn**2 * jnp.log1p(jnp.exp(q) / turn)

    q, dq = graded_nodes(position, jnp.log(smallest) - _LEFT, jnp.log(reach), count)
    return BiasNodes(jnp.exp(q), jnp.exp(q) * dq)


def normal_weights(nodes: BiasNodes, variance: Float[Array, ""]) -> Float[Array, " n"]:
    """p(u) du for the size of a normal variable of this variance."""
    scaled = nodes.u**2 / variance
    return math.sqrt(2 / math.pi) * jnp.exp(-scaled / 2) * nodes.step / jnp.sqrt(variance)


def precision_weights(
    nodes: BiasNodes, v: Float[Array, ""], beta: Float[Array, ""], difficulty: Difficulty
) -> Float[Array, " n"]:
    """p(u) du for u = |B|√τ/σ with B²/σ² of mean v, τ weighted by 1/τ: the squared scale of an instance is σ²/τ."""
    left = coordinate_of(-2 * _DEPTH / beta, difficulty)
    right = 2 * jnp.log(jnp.sqrt(beta / 2) + math.sqrt(3 * _DEPTH)) if difficulty == "gamma" else -1e-17
    high = coordinate_of(jnp.asarray(right, v.dtype), difficulty) if difficulty == "gamma" else 1.4 * _DEPTH
    y, dy = uniform_nodes(*jax.lax.stop_gradient((left, jnp.asarray(high, v.dtype))), _PRECISION_NODES)
    log_tau, log_f = log_prior(y, beta, difficulty)
    log_mean = jnp.log(2 / (beta - 2)) if difficulty == "gamma" else jnp.log(beta / (beta - 2))
    root = jnp.exp(log_f - log_tau - log_mean - 0.5 * (jnp.log(v) + log_tau))
    scaled = nodes.u[:, None] ** 2 * jnp.exp(-jnp.log(v) - log_tau)[None, :]
    density = jnp.matmul(jnp.exp(-scaled / 2), root, precision="highest") * dy
    return math.sqrt(2 / math.pi) * density * nodes.step


def log_mean_square(table: Moments, first: Moments, weights: Float[Array, " n"]) -> Float[Array, ""]:
    """log E[x²] over a law of u, relative to its value `first` at u = 0."""
    grown = jnp.expm1(table.log_square - first.log_square)
    return first.log_square + jnp.log1p(jnp.sum(weights * grown))


def mean_pull(table: Moments, nodes: BiasNodes, weights: Float[Array, " n"]) -> Float[Array, ""]:
    """E[u x] ≤ 0 over a law of u."""
    return jnp.sum(weights * nodes.u * table.mean)

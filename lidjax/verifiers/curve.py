"""The first accepted of k attempts for many values of L_gen at one (β, δ/σ) and one verifier.

As in `passk.curve`: at a given bias nothing depends on v = L_gen/σ², so tables over the bias serve every v of a range,
and `eval_curve` evaluates them. One table holds the failure, another the probability of an accepted wrong answer; in
both the last column is the limit k → ∞.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.difficulty import Difficulty
from lidjax.passk.curve import (
    BIAS_NODES,
    TAU_NODES,
    FailureCurve,
    eval_curve,
    nodes_in_bias,
    nodes_in_precision,
)
from lidjax.passk.population import log_bias_free
from lidjax.passk.quadrature import log_prior
from lidjax.passk.success import log_success_and_miss
from lidjax.verifiers.acceptance import log_first_accepted
from lidjax.verifiers.population import log_accepted_mean, success_nodes

_CHECKS = (0.25, 0.75)  # places in the range of log v where the tables are compared with the quadrature


class VerifiedCurve(NamedTuple):
    """Tables of 1 - P(right) and of P(wrong), each for the k that were asked for and k = ∞."""

    failure: FailureCurve
    wrong: FailureCurve


def build_verified_curve(
    log_v_low: Float[Array, ""],
    log_v_high: Float[Array, ""],
    k: Float[Array, " k"],
    beta: Float[Array, ""],
    delta_over_sigma: Float[Array, ""],
    sensitivity: Float[Array, ""],
    false_accept: Float[Array, ""],
    difficulty: Difficulty,
) -> VerifiedCurve:
    """Tables for one model and one verifier; `k` increases and is finite. `error` is relative, of the failure."""
    most = k[-1]
    attempts = jnp.append(k, jnp.inf)
    ends = log_v_low, log_v_high
    log_alpha, weight = nodes_in_bias(*ends, most, beta, delta_over_sigma, difficulty, BIAS_NODES)
    smallest = jnp.exp(log_bias_free(most, beta, delta_over_sigma, difficulty))
    y, dy = nodes_in_precision(*ends, most, smallest, beta, delta_over_sigma, difficulty, TAU_NODES)
    log_tau, log_f = log_prior(y, beta, difficulty)
    root, density = jnp.exp(log_tau / 2), jnp.exp(log_f) * dy
    h = delta_over_sigma * root

    def at_scaled_bias(a: Array) -> Array:
        log_s, log_miss = log_success_and_miss(a, h)
        shape = (attempts.size, h.size)
        arguments = (log_s[None, :], log_miss[None, :], attempts[:, None], sensitivity, false_accept)
        found = log_first_accepted(*(jnp.broadcast_to(x, shape) for x in arguments))
        both = jnp.exp(jnp.stack([found.failure, found.wrong]))
        return jnp.einsum("fkt,t->fk", both, density, precision="highest")

    unbiased = at_scaled_bias(jnp.zeros_like(h))

    def added_by_bias(log_alpha: Array) -> Array:
        return at_scaled_bias(jnp.exp(0.5 * (math.log(2) + log_alpha)) * root) - unbiased

    rise = jax.lax.map(added_by_bias, log_alpha, batch_size=4)

    def exact(v: Array) -> Array:
        nodes = success_nodes(most, v, beta, delta_over_sigma, difficulty)

        def at(k: Array) -> Array:
            found = log_accepted_mean(nodes, k, sensitivity, false_accept)
            return jnp.exp(jnp.stack([found.failure, found.wrong]))

        return jax.lax.map(at, attempts).T

    free = exact(jnp.zeros_like(most))
    v_low, v_high = (jnp.exp(end) for end in ends)
    tables = [
        FailureCurve(jnp.exp(log_alpha), weight, free[i], rise[:, i], v_low, v_high, jnp.zeros_like(v_low))
        for i in (0, 1)
    ]
    errors = []
    for share in _CHECKS:
        v = jnp.exp(log_v_low + share * (log_v_high - log_v_low))
        errors.append(jnp.max(jnp.abs(eval_curve(tables[0], v) / exact(v)[0] - 1)))
    error = jnp.max(jnp.stack(errors))
    return VerifiedCurve(*(table._replace(error=error) for table in tables))

"""The max-bottleneck law of (N, D, t) and the best use of a compute budget under it.

With k* of each resource growing as N^κ, D^(1/a), t^(1/(ab)), the bottlenecks balance where the frontiers meet, so that
under C = 6 N D the optimum is N ∝ C^(1/(1+κa)), and under C = 6 N t B (data in plenty) N ∝ C^(1/(1+κab)).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lidjax.errors import unknown_name
from lidjax.frontier.losses import capacity_loss, coverage_loss, optimisation_loss
from lidjax.frontier.zipf import check, check_law, floats

BISECTIONS = 64


class ComputeOptimum(NamedTuple):
    """The best split of a budget: N, the other resource (D or t), the loss there, and d log N / d log C."""

    parameters: Float[Array, "*batch"]
    other: Float[Array, "*batch"]
    loss: Float[Array, "*batch"]
    exponent: Float[Array, "*batch"]


def bottleneck_loss(*losses, order=jnp.inf):
    """(Σ L_i^p)^(1/p) with p = `order`: the largest loss for p = ∞, their sum for p = 1. Arguments broadcast."""
    check("order", order, lambda x: x >= 1, "at least 1 (infinity for the largest alone)")
    *losses, order = floats(*losses, order)
    logs = jnp.log(jnp.stack(losses))
    worst = jnp.max(logs, axis=0)
    hard = jnp.isinf(order)
    p = jnp.where(hard, 1.0, order)
    soft = worst + jnp.log(jnp.sum(jnp.exp(p[None] * (logs - worst[None])), axis=0)) / p
    return jnp.exp(jnp.where(hard, worst, soft))


def balance_exponent(exponent, *, kappa, rate_exponent=1.0, against: str = "data"):
    """d log N / d log C where the two bottlenecks' power laws balance: 1/(1+κa), or 1/(1+κab) against steps."""
    check_law(exponent, None)
    a, kappa, b = floats(exponent, kappa, rate_exponent)
    return 1 / (1 + kappa * a * (b if _checked(against) == "steps" else 1))


def compute_optimum(
    compute,
    exponent,
    *,
    kappa,
    rate_exponent=1.0,
    scale=1.0,
    batch=1.0,
    order=jnp.inf,
    against: str = "data",
) -> ComputeOptimum:
    """Least bottleneck loss of capacity and `against` under C = 6 N D ("data") or C = 6 N t B ("steps"), from the
    exact losses of an infinite vocabulary. Arguments broadcast; B is `batch`, D = C/6N, t = C/6NB.

    Where the derivative of the p-norm changes sign: log L_N - log L_D + (log e_N - log e_D)/p = 0 with the local
    exponents e, by bisection over 1 ≤ N ≤ C/6 and a Newton step that carries the derivatives. For p = ∞ the losses are
    equal there. An optimum at an end (C too small for any balance) has NaN for its exponent.
    """
    check("compute", compute, lambda x: x > 6, "greater than 6 (one parameter, one sample)")
    check("batch", batch, lambda x: x > 0, "greater than 0")
    check("kappa", kappa, lambda x: x > 0, "greater than 0")
    check("order", order, lambda x: x >= 1, "at least 1 (infinity for the largest alone)")
    check("rate_exponent", rate_exponent, lambda x: x > 0, "greater than 0")
    check("scale", scale, lambda x: x > 0, "greater than 0")
    check_law(exponent, None)
    values = floats(compute, exponent, kappa, rate_exponent, scale, batch, order)
    return _optima(_checked(against), *values)


def _checked(against: str) -> str:
    if against not in ("data", "steps"):
        raise unknown_name("against:", against, ("data", "steps"))
    return against


@partial(jax.jit, static_argnames="against")
def _optima(against, *values):
    flat = [jnp.ravel(x) for x in values]
    result = jax.vmap(partial(_optimum, against))(*flat)
    return jax.tree.map(lambda x: x.reshape(values[0].shape), result)


def _optimum(against, compute, a, kappa, b, scale, batch, order):
    log_budget = jnp.log(compute / 6)

    def log_other(log_n, log_budget):
        return log_budget - log_n - (jnp.log(batch) if against == "steps" else 0.0)

    def log_capacity(log_n):
        return jnp.log(capacity_loss(jnp.exp(log_n), a, kappa=kappa, scale=scale))

    def log_second(log_r):
        if against == "data":
            return jnp.log(coverage_loss(jnp.exp(log_r), a))
        return jnp.log(optimisation_loss(jnp.exp(log_r), a, rate_exponent=b))

    def gap(log_n, log_budget):
        log_r = log_other(log_n, log_budget)
        unit = jnp.ones_like(log_n)
        first, slope_n = jax.jvp(log_capacity, (log_n,), (unit,))
        second, slope_r = jax.jvp(log_second, (log_r,), (unit,))
        return first - second + (jnp.log(-slope_n) - jnp.log(-slope_r)) / order

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        above = gap(middle, log_budget) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    first, last = jnp.zeros_like(log_budget), log_budget
    low, high = jax.lax.stop_gradient(jax.lax.fori_loop(0, BISECTIONS, halve, (first, last)))
    root = jax.lax.stop_gradient((low + high) / 2)
    one, none = jnp.ones_like(root), jnp.zeros_like(root)
    here, in_n = jax.jvp(gap, (root, log_budget), (one, none))
    _, in_budget = jax.jvp(gap, (root, log_budget), (none, one))
    inside = (low > first) & (high < last)
    log_n = jnp.where(inside, root - here / jax.lax.stop_gradient(in_n), root)
    log_r = log_other(log_n, log_budget)
    loss = bottleneck_loss(jnp.exp(log_capacity(log_n)), jnp.exp(log_second(log_r)), order=order)
    slope = jnp.where(inside, -in_budget / in_n, jnp.nan)
    return ComputeOptimum(jnp.exp(log_n), jnp.exp(log_r), loss, slope)

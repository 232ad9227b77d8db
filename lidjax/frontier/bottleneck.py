"""The max-bottleneck law of (N, D, t) and the best use of a compute budget under it.

The frontier k* of each resource grows as N^κ, D^(1/a) and t^(1/(ab)), and the bottlenecks balance where the frontiers
meet. Hence the optimum is N ∝ C^(1/(1+κa)) under C = 6 N D, and N ∝ C^(1/(1+κab)) under C = 6 N t B with ample data.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.errors import check_choice
from lidjax.frontier.arguments import broadcast_present, check_values, check_zipf
from lidjax.frontier.losses import capacity_loss, coverage_loss, optimisation_loss

BISECTIONS = 64
SECOND_BOTTLENECKS = ("data", "steps")


class ComputeOptimum(NamedTuple):
    """The best use of a compute budget; every field has the broadcast shape of the arguments."""

    parameters: Float[Array, "*batch"]
    """N, number of parameters, real-valued."""
    other: Float[Array, "*batch"]
    """The other resource: D samples against "data", t steps against "steps"; real-valued."""
    loss: Float[Array, "*batch"]
    """Bottleneck loss there."""
    exponent: Float[Array, "*batch"]
    """d log N / d log C; NaN where the optimum is at an end of the range of N."""


def bottleneck_loss(*losses: ArrayLike, order: ArrayLike = jnp.inf) -> Float[Array, "..."]:
    """The loss (Σ L_i^p)^(1/p) of several bottlenecks: the largest for p = ∞, their sum for p = 1.

    Args:
        *losses: L_i > 0 of each bottleneck; they broadcast.
        order: p ≥ 1, which broadcasts with them; infinity for the largest alone.

    Returns:
        The loss, of the broadcast shape.

    Raises:
        InputError: `order` is less than 1.

    References:
        The max-bottleneck law of arXiv:2602.02593 (p = ∞); the p-norm was chosen for this project.

    Example:
        >>> import lidjax
        >>> float(lidjax.bottleneck_loss(3.0, 4.0)), round(float(lidjax.bottleneck_loss(3.0, 4.0, order=2.0)), 4)
        (4.0, 5.0)
    """
    check_values("order", order, lambda x: x >= 1, "at least 1 (infinity for the largest alone)")
    *each, order = broadcast_present(*losses, order)
    logs = jnp.log(jnp.stack(each))
    worst = jnp.max(logs, axis=0)
    hard = jnp.isinf(order)
    p = jnp.where(hard, 1.0, order)
    soft = worst + jnp.log(jnp.sum(jnp.exp(p[None] * (logs - worst[None])), axis=0)) / p
    return jnp.exp(jnp.where(hard, worst, soft))


def balance_exponent(
    exponent: ArrayLike, *, kappa: ArrayLike, rate_exponent: ArrayLike = 1.0, against: str = "data"
) -> Float[Array, "..."]:
    """d log N / d log C where the power laws of capacity and a second bottleneck balance. Arguments broadcast.

    Args:
        exponent: a > 1 of p_k ∝ k^-a.
        kappa: κ of k* = c N^κ.
        rate_exponent: b of the rate p_k^b; matters against "steps" only.
        against: The second bottleneck, "data" (C = 6 N D) or "steps" (C = 6 N t B).

    Returns:
        1/(1+κa) against "data", 1/(1+κab) against "steps", of the broadcast shape.

    Raises:
        InputError: An exponent is not greater than 1, or `against` is unknown.

    References:
        Derived for this project; checked against `compute_optimum` in tests/frontier/test_bottleneck.py.

    Example:
        >>> from lidjax.frontier import balance_exponent
        >>> float(balance_exponent(1.5, kappa=2 / 3))
        0.5
        >>> float(balance_exponent(2.0, kappa=1, rate_exponent=2, against="steps"))
        0.2
    """
    check_zipf(exponent, None)
    a, kappa, b = broadcast_present(exponent, kappa, rate_exponent)
    check_choice("against =", against, SECOND_BOTTLENECKS)
    return 1 / (1 + kappa * a * (b if against == "steps" else 1))


def compute_optimum(
    compute: ArrayLike,
    exponent: ArrayLike,
    *,
    kappa: ArrayLike,
    rate_exponent: ArrayLike = 1.0,
    scale: ArrayLike = 1.0,
    batch: ArrayLike = 1.0,
    order: ArrayLike = jnp.inf,
    against: str = "data",
) -> ComputeOptimum:
    """The number of parameters with the least bottleneck loss under a compute budget. Arguments broadcast.

    The bottlenecks are capacity and a second one, with the exact losses of an infinite vocabulary. The derivative of
    their p-norm changes sign where log L_N - log L_2 + (log e_N - log e_2)/p = 0, with e the local exponents; for p = ∞
    the two losses are equal there. The zero is bisected over 1 ≤ N ≤ C/6, and one Newton step carries the derivatives.

    Args:
        compute: C > 6, in floating-point operations: 6 for each parameter and sample.
        exponent: a > 1 of p_k ∝ k^-a.
        kappa: κ > 0 of k* = c N^κ.
        rate_exponent: b > 0 of the rate p_k^b; matters against "steps" only.
        scale: c > 0 of k* = c N^κ.
        batch: B > 0, samples a step; matters against "steps" only.
        order: p ≥ 1 of `bottleneck_loss`.
        against: The second bottleneck: "data" is coverage with D = C/(6 N) samples, "steps" is optimisation with
            t = C/(6 N B) steps.

    Returns:
        A `ComputeOptimum`. Where C is too small for a balance it is at an end of the range of N, with a NaN exponent.

    Raises:
        InputError: A value is out of its range, or `against` is unknown.

    References:
        Bottlenecks after arXiv:2602.02593; the optimum was derived for this project and is checked against a plain
        search in tests/frontier/test_bottleneck.py.

    Example:
        >>> import lidjax
        >>> best = lidjax.compute_optimum(1e18, 1.5, kappa=2 / 3)
        >>> round(float(best.exponent), 2), round(float(6 * best.parameters * best.other / 1e18), 4)
        (0.5, 1.0)
    """
    check_values("compute", compute, lambda x: x > 6, "greater than 6 (one parameter, one sample)")
    check_values("batch", batch, lambda x: x > 0, "greater than 0")
    check_values("kappa", kappa, lambda x: x > 0, "greater than 0")
    check_values("order", order, lambda x: x >= 1, "at least 1 (infinity for the largest alone)")
    check_values("rate_exponent", rate_exponent, lambda x: x > 0, "greater than 0")
    check_values("scale", scale, lambda x: x > 0, "greater than 0")
    check_zipf(exponent, None)
    values = broadcast_present(compute, exponent, kappa, rate_exponent, scale, batch, order)
    check_choice("against =", against, SECOND_BOTTLENECKS)
    return _each_optimum(against, *values)


@partial(jax.jit, static_argnames="against")
def _each_optimum(against: str, *values: jax.Array) -> ComputeOptimum:
    """`_optimum` of arrays of one shape."""
    flat = [jnp.ravel(x) for x in values]
    result = jax.vmap(partial(_optimum, against))(*flat)
    return jax.tree.map(lambda x: x.reshape(values[0].shape), result)


def _optimum(
    against: str,
    compute: jax.Array,
    a: jax.Array,
    kappa: jax.Array,
    b: jax.Array,
    scale: jax.Array,
    batch: jax.Array,
    order: jax.Array,
) -> ComputeOptimum:
    """The optimum of one cell."""
    log_budget = jnp.log(compute / 6)

    def log_other(log_n: jax.Array, log_budget: jax.Array) -> jax.Array:
        return log_budget - log_n - (jnp.log(batch) if against == "steps" else 0.0)

    def log_capacity(log_n: jax.Array) -> jax.Array:
        return jnp.log(capacity_loss(jnp.exp(log_n), a, kappa=kappa, scale=scale))

    def log_second(log_r: jax.Array) -> jax.Array:
        if against == "data":
            return jnp.log(coverage_loss(jnp.exp(log_r), a))
        return jnp.log(optimisation_loss(jnp.exp(log_r), a, rate_exponent=b))

    def gap(log_n: jax.Array, log_budget: jax.Array) -> jax.Array:
        """Positive where more parameters pay."""
        log_r = log_other(log_n, log_budget)
        unit = jnp.ones_like(log_n)
        first, slope_n = jax.jvp(log_capacity, (log_n,), (unit,))
        second, slope_r = jax.jvp(log_second, (log_r,), (unit,))
        return first - second + (jnp.log(-slope_n) - jnp.log(-slope_r)) / order

    def halve(_: jax.Array, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = ends
        middle = (low + high) / 2
        above = gap(middle, log_budget) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    first, last = jnp.zeros_like(log_budget), log_budget
    low, high = jax.lax.stop_gradient(jax.lax.fori_loop(0, BISECTIONS, halve, (first, last)))
    root = jax.lax.stop_gradient((low + high) / 2)
    one, zero = jnp.ones_like(root), jnp.zeros_like(root)
    gap_at_root, slope_in_n = jax.jvp(gap, (root, log_budget), (one, zero))
    _, slope_in_budget = jax.jvp(gap, (root, log_budget), (zero, one))
    inside = (low > first) & (high < last)
    log_n = jnp.where(inside, root - gap_at_root / jax.lax.stop_gradient(slope_in_n), root)
    log_r = log_other(log_n, log_budget)
    loss = bottleneck_loss(jnp.exp(log_capacity(log_n)), jnp.exp(log_second(log_r)), order=order)
    exponent = jnp.where(inside, -slope_in_budget / slope_in_n, jnp.nan)
    return ComputeOptimum(jnp.exp(log_n), jnp.exp(log_r), loss, exponent)

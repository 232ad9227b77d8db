"""Maximum likelihood of a few parameters in a box, one data set at a time; vmap it over starts and data sets.

Each step solves with the sum of outer products of the rows' scores in the Hessian's place (Berndt, Hall, Hall and
Hausman 1974), plus a damping that falls on success and grows on failure (Levenberg-Marquardt). Only first
derivatives, forward, are compiled: with exact Hessians one family took ten times as long to compile and was no
more often converged.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

LONGEST_STEP = 2.0  # in any parameter; they are logarithms or logits
HOPELESS = 1e8  # damping at which no step can be seen any more


class Maximum(NamedTuple):
    """Parameters, log-likelihood, information (sum of outer products of scores), which bounds hold, and whether the
    gradient along the free parameters vanished."""

    params: Float[Array, " p"]
    value: Float[Array, ""]
    information: Float[Array, "p p"]
    held: Bool[Array, " p"]
    converged: Bool[Array, ""]


def maximise(
    log_rows: Callable[[Array], Array],
    weights: Float[Array, " u"],
    start: Float[Array, " p"],
    low: Float[Array, " p"],
    high: Float[Array, " p"],
    *,
    max_steps: int | Array = 60,
    tolerance: float = 1e-4,
) -> Maximum:
    """Maximise Σ weights · log_rows(params) inside low ≤ params ≤ high.

    Converged means that a full step along the free parameters would raise the log-likelihood by less than `tolerance`:
    gᵀ H⁻¹ g ≤ tolerance, a thousandth of what a standard error is made of.
    """

    def evaluate(params):
        def rows(x):
            values = log_rows(x)
            return values, values

        jacobian, values = jax.jacfwd(rows, has_aux=True)(params)
        weighted = weights[:, None] * jacobian
        information = jnp.matmul(weighted.T, jacobian, precision="highest")
        return jnp.sum(weights * values), jnp.sum(weighted, axis=0), information

    def blocked(params, gradient):
        return ((params <= low) & (gradient < 0)) | ((params >= high) & (gradient > 0))

    def newton_step(params, gradient, information, damping):
        free = ~blocked(params, gradient)
        gradient = jnp.where(free, gradient, 0.0)
        scale = jnp.maximum(jnp.diagonal(information), 1e-8)
        matrix = jnp.where(free[:, None] & free[None, :], information, 0.0)
        matrix = matrix + jnp.diag(jnp.where(free, damping * scale + 1e-9, 1.0))
        step = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), gradient)
        return step, jnp.sum(step * gradient)

    def body(state):
        trial, params, value, gradient, information, damping, _, steps = state
        trial_value, trial_gradient, trial_information = evaluate(trial)
        better = trial_value > value
        params = jnp.where(better, trial, params)
        value = jnp.where(better, trial_value, value)
        gradient = jnp.where(better, trial_gradient, gradient)
        information = jnp.where(better, trial_information, information)
        damping = jnp.where(better, damping / 5, jnp.maximum(damping * 4, 1e-4))
        step, _ = newton_step(params, gradient, information, damping)
        _, gain = newton_step(params, gradient, information, jnp.zeros_like(damping))
        trial = jnp.clip(params + jnp.clip(step, -LONGEST_STEP, LONGEST_STEP), low, high)
        return trial, params, value, gradient, information, damping, gain, steps + 1

    def unfinished(state):
        return (state[6] > tolerance) & (state[5] < HOPELESS) & (state[7] < max_steps)

    start = jnp.clip(start, low, high)
    worst = jnp.asarray(-jnp.inf, start.dtype)
    damping = jnp.ones_like(worst)
    # the start is the first trial, so that the likelihood stands in the compiled program once
    first = (
        start,
        start,
        worst,
        jnp.zeros_like(start),
        jnp.eye(len(start), dtype=start.dtype),
        damping,
        -worst,
        0,
    )
    _, params, value, gradient, information, _, gain, _ = jax.lax.while_loop(unfinished, body, first)
    return Maximum(
        params, value, information, blocked(params, gradient), (gain <= tolerance) & jnp.isfinite(value)
    )

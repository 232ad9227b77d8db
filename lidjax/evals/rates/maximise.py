"""Maximum likelihood of a few parameters in a box, one data set at a time; vmap it over starts and data sets.

Each step uses the sum of outer products of the rows' scores instead of the Hessian (Berndt, Hall, Hall and Hausman
1974), plus a damping that decreases on success and increases on failure (Levenberg-Marquardt). Only first derivatives,
in forward mode, are compiled. With exact Hessians one family took ten times as long to compile and converged no more
often.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

LONGEST_STEP = 2.0  # heuristic, in any parameter; they are logarithms or logits
LARGEST_DAMPING = 1e8  # heuristic: beyond it a step is below the rounding error, and the search stops

State: TypeAlias = tuple[Array, Array, Array, Array, Array, Array, Array, Array | int]


class Maximum(NamedTuple):
    """A maximum inside the box, or the best point found."""

    params: Float[Array, " p"]
    """Parameters (p,)."""
    value: Float[Array, ""]
    """Log-likelihood."""
    information: Float[Array, "p p"]
    """Sum of the outer products of the scores."""
    at_bound: Bool[Array, " p"]
    """Whether each parameter is at an end of the box that the gradient points beyond."""
    converged: Bool[Array, ""]
    """Whether the gradient along the free parameters vanished."""


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

    Converged means that a full step along the free parameters would raise the log-likelihood by less than `tolerance`,
    gᵀ H⁻¹ g ≤ tolerance. One standard error changes it by a half.
    """

    def evaluate(params: Array) -> tuple[Array, Array, Array]:
        def rows(x: Array) -> tuple[Array, Array]:
            values = log_rows(x)
            return values, values

        jacobian, values = jax.jacfwd(rows, has_aux=True)(params)
        weighted = weights[:, None] * jacobian
        information = jnp.matmul(weighted.T, jacobian, precision="highest")
        return jnp.sum(weights * values), jnp.sum(weighted, axis=0), information

    def blocked(params: Array, gradient: Array) -> Array:
        return ((params <= low) & (gradient < 0)) | ((params >= high) & (gradient > 0))

    def newton_step(
        params: Array, gradient: Array, information: Array, damping: Array
    ) -> tuple[Array, Array]:
        free = ~blocked(params, gradient)
        gradient = jnp.where(free, gradient, 0.0)
        scale = jnp.maximum(jnp.diagonal(information), 1e-8)
        matrix = jnp.where(free[:, None] & free[None, :], information, 0.0)
        matrix = matrix + jnp.diag(jnp.where(free, damping * scale + 1e-9, 1.0))
        step = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), gradient)
        return step, jnp.sum(step * gradient)

    def body(state: State) -> State:
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

    def unfinished(state: State) -> Array:
        damping, gain, steps = state[5:]
        return (gain > tolerance) & (damping < LARGEST_DAMPING) & (steps < max_steps)

    start = jnp.clip(start, low, high)
    worst = jnp.asarray(-jnp.inf, start.dtype)
    damping = jnp.ones_like(worst)
    # the start is the first trial, so that the compiled program holds the likelihood only once
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

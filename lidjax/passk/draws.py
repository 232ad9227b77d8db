"""pass@k by drawing: k fresh targets y_j = m + η_j for each instance against the fixed prediction ŷ (Sec. 4.2).

Everything follows from the index T of the first success of an instance, |B - η_j| ≤ δ with B = ŷ - m: its
first k trials all failed if and only if T > k. So one index for each instance serves every k.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Num

from lidjax.difficulty import Difficulty
from lidjax.passk.instances import checked_attempts, log_miss_probability, sample_instances


class DrawFailure(NamedTuple):
    """Share of the instances whose first k trials all failed, for each k."""

    failure: Float[Array, " k"]
    """The share (k,)."""
    standard_error: Float[Array, " k"]
    """Its standard error over instances (k,)."""


def geometric_first_success(key: jax.Array, log_miss: Float[Array, "*m"]) -> Float[Array, "*m"]:
    """Draw the index of the first success: geometric with miss probability exp(log_miss), inf where s = 0.

    It has the distribution of the index that trials drawn one by one would give, at the cost of one draw.
    """
    wait = jax.random.exponential(key, log_miss.shape, log_miss.dtype)
    trials = wait / jnp.where(log_miss == 0, 1, -log_miss)  # NaN stays NaN
    return jnp.where(log_miss == 0, jnp.inf, 1 + jnp.floor(trials))


def draw_failure(
    key: jax.Array,
    k: Num[ArrayLike, " k"],
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    delta: ArrayLike,
    sigma_eta: ArrayLike,
    num_instances: int,
    difficulty: Difficulty = "gamma",
) -> Float[Array, " k"]:
    """L_inf(k) of the LID model as Sec. 4.2 measures it: the share of fresh instances whose k draws all miss.

    The index of the first success is drawn from its own distribution, so a larger k costs nothing. The standard error
    is √(L_inf/num_instances) at best. Values below 1/num_instances cannot be resolved: mostly 0 is returned there. For
    less noise use `instance_failure`, for none `pass_at_k_failure`.

    Args:
        key: JAX random key.
        k: numbers of draws (k,), ≥ 0; a fraction is rounded down.
        lgen: L_gen of the predictor, ≥ 0, scalar.
        beta: tail index β > 0 of the prior on the precision, scalar. The result has its dtype.
        delta: tolerance δ ≥ 0, scalar.
        sigma_eta: noise scale σ_η > 0, scalar.
        num_instances: number of instances, a Python int.
        difficulty: prior on the precision, "gamma" (Eq. 1) or "power" (bounded).

    Returns:
        Shares in [0, 1], (k,).

    Raises:
        InputError: if an argument is not allowed or not of its shape, or if `difficulty` is not known. A traced one
            that is not allowed gives NaN.

    References:
        Sec. 4.2; Eq. 13.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import lidjax
        >>> model = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
        >>> k = jnp.array([1, 10])
        >>> drawn = lidjax.draw_failure(jax.random.key(0), k, 0.1, **model, num_instances=100_000)
        >>> bool(abs(drawn - lidjax.pass_at_k_failure(k, 0.1, **model)).max() < 0.01)
        True
    """
    instance_key, trial_key = jax.random.split(key)
    sample = sample_instances(
        instance_key, lgen, beta=beta, num_instances=num_instances, difficulty=difficulty
    )
    log_miss = log_miss_probability(sample.bias, sample.tau, delta=delta, sigma_eta=sigma_eta)
    return failure_from_first_success(k, geometric_first_success(trial_key, log_miss)).failure


def failure_from_first_success(
    k: Num[ArrayLike, " k"], first_success: Float[ArrayLike, " m"], *, max_draws: float = float("inf")
) -> DrawFailure:
    """Share of the instances whose first k trials all failed, T > k, for every k at once.

    A k that is not whole is rounded down, because trials are whole. `max_draws` is the number of trials that the
    indices were drawn from: for a larger k the share is not known, and NaN is returned.
    """
    first_success = jnp.asarray(first_success)
    k = checked_attempts(k, first_success.dtype)
    count = first_success.shape[0]
    failed = count - jnp.searchsorted(jnp.sort(first_success), k, side="right")
    known = (k <= max_draws) & ~jnp.any(jnp.isnan(first_success))
    failure = jnp.where(known, failed.astype(k.dtype) / count, jnp.nan)
    return DrawFailure(failure, jnp.sqrt(failure * (1 - failure) / max(count - 1, 1)))

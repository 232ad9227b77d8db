"""pass@k by drawing: k fresh targets y_j = m + η_j an instance against the fixed prediction ŷ (Sec. 4.2).

Everything follows from the index T of an instance's first success, |B - η_j| ≤ δ with B = ŷ - m: its
first k trials all failed if and only if T > k, so one stream of draws serves every k.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Num

from lidjax.difficulty import Difficulty
from lidjax.passk.instances import log_miss_probability, sample_instances


class DrawFailure(NamedTuple):
    """All-fail frequency over the instances at each k, and its standard error over instances."""

    failure: Float[Array, " k"]
    standard_error: Float[Array, " k"]


def target_draw_first_success(
    key,
    bias: Float[Array, " m"],
    tau: Float[Array, " m"],
    *,
    delta,
    sigma_eta,
    max_draws: int,
    block: int = 256,
) -> Float[Array, " m"]:
    """Index (from 1) of the first of `max_draws` target draws within `delta` of ŷ; inf if none is.

    The literal protocol of Sec. 4.2, and the slow twin of `instance_failure`. Draws come `block` at a time
    and stop when every instance has succeeded: memory O(m · block), not O(m · max_draws).
    """
    scale = sigma_eta / jnp.sqrt(tau)

    def hit(key):
        noise = scale[:, None] * jax.random.normal(key, (bias.shape[0], block), bias.dtype)
        return jnp.abs(bias[:, None] - noise) <= delta

    return first_hit(key, hit, bias, max_draws, block)


def geometric_first_success(key, log_miss: Float[Array, "*m"]) -> Float[Array, "*m"]:
    """Draw the index of the first success from its law, geometric with miss probability exp(log_miss).

    Equal in law to drawing trials until one succeeds, at the cost of one draw; inf where s = 0.
    """
    wait = jax.random.exponential(key, log_miss.shape, log_miss.dtype)
    trials = wait / jnp.where(log_miss == 0, 1, -log_miss)  # NaN stays NaN
    return jnp.where(log_miss == 0, jnp.inf, 1 + jnp.floor(trials))


def draw_failure(
    key,
    k: Num[ArrayLike, " k"],
    lgen,
    *,
    beta,
    delta,
    sigma_eta,
    num_instances: int,
    difficulty: Difficulty = "gamma",
) -> Float[Array, " k"]:
    """L_inf(k) of the LID model as Sec. 4.2 measures it: the share of fresh instances whose k draws all miss.

    The index of the first success is drawn from its own law, so k costs nothing. The standard error is
    √(L_inf/num_instances) at best: below 1/num_instances nothing is seen, and 0 is returned.
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
    """Fraction of instances whose first k trials all failed, T > k, for every k at once.

    A k that is not whole counts as its whole part: trials are. `max_draws` is the number of trials the
    indices were drawn from: beyond it the answer is NaN, not a guess.
    """
    first_success = jnp.asarray(first_success)
    k = jnp.asarray(k, first_success.dtype)
    count = first_success.shape[0]
    failed = count - jnp.searchsorted(jnp.sort(first_success), k, side="right")
    known = (k <= max_draws) & ~jnp.any(jnp.isnan(first_success))
    failure = jnp.where(known, failed.astype(k.dtype) / count, jnp.nan)
    return DrawFailure(failure, jnp.sqrt(failure * (1 - failure) / max(count - 1, 1)))


def first_hit(key, hit, like, max_draws: int, block: int):
    """First index (from 1) at which `hit(key)`, an (m, block) mask of successes, holds; inf if none up to
    `max_draws`. Block i of the stream has its own key; the loop ends when every instance has succeeded."""
    if max_draws < 1 or block < 1:
        raise ValueError(f"max_draws={max_draws} and block={block} must be at least 1")

    def unfinished(state):
        index, first = state
        return (index * block < max_draws) & jnp.any(jnp.isinf(first))

    def draw(state):
        index, first = state
        hits = hit(jax.random.fold_in(key, index))
        position = index * block + 1 + jnp.argmax(hits, axis=1)
        found = jnp.any(hits, axis=1) & jnp.isinf(first) & (position <= max_draws)
        return index + 1, jnp.where(found, position.astype(first.dtype), first)

    never = jnp.full(like.shape, jnp.inf, like.dtype)
    return jax.lax.while_loop(unfinished, draw, (0, never))[1]

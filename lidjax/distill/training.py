"""Training by next-token cross-entropy on answers: all weights of one model, or the adapters of many students at once.

Students differ in what they are shown: lane i draws its batches from the first N_i rows of its own training set. N is
an array, so all lanes are one program: the base is shared, adapters and optimiser states are vmapped.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from lidjax.distill.transformer import Params, answer_log_probs

CLIP = 1.0  # of the gradient's norm: the usual guard against a rare large step


class Rows(NamedTuple):
    """A training set: questions (m, p) and answers (m, r)."""

    question: Int[Array, "m p"]
    answer: Int[Array, "m r"]


class TrainingState(NamedTuple):
    """What a training carries: the trained weights, the optimiser's state, the number of steps taken."""

    weights: Params
    state: Any
    step: Int[Array, ""]


def answer_loss(params: Params, rows: Rows, adapters: Params, scale, *, heads: int) -> Float[Array, ""]:
    """Mean cross-entropy of the answers' tokens, in nats a token."""

    def one(question, answer):
        return answer_log_probs(params, question, answer, adapters, scale, heads=heads)

    log_probs, counted = jax.vmap(one)(*rows)
    return -jnp.sum(jnp.where(counted, log_probs, 0.0)) / jnp.sum(counted.astype(log_probs.dtype))


def adam() -> optax.GradientTransformation:
    """Adam on clipped gradients, its step not yet scaled by the learning rate."""
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.scale_by_adam(b2=0.98))


def learning_rate(step, peak, total):
    """Linear rise over the first twentieth, then linear fall to 0 at `total`."""
    step, total = step.astype(peak.dtype), jnp.asarray(total, peak.dtype)
    rise = jnp.maximum(total / 20, 1.0)
    return peak * jnp.clip(jnp.minimum((step + 1) / rise, (total - step) / (total - rise + 1)), 0.0, 1.0)


def begin(weights: Params) -> TrainingState:
    return TrainingState(weights, adam().init(weights), jnp.zeros((), jnp.int32))


def train(
    loss,
    key: Key[Array, ""],
    progress: TrainingState,
    data: Rows,
    n: Int[Array, ""],
    peak,
    total,
    *,
    steps: int,
    batch: int,
) -> tuple[TrainingState, Float[Array, " s"]]:
    """`steps` steps of `loss(weights, rows)` on batches of the first `n` rows of `data`; losses one a step.

    Batches come from `key` and the step's number alone, so a training may be cut anywhere.
    """

    def advance(progress: TrainingState, _):
        picked = jax.random.randint(jax.random.fold_in(key, progress.step), (batch,), 0, n, jnp.int32)
        rows = Rows(data.question[picked], data.answer[picked])
        value, gradient = jax.value_and_grad(loss)(progress.weights, rows)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
            direction, state = adam().update(gradient, progress.state)
        rate = learning_rate(progress.step, peak, total)
        weights = jax.tree.map(lambda w, d: w - rate * d, progress.weights, direction)
        return TrainingState(weights, state, progress.step + 1), value

    return jax.lax.scan(advance, progress, length=steps)


def train_base(key, progress: TrainingState, data: Rows, peak, total, *, heads: int, steps: int, batch: int):
    """Train all weights of a model on all rows."""
    zero = jnp.zeros((), jnp.float32)

    def loss(params, rows):
        return answer_loss(params, rows, {}, zero, heads=heads)

    n = jnp.asarray(data.question.shape[0], jnp.int32)
    return train(loss, key, progress, data, n, peak, total, steps=steps, batch=batch)


def train_students(
    keys: Key[Array, " l"],
    progress: TrainingState,
    data: Rows,
    n: Int[Array, " l"],
    which: Int[Array, " l"],
    peak: Float[Array, " l"],
    total,
    params: Params,
    scale: Float[Array, ""],
    *,
    heads: int,
    steps: int,
    batch: int,
):
    """Train the adapters of all lanes: `progress` and `keys` have a lane axis, `data` (s, m, ...) one of training sets.

    Lane i uses set `which[i]`. A peak learning rate a lane.
    """

    def one(key, progress, n, which, peak):
        def loss(adapters, rows):
            return answer_loss(params, rows, adapters, scale, heads=heads)

        own = Rows(data.question[which], data.answer[which])
        return train(loss, key, progress, own, n, peak, total, steps=steps, batch=batch)

    return jax.vmap(one)(keys, progress, n, which, peak)

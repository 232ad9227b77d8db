"""Training by next-token cross-entropy on answers: all weights of one model, or the adapters of many students at once.

Students differ in what they are shown: student i draws its batches from the first N_i examples of its own training set.
N is an array, so that all students are one program: they share the base model, and their adapters and the states of
their optimisers are vmapped.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from lidjax.distill.transformer import Adapters, Params, answer_log_probs

CLIP = 1.0
"""Largest norm of the gradient: the usual guard against a rare large step."""


class Examples(NamedTuple):
    """Questions and their answers as token ids; of several training sets, with an axis of sets in front."""

    question: Int[Array, "*sets m p"]
    answer: Int[Array, "*sets m r"]


class TrainingState(NamedTuple):
    """The state of a training between two steps."""

    weights: Params
    """What is trained: the weights of a model, or adapters."""
    optimiser: Any
    """State of the optimiser."""
    step: Int[Array, ""]
    """Number of steps taken."""


def answer_loss(
    params: Params, examples: Examples, adapters: Adapters, scale: Float[Array, ""], *, heads: int
) -> Float[Array, ""]:
    """Mean cross-entropy of the answers' tokens, in nats a token."""

    def log_probs_of(question: Int[Array, " p"], answer: Int[Array, " r"]) -> tuple[Array, Array]:
        return answer_log_probs(params, question, answer, adapters, scale, heads=heads)

    log_probs, counted = jax.vmap(log_probs_of)(*examples)
    return -jnp.sum(jnp.where(counted, log_probs, 0.0)) / jnp.sum(counted.astype(log_probs.dtype))


def adam() -> optax.GradientTransformation:
    """Adam on clipped gradients. Its steps are not yet multiplied by the learning rate."""
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.scale_by_adam(b2=0.98))


def learning_rate(
    step: Int[Array, ""], peak: Float[Array, ""], total: int | Int[Array, ""]
) -> Float[Array, ""]:
    """The learning rate at `step`: it rises linearly over a twentieth of `total` steps, then falls to 0 at `total`."""
    step, total = step.astype(peak.dtype), jnp.asarray(total, peak.dtype)
    rise = jnp.maximum(total / 20, 1.0)
    return peak * jnp.clip(jnp.minimum((step + 1) / rise, (total - step) / (total - rise + 1)), 0.0, 1.0)


def initial_state(weights: Params) -> TrainingState:
    """The state before the first step."""
    return TrainingState(weights, adam().init(weights), jnp.zeros((), jnp.int32))


def train(
    loss: Callable[[Params, Examples], Float[Array, ""]],
    key: Key[Array, ""],
    state: TrainingState,
    examples: Examples,
    n: Int[Array, ""],
    peak: Float[Array, ""],
    total: Int[Array, ""],
    *,
    steps: int,
    batch: int,
) -> tuple[TrainingState, Float[Array, " s"]]:
    """Take `steps` steps on batches of the first `n` examples; returns the state and the loss at each step.

    A batch depends on `key` and the number of the step alone, so that a training may be interrupted after any step.
    `peak` and `total` are those of `learning_rate`.
    """

    def advance(state: TrainingState, _: None) -> tuple[TrainingState, Array]:
        picked = jax.random.randint(jax.random.fold_in(key, state.step), (batch,), 0, n, jnp.int32)
        drawn = Examples(examples.question[picked], examples.answer[picked])
        value, gradient = jax.value_and_grad(loss)(state.weights, drawn)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer power
            direction, optimiser = adam().update(gradient, state.optimiser)
        rate = learning_rate(state.step, peak, total)
        weights = jax.tree.map(lambda w, d: w - rate * d, state.weights, direction)
        return TrainingState(weights, optimiser, state.step + 1), value

    return jax.lax.scan(advance, state, length=steps)


def train_base(
    key: Key[Array, ""],
    state: TrainingState,
    examples: Examples,
    peak: Float[Array, ""],
    total: Int[Array, ""],
    *,
    heads: int,
    steps: int,
    batch: int,
) -> tuple[TrainingState, Float[Array, " s"]]:
    """Train all weights of a model on all examples; see `train`."""
    zero = jnp.zeros((), jnp.float32)

    def loss(params: Params, drawn: Examples) -> Float[Array, ""]:
        return answer_loss(params, drawn, {}, zero, heads=heads)

    n = jnp.asarray(examples.question.shape[0], jnp.int32)
    return train(loss, key, state, examples, n, peak, total, steps=steps, batch=batch)


def train_students(
    keys: Key[Array, " l"],
    states: TrainingState,
    training_sets: Examples,
    n: Int[Array, " l"],
    set_index: Int[Array, " l"],
    peak: Float[Array, " l"],
    total: Int[Array, ""],
    params: Params,
    scale: Float[Array, ""],
    *,
    heads: int,
    steps: int,
    batch: int,
) -> tuple[TrainingState, Float[Array, "l s"]]:
    """Train the adapters of l students side by side; see `train`.

    Student i is trained on the first `n[i]` examples of training set `set_index[i]`; `states` has the students first.
    """

    def train_one(
        key: Key[Array, ""],
        state: TrainingState,
        n: Int[Array, ""],
        set_index: Int[Array, ""],
        peak: Float[Array, ""],
    ) -> tuple[TrainingState, Array]:
        def loss(adapters: Adapters, drawn: Examples) -> Float[Array, ""]:
            return answer_loss(params, drawn, adapters, scale, heads=heads)

        own = Examples(training_sets.question[set_index], training_sets.answer[set_index])
        return train(loss, key, state, own, n, peak, total, steps=steps, batch=batch)

    return jax.vmap(train_one)(keys, states, n, set_index, peak)

"""Runs of SGD on streaming data of the LID model, by optax: L_gen of the head at chosen numbers of steps."""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Key

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, checked, known_value
from lidjax.difficulty import Difficulty, check_difficulty
from lidjax.errors import InputError, check_choice
from lidjax.sgd.arguments import BATCH, MOMENTUM
from lidjax.sgd.gradients import Batches, GradientMethod, batch_gradient

MOST_STEPS = 2**31 - 1


class RunNumbers(NamedTuple):
    """What decides a run, as floating arrays of one dtype."""

    theta: Float[Array, " d"]
    """The teacher θ*."""
    batches: Batches
    learning_rate: Float[Array, ""]
    momentum: Float[Array, ""]
    decay: Float[Array, ""]
    decay_steps: Float[Array, ""]


def sgd_lgen(
    key: jax.Array,
    steps: ArrayLike | Sequence[int],
    *,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    learning_rate: ArrayLike,
    batch: ArrayLike,
    momentum: ArrayLike = 0.0,
    decay: ArrayLike = 0.0,
    decay_steps: ArrayLike = 1.0,
    difficulty: Difficulty = "gamma",
    method: str = "law",
    largest_batch: int | None = None,
) -> Float[Array, " t"]:
    """L_gen of one head trained by `optax.sgd` on a stream of LID data, after each of `steps` steps from θ = 0.

    Every step takes B new instances, with the learning rate η (1 + t/decay_steps)^-decay at step t = 0, 1, ... The
    function can be called under `jit` and `vmap` in every argument but the steps' number, and one program serves every
    value. With one key for all, runs that differ in η, B, β, σ_η, momentum or decay share their draws.

    Args:
        key: JAX random key.
        steps: Numbers of steps (t,), whole, ascending, 0 ≤ t < 2³¹.
        eigenvalues: Variances of the features (d,), > 0, finite. The result has their dtype.
        theta: Teacher θ* (d,), finite.
        beta: Tail index β > 0 of the prior on the precision, finite, scalar.
        sigma_eta: Noise scale σ_η ≥ 0, finite, scalar.
        learning_rate: Step size η > 0 on half the mean squared residual of a batch, finite, scalar.
        batch: Instances a step B ≥ 1, a whole number, scalar.
        momentum: Momentum μ of `optax.sgd`, at least 0, below 1, scalar.
        decay: Exponent of the decay of the learning rate, at least 0, finite, scalar.
        decay_steps: Steps after which the decay begins to be felt, > 0, finite, scalar.
        difficulty: Prior on the precision, "gamma" or "power".
        method: "law" draws the gradient of a batch from its exact distribution given the weights, B + d draws a step;
            "rows" draws the instances of the batch, B d draws.
        largest_batch: Rows that are drawn a step; needed where `batch` is traced, and at least as large.

    Returns:
        L_gen = (θ-θ*)ᵀ Σ (θ-θ*) after each number of steps (t,), in squared units of the labels. It is infinite or NaN
        where the weights have outgrown the dtype, and NaN where a traced argument is out of its range.

    Raises:
        InputError: If a name is not known, a shape does not fit, or a value is known and out of its range.

    References:
        Def. 3.1. The distribution of the gradient was derived for this project; tests/sgd/test_runs.py compares both
        methods, and their mean with `sgd_mean_lgen`.

    Example:
        >>> import jax, lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(20, 1.0), "theta": lidjax.power_law_teacher(20)}
        >>> law = {"learning_rate": 0.1, "batch": 4}
        >>> def run(key):
        ...     return lidjax.sgd_lgen(key, [10, 100], **model, **law, beta=8.0, sigma_eta=0.3)
        >>> lgen = jax.vmap(run)(jax.random.split(jax.random.key(0), 500)).mean(axis=0)
        >>> mean = lidjax.sgd_mean_lgen([10, 100], **model, **law, noise_variance=0.03)  # 0.3² E[1/τ]
        >>> [round(float(ratio), 1) for ratio in lgen / mean]
        [1.0, 1.0]
    """
    check_difficulty(difficulty)
    check_choice("method =", method, get_args(GradientMethod))
    eigenvalues = checked("eigenvalues", eigenvalues, POSITIVE, shape=("d",))
    dtype = eigenvalues.dtype
    numbers = RunNumbers(
        theta=checked("theta", theta, FINITE, shape=eigenvalues.shape, dtype=dtype),
        batches=Batches(
            eigenvalues,
            beta=checked("beta", beta, POSITIVE, shape=(), dtype=dtype),
            sigma_eta=checked("sigma_eta", sigma_eta, NOT_NEGATIVE, shape=(), dtype=dtype),
            size=checked("batch", batch, BATCH, shape=(), dtype=dtype),
        ),
        learning_rate=checked("learning_rate", learning_rate, POSITIVE, shape=(), dtype=dtype),
        momentum=checked("momentum", momentum, MOMENTUM, shape=(), dtype=dtype),
        decay=checked("decay", decay, NOT_NEGATIVE, shape=(), dtype=dtype),
        decay_steps=checked("decay_steps", decay_steps, POSITIVE, shape=(), dtype=dtype),
    )
    rows = _rows(batch, largest_batch)
    counts = jnp.asarray(ascending_steps(steps, "steps", 0))
    lgen = train_run(key, counts, numbers, rows=rows, difficulty=difficulty, method=method)
    return jnp.where(numbers.batches.size <= rows, lgen, jnp.nan)


def train_run(
    key: Key[Array, ""],
    steps: Int[Array, " t"],
    numbers: RunNumbers,
    *,
    rows: int,
    difficulty: Difficulty,
    method: Any,
) -> Float[Array, " t"]:
    """`sgd_lgen` for sweeps: nothing is checked. `steps` ascend, and `rows` is at least B."""
    batches = numbers.batches

    def learning_rate(step: Array) -> Array:
        passed = 1 + step.astype(numbers.decay.dtype) / numbers.decay_steps
        return numbers.learning_rate * passed**-numbers.decay

    # hyperparameters are part of the optimiser's state: another value is another array, not another program
    optimiser = optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate, momentum=numbers.momentum)

    def advance(step: Array, state: tuple[Array, Any]) -> tuple[Array, Any]:
        weights, optimiser_state = state
        own = jax.random.fold_in(key, step)
        gradient = batch_gradient(
            own, weights - numbers.theta, batches, rows=rows, difficulty=difficulty, method=method
        )
        with jax.numpy_dtype_promotion("standard"):
            update, optimiser_state = optimiser.update(gradient, optimiser_state, weights)
        moved: Any = optax.apply_updates(weights, update)
        return moved, optimiser_state

    def until(state: tuple[Array, Any], ends: tuple[Array, Array]) -> tuple[tuple[Array, Any], Array]:
        state = jax.lax.fori_loop(ends[0], ends[1], advance, state)
        return state, jnp.sum(batches.eigenvalues * (state[0] - numbers.theta) ** 2)

    weights = jnp.zeros_like(numbers.theta)
    with jax.numpy_dtype_promotion("standard"):
        start = weights, optimiser.init(weights)
    begins = jnp.concatenate([jnp.zeros(1, steps.dtype), steps[:-1]])
    return jax.lax.scan(until, start, (begins, steps))[1]


def ascending_steps(steps: ArrayLike | Sequence[int], name: str, least: int) -> np.ndarray:
    """Numbers of steps or passes as 32-bit integers. InputError, naming them, unless they are known and ascend."""
    known = known_value(np.asarray(steps) if isinstance(steps, Sequence) else steps)
    if known is None:
        raise InputError(f"{name} is traced: give numbers that are known")
    whole = known.ndim == 1 and known.size > 0 and bool(np.all(np.round(known) == known))
    if not whole or not (known[0] >= least and np.all(np.diff(known) > 0) and known[-1] <= MOST_STEPS):
        raise InputError(
            f"{name} = {known.tolist()}: must be a list of ascending whole numbers from {least} to 2³¹-1"
        )
    return known.astype(np.int32)


def _rows(batch: ArrayLike, largest_batch: int | None) -> int:
    known = known_value(batch)
    if known is not None and not np.all(np.round(known) == known):
        raise InputError(f"batch = {known.item():.10g}: must be a whole number")
    if known is None and largest_batch is None:
        raise InputError("batch is traced: give largest_batch, the rows to draw a step")
    if largest_batch is not None and largest_batch < (1 if known is None else known.item()):
        raise InputError(f"largest_batch = {largest_batch}: must be at least 1, and at least batch")
    return int(largest_batch if largest_batch is not None else known.item() if known is not None else 1)

"""Sec. 5's setting: a linear head on frozen features, with human label noise as instance difficulty.

Each instance has features z (d), a mean target m and a label variance v. With scale s the learning
problem is z/s → y ~ N(m/s, v + ε_v), ridge λ/s², tolerance δ/s (Eq. 26-28). The factors of s cancel in
the predictor,

    ŷ(z) = zᵀ (ZᵀZ + Nλ I)⁻¹ Zᵀ (m/s + noise),

so one factorisation of the features as they come serves every scale, every label draw and every
tolerance: the right-hand sides are the means (one column) and the noise of each draw.
"""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Num

from lidjax.passk.draws import failure_from_first_success, geometric_first_success
from lidjax.passk.instances import log_miss_probability
from lidjax.ridge import Solver

_BLOCK_ROWS = 256  # rows added to the Gram matrix at a time (a heuristic: its cost is small at any size)

FailureMethod = Literal["instances", "draws"]


class Split(NamedTuple):
    """One train/validation split with its label draws, in the original units of the features and means.

    `targets` holds the means in column 0 and one column of label noise for each draw.
    """

    x: Float[Array, "t d"]
    targets: Float[Array, "t r"]
    x_val: Float[Array, "v d"]
    mean_val: Float[Array, " v"]
    variance_val: Float[Array, " v"]


class FeatureCell(NamedTuple):
    """L_gen (n, labels) in rescaled units (times s² for the original ones) and L_inf (n, labels, k)."""

    lgen: Float[Array, "n labels"]
    failure: Float[Array, "n labels k"]


def feature_split(
    key,
    features: Float[ArrayLike, "m d"],
    mean: Float[ArrayLike, " m"],
    variance: Float[ArrayLike, " m"],
    *,
    n: Int[ArrayLike, " n"],
    num_labels: int,
    k: Num[ArrayLike, " k"],
    scale,
    ridge,
    delta,
    variance_floor,
    num_validation: int,
    failure: FailureMethod = "instances",
    solver: Solver = "cholesky",
) -> FeatureCell:
    """L_gen(N) and L_inf(k; N) of one split, for sorted training sizes `n` and `num_labels` label draws.

    The training sets are nested: the first N of one random order; validation is its last `num_validation`
    instances, so neither changes when the other grows. A label draw keeps its labels over N; draw l has
    its own key, so more draws leave the old ones as they were. L_gen is the mean of (ŷ - m/s)² over the
    validation set. L_inf(k) is the mean of (1 - s_i)^k over its instances, or with failure="draws" the
    fraction of them whose first k drawn targets all miss, as in the paper (same mean, more noise).

    `scale` s > 0, `ridge` λ ≥ 0 (divided by s² as in Eq. 28), `delta` δ > 0 (divided by s) and
    `variance_floor` ε_v are scalar arrays in the dtype of `features`; vmapped over the first three, the
    Gram matrix is still built once. A cell with N < 1, N > m - num_validation, N out of order or a
    singular system is NaN.
    There is no intercept, as in the paper. For one, append a column of ones, penalised like the rest: on
    ResNet-18 features of CIFAR-10 it moves L_gen by 0.5 % or less, for after a ReLU they nearly span it.

    Measured there (d = 512, λ = 1e-9) against an SVD of the features: in float64 L_gen is right to 2e-10,
    at N = d to 2e-8; in float32 to 3e-4 where |N/d - 1| > 0.15, to 3e-2 nearer, and it is NaN at N = d.
    """
    if failure not in get_args(FailureMethod):
        raise ValueError(f"failure={failure!r}; allowed: {', '.join(get_args(FailureMethod))}")
    features = jnp.asarray(features)
    n, k = jnp.asarray(n), jnp.asarray(k, features.dtype)
    split_key, trial_key = jax.random.split(key)
    split = draw_split(split_key, features, mean, variance, variance_floor, num_labels, num_validation)
    predictions = nested_predictions(split.x, split.targets, split.x_val, n, ridge, solver)
    precision = 1 / (split.variance_val + variance_floor)

    def evaluate(cell):
        size, prediction = cell
        bias = prediction[:, :1] / scale + prediction[:, 1:] - (split.mean_val / scale)[:, None]
        log_miss = log_miss_probability(bias, precision[:, None], delta=delta / scale, sigma_eta=1.0)
        if failure == "instances":
            curves = mean_failure(k, log_miss)
        else:
            first = geometric_first_success(jax.random.fold_in(trial_key, size), log_miss)
            curves = jax.vmap(lambda index: failure_from_first_success(k, index).failure, 1)(first)
        return jnp.mean(bias**2, axis=0), curves

    return FeatureCell(*jax.lax.map(evaluate, (n, predictions)))


def draw_split(key, features, mean, variance, variance_floor, num_labels: int, num_validation: int) -> Split:
    """Draw the random order and the label noise of one split; everything takes the dtype of `features`."""
    count = features.shape[0]
    if not 1 <= num_validation < count:
        raise ValueError(
            f"num_validation={num_validation} must be from 1 to {count - 1}: there are {count} instances"
        )
    if num_labels < 1:
        raise ValueError(f"num_labels={num_labels} must be at least 1")
    order_key, label_key = jax.random.split(key)
    order = jax.random.permutation(order_key, count)
    x, mean, variance = (jnp.asarray(a, features.dtype)[order] for a in (features, mean, variance))
    train = count - num_validation

    def draw(index):
        return jax.random.normal(jax.random.fold_in(label_key, index), (train,), features.dtype)

    noise = jnp.sqrt(variance[:train] + variance_floor)[:, None] * jax.vmap(draw, out_axes=1)(
        jnp.arange(num_labels)
    )
    targets = jnp.concatenate([mean[:train, None], noise], axis=1)
    return Split(x[:train], targets, x[train:], mean[train:], variance[train:])


def mean_failure(k: Float[Array, " k"], log_miss: Float[Array, "v labels"]) -> Float[Array, "labels k"]:
    """Mean of (1 - s)^k over instances, one k at a time: memory does not grow with the number of k."""
    curves = jax.lax.map(lambda k: jnp.mean(jnp.exp(k * log_miss), axis=0), k)
    return curves.T


def nested_predictions(
    x: Float[Array, "t d"],
    targets: Float[Array, "t r"],
    x_val: Float[Array, "v d"],
    n: Int[Array, " n"],
    ridge,
    solver: Solver = "cholesky",
) -> Float[Array, "n v r"]:
    """Ridge predictions on `x_val` after training on the first N rows, for each N of the sorted `n` (Eq. 28).

    One scan: the carry (ZᵀZ, Zᵀtargets) grows by the rows between consecutive N. For N < d the dual
    system is the leading N × N block of one d × d kernel, padded with the identity. Vmapped over ridge,
    solver="eigh" decomposes once an N what "cholesky" factorises once a ridge.
    """
    t, d = x.shape
    rows = max(t, d)
    x = jnp.pad(x, ((0, rows + _BLOCK_ROWS - t), (0, 0)))
    targets = jnp.pad(targets, ((0, rows + _BLOCK_ROWS - t), (0, 0)))
    head, head_targets = x[:d], targets[:d]
    kernel = _matmul(head, head.T)
    identity = jnp.eye(d, dtype=x.dtype)
    block_index, row_index = jnp.arange(_BLOCK_ROWS), jnp.arange(d)

    def add_block(start, stop, gram, moment):
        rows_x = jax.lax.dynamic_slice_in_dim(x, start, _BLOCK_ROWS)
        rows_x = jnp.where((start + block_index < stop)[:, None], rows_x, 0)
        rows_t = jax.lax.dynamic_slice_in_dim(targets, start, _BLOCK_ROWS)
        return gram + _matmul(rows_x.T, rows_x), moment + _matmul(rows_x.T, rows_t)

    def step(carry, size):
        start, gram, moment = carry
        stop = jnp.clip(size, start, t)

        def body(i, state):
            return add_block(start + i * _BLOCK_ROWS, stop, *state)

        blocks = (stop - start + _BLOCK_ROWS - 1) // _BLOCK_ROWS
        gram, moment = jax.lax.fori_loop(0, blocks, body, (gram, moment))

        primal = size >= d
        active = (row_index < size)[:, None]
        shift = size.astype(x.dtype) * ridge
        system = jnp.where(primal, gram, jnp.where(active & active.T, kernel, identity))
        rhs = jnp.where(primal, moment, jnp.where(active, head_targets, 0))
        if solver == "cholesky":
            solution = cho_solve(cho_factor(system + shift * identity, lower=True), rhs)
        else:
            values, vectors = jnp.linalg.eigh(system)
            solution = _matmul(vectors, _matmul(vectors.T, rhs) / (values + shift)[:, None])
        theta = jnp.where(primal, solution, _matmul(head.T, solution))
        valid = (size >= jnp.maximum(start, 1)) & (size <= t)
        return (stop, gram, moment), jnp.where(valid, _matmul(x_val, theta), jnp.nan)

    zero = jnp.zeros_like(n[0])
    carry = (zero, jnp.zeros((d, d), x.dtype), jnp.zeros((d, targets.shape[1]), x.dtype))
    return jax.lax.scan(step, carry, n)[1]


def _matmul(a, b):
    return jnp.matmul(a, b, precision="highest")

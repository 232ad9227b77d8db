"""Judges that rank k answers by a reward: mean squared error of the best of k, and of a softmax choice.

An answer is y = m + B + s z, z normal, where m is the true target and B the bias of the model. The judge rewards
answers near m + e, where e is its own error. The best of k is the answer nearest to m + e; a softmax judge at
temperature t chooses answer i with probability ∝ exp(-(y_i - m - e)²/(2t)). Both are measured by E[(y - m)²].

With B ~ N(0, V), V = L_gen, and e ~ N(0, W), everything follows from u = |B - e|/s, whose square has mean
(V + W)/s². Given u, e has mean u s W/(V + W) towards the judge's target, and variance V W/(V + W).
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, Range, checked, checked_floats
from lidjax.difficulty import Difficulty, check_difficulty, mean_inverse_precision
from lidjax.verifiers.bias_table import (
    NODES,
    SOFTMAX_NODES,
    BiasNodes,
    bias_nodes,
    log_mean_square,
    mean_pull,
    normal_weights,
    precision_weights,
)
from lidjax.verifiers.selection import Moments, best_of_k_moments, best_of_k_table, softmax_moments

PROPOSALS = Range("at least 1, and finite", lambda x: (x >= 1) & (x < math.inf))
RESOLVED = Range(
    "at least 0.4: the quadrature does not resolve colder judges, which the best of k describes",
    lambda x: x >= 0.4,
)
FINITE_MEAN = Range(
    "greater than 2, where the mean of 1/τ is finite, and at most 100", lambda x: (x > 2) & (x <= 100)
)


def best_of_k_error(
    k: ArrayLike, *, bias: ArrayLike, scale: ArrayLike, reward_error: ArrayLike = 0.0, log: bool = False
) -> Float[Array, "..."]:
    """Mean squared error of the best of k answers, chosen by a reward, at a given bias and reward error.

    The relative error in float64 is below 1e-9 for k up to 1e12 and biases up to 30 `scale`. With a reward error that
    is large beside the result, digits are lost like the ratio of the squares. First derivatives are exact in every
    argument.

    Args:
        k: number of answers, real, at least 1.
        bias: B, mean of the answers minus the true target, of any sign.
        scale: standard deviation s > 0 of an answer.
        reward_error: e, the judge's target minus the true one. The four broadcast.
        log: return the logarithm, which holds where the error underflows.

    Returns:
        E[(y - m)²] of the selected answer, of the broadcast shape, in squared units of `scale`.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        Halder and Pehlevan, arXiv:2512.19905. The quadrature was derived for this project, and is compared with
        adaptive quadrature, simulation and values of an independent reproduction in tests/verifiers/test_judges.py.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.best_of_k_error(4, bias=0.0, scale=1.0)), 6)
        0.120702
    """
    arrays = checked_floats(
        k=(k, PROPOSALS), bias=(bias, FINITE), scale=(scale, POSITIVE), reward_error=(reward_error, FINITE)
    )
    value = _over_cells(_best_cell, *arrays)
    return value if log else jnp.exp(value)


def softmax_error(
    k: ArrayLike,
    *,
    bias: ArrayLike,
    scale: ArrayLike,
    temperature: ArrayLike,
    reward_error: ArrayLike = 0.0,
    log: bool = False,
) -> Float[Array, "..."]:
    """Mean squared error of one of k answers, chosen by a softmax of their rewards, at a given bias and reward error.

    The weight of an answer is exp(-(y - m - e)²/(2t)). The relative error in float64 is below 1e-9 for t ≥ s² and 2e-9
    for t ≥ 0.4 s², with |B - e| up to 10 s and k up to 1e12. t → 0 is `best_of_k_error`, t → ∞ chooses at random.

    Args:
        k: number of answers, real, at least 1.
        bias: B, mean of the answers minus the true target, of any sign.
        scale: standard deviation s > 0 of an answer.
        temperature: t ≥ 0.4 s², in squared units of `scale`.
        reward_error: e, the judge's target minus the true one. The five broadcast.
        log: return the logarithm, which holds where the error underflows.

    Returns:
        E[(y - m)²] of the selected answer, of the broadcast shape.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        Halder and Pehlevan, arXiv:2512.19905. The quadrature was derived for this project, and is compared with
        simulation and values of an independent reproduction in tests/verifiers/test_judges.py.

    Example:
        >>> import lidjax
        >>> round(float(lidjax.softmax_error(2, bias=0.0, scale=1.0, temperature=1.0)), 6)
        0.649542
    """
    arrays = checked_floats(
        k=(k, PROPOSALS),
        bias=(bias, FINITE),
        scale=(scale, POSITIVE),
        reward_error=(reward_error, FINITE),
        temperature=(temperature, POSITIVE),
    )
    k, bias, scale, reward_error, temperature = arrays
    ratio = checked("temperature/scale²", temperature / scale**2, RESOLVED)
    value = _over_cells(_softmax_cell, k, bias, scale, reward_error, ratio)
    return value if log else jnp.exp(value)


def _best_cell(k: Array, bias: Array, scale: Array, error: Array) -> Array:
    u = jnp.abs(bias - error) / scale
    return _log_about_truth(best_of_k_moments(k, u), bias - error, scale, error)


def _softmax_cell(k: Array, bias: Array, scale: Array, error: Array, ratio: Array) -> Array:
    u = jnp.abs(bias - error) / scale
    return _log_about_truth(softmax_moments(k, u, ratio), bias - error, scale, error)


def _log_about_truth(moments: Moments, gap: Array, scale: Array, error: Array) -> Array:
    """log E[(y - m)²] from the moments about the judge's target, which lies `error` from the true one."""
    towards = jnp.where(gap > 0, -error, error) / scale  # the judge's target, along the direction of x
    shift = (2 * towards * moments.mean + towards**2) * jnp.exp(-moments.log_square)
    return 2 * jnp.log(scale) + moments.log_square + jnp.log1p(jnp.where(error == 0, 0, shift))


def _over_cells(cell: object, *arrays: Array) -> Array:
    flat = [x.reshape(-1) for x in arrays]
    return _mapped(cell, *flat).reshape(arrays[0].shape)


@functools.partial(jax.jit, static_argnums=0)
def _mapped(cell: object, *flat: Array) -> Array:
    assert callable(cell)
    return jax.lax.map(jax.checkpoint(lambda args: cell(*args)), flat)


def best_of_k_loss(
    k: ArrayLike, lgen: ArrayLike, *, scale: ArrayLike, reward_variance: ArrayLike = 0.0, log: bool = False
) -> Float[Array, "*shape k"]:
    """Mean squared error of the best of k answers over test instances, chosen by a reward with an error of its own.

    The bias of an instance is N(0, L_gen), the error of its reward N(0, W). Where W = 0 the loss falls like
    k^-min{2, s²/L_gen} (`judged_exponent`); otherwise it tends to W, from below where a finite k is best
    (`judged_turns`). One table for each k serves all other values (30 ms of one core for each k). The relative error in
    float64 is below 1e-9 for k up to 1e12 and (L_gen + W)/s² from 1e-6 to 100.

    Args:
        k: numbers of answers (k,), or one number; real, at least 1.
        lgen: L_gen > 0, variance of the bias.
        scale: standard deviation s > 0 of an answer.
        reward_variance: W ≥ 0, variance of the reward's error. The last three broadcast.
        log: return the logarithm.

    Returns:
        The loss, of the broadcast shape of the last three, with an axis of k behind it unless k is one number.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        The reward's error is this project's; without it Halder and Pehlevan, arXiv:2512.19905. Compared with adaptive
        quadrature and simulation in tests/verifiers/test_judges.py.

    Example:
        >>> import lidjax
        >>> loss = lidjax.best_of_k_loss([1, 10, 1e6], 0.25, scale=1.0)
        >>> [float(f"{x:.4g}") for x in loss]
        [1.25, 0.03398, 4.443e-12]
    """
    return _judged(k, lgen, scale, reward_variance, None, log)


def softmax_loss(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    scale: ArrayLike,
    temperature: ArrayLike,
    reward_variance: ArrayLike = 0.0,
    log: bool = False,
) -> Float[Array, "*shape k"]:
    """Mean squared error over test instances of one of k answers, chosen by a softmax of rewards with an error.

    As `best_of_k_loss`, with the softmax judge of `softmax_error` (half a second of one core for each k).

    Args:
        k: numbers of answers (k,), or one number; real, at least 1.
        lgen: L_gen > 0, variance of the bias.
        scale: standard deviation s > 0 of an answer, one number.
        temperature: t ≥ 0.4 s² of the judge, in squared units of `scale`, one number.
        reward_variance: W ≥ 0, variance of the reward's error. It broadcasts with `lgen`.
        log: return the logarithm.

    Returns:
        The loss, of the broadcast shape of `lgen` and `reward_variance`, with an axis of k behind it unless k is one
        number.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast. A traced argument that is not
            allowed gives NaN.

    References:
        As for `softmax_error` and `best_of_k_loss`.

    Example:
        >>> import lidjax
        >>> loss = lidjax.softmax_loss(2, 0.25, scale=1.0, temperature=1.0)
        >>> bool(loss < 1.25)  # the loss of one answer is s² + L_gen
        True
    """
    scale = checked("scale", scale, POSITIVE, shape=())
    temperature = checked("temperature", temperature, POSITIVE, shape=())
    ratio = checked("temperature/scale²", temperature / scale**2, RESOLVED)
    return _judged(k, lgen, scale, reward_variance, ratio, log)


def _judged(
    k: ArrayLike,
    lgen: ArrayLike,
    scale: ArrayLike,
    reward_variance: ArrayLike,
    ratio: Array | None,
    log: bool,
) -> Array:
    lgen, scale, reward_variance = checked_floats(
        lgen=(lgen, POSITIVE), scale=(scale, POSITIVE), reward_variance=(reward_variance, NOT_NEGATIVE)
    )
    k = checked("k", k, PROPOSALS, dtype=lgen.dtype)
    flat = [x.reshape(-1) for x in (lgen / scale**2, reward_variance / scale**2)]
    k_flat = k.reshape(-1)
    found = _best_losses(k_flat, *flat) if ratio is None else _softmax_losses(k_flat, *flat, ratio)
    found = (found + 2 * jnp.log(scale.reshape(-1, 1))).reshape(*lgen.shape, *k.shape)
    return found if log else jnp.exp(found)


@jax.jit
def _best_losses(k: Array, v: Array, w: Array) -> Array:
    nodes = _nodes(k, v + w, NODES)

    def at(k: Array) -> Array:
        zero = best_of_k_moments(k, jnp.zeros_like(k))
        return _with_reward_error(best_of_k_table(k, nodes.u), zero, nodes, v, w)

    return jax.lax.map(jax.checkpoint(at), k).T


@jax.jit
def _softmax_losses(k: Array, v: Array, w: Array, t: Array) -> Array:
    nodes = _nodes(k, v + w, SOFTMAX_NODES)

    def at(k: Array) -> Array:
        zero = softmax_moments(k, jnp.zeros_like(k), t)
        table = jax.lax.map(jax.checkpoint(lambda u: softmax_moments(k, u, t)), nodes.u)
        return _with_reward_error(table, zero, nodes, v, w)

    return jax.lax.map(at, k).T


def _nodes(k: Array, variance: Array, count: int) -> BiasNodes:
    k, variance = jax.lax.stop_gradient((k, variance))
    return bias_nodes(jnp.max(k), jnp.sqrt(jnp.min(variance)), jnp.sqrt(jnp.max(variance)), count)


def _with_reward_error(table: Moments, zero: Moments, nodes: BiasNodes, v: Array, w: Array) -> Array:
    """log of W + E[x²] + 2W/(V+W) E[u x] for each (V, W), all in squared scales of an answer."""

    def one(v: Array, w: Array) -> Array:
        weights = normal_weights(nodes, v + w)
        square = log_mean_square(table, zero, weights)
        pulled = w + 2 * w / (v + w) * mean_pull(table, nodes, weights)
        return square + jnp.log1p(jnp.where(w > 0, pulled, 0) * jnp.exp(-square))

    return jax.vmap(one)(v, w)


def best_of_k_lid_loss(
    k: ArrayLike,
    lgen: ArrayLike,
    *,
    beta: ArrayLike,
    sigma_eta: ArrayLike,
    difficulty: Difficulty = "gamma",
    log: bool = False,
) -> Float[Array, "*shape k"]:
    """Mean squared error of the best of k answers in the LID model, where an answer has variance σ²/τ.

    The judge's reward has no error. The mean over instances is that over B ~ N(0, L_gen) and the prior of τ, and it
    equals 2 ∫ δ L_inf(k; δ) dδ. For β ≤ 2 it is infinite at every k. The relative error in float64 is below 1e-8 for k
    up to 1e12, L_gen/σ_η² from 1e-4 to 10 and β from 2.2 to 8.

    Args:
        k: numbers of answers (k,), or one number; real, at least 1.
        lgen: L_gen > 0 of the predictor, in squared units of the labels.
        beta: tail index β of the prior on the precision, greater than 2.
        sigma_eta: noise scale σ_η > 0. The last three broadcast.
        difficulty: prior on the precision τ, "gamma" (Eq. 1) or "power" (bounded).
        log: return the logarithm.

    Returns:
        The loss, of the broadcast shape of the last three, with an axis of k behind it unless k is one number.

    Raises:
        InputError: if an argument is out of its range, or if shapes do not broadcast, or if `difficulty` is not known.
            A traced argument that is not allowed gives NaN.

    References:
        Derived for this project. tests/verifiers/test_lid_judge.py compares it with an integral of `pass_at_k_failure`
        and with simulation.

    Example:
        >>> import lidjax
        >>> loss = lidjax.best_of_k_lid_loss([1, 100], 0.1, beta=4.0, sigma_eta=1.0)
        >>> round(float(loss[0]), 6)  # σ² E[1/τ] + L_gen
        1.1
    """
    check_difficulty(difficulty)
    lgen, beta, sigma_eta = checked_floats(
        lgen=(lgen, POSITIVE), beta=(beta, FINITE_MEAN), sigma_eta=(sigma_eta, POSITIVE)
    )
    k = checked("k", k, PROPOSALS, dtype=lgen.dtype)
    flat = lgen.reshape(-1) / sigma_eta.reshape(-1) ** 2, beta.reshape(-1)
    scale = sigma_eta.reshape(-1, 1) ** 2 * mean_inverse_precision(flat[1], difficulty)[:, None]
    found = _lid_losses(k.reshape(-1), *flat, difficulty) + jnp.log(scale)
    found = found.reshape(*lgen.shape, *k.shape)
    return found if log else jnp.exp(found)


@functools.partial(jax.jit, static_argnames="difficulty")
def _lid_losses(k: Array, v: Array, beta: Array, difficulty: Difficulty) -> Array:
    nodes = _lid_nodes(k, v, beta, difficulty)
    weights = jax.vmap(lambda v, beta: precision_weights(nodes, v, beta, difficulty))(v, beta)

    def at(k: Array) -> Array:
        zero = best_of_k_moments(k, jnp.zeros_like(k))
        table = best_of_k_table(k, nodes.u)
        return jax.vmap(lambda weights: log_mean_square(table, zero, weights))(weights)

    return jax.lax.map(jax.checkpoint(at), k).T


def _lid_nodes(k: Array, v: Array, beta: Array, difficulty: Difficulty) -> BiasNodes:
    """Nodes in u for a mixture of normal laws of variance vτ: for the gamma prior its tail is e^(-u√(2/v))."""
    k, v, beta = jax.lax.stop_gradient((k, v, beta))
    largest = jnp.sqrt(jnp.max(v))
    if difficulty == "gamma":
        largest = largest * (jnp.sqrt(jnp.max(beta) / 2) + 5)
    return bias_nodes(jnp.max(k), jnp.sqrt(jnp.min(v)) * 1e-2, largest, 2 * NODES)

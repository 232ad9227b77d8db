"""Mean of L_gen after t steps of SGD, for any t up to 10⁹ and beyond."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.arrays import FINITE, NOT_NEGATIVE, POSITIVE, checked, known_value
from lidjax.errors import InputError, check_choice
from lidjax.sgd.arguments import BATCH, MOMENTUM, NOISE, flattened
from lidjax.sgd.edge import noise_share
from lidjax.sgd.moments import Training, mean_by_powers, mean_by_steps

Route = Literal["auto", "steps", "powers"]
MOST_STEPS = 2**53
"""Whole numbers beyond are not exact in float64."""
STEP_COST, FLOP_COST = 1e-6, 1e-10
"""Seconds of one step of the recursion (and d times a thousandth of that), and of one operation of a matrix product:
heuristics from two cores, which decide the route only."""
ROUNDING = 1e-4
"""Largest product of steps and machine epsilon that `steps` answers for: each step rounds m to that precision."""


def sgd_mean_lgen(
    steps: ArrayLike | Sequence[float],
    *,
    eigenvalues: ArrayLike,
    theta: ArrayLike,
    noise_variance: ArrayLike,
    learning_rate: ArrayLike,
    batch: ArrayLike,
    momentum: ArrayLike = 0.0,
    decay: ArrayLike = 0.0,
    decay_steps: ArrayLike = 1.0,
    method: str = "auto",
) -> Float[Array, "..."]:
    """Mean of L_gen over runs of one-pass SGD after `steps` steps from θ = 0, exact for Gaussian features.

    Each step is that of `optax.sgd` on half the mean squared residual of B new instances, with the learning rate
    η (1 + t/decay_steps)^-decay at step t = 0, 1, ... The mean is exact for every d, B and η. "steps" takes one step
    after the other, O(d) each; "powers" squares the map of the moments, O(d³ log t) for any t, for decay = 0 (27 d³
    with momentum); "auto" takes the one that should be faster. The function is compiled when it is called; another
    value of any argument but the largest step does not compile it again. It can be called under `jit` and `vmap`, and
    differentiated in every argument but the steps.

    Args:
        steps: Numbers of steps t, whole, 0 ≤ t ≤ 2⁵³, a number or a one-dimensional array; not traced.
        eigenvalues: Variances of the features λ ≥ 0, finite, (..., d). The result has their dtype.
        theta: Teacher θ* in the eigenbasis of the features, finite, (..., d).
        noise_variance: Variance of the label noise, σ_η² E[1/τ] ≥ 0 (see `mean_inverse_precision`); it may be infinite.
        learning_rate: Step size η > 0, finite.
        batch: Instances a step B ≥ 1, real.
        momentum: Momentum μ of `optax.sgd`, at least 0, below 1.
        decay: Exponent of the decay of the learning rate, at least 0, finite.
        decay_steps: Steps after which the decay begins to be felt, > 0, finite.
        method: "auto", "steps" or "powers".

    Returns:
        Mean of L_gen, in squared units of the labels, over the shape that the scalars and the leading axes of
        `eigenvalues` and `theta` broadcast to, followed by that of `steps`. It is +inf where it is too large for the
        dtype, and NaN where a traced argument is out of its range, or where "steps" takes so many steps that rounding
        would show (in float32 more than 800).

    Raises:
        InputError: If a shape does not fit, or a value is known and out of its range, or "powers" is asked for with a
            decay.

    References:
        Derived for this project, and checked against mpmath and simulated runs in tests/sgd/test_mean.py. Phases of
        its scaling: Paquette et al., arXiv:2405.15074.

    Example:
        >>> import lidjax
        >>> model = {"eigenvalues": lidjax.power_law_spectrum(20, 1.0), "theta": lidjax.power_law_teacher(20)}
        >>> lgen = lidjax.sgd_mean_lgen([0, 10**9], **model, noise_variance=1.0, learning_rate=0.1, batch=4)
        >>> floor = lidjax.sgd_noise_floor(
        ...     eigenvalues=model["eigenvalues"], noise_variance=1.0, learning_rate=0.1, batch=4
        ... )
        >>> round(float(lgen[1] / floor), 6)
        1.0
    """
    check_choice("method =", method, get_args(Route))
    counts = _counts(steps)
    eigenvalues = checked("eigenvalues", eigenvalues, NOT_NEGATIVE, shape=("...", "d"))
    dtype = eigenvalues.dtype
    theta = checked("theta", theta, FINITE, shape=("...", eigenvalues.shape[-1]), dtype=dtype)
    decays, moves = _is_not_zero(decay), _is_not_zero(momentum)
    scalars = [
        checked("noise_variance", noise_variance, NOISE, dtype=dtype),
        checked("learning_rate", learning_rate, POSITIVE, dtype=dtype),
        checked("batch", batch, BATCH, dtype=dtype),
        checked("momentum", momentum, MOMENTUM, dtype=dtype),
        checked("decay", decay, NOT_NEGATIVE, dtype=dtype),
        checked("decay_steps", decay_steps, POSITIVE, dtype=dtype),
    ]
    if method == "powers" and decays:
        raise InputError("method = 'powers' has no decay: leave decay out, or use method = 'steps'")
    size = (3 if moves else 1) * eigenvalues.shape[-1] + 1
    last = int(counts.max(initial=0))
    powers = method == "powers" or (method == "auto" and not decays and _powers_are_faster(last, size, dtype))
    flat, shape = flattened([eigenvalues, theta], scalars)
    training = Training(*flat)
    if powers:
        digits = max(last.bit_length(), 1)
        bits = (counts.ravel() >> np.arange(-(-digits // 8) * 8)[:, None] & 1).astype(bool)
        found = _powers(training, bits, with_momentum=moves)
    else:
        length = 1 << max(last, 1).bit_length()
        found = _steps(training, counts.ravel().astype(np.int32), length=length)
        if last * float(jnp.finfo(dtype).eps) > ROUNDING:
            rounded = counts.ravel() * float(jnp.finfo(dtype).eps) > ROUNDING
            found = jnp.where(rounded[None, :], jnp.nan, found)
    return found.reshape(*shape, *counts.shape)


def _counts(steps: ArrayLike | Sequence[float]) -> np.ndarray:
    """The numbers of steps as 64-bit integers of the host."""
    known = known_value(np.asarray(steps) if isinstance(steps, Sequence) else steps)
    if known is None:
        raise InputError("steps is traced: its values decide the program, so they must be known")
    if known.ndim > 1 or known.size == 0 or known.dtype.kind not in "iuf":
        raise InputError(f"steps of shape {known.shape}: must be a whole number, or a list of them")
    wrong = ~((known >= 0) & (known <= MOST_STEPS) & (np.round(known) == known))
    if wrong.any():
        raise InputError(f"steps = {known[wrong].ravel()[0]:.10g}: must be a whole number from 0 to 2⁵³")
    return known.astype(np.int64)


def _is_not_zero(value: ArrayLike) -> bool:
    """Whether a value may be other than 0: it is traced, or some of it is."""
    known = known_value(value)
    return known is None or bool(np.any(known != 0))


def _powers_are_faster(last: int, size: int, dtype: Any) -> bool:
    by_powers = 2.0 * size**3 * FLOP_COST * max(last.bit_length(), 1)
    by_steps = last * STEP_COST * (1 + size / 1000)
    return by_powers < by_steps or last * float(jnp.finfo(dtype).eps) > ROUNDING


@partial(jax.jit, static_argnames="length")
def _steps(training: Training, counts: Array, *, length: int) -> Array:
    def one(training: Training) -> Array:
        return _finish(training, mean_by_steps(_without_noise(training), length)[counts], counts > 0)

    return jax.vmap(one)(training)


@partial(jax.jit, static_argnames="with_momentum")
def _powers(training: Training, bits: Array, *, with_momentum: bool) -> Array:
    def one(training: Training) -> Array:
        found = mean_by_powers(_without_noise(training), bits, with_momentum=with_momentum)
        return _finish(training, found, bits.any(axis=0))

    return jax.vmap(one)(training)


def _without_noise(training: Training) -> Training:
    """The same training, with no noise where it is infinite."""
    noise = training.noise_variance
    return training._replace(noise_variance=jnp.where(jnp.isinf(noise), 0.0, noise))


def _finish(training: Training, found: Array, begun: Array) -> Array:
    """Infinite where the noise is, or where the mean outgrew the dtype and left NaN; NaN where an argument is NaN."""
    scalars = sum(training[2:], start=jnp.zeros_like(training.noise_variance))
    invalid = jnp.isnan(scalars) | jnp.isnan(jnp.sum(training.eigenvalues + training.theta))
    noisy = jnp.isinf(training.noise_variance) & (training.eigenvalues.max() > 0)
    share = noise_share(training.eigenvalues, training.learning_rate, training.batch, training.momentum)
    outgrown = jnp.isnan(found) & ~(share < 1)
    found = jnp.where((noisy & begun) | outgrown, jnp.inf, found)
    return jnp.where(invalid, jnp.nan, found)

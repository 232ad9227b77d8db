"""What every fit does first: broadcast, cut the window, take logarithms, flatten the batch."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from lidjax.arrays import check_window
from lidjax.errors import InputError


class LogCurve(NamedTuple):
    """Curves in log space: weight 0 is a point left out, `bad` a curve with a value that has no logarithm."""

    log_k: Float[Array, "*batch m"]
    log_failure: Float[Array, "*batch m"]
    weight: Float[Array, "*batch m"]
    bad: Bool[Array, "*batch"]


def check_level(level: float) -> float:
    """A confidence level; InputError unless strictly between 0 and 1."""
    if not 0 < level < 1:
        raise InputError(f"level={level} must be between 0 and 1, for example 0.95")
    return float(level)


def floating(values) -> Float[Array, "..."]:
    """As a JAX array of a floating dtype: the dtype of the input, or the default float for integers."""
    values = jnp.asarray(values)
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(float)


def log_curve(k, failure, *, window=None, standard_error=None, log: bool = False) -> LogCurve:
    """Curves (..., m) over `k` (m,) or (..., m), cut to the static `window` (k1, k2), ends included.

    `standard_error` is that of `failure`; in log space it is standard_error/failure to first order. Points
    without a positive finite standard error are left out. With log=True `failure` is log L_inf already (for
    values under the smallest float) and `standard_error` its absolute error.
    """
    failure = floating(failure)
    k, error = (
        jnp.asarray(a).astype(failure.dtype) for a in (k, 1.0 if standard_error is None else standard_error)
    )
    if not failure.ndim or not k.ndim or k.shape[-1] != failure.shape[-1]:
        raise InputError(f"failure {failure.shape} and k {k.shape} must share their last axis")
    try:
        jnp.broadcast_shapes(k.shape, failure.shape, error.shape)
    except ValueError as mismatch:
        shapes = f"k {k.shape}, failure {failure.shape} and standard_error {error.shape}"
        raise InputError(f"{shapes} must broadcast") from mismatch
    low, high = (0.0, float("inf")) if window is None else check_window(window)
    return cut_and_log(k, failure, error, low, high, log=log, absolute=log or standard_error is None)


@partial(jax.jit, static_argnames=("log", "absolute"))
def cut_and_log(k, failure, error, low, high, *, log, absolute) -> LogCurve:
    shape = jnp.broadcast_shapes(k.shape, failure.shape, error.shape)
    k, failure, error = (jnp.broadcast_to(a, shape) for a in (k, failure, error))
    inside = (k > 0) & (k >= low) & (k <= high) & jnp.isfinite(k)
    sound = jnp.isfinite(failure) & (failure > 0 if not log else True)
    known = (error > 0) & jnp.isfinite(error)
    used = inside & known & sound
    relative = jnp.where(used, error, 1.0) / jnp.where(used & (not absolute), failure, 1.0)
    return LogCurve(
        jnp.log(jnp.where(inside, k, 1.0)),
        jnp.where(used, failure if log else jnp.log(jnp.where(used, failure, 1.0)), 0.0),
        jnp.where(used, 1 / relative, 0.0),
        jnp.any(inside & known & ~sound, axis=-1),
    )


def over_batch(cell, *arrays):
    """vmap `cell` over all leading axes of arrays of one batch shape, whose last axis belongs to the cell."""
    batch = arrays[0].shape[:-1]
    out = jax.vmap(cell)(*(a.reshape((-1, a.shape[-1])) for a in arrays))
    return jax.tree.map(lambda leaf: leaf.reshape(batch + leaf.shape[1:]), out)

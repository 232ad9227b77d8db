"""Failure curves as every fit takes them: broadcast, cut to a window of k, and in logarithms."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Shaped

from lidjax.arrays import POSITIVE, as_float, check_values, check_window, known_value
from lidjax.errors import InputError

Result = TypeVar("Result")


class LogCurve(NamedTuple):
    """Curves in log space, one a batch element."""

    log_k: Float[Array, "*batch m"]
    log_failure: Float[Array, "*batch m"]
    weight: Float[Array, "*batch m"]
    """One over the standard error of `log_failure`; 0 leaves a point out."""
    no_logarithm: Bool[Array, "*batch"]
    """Whether a value inside the window is zero, negative or not finite."""


def check_level(level: float) -> float:
    """A confidence level; InputError unless it is strictly between 0 and 1."""
    if not 0 < level < 1:
        raise InputError(f"level={level}: must be between 0 and 1, for example 0.95")
    return float(level)


def log_curve(
    k: ArrayLike,
    failure: ArrayLike,
    *,
    window: Sequence[float] | None = None,
    standard_error: ArrayLike | None = None,
    log: bool = False,
    window_name: str = "window",
) -> LogCurve:
    """Curves (..., m) over `k` (m,) or (..., m), cut to the `window` (k1, k2), ends included.

    InputError if a k that is known is not positive, or if none lies in the window.

    `standard_error` is that of `failure`; in log space it is standard_error/failure to first order. Points without a
    positive finite standard error are left out. With log=True `failure` is log L_inf already (for values under the
    smallest float) and `standard_error` is the error of log L_inf.
    """
    failure = as_float(failure, "failure")
    given = check_values("k", k, POSITIVE)
    k = as_float(given, "k").astype(failure.dtype)
    error = as_float(1.0 if standard_error is None else standard_error, "standard_error").astype(
        failure.dtype
    )
    if not failure.ndim or not k.ndim or k.shape[-1] != failure.shape[-1]:
        raise InputError(f"failure {failure.shape} and k {k.shape} must share their last axis")
    try:
        jnp.broadcast_shapes(k.shape, failure.shape, error.shape)
    except ValueError as mismatch:
        shapes = f"k {k.shape}, failure {failure.shape} and standard_error {error.shape}"
        raise InputError(f"{shapes} must broadcast") from mismatch
    low, high = (0.0, float("inf")) if window is None else check_window(window, window_name)
    known = known_value(given)
    if known is not None and known.size and not np.any((known >= low) & (known <= high)):
        ends = f"{known.min():g} to {known.max():g}"
        raise InputError(f"{window_name} = [{low:g}, {high:g}]: holds none of the k, which run from {ends}")
    return cut_and_log(k, failure, error, low, high, log=log, absolute=log or standard_error is None)


@partial(jax.jit, static_argnames=("log", "absolute"))
def cut_and_log(
    k: Float[Array, "..."],
    failure: Float[Array, "..."],
    error: Float[Array, "..."],
    low: ArrayLike,
    high: ArrayLike,
    *,
    log: bool,
    absolute: bool,
) -> LogCurve:
    """`log_curve` for arrays of one dtype; with `absolute` the `error` is that of log L_inf."""
    shape = jnp.broadcast_shapes(k.shape, failure.shape, error.shape)
    k, failure, error = (jnp.broadcast_to(a, shape) for a in (k, failure, error))
    inside = (k > 0) & (k >= low) & (k <= high) & jnp.isfinite(k)
    has_logarithm = jnp.isfinite(failure) & (failure > 0 if not log else True)
    has_weight = (error > 0) & jnp.isfinite(error)
    used = inside & has_weight & has_logarithm
    relative = jnp.where(used, error, 1.0) / jnp.where(used & (not absolute), failure, 1.0)
    return LogCurve(
        jnp.log(jnp.where(inside, k, 1.0)),
        jnp.where(used, failure if log else jnp.log(jnp.where(used, failure, 1.0)), 0.0),
        jnp.where(used, 1 / relative, 0.0),
        jnp.any(inside & has_weight & ~has_logarithm, axis=-1),
    )


def over_batch(cell: Callable[..., Result], *arrays: Shaped[Array, "..."]) -> Result:
    """vmap `cell` over all leading axes of arrays of one batch shape, whose last axis belongs to the cell."""
    batch = arrays[0].shape[:-1]
    out = jax.vmap(cell)(*(a.reshape((-1, a.shape[-1])) for a in arrays))
    return jax.tree.map(lambda leaf: leaf.reshape(batch + leaf.shape[1:]), out)

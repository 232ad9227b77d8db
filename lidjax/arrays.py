"""Arguments of numerical functions: their values, shapes and ranges checked, as floating arrays; broadcasting.

`checked` is the one form in which a function of the library refuses a bad number. What can be seen, it refuses with an
error that names the argument, the value or shape, and what is allowed. A traced argument has a shape but no value:
there the result of the function is NaN.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Float

from lidjax.errors import InputError


def as_float(x: ArrayLike) -> Array:
    """`x` as an array; floating dtypes are kept, integers and Python numbers become the default float."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


class Range(NamedTuple):
    """Which values an argument may have."""

    rule: str
    """In words, to follow "must be"."""
    holds: Callable[[Any], Any]
    """Elementwise, for NumPy and JAX arrays alike; false for NaN."""


FINITE = Range("finite", lambda x: abs(x) < math.inf)
WHOLE = Range("a whole number from 1 to 1e15", lambda x: (x >= 1) & (x <= 1e15) & (x.round() == x))
POSITIVE = Range("greater than 0, and finite", lambda x: (x > 0) & (x < math.inf))
NOT_NEGATIVE = Range("at least 0, and finite", lambda x: (x >= 0) & (x < math.inf))


def known_value(value: ArrayLike) -> np.ndarray | None:
    """`value` as a NumPy array, or None where it is traced by `jit` or `vmap` and has no value yet.

    Under `grad` and `jvp` alone an argument has one.
    """
    if isinstance(value, Tracer):
        stopped: Any = jax.lax.stop_gradient(value)
        return None if isinstance(stopped, Tracer) else np.asarray(stopped)
    return np.asarray(value)


def checked(
    name: str,
    value: ArrayLike,
    allowed: Range,
    *,
    shape: Sequence[int | str] | None = None,
    dtype: DTypeLike | None = None,
) -> Float[Array, "..."]:
    """`value` as a floating array, after a check of its shape and of its values.

    Integers become the default float, or `dtype` where it is given. `shape` has a number for a length that is fixed and
    a name for one that is not, at least 1, and may begin with "..." for leading axes; without it every shape will do.

    Raises InputError, calling the argument `name`, where the shape or a value that is known is not allowed. A traced
    array comes back with NaN in place of the values that are not allowed.
    """
    array = jnp.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise InputError(f"{name} of dtype {array.dtype}: must be real")
    array = as_float(array) if dtype is None else array.astype(dtype)
    if shape is not None:
        _check_shape(name, array.shape, shape)
    known = known_value(value)
    if known is None:
        return jnp.where(allowed.holds(array), array, jnp.nan)
    bad = ~np.asarray(allowed.holds(known))
    if bad.any():
        where = [int(i) for i in np.argwhere(bad)[0]]
        at = str(where) if where else ""
        raise InputError(f"{name}{at} = {known[bad].flat[0]:.10g}: must be {allowed.rule}")
    return array


def _check_shape(name: str, actual: tuple[int, ...], wanted: Sequence[int | str]) -> None:
    ends = wanted[1:] if wanted and wanted[0] == "..." else wanted
    compared = actual[-len(ends) :] if len(ends) < len(wanted) else actual
    if len(compared) == len(ends) and all(
        length == want if isinstance(want, int) else length >= 1
        for length, want in zip(compared, ends, strict=True)
    ):
        return
    if not wanted:
        raise InputError(f"{name} of shape {actual}: must be a single number; use jax.vmap for several")
    words = ", ".join(str(want) for want in wanted) + ("," if len(wanted) == 1 else "")
    raise InputError(f"{name} of shape {actual}: must have shape ({words})")


def check_whole(name: str, value: int, least: int) -> None:
    """Raise InputError, calling the argument `name`, unless `value` is a whole number of at least `least`.

    For numbers that set a shape, which cannot be traced.
    """
    try:
        whole = operator.index(value)
    except (TypeError, jax.errors.TracerIntegerConversionError):
        raise InputError(f"{name} = {value!r}: must be a whole number, and not traced") from None
    if whole < least:
        raise InputError(f"{name} = {whole}: must be at least {least}")


def broadcast_floats(*values: ArrayLike) -> list[Float[Array, "..."]]:
    """Broadcast to one shape and one dtype: that of the floating arrays among `values`, whatever the scalars are.

    Integer arrays and scalars take that dtype; without a floating array it is JAX's default float.
    """
    arrays = [value for value in values if isinstance(value, jax.Array | np.ndarray)]
    dtypes = [array.dtype for array in arrays if jnp.issubdtype(array.dtype, jnp.floating)]
    dtype = np.result_type(*dtypes) if dtypes else jnp.asarray(0.0).dtype
    return jnp.broadcast_arrays(*(jnp.asarray(value).astype(dtype) for value in values))


def check_window(
    window: Sequence[float], name: str = "window", *, attempts: bool = False
) -> tuple[float, float]:
    """The two ends k1 and k2 of a window of k, as floats.

    Raises InputError, calling the window `name`, unless 0 < k1 < k2; with `attempts=True`, where k counts attempts,
    unless 1 <= k1 < k2 < infinity.
    """
    rule = "1 <= k1 < k2 < infinity" if attempts else "0 < k1 < k2"
    try:
        low, high = (float(end) for end in window)
    except (TypeError, ValueError):
        raise InputError(f"{name} = {window!r}: must be two numbers with {rule}") from None
    if not (1 <= low < high < math.inf if attempts else 0 < low < high):
        raise InputError(f"{name} = [{low:g}, {high:g}]: must be two numbers with {rule}")
    return low, high

"""Arguments of numerical functions: their values, shapes and ranges checked, as floating arrays; broadcasting.

`checked` is the one form in which a function of the library refuses a bad number. What can be seen, it refuses with an
error that names the argument, the value or shape, and what is allowed. A traced argument has a shape but no value:
there the result of the function is NaN.
"""

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Float

from lidjax.errors import InputError


def as_float(x: ArrayLike, name: str = "a value") -> Array:
    """`x` as an array; floating dtypes are kept, integers and Python numbers become the default float.

    They become floats before JAX sees them, because without x64 JAX would wrap a 64-bit integer to 32 bits. A finite
    number that is too large for the dtype becomes NaN, not infinity.

    Raises InputError, calling the value `name`, unless it is made of real numbers.
    """
    if isinstance(x, jax.Array):
        return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)
    try:
        host = np.asarray(x)
    except jax.errors.TracerArrayConversionError:  # a list with traced numbers in it
        return as_float(jnp.asarray(x), name)
    except ValueError:
        raise InputError(f"{name} must be a number or an array: its rows differ in length") from None
    host = _host_float(host, name, jax.dtypes.canonicalize_dtype)
    return jnp.asarray(host.item() if isinstance(x, bool | int | float) else host)


def _host_float(host: np.ndarray, name: str, dtype_for: Callable[[Any], Any]) -> np.ndarray:
    """A NumPy array as floats of the dtype `dtype_for` its own, if narrower; NaN where that cannot hold a number."""
    if host.dtype.kind in "biuO":
        try:
            host = host.astype(np.float64)
        except OverflowError:  # a Python integer beyond the largest float64
            host = np.array([_float_or_nan(number) for number in host.ravel()]).reshape(host.shape)
        except (TypeError, ValueError):
            raise InputError(f"{name} must be made of real numbers") from None
    if not jnp.issubdtype(host.dtype, jnp.floating):
        raise InputError(f"{name} must be made of real numbers, not {host.dtype}")
    dtype = np.dtype(dtype_for(host.dtype))
    if dtype.itemsize < host.dtype.itemsize:
        too_large = np.isfinite(host) & (np.abs(host) > float(jnp.finfo(dtype).max))
        host = np.where(too_large, np.nan, host).astype(dtype)
    return host


def _float_or_nan(number: float) -> float:
    """A Python number as a float; NaN where it is an integer beyond the largest float64."""
    try:
        return float(number)
    except OverflowError:
        return math.nan


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
TAIL_INDEX = Range("from 0.01 to 100", lambda x: (x >= 0.01) & (x <= 100))
"""The β for which the quadrature of L_inf is fine enough; beyond 100 its value may be wrong."""


def or_nan(allowed: Range) -> Range:
    """What is `allowed`, or NaN: for estimates and measurements, where NaN says that there is none."""
    return Range(f"{allowed.rule}, or NaN", lambda x: allowed.holds(x) | (x != x))


MEASURED_LOSS = or_nan(NOT_NEGATIVE)
"""L_gen, which is NaN for a cell that failed."""


def known_value(value: ArrayLike) -> np.ndarray | None:
    """`value` as a NumPy array, or None where it is traced by `jit` or `vmap` and has no value yet.

    Under `grad` and `jvp` alone an argument has one.
    """
    if isinstance(value, Tracer):
        known: Any = jax.lax.stop_gradient(value)
        return None if isinstance(known, Tracer) else np.asarray(known)
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
    array = as_float(value, name)
    array = array if dtype is None else array.astype(dtype)
    if shape is not None:
        _check_shape(name, array.shape, shape)
    if known_value(value) is None:
        return jnp.where(allowed.holds(array), array, jnp.nan)
    check_values(name, value, allowed)
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


def nan_where_any_is_nan(result: Float[Array, "..."], *arguments: ArrayLike) -> Float[Array, "..."]:
    """`result`, or NaN where one of the `arguments` has a NaN: for results that need not depend on all of them.

    Only traced arguments are looked at, since `checked` has refused the others.
    """
    traced = [value for value in arguments if isinstance(value, Tracer)]
    for value in traced:
        result = jnp.where(jnp.any(jnp.isnan(value)), jnp.nan, result)
    return result


def broadcast_floats(*values: ArrayLike) -> list[Float[Array, "..."]]:
    """Broadcast to one shape and one dtype: that of the floating arrays among `values`, whatever the scalars are.

    Integer arrays and scalars take that dtype; without a floating array it is JAX's default float.
    """
    dtype = common_dtype(values)
    return jnp.broadcast_arrays(*(as_float(value).astype(dtype) for value in values))


def common_dtype(values: Iterable[ArrayLike]) -> np.dtype[Any]:
    """The dtype of the floating arrays among `values`; without one JAX's default float.

    A Python number that became an array (under `jit`, or by `jnp.asarray`) has no dtype of its own: it is `weak_type`.
    """
    arrays = [
        value
        for value in values
        if isinstance(value, jax.Array | np.ndarray) and not getattr(value, "weak_type", False)
    ]
    dtypes = [array.dtype for array in arrays if jnp.issubdtype(array.dtype, jnp.floating)]
    return np.dtype(jax.dtypes.canonicalize_dtype(np.result_type(*dtypes) if dtypes else np.float64))


def checked_floats(**given: tuple[ArrayLike, Range]) -> list[Float[Array, "..."]]:
    """The arguments, each with the numbers that it may be, as `broadcast_floats` makes them.

    A traced value cannot be looked at: where one is not allowed, all arguments become NaN, and with them the result.
    The same holds for a number that is allowed but that the dtype cannot hold (a large or tiny one in float32).

    Raises InputError, naming the argument, its shape and what is allowed, for any other value that is not allowed, and
    where the shapes do not broadcast.
    """
    try:
        dtype = common_dtype(value for value, _ in given.values())
        arrays = broadcast_floats(*(check_values(name, *pair, dtype) for name, pair in given.items()))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, (value, _) in given.items())
        raise InputError(f"shapes do not broadcast: {shapes}") from None
    unseen = [
        (array, allowed)
        for array, (value, allowed) in zip(arrays, given.values(), strict=True)
        if isinstance(value, Tracer)
    ]
    if unseen:
        everywhere = jnp.stack([allowed.holds(array) for array, allowed in unseen]).all(axis=0)
        arrays = [jnp.where(everywhere, array, jnp.nan) for array in arrays]
    return arrays


def check_values(name: str, value: ArrayLike, allowed: Range, dtype: Any = None) -> ArrayLike:
    """`value` itself where it is traced or allowed, with NaN for allowed numbers that `dtype` (JAX's own) cannot hold.

    Raises InputError, naming the argument, its shape and what is allowed, otherwise.
    """
    try:
        host = known_value(value)
    except (jax.errors.TracerArrayConversionError, ValueError):
        return as_float(value, name)
    if host is None:
        return value
    wide = host.astype(np.float64) if host.dtype.kind in "biu" else host
    if wide.dtype.kind == "O" or not jnp.issubdtype(wide.dtype, jnp.floating):
        return as_float(value, name)  # refused there, or a number beyond the largest float64
    refused = ~allowed.holds(wide)
    if refused.any():
        where = tuple(int(i) for i in np.argwhere(refused)[0])
        at = str(list(where)) if where else ""
        more = "" if refused.sum() == 1 else f" ({refused.sum()} such entries)"
        shape = "" if not where else f", shape {host.shape}"
        raise InputError(f"{name}{at} = {wide[where]:.10g}: must be {allowed.rule}{shape}{more}")
    narrow = _host_float(wide, name, lambda own: dtype or jax.dtypes.canonicalize_dtype(own))
    moved = ~allowed.holds(narrow)
    if not moved.any():
        return value
    spoiled = np.where(moved, np.nan, narrow)
    return spoiled.item() if isinstance(value, bool | int | float) else spoiled


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

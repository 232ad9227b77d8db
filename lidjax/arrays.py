"""Conversion of arguments to floating arrays, broadcasting, and the check of a window of k."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from lidjax.errors import InputError


def as_float(x: ArrayLike) -> Array:
    """`x` as an array; floating dtypes are kept, integers and Python numbers become the default float."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)


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

"""Arguments of the frontier's functions: checked by value where they have one, and broadcast."""

from collections.abc import Callable

import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from lidjax.arrays import broadcast_floats
from lidjax.errors import InputError


def broadcast_present(*values: ArrayLike | None) -> list[Array]:
    """The values that are not None, broadcast to one shape and one dtype."""
    return broadcast_floats(*(value for value in values if value is not None))


def check_zipf(exponent: ArrayLike, vocabulary: ArrayLike | None) -> None:
    """Raise InputError, naming the value, unless exponent > 1 and vocabulary ≥ 1; traced values pass."""
    check_values(
        "exponent", exponent, lambda x: x > 1, "greater than 1 (the Zipf law is not summable otherwise)"
    )
    if vocabulary is not None:
        check_values(
            "vocabulary", vocabulary, lambda x: x >= 1, "at least 1 pattern, or None for infinitely many"
        )


def check_values(
    name: str, values: ArrayLike, allowed: Callable[[np.ndarray], np.ndarray | np.bool_], rule: str
) -> None:
    """Raise InputError with the first value that is not `allowed`; NaN never is.

    Traced values have no value to look at and pass: the functions return NaN for those that are out of range.
    """
    if isinstance(values, Tracer):
        return
    array = np.asarray(values)
    bad = ~np.asarray(allowed(array))
    if bad.any():
        raise InputError(f"{name} = {array[bad].flat[0]:g}: must be {rule}")

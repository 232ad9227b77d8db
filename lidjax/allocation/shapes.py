"""Arguments that broadcast, and results in their shape."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lidjax.errors import InputError

Numbers: TypeAlias = npt.ArrayLike | Sequence[Any] | Fraction | Decimal
"""A number or an array of numbers; integers of any size, fractions and decimals are exact."""


def broadcast_arguments(given: Mapping[str, Numbers]) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """Flat columns of one length, and the common shape of the arguments; integers keep all their digits.

    Raises:
        InputError: The arguments do not broadcast, or to no element at all.
    """
    try:
        columns = np.broadcast_arrays(*(np.asarray(value) for value in given.values()))
    except ValueError:
        arrays = {name: np.asarray(value) for name, value in given.items()}
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.ndim)
        raise InputError(f"these do not broadcast: {shapes}") from None
    flat = {name: column.ravel() for name, column in zip(given, columns, strict=True)}
    if not columns[0].size:
        raise InputError(f"nothing to allocate: the arguments broadcast to shape {columns[0].shape}")
    return flat, columns[0].shape


def counts_array(values: Iterable[int | float]) -> np.ndarray:
    """Whole counts as int64, or as Python numbers if one of them does not fit or is infinite."""
    values = list(values)
    return np.array(values, dtype=np.int64 if all(v < 2**63 for v in values) else object)


def in_shape(result: Any, shape: tuple[int, ...]) -> Any:
    """`result` with every flat array inside its NamedTuples and dicts in `shape`; scalars for the shape ()."""
    if result is None:
        return None
    if isinstance(result, dict):
        return {key: in_shape(value, shape) for key, value in result.items()}
    if isinstance(result, tuple):
        return type(result)(*(in_shape(value, shape) for value in result))
    if shape:
        return result.reshape(shape)
    return result[0].item() if hasattr(result[0], "item") else result[0]

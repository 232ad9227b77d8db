"""Arguments that broadcast, and results in their shape."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from lidjax.errors import InputError


def broadcast_given(given: dict[str, Any]) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """Flat columns of one length, and the common shape; integers keep their digits."""
    try:
        columns = np.broadcast_arrays(*(np.asarray(value) for value in given.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in given.items() if np.ndim(value))
        raise InputError(f"these do not broadcast: {shapes}") from None
    flat = {name: column.ravel() for name, column in zip(given, columns, strict=True)}
    if not columns[0].size:
        raise InputError(f"nothing to allocate: the arguments broadcast to shape {columns[0].shape}")
    return flat, columns[0].shape


def counts_array(values: Iterable[int]) -> np.ndarray:
    """Whole counts as int64, or as Python integers where one does not fit."""
    values = list(values)
    return np.array(values, dtype=np.int64 if all(v < 2**63 for v in values) else object)


def shaped(result: Any, shape: tuple[int, ...]) -> Any:
    """Flat arrays anywhere in NamedTuples and dicts in their final shape; scalars for an empty one."""
    if isinstance(result, dict):
        return {key: shaped(value, shape) for key, value in result.items()}
    if isinstance(result, tuple):
        return type(result)(*(shaped(value, shape) for value in result))
    if shape:
        return result.reshape(shape)
    return result[0].item() if hasattr(result[0], "item") else result[0]

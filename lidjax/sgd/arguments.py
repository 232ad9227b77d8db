"""Arguments of the functions of SGD: what they may be, and one axis for all they broadcast to."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from lidjax.arrays import Range
from lidjax.errors import InputError

BATCH = Range("at least 1, and finite", lambda x: (x >= 1) & (x < jnp.inf))
MOMENTUM = Range("at least 0, below 1", lambda x: (x >= 0) & (x < 1))
NOISE = Range("at least 0", lambda x: x >= 0)


def flattened(vectors: Sequence[Array], scalars: Sequence[Array]) -> tuple[list[Array], tuple[int, ...]]:
    """The vectors as (a, d) and then the scalars as (a,), and the shape of a that they broadcast to."""
    shapes = [*(vector.shape[:-1] for vector in vectors), *(scalar.shape for scalar in scalars)]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise InputError(f"shapes do not broadcast: {', '.join(map(str, shapes))}") from None
    dim = vectors[0].shape[-1]
    flat = [jnp.broadcast_to(vector, (*shape, dim)).reshape(-1, dim) for vector in vectors]
    return [*flat, *(jnp.broadcast_to(scalar, shape).reshape(-1) for scalar in scalars)], shape

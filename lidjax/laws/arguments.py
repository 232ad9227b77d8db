"""Arguments of the laws: anything array-like, broadcast, of one floating dtype."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def broadcast_floats(*values) -> list[Float[Array, "..."]]:
    """Broadcast to one shape and one dtype: that of the floating arrays among `values`, whatever the scalars are.

    Integer arrays and scalars take that dtype; without a floating array it is JAX's default float.
    """
    dtypes = [
        value.dtype
        for value in values
        if hasattr(value, "dtype")
        and not isinstance(value, np.generic)
        and jnp.issubdtype(value.dtype, jnp.floating)
    ]
    dtype = np.result_type(*dtypes) if dtypes else jnp.asarray(0.0).dtype
    return jnp.broadcast_arrays(*(jnp.asarray(value).astype(dtype) for value in values))

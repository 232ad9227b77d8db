"""Standard variates from uniforms, so that a cell draws its random bits in one or two calls.

Fewer calls cost less to compile, which for small cells is most of the wait, and nothing to run.
"""

import jax.numpy as jnp
from jax.scipy.special import erfinv
from jaxtyping import Array, Float


def standard_normal(uniform: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Normal variates; at most 5.4 (float32) or 8.2 (float64) in size."""
    edge = 1 - float(jnp.finfo(uniform.dtype).eps)
    return 2**0.5 * erfinv(jnp.clip(2 * uniform - 1, -edge, edge))


def standard_exponential(uniform: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Exponential variates, kept off zero: their logarithm is the tail of the label noise."""
    return -jnp.log1p(-jnp.maximum(uniform, float(jnp.finfo(uniform.dtype).eps) / 4))

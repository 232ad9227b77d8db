"""Standard variates from uniforms, so that a cell draws its random bits in one or two calls.

Fewer calls cost less to compile, which for small cells is most of the wait, and nothing to run. Bits cost as much as
what is made of them, so a 64-bit word makes two variates.
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import erfinv
from jaxtyping import Array, Float, Float32

WIDE, NARROW = 36, 28


def paired_uniforms(key, shape, dtype) -> tuple[Float32[Array, "*s"], Float32[Array, "*s"]]:
    """(wide, narrow): independent float32 uniforms strictly inside (0, 1), for draws of `dtype`.

    float64: the upper 36 and the lower 28 bits of one 64-bit word; float32: two words of 32 bits. Each is a multiple
    of its last bit plus half of it, rounded to the 24 digits of float32, so they reach down to 2^-37 and 2^-29
    (both 2^-33 for float32) and up to 1 - 2^-24. What is made of them differs from its law by 6e-8 at most.
    """
    if dtype == jnp.float64:
        bits = jax.random.bits(key, shape, jnp.uint64)
        wide = (bits >> NARROW).astype(jnp.float32) * 2.0**-WIDE + 2.0 ** -(WIDE + 1)
        narrow = (bits & jnp.uint64(2**NARROW - 1)).astype(jnp.uint32).astype(jnp.float32)
        narrow = narrow * 2.0**-NARROW + 2.0 ** -(NARROW + 1)
    else:
        wide, narrow = jax.random.bits(key, (2, *shape), jnp.uint32).astype(jnp.float32) * 2.0**-32 + 2.0**-33
    top = 1 - 2.0**-24
    return jnp.minimum(wide, top), jnp.minimum(narrow, top)


def standard_normal(uniform: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Normal variates; at most 5.4 (float32) or 8.2 (float64) in size."""
    edge = 1 - float(jnp.finfo(uniform.dtype).eps)
    return 2**0.5 * erfinv(jnp.clip(2 * uniform - 1, -edge, edge))


def standard_exponential(uniform: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Exponential variates, kept off zero: their logarithm is the tail of the label noise."""
    return -jnp.log1p(-jnp.maximum(uniform, float(jnp.finfo(uniform.dtype).eps) / 4))

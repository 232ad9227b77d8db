"""Standard variates from uniforms, so that a cell draws its random bits in one or two calls.

Fewer calls cost less to compile, which for small cells is most of the wait, and nothing to run. Bits cost as much as
what is made of them, so a 64-bit word makes two variates (`paired_uniforms`).
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import erfinv
from jaxtyping import Array, Float, Float32


def paired_uniforms(key, shape) -> tuple[Float32[Array, "*s"], Float32[Array, "*s"]]:
    """(wide, narrow): independent float32 uniforms strictly inside (0, 1), of 36 and 28 bits of one 64-bit word.

    Each is a multiple of its last bit plus half of it, rounded to the 24 digits of float32, so they reach down to
    2^-37 and 2^-29 and up to 1 - 2^-24. What is made of them differs from its law by 6e-8 at most. They do not
    depend on the dtype of the draw: float32 and float64 cells of one key differ by rounding only.
    """
    # Split keys are the bits of a 64-bit draw: `bits` would hash each 32-bit half anew, or need x64
    words = jax.random.key_data(jax.random.split(key, shape))
    high, low = words[..., 0], words[..., 1]
    wide = _float(high) * 2.0**-32 + (_float(low >> 28) + 0.5) * 2.0**-36
    narrow = (_float(low & jnp.uint32(2**28 - 1)) + 0.5) * 2.0**-28
    return jnp.minimum(wide, 1 - 2.0**-24), jnp.minimum(narrow, 1 - 2.0**-24)


def _float(bits):
    return bits.astype(jnp.float32)


def standard_normal(uniform: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Normal variates; at most 5.4 (float32) or 8.2 (float64) in size."""
    edge = 1 - float(jnp.finfo(uniform.dtype).eps)
    return 2**0.5 * erfinv(jnp.clip(2 * uniform - 1, -edge, edge))

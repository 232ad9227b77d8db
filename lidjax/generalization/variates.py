"""Standard variates from uniforms, so that a cell draws its random bits in one or two calls.

Fewer calls cost less to compile, which for small cells is most of the wait, and the same to run. Drawing bits costs as
much as turning them into variates, so a 64-bit word makes two uniforms (`paired_uniforms`).
"""

import jax
import jax.numpy as jnp
from jax.scipy.special import erfinv
from jaxtyping import Array, Float, Float32, UInt32


def paired_uniforms(
    key: jax.Array, shape: tuple[int, ...]
) -> tuple[Float32[Array, "*s"], Float32[Array, "*s"]]:
    """(wide, narrow): independent float32 uniforms strictly inside (0, 1), of 36 and 28 bits of one 64-bit word.

    Each is a multiple of its last bit plus half of it, rounded to the 24 digits of float32. They reach down to
    2^-37 and 2^-29 and up to 1 - 2^-24, and what is made of them differs from its distribution by 6e-8 at most. They do
    not depend on the dtype of the draw: float32 and float64 cells of one key differ by rounding only.
    """
    # The data of split keys are the bits of a 64-bit draw. `jax.random.bits` would hash each 32-bit half anew, or
    # need float64 mode.
    words = jax.random.key_data(jax.random.split(key, shape))
    high, low = words[..., 0], words[..., 1]
    wide = _as_float32(high) * 2.0**-32 + (_as_float32(low >> 28) + 0.5) * 2.0**-36
    narrow = (_as_float32(low & jnp.uint32(2**28 - 1)) + 0.5) * 2.0**-28
    return jnp.minimum(wide, 1 - 2.0**-24), jnp.minimum(narrow, 1 - 2.0**-24)


def _as_float32(bits: UInt32[Array, "*s"]) -> Float32[Array, "*s"]:
    return bits.astype(jnp.float32)


def standard_normal(uniform: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Normal variates; at most 5.4 (float32) or 8.2 (float64) in size."""
    edge = 1 - float(jnp.finfo(uniform.dtype).eps)
    return 2**0.5 * erfinv(jnp.clip(2 * uniform - 1, -edge, edge))

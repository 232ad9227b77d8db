"""One small model and its shapes, for all tests of the transformer: what compiles once serves many."""

import jax
import jax.numpy as jnp

from lidjax.distill.problems import Difficulty
from lidjax.distill.transformer import logits

HEADS, RANK = 2, 3
DIFFICULTY = Difficulty(steps=2, operand=9, distractors=1, scratchpad=True)
ZERO, SCALE = jnp.zeros((), jnp.float32), jnp.asarray(1.5, jnp.float32)
forward = jax.jit(logits, static_argnames="heads")

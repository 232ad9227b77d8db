"""Many answers to one question: the question is read once, then all attempts write their tokens side by side.

Keys and values of the question are computed once and shared by all attempts; each attempt keeps those of its own
answer. The loop has a fixed length, that of the longest answer. An attempt that has ended goes on with padding.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from lidjax.distill.transformer import Adapters, Layer, Params, apply_block, keys_and_values, output_logits
from lidjax.distill.vocabulary import END_ID, PAD_ID

KeysValues = tuple[Array, Array]
"""Keys and values; their last two axes are heads and the size of a head."""


def sample_answers(
    key: Key[Array, ""],
    params: Params,
    question: Int[Array, " p"],
    temperature: Float[Array, " a"],
    adapters: Adapters,
    scale: Float[Array, ""],
    *,
    heads: int,
    length: int,
) -> Int[Array, "a r"]:
    """One answer of `length` tokens for each entry of `temperature`; temperature 0 is greedy.

    A token is drawn from softmax(logits/temperature), without truncation. All attempts are independent.
    """
    position = jnp.arange(question.shape[0], dtype=jnp.int32)
    seen = (position[None, :] <= position[:, None]) & (question != PAD_ID)[None, :]
    x = params["embed"][question] + params["position"][: question.shape[0]]

    def read(x: Float[Array, "p d"], layer: Layer) -> tuple[Array, tuple[Array, Array]]:
        keys, values = keys_and_values(layer, x, scale, heads)
        return apply_block(layer, x, scale, [(keys, values, seen)], heads), (keys, values)

    layers = (params["blocks"], adapters)
    x, of_question = jax.lax.scan(read, x, layers)
    first = output_logits(params, x[-1:])[0]

    count, (depth, width) = temperature.shape[0], params["blocks"]["norm_mlp"].shape
    of_answers = jnp.zeros((2, depth, length, count, heads, width // heads), x.dtype)
    choose = partial(_choose, temperature=temperature)

    def write(
        state: tuple[Array, Array, Bool[Array, " a"]], step: Int[Array, ""]
    ) -> tuple[tuple[Array, Array, Array], Array]:
        of_answers, out, ended = state
        token = jnp.where(ended, PAD_ID, choose(jax.random.fold_in(key, step), out))
        ended = ended | (token == END_ID)
        x = params["embed"][token] + params["position"][question.shape[0] + step][None, :]

        def layer_step(
            x: Float[Array, "a d"], layer: tuple[Layer, KeysValues, KeysValues]
        ) -> tuple[Array, tuple[Array, Array]]:
            weights, shared, (own_keys, own_values) = layer
            new_keys, new_values = keys_and_values(weights, x, scale, heads)
            own_keys, own_values = own_keys.at[step].set(new_keys), own_values.at[step].set(new_values)
            written = jnp.arange(length, dtype=jnp.int32) <= step

            def one_attempt(
                x: Float[Array, " d"], keys: Float[Array, "r h e"], values: Float[Array, "r h e"]
            ) -> Float[Array, " d"]:
                # an attempt sees the question, and its own answer so far
                attended = [(*shared, seen[-1:]), (keys, values, written[None, :])]
                return apply_block(weights, x[None, :], scale, attended, heads)[0]

            x = jax.vmap(one_attempt, in_axes=(0, 1, 1))(x, own_keys, own_values)
            return x, (own_keys, own_values)

        x, new = jax.lax.scan(layer_step, x, (layers, of_question, (of_answers[0], of_answers[1])))
        return (jnp.stack(new), output_logits(params, x), ended), token

    start = (of_answers, jnp.broadcast_to(first, (count, first.shape[0])), jnp.zeros(count, bool))
    _, tokens = jax.lax.scan(write, start, jnp.arange(length, dtype=jnp.int32))
    return tokens.T


def _choose(
    key: Key[Array, ""], logits: Float[Array, "a v"], *, temperature: Float[Array, " a"]
) -> Int[Array, " a"]:
    """A token for each attempt: drawn, or the likeliest one where the temperature is 0."""
    is_drawn = temperature > 0
    scaled = logits / jnp.where(is_drawn, temperature, 1.0)[:, None]
    drawn = jax.random.categorical(key, scaled, axis=-1)
    return jnp.where(is_drawn, drawn, jnp.argmax(logits, axis=-1)).astype(jnp.int32)

"""Many answers to one question: the question is read once, then every attempt writes its tokens side by side.

Keys and values of the question are computed once and shared by all attempts; each attempt keeps those of its own
answer. The loop has a fixed length, an answer's largest: an attempt that has ended goes on with padding.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from lidjax.distill.transformer import Params, keys_and_values, read_out, transform
from lidjax.distill.vocabulary import END_ID, PAD_ID


def sample_answers(
    key: Key[Array, ""],
    params: Params,
    question: Int[Array, " p"],
    temperature: Float[Array, " a"],
    adapters: Params,
    scale: Float[Array, ""],
    *,
    heads: int,
    length: int,
) -> Int[Array, "a r"]:
    """One answer of `length` tokens for each entry of `temperature`; temperature 0 is greedy.

    The distribution of a token is softmax(logits/temperature), untruncated. All attempts are independent.
    """
    place = jnp.arange(question.shape[0], dtype=jnp.int32)
    seen = (place[None, :] <= place[:, None]) & (question != PAD_ID)[None, :]
    x = params["embed"][question] + params["position"][: question.shape[0]]

    def read(x, layer):
        held = keys_and_values(layer, x, scale, heads)
        return transform(layer, x, scale, [(*held, seen)], heads), held

    layers = (params["blocks"], adapters)
    x, held = jax.lax.scan(read, x, layers)
    first = read_out(params, x[-1:])[0]

    count, (depth, width) = temperature.shape[0], params["blocks"]["norm_mlp"].shape
    own = jnp.zeros((2, depth, length, count, heads, width // heads), x.dtype)
    attempt = partial(_choose, temperature=temperature)

    def write(state, step):
        own, out, ended = state
        token = jnp.where(ended, PAD_ID, attempt(jax.random.fold_in(key, step), out))
        ended = ended | (token == END_ID)
        x = params["embed"][token] + params["position"][question.shape[0] + step][None, :]

        def layer_step(x, layer):
            weights, shared, (mine_k, mine_v) = layer
            new_k, new_v = keys_and_values(weights, x, scale, heads)
            mine_k, mine_v = mine_k.at[step].set(new_k), mine_v.at[step].set(new_v)
            filled = jnp.arange(length, dtype=jnp.int32) <= step

            def one(x, k, v):  # one attempt sees the question, and its own answer so far
                remembered = [(*shared, seen[-1:]), (k, v, filled[None, :])]
                return transform(weights, x[None, :], scale, remembered, heads)[0]

            return jax.vmap(one, in_axes=(0, 1, 1))(x, mine_k, mine_v), (mine_k, mine_v)

        x, held_own = jax.lax.scan(layer_step, x, (layers, held, (own[0], own[1])))
        return (jnp.stack(held_own), read_out(params, x), ended), token

    start = (own, jnp.broadcast_to(first, (count, first.shape[0])), jnp.zeros(count, bool))
    _, tokens = jax.lax.scan(write, start, jnp.arange(length, dtype=jnp.int32))
    return tokens.T


def _choose(
    key: Key[Array, ""], logits: Float[Array, "a v"], *, temperature: Float[Array, " a"]
) -> Int[Array, " a"]:
    """A token for each attempt: drawn, or the likeliest where the temperature is 0."""
    warm = temperature > 0
    scaled = logits / jnp.where(warm, temperature, 1.0)[:, None]
    drawn = jax.random.categorical(key, scaled, axis=-1)
    return jnp.where(warm, drawn, jnp.argmax(logits, axis=-1)).astype(jnp.int32)

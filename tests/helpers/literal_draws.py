"""Trials drawn one by one, as Sec. 4.2 and App. B.4 describe them: what the library draws from its distribution."""

import jax
import jax.numpy as jnp

from lidjax.difficulty import sample_label_noise


def target_draw_first_success(key, bias, tau, *, delta, sigma_eta, max_draws, block=256):
    """Index (from 1) of the first of `max_draws` target draws within `delta` of ŷ of each instance; inf if none is."""
    scale = sigma_eta / jnp.sqrt(tau)

    def hit(key):
        noise = scale[:, None] * jax.random.normal(key, (bias.shape[0], block), bias.dtype)
        return jnp.abs(bias[:, None] - noise) <= delta

    return first_hit(key, hit, bias, max_draws, block)


def model_draw_first_success(key, gap, *, delta, scale, proposal="normal", df=None, max_draws, block=256):
    """Index (from 1) of the first of `max_draws` proposals within `delta` of y*, for gaps ŷ - y*; inf if none is."""
    scale = jnp.broadcast_to(jnp.asarray(scale, gap.dtype), gap.shape)

    def hit(key):
        if proposal == "normal":
            noise = jax.random.normal(key, (gap.shape[0], block), gap.dtype)
        else:
            tail = jnp.asarray(df, gap.dtype)
            noise = sample_label_noise(key, tail, jnp.sqrt(tail / 2), (gap.shape[0], block))
        return jnp.abs(gap[:, None] + scale[:, None] * noise) <= delta

    return first_hit(key, hit, gap, max_draws, block)


def first_hit(key, hit, like, max_draws, block):
    """First index (from 1) at which `hit(key)`, an (m, block) mask of successes, holds; inf if none up to `max_draws`.

    Block i of the stream has its own key, and the loop ends when every instance has succeeded: memory O(m · block).
    """

    def unfinished(state):
        index, first = state
        return (index * block < max_draws) & jnp.any(jnp.isinf(first))

    def draw(state):
        index, first = state
        hits = hit(jax.random.fold_in(key, index))
        position = index * block + 1 + jnp.argmax(hits, axis=1)
        found = jnp.any(hits, axis=1) & jnp.isinf(first) & (position <= max_draws)
        return index + 1, jnp.where(found, position.astype(first.dtype), first)

    never = jnp.full(like.shape, jnp.inf, like.dtype)
    return jax.lax.while_loop(unfinished, draw, (0, never))[1]

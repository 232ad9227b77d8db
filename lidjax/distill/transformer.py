"""A small causal transformer over one sequence, with low-rank adapters: pure functions of arrays.

Pre-norm blocks, x + Attention(RMS(x)) then x + MLP(RMS(x)), learned positions, tanh GELU. Layers are stacked along the
first axis and scanned: one compiled block, however deep. Padding on the left is masked; positions count from the
padded start, so answers stand at the same ones for every question.

An adapter (Hu et al. 2021, "LoRA") adds scale · (x a) b to x W. At rank 0 or scale 0 nothing is added.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from lidjax.distill.vocabulary import PAD_ID

Params = dict[str, Any]
ADAPTED = ("query", "key", "value", "output", "up", "down")
"""The matrices of a block: all can be adapted."""

FLOOR = 1e-6  # what keeps a norm from dividing by 0


def init_params(key: Key[Array, ""], *, tokens: int, length: int, width: int, layers: int) -> Params:
    """Random weights in float32: `tokens` in the vocabulary, `length` positions."""
    names: list[str] = ["embed", "position", "unembed", *ADAPTED]
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    shapes = dict.fromkeys(ADAPTED, (layers, width, width))
    shapes |= {"up": (layers, width, 4 * width), "down": (layers, 4 * width, width)}
    # what is added to the stream is scaled down with depth, so that its size does not grow with it
    shrink = {"output": (2 * layers) ** -0.5, "down": (2 * layers) ** -0.5}
    blocks = {
        name: _normal(keys[name], shape, shrink.get(name, 1.0) * shape[1] ** -0.5)
        for name, shape in shapes.items()
    }
    ones = jnp.ones((layers, width), jnp.float32)
    return {
        "embed": _normal(keys["embed"], (tokens, width), width**-0.5),
        "position": _normal(keys["position"], (length, width), width**-0.5),
        "blocks": blocks | {"norm_attention": ones, "norm_mlp": ones},
        "norm": ones[0],
        "unembed": _normal(keys["unembed"], (width, tokens), width**-0.5),
    }


def init_adapters(key: Key[Array, ""], params: Params, *, rank: int, targets=ADAPTED) -> Params:
    """Adapters of `targets`: `a` normal with variance 1/width in, `b` zero, so that training starts at the base."""
    adapters = {}
    for name, matrix in params["blocks"].items():
        if name in targets:
            layers, rows, columns = matrix.shape
            index = ADAPTED.index(name)
            a = _normal(jax.random.fold_in(key, index), (layers, rows, rank), rows**-0.5)
            adapters[name] = {"a": a, "b": jnp.zeros((layers, rank, columns), jnp.float32)}
    return adapters


def logits(
    params: Params, tokens: Int[Array, " t"], adapters: Params, scale: Float[Array, ""], *, heads: int
) -> Float[Array, "t v"]:
    """Logits of the token after each place of one sequence."""
    place = jnp.arange(tokens.shape[0], dtype=jnp.int32)
    seen = (place[None, :] <= place[:, None]) & (tokens != PAD_ID)[None, :]
    x = params["embed"][tokens] + params["position"][: tokens.shape[0]]

    def block(x, layer):
        keys, values = keys_and_values(layer, x, scale, heads)
        return transform(layer, x, scale, [(keys, values, seen)], heads), (keys, values)

    x, _ = jax.lax.scan(block, x, (params["blocks"], adapters))
    return read_out(params, x)


def keys_and_values(layer, x: Float[Array, "t d"], scale, heads: int):
    """Keys and values (t, h, d/h) of the places `x`, before the block."""
    inputs = normalise(x, layer[0]["norm_attention"])
    return tuple(
        apply(layer, name, inputs, scale).reshape(x.shape[0], heads, -1) for name in ("key", "value")
    )


def transform(layer, x: Float[Array, "t d"], scale, remembered, heads: int) -> Float[Array, "t d"]:
    """One block on the places `x`, attending to `remembered`: a list of keys (s, h, d/h), values and masks (t, s)."""
    inputs = normalise(x, layer[0]["norm_attention"])
    query = apply(layer, "query", inputs, scale).reshape(x.shape[0], heads, -1)
    query = query * query.shape[-1] ** -0.5
    scores = [
        jnp.where(seen[None], jnp.einsum("thd,shd->hts", query, keys), -jnp.inf)
        for keys, _, seen in remembered
    ]
    # a padded place sees nothing: its row of weights is 0, not NaN
    top = jnp.maximum(jnp.max(jnp.concatenate(scores, axis=-1), axis=-1, keepdims=True), -1e30)
    weights = [jnp.exp(score - top) for score in scores]
    total = sum(jnp.sum(weight, axis=-1) for weight in weights)
    mixed = sum(
        jnp.einsum("hts,shd->thd", weight, values)
        for weight, (_, values, _) in zip(weights, remembered, strict=True)
    )
    mixed = mixed / jnp.maximum(total, 1e-30).T[..., None]
    x = x + apply(layer, "output", mixed.reshape(x.shape), scale)
    inside = apply(layer, "up", normalise(x, layer[0]["norm_mlp"]), scale)
    return x + apply(layer, "down", jax.nn.gelu(inside), scale)


def apply(layer, name: str, x: Float[Array, "t i"], scale) -> Float[Array, "t o"]:
    """x W, with the adapter of W where there is one."""
    block, adapters = layer
    out = x @ block[name]
    if name in adapters:
        out = out + scale * ((x @ adapters[name]["a"]) @ adapters[name]["b"])
    return out


def normalise(x: Float[Array, "t d"], gain: Float[Array, " d"]) -> Float[Array, "t d"]:
    """Root-mean-square norm."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + FLOOR) * gain[None, :]


def read_out(params: Params, x: Float[Array, "t d"]) -> Float[Array, "t v"]:
    return normalise(x, params["norm"]) @ params["unembed"]


def answer_log_probs(
    params: Params,
    question: Int[Array, " p"],
    answer: Int[Array, " r"],
    adapters: Params,
    scale: Float[Array, ""],
    *,
    heads: int,
    temperature=1.0,
) -> tuple[Float[Array, " r"], Bool[Array, " r"]]:
    """log p of each token of `answer` given what stands before it, and which of them count (up to the end)."""
    tokens = jnp.concatenate([question, answer])
    out = logits(params, tokens[:-1], adapters, scale, heads=heads)[question.shape[0] - 1 :]
    log_probs = jax.nn.log_softmax(out / temperature, axis=-1)
    chosen = jnp.take_along_axis(log_probs, answer[:, None], axis=-1)[:, 0]
    return chosen, answer != PAD_ID


def _normal(key, shape, spread: float) -> Array:
    return spread * jax.random.normal(key, shape, jnp.float32)

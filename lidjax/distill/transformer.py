"""A small causal transformer over one sequence, with low-rank adapters: pure functions of arrays.

Blocks are pre-norm, x + Attention(RMSNorm(x)) and then x + MLP(RMSNorm(x)), with learned positions and the tanh form of
GELU. The layers are stacked along the first axis and scanned, so that one block is compiled however deep the model is.
Questions are padded on the left, and the padding is masked. Positions count from the start of the padding, so that
answers have the same positions for every question.

An adapter (Hu et al. 2021, "LoRA") adds scale · (x a) b to x W. At rank 0 or scale 0 nothing is added.
"""

from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Key

from lidjax.distill.vocabulary import PAD_ID

Params = dict[str, Any]
"""Weights of a model: arrays `embed`, `position`, `norm`, `unembed`, and `blocks`, the arrays of all layers by name."""
Adapters = dict[str, dict[str, Array]]
"""For each adapted matrix of the blocks, by its name, the factors `a` and `b` of all layers."""
Layer = tuple[dict[str, Array], Adapters]
"""Weights and adapters of one layer."""
Attended = tuple[Float[Array, "_s h e"], Float[Array, "_s h e"], Bool[Array, "t _s"]]
"""Keys and values of s positions, and which of them each of t positions may attend to."""

ADAPTED = ("query", "key", "value", "output", "up", "down")
"""The matrices of a block. All of them can be adapted."""
NORM_EPSILON = 1e-6
"""Added to the mean square of RMSNorm, so that it never divides by 0."""


def init_params(key: Key[Array, ""], *, tokens: int, length: int, width: int, layers: int) -> Params:
    """Random weights in float32: `tokens` in the vocabulary, `length` positions."""
    names: list[str] = ["embed", "position", "unembed", *ADAPTED]
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    shapes = dict.fromkeys(ADAPTED, (layers, width, width))
    shapes |= {"up": (layers, width, 4 * width), "down": (layers, 4 * width, width)}
    # what blocks add to the residual stream is scaled down, so that its size does not grow with depth
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


def init_adapters(
    key: Key[Array, ""], params: Params, *, rank: int, targets: Collection[str] = ADAPTED
) -> Adapters:
    """Adapters of the matrices `targets`.

    `a` is normal with variance 1/(rows of the matrix) and `b` is 0, so that training starts at the base model.
    """
    adapters: Adapters = {}
    for name, matrix in params["blocks"].items():
        if name in targets:
            layers, rows, columns = matrix.shape
            index = ADAPTED.index(name)
            a = _normal(jax.random.fold_in(key, index), (layers, rows, rank), rows**-0.5)
            adapters[name] = {"a": a, "b": jnp.zeros((layers, rank, columns), jnp.float32)}
    return adapters


def logits(
    params: Params, tokens: Int[Array, " t"], adapters: Adapters, scale: Float[Array, ""], *, heads: int
) -> Float[Array, "t v"]:
    """Logits of the token after each position of one sequence."""
    position = jnp.arange(tokens.shape[0], dtype=jnp.int32)
    seen = (position[None, :] <= position[:, None]) & (tokens != PAD_ID)[None, :]
    x = params["embed"][tokens] + params["position"][: tokens.shape[0]]

    def block(x: Float[Array, "t d"], layer: Layer) -> tuple[Array, tuple[Array, Array]]:
        keys, values = keys_and_values(layer, x, scale, heads)
        return apply_block(layer, x, scale, [(keys, values, seen)], heads), (keys, values)

    x, _ = jax.lax.scan(block, x, (params["blocks"], adapters))
    return output_logits(params, x)


def keys_and_values(
    layer: Layer, x: Float[Array, "t d"], scale: Float[Array, ""], heads: int
) -> tuple[Float[Array, "t h e"], Float[Array, "t h e"]]:
    """Keys and values of the positions `x`, which are the input of the block; e = d/h."""
    inputs = rms_norm(x, layer[0]["norm_attention"])
    keys, values = (
        adapted_product(layer, name, inputs, scale).reshape(x.shape[0], heads, -1)
        for name in ("key", "value")
    )
    return keys, values


def apply_block(
    layer: Layer, x: Float[Array, "t d"], scale: Float[Array, ""], attended: Sequence[Attended], heads: int
) -> Float[Array, "t d"]:
    """The output of one block at the positions `x`, which attend to all parts of `attended` together."""
    inputs = rms_norm(x, layer[0]["norm_attention"])
    query = adapted_product(layer, "query", inputs, scale).reshape(x.shape[0], heads, -1)
    query = query * query.shape[-1] ** -0.5
    scores = [
        jnp.where(seen[None], jnp.einsum("thd,shd->hts", query, keys), -jnp.inf) for keys, _, seen in attended
    ]
    # a position in the padding sees nothing: its weights are 0, not NaN
    top = jnp.maximum(jnp.max(jnp.concatenate(scores, axis=-1), axis=-1, keepdims=True), -1e30)
    weights = [jnp.exp(score - top) for score in scores]
    total = sum(jnp.sum(weight, axis=-1) for weight in weights)
    mixed = sum(
        jnp.einsum("hts,shd->thd", weight, values)
        for weight, (_, values, _) in zip(weights, attended, strict=True)
    )
    mixed = mixed / jnp.maximum(total, 1e-30).T[..., None]
    x = x + adapted_product(layer, "output", mixed.reshape(x.shape), scale)
    hidden = adapted_product(layer, "up", rms_norm(x, layer[0]["norm_mlp"]), scale)
    return x + adapted_product(layer, "down", jax.nn.gelu(hidden), scale)


def adapted_product(
    layer: Layer, name: str, x: Float[Array, "t i"], scale: Float[Array, ""]
) -> Float[Array, "t o"]:
    """x W for the matrix W of this name, plus its adapter if it has one."""
    weights, adapters = layer
    out = x @ weights[name]
    if name in adapters:
        out = out + scale * ((x @ adapters[name]["a"]) @ adapters[name]["b"])
    return out


def rms_norm(x: Float[Array, "t d"], gain: Float[Array, " d"]) -> Float[Array, "t d"]:
    """`x` divided by its root mean square, times `gain`."""
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + NORM_EPSILON) * gain[None, :]


def output_logits(params: Params, x: Float[Array, "t d"]) -> Float[Array, "t v"]:
    """Logits from the output of the last block."""
    return rms_norm(x, params["norm"]) @ params["unembed"]


def answer_log_probs(
    params: Params,
    question: Int[Array, " p"],
    answer: Int[Array, " r"],
    adapters: Adapters,
    scale: Float[Array, ""],
    *,
    heads: int,
    temperature: ArrayLike = 1.0,
) -> tuple[Float[Array, " r"], Bool[Array, " r"]]:
    """log p of each token of `answer` given all tokens before it, and which tokens count: all but the padding."""
    tokens = jnp.concatenate([question, answer])
    out = logits(params, tokens[:-1], adapters, scale, heads=heads)[question.shape[0] - 1 :]
    log_probs = jax.nn.log_softmax(out / temperature, axis=-1)
    chosen = jnp.take_along_axis(log_probs, answer[:, None], axis=-1)[:, 0]
    return chosen, answer != PAD_ID


def _normal(key: Key[Array, ""], shape: tuple[int, ...], spread: float) -> Array:
    """Normal draws in float32 with standard deviation `spread`."""
    return spread * jax.random.normal(key, shape, jnp.float32)

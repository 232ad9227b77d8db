"""Which instances L_inf(k; N) comes from: those that people disagree on, or those that the head mispredicts.

The instance i fails k attempts with probability (1 - s_i)^k. With a perfect prediction it would fail with
(1 - s_i⁰)^k, never more, since the window is then where the density is largest: that part is the instance's own, and
the rest is due to the bias. Either part is split once more into unanimous instances (v = 0) and ambiguous ones.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Num

from lidjax.features.split import draw_split, nested_predictions
from lidjax.passk.instances import log_miss_probability


class TailShares(NamedTuple):
    """Parts of L_inf(k), which they sum to: `own_*` with a perfect prediction, `bias_*` what the prediction adds."""

    own_unanimous: Float[Array, "*n k"]
    own_ambiguous: Float[Array, "*n k"]
    bias_unanimous: Float[Array, "*n k"]
    bias_ambiguous: Float[Array, "*n k"]


def tail_shares(
    k: Num[Array, " k"],
    bias: Float[Array, "v labels"],
    variance: Float[Array, " v"],
    *,
    variance_floor,
    delta,
) -> TailShares:
    """Parts of the mean of (1 - s_i)^k over instances and label draws, from the `bias` ŷ - m and the `variance`."""
    precision = (1 / (variance + variance_floor))[:, None]
    log_miss = log_miss_probability(bias, precision, delta=delta, sigma_eta=1.0)
    own_miss = log_miss_probability(jnp.zeros_like(precision), precision, delta=delta, sigma_eta=1.0)
    unanimous = variance == 0

    def parts(k):
        own = jnp.exp(k * own_miss[:, 0])
        added = jnp.mean(jnp.exp(k * log_miss), axis=1) - own
        return [jnp.mean(jnp.where(group, x, 0)) for x in (own, added) for group in (unanimous, ~unanimous)]

    return TailShares(*jax.lax.map(parts, k))


def split_shares(
    key,
    features: Float[ArrayLike, "m d"],
    mean: Float[ArrayLike, " m"],
    variance: Float[ArrayLike, " m"],
    *,
    n: Int[ArrayLike, " n"],
    num_labels: int,
    k: Num[ArrayLike, " k"],
    scale,
    ridge,
    delta,
    variance_floor,
    num_validation: int,
) -> TailShares:
    """`tail_shares` (n, k) of the cells that `lidjax.feature_split` computes from the same key and arguments."""
    features = jnp.asarray(features)
    k = jnp.asarray(k, features.dtype)
    split_key, _ = jax.random.split(key)
    split = draw_split(split_key, features, mean, variance, variance_floor, num_labels, num_validation)
    predictions = nested_predictions(split.x, split.targets, split.x_val, jnp.asarray(n), ridge)

    def parts(prediction):
        bias = prediction[:, :1] / scale + prediction[:, 1:] - (split.mean_val / scale)[:, None]
        return tail_shares(k, bias, split.variance_val, variance_floor=variance_floor, delta=delta / scale)

    return TailShares(*jax.lax.map(parts, predictions))

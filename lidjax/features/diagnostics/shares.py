"""Which instances L_inf(k; N) comes from: those that people disagree on, or those that the head mispredicts.

Instance i fails k attempts with probability (1 - s_i)^k. With a perfect prediction it would fail with probability
(1 - s_i⁰)^k, which is never more, as the tolerance window then lies where the density is largest. That part is the
instance's own, and the rest is due to the bias. Each part is divided again into that of unanimous instances (v = 0) and
that of ambiguous ones.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, Num

from lidjax.features.nested_ridge import nested_predictions
from lidjax.features.split import draw_split, prediction_bias
from lidjax.passk.instances import log_miss_probability


class TailShares(NamedTuple):
    """Four parts of L_inf(k), which sum to it."""

    own_unanimous: Float[Array, "*n k"]
    """What a perfect prediction would leave on instances with v = 0."""
    own_ambiguous: Float[Array, "*n k"]
    """What a perfect prediction would leave on instances with v > 0."""
    bias_unanimous: Float[Array, "*n k"]
    """What the error of the prediction adds on instances with v = 0."""
    bias_ambiguous: Float[Array, "*n k"]
    """What the error of the prediction adds on instances with v > 0."""


def tail_shares(
    k: Num[Array, " k"],
    bias: Float[Array, "v labels"],
    variance: Float[Array, " v"],
    *,
    variance_floor: ArrayLike,
    delta: ArrayLike,
) -> TailShares:
    """Parts of the mean of (1 - s_i)^k over instances and label draws.

    Args:
        k: numbers of attempts, > 0.
        bias: ŷ - m of each instance and label draw, in rescaled units.
        variance: label variance v ≥ 0 of each instance.
        variance_floor: ε_v > 0, a scalar, added to every variance.
        delta: tolerance δ > 0, a scalar in the units of `bias`.

    Returns:
        A `TailShares` of arrays in the shape of `k`.

    References:
        Derived for this project; checked against its definition in tests/features/diagnostics/test_shares.py.

    Example:
        >>> import jax.numpy as jnp
        >>> from lidjax.features import tail_shares
        >>> k, bias, variance = jnp.array([1.0, 100.0]), jnp.array([[0.0], [1.0]]), jnp.array([0.0, 1.0])
        >>> shares = tail_shares(k, bias, variance, variance_floor=1e-4, delta=0.1)
        >>> bool((shares.bias_unanimous == 0).all())  # its prediction is perfect
        True
        >>> bool((shares.bias_ambiguous > 0).all())
        True
    """
    precision = (1 / (variance + variance_floor))[:, None]
    log_miss = log_miss_probability(bias, precision, delta=delta, sigma_eta=1.0)
    own_miss = log_miss_probability(jnp.zeros_like(precision), precision, delta=delta, sigma_eta=1.0)
    unanimous = variance == 0

    def parts(k: Array) -> list[Array]:
        own = jnp.exp(k * own_miss[:, 0])
        added = jnp.mean(jnp.exp(k * log_miss), axis=1) - own
        return [jnp.mean(jnp.where(group, x, 0)) for x in (own, added) for group in (unanimous, ~unanimous)]

    return TailShares(*jax.lax.map(parts, k))


def split_shares(
    key: jax.Array,
    features: Float[ArrayLike, "m d"],
    mean: Float[ArrayLike, " m"],
    variance: Float[ArrayLike, " m"],
    *,
    n: Int[ArrayLike, " n"],
    num_labels: int,
    k: Num[ArrayLike, " k"],
    scale: ArrayLike,
    ridge: ArrayLike,
    delta: ArrayLike,
    variance_floor: ArrayLike,
    num_validation: int,
) -> TailShares:
    """Parts of the L_inf(k; N) that `lidjax.feature_split` computes from the same key and arguments.

    Args:
        key: typed key of the split.
        features: features z of m instances. Their dtype is that of the computation.
        mean: mean target m of each instance.
        variance: label variance v ≥ 0 of each instance.
        n: training sizes N, sorted, from 1 to m - `num_validation`.
        num_labels: label draws, at least 1 (static).
        k: numbers of attempts, > 0.
        scale: s > 0, a scalar; features and mean targets are divided by it.
        ridge: λ ≥ 0, a scalar, before its division by s² (Eq. 28).
        delta: tolerance δ > 0, a scalar in the units of `mean`, before its division by s.
        variance_floor: ε_v > 0, a scalar, added to every variance (Eq. 27).
        num_validation: instances held out for validation, from 1 to m - 1 (static).

    Returns:
        A `TailShares` of arrays (n, k). Their sum is the `failure` of `feature_split`, averaged over label draws.

    Raises:
        InputError: if `num_labels` or `num_validation` is not allowed.

    References:
        Derived for this project; checked against `feature_split` in tests/features/diagnostics/test_shares.py.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from lidjax.features import split_shares
        >>> key = jax.random.key(0)
        >>> features = jax.random.normal(key, (300, 4))
        >>> shares = split_shares(
        ...     key, features, features[:, 0], jnp.full(300, 0.1), n=jnp.array([10, 200]), num_labels=2,
        ...     k=jnp.array([1.0, 100.0]), scale=1.0, ridge=1e-6, delta=0.5, variance_floor=1e-6,
        ...     num_validation=100,
        ... )
        >>> shares.own_ambiguous.shape, bool((shares.own_unanimous == 0).all())  # nobody is unanimous
        ((2, 2), True)
    """
    features = jnp.asarray(features)
    k = jnp.asarray(k, features.dtype)
    split_key, _ = jax.random.split(key)
    split = draw_split(split_key, features, mean, variance, variance_floor, num_labels, num_validation)
    predictions = nested_predictions(split.x, split.targets, split.x_val, jnp.asarray(n), ridge)

    def parts(prediction: Array) -> TailShares:
        bias = prediction_bias(prediction, split.mean_val, scale)
        return tail_shares(k, bias, split.variance_val, variance_floor=variance_floor, delta=delta / scale)

    return TailShares(*jax.lax.map(parts, predictions))

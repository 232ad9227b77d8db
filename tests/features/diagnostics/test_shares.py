"""Shares of L_inf: parts that sum to it, and each of them counted as it is defined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from lidjax.features import feature_split, split_shares, tail_shares

K = jnp.array([1.0, 10.0, 300.0])
FLOOR, DELTA = 1e-4, 0.05


def misses(bias, variance):
    spread = np.sqrt(variance + FLOOR)
    return 1 - (norm.cdf((DELTA - bias) / spread) - norm.cdf((-DELTA - bias) / spread))


def test_the_parts_are_their_definitions():
    rng = np.random.default_rng(0)
    variance = np.where(rng.random(50) < 0.4, 0, rng.exponential(size=50))
    bias = rng.normal(size=(50, 3)) * 0.3
    shares = jax.jit(lambda bias, v: tail_shares(K, bias, v, variance_floor=FLOOR, delta=DELTA))
    parts = shares(bias, variance)
    for group, own, added in (
        (variance == 0, parts.own_unanimous, parts.bias_unanimous),
        (variance > 0, parts.own_ambiguous, parts.bias_ambiguous),
    ):
        for k, own_k, added_k in zip(np.asarray(K), own, added, strict=True):
            perfect = misses(0.0, variance[group]) ** k
            actual = misses(bias[group], variance[group][:, None]) ** k
            assert own_k == pytest.approx(perfect.sum() / 50, rel=1e-7, abs=1e-300)  # 1 - s cancels above
            assert added_k == pytest.approx((actual.mean(axis=1) - perfect).sum() / 50, rel=1e-7)
    assert all((np.asarray(part) >= 0).all() for part in parts)


def test_they_sum_to_the_failure_of_the_same_cells():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(80, 5))
    mean, variance = features @ rng.normal(size=5), np.maximum(rng.normal(size=80), 0)

    @jax.jit
    def both(key):
        settings = {
            "n": jnp.array([3, 20, 50]),
            "num_labels": 4,
            "k": K,
            "scale": 2.0,
            "ridge": 0.1,
            "delta": DELTA,
            "variance_floor": FLOOR,
            "num_validation": 30,
        }
        parts = split_shares(key, features, mean, variance, **settings)
        cells = feature_split(key, features, mean, variance, **settings)
        return sum(parts), cells.failure.mean(axis=1)

    total, failure = both(jax.random.key(3))
    np.testing.assert_allclose(total, failure, rtol=1e-9)
    _, other = both(jax.random.key(4))
    assert not np.allclose(total, other, rtol=1e-2)

"""The independence test: exact under independence, and it sees what is there."""

import numpy as np
import pytest
from scipy.stats import binom

from lidjax.features import independence_test

REPEATS = 200


def features(rng, count=120, dim=10):
    return rng.normal(size=(count, dim)) * np.geomspace(1, 50, dim)


def test_under_independence_one_in_twenty_is_below_five_per_cent():
    """Heavy-tailed v with many ties at 0, as people's are. False alarm of this test: 1e-4 on each side."""
    rng = np.random.default_rng(0)
    p = np.array(
        [
            independence_test(
                features(rng),
                np.where(rng.random(120) < 0.4, 0, rng.pareto(1.2, 120)),
                permutations=19,
                seed=i,
            ).p_value
            for i in range(REPEATS)
        ]
    )
    low, high = binom.ppf([1e-4, 1 - 1e-4], REPEATS, 0.05)
    assert low <= np.sum(p <= 0.05) <= high
    assert set(np.round(p * 20)) <= set(range(1, 21))


def test_dependence_is_found_and_its_size_reported():
    rng = np.random.default_rng(1)
    x = features(rng, count=2000)
    v = np.exp(x[:, 3] / x[:, 3].std() + rng.normal(size=2000))
    test = independence_test(x, v)
    assert test.p_value == pytest.approx(1 / 200)
    # rank correlation of two normals with correlation 1/√2
    assert test.correlation == pytest.approx(6 / np.pi * np.arcsin(0.5**0.5 / 2), abs=0.1)
    assert test.null_95 < 0.15


def test_a_constant_feature_does_no_harm():
    rng = np.random.default_rng(2)
    x = features(rng)
    x[:, 0] = 3.0
    assert np.isfinite(independence_test(x, rng.random(120), permutations=19).correlation)

"""k target draws an instance: the literal stream, the geometric shortcut, and the mean they estimate.

z-scores use exact binomial variances and fixed keys; |z| < 4.5 has a false-alarm rate of 7e-6 a comparison.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.literal_draws import first_hit, target_draw_first_success
from scipy import stats

from lidjax.passk.draws import draw_failure, failure_from_first_success, geometric_first_success
from lidjax.passk.instances import instance_failure, log_miss_probability, sample_instances

Z = 4.5
WINDOW = {"delta": 0.3, "sigma_eta": 1.0}


@functools.partial(jax.jit, static_argnames=("max_draws", "block"))
def literal_draws(key, bias, tau, max_draws, block=256):
    return target_draw_first_success(key, bias, tau, **WINDOW, max_draws=max_draws, block=block)


def poisson_binomial_z(first_success, k, log_miss):
    """z of the number of instances with T > k, given each instance's own (1-s)^k."""
    p = np.exp(np.asarray(k)[:, None] * np.asarray(log_miss))
    failed = (np.asarray(first_success) > np.asarray(k)[:, None]).sum(axis=1)
    return (failed - p.sum(axis=1)) / np.sqrt((p * (1 - p)).sum(axis=1))


@pytest.fixture(scope="module")
def instances():
    sample = sample_instances(jax.random.key(0), 0.5, beta=2.5, num_instances=4000, difficulty="power")
    return sample.bias, sample.tau, log_miss_probability(sample.bias, sample.tau, **WINDOW)


def test_literal_draws_fail_as_often_as_the_success_probability_says(instances):
    bias, tau, log_miss = instances
    first = literal_draws(jax.random.key(1), bias, tau, max_draws=500)
    k = [1, 2, 7, 30, 256, 257, 500]
    assert np.abs(poisson_binomial_z(first, k, log_miss)).max() < Z
    wrong = log_miss_probability(bias, tau, delta=0.33, sigma_eta=1.0)
    assert np.abs(poisson_binomial_z(first, k, wrong)).max() > 6  # control: a window 10 % wider is seen


def test_geometric_draws_have_the_law_of_the_literal_ones(instances):
    bias, tau, log_miss = instances
    drawn = geometric_first_success(jax.random.key(2), log_miss)
    assert np.abs(poisson_binomial_z(drawn, [1, 2, 7, 30, 500, 10_000], log_miss)).max() < Z
    literal = literal_draws(jax.random.key(3), bias, tau, max_draws=500)
    clip = np.minimum([drawn, literal], 501)
    table = [
        [np.sum((c >= low) & (c < high)) for low, high in [(1, 2), (2, 4), (4, 9), (9, 40), (40, 502)]]
        for c in clip
    ]
    assert stats.chi2_contingency(table).pvalue > 1e-4  # false alarm 1e-4


def test_geometric_index_of_one_instance_is_geometric():
    for s in (0.9, 0.3, 1e-3):
        first = np.asarray(geometric_first_success(jax.random.key(4), jnp.full(20_000, np.log1p(-s))))
        assert first.min() >= 1
        z = (first.mean() - 1 / s) / (np.sqrt(1 - s) / s / np.sqrt(len(first)))
        assert abs(z) < Z
        for k in (1, 3, int(1 / s)):
            p = (1 - s) ** k
            assert abs(np.mean(first > k) - p) < Z * np.sqrt(p * (1 - p) / len(first))


def test_certain_impossible_and_broken_instances():
    first = geometric_first_success(jax.random.key(5), jnp.array([-jnp.inf, 0.0, jnp.nan]))
    assert first[0] == 1
    assert np.isinf(first[1])
    assert np.isnan(first[2])
    assert np.isnan(failure_from_first_success(np.array([1, 2]), first).failure).all()
    tau = jnp.array([1e30, 0.0])
    literal = literal_draws(jax.random.key(6), jnp.zeros(2), tau, max_draws=50)
    np.testing.assert_array_equal(literal, [1, np.inf])


def test_failure_counts_every_k_at_once_and_knows_where_it_ends():
    first = np.array([1.0, 1, 2, 5, np.inf])
    got = failure_from_first_success(np.array([1, 2, 4, 4.9, 5, 9]), first, max_draws=5)
    np.testing.assert_allclose(got.failure, [0.6, 0.4, 0.4, 0.4, 0.2, np.nan], rtol=1e-12)
    np.testing.assert_allclose(got.standard_error[0], np.std(first > 1, ddof=1) / np.sqrt(5), rtol=1e-12)
    np.testing.assert_allclose(failure_from_first_success(np.array([9]), first).failure, [0.2])


def test_stream_does_not_depend_on_where_the_blocks_of_others_end(instances):
    """An instance keeps its draws when easier ones leave early, and a longer stream extends a shorter one."""
    bias, tau, _ = instances
    long = literal_draws(jax.random.key(7), bias, tau, max_draws=1000, block=64)
    short = literal_draws(jax.random.key(7), bias, tau, max_draws=100, block=64)
    np.testing.assert_array_equal(short, np.where(long <= 100, long, np.inf))
    assert np.isinf(short).any()


def test_a_million_draws_are_streamed():
    """100 instances, 10⁶ draws each: 800 MB at once, 200 kB in blocks of 256."""
    s = 3e-6
    program = jax.jit(
        lambda key: first_hit(
            key, lambda k: jax.random.uniform(k, (100, 256)) < s, jnp.zeros(100), 1_000_000, 256
        )
    )
    assert program.lower(jax.random.key(8)).compile().memory_analysis().temp_size_in_bytes < 5e6
    first = program(jax.random.key(8))
    assert (
        np.abs(poisson_binomial_z(first, [100_000, 400_000, 1_000_000], np.full(100, np.log1p(-s)))).max() < Z
    )


def test_plain_monte_carlo_estimates_the_mean_of_powers_with_more_noise():
    """Rao-Blackwell, measured: same mean over 200 repetitions, a larger variance at every k."""
    k, law = np.array([1.0, 10.0, 100.0]), {"beta": 2.5, "num_instances": 500, "difficulty": "power"}

    def repeat(key):
        drawn = draw_failure(key, k, 0.5, **WINDOW, **law)
        sample = sample_instances(jax.random.fold_in(key, 1), 0.5, **law)
        log_miss = log_miss_probability(sample.bias, sample.tau, **WINDOW)
        return drawn, instance_failure(k, log_miss=log_miss).failure

    drawn, mean = map(np.asarray, jax.jit(jax.vmap(repeat))(jax.random.split(jax.random.key(9), 200)))
    difference = drawn.mean(axis=0) - mean.mean(axis=0)
    error = np.sqrt((drawn.var(axis=0, ddof=1) + mean.var(axis=0, ddof=1)) / 200)
    assert np.all(np.abs(difference) < Z * error)
    assert np.all(
        drawn.var(axis=0) > 1.2 * mean.var(axis=0)
    )  # an F ratio of 1.2 or less by chance: see below
    assert np.all(stats.f(199, 199).sf(drawn.var(axis=0) / mean.var(axis=0)) < 1e-3)

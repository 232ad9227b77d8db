"""The first accepted attempt over the population: a perfect verifier, other integrals, instances one by one, limits."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lidjax
from lidjax.errors import InputError

MODEL = {"beta": 2.5, "delta": 0.5, "sigma_eta": 1.0}
K = np.array([1.0, 30.0, 1e6, 1e12])


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_a_perfect_verifier_is_pass_at_k(difficulty):
    found = lidjax.verified_pass_at_k(K, [0.01, 1.0], **MODEL, difficulty=difficulty, log=True)
    exact = lidjax.pass_at_k_failure(
        K[None, :], jnp.array([[0.01], [1.0]]), **MODEL, difficulty=difficulty, log=True
    )
    np.testing.assert_allclose(found.failure, exact, rtol=0, atol=1e-9)  # 5e-11 measured
    np.testing.assert_array_equal(found.none, found.failure)
    assert np.all(np.asarray(found.wrong) == -np.inf)
    np.testing.assert_allclose(np.exp(found.right) + np.exp(found.failure), 1, rtol=1e-11)


def by_density(k, v, a, f):
    """E[right], E[wrong] as integrals over the density of S, in logit S."""
    logit, step = np.linspace(-50, 34, 420, retstep=True)
    s, miss = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))
    parts = ((s[logit < 0], False), (miss[logit >= 0], True))
    log_density = [lidjax.success_distribution(x, v, **MODEL, complement=c).log_density for x, c in parts]
    density = np.exp(np.concatenate(log_density)) * s * miss * step
    q = s * a + miss * f
    tried = -np.expm1(k * np.log1p(-q)) / q
    return np.sum(density * s * a * tried), np.sum(density * miss * f * tried)


@pytest.mark.slow
def test_means_over_the_distribution_of_success():
    a, f = 0.85, 1e-3
    found = lidjax.verified_pass_at_k(K, 0.3, **MODEL, sensitivity=a, false_accept=f)
    for i, k in enumerate(K):
        right, wrong = by_density(k, 0.3, a, f)
        assert abs(float(found.right[i]) / right - 1) < 1e-9
        assert abs(float(found.wrong[i]) / wrong - 1) < 1e-9
    np.testing.assert_allclose(found.right + found.wrong + found.none, 1, rtol=1e-11)
    np.testing.assert_allclose(found.wrong + found.none, found.failure, rtol=1e-12)


def test_instances_one_by_one():
    """100,000 instances of the exact law; within 4.9 standard errors, false-alarm rate 1e-6 each."""
    v, a, f, k = 0.4, 0.8, 0.05, 20.0
    sample = lidjax.sample_instances(jax.random.key(3), v, num_instances=100_000, beta=MODEL["beta"])
    success = lidjax.success_probability(sample.bias, sample.tau, delta=0.5, sigma_eta=1.0)
    drawn = lidjax.first_accepted(success, k, sensitivity=a, false_accept=f)
    found = lidjax.verified_pass_at_k(K[:1] * k, v, **MODEL, sensitivity=[a, f], false_accept=[f, a])
    for name in drawn._fields:
        values = np.asarray(getattr(drawn, name))
        error = values.std() / math.sqrt(values.size)
        assert abs(values.mean() - float(getattr(found, name)[0, 0])) < 4.9 * error, name
        assert abs(values.mean() - float(getattr(found, name)[1, 0])) > 4.9 * error, name


def test_the_ceiling_is_the_limit_of_many_attempts():
    """The failure at k = ∞ is the mean of (1 - S) f/q, and only what the verifier lets through remains."""
    found = lidjax.verified_pass_at_k([1e9, np.inf], 0.1, **MODEL, sensitivity=0.9, false_accept=[0.02, 0.2])
    np.testing.assert_allclose(found.right[:, 0], found.right[:, 1], rtol=1e-9)
    assert np.all(np.asarray(found.none[:, 1]) == 0)
    assert np.all(np.asarray(found.right[1]) < np.asarray(found.right[0]))


def value(v, beta, delta, a, f):
    found = lidjax.verified_pass_at_k(
        [50.0], v, beta=beta, delta=delta, sigma_eta=1.0, sensitivity=a, false_accept=f, log=True
    )
    return found.failure[0]


@pytest.mark.slow
def test_derivatives_are_those_of_differences():
    at = (0.3, 2.5, 0.5, 0.9, 0.02)
    slopes = jax.grad(value, (0, 1, 2, 3, 4))(*map(jnp.asarray, at))
    for i, slope in enumerate(slopes):
        step = 1e-4 * at[i]
        up, down = (value(*at[:i], at[i] + d, *at[i + 1 :]) for d in (step, -step))
        np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-6)


@pytest.mark.slow
def test_the_best_number_of_attempts_follows_the_local_exponent():
    """Where wrong answers cost c, training makes the best k grow, to a (1-f) β/((a-f) c f)."""
    a, f, c = 0.9, 0.02, 0.3
    v = np.array([3.0, 0.3, 1e-6])
    k = np.geomspace(8, 800, 80)
    found = lidjax.verified_pass_at_k(k, v, **MODEL, sensitivity=a, false_accept=f)
    best = k[np.argmin(c * np.asarray(found.wrong) - np.asarray(found.right), axis=1)]
    assert np.all(np.diff(best) > 0)
    limit = float(lidjax.penalised_attempts(2.5, sensitivity=a, false_accept=f, cost=c))
    assert abs(best[-1] / limit - 1) < 0.1
    for at, measured in zip(v, best, strict=True):
        equivalent = measured * (a - f) / (1 - f)
        nearby = equivalent * np.array([0.98, 1.02])
        log_failure = lidjax.pass_at_k_failure(nearby, at, **MODEL, log=True)
        exponent = -float(log_failure[1] - log_failure[0]) / math.log(1.02 / 0.98)
        law = float(lidjax.penalised_attempts(exponent, sensitivity=a, false_accept=f, cost=c))
        assert abs(measured / law - 1) < 0.12, at


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sensitivity": -0.5}, "sensitivity = -0.5: must be from 0 to 1"),
        ({"false_accept": 1.5}, "false_accept = 1.5: must be from 0 to 1"),
        ({"k": 0}, "k = 0: must be at least 1"),
        ({"delta": 0}, "delta = 0: must be greater than 0"),
        ({"difficulty": "normal"}, "'normal' is not known"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(InputError, match=words):
        lidjax.verified_pass_at_k(**{"k": 2, "lgen": 0.1, **MODEL, **arguments})


def test_a_law_of_attempts_needs_false_acceptance():
    with pytest.raises(InputError, match="false_accept = 0"):
        lidjax.penalised_attempts(2.5, false_accept=0, cost=1)
    assert np.isnan(lidjax.penalised_attempts(2.5, false_accept=0.5, sensitivity=0.4, cost=1))

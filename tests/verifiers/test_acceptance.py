"""The first accepted of k attempts: against 60 digits, against attempts made one by one, limits, derivatives."""

import itertools
import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import lidjax
from lidjax.errors import InputError

TOLERANCE = 1e-13  # relative, of every field, and of its logarithm where that is larger than 1
SUCCESS = (1e-300, 1e-12, 1e-3, 0.3, 0.5, 0.999, 1 - 1e-12)
ATTEMPTS = (1.0, 2.0, 17.0, 1e6, 1e12)
VERIFIERS = (
    (1.0, 0.0),
    (0.9, 0.0),
    (1.0, 0.05),
    (0.8, 0.1),
    (0.3, 0.7),
    (0.5, 1e-12),
    (1e-9, 1e-15),
    (0.0, 0.2),
)


def by_mpmath(p, k, a, f):
    """(right, wrong, none, attempts) with 60 digits."""
    with mp.workdps(60):
        p, k, a, f = (mp.mpf(x) for x in (p, k, a, f))
        q = p * a + (1 - p) * f
        none = mp.exp(k * mp.log1p(-q)) if q < 1 else mp.mpf(0)
        accepted = -mp.expm1(k * mp.log1p(-q)) if q < 1 else mp.mpf(1)
        attempts = accepted / q if q > 0 else k
        return p * a * attempts, (1 - p) * f * attempts, none, attempts


@pytest.mark.parametrize(("a", "f"), VERIFIERS)
def test_every_field_has_thirteen_digits(a, f):
    for p, k in itertools.product(SUCCESS, ATTEMPTS):
        found = lidjax.first_accepted(p, k, sensitivity=a, false_accept=f, log=True)
        right, wrong, none, attempts = by_mpmath(p, k, a, f)
        exact = (right, wrong, none, wrong + none, attempts)
        for name, value, expected in zip(found._fields, found, exact, strict=True):
            log_expected = float(mp.log(expected)) if expected > 0 else -math.inf
            if log_expected == -math.inf:
                assert value == -math.inf, (name, p, k)
                continue
            # the logarithm to rounding of itself, and where it is small the value behind it
            allowed = TOLERANCE * max(1.0, abs(log_expected))
            assert abs(float(value) - log_expected) <= allowed, (name, p, k, float(value), log_expected)


def test_attempts_one_by_one():
    """20,000 simulated users; with false-alarm rate 1e-6 a share lies within 4.9 standard errors."""
    rng = np.random.default_rng(0)
    p, a, f, k, users = 0.15, 0.7, 0.1, 6, 20_000
    right = rng.random((users, k)) < p
    accepted = rng.random((users, k)) < np.where(right, a, f)
    any_accepted = accepted.any(1)
    first = accepted.argmax(1)
    correct = right[np.arange(users), first] & any_accepted
    attempts = np.where(any_accepted, first + 1, k)
    found = lidjax.first_accepted(p, k, sensitivity=a, false_accept=f)
    shares = {"right": correct, "wrong": any_accepted & ~correct, "none": ~any_accepted, "attempts": attempts}
    for name, values in shares.items():
        expected = float(getattr(found, name))
        assert abs(values.mean() - expected) < 4.9 * values.std() / math.sqrt(users), name
    # a verifier with the two errors exchanged is told apart
    other = lidjax.first_accepted(p, k, sensitivity=1 - f, false_accept=1 - a)
    assert abs(correct.mean() - float(other.right)) > 4.9 * correct.std() / math.sqrt(users)


def test_limits():
    k = jnp.array([1.0, 10.0, 1e12])
    perfect = lidjax.first_accepted(0.2, k)
    np.testing.assert_allclose(perfect.failure, 0.8 ** np.asarray(k), rtol=1e-13)
    assert np.all(np.asarray(perfect.wrong) == 0)
    blind = lidjax.first_accepted(0.2, jnp.inf, sensitivity=0.4, false_accept=0.4)
    np.testing.assert_allclose(blind.right, 0.2, rtol=1e-14)  # it chooses at random
    endless = lidjax.first_accepted(jnp.array([1e-9, 0.3]), jnp.inf, sensitivity=0.9, false_accept=0.02)
    ceiling = lidjax.acceptance_ceiling(jnp.array([1e-9, 0.3]), sensitivity=0.9, false_accept=0.02)
    np.testing.assert_allclose(endless.right, ceiling, rtol=1e-14)
    never = lidjax.first_accepted(0.0, jnp.inf)
    assert [float(x) for x in never] == [0.0, 0.0, 1.0, 1.0, math.inf]
    assert float(lidjax.first_accepted(1e-300, jnp.inf, sensitivity=0.5).right) == 1.0
    assert float(lidjax.acceptance_ceiling(1.0, sensitivity=0.0, false_accept=0.5)) == 0.0


@pytest.mark.parametrize(("k", "a", "f"), [(1.0, 0.9, 0.1), (50.0, 0.9, 0.1), (1e9, 0.5, 1e-8)])
def test_derivatives(k, a, f):
    def right(p, k, a, f):
        return lidjax.first_accepted(p, k, sensitivity=a, false_accept=f).right

    at = (1e-3, k, a, f)
    value, slopes = jax.value_and_grad(right, argnums=(0, 1, 2, 3))(*(jnp.asarray(x) for x in at))
    for index, slope in enumerate(slopes):
        with mp.workdps(60):
            step = mp.mpf(at[index]) / 10**15
            exact = mp.diff(lambda x, i=index: by_mpmath(*at[:i], x, *at[i + 1 :])[0], at[index], h=step)
        rounding = 1e-15 * float(value) / at[index]
        assert abs(float(slope) - float(exact)) <= 1e-10 * abs(float(exact)) + rounding


def test_derivatives_without_end_are_those_of_the_ceiling():
    def right(p, a, f):
        return lidjax.first_accepted(p, jnp.inf, sensitivity=a, false_accept=f).right

    def ceiling(p, a, f):
        return lidjax.acceptance_ceiling(p, sensitivity=a, false_accept=f)

    at = (jnp.array(1e-3), jnp.array(0.9), jnp.array(0.1))
    np.testing.assert_allclose(jax.grad(right, (0, 1, 2))(*at), jax.grad(ceiling, (0, 1, 2))(*at), rtol=1e-12)
    assert jax.grad(lambda k: lidjax.first_accepted(0.1, k, false_accept=0.1).right)(jnp.inf) == 0


def test_transformations_agree():
    p, k = jnp.array([1e-6, 0.2, 0.9]), jnp.array([1.0, 30.0, jnp.inf])

    def right(p, k):
        return lidjax.first_accepted(p, k, sensitivity=0.9, false_accept=0.01).right

    plain = right(p, k)
    np.testing.assert_allclose(jax.jit(right)(p, k), plain, rtol=1e-14)
    np.testing.assert_allclose(jax.vmap(right)(p, k), plain, rtol=1e-14)
    single = right(p.astype(jnp.float32), k.astype(jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, plain, rtol=2e-6)
    assert np.isnan(jax.jit(lambda a: lidjax.first_accepted(0.1, 3.0, sensitivity=a).right)(1.5))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sensitivity": 1.2}, "sensitivity = 1.2: must be from 0 to 1"),
        ({"false_accept": -0.1}, "false_accept = -0.1: must be from 0 to 1"),
        ({"k": 0.5}, "k = 0.5: must be at least 1"),
        ({"success": 2}, "success = 2: must be from 0 to 1"),
        ({"sensitivity": [0.5, 0.6], "k": [1, 2, 3]}, "shapes do not broadcast"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(InputError, match=words):
        lidjax.first_accepted(**{"success": 0.1, "k": 2, **arguments})


def test_a_ceiling_needs_false_acceptance():
    with pytest.raises(InputError, match="false_accept = 0: must be greater than 0"):
        lidjax.acceptance_ceiling(0.1, false_accept=0)

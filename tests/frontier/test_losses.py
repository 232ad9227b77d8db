"""Reducible losses against mpmath and brute sums, to D = 1e15."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from lidjax.errors import InputError
from lidjax.frontier import (
    capacity_asymptote,
    capacity_loss,
    coverage_asymptote,
    coverage_loss,
    optimisation_asymptote,
    optimisation_loss,
    tail_mass,
    zipf_probability,
)

WORST = 2e-13  # measured: 4.9e-14, at a = 3, D = 1e9 (coverage)


def twin(a, failure, rate, b, vocabulary=None):
    """Σ p f(p) in mpmath: 20 000 terms, then 30-digit quadrature and three Euler-Maclaurin terms."""
    mpmath.mp.dps = 30
    a, terms = mpmath.mpf(a), 20_000
    z = mpmath.zeta(a) if vocabulary is None else mpmath.zeta(a) - mpmath.zeta(a, vocabulary + 1)
    ranks = np.arange(1, terms + 1)

    def g(x):
        p = mpmath.power(x, -a) / z
        return p * failure(p)

    # most terms one by one are exactly nothing: only those above 1e-40 are summed
    p = ranks ** -float(a) / float(z)
    live = rate * p**b < 95
    total = mpmath.fsum(g(int(k)) for k in ranks[live])
    x0 = mpmath.mpf(terms)
    frontier = (mpmath.mpf(max(rate, 1e-9)) ** (1 / mpmath.mpf(b)) / z) ** (1 / a)
    low, middle = mpmath.log(x0), mpmath.log(max(frontier, x0))
    far = middle + 75 / (a - 1)
    cuts = [middle - d / a for d in (5, 3, 2, 1) if middle - d / a > low]
    points = [low, *cuts, *[middle + (far - middle) * j / 40 for j in range(41)]]
    points = sorted({*points})
    total += mpmath.quad(lambda u: mpmath.exp(u) * g(mpmath.exp(u)), points)
    total += -g(x0) / 2 - mpmath.diff(g, x0) / 12 + mpmath.diff(g, x0, 3) / 720
    return float(total)


@pytest.mark.parametrize("a", [1.05, 1.3, 2.0, 3.0])
def test_coverage_agrees_with_mpmath_to_1e15_draws(a):
    samples = np.array([3.0, 1e9, 1e15])
    exact = [twin(a, lambda p, d=d: (1 - p) ** d, d, 1) for d in samples]
    np.testing.assert_allclose(coverage_loss(samples, a), exact, rtol=WORST)


@pytest.mark.parametrize(("a", "b"), [(1.3, 2.0), (2.0, 0.4)])
def test_optimisation_agrees_with_mpmath(a, b):
    steps = np.array([3.0, 1e9, 1e15])
    exact = [twin(a, lambda p, t=t: mpmath.exp(-t * p**b), t, b) for t in steps]
    np.testing.assert_allclose(optimisation_loss(steps, a, rate_exponent=b), exact, rtol=WORST)


def test_capacity_is_the_tail_beyond_the_frontier():
    np.testing.assert_allclose(
        capacity_loss(np.array([1e4, 1e8]), 1.7, kappa=0.5, scale=3.0),
        tail_mass(np.array([300.0, 30000.0]), 1.7),
        rtol=1e-12,
    )


@pytest.mark.parametrize("vocabulary", [1, 5, 1024, 3000, 200_000])
def test_a_finite_vocabulary_is_a_plain_sum(vocabulary):
    ranks, a = np.arange(1, vocabulary + 1.0), np.array([1.3, 2.0])[:, None]
    p = ranks**-a / np.sum(ranks**-a, axis=1, keepdims=True)
    d = np.array([0.0, 1.0, 100.0, 1e5])
    with np.errstate(divide="ignore", invalid="ignore"):
        brute = np.sum(p[:, None] * np.where(d[:, None] == 0, 1, (1 - p[:, None]) ** d[:, None]), axis=2)
    np.testing.assert_allclose(coverage_loss(d[None], a, vocabulary), brute, rtol=1e-11, atol=1e-14)
    brute = np.sum(p[:, None] * np.exp(-d[:, None] * p[:, None] ** 0.7), axis=2)
    ours = optimisation_loss(d[None], a, rate_exponent=0.7, vocabulary=vocabulary)
    np.testing.assert_allclose(ours, brute, rtol=1e-11, atol=1e-14)
    edge = np.array([0, 1, vocabulary // 2, vocabulary])
    brute = np.array([[row[int(k) :].sum() for k in edge] for row in p])
    np.testing.assert_allclose(tail_mass(edge[None], a, vocabulary), brute, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(zipf_probability(ranks[None], a, vocabulary), p, rtol=1e-12)


def test_the_work_left_out_matters():
    """Negative control: the plain sum of the first million patterns misses a quarter of the loss at D = 1e9."""
    ranks, a = np.arange(1, 1e6 + 1), 1.3
    p = ranks**-a / float(mpmath.zeta(a))
    short = np.sum(p * np.exp(1e9 * np.log1p(-p)))
    assert short < 0.75 * float(coverage_loss(1e9, a))


@pytest.mark.parametrize("a", [1.2, 1.5, 2.5])
def test_asymptotes_are_approached_prefactor_and_all(a):
    far = np.array([1e6, 1e12])
    for exact, law in (
        (capacity_loss(far, a, kappa=0.7, scale=2.0), capacity_asymptote(far, a, kappa=0.7, scale=2.0)),
        (coverage_loss(far, a), coverage_asymptote(far, a)),
        (optimisation_loss(far, a, rate_exponent=1.2), optimisation_asymptote(far, a, rate_exponent=1.2)),
    ):
        error = np.abs(np.asarray(law) / np.asarray(exact) - 1)
        assert error[0] < 1e-3
        assert error[1] < 1e-7


def test_derivatives_by_every_argument():
    # second-order differences of exact values, at the relative accuracy they allow
    coverage = jax.jit(lambda d, a: jnp.log(coverage_loss(d, a)))
    check_grads(coverage, (1e5, 1.4), order=1, modes=["rev"], rtol=1e-6)
    optimisation = jax.jit(lambda t, a, b: jnp.log(optimisation_loss(t, a, rate_exponent=b)))
    check_grads(optimisation, (50.0, 1.4, 1.5), order=1, modes=["rev"])
    capacity = jax.jit(lambda n, a, kappa: jnp.log(capacity_loss(n, a, kappa=kappa)))
    check_grads(capacity, (50.0, 1.4, 0.7), order=1, modes=["rev"])
    slopes = jax.jit(jax.grad(coverage, (0, 1)))
    np.testing.assert_allclose(1e12 * slopes(1e12, 1.4)[0], -0.4 / 1.4, rtol=1e-6)
    assert np.isfinite(slopes(0.0, 1.4)[1])


def test_single_precision_stays_single():
    d = np.float32([10.0, 1e6])
    loss = coverage_loss(d, np.float32(1.4))
    assert loss.dtype == np.float32
    np.testing.assert_allclose(loss, coverage_loss(d.astype(float), 1.4), rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: coverage_loss(10.0, np.array([1.5, 0.9])), "exponent = 0.9: must be greater than 1"),
        (lambda: coverage_loss(10.0, 1.0), "exponent = 1: must be greater than 1"),
        (lambda: coverage_loss(10.0, 1.5, 0), "vocabulary = 0: must be at least 1"),
        (lambda: coverage_loss(-3.0, 1.5), "samples = -3: must be at least 0"),
        (lambda: optimisation_loss(-1.0, 1.5), "steps = -1: must be at least 0"),
        (lambda: capacity_loss(np.array([1.0, -2.0]), 1.5, kappa=1.0), "parameters = -2: must be at least 0"),
        (lambda: coverage_loss(np.nan, 1.5), "samples = nan"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_bad_traced_values_become_nan():
    assert np.isnan(jax.jit(coverage_loss)(10.0, 0.8))
    assert np.isnan(jax.jit(coverage_loss)(-10.0, 1.8))

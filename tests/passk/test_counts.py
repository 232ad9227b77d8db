"""pass@k from counts against exact rational arithmetic, enumeration and its own sampling law."""

from fractions import Fraction
from itertools import combinations
from math import comb, exp, log

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from lidjax.passk.counts import (
    failure_from_counts,
    log_failure_kernel,
    pass_at_k_from_counts,
    variance_from_counts,
)

TOLERANCE = 1e-13  # relative, on log F


def log_failure_reference(n, c, k):
    """log C(n-c, k)/C(n, k) by mpmath; 60 digits leave 40 after the cancellation that ruins doubles."""
    if k > n - c:
        return -mpmath.inf
    with mpmath.workdps(60):
        g = mpmath.loggamma
        return mpmath.re(g(n - c + 1) + g(n - k + 1) - g(n + 1) - g(n - c - k + 1))


def test_is_the_share_of_subsets_without_a_correct_answer():
    for n in range(1, 8):
        for c in range(n + 1):
            for k in range(1, n + 1):
                subsets = list(combinations(range(n), k))
                hit = sum(any(i < c for i in subset) for subset in subsets)
                assert pass_at_k_from_counts(n, c, k) == pytest.approx(hit / len(subsets), rel=1e-14, abs=0)


@st.composite
def counts(draw):
    n = draw(
        st.one_of(st.integers(1, 60), st.integers(1, 5_000), st.integers(1, 3_000_000), st.integers(1, 2**52))
    )
    c = draw(st.one_of(st.integers(0, min(n, 5)), st.integers(0, n)))
    k = draw(st.one_of(st.integers(1, n), st.integers(max(1, n - c - 3), min(n, max(1, n - c + 3)))))
    return n, c, k


@settings(max_examples=200, deadline=None, derandomize=True)
@given(counts())
def test_agrees_with_sixty_digits(triple):
    n, c, k = triple
    expected = log_failure_reference(n, c, k)
    got = failure_from_counts(n, c, k, log=True)
    if c == 0:
        assert got == 0
    elif k > n - c:
        assert got == -np.inf
    else:
        assert got == pytest.approx(float(expected), rel=TOLERANCE)
        assert pass_at_k_from_counts(n, c, k) == pytest.approx(float(-mpmath.expm1(expected)), rel=TOLERANCE)


def test_the_usual_ways_fail_where_this_one_does_not():
    """Negative controls: without them the test above could not tell a good form from a bad one."""
    n, c, k = 3_000_000, 1, 1
    exact = Fraction(k * c, n)
    lgamma = special.gammaln
    naive = -np.expm1(lgamma(n - c + 1) + lgamma(n - k + 1) - lgamma(n + 1) - lgamma(n - c - k + 1))
    assert abs(naive / float(exact) - 1) > 1e-3
    product = 1 - np.prod(1 - k / np.arange(n - c + 1, n + 1))
    assert abs(product / float(exact) - 1) > 1e-12
    assert pass_at_k_from_counts(n, c, k) == pytest.approx(float(exact), rel=1e-15)


def test_failure_keeps_its_precision_where_pass_at_k_is_one():
    n, c, k = 1000, 900, 60
    exact = Fraction(comb(n - c, k), comb(n, k))
    assert 1 - pass_at_k_from_counts(n, c, k) == 0  # lost in the complement
    assert failure_from_counts(n, c, k) == pytest.approx(float(exact), rel=1e-12)
    assert (
        failure_from_counts(3_000_000, 2_000_000, 900_000, log=True) < -1e6
    )  # and no underflow in the logarithm


@pytest.mark.parametrize("n", [10**9, 10**12, 2**52])
def test_the_largest_counts(n):
    """Where nearly every sample is correct, and at the ends of c and k."""
    for c, k in [
        (n - 1, 1),
        (n - 2, 2),
        (n - 10, 5),
        (5, n - 10),
        (1, n - 1),
        (1, 1),
        (n // 2, n // 2 - 1),
        (n // 3, 7),
    ]:
        assert failure_from_counts(n, c, k, log=True) == pytest.approx(
            float(log_failure_reference(n, c, k)), rel=1e-13
        )
    with pytest.raises(ValueError, match=r"at most 2\^52"):
        failure_from_counts(2**53, 1, 1)


def test_edges():
    assert pass_at_k_from_counts(5, 0, 5) == 0
    assert pass_at_k_from_counts(5, 5, 1) == 1
    assert pass_at_k_from_counts(5, 1, 5) == 1
    assert pass_at_k_from_counts(7, 3, 1) == pytest.approx(3 / 7, rel=1e-15)


def test_scalars_stay_scalars_and_arrays_broadcast():
    one = pass_at_k_from_counts(10, 3, 2)
    assert np.ndim(one) == 0
    assert isinstance(one, float)
    n, c = np.array([10, 20, 30]), np.array([0.0, 5.0, 30.0])  # counts from a table are often floats
    per_problem = pass_at_k_from_counts(n, c, 2)
    assert per_problem.shape == (3,)
    np.testing.assert_allclose(
        per_problem, [pass_at_k_from_counts(*t, 2) for t in zip(n, c, strict=True)], rtol=1e-15
    )
    curves = pass_at_k_from_counts(n[:, None], c[:, None], np.array([1, 2, 4, 8])[None, :])
    assert curves.shape == (3, 4)
    np.testing.assert_array_equal(curves[:, 1], per_problem)
    assert np.all(np.diff(curves, axis=1) >= 0)
    assert pass_at_k_from_counts(jnp.array([10, 20]), jnp.array([1, 2]), 3).dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 0, 6), r"k must not exceed num_samples.*num_samples=5, num_correct=0, k=6"),
        (([9, 5, 4], [1, 0, 1], 6), r"num_samples=5, num_correct=0, k=6 at index 1; 2 such entries"),
        (([[9, 5]], [[1, 0]], [[6], [2]]), r"num_samples=5, num_correct=0, k=6 at index \(0, 1\)"),
        ((5, 6, 1), r"num_correct must not exceed num_samples: num_samples=5, num_correct=6"),
        ((5, -1, 1), r"num_correct must not be negative"),
        ((5, 1, 0), r"k must be at least 1"),
        ((0, 0, 1), r"k must not exceed num_samples"),
        ((5.5, 1, 1), r"num_samples must be a whole number: num_samples=5.5"),
        ((5, 1, np.nan), r"k must be a whole number"),
        ((np.inf, 1, 1), r"num_samples must be at most 2\^52"),
        ((5, "1", 1), r"num_correct must hold whole numbers"),
        (([5, 5], [1, 1, 1], 1), r"shapes do not broadcast: num_samples \(2,\), num_correct \(3,\)"),
    ],
)
@pytest.mark.parametrize("function", [pass_at_k_from_counts, failure_from_counts, variance_from_counts])
def test_bad_counts_are_refused_with_the_problem_named(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


def binomial_expectation(n, p, values):
    return float(stats.binom(n, p).pmf(np.arange(n + 1)) @ values)


@pytest.mark.parametrize(
    ("n", "k", "p"), [(20, 5, 0.1), (20, 5, 0.6), (50, 25, 0.03), (8, 4, 0.5), (6, 1, 0.3)]
)
def test_estimate_and_variance_are_unbiased(n, k, p):
    """Exact expectations over Binomial(n, p): no sampling, no tolerance to argue about."""
    c = np.arange(n + 1)
    failure = failure_from_counts(n, c, k)
    assert binomial_expectation(n, p, failure) == pytest.approx((1 - p) ** k, rel=1e-12)
    variance = binomial_expectation(n, p, failure**2) - (1 - p) ** (2 * k)
    estimate = variance_from_counts(n, c, k)
    assert np.all(estimate >= 0)
    assert binomial_expectation(n, p, estimate) == pytest.approx(variance, rel=1e-9)
    plug_in = binomial_expectation(n, p, (1 - c / n) ** k)  # control: the plug-in estimate is biased
    assert k == 1 or abs(plug_in / (1 - p) ** k - 1) > 1e-4


def test_variance_needs_twice_k_samples():
    np.testing.assert_array_equal(np.isnan(variance_from_counts(10, 3, np.array([5, 6]))), [False, True])
    assert variance_from_counts(10, 0, 3) == 0
    assert variance_from_counts(10, 10, 3) == 0
    # k = 1: p(1-p)/(n-1) with p = c/n, a textbook value, and kept for n where F² - F₂ would cancel
    assert variance_from_counts(3_000_000, 7, 1) == pytest.approx(
        7 / 3e6 * (1 - 7 / 3e6) / (3e6 - 1), rel=1e-9
    )


def test_kernel_runs_under_jit_vmap_and_grad():
    n, c, k = jnp.array([20.0, 3e6, 50.0]), jnp.array([3.0, 10.0, 49.0]), jnp.array([4.0, 2e6, 3.0])
    expected = failure_from_counts(np.asarray(n), np.asarray(c), np.asarray(k), log=True)
    np.testing.assert_allclose(jax.jit(jax.vmap(log_failure_kernel))(n, c, k), expected, rtol=1e-14)
    slope = jax.grad(log_failure_kernel, argnums=2)(jnp.float64(1e4), jnp.float64(30.0), jnp.float64(200.0))
    assert float(slope) == pytest.approx(
        special.digamma(10_001 - 30 - 200) - special.digamma(10_001 - 200), rel=1e-6
    )


def test_kernel_in_float32():
    n, c, k = (jnp.array(v, jnp.float32) for v in ([100.0, 3e6], [7.0, 40.0], [30.0, 1e5]))
    got = log_failure_kernel(n, c, k)
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(
        got,
        [float(log_failure_reference(100, 7, 30)), float(log_failure_reference(3_000_000, 40, 100_000))],
        rtol=2e-6,
    )


def test_large_sample_limit_is_a_power_of_the_miss_rate():
    """n → ∞ at c/n = p: F → (1-p)^k."""
    assert failure_from_counts(10**9, 10**6, 100) == pytest.approx(exp(100 * log(0.999)), rel=1e-6)

"""Failure curves over many training losses against the full quadrature, value by value."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.passk.curve import build_curve, eval_curve
from lidjax.passk.population import pass_at_k_failure

SWEEP = 1e-7  # relative, k to 1e6, v from 1e-4 to 3; 6e-11 seen
K = jnp.logspace(0, 6, 64)
BOUNDS = (jnp.log(1e-4), jnp.log(3.0))
CASES = [(2.5, 0.5), (6.0, 0.05), (1.0, 2.0), (12.0, 0.5)]  # β, δ/σ


@functools.partial(jax.jit, static_argnames=("difficulty", "bias_nodes", "tau_nodes", "checks"))
def build(k, beta, eps, difficulty="gamma", **nodes):
    return build_curve(*BOUNDS, k, beta=beta, delta_over_sigma=eps, difficulty=difficulty, **nodes)


evaluate = jax.jit(jax.vmap(eval_curve, (None, 0)))
evaluate_one = jax.jit(eval_curve)


@functools.cache
def some_exact(difficulty):
    """Random (v, index of k) and L_inf there, for each case: 4 · 16 values in one call."""
    rng = np.random.default_rng(8)
    v = jnp.exp(jnp.asarray(rng.uniform(*BOUNDS, (len(CASES), 16))))
    index = jnp.asarray(rng.integers(0, K.size, v.shape))
    beta, eps = (jnp.array(column)[:, None] for column in zip(*CASES, strict=True))
    options = {"beta": beta, "delta": eps, "sigma_eta": 1.0, "difficulty": difficulty}
    return v, index, pass_at_k_failure(K[index], v, **options)


def true_error(difficulty, case, **nodes):
    v, index, exact = (x[case] for x in some_exact(difficulty))
    curve = build(K, *CASES[case], difficulty=difficulty, **nodes)
    fast = evaluate(curve, v)[jnp.arange(v.size), index]
    return float(jnp.abs(fast / exact - 1).max()), float(curve.error)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_curves_match_the_full_quadrature(difficulty, case):
    error, reported = true_error(difficulty, case)
    assert error < SWEEP
    assert reported < 1e-6


def test_too_few_nodes_are_wrong_and_say_so():
    error, reported = true_error("power", 3, bias_nodes=40, tau_nodes=60)
    assert error > 1e-3
    assert reported > 1e-3


def test_range_of_v():
    curve = build(K, 2.5, 0.5, checks=0)
    low, middle = jnp.exp(BOUNDS[0]), 0.1
    at_zero, at_low, below, inside, above, lost, negative = evaluate(
        curve, jnp.array([0.0, low, low / 4, middle, 3.1, jnp.nan, -1e-3])
    )
    np.testing.assert_array_equal(at_zero, curve.free)
    np.testing.assert_allclose(below, at_zero + (at_low - at_zero) / 4, rtol=1e-14)
    assert jnp.all(below[:-8] > at_zero[:-8])  # at larger k the added part is lost to rounding
    assert jnp.all(jnp.diff(inside) < 0)
    for outside in (above, lost, negative):
        assert jnp.all(jnp.isnan(outside))
    assert jnp.isnan(curve.error)  # not checked


def test_below_the_range_the_error_is_bounded_by_what_bias_adds_at_its_end():
    curve = build(K, 2.5, 0.5, checks=0)
    v = jnp.exp(BOUNDS[0]) / 10
    exact = pass_at_k_failure(K[::4], v, beta=2.5, delta=0.5, sigma_eta=1.0)
    at_low = evaluate_one(curve, curve.v_low)
    assert jnp.all(jnp.abs(evaluate_one(curve, v)[::4] - exact) <= (at_low - curve.free)[::4] + 1e-12 * exact)


def test_vmap_over_beta_and_delta_and_no_recompilation():
    traces = 0

    @jax.jit
    def both(beta, eps, v):
        nonlocal traces
        traces += 1

        def one(beta, eps):
            return eval_curve(build_curve(*BOUNDS, K, beta=beta, delta_over_sigma=eps, checks=0), v)

        return jax.vmap(one)(beta, eps)

    beta, eps = (jnp.array(column) for column in zip(*CASES, strict=True))
    together = both(beta, eps, 0.1)
    for row, case in zip(together, CASES, strict=True):
        alone = evaluate_one(build(K, *case, checks=0), jnp.array(0.1))
        np.testing.assert_allclose(row, alone, rtol=1e-11)
    both(beta + 0.1, eps, 0.2)
    assert traces == 1


def test_derivative_in_v_is_that_of_the_quadrature():
    curve = build(K, 2.5, 0.5, checks=0)
    slope = jax.jit(jax.jacfwd(eval_curve, 1))(curve, jnp.array(0.3))[::21]
    step = 0.3e-3
    v = 0.3 + step * jnp.array([-2.0, -1.0, 1.0, 2.0])
    k, v = (x.ravel() for x in jnp.meshgrid(K[::21], v))
    values = pass_at_k_failure(k, v, beta=2.5, delta=0.5, sigma_eta=1.0).reshape(4, 4)
    difference = jnp.array([1.0, -8.0, 8.0, -1.0]) @ values / (12 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-8)


def test_float32_stays_float32():
    @jax.jit
    def both(low, high, k, beta, eps, v):
        return eval_curve(build_curve(low, high, k, beta=beta, delta_over_sigma=eps, checks=0), v)

    single = both(*(jnp.asarray(x, "float32") for x in (*BOUNDS, K, 2.5, 0.5, 0.1)))
    assert single.dtype == jnp.float32
    double = evaluate_one(build(K, 2.5, 0.5, checks=0), jnp.array(0.1))
    np.testing.assert_allclose(single[:40], double[:40], rtol=3e-4)

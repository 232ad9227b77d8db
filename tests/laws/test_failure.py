"""pass@k failure from the two tails, against the integral; its slope, its gradients and its dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.laws_twin import PRIORS, SETTINGS, failure, model

from lidjax.laws import asymptotic_failure, finite_n_failure, log_finite_n_tail, threshold_failure

# Converged to all digits by three refinements of an independent quadrature (σ = 1).
KNOWN = [  # k, v, β, δ, L_inf(k)
    (1, 0.1, 2.5, 0.5, 6.4490937478771e-01),
    (1e2, 0.1, 2.5, 0.5, 2.7886228614521e-04),
    (1e6, 0.1, 2.5, 0.5, 3.2517888115347e-13),
    (1e12, 0.1, 2.5, 0.5, 2.2300707513192e-18),
    (1e6, 3.0, 2.5, 0.5, 1.4356096174773e-02),
    (1e8, 0.02, 4.0, 0.05, 1.53590513890e-24),
]


@pytest.mark.parametrize(("k", "v", "beta", "window", "value"), KNOWN)
def test_the_twin_reproduces_known_values(k, v, beta, window, value):
    assert np.isclose(failure(k, v, beta, window), value, rtol=1e-9)


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize(("beta", "window", "v"), SETTINGS[:3])
def test_asymptotic_failure_against_the_integral(beta, window, v, difficulty):
    k = np.array([1e6, 1e9])
    exact = np.array([failure(kk, v, beta, window, difficulty) for kk in k])
    ratio = asymptotic_failure(k, v, **model(beta, window, difficulty)) / exact
    assert np.all(np.abs(ratio - 1) < 0.1)  # worst seen 0.091, power prior, k = 1e6


def test_threshold_form_has_the_known_share_of_the_integral():
    share = threshold_failure(np.array([1e6, 1e12]), 1.0, **model(2.5, 0.5)) / np.array(
        [failure(1e6, 1.0, 2.5, 0.5), failure(1e12, 1.0, 2.5, 0.5)]
    )
    assert np.allclose(share, [0.931, 0.966], atol=0.02)  # 0.9312 and 0.9662 with the exact P(S ≤ s)


def test_threshold_form_fails_where_a_power_rules():
    k = 1e5
    assert threshold_failure(k, 1e-2, **model(2.5, 0.5)) / failure(k, 1e-2, 2.5, 0.5) < 0.1


def test_float32_stays_float32_and_agrees():
    k, v = jnp.asarray([1e3, 1e6], jnp.float32), jnp.asarray(0.5, jnp.float32)
    law = asymptotic_failure(k, v, **model(2.5, 0.2))
    assert law.dtype == jnp.float32
    assert np.allclose(law, asymptotic_failure(np.array([1e3, 1e6]), 0.5, **model(2.5, 0.2)), rtol=2e-4)


def test_broadcasting_jit_and_the_slope_of_the_law():
    log_k = np.log(1e8) + np.array([-1e-3, 1e-3])
    first, second = finite_n_failure(np.exp(log_k), 0.5, **model(2.5, 0.2), log=True)
    tail = log_finite_n_tail(-np.log(1e8), 0.5, **model(2.5, 0.2))
    assert np.isclose((first - second) / 2e-3, tail.exponent, rtol=0.15)
    k, v = jnp.ones(3), jnp.ones((2, 1))
    assert jax.eval_shape(lambda k, v: finite_n_failure(k, v, **model(2.5, 0.2)), k, v).shape == (2, 3)


@pytest.mark.slow
def test_gradients_forward_and_reverse():
    def log_law(log_k):
        return finite_n_failure(jnp.exp(log_k), 0.5, **model(2.5, 0.2), log=True)

    log_k = jnp.log(1e8)
    slope = jax.grad(log_law)(log_k)
    assert np.isclose(slope, jax.jvp(log_law, (log_k,), (jnp.ones_like(log_k),))[1], rtol=1e-12)
    assert np.isclose(slope, (log_law(log_k + 1e-3) - log_law(log_k - 1e-3)) / 2e-3, rtol=1e-5)

"""The laws against brute quadrature: where they hold, how well, and controls that must fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.laws_twin import failure, log_finite_n_cdf, log_success
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfc
from scipy.special import gamma as gamma_function
from scipy.stats import gamma as gamma_distribution

from lidjax.errors import InputError
from lidjax.laws import (
    asymptotic_failure,
    finite_n_exponent,
    finite_n_failure,
    intrinsic_amplitude,
    intrinsic_failure,
    intrinsic_prefactor,
    limiting_exponent,
    log_crossover_k,
    log_finite_n_tail,
    saturating_exponent,
    small_window_success,
    stretched_tail,
    tauberian_amplitude,
    threshold_failure,
    two_tail_failure,
    window_constant,
)

PRIORS = ("gamma", "power")
SETTINGS = [
    (2.5, 0.5, 1.0),
    (2.5, 0.05, 0.1),
    (4.0, 0.2, 0.5),
    (10.0, 0.1, 0.1),
    (0.5, 0.1, 0.1),
]  # β, δ/σ, v

# Error of log F at s = 1e-6 and 1e-30, and the worst seen over SETTINGS.
TAIL_TOLERANCE = {
    "gamma": {1e-6: 0.017, 1e-30: 0.008},
    "power": {1e-6: 0.07, 1e-30: 0.016},
}  # 0.014, 0.007, 0.055, 0.013

# Converged to all digits by three refinements of an independent quadrature (σ = 1).
KNOWN = [  # k, v, β, δ, L_inf(k)
    (1, 0.1, 2.5, 0.5, 6.4490937478771e-01),
    (1e2, 0.1, 2.5, 0.5, 2.7886228614521e-04),
    (1e6, 0.1, 2.5, 0.5, 3.2517888115347e-13),
    (1e12, 0.1, 2.5, 0.5, 2.2300707513192e-18),
    (1e6, 3.0, 2.5, 0.5, 1.4356096174773e-02),
    (1e8, 0.02, 4.0, 0.05, 1.53590513890e-24),
]


def model(beta, window, difficulty="gamma"):
    return {"beta": beta, "delta": window, "sigma_eta": 1.0, "difficulty": difficulty}


@pytest.mark.parametrize(("k", "v", "beta", "window", "value"), KNOWN)
def test_the_twin_reproduces_known_values(k, v, beta, window, value):
    assert np.isclose(failure(k, v, beta, window), value, rtol=1e-9)


# Eq. 14-16, 52


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize(("beta", "window"), [(2.5, 0.5), (4.0, 0.2), (0.7, 1.0)])
def test_eq_15_is_the_limit_without_bias(beta, window, difficulty):
    exact = failure(1e5, 1e-14, beta, window, difficulty)
    law = intrinsic_failure(1e5, beta, delta=window, sigma_eta=1.0, difficulty=difficulty)
    assert np.isclose(law, exact, rtol=1e-4)


def test_eq_15_fails_at_small_k():
    tau_mean = quad(lambda t: erfc(0.5 * np.sqrt(t / 2)) ** 3 * gamma_distribution.pdf(t, 1.25), 0, np.inf)[0]
    ratio = tau_mean / intrinsic_failure(3, 2.5, delta=0.5, sigma_eta=1.0)
    assert np.isclose(ratio, 0.1531, atol=1e-4)


def test_eq_15_prefactor_in_the_paper_s_form_and_as_the_tauberian_image_of_eq_52():
    beta, c = 2.5, np.sqrt(2 / np.pi) * 0.3 / 0.7
    prefactor = intrinsic_prefactor(beta, delta=0.3, sigma_eta=0.7)
    assert np.isclose(window_constant(0.3, 0.7), c, rtol=1e-14)
    assert np.isclose(prefactor, 2 * gamma_function(beta) / (gamma_function(beta / 2) * c**beta), rtol=1e-13)
    amplitude = intrinsic_amplitude(beta, delta=0.3, sigma_eta=0.7)
    assert np.isclose(amplitude, c**-beta / gamma_function(beta / 2 + 1), rtol=1e-13)
    assert np.isclose(tauberian_amplitude(amplitude, beta), prefactor, rtol=1e-13)


@pytest.mark.parametrize("exponent", [0.3, 1.7])
def test_tauberian_amplitude_is_the_laplace_image_of_a_power(exponent):
    k = 1e5
    exact = (
        k * quad(lambda y: (1 - y / k) ** (k - 1) * (y / k) ** exponent / k, 0, 200, epsabs=0, limit=400)[0]
    )
    assert np.isclose(tauberian_amplitude(1.0, exponent) * k**-exponent, exact, rtol=1e-4)


def test_eq_16_and_the_size_of_its_first_correction():
    tau, bias = np.array([0.1, 1.0, 4.0]), np.array([0.5, 1.5, 1.0])
    delta = 0.02
    exact = np.exp(log_success(bias, tau, delta))
    law = np.asarray(small_window_success(bias, tau, delta=delta, sigma_eta=1.0))
    a, h = bias * np.sqrt(tau), delta * np.sqrt(tau)
    assert np.allclose(exact / law - 1, h**2 * (a**2 - 1) / 6, rtol=0.01, atol=1e-9)
    assert np.allclose(small_window_success(bias, tau, delta=delta, sigma_eta=1.0, log=True), np.log(law))


def test_eq_16_fails_far_out_at_a_fixed_window():
    law = small_window_success(30.0, 1.0, delta=0.1, sigma_eta=1.0, log=True)
    assert log_success(np.array(30.0), np.array(1.0), 0.1) - law > np.log(3)


# Finite-N tails


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize("s", [1e-6, 1e-30])
def test_finite_n_tail_against_quadrature(difficulty, s):
    beta, window, v = map(np.array, zip(*SETTINGS, strict=True))
    law = log_finite_n_tail(np.log(s), v, beta=beta, delta=window, sigma_eta=1.0, difficulty=difficulty)
    exact = [log_finite_n_cdf(np.log(s), v, b, w, difficulty) for b, w, v in SETTINGS]
    assert np.max(np.abs(law.log_tail - np.array(exact))) < TAIL_TOLERANCE[difficulty][s]


@pytest.mark.parametrize("difficulty", PRIORS)
def test_local_exponent_is_the_derivative_of_the_tail(difficulty):
    log_s, step = -100.0, 1e-3
    tails = [log_finite_n_tail(log_s + d, 0.5, **model(2.5, 0.2, difficulty)) for d in (-step, 0, step)]
    numeric = (tails[2].log_tail - tails[0].log_tail) / (2 * step)
    assert np.isclose(tails[1].exponent, numeric, rtol=0.03)  # it leaves out the slow change of the prefactor


def test_a_wrong_prior_fails_the_tail_tolerance():
    exact = log_finite_n_cdf(np.log(1e-6), 0.5, 4.0, 0.2, "gamma")
    law = log_finite_n_tail(np.log(1e-6), 0.5, **model(4.0, 0.2, "power"))
    assert abs(law.log_tail - exact) > 5


def test_bounded_prior_has_exponent_sigma2_over_lgen_in_the_limit():
    for v in (0.5, 1.0, 2.0, 4.0):
        exponents = [
            log_finite_n_tail(-log_k, v, **model(4.0, 0.2, "power")).exponent
            for log_k in (1e2, 1e3, 1e4, 1e5)
        ]
        excess = np.array(exponents) * v - 1
        assert np.all(np.diff(excess) < 0)
        assert 0 < excess[-1] < 0.001
    assert finite_n_exponent(0.3, 2.0, 5.0) == pytest.approx(4 / (5 * 0.3))


def test_gamma_prior_tail_tends_to_the_stretched_law_and_to_no_power():
    log_s = -np.array([1e2, 1e6, 1e10])
    tail = log_finite_n_tail(log_s, 1.0, **model(2.5, 0.1))
    shortfall = np.abs(np.asarray(tail.log_tail) / (-2 * np.sqrt(-log_s)) - 1)
    assert np.all(np.diff(shortfall) < 0)
    assert shortfall[-1] < 1e-3
    assert np.allclose(tail.exponent * np.sqrt(-log_s), 1, rtol=0.02)  # 1/√(v log(1/s)): no limit but 0
    assert np.isclose(
        stretched_tail(1e-100, 2.0, sigma_eta=1.5, log=True), -2 * np.sqrt(np.log(1e100) * 1.5**2 / 2)
    )
    assert np.isclose(
        stretched_tail(1e-2, 2.0, sigma_eta=1.5), np.exp(-2 * np.sqrt(np.log(1e2) * 1.5**2 / 2))
    )


def test_window_enters_the_stretched_law_at_leading_order_as_lgen_vanishes():
    v, scaled = 1e-4, 0.6
    exact = log_finite_n_tail(-scaled / v, v, **model(2.5, 0.5)).log_tail
    s = np.exp(-600.0)  # the same ℓ = v log(1/s) at v = 1e-3, the smallest that a float holds
    with_window = 10 * stretched_tail(s, 1e-3, sigma_eta=1.0, delta=0.5, log=True)
    without = 10 * stretched_tail(s, 1e-3, sigma_eta=1.0, log=True)
    assert np.isclose(with_window, exact, rtol=1e-3)
    assert abs(without / exact - 1) > 0.2


def test_the_stretched_law_alone_is_off_by_factors_at_reachable_s():
    exact = log_finite_n_cdf(np.log(1e-6), 0.5, 4.0, 0.2, "gamma")
    assert abs(stretched_tail(1e-6, 0.5, sigma_eta=1.0, log=True) - exact) > np.log(3)


def test_no_saddle_gives_nan_and_spoils_no_neighbour():
    tail = log_finite_n_tail(np.log([0.5, 1e-8]), 0.5, **model(2.5, 0.01))
    assert np.isnan(tail.log_tail[0])
    assert np.isfinite(tail.log_tail[1])


# Failure and crossover


@pytest.mark.parametrize("difficulty", PRIORS)
@pytest.mark.parametrize(("beta", "window", "v"), SETTINGS[:3])
def test_asymptotic_failure_against_the_integral(beta, window, v, difficulty):
    k = np.array([1e6, 1e9])
    exact = np.array([failure(kk, v, beta, window, difficulty) for kk in k])
    ratio = asymptotic_failure(k, v, **model(beta, window, difficulty)) / exact
    assert np.all(np.abs(ratio - 1) < 0.1)  # worst seen 0.091, power prior, k = 1e6


def test_threshold_form_has_the_known_share_of_the_integral():
    share = threshold_failure([1e6, 1e12], 1.0, **model(2.5, 0.5)) / np.array(
        [failure(1e6, 1.0, 2.5, 0.5), failure(1e12, 1.0, 2.5, 0.5)]
    )
    assert np.allclose(share, [0.931, 0.966], atol=0.02)  # 0.9312 and 0.9662 with the exact P(S ≤ s)


def test_threshold_form_fails_where_a_power_rules():
    k = 1e5
    assert threshold_failure(k, 1e-2, **model(2.5, 0.5)) / failure(k, 1e-2, 2.5, 0.5) < 0.1


@pytest.mark.parametrize(
    ("beta", "window", "v", "difficulty", "tolerance"),
    [
        (2.5, 0.05, 0.1, "gamma", 0.1),  # seen 0.06
        (4.0, 0.2, 0.5, "gamma", 0.1),  # seen 0.05
        (1.5, 0.3, 0.1, "gamma", 0.1),  # seen 0.02
        (2.5, 0.01, 0.5, "power", 0.4),  # seen 0.29
        (4.0, 0.2, 0.5, "power", 0.7),  # seen 0.53
    ],
)
def test_crossover_is_where_failure_is_twice_the_intrinsic_part(beta, window, v, difficulty, tolerance):
    law = float(log_crossover_k(v, **model(beta, window, difficulty)))

    def excess(log_k):
        intrinsic = intrinsic_failure(np.exp(log_k), beta, delta=window, sigma_eta=1.0, difficulty=difficulty)
        return np.log(failure(np.exp(log_k), v, beta, window, difficulty) / (2 * intrinsic))

    assert abs(brentq(excess, law - 1, law + 1, xtol=1e-3) - law) < tolerance


def test_crossover_where_there_is_none():
    assert log_crossover_k(0.2, **model(2.5, 0.1, "power")) == np.inf  # γ = 5 > β
    assert log_crossover_k(0.5, **model(2.5, 0.1, "power")) < np.inf  # γ = 2 < β


@pytest.mark.parametrize("window", [1e-9, 0.1, 1.0])
def test_crossover_tends_to_its_leading_order(window):
    v = np.array([1e-2, 1e-4, 1e-6])
    ratio = log_crossover_k(v, **model(2.5, window)) / log_crossover_k(v, **model(2.5, window), leading=True)
    assert np.all(np.diff(np.abs(ratio - 1)) < 0)
    assert abs(ratio[-1] - 1) < 2e-3


def test_leading_crossover_is_4_over_beta2_v_for_a_narrow_window_only():
    narrow, wide = log_crossover_k(0.1, **model(2.5, np.array([1e-9, 1.0])), leading=True)
    assert np.isclose(narrow, 4 / (2.5**2 * 0.1))
    assert wide > 3 * narrow
    with pytest.raises(InputError, match="leading=True"):
        log_crossover_k(0.1, **model(2.5, 0.1, "power"), leading=True)


# Eq. 17, 19, 20 as functions


def test_two_tail_failure_and_limiting_exponent():
    k = np.array([1, 10, 1000])
    assert np.allclose(two_tail_failure(k, 2.0, 0.5, 3.0, 0.01), 3.0 / k**2.0 + 0.01 / k**0.5)
    assert np.isclose(two_tail_failure(1e300, 2.0, 1.5, 3.0, 0.01, log=True), np.log(0.01) - 450 * np.log(10))
    assert limiting_exponent(2.0, np.array([0.5, 3.0])).tolist() == [0.5, 2.0]


def test_saturating_exponent_and_its_limits():
    n = np.array([10.0, 100.0])
    expected = 2.5 - 1.6 / (1 + 0.01 * n**1.5)
    assert np.allclose(saturating_exponent(n, 2.5, 1.6, 0.01, 1.5), expected)
    assert saturating_exponent(1e300, 2.5, 1.6, 0.01, 20.0) == 2.5
    assert np.isclose(saturating_exponent(1e-300, 2.5, 1.6, 0.01, 20.0), 0.9)


# House rules


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


@pytest.mark.parametrize("law", [intrinsic_prefactor, intrinsic_amplitude])
def test_an_unknown_prior_is_refused(law):
    with pytest.raises(Exception, match="uniform"):  # the shape checker refuses it before the library can
        law(2.5, delta=0.1, sigma_eta=1.0, difficulty="uniform")

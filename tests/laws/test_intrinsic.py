"""The intrinsic tail (Eq. 14-16, 52) against quadrature: where it holds, and where it must fail."""

import numpy as np
import pytest
from helpers.laws_twin import PRIORS, failure, log_success
from scipy.integrate import quad
from scipy.special import erfc
from scipy.special import gamma as gamma_function
from scipy.stats import gamma as gamma_distribution

from lidjax.laws import (
    intrinsic_amplitude,
    intrinsic_failure,
    intrinsic_prefactor,
    small_window_success,
    tauberian_amplitude,
    window_constant,
)


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


@pytest.mark.parametrize("law", [intrinsic_prefactor, intrinsic_amplitude])
def test_an_unknown_prior_is_refused(law):
    with pytest.raises(Exception, match="uniform"):  # the shape checker refuses it before the library can
        law(2.5, delta=0.1, sigma_eta=1.0, difficulty="uniform")

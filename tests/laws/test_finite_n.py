"""The finite-N tails against quadrature, their limits, and controls that must fail."""

import numpy as np
import pytest
from helpers.laws_twin import PRIORS, SETTINGS, log_finite_n_cdf, model

from lidjax.laws import finite_n_exponent, log_finite_n_tail, stretched_tail

# Error of log F at s = 1e-6 and 1e-30, and the worst seen over SETTINGS.
TAIL_TOLERANCE = {
    "gamma": {1e-6: 0.017, 1e-30: 0.008},
    "power": {1e-6: 0.07, 1e-30: 0.016},
}  # 0.014, 0.007, 0.055, 0.013


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

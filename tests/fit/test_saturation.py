"""Eq. 20 fitted: exact data, scipy on the same data, coverage, and data that cannot tell."""

import numpy as np
import pytest
from scipy import optimize

from lidjax.fit import FitStatus, fit_saturation

N = np.geomspace(200, 1e5, 16)
TRUTH = np.array([2.5, 2.0, 1e-4, 1.5])
NAMES = ("beta", "delta", "c", "nu")


def curve(n, beta, delta, c, nu):
    return beta - delta / (1 + c * n**nu)


def estimates(fit):
    return np.stack([np.asarray(getattr(fit, name)) for name in NAMES], axis=-1)


def test_exact_data_give_back_the_parameters():
    fit = fit_saturation(N, curve(N, *TRUTH))
    np.testing.assert_allclose(estimates(fit), TRUTH, rtol=1e-5)
    assert fit.status == FitStatus.OK
    assert np.asarray(fit.identifiable).all()


def test_agrees_with_scipy_on_noisy_data():
    rng = np.random.default_rng(8)
    noisy = curve(N, *TRUTH) + 0.02 * rng.normal(size=N.size)
    fit = fit_saturation(N, noisy)

    def model(n, beta, delta, log_c, nu):
        return curve(n, beta, delta, np.exp(log_c), nu)

    start = [*TRUTH[:2], np.log(TRUTH[2]), TRUTH[3]]
    values, covariance = optimize.curve_fit(model, N, noisy, p0=start, maxfev=20_000)
    np.testing.assert_allclose(np.asarray([fit.beta, fit.delta, fit.nu]), values[[0, 1, 3]], rtol=1e-4)
    errors = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(np.asarray([fit.beta_se, fit.nu_se]), errors[[0, 3]], rtol=1e-2)


def test_intervals_cover():
    """95 % intervals of β and ν from known errors over 600 sets: 95 ± 3.5 %, about four binomial deviations."""
    rng = np.random.default_rng(9)
    error = 0.02
    noisy = curve(N, *TRUTH) + error * rng.normal(size=(600, N.size))
    fit = fit_saturation(N, noisy, standard_error=np.full(N.size, error))
    for name, truth in (("beta", TRUTH[0]), ("nu", TRUTH[3])):
        value, se = np.asarray(getattr(fit, name)), np.asarray(getattr(fit, f"{name}_se"))
        assert np.mean(np.abs(value - truth) < 1.96 * se) == pytest.approx(0.95, abs=0.035)


def test_a_plateau_out_of_sight_is_not_reported_as_known():
    """N ends far below the crossover at 460 and noise is a third of the rise: 1 of 400 fits claimed to know it all."""
    rng = np.random.default_rng(10)
    early = np.geomspace(5, 60, 10)
    fit = fit_saturation(early, curve(early, *TRUTH) + 0.03 * rng.normal(size=(400, early.size)))
    assert np.mean(np.asarray(fit.identifiable).all(axis=-1)) < 0.05


def test_points_that_are_nan_are_left_out_and_too_few_are_refused():
    values = curve(N, *TRUTH)
    gaps = values.copy()
    gaps[[2, 7]] = np.nan
    fit = fit_saturation(N, np.stack([gaps, np.where(np.arange(N.size) < 4, values, np.nan)]))
    np.testing.assert_allclose(estimates(fit)[0], TRUTH, rtol=1e-5)
    assert fit.status[1] == FitStatus.TOO_FEW_POINTS
    assert np.isnan(estimates(fit)[1]).all()

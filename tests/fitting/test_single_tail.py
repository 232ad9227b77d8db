"""Laws with one tail against scipy's regression, their coverage, and slopes that leave a parameter open."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.fit_curves import LOG_K, NOISE, ROWS, K, noisy, power, stretched
from scipy.optimize import curve_fit

from lidjax.fitting import FitStatus, effective_exponent, fit_power_law, fit_stretched

LEVEL_TOLERANCE = 4 * np.sqrt(0.95 * 0.05 / ROWS)  # one false alarm in 16 000 for each coverage tested
LAWS = {
    "power": (fit_power_law, power(1.5, 0.4), (1.5, 0.4), lambda x, b, log_c: log_c - b * x),
    "stretched": (
        fit_stretched,
        stretched(0.7, 0.3),
        (0.7, 0.3),
        lambda x, v, log_c: log_c - 2 * np.sqrt(x / v),
    ),
}


@pytest.fixture(params=LAWS)
def case(request):
    return LAWS[request.param]


def test_exact_data_give_back_the_parameters(case):
    fitter, law, truth, _ = case
    fit = fitter(K, law)
    np.testing.assert_allclose(fit[:2], truth, rtol=1e-11)
    assert fit.status == FitStatus.OK
    assert fit.rms < 1e-13


def test_agrees_with_scipy_with_unequal_weights(case):
    fitter, law, truth, model = case
    error = NOISE * np.linspace(0.5, 3, K.size)
    curve = law * np.exp(error * np.random.default_rng(0).normal(size=K.size))
    fit = fitter(K, curve, standard_error=error * curve, independent=True)
    start = (truth[0] * 1.3, 0.0)
    how = {"sigma": error, "absolute_sigma": True, "ftol": 1e-14, "xtol": 1e-14}
    values, covariance = curve_fit(model, LOG_K, np.log(curve), start, **how)
    np.testing.assert_allclose([fit[0], np.log(fit.c)], values, rtol=1e-6)
    errors = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose([fit[2], fit.c_se / fit.c], errors, rtol=1e-4)
    cost = np.sum(((np.log(curve) - model(LOG_K, *values)) / error) ** 2)
    assert fit.cost == pytest.approx(cost, rel=1e-9)
    assert fit.aic == pytest.approx(cost + 4)
    assert fit.bic == pytest.approx(cost + 2 * np.log(K.size))


@pytest.mark.parametrize("known", [True, False])
def test_intervals_cover(case, known):
    fitter, law, truth, _ = case
    fit = fitter(K, noisy(law, 1), standard_error=NOISE * law if known else None, independent=True)
    inside = (np.asarray(fit.lower) < truth) & (np.asarray(fit.upper) > truth)
    np.testing.assert_allclose(inside.mean(axis=0), 0.95, atol=LEVEL_TOLERANCE)


def test_the_power_law_is_the_effective_exponent_where_weights_are_equal():
    curve = noisy(power(), 2)
    fit, slope = (
        f(K, curve, window=(20, 2e4), independent=True) for f in (fit_power_law, effective_exponent)
    )
    np.testing.assert_allclose(fit.beta, slope.beta_eff, rtol=1e-12)
    np.testing.assert_allclose(fit.beta_se, slope.standard_error, rtol=1e-10)


def test_a_flat_curve_leaves_v_open_above_and_a_rising_one_has_none():
    rng = np.random.default_rng(3)
    flat = 0.3 * np.exp(NOISE * rng.normal(size=(200, K.size)) - 1e-4 * LOG_K)
    fit = fit_stretched(K, flat, standard_error=NOISE * flat, independent=True)
    assert np.mean(np.asarray(fit.status) == FitStatus.NOT_IDENTIFIABLE) > 0.9
    assert not np.asarray(fit.identifiable)[:, 0][np.asarray(fit.status) != FitStatus.OK].any()
    rising = fit_stretched(K, K**0.1, independent=True)
    assert rising.status == FitStatus.NOT_IDENTIFIABLE
    assert np.isnan(rising.v)


def test_status_of_what_cannot_be_fitted_and_float32():
    curves = np.stack([power(), power(), power()]).astype(np.float32)
    curves[0, 3], curves[1, 4] = 0, np.nan
    fit = fit_power_law(K, curves)
    assert np.asarray(fit.status).tolist() == [FitStatus.NOT_POSITIVE, FitStatus.NOT_POSITIVE, FitStatus.OK]
    assert np.isnan(fit.beta[:2]).all()
    assert fit.beta.dtype == jnp.float32
    assert fit.beta[2] == pytest.approx(1.5, rel=1e-5)
    assert fit_power_law(K, power(), window=(10, 11)).status == FitStatus.TOO_FEW_POINTS

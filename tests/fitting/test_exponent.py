"""The local exponent against exact power laws and scipy's regression, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import linregress

from lidjax.arrays import check_window
from lidjax.fitting import FitStatus, describe_status, effective_exponent, fit_power_law

K = np.geomspace(1, 1e4, 33)


def test_a_power_law_gives_its_exponent():
    fit = effective_exponent(K, 0.3 * K**-1.75, window=(10, 1000), independent=True)
    assert np.isclose(fit.beta_eff, 1.75, rtol=1e-13)
    assert fit.standard_error < 1e-13
    assert np.isclose(fit.log_intercept, np.log(0.3), rtol=1e-12)
    assert fit.num_points == np.sum((K >= 10) & (K <= 1000))
    assert fit.status == FitStatus.OK


def test_slope_and_standard_error_equal_scipy_linregress_over_batch_axes():
    noise = np.random.default_rng(1).normal(size=(3, 4, K.size))
    failure = K**-0.8 * np.exp(0.1 * noise)
    fit = effective_exponent(K, failure, window=(5, 2000), independent=True)
    inside = (K >= 5) & (K <= 2000)
    for i, j in np.ndindex(3, 4):
        ref = linregress(np.log(K[inside]), np.log(failure[i, j, inside]))
        assert np.isclose(fit.beta_eff[i, j], -ref.slope, rtol=1e-12)
        assert np.isclose(fit.standard_error[i, j], ref.stderr, rtol=1e-11)
        assert np.isclose(fit.log_intercept[i, j], ref.intercept, rtol=1e-10)


def test_integer_k_and_float32_curves_keep_float32():
    k = np.array([1, 2, 4, 8, 16])
    fit = effective_exponent(k, (1.0 / k).astype(np.float32), window=(1, 16))
    assert fit.beta_eff.dtype == jnp.float32
    assert np.isclose(fit.beta_eff, 1, rtol=1e-6)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -1e-3])
def test_a_value_without_a_logarithm_inside_the_window_spoils_only_its_cell(bad):
    failure = np.stack([K**-1.0, K**-1.0])
    failure[1, 16] = bad
    fit = effective_exponent(K, failure, window=(10, 1000))
    assert np.asarray(fit.status).tolist() == [FitStatus.OK, FitStatus.NOT_POSITIVE]
    assert np.isfinite(fit.beta_eff[0])
    assert np.isnan(fit.beta_eff[1])
    assert np.isnan(fit.standard_error[1])


def test_a_zero_outside_the_window_does_not_matter():
    failure = K**-1.0
    failure[-1] = 0
    assert np.isclose(effective_exponent(K, failure, window=(10, 1000)).beta_eff, 1)


def test_two_points_are_too_few():
    fit = effective_exponent(np.array([1.0, 10, 100]), np.array([1, 0.1, 0.01]), window=(5, 200))
    assert fit.status == FitStatus.TOO_FEW_POINTS
    assert np.isnan(fit.beta_eff)
    assert "fewer usable points" in describe_status(fit.status)


@pytest.mark.parametrize("window", [(10, 10), (0, 10), (100, 10), (1,), (np.nan, 5)])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(ValueError, match="window = "):
        effective_exponent(K, 1 / K, window=window)


def test_text_is_no_window():
    with pytest.raises(
        ValueError, match="window = "
    ):  # by itself: the run-time check of types would come first
        check_window("ab")


def test_a_window_beside_the_data_and_a_k_that_is_not_positive_are_refused():
    with pytest.raises(ValueError, match=r"window = \[1e\+06, 1e\+07\]: holds none of the k.* 1 to 10000"):
        effective_exponent(K, 1 / K, window=(1e6, 1e7))
    with pytest.raises(ValueError, match=r"k\[0\] = 0: must be greater than 0"):
        effective_exponent(np.arange(4), np.ones(4), window=(1, 3))


ATTEMPTS = np.unique(np.geomspace(1, 64, 10).astype(int)).astype(float)
REPEATS, INSTANCES = 1500, 250
COVERAGE = 4 * np.sqrt(0.95 * 0.05 / REPEATS)  # ±.0225: one false alarm in 16 000 if an interval covers .95


@pytest.fixture(scope="module")
def shared_instances():
    """Mean curves of 250 instances, S ~ Beta(1, 3), with the instances, and the exact mean."""
    success = np.random.default_rng(11).beta(1, 3, (REPEATS, INSTANCES, 1))
    curves = (1 - success) ** ATTEMPTS
    exact = np.exp(betaln(1, 3 + ATTEMPTS) - betaln(1, 3))
    return curves, curves.mean(axis=1), exact


def covered(estimate, error, truth):
    return np.mean(np.abs(np.asarray(estimate) - truth) < 1.96 * np.asarray(error))


def test_errors_from_the_instances_cover_and_those_from_residuals_do_not(shared_instances):
    curves, mean, exact = shared_instances
    window = (1, 64)
    truth = effective_exponent(ATTEMPTS, exact, window=window).beta_eff
    fit = effective_exponent(ATTEMPTS, mean, window=window, replicates=curves)
    assert covered(fit.beta_eff, fit.standard_error, truth) == pytest.approx(0.95, abs=COVERAGE)
    np.testing.assert_allclose(fit.standard_error.mean(), np.std(fit.beta_eff), rtol=0.1)
    second = np.exp(betaln(1, 3 + 2 * ATTEMPTS) - betaln(1, 3))
    error = np.sqrt((second - exact**2) / INSTANCES)  # exact, but the points are correlated
    wrong = fit_power_law(ATTEMPTS, mean, standard_error=error, independent=True)
    line = fit_power_law(ATTEMPTS, exact, standard_error=error).beta
    assert covered(wrong.beta, wrong.beta_se, line) < 0.95 - COVERAGE  # the negative control: 0.90 seen
    right = fit_power_law(ATTEMPTS, mean, standard_error=error, replicates=curves)
    assert covered(right.beta, right.beta_se, line) == pytest.approx(0.95, abs=COVERAGE)


def test_the_power_law_has_the_errors_of_its_instances(shared_instances):
    """Intervals of β and c at weights fixed beforehand, logarithms and all; Student's t with 249 degrees."""
    curves, mean, exact = shared_instances
    error = exact**0.5
    truth = fit_power_law(ATTEMPTS, exact, standard_error=error)
    fit = fit_power_law(
        ATTEMPTS, np.log(mean), standard_error=error / exact, replicates=np.log(curves), log=True
    )
    for i, value in enumerate((truth.beta, truth.c)):
        inside = (np.asarray(fit.lower)[:, i] < value) & (np.asarray(fit.upper)[:, i] > value)
        assert inside.mean() == pytest.approx(0.95, abs=COVERAGE)
    assert np.all(np.asarray(fit.status) == FitStatus.OK)


def test_without_instances_there_is_no_error():
    fit = effective_exponent(K, K**-0.5, window=(1, 1e4))
    assert np.isnan(fit.standard_error)
    assert fit.status == FitStatus.OK
    law = fit_power_law(K, K**-0.5, standard_error=0.1 * K**-0.5)
    assert np.isnan([law.beta_se, law.c_se, *law.lower, *law.upper]).all()
    assert law.status == FitStatus.OK


@pytest.mark.parametrize(
    ("replicates", "message"),
    [
        (np.ones((1, 33)), "at least two replicates"),
        (np.ones((5, 7)), r"replicates \(5, 7\): must have shape"),
        (np.ones((2, 33)), "must be the mean of replicates"),
    ],
)
def test_replicates_that_do_not_make_the_curve_are_refused(replicates, message):
    with pytest.raises(ValueError, match=message):
        effective_exponent(K, 1 / K, window=(1, 1e4), replicates=replicates)

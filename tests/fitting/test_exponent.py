"""The local exponent against exact power laws and scipy's regression, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import linregress

from lidjax.arrays import check_window
from lidjax.fitting import FitStatus, describe_status, effective_exponent

K = np.geomspace(1, 1e4, 33)


def test_a_power_law_gives_its_exponent():
    fit = effective_exponent(K, 0.3 * K**-1.75, window=(10, 1000))
    assert np.isclose(fit.beta_eff, 1.75, rtol=1e-13)
    assert fit.standard_error < 1e-13
    assert np.isclose(fit.log_intercept, np.log(0.3), rtol=1e-12)
    assert fit.num_points == np.sum((K >= 10) & (K <= 1000))
    assert fit.status == FitStatus.OK


def test_slope_and_standard_error_equal_scipy_linregress_over_batch_axes():
    noise = np.random.default_rng(1).normal(size=(3, 4, K.size))
    failure = K**-0.8 * np.exp(0.1 * noise)
    fit = effective_exponent(K, failure, window=(5, 2000))
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

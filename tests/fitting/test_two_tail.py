"""Two-tail fits against scipy from several starts, their coverage, and curves in which γ cannot be told from β."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.fit_curves import (
    LOG_K,
    NOISE,
    ROWS,
    STRETCHED,
    TWO_TAIL,
    K,
    noisy,
    padded,
    power,
    stretched_two_tail,
    two_tail,
)
from scipy.optimize import least_squares

from lidjax.errors import InputError
from lidjax.fitting import FitStatus, describe_status, fit_stretched_two_tail, fit_two_tail
from lidjax.fitting.two_tail import fit_two_tail_batch

CLEAR = two_tail(*TWO_TAIL)
LEVEL_TOLERANCE = 4 * np.sqrt(0.95 * 0.05 / ROWS)  # 0.056: one false alarm in 16 000 for each coverage tested


def estimates(fit):
    return np.stack([np.asarray(value) for value in fit[:4]], axis=-1)


def errors(fit):
    return np.stack([np.asarray(value) for value in fit[4:8]], axis=-1)


def log_law(q, tail):
    beta, second, log_c1, log_c2 = np.exp(q[0]), np.exp(q[1]), q[2], q[3]
    fall = second * LOG_K if tail == "power" else 2 * np.sqrt(LOG_K / second)
    return np.logaddexp(log_c1 - beta * LOG_K, log_c2 - fall)


def scipy_fit(curve, noise, tail, starts):
    """Lowest of scipy's minima: parameters and weighted sum of squares."""
    fits = [
        least_squares(
            lambda q: (log_law(q, tail) - np.log(curve)) / noise,
            np.log(s),
            xtol=1e-14,
            ftol=1e-14,
            gtol=1e-14,
        )
        for s in starts
    ]
    best = min(fits, key=lambda fit: fit.cost)
    return np.exp(best.x), 2 * best.cost


@pytest.fixture(scope="module")
def clear():
    """Fits with known errors to 240 noisy copies of a curve that shows both tails."""
    return fit_two_tail(K, noisy(CLEAR, 0), standard_error=NOISE * CLEAR)


def test_exact_data_give_back_the_parameters():
    fit = fit_two_tail(K, padded(CLEAR))
    np.testing.assert_allclose(estimates(fit)[0], TWO_TAIL, rtol=1e-7)
    assert fit.status[0] == FitStatus.OK
    assert fit.rms[0] < 1e-12
    assert np.all(errors(fit)[0] < 1e-8 * TWO_TAIL)


def test_the_objective_is_as_low_as_scipys_from_several_starts(clear):
    starts = [[2.5, 0.3, 1, 0.1], [1.5, 0.7, 10, 0.001], [3, 1, 1, 1]]
    for row, curve in enumerate(noisy(CLEAR, 0)[:15]):
        values, cost = scipy_fit(curve, NOISE * CLEAR / curve, "power", starts)
        assert clear.cost[row] == pytest.approx(cost, rel=1e-6)
        np.testing.assert_allclose(estimates(clear)[row], values, rtol=1e-4)


def test_standard_errors_and_profile_intervals_cover(clear):
    values = estimates(clear)
    wald = np.abs(values - TWO_TAIL) < 1.96 * errors(clear)
    profile = (np.asarray(clear.lower) < TWO_TAIL) & (np.asarray(clear.upper) > TWO_TAIL)
    np.testing.assert_allclose(wald.mean(axis=0), 0.95, atol=LEVEL_TOLERANCE)
    np.testing.assert_allclose(profile.mean(axis=0), 0.95, atol=LEVEL_TOLERANCE)
    halved = np.abs(values - TWO_TAIL) < 0.98 * errors(clear)
    assert np.all(halved.mean(axis=0) < 0.95 - LEVEL_TOLERANCE)  # errors half as large would not pass


def test_intervals_from_the_misfit_cover_too():
    fit = fit_two_tail(K, noisy(CLEAR, 1))
    profile = (np.asarray(fit.lower) < TWO_TAIL) & (np.asarray(fit.upper) > TWO_TAIL)
    np.testing.assert_allclose(profile.mean(axis=0), 0.95, atol=LEVEL_TOLERANCE)


def test_a_given_beta_is_kept_and_the_interval_of_gamma_covers():
    fit = fit_two_tail(K, noisy(CLEAR, 2), standard_error=NOISE * CLEAR, beta=2.0)
    assert np.all(np.asarray(fit.beta) == pytest.approx(2.0, rel=1e-15))
    assert np.all(np.asarray(fit.beta_se) == 0)
    assert np.all(np.asarray(fit.dof) == K.size - 3)
    covered = (np.asarray(fit.lower)[:, 1] < 0.5) & (np.asarray(fit.upper)[:, 1] > 0.5)
    assert covered.mean() == pytest.approx(0.95, abs=LEVEL_TOLERANCE)


def test_with_beta_given_gamma_may_be_the_steeper():
    fit = fit_two_tail(K, padded(two_tail(0.5, 1.5, 0.001, 10)), beta=0.5)
    np.testing.assert_allclose(estimates(fit)[0], [0.5, 1.5, 0.001, 10], rtol=1e-7)


# Identifiability


def test_where_one_power_does_as_well_gamma_is_flagged_and_never_a_silent_number():
    """At level 0.95 one in twenty may be called separated; the bound is four binomial deviations."""
    fit = fit_two_tail(K, noisy(power(), 3), standard_error=NOISE * power())
    separated = np.asarray(fit.separated)
    assert separated.mean() < 0.05 + LEVEL_TOLERANCE
    assert np.all(np.asarray(fit.status)[~separated] == FitStatus.NOT_SEPARATED)
    assert np.all(np.isinf(errors(fit)[~separated]))
    assert not np.asarray(fit.identifiable)[~separated].any()
    assert "gamma cannot be told from beta" in describe_status(np.asarray(fit.status)[~separated][0])


def test_a_window_too_short_to_see_the_second_tail_is_flagged_and_the_long_one_is_not(clear):
    short = fit_two_tail(K, noisy(CLEAR, 0), standard_error=NOISE * CLEAR, window=(10, 60))
    assert np.mean(np.asarray(short.status) == FitStatus.OK) < 0.01
    assert np.all(np.asarray(clear.status) == FitStatus.OK)
    assert np.asarray(clear.identifiable).all()


def test_a_concave_curve_has_no_two_powers():
    fit = fit_two_tail(K, noisy(np.exp(-0.1 * LOG_K**2), 4), standard_error=NOISE * np.exp(-0.1 * LOG_K**2))
    assert not np.asarray(fit.separated).any()


# Stretched second tail


def test_the_stretched_tail_is_found_and_as_low_as_scipys():
    law = stretched_two_tail(*STRETCHED)
    exact = fit_stretched_two_tail(K, padded(law))
    np.testing.assert_allclose(estimates(exact)[0], STRETCHED, rtol=1e-6)
    curves = noisy(law, 5)
    fit = fit_stretched_two_tail(K, curves, standard_error=NOISE * law)
    starts = [[2.5, 0.5, 1, 0.1], [1.5, 1, 10, 1], [3, 0.3, 1, 1]]
    for row in range(5):
        _, cost = scipy_fit(curves[row], NOISE * law / curves[row], "stretched", starts)
        assert fit.cost[row] == pytest.approx(cost, rel=1e-6)
    swapped = np.asarray(fit.beta) < 1 / np.sqrt(np.asarray(fit.v) * LOG_K[-1])  # the power as the late part
    assert np.all((np.asarray(fit.status) == FitStatus.NOT_SEPARATED) == swapped)
    assert 0 < np.mean(swapped) < 0.3
    inside = (np.asarray(fit.lower)[:, 1] < 0.7) & (np.asarray(fit.upper)[:, 1] > 0.7)
    assert inside[~swapped].mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / np.sum(~swapped)))


# Weights, windows, scale


def test_a_point_counts_by_its_error():
    spoilt = noisy(CLEAR, 0)
    spoilt[:, 7] *= 5
    distrusted, left_out, equal = (np.full((ROWS, K.size), NOISE) * CLEAR for _ in range(3))
    distrusted[:, 7] *= 1e6
    left_out[:, 7] = np.inf
    first, second, third = (fit_two_tail(K, spoilt, standard_error=e) for e in (distrusted, left_out, equal))
    np.testing.assert_allclose(estimates(first), estimates(second), rtol=1e-5)
    assert np.all(np.asarray(second.dof) == np.asarray(third.dof) - 1)
    assert np.all(np.asarray(third.cost) > np.asarray(first.cost) + 100)


def test_log_values_under_the_smallest_float_are_fitted():
    curve = -900 + np.log(CLEAR)
    fit = fit_two_tail(K, padded(curve), log=True)
    np.testing.assert_allclose([fit.beta[0], fit.gamma[0]], [2.0, 0.5], rtol=1e-5)
    assert fit.c1[0] == 0  # e^-899 itself has no float


# What cannot be fitted


def test_each_curve_has_its_own_status():
    gap, zero, negative = (CLEAR.copy() for _ in range(3))
    gap[3], zero[4], negative[5] = np.nan, 0, -1e-3
    error = np.full((ROWS, K.size), NOISE) * CLEAR
    error[3, 4:] = np.nan
    fit = fit_two_tail(K, padded(gap, zero, negative, CLEAR, CLEAR), standard_error=error)
    bad = FitStatus.NOT_POSITIVE
    assert np.asarray(fit.status)[:5].tolist() == [bad, bad, bad, FitStatus.TOO_FEW_POINTS, FitStatus.OK]
    assert np.isnan(estimates(fit)[:4]).all()
    assert np.isnan(np.asarray(fit.rms)[:4]).all()
    assert not np.asarray(fit.identifiable)[:4].any()
    np.testing.assert_allclose(estimates(fit)[4], TWO_TAIL, rtol=1e-6)


def test_a_given_beta_that_is_none_spoils_only_its_curve():
    beta = np.full(ROWS, 2.0)
    beta[:2] = -1.0, np.nan
    fit = fit_two_tail(K, padded(CLEAR), beta=beta)
    assert np.asarray(fit.status)[:3].tolist() == [
        FitStatus.NOT_POSITIVE,
        FitStatus.NOT_POSITIVE,
        FitStatus.OK,
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"failure": np.ones(7)}, "must share their last axis"),
        ({"failure": np.float64(0.5)}, "must share their last axis"),
        ({"window": (100, 10)}, "window = "),
        ({"level": 1.0}, "level="),
        ({"level": 95}, "level="),
    ],
)
def test_bad_input_is_refused_on_the_host(changes, message):
    arguments = {"failure": CLEAR, **changes}
    with pytest.raises(InputError, match=message):
        fit_two_tail(K, arguments.pop("failure"), **arguments)


# House rules


def test_a_batch_equals_its_curves_one_by_one(clear):
    for row in range(3):
        alone = fit_two_tail(K, noisy(CLEAR, 0)[row], standard_error=NOISE * CLEAR)
        assert alone.beta.shape == ()
        for one, many in zip(alone, clear, strict=True):
            np.testing.assert_allclose(one, many[row], rtol=1e-6)


def test_new_values_of_any_setting_compile_nothing(clear):
    before = fit_two_tail_batch._cache_size()
    fit_two_tail(K * 1.1, noisy(CLEAR, 6), standard_error=0.1 * CLEAR, window=(20, 1e4), beta=1.9, level=0.8)
    fit_stretched_two_tail(K, noisy(CLEAR, 6), level=0.99)
    assert fit_two_tail_batch._cache_size() == before


def test_float32_curves_give_float32_estimates():
    result = jax.eval_shape(fit_two_tail, K, jax.ShapeDtypeStruct((4, K.size), jnp.float32))
    floats = {leaf.dtype for leaf in jax.tree.leaves(result) if jnp.issubdtype(leaf.dtype, jnp.floating)}
    assert floats == {jnp.dtype(jnp.float32)}


@pytest.mark.slow
def test_float32_agrees_where_both_tails_are_clear():
    fit = fit_two_tail(
        K, noisy(CLEAR, 0).astype(np.float32), standard_error=(NOISE * CLEAR).astype(np.float32)
    )
    wide = fit_two_tail(K, noisy(CLEAR, 0), standard_error=NOISE * CLEAR)
    assert np.max(np.abs(estimates(fit) - estimates(wide)) / errors(wide)) < 0.1

"""Regression of log γ on log L_gen: scipy's line, coverage of its interval, and what each flag says."""

import numpy as np
import pytest
from scipy.stats import linregress, t

from lidjax.errors import InputError
from lidjax.fitting import FitStatus, GammaScaling, gamma_scaling

LGEN = np.geomspace(0.02, 3, 9)
SETS = 2000
LEVEL_TOLERANCE = 4 * np.sqrt(0.95 * 0.05 / SETS)  # one false alarm in 16 000


def gammas(slope, scatter, seed=0, sets=SETS):
    return 2 * LGEN**slope * np.exp(scatter * np.random.default_rng(seed).normal(size=(sets, LGEN.size)))


def run(*args, **settings):
    """`gamma_scaling` with NumPy arrays out."""
    return GammaScaling(*(np.asarray(field) for field in gamma_scaling(*args, **settings)))


def test_without_errors_it_is_scipys_line():
    gamma = gammas(-0.8, 0.1)
    fit = run(LGEN, gamma)
    for row in range(3):
        line = linregress(np.log(LGEN), np.log(gamma[row]))
        assert fit.slope[row] == pytest.approx(line.slope, rel=1e-12)
        assert fit.slope_se[row] == pytest.approx(line.stderr, rel=1e-10)
        assert fit.intercept[row] == pytest.approx(line.intercept, rel=1e-12)
        reach = t.ppf(0.975, LGEN.size - 2) * line.stderr
        assert fit.upper[row] - fit.slope[row] == pytest.approx(reach, rel=1e-9)


def test_the_interval_covers_and_eq_18_is_admitted_as_often():
    fit = run(LGEN, gammas(-1.0, 0.1))
    assert np.mean(fit.admits_inverse) == pytest.approx(0.95, abs=LEVEL_TOLERANCE)
    assert np.mean(fit.admits_inverse_root) == 0
    wide = run(LGEN, gammas(-1.0, 0.1), level=0.5)
    assert np.mean(wide.admits_inverse) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(SETS))


def test_another_slope_is_not_taken_for_eq_18():
    half = run(LGEN, gammas(-0.5, 0.1))
    assert np.mean(half.admits_inverse) == 0
    assert np.mean(half.admits_inverse_root) == pytest.approx(0.95, abs=LEVEL_TOLERANCE)
    between = run(LGEN, gammas(-0.75, 0.02))
    assert not np.any(between.admits_inverse | between.admits_inverse_root)


def test_errors_weigh_the_points_and_excess_scatter_raises_the_error():
    scatter = np.geomspace(0.02, 0.5, LGEN.size)
    gamma = gammas(-1.0, scatter, seed=1)
    weighted = run(LGEN, gamma, scatter * gamma)
    assert np.std(weighted.slope) < 0.6 * np.std(run(LGEN, gamma).slope)
    assert np.mean(weighted.admits_inverse) >= 0.95 - LEVEL_TOLERANCE
    too_small = gamma_scaling(
        LGEN, gamma, scatter * gamma / 4
    )  # errors that are too small by four are found out
    assert np.median(too_small.birge) == pytest.approx(4, rel=0.1)
    assert np.mean(too_small.admits_inverse) == pytest.approx(0.95, abs=LEVEL_TOLERANCE)


def test_points_that_were_not_separated_are_dropped_and_two_are_too_few():
    gamma, error = 2 / LGEN, 0.2 / LGEN
    gamma[2], error[5] = np.nan, np.inf
    fit = run(LGEN, gamma, error)
    assert fit.num_points == LGEN.size - 2
    assert fit.slope == pytest.approx(-1, rel=1e-12)
    few = run(LGEN, np.where(np.arange(LGEN.size) < 2, 2 / LGEN, np.nan))
    assert few.status == FitStatus.TOO_FEW_POINTS
    assert np.isnan([few.slope, few.lower, few.upper]).all()
    assert not few.admits_inverse


def test_a_level_that_is_none_is_refused():
    with pytest.raises(InputError, match="level="):
        gamma_scaling(LGEN, 2 / LGEN, level=0)

"""Summaries over seeds, against NumPy, and the coverage that the interval of the median states."""

import numpy as np
import pytest

from lidjax.fitting import summarise_seeds


def test_moments_and_percentiles_are_numpys():
    values = np.random.default_rng(0).normal(size=(3, 25))
    summary = summarise_seeds(values)
    np.testing.assert_allclose(summary.mean, values.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(summary.standard_error, values.std(axis=1, ddof=1) / 5, rtol=1e-12)
    np.testing.assert_allclose(summary.median, np.median(values, axis=1), rtol=1e-12)
    np.testing.assert_allclose(summary.lower, np.percentile(values, 16, axis=1), rtol=1e-12)


@pytest.mark.parametrize("count", [6, 16, 41])
def test_the_interval_of_the_median_covers_as_stated_for_a_law_without_moments(count):
    """Cauchy values, 4000 sets; within four binomial deviations of the stated coverage."""
    values = np.random.default_rng(count).standard_cauchy(size=(4000, count))
    summary = summarise_seeds(values)
    covered = np.mean((np.asarray(summary.median_low) <= 0) & (np.asarray(summary.median_high) >= 0))
    assert summary.coverage >= 0.95
    assert covered == pytest.approx(summary.coverage, abs=4 * np.sqrt(0.05 / 4000))


def test_few_seeds_say_what_their_extremes_cover():
    summary = summarise_seeds(np.arange(3.0))
    assert summary.coverage == pytest.approx(0.75)
    assert (summary.median_low, summary.median_high) == (0.0, 2.0)


def test_one_seed_has_no_error_and_nan_stays_nan():
    assert np.isnan(summarise_seeds(np.array([1.0])).standard_error)
    summary = summarise_seeds(np.array([1.0, np.nan, 2.0]))
    assert np.isnan([summary.mean, summary.median, summary.median_low]).all()

"""Scrambled Sobol' points against SciPy's, bit for bit."""

import numpy as np
import pytest
from scipy.stats import qmc

from lidjax.evals.rates.sobol import MOST_DIMENSIONS, sobol_points


@pytest.mark.parametrize("dim", range(1, MOST_DIMENSIONS + 1))
def test_points_are_those_of_scipy(dim):
    for seed, count in ((0, 1024), (3, 256), (7, 1)):
        expected = qmc.Sobol(dim, seed=seed).random(count)
        np.testing.assert_array_equal(sobol_points(count, dim, seed), expected)
    assert not np.array_equal(sobol_points(256, dim, 4), qmc.Sobol(dim, seed=3).random(256))

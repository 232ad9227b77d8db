"""Eq. 20 as a function."""

import numpy as np

from lidjax.laws import saturating_exponent


def test_saturating_exponent_and_its_limits():
    n = np.array([10.0, 100.0])
    expected = 2.5 - 1.6 / (1 + 0.01 * n**1.5)
    assert np.allclose(saturating_exponent(n, 2.5, 1.6, 0.01, 1.5), expected)
    assert saturating_exponent(1e300, 2.5, 1.6, 0.01, 20.0) == 2.5
    assert np.isclose(saturating_exponent(1e-300, 2.5, 1.6, 0.01, 20.0), 0.9)

"""Eq. 17 and 19 as functions. γ(N) of Eq. 18 is compared with the exact tail in `test_finite_n.py`."""

import numpy as np

from lidjax.laws import limiting_exponent, two_tail_failure


def test_two_tail_failure_and_limiting_exponent():
    k = np.array([1, 10, 1000])
    assert np.allclose(two_tail_failure(k, 2.0, 0.5, 3.0, 0.01), 3.0 / k**2.0 + 0.01 / k**0.5)
    assert np.isclose(two_tail_failure(1e300, 2.0, 1.5, 3.0, 0.01, log=True), np.log(0.01) - 450 * np.log(10))
    assert limiting_exponent(2.0, np.array([0.5, 3.0])).tolist() == [0.5, 2.0]

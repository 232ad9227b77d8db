"""Zipf's law against mpmath."""

import mpmath
import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.frontier import tail_mass, zipf_probability


@pytest.mark.parametrize("a", [1.05, 2.0, 5.0])
def test_the_tail_is_hurwitz_zeta(a):
    exact = [float(mpmath.zeta(a, k + 1) / mpmath.zeta(a)) for k in (0, 1, 7.5, 10**6)]
    np.testing.assert_allclose(tail_mass(np.array([0, 1, 7.5, 1e6]), a), exact, rtol=1e-13)


def test_a_rank_below_one_is_named():
    with pytest.raises(InputError, match="rank = 0: must be at least 1"):
        zipf_probability(0, 1.5)

"""The published estimators on counts of a known family."""

import numpy as np
import pytest
from scipy import special

from lidjax.evals.baselines import BASELINES


def test_baselines_on_counts_of_their_own_family():
    """Beta rates: the beta-binomial forecast is right within five standard errors of 4000 problems."""
    rng = np.random.default_rng(1)
    n, c = np.full(4000, 100), rng.binomial(100, rng.beta(0.6, 6, 4000))
    exact = -np.expm1(special.betaln(0.6, 1006) - special.betaln(0.6, 6))
    assert float(BASELINES["beta-binomial"](n, c, 1000)) == pytest.approx(exact, abs=0.02)
    assert float(BASELINES["discretised-beta"](n, c, 1000)) == pytest.approx(exact, abs=0.1)
    assert 0 < float(BASELINES["least-squares"](n, c, 1000)) < 1

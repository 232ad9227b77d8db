"""Interpolated curves against the exact integral, where v is not a node."""

import numpy as np
import pytest

from lidjax.passk import pass_at_k_failure
from lidjax.sweep.curves import FailureCurves


@pytest.mark.parametrize(
    ("beta", "eps", "difficulty", "k_max"), [(2.5, 0.5, "gamma", 1e6), (4.0, 0.2, "power", 1e8)]
)
def test_curves_follow_the_integral(beta, eps, difficulty, k_max):
    rng = np.random.default_rng(2)
    k = np.geomspace(1, k_max, 5)
    curves = FailureCurves(k, difficulty)
    v = 10 ** rng.uniform(-1.5, 0.5, 40)
    exact = pass_at_k_failure(
        k[None, :], v[:, None], beta=beta, delta=eps, sigma_eta=1.0, difficulty=difficulty, log=True
    )
    np.testing.assert_allclose(np.log(curves(v, beta, eps)), exact, atol=1e-6)


def test_a_value_does_not_depend_on_its_company():
    k = np.array([1.0, 1e3])
    together = FailureCurves(k, "gamma")(np.array([0.3, 0.01, 0.31]), 2.5, 0.5)
    alone = FailureCurves(k, "gamma")(np.array([0.3]), 2.5, 0.5)
    np.testing.assert_allclose(together[0], alone[0], rtol=1e-12)


def test_no_bias_and_no_number():
    k = np.array([1.0, 1e3])
    curves = FailureCurves(k, "gamma")(np.array([0.0, np.nan, np.inf]), 2.5, 0.5)
    free = pass_at_k_failure(k, 0.0, beta=2.5, delta=0.5, sigma_eta=1.0)
    np.testing.assert_allclose(curves[0], free, rtol=1e-12)
    assert np.isnan(curves[1:]).all()

"""Tabulated curves against the exact integral, at losses that are not special to the table."""

import numpy as np
import pytest

from lidjax.passk import pass_at_k_failure
from lidjax.sweep.sources.synthetic.failure_curves import FailureCurves

K = np.geomspace(1, 1e8, 13)


def exact(k, v, beta, eps, difficulty="gamma"):
    """For up to 24 v, always as one call of the same shape, compiled once."""
    padded = np.pad(v, (0, 24 - len(v)), mode="edge")
    return pass_at_k_failure(
        k[None, :], padded[:, None], beta=beta, delta=eps, sigma_eta=1.0, difficulty=difficulty
    )[: len(v)]


@pytest.mark.parametrize(("beta", "eps", "difficulty"), [(2.5, 0.5, "gamma"), (4.0, 0.2, "power")])
def test_curves_follow_the_integral(beta, eps, difficulty):
    v = 10 ** np.random.default_rng(2).uniform(-6, 2, 24)
    curves = FailureCurves(K, difficulty)(v, beta, eps)
    np.testing.assert_allclose(curves, exact(K, v, beta, eps, difficulty), rtol=1e-7)


def test_where_no_table_is_good_enough_the_integral_itself_is_used():
    k = np.append(np.geomspace(1, 1e6, 12), 1e30)
    v = np.array([1e-3, 0.3])
    curves = FailureCurves(k, "gamma")
    values = curves(v, 6.0, 0.5)
    assert None in curves.tables.values()
    np.testing.assert_allclose(values, exact(k, v, 6.0, 0.5), rtol=1e-9)


def test_a_value_does_not_depend_on_its_company():
    together = FailureCurves(K, "gamma")(np.geomspace(1e-5, 10, 50), 2.5, 0.5)
    alone = FailureCurves(K, "gamma")(np.geomspace(1e-5, 10, 50)[30:31], 2.5, 0.5)
    np.testing.assert_allclose(together[30], alone[0], rtol=1e-12)


def test_huge_losses_leave_no_success():
    v = np.array([1e9, 1e20, 1e27, 1e40])
    np.testing.assert_allclose(FailureCurves(K, "gamma")(v, 2.5, 0.5), exact(K, v, 2.5, 0.5), rtol=1e-12)


def test_no_bias_and_no_number():
    curves = FailureCurves(K, "gamma")(np.array([0.0, 1e-30, np.nan, np.inf, -1.0]), 2.5, 0.5)
    np.testing.assert_allclose(curves[:2], exact(K, np.array([0.0, 1e-30]), 2.5, 0.5), rtol=1e-9)
    assert np.isnan(curves[2:]).all()

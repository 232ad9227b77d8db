"""The slope of a finite window against a regression on exact curves, and the inverse."""

import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.laws import tail_index_from_window, window_exponent
from lidjax.passk import pass_at_k_failure

WINDOW = (10.0, 1000.0)
MODEL = {"delta": 0.5, "sigma_eta": 1.0, "num_k": 3}  # a slope takes two values of k; each costs


def test_it_is_the_regression_slope_of_the_exact_curve():
    k = np.geomspace(*WINDOW, 4)
    for v in (0.0, 0.3):
        curve = pass_at_k_failure(k, 4 * v, beta=2.5, delta=1.0, sigma_eta=2.0)
        slope = -np.polyfit(np.log(k), np.log(curve), 1)[0]
        measured = window_exponent(2.5, 4 * v, delta=1.0, sigma_eta=2.0, window=WINDOW, num_k=4)
        np.testing.assert_allclose(measured, slope, rtol=1e-11)


def test_far_windows_without_bias_return_beta_and_near_ones_do_not():
    far = window_exponent(2.5, 0.0, **MODEL, window=(1e6, 1e8))
    near = window_exponent(2.5, 0.0, **MODEL, window=(1.0, 10.0))
    np.testing.assert_allclose(far, 2.5, rtol=1e-6)
    assert near < 2.0


def test_the_way_back():
    beta = jnp.array([0.7, 2.5, 6.0, 6.0])
    v = jnp.array([0.05, 0.1, 0.01, 0.3])
    slope = window_exponent(beta, v, **MODEL, window=WINDOW)
    assert jnp.all(slope < beta)
    found = tail_index_from_window(slope, v, **MODEL, window=WINDOW)
    np.testing.assert_allclose(found.rising[:3], beta[:3], rtol=1e-7)
    # at v = 0.3 β = 6 lies where slopes fall with β; a smaller β shows the same one
    np.testing.assert_allclose(found.falling[3], 6.0, rtol=1e-7)
    again = window_exponent(found.rising[3], 0.3, **MODEL, window=WINDOW)
    np.testing.assert_allclose(again, slope[3], rtol=1e-7)
    assert found.rising[3] < 3


def test_a_slope_that_no_beta_gives_is_nan():
    found = tail_index_from_window(jnp.array([30.0, 3.5, 2.5]), 0.1, **MODEL, window=WINDOW)
    np.testing.assert_array_equal(
        jnp.isnan(found.rising), [True, True, False]
    )  # this window shows 3.2 at most


@pytest.mark.parametrize("window", [(0.5, 10.0), (10.0, 10.0), (100.0, 10.0)])
def test_bad_windows_are_named(window):
    with pytest.raises(InputError, match="1 <= k1 < k2"):
        window_exponent(2.5, 0.1, **MODEL, window=window)

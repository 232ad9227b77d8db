"""The slope of a finite window against a regression on exact curves, and the inverse."""

import jax.numpy as jnp
import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.laws import tail_index_from_window, window_exponent
from lidjax.passk import pass_at_k_failure

WINDOW = (10.0, 1000.0)
MODEL = {"delta": 0.5, "sigma_eta": 1.0, "num_k": 3}  # a slope takes two values of k; each costs


def slopes(beta, v, window=WINDOW, sigma_eta=1.0, num_k=3):
    """Slopes at up to four points, always as one call of the same shape, compiled once."""
    beta, v = (np.resize(np.asarray(x, float), 4) for x in np.broadcast_arrays(beta, v))
    law = {"delta": 0.5 * sigma_eta, "sigma_eta": sigma_eta, "num_k": num_k}
    return window_exponent(beta, sigma_eta**2 * v, **law, window=window)


def test_it_is_the_regression_slope_of_the_exact_curve():
    k = np.geomspace(*WINDOW, 4)  # of three the middle one has no weight
    for v in (0.0, 0.3):
        curve = pass_at_k_failure(k, 4 * v, beta=2.5, delta=1.0, sigma_eta=2.0)
        slope = -np.polyfit(np.log(k), np.log(curve), 1)[0]
        np.testing.assert_allclose(slopes(2.5, v, sigma_eta=2.0, num_k=4), slope, rtol=1e-11)


def test_far_windows_without_bias_return_beta_and_near_ones_do_not():
    np.testing.assert_allclose(slopes(2.5, 0.0, window=(1e6, 1e8)), 2.5, rtol=1e-6)
    assert slopes(2.5, 0.0, window=(1.0, 10.0))[0] < 2.0


def test_the_way_back():
    beta = jnp.array([0.7, 2.5, 6.0, 6.0])
    v = jnp.array([0.05, 0.1, 0.01, 0.3])
    slope = slopes(beta, v)
    assert jnp.all(slope < beta)
    found = tail_index_from_window(slope, v, **MODEL, window=WINDOW)
    np.testing.assert_allclose(found.rising[:3], beta[:3], rtol=1e-7)
    # at v = 0.3 β = 6 lies where slopes fall with β; a smaller β shows the same one
    np.testing.assert_allclose(found.falling[3], 6.0, rtol=1e-7)
    np.testing.assert_allclose(slopes(found.rising, v)[3], slope[3], rtol=1e-7)
    assert found.rising[3] < 3


def test_a_slope_that_no_beta_gives_is_nan():
    slope = jnp.array([30.0, 3.5, 2.5, 2.5])  # this window shows 3.2 at most
    found = tail_index_from_window(slope, 0.1, **MODEL, window=WINDOW)
    np.testing.assert_array_equal(jnp.isnan(found.rising), [True, True, False, False])


@pytest.mark.parametrize("window", [(0.5, 10.0), (10.0, 10.0), (100.0, 10.0)])
def test_bad_windows_are_named(window):
    with pytest.raises(InputError, match="1 <= k1 < k2"):
        window_exponent(2.5, 0.1, **MODEL, window=window)

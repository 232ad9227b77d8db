"""Figure 2 shows the optimum that `allocate` finds."""

import numpy as np
import pytest
from helpers.made_curves import COSTS, MODEL, exact_curves, power_laws

from lidjax.allocation import allocate, surface_exact, surface_sweep, surface_weights
from lidjax.errors import InputError


def test_figure_2_shows_the_optimum():
    weights = np.array([0.1, 10.0, 1e4])
    exact = surface_exact(3000, **COSTS, weight=weights, **MODEL)
    sweep = surface_sweep(exact_curves(), 3000, **COSTS, weight=weights)
    truth = allocate(3000, **COSTS, weight=weights, **MODEL)
    step = np.diff(exact.n).max()
    assert np.all(np.abs(exact.finite_n.best_n - truth.n) < 1.5 * step)
    assert np.all(np.abs(sweep.finite_n.best_n - truth.n) < 0.05 * truth.n)
    assert np.all(np.abs(exact.finite_n.rule_n - truth.rules["eq24"].n) < 2)
    np.testing.assert_allclose(exact.constant_beta.best_n, exact.constant_beta.rule_n, atol=1.5 * step)
    np.testing.assert_allclose(10 ** exact.finite_n.log10_total.min(axis=1), truth.loss, rtol=1e-2)
    assert exact.finite_n.log10_total.shape == (3, len(exact.n))
    np.testing.assert_allclose(2 * exact.n + 0.5 * exact.k, 3000)


def test_the_axis_of_weights_is_around_the_positive_ones():
    shown = surface_weights(np.array([0, 2, 50.0], dtype=object))
    np.testing.assert_allclose(shown[[0, -1]], [2 / 30, 1500])
    np.testing.assert_allclose(np.diff(np.log(shown)), np.log(750 * 30) / 59)
    np.testing.assert_array_equal(surface_weights(0), surface_weights([0.0, 1.0]))


@pytest.mark.parametrize("weight", [0.0, [1.0, -1.0], [[1.0]], np.inf])
def test_weights_that_cannot_be_drawn_are_named(weight):
    with pytest.raises(InputError, match="weight must be a list of numbers greater than 0"):
        surface_sweep(power_laws(), 2e3, **COSTS, weight=weight)

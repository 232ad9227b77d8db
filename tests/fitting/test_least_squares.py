"""The optimiser against scipy in a box, and profile intervals against what they are by definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from scipy.stats import chi2, f, t

from lidjax.fitting.least_squares import least_squares, lowest_minimum
from lidjax.fitting.uncertainty import (
    covariance_from_hessian,
    critical_values,
    profile_intervals,
    two_parameter_limit,
)

X = np.linspace(0.1, 3, 20)
TRUE = np.array([2.0, 1.3, 0.4])
Y = TRUE[0] * np.exp(-TRUE[1] * X) + TRUE[2] + 0.02 * np.random.default_rng(0).normal(size=X.size)
FREE = np.array([[-10.0] * 3, [10.0] * 3])
WALLS = np.array([[-10.0, 1.5, -10.0], [10.0, 4.0, 0.35]])  # the minimum is outside both walls
FIXED = np.array([[-10.0, 1.0, -10.0], [10.0, 1.0, 10.0]])


def decay(p, np=jnp):
    return (p[0] * np.exp(-p[1] * X) + p[2] - Y) / 0.02


@jax.jit
def minimise(start, low, high):
    return least_squares(decay, start, low, high)


@pytest.mark.parametrize("box", [FREE, WALLS])
def test_the_minimum_is_scipys_with_and_without_walls(box):
    start = np.array([1.0, 2.0, 0.0])
    found = minimise(jnp.asarray(start), *jnp.asarray(box))
    known = optimize.least_squares(decay, start, bounds=box, args=(np,), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert found.converged
    assert found.point.cost == pytest.approx(known.cost, rel=1e-9)
    np.testing.assert_allclose(found.point.params, known.x, rtol=1e-5)
    on_wall = np.isin(found.point.params, box)
    assert on_wall.any() == (box is WALLS)


def test_equal_bounds_fix_a_parameter():
    found = minimise(jnp.asarray([1.0, 5.0, 0.0]), *jnp.asarray(FIXED))
    assert found.point.params[1] == 1.0
    design = np.column_stack([np.exp(-X), np.ones_like(X)])
    values = np.linalg.lstsq(design, Y, rcond=None)[0]
    np.testing.assert_allclose(found.point.params[jnp.asarray([0, 2])], values, rtol=1e-7)


def test_too_few_steps_are_not_called_convergence():
    hasty = jax.jit(lambda s: least_squares(decay, s, *jnp.asarray(FREE), max_steps=3))(
        jnp.asarray([9.0, -0.5, -9.0])
    )
    assert not hasty.converged


def test_lowest_minimum_takes_the_lower_of_two_minima_and_passes_over_nan():
    def wells(p):  # minima of p⁴ - 8p² + p: the lower one is at p < 0
        return jnp.sqrt(jnp.maximum(p**4 - 8 * p**2 + p + 100, 0.0))

    starts = jnp.asarray([[1.5], [-1.5], [jnp.nan]])
    found = jax.jit(lambda s: lowest_minimum(wells, s, jnp.asarray([-5.0]), jnp.asarray([5.0])))(starts)
    assert found.point.params[0] == pytest.approx(-2.031, abs=1e-3)


def test_covariance_is_that_of_the_free_parameters_and_infinite_where_singular():
    hessian = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
    covariance = covariance_from_hessian(jnp.asarray(hessian), 2.0, jnp.asarray([True, False, True]))
    expected = 2 * np.linalg.inv(hessian[np.ix_([0, 2], [0, 2])])
    np.testing.assert_allclose(np.asarray(covariance)[np.ix_([0, 2], [0, 2])], expected, rtol=1e-12)
    assert np.all(np.asarray(covariance)[1] == 0)
    singular = covariance_from_hessian(jnp.ones((2, 2)), 1.0, jnp.asarray([True, True]))
    assert np.all(np.isinf(singular))


@jax.jit
def intervals(params, low, high, errors):
    cost = 0.5 * jnp.sum(decay(params) ** 2)
    rows = [jnp.broadcast_to(a, (3, 3)) for a in (params, low, high)]
    return profile_intervals(
        decay, jnp.arange(3), errors, *rows, cost=cost, variance=1.0, critical=jnp.asarray(1.96)
    )


def test_profile_ends_are_where_the_minimum_over_the_rest_has_risen_by_the_critical_value():
    found = minimise(jnp.asarray([1.0, 2.0, 0.0]), *jnp.asarray(FREE))
    errors = jnp.sqrt(jnp.diagonal(covariance_from_hessian(found.point.hessian, 1.0, jnp.ones(3, bool))))
    ends = intervals(found.point.params, *jnp.asarray(FREE), errors)

    def height(rate):  # given the rate the rest is linear
        design = np.column_stack([np.exp(-rate * X), np.ones_like(X)]) / 0.02
        cost = np.linalg.lstsq(design, Y / 0.02, rcond=None)[1][0]
        return np.sqrt(max(cost - 2 * float(found.point.cost), 0)) - 1.96

    centre = float(found.point.params[1])
    expected = optimize.brentq(height, centre - 1, centre), optimize.brentq(height, centre, centre + 1)
    np.testing.assert_allclose([ends.lower[1], ends.upper[1]], expected, rtol=2e-4)
    assert abs(expected[1] + expected[0] - 2 * centre) > 0.001  # a Wald interval would be symmetric


def test_a_profile_that_ends_at_a_wall_of_its_own_or_of_another_parameter_is_open():
    found = minimise(jnp.asarray([1.0, 2.0, 0.0]), *jnp.asarray(FREE))
    errors = jnp.asarray([0.02, 0.03, 0.01])
    near = np.asarray(found.point.params) + 0.2 * np.asarray(errors) * np.array([[-1], [1]])
    own = FREE.copy()
    own[:, 1] = near[:, 1]
    ends = intervals(found.point.params, *jnp.asarray(own), errors)
    assert np.isinf([ends.lower[1], ends.upper[1]]).all()
    assert np.isinf(
        [ends.lower[0], ends.lower[2], ends.upper[0], ends.upper[2]]
    ).any()  # held by the rate's walls


def test_critical_values_and_the_limit_for_two_parameters():
    assert critical_values(0.9, 5, known_errors=False)[3] == pytest.approx(t.ppf(0.95, 4))
    level, dof = jnp.asarray(0.95), jnp.asarray(12)
    assert two_parameter_limit(dof, jnp.asarray(True), level) == pytest.approx(chi2.ppf(0.95, 2))
    assert two_parameter_limit(dof, jnp.asarray(False), level) == pytest.approx(2 * f.ppf(0.95, 2, 12))

"""Population failure L_inf(k): values, error estimate, derivatives, limits, and a rule too coarse to pass."""

import ast
import functools
import json

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from mpmath_failure import TABLE, Problem

from lidjax.difficulty import sample_precision
from lidjax.passk.population import COARSE, Rule, log_failure, pass_at_k_failure
from lidjax.passk.success import log_window

# Tolerances on log L_inf, hence relative on L_inf; the worst case seen is beside each.
VALUE = 1e-11  # 1.1e-12 over the table (power prior, k = 1, β = 20, δ/σ = 10)
BOX = 1e-9  # 2.1e-10 over 2400 random points of the box, same corner
DERIVATIVE = 1e-6  # 2e-7, mostly the finite difference's own

# Converged over three grid refinements of a plain trapezoid rule: (k, v, β, δ/σ), value, digits.
DESIGN_VALUES = [
    ((1, 0.1, 2.5, 0.5), 6.4490937478771e-01, 1e-13),
    ((1e2, 0.1, 2.5, 0.5), 2.7886228614521e-04, 1e-13),
    ((1e6, 0.1, 2.5, 0.5), 3.2517888115347e-13, 1e-13),
    ((1e12, 0.1, 2.5, 0.5), 2.2300707513192e-18, 1e-12),
    ((1e6, 3, 2.5, 0.5), 1.4356096174773e-02, 1e-12),
    ((1e8, 0.02, 4, 0.05), 1.53590513890e-24, 1e-11),
]


def failure(k, v, beta, eps, **options):
    """At σ = 2, so that the scaling with σ is always under test."""
    return pass_at_k_failure(k, 4 * v, beta=beta, delta=2 * eps, sigma_eta=2.0, **options)


@functools.cache
def table():
    """{difficulty: (array of (k, v, β, δ/σ) columns, log L_inf in mpmath)}."""
    rows = [(ast.literal_eval(key), value) for key, value in json.loads(TABLE.read_text()).items()]
    with mp.workdps(30):
        return {
            prior: (
                [
                    jnp.array(column)
                    for column in zip(*[row[:4] for row, _ in rows if row[4] == prior], strict=True)
                ],
                [mp.log(mp.mpf(value)) for row, value in rows if row[4] == prior],
            )
            for prior in ("gamma", "power")
        }


@functools.cache
def table_estimates(difficulty):
    columns, exact = table()[difficulty]
    estimate = failure(*columns, difficulty=difficulty, log=True, with_error=True)
    error = np.array([float(abs(m - e)) for m, e in zip(estimate.failure.tolist(), exact, strict=True)])
    return estimate, error


def draw_box(count, seed):
    """Random points of the stated box: k, v, β, δ/σ."""
    rng = np.random.default_rng(seed)
    k = 10 ** np.where(np.arange(count) % 3, rng.uniform(0, 30, count), rng.uniform(0, 6, count))
    v, beta = 10 ** rng.uniform(-8, 4, count), 10 ** rng.uniform(-1, np.log10(20), count)
    eps = 10 ** np.where(np.arange(count) % 2, rng.uniform(-6, 1, count), rng.uniform(-2, 1, count))
    return [jnp.asarray(x) for x in (k, v, beta, eps)]


def over_points(function):
    return jax.jit(lambda points: jax.lax.map(lambda point: function(*point), points, batch_size=8))


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_corners_of_the_box_match_mpmath(difficulty):
    _, error = table_estimates(difficulty)
    assert error.size >= 20
    assert error.max() < VALUE


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_reported_error_bounds_the_true_one_and_is_of_use(difficulty):
    estimate, error = table_estimates(difficulty)
    assert np.all(error <= estimate.relative_error)
    assert estimate.relative_error.max() < 1e-7


def test_too_few_nodes_fail_and_the_distance_to_a_finer_rule_shows_it():
    columns, exact = table()["gamma"]
    poor = over_points(lambda *point: log_failure(*point, "gamma", Rule(48, 32, 10, 12.0)))(columns)
    error = np.array([float(abs(m - e)) for m, e in zip(poor.tolist(), exact, strict=True)])
    assert error.max() > 1e-4


def test_values_of_the_design_note():
    columns = [
        jnp.array(column, dtype=float) for column in zip(*[point for point, *_ in DESIGN_VALUES], strict=True)
    ]
    measured = failure(*columns)
    for value, (_, expected, tolerance) in zip(measured, DESIGN_VALUES, strict=True):
        assert abs(value / expected - 1) < tolerance


def test_simulated_instances_agree():
    """Four z-tests on 4e5 instances; |z| < 4.4 in each has a false-alarm rate below 5e-5 in all."""
    key_b, key_tau = jax.random.split(jax.random.key(3))
    tau = sample_precision(key_tau, jnp.array(2.5), (400_000,))
    bias = jnp.sqrt(0.3) * jax.random.normal(key_b, tau.shape)
    log_miss = jax.jit(log_window)(jnp.abs(bias) * jnp.sqrt(tau), 0.5 * jnp.sqrt(tau))[1]
    k = jnp.array([1.0, 10.0, 100.0, 1000.0])
    terms = jnp.exp(k[:, None] * log_miss[None, :])
    z = (terms.mean(1) - failure(k, 0.3, 2.5, 0.5)) / (terms.std(1) / jnp.sqrt(tau.size))
    assert jnp.abs(z).max() < 4.4


def test_bias_free_limit_is_eq_15_at_large_k():
    k = jnp.array([3.0, 300.0, 1e5, 1e12])
    beta, c = 2.5, np.sqrt(2 / np.pi) * 0.5
    prefactor = 2 * float(mp.gamma(beta) / mp.gamma(beta / 2)) / c**beta
    ratio = failure(k, 0.0, beta, 0.5) / (prefactor * k**-beta)
    np.testing.assert_allclose(ratio[:3], [0.165, 0.986, 0.99999], atol=[5e-4, 5e-4, 1e-5])
    assert abs(ratio[3] - 1) < 1e-10


def test_limits_and_bad_input():
    assert failure(1e30, 0.0, 20.0, 1.0) == 0  # below the smallest float
    assert failure(1e30, 0.0, 20.0, 1.0, log=True) < -1300
    assert failure(0.0, 0.1, 2.5, 0.5) == 1
    assert failure(10.0, 0.1, 2.5, 0.0) == 1
    assert 0.999 < failure(10.0, 1e12, 2.5, 0.5) <= 1
    for bad in (
        (jnp.nan, 0.1, 2.5, 0.5),
        (10.0, jnp.nan, 2.5, 0.5),
        (10.0, -0.1, 2.5, 0.5),
        (-1.0, 0.1, 2.5, 0.5),
    ):
        assert jnp.isnan(failure(*bad))
    with pytest.raises(ValueError, match="'normal' is not a prior"):
        failure(10.0, 0.1, 2.5, 0.5, difficulty="normal")


def test_broadcasting_jit_and_vmap_give_the_same_numbers():
    k, v = jnp.array([1, 10, 1000]), jnp.array([[0.0], [0.2]])
    grid = failure(k, v, 2.5, 0.5)
    assert grid.shape == (2, 3)
    assert jnp.all(jnp.diff(grid, axis=1) < 0)
    assert jnp.all(grid[1] > grid[0])
    by_vmap = jax.jit(jax.vmap(jax.vmap(lambda k, v: failure(k, v, 2.5, 0.5), (0, None)), (None, 0)))(
        k, v[:, 0]
    )
    np.testing.assert_allclose(by_vmap, grid, rtol=1e-13)
    estimate = failure(k, v, 2.5, 0.5, with_error=True)
    np.testing.assert_array_equal(estimate.failure, grid)
    assert estimate.relative_error.shape == (2, 3)


def test_float32_stays_float32():
    points = [
        jnp.array(column)
        for column in ([1.0, 1e3, 1e9], [0.1, 1e-3, 3.0], [2.5, 4.0, 1.0], [0.5, 0.05, 0.01])
    ]
    single = failure(*[x.astype("float32") for x in points], log=True)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, failure(*points, log=True), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_derivatives_match_finite_differences(difficulty):
    """In log k, log v, log β, log δ, by an eighth-order central difference of the rule, itself good to 1e-13."""
    points = [jnp.log(x) for x in draw_box(10, 7)]
    points[1] = jnp.clip(points[1], jnp.log(1e-2))  # smaller v: the difference loses what bias adds

    def log_value(*logs):
        return log_failure(*map(jnp.exp, logs), difficulty)

    gradient = over_points(jax.grad(log_value, (0, 1, 2, 3)))(points)
    offsets = jnp.array([-4, -3, -2, -1, 1, 2, 3, 4]) * 0.02
    weights = jnp.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 4 / 5, -1 / 5, 4 / 105, -1 / 280]) / 0.02
    value = over_points(log_value)
    for axis in range(4):
        moved = [jnp.repeat(x, 8) for x in points]
        moved[axis] = (points[axis][:, None] + offsets[None, :]).ravel()
        difference = value(moved).reshape(-1, 8) @ weights
        error = jnp.abs(difference - gradient[axis])
        assert jnp.all(error < DERIVATIVE * jnp.abs(difference) + 1e-9), axis


def test_slope_at_zero_bias_is_the_closed_form():
    """dL_inf/dv at v = 0 is half the mean curvature in B/σ, E[k (1-s)^(k-1) ε τ^(3/2) φ(ε√τ)]."""
    k, beta, eps = 300.0, 2.5, 0.5
    slope = jax.jit(
        jax.grad(lambda v: jnp.exp(log_failure(jnp.array(k), v, jnp.array(beta), jnp.array(eps), "gamma")))
    )

    def integrand(tau):
        h = eps * mp.sqrt(tau)
        miss = mp.erfc(h / mp.sqrt(2))
        return tau ** (beta / 2 - 1) * mp.exp(-tau) * k * miss ** (k - 1) * h * tau * mp.npdf(h)

    exact = mp.quad(integrand, [0, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60]) / mp.gamma(beta / 2)
    for v in (0.0, 1e-13, 1e-11):  # both sides of where the linear form takes over
        assert abs(float(slope(v)) / float(exact) - 1) < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", ["gamma", "power"])
def test_random_points_of_the_box_against_a_rule_several_times_finer(difficulty):
    points = draw_box(1200, 1)
    dense = Rule(700, 700, 140, 42.0)
    fine, coarse, exact = (
        over_points(lambda *point, rule=rule: log_failure(*point, difficulty, rule))(points)
        for rule in (Rule(256, 192, 48, 28.0), COARSE, dense)
    )
    assert jnp.abs(fine - exact).max() < BOX
    assert jnp.all(jnp.abs(fine - exact) < jnp.abs(coarse - fine) + 1e-12 * (1 + jnp.abs(exact)))


@pytest.mark.slow
@pytest.mark.parametrize("case", [(1e2, 0.1, 2.5, 0.5, "gamma"), (3e4, 1.7, 6.0, 0.2, "power")])
def test_stored_reference_method_agrees_when_run_afresh(case):
    exact = Problem(*case, step=4.0, nodes=16).value()
    assert abs(failure(*case[:4], difficulty=case[4]) / float(exact) - 1) < 1e-11
